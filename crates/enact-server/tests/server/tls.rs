//! TLS from files, and from other files once they have changed.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use enact_server::{Config, Server, TlsFiles};
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::bed::Bed;

/// Writes a certificate for localhost and its key; returns the certificate.
pub fn write(folder: &Path) -> CertificateDer<'static> {
    write_until(folder, 4_096)
}

/// The same for one that ends on the last of February of a leap year, and began in the year 2000.
fn write_until(folder: &Path, year: i32) -> CertificateDer<'static> {
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    (params.not_before, params.not_after) = (rcgen::date_time_ymd(2_000, 1, 1), rcgen::date_time_ymd(year, 2, 29));
    let key = rcgen::KeyPair::generate().unwrap();
    let made = params.self_signed(&key).unwrap();
    // The key first: between the two writes nothing fits, and the former pair goes on.
    std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    std::fs::write(folder.join("cert.pem"), made.pem()).unwrap();
    made.der().clone()
}

pub fn files(folder: &Path) -> TlsFiles {
    TlsFiles { certificate: folder.join("cert.pem"), key: folder.join("key.pem") }
}

/// The clock of a client, for which it is the year 2001.
#[derive(Debug)]
struct Year2001;

impl TimeProvider for Year2001 {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(1_000_000_000)))
    }
}

/// Connects over TLS, trusting one certificate.
pub async fn connect(port: u16, trusted: &CertificateDer<'static>) -> std::io::Result<TlsStream<TcpStream>> {
    connect_at(port, trusted, Arc::new(DefaultTimeProvider)).await
}

async fn connect_at(
    port: u16,
    trusted: &CertificateDer<'static>,
    clock: Arc<dyn TimeProvider>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_details(provider, clock)
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
    get("/healthz", connect(port, trusted).await?).await
}

async fn get(path: &str, mut stream: TlsStream<TcpStream>) -> std::io::Result<String> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
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

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_ends_while_the_hub_runs_is_told_where_operators_look_and_the_door_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let bed = Bed::with(|config| config.tls = Some(files(folder.path()))).await;
    let port = bed.address.port();
    let asked = async |trusted: &CertificateDer<'static>, path: &str| {
        get(path, connect_at(port, trusted, Arc::new(Year2001)).await.unwrap()).await.unwrap()
    };
    let good = write(folder.path());
    let (ready, figures) = (asked(&good, "/readyz").await, asked(&good, "/metrics").await);
    assert!(ready.contains(r#"{"status":"ready"}"#), "{ready}");
    assert!(figures.contains("enact_http_certificate_expires_timestamp_seconds 67"), "{figures}");
    let ended = write_until(folder.path(), 2_024);
    assert!(connect(port, &ended).await.is_err(), "a client looks at the time");
    let (ready, figures) = (asked(&ended, "/readyz").await, asked(&ended, "/metrics").await);
    assert!(ready.starts_with("HTTP/1.1 200"), "work is taken: {ready}");
    assert!(ready.contains("the TLS certificate has expired at 2024-02-29T00:00:00"), "{ready}");
    assert!(!ready.contains("cert.pem"), "no names without credentials: {ready}");
    assert!(figures.contains("enact_http_certificate_expires_timestamp_seconds 1709164800"), "{figures}");
    let renewed = write(folder.path());
    let ready = asked(&renewed, "/readyz").await;
    assert!(ready.contains(r#"{"status":"ready"}"#), "{ready}");
}
