//! TLS from two files, read again when they change, so that a renewed certificate needs no restart.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::ServerConfig;
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::TlsFiles;

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

/// What tells a file from what it was.
type Stamp = Option<(u64, i64, i64)>;

/// The two files and what was made of them last.
pub(crate) struct Tls {
    files: TlsFiles,
    made: Mutex<(Stamp, Stamp, TlsAcceptor)>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// A file that cannot be read, and a key that is not the certificate's.
    pub fn open(files: TlsFiles) -> Result<Self, TlsError> {
        let (certificate, key) = (stamp(&files.certificate), stamp(&files.key));
        let acceptor = make(&files)?;
        Ok(Self { files, made: Mutex::new((certificate, key, acceptor)) })
    }

    /// Returns what takes the next connection; files that changed are read again, and if they cannot be used yet, the
    /// former ones go on.
    pub fn acceptor(&self) -> TlsAcceptor {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let now = (stamp(&self.files.certificate), stamp(&self.files.key));
        if (made.0, made.1) != now {
            (made.0, made.1) = now;
            match make(&self.files) {
                Ok(acceptor) => made.2 = acceptor,
                Err(error) => tracing::warn!(%error, "the former certificate goes on"),
            }
        }
        made.2.clone()
    }
}

fn stamp(path: &Path) -> Stamp {
    std::fs::metadata(path).ok().map(|found| (found.ino(), found.mtime(), found.mtime_nsec()))
}

fn make(files: &TlsFiles) -> Result<TlsAcceptor, TlsError> {
    let read = |path: &Path| {
        let path = path.to_owned();
        move |source| TlsError::Read { path, source }
    };
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(read(&files.certificate))?;
    if chain.is_empty() {
        return Err(TlsError::Empty(files.certificate.clone()));
    }
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
    Ok(TlsAcceptor::from(Arc::new(config)))
}
