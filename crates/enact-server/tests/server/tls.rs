//! TLS from files, and from other files once they have changed.

use std::path::Path;
use std::sync::Arc;

use enact_server::{Config, Server, TlsFiles};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::bed::Bed;

/// Writes a certificate for localhost and its key; returns the certificate.
pub fn write(folder: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    // The key first: between the two writes nothing fits, and the former pair goes on.
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    made.cert.der().clone()
}

pub fn files(folder: &Path) -> TlsFiles {
    TlsFiles { certificate: folder.join("cert.pem"), key: folder.join("key.pem") }
}

/// Connects over TLS, trusting one certificate.
pub async fn connect(port: u16, trusted: &CertificateDer<'static>) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    connector.connect(ServerName::try_from("localhost").unwrap(), stream).await
}

/// Asks for the health over TLS, trusting one certificate.
pub async fn ask(port: u16, trusted: &CertificateDer<'static>) -> std::io::Result<String> {
    let mut stream = connect(port, trusted).await?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    Ok(answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_was_renewed_is_used_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let first = write(folder.path());
    let bed = Bed::with(|config| config.tls = Some(files(folder.path()))).await;
    let port = bed.address.port();
    assert!(ask(port, &first).await.unwrap().starts_with("HTTP/1.1 200"));
    let second = write(folder.path());
    assert!(ask(port, &second).await.unwrap().starts_with("HTTP/1.1 200"));
    assert!(ask(port, &first).await.is_err(), "the former one is not shown any more");
    // What cannot be used does not take the door away.
    std::fs::write(folder.path().join("cert.pem"), "nonsense").unwrap();
    assert!(ask(port, &second).await.unwrap().starts_with("HTTP/1.1 200"));
    // Plain HTTP is not answered.
    let plain = crate::http::bytes(bed.address, b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert!(!plain.contains("200"), "{plain}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_cannot_be_used_is_said_before_anything_listens() {
    let folder = tempfile::tempdir().unwrap();
    let bind = async || {
        let mut config = Config::new("127.0.0.1:0".parse().unwrap(), folder.path());
        config.tls = Some(files(folder.path()));
        Server::bind(config).await.err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert!(bind().await.contains("cert.pem"));
    write(folder.path());
    assert_eq!(bind().await, "");
    std::fs::write(folder.path().join("cert.pem"), "").unwrap();
    assert!(bind().await.contains("no certificate"));
    let other = tempfile::tempdir().unwrap();
    write(other.path());
    std::fs::copy(other.path().join("cert.pem"), folder.path().join("cert.pem")).unwrap();
    assert!(bind().await.contains("failed to use the certificate"));
}
