//! Connecting: name, address, TCP and TLS, and nowhere that is link-local, whatever the name says.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

use crate::endpoint::Endpoint;

/// Longest time for one address: one that swallows what is sent must not keep the others from being tried.
const ADDRESS_LIMIT: Duration = Duration::from_secs(5);

/// A stream of bytes, with TLS or without.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// Whose certificates are trusted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Trust {
    /// Those that the system trusts.
    #[default]
    System,
    /// Only those of this PEM file.
    File(PathBuf),
}

impl Trust {
    /// Reads the certificates that are trusted instead of those of the system, in PEM; none if it is those of the system. Blocks for
    /// the time of a small file.
    ///
    /// # Errors
    /// In words: a file that cannot be read, or holds no certificates.
    pub fn pem(&self) -> Result<Option<Vec<u8>>, String> {
        let Self::File(path) = self else { return Ok(None) };
        roots_of(path)?;
        std::fs::read(path).map(Some).map_err(|error| format!("{} cannot be read: {error}", path.display()))
    }
}

/// Connects, with TLS where the endpoint has it.
///
/// # Errors
/// In words: no address, one that is link-local, nobody there, a certificate that is not trusted.
pub async fn connect(endpoint: &Endpoint, trust: &Trust) -> Result<(Box<dyn Stream>, SocketAddr), String> {
    let (tcp, address) = reach(endpoint).await?;
    if !endpoint.tls {
        return Ok((Box::new(tcp), address));
    }
    let name =
        ServerName::try_from(endpoint.host.clone()).map_err(|_| format!("{endpoint} has no name for a certificate"))?;
    let connector = TlsConnector::from(tls(trust).await?);
    match connector.connect(name, tcp).await {
        Ok(stream) => Ok((Box::new(stream), address)),
        Err(error) => Err(format!("{endpoint} is not trusted: {}", untrusted(&error))),
    }
}

/// Says why a certificate does not pass, if that is what another client's error is about.
pub fn distrust(text: &str) -> Option<String> {
    text.contains("invalid peer certificate").then(|| untrusted(&std::io::Error::other(text.to_owned())))
}

/// Says why a certificate does not pass; what `openssl req -x509` makes by itself is one of an authority, which surprises.
fn untrusted(error: &std::io::Error) -> String {
    match error.to_string() {
        text if text.contains("CaUsedAsEndEntity") => {
            "its certificate is one of an authority (CA:TRUE), not one of a server; make it with basicConstraints=CA:FALSE".to_owned()
        }
        text => text,
    }
}

async fn reach(endpoint: &Endpoint) -> Result<(TcpStream, SocketAddr), String> {
    let addresses = tokio::net::lookup_host((endpoint.host.as_str(), endpoint.port)).await;
    let addresses = addresses.map_err(|error| format!("{endpoint} has no address: {error}"))?;
    let mut last = format!("{endpoint} has no address");
    for address in addresses {
        if is_link_local(address.ip()) {
            last = format!("{endpoint} is refused: {} is link-local", address.ip());
            continue;
        }
        match tokio::time::timeout(ADDRESS_LIMIT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // It only makes small writes slower if it is refused.
                let _ = stream.set_nodelay(true);
                return Ok((stream, address));
            }
            Ok(Err(error)) => last = format!("{endpoint} cannot be reached: {error}"),
            Err(_) => last = format!("{endpoint} cannot be reached: no answer within {} s", ADDRESS_LIMIT.as_secs()),
        }
    }
    Err(last)
}

/// Returns whether an address is only of this link, where clouds keep what a machine must not tell; also in the forms in which
/// version 6 wraps one of version 4.
pub fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => {
            let wrapped = address.to_ipv4_mapped().or_else(|| translated(address));
            address.is_unicast_link_local() || wrapped.is_some_and(|address| address.is_link_local())
        }
    }
}

/// Returns the address of version 4 behind the prefix of translators, `64:ff9b::/96`.
fn translated(address: Ipv6Addr) -> Option<std::net::Ipv4Addr> {
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some((u32::from(high) << 16 | u32::from(low)).into()),
        _ => None,
    }
}

/// Lets clients that ask nobody speak TLS with ring, also in a program that has more than one provider to choose from.
pub fn settle_on_ring() {
    // It is an error only if somebody has settled on one before, which is as good.
    let _ = crypto::ring::default_provider().install_default();
}

/// Returns how TLS is spoken. What the system trusts is read once.
async fn tls(trust: &Trust) -> Result<Arc<ClientConfig>, String> {
    static SYSTEM: OnceCell<Arc<ClientConfig>> = OnceCell::const_new();
    match trust {
        Trust::System => SYSTEM.get_or_try_init(async || client(blocking(system_roots).await?)).await.cloned(),
        Trust::File(path) => {
            let path = path.clone();
            client(blocking(move || roots_of(&path)).await?)
        }
    }
}

async fn blocking<T: Send + 'static>(read: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, String> {
    let read = tokio::task::spawn_blocking(read).await;
    read.map_err(|error| format!("the certificates cannot be read: {error}"))?
}

fn system_roots() -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let (taken, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    match taken {
        0 => Err("this system trusts no certificate: install its package ca-certificates".to_owned()),
        _ => Ok(roots),
    }
}

fn roots_of(path: &Path) -> Result<RootCertStore, String> {
    let failed = |error: &dyn std::fmt::Display| format!("{} holds no certificates: {error}", path.display());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| failed(&error))? {
        roots.add(certificate.map_err(|error| failed(&error))?).map_err(|error| failed(&error))?;
    }
    if roots.is_empty() { Err(failed(&"it is no PEM file with one")) } else { Ok(roots) }
}

fn client(roots: RootCertStore) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| format!("TLS cannot be set up: {error}"))?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_local_is_seen_in_every_form() {
        for text in [
            "169.254.169.254",
            "169.254.0.1",
            "fe80::1",
            "febf::1",
            "::ffff:169.254.169.254",
            "64:ff9b::169.254.169.254",
        ] {
            assert!(is_link_local(text.parse().unwrap()), "{text}");
        }
        for text in
            ["127.0.0.1", "::1", "10.0.0.1", "169.253.255.255", "fec0::1", "64:ff9b::1.2.3.4", "::ffff:127.0.0.1"]
        {
            assert!(!is_link_local(text.parse().unwrap()), "{text}");
        }
    }

    #[tokio::test]
    async fn nobody_is_called_at_an_address_that_is_link_local() {
        for text in ["http://169.254.169.254/latest", "http://[fe80::1]/", "http://[::ffff:169.254.169.254]/"] {
            let endpoint = Endpoint::parse(text, &[("http", 80, false)]).unwrap();
            let refused = connect(&endpoint, &Trust::System).await.err().unwrap();
            assert!(refused.ends_with("is link-local"), "{refused}");
        }
    }
}
