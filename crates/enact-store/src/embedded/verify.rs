//! Verifies the log of a store against what the rest of the store knows of it.

use std::path::Path;
use std::sync::PoisonError;

use enact_model::id::Lsn;

use crate::io::{Io, LockError};
use crate::log::{self, ChainHead, Known, Report};

use super::cold::{Cold, ColdError, ColdStorage, Purpose};
use super::folder::{self, FolderError};
use super::open::OpenError;
use super::view::EmbeddedView;

/// Verifies the log of a store that no hub has open: every frame and the chain through them, and that it reaches back to the base
/// and on to the tables; `head` is one that the log had, from wherever it was kept.
///
/// # Errors
/// When the store is held, or of a newer format, or cannot be read at all; damage stands in the report.
pub fn verify_log<I: Io, S: ColdStorage>(
    io: &I,
    storage: &S,
    path: &Path,
    head: Option<ChainHead>,
) -> Result<Report, OpenError> {
    folder::read_format(io, path)?;
    let _lock = match io.lock(&path.join("lock")) {
        Ok(lock) => Some(lock),
        Err(source @ LockError::Held { .. }) => {
            return Err(FolderError::Lock { path: path.to_owned(), source }.into());
        }
        // A copy that cannot be written can be verified, as far as the log goes.
        Err(error) => {
            tracing::warn!(%error, "the end of the log is not compared with the tables");
            return Ok(log::verify(io, &path.join("log"), Known { head, ..Known::default() })?);
        }
    };
    let (durable, base) = (position(storage, Purpose::Tables)?, Some(position(storage, Purpose::Base)?));
    let known = Known { durable, base, until: None, head };
    Ok(log::verify(io, &path.join("log"), known)?)
}

/// Returns the position of a key-value store; one that is not there, or that is damaged and will be made anew, knows nothing.
fn position<S: ColdStorage>(storage: &S, purpose: Purpose) -> Result<Lsn, ColdError> {
    if !storage.exists(purpose) {
        return Ok(Lsn::ZERO);
    }
    match storage.open(purpose).and_then(|cold| cold.position()) {
        Err(error) if error.damaged => {
            tracing::warn!(%error, "the log is not compared with it");
            Ok(Lsn::ZERO)
        }
        position => position,
    }
}

impl<I: Io, S: ColdStorage> EmbeddedView<I, S> {
    /// Verifies the log in `dir`, which is that of this store: every frame and the chain through them, and that it reaches back to
    /// the base and on to the last durable record; `head` is one that the log had, from wherever it was kept. No segment is dropped meanwhile.
    ///
    /// # Errors
    /// When the log or the base cannot be read at all; damage stands in the report.
    pub fn verify_log(&self, io: &I, dir: &Path, head: Option<ChainHead>) -> Result<Report, OpenError> {
        let _one = self.shared.base.lock().unwrap_or_else(PoisonError::into_inner);
        let base = Some(position(&self.shared.storage, Purpose::Base)?);
        let durable = self.shared.reader.last();
        Ok(log::verify(io, dir, Known { durable, base, until: Some(durable), head })?)
    }
}
