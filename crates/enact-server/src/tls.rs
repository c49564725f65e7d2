//! TLS from two files, read again when they change, so that a renewed certificate needs no restart, and one that is not renewed is
//! told.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use enact_model::time::Timestamp;
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, RootCertStore, ServerConfig};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use tokio_rustls::TlsAcceptor;

use crate::TlsFiles;

/// How often a certificate is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);

/// Why a certificate or its key cannot be used.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("failed to read {}: {source}", path.display())]
    Read { path: PathBuf, source: pem::Error },
    /// A file without a certificate.
    #[error("failed to read {}: no certificate stands in it", .0.display())]
    Empty(PathBuf),
    /// The key is not the certificate's, or of a kind that is not supported.
    #[error("failed to use the certificate {}: {source}", path.display())]
    Unfit { path: PathBuf, source: rustls::Error },
}

/// How long a certificate holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// Its begin.
    pub from: SystemTime,
    /// Its end.
    pub until: SystemTime,
}

impl Validity {
    /// Says what is wrong at a time: that the certificate has ended, that it has not begun, or that less than a tenth of its time is
    /// left and it should have been renewed by now.
    pub fn trouble(self, now: SystemTime) -> Option<String> {
        let Self { from, until } = self;
        let at = Timestamp::from_system;
        let life = until.duration_since(from).unwrap_or_default();
        match until.duration_since(now) {
            Err(_) => Some(format!("the TLS certificate has expired at {}: clients refuse it", at(until))),
            Ok(_) if now < from => Some(format!("the TLS certificate holds from {} only: clients refuse it", at(from))),
            Ok(left) if left < life / 10 => {
                Some(format!("the TLS certificate expires at {} and is not renewed", at(until)))
            }
            Ok(_) => None,
        }
    }

    /// Asks for both ends of a certificate; none if it is of a kind that tells none.
    fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let parsed = ParsedCertificate::try_from(certificate).ok()?;
        let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms.all;
        // Only whom a certificate is refused, because it has ended or not begun, is told when; the time is looked at before the issuer.
        let refused = |at| {
            let time = UnixTime::since_unix_epoch(Duration::from_secs(at));
            let none = RootCertStore::empty();
            match rustls::client::verify_server_cert_signed_by_trust_anchor(&parsed, &none, &[], time, algorithms) {
                Err(rustls::Error::InvalidCertificate(why)) => Some(why),
                _ => None,
            }
        };
        let Some(CertificateError::NotValidYetContext { not_before, .. }) = refused(0) else { return None };
        let Some(CertificateError::ExpiredContext { not_after, .. }) = refused(u64::MAX) else { return None };
        let time = |time: UnixTime| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(time.as_secs()));
        Some(Self { from: time(not_before)?, until: time(not_after)? })
    }
}

impl TlsFiles {
    /// Looks whether the files fit each other, and how long the certificate holds, if it tells.
    ///
    /// # Errors
    /// A file that cannot be read, and a key that is not the certificate's.
    pub fn look(&self) -> Result<Option<Validity>, TlsError> {
        make(self).map(|shown| shown.validity)
    }
}

/// What tells a file from what it was.
type Stamp = Option<(u64, i64, i64)>;

/// What is shown to those who connect.
struct Shown {
    acceptor: TlsAcceptor,
    validity: Option<Validity>,
}

/// The two files and what was made of them last.
pub(crate) struct Tls {
    files: TlsFiles,
    made: Mutex<(Stamp, Stamp, Shown)>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// A file that cannot be read, and a key that is not the certificate's.
    pub fn open(files: TlsFiles) -> Result<Self, TlsError> {
        let (certificate, key) = (stamp(&files.certificate), stamp(&files.key));
        let shown = make(&files)?;
        Ok(Self { files, made: Mutex::new((certificate, key, shown)) })
    }

    /// Returns what takes the next connection.
    pub fn acceptor(&self) -> TlsAcceptor {
        self.now().2.acceptor.clone()
    }

    /// Returns how long the certificate that is shown holds, if it tells.
    pub fn validity(&self) -> Option<Validity> {
        self.now().2.validity
    }

    /// Returns what is wrong with the certificate that is shown.
    pub fn trouble(&self) -> Option<String> {
        self.validity()?.trouble(SystemTime::now())
    }

    /// Tells the log once when a certificate was not renewed in time, and once when it ends.
    pub async fn watch(&self) {
        let mut told = None;
        loop {
            let trouble = self.trouble();
            if trouble != told {
                match &trouble {
                    Some(trouble) => tracing::warn!(certificate = %self.files.certificate.display(), "{trouble}"),
                    None => {
                        tracing::info!(certificate = %self.files.certificate.display(), "the TLS certificate holds again")
                    }
                }
                told = trouble;
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    /// Files that changed are read again, and if they cannot be used yet, the former ones go on.
    fn now(&self) -> MutexGuard<'_, (Stamp, Stamp, Shown)> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let now = (stamp(&self.files.certificate), stamp(&self.files.key));
        if (made.0, made.1) != now {
            (made.0, made.1) = now;
            match make(&self.files) {
                Ok(shown) => made.2 = shown,
                Err(error) => tracing::warn!(%error, "the former certificate goes on"),
            }
        }
        made
    }
}

fn stamp(path: &Path) -> Stamp {
    std::fs::metadata(path).ok().map(|found| (found.ino(), found.mtime(), found.mtime_nsec()))
}

fn make(files: &TlsFiles) -> Result<Shown, TlsError> {
    let read = |path: &Path| {
        let path = path.to_owned();
        move |source| TlsError::Read { path, source }
    };
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(read(&files.certificate))?;
    let Some(leaf) = chain.first() else { return Err(TlsError::Empty(files.certificate.clone())) };
    let validity = Validity::of(leaf);
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(read(&files.key))?;
    let unfit = |source| TlsError::Unfit { path: files.certificate.clone(), source };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unfit)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(unfit)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Shown { acceptor: TlsAcceptor::from(Arc::new(config)), validity })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn a_certificate_is_in_trouble_before_its_begin_in_its_last_tenth_and_after_its_end() {
        let from = SystemTime::UNIX_EPOCH + 20_000 * DAY;
        let validity = Validity { from, until: from + 90 * DAY };
        let at = |days| validity.trouble(from + days * DAY).unwrap_or_default();
        assert_eq!(at(0) + &at(60) + &at(81), "");
        assert!(at(82).contains("expires at 2025-01-02T00:00:00"), "{}", at(82));
        assert!(at(90).contains("expires at") && at(91).contains("has expired at 2025-01-02"), "{}{}", at(90), at(91));
        let before = validity.trouble(from - DAY).unwrap_or_default();
        assert!(before.contains("holds from 2024-10-04"), "{before}");
    }

    #[test]
    fn both_ends_are_read_from_the_certificate() {
        let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        (params.not_before, params.not_after) = (rcgen::date_time_ymd(1999, 12, 31), rcgen::date_time_ymd(2060, 2, 29));
        let made = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        let validity = Validity::of(made.der()).unwrap();
        let text = [validity.from, validity.until].map(|end| Timestamp::from_system(end).to_string());
        assert!(text[0].starts_with("1999-12-31T00:00:00") && text[1].starts_with("2060-02-29T00:00:00"), "{text:?}");
        assert_eq!(Validity::of(&CertificateDer::from(vec![1, 2, 3])), None);
    }
}
