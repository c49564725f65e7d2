//! Verifies the log of a store against what the rest of the store knows of it.

use std::path::Path;
use std::sync::PoisonError;

use enact_model::id::Lsn;
use enact_model::record::Record;
use enact_model::table::{KeyRange, Row};

use crate::contract::Order;
use crate::io::{Io, LockError};
use crate::log::{self, ChainHead, Known, Report};

use super::cold::{Cold, ColdError, ColdStorage, Purpose};
use super::folder::{self, FolderError};
use super::open::OpenError;
use super::replay;
use super::tables::Tables;
use super::view::EmbeddedView;

/// What a verification comes across.
pub enum Found {
    /// A row as it was before the oldest record kept.
    Row(Row),
    /// A record.
    Record(Record),
}

/// Takes what a verification comes across: the rows first, then the records in their order.
type Each<'a> = &'a mut (dyn FnMut(Found) + 'a);

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
    walk(io, storage, path, head, None)
}

/// Does what [`verify_log`] does, and gives everything that it comes across to `each`.
///
/// # Errors
/// As [`verify_log`], and when a row or a record cannot be read.
pub fn verify_each<I: Io, S: ColdStorage>(
    io: &I,
    storage: &S,
    path: &Path,
    each: Each<'_>,
) -> Result<Report, OpenError> {
    walk(io, storage, path, None, Some(each))
}

fn walk<I: Io, S: ColdStorage>(
    io: &I,
    storage: &S,
    path: &Path,
    head: Option<ChainHead>,
    mut each: Option<Each<'_>>,
) -> Result<Report, OpenError> {
    folder::read_format(io, path)?;
    let lock = match io.lock(&path.join("lock")) {
        Ok(lock) => Some(lock),
        Err(source @ LockError::Held { .. }) => {
            return Err(FolderError::Lock { path: path.to_owned(), source }.into());
        }
        // A copy that cannot be written can be verified, as far as the log goes.
        Err(error) => {
            tracing::warn!(%error, "the end of the log is not compared with the tables");
            None
        }
    };
    let known = match lock {
        Some(_) => {
            let durable = position(storage, Purpose::Tables)?;
            let base = match &mut each {
                Some(each) => rows_of_base(storage, each)?,
                None => position(storage, Purpose::Base)?,
            };
            Known { durable, base: Some(base), until: None, head }
        }
        None => Known { head, ..Known::default() },
    };
    let dir = path.join("log");
    let Some(each) = each else { return Ok(log::verify(io, &dir, known)?) };
    let mut unread = None;
    let mut give = |lsn, bytes: &[u8]| match replay::decode(lsn, bytes) {
        Ok(record) => each(Found::Record(record)),
        Err(error) => unread = unread.take().or(Some(error)),
    };
    let report = log::verify_each(io, &dir, known, Some(&mut give))?;
    unread.map_or(Ok(report), |error| Err(error.into()))
}

/// Gives every row of the base, and returns its position; one that is not there, or that is damaged, knows nothing.
fn rows_of_base<S: ColdStorage>(storage: &S, each: &mut dyn FnMut(Found)) -> Result<Lsn, OpenError> {
    if !storage.exists(Purpose::Base) {
        return Ok(Lsn::ZERO);
    }
    let base = match storage.open(Purpose::Base) {
        Err(error) if error.damaged => {
            tracing::warn!(%error, "the log is not compared with it");
            return Ok(Lsn::ZERO);
        }
        base => Tables::open(base?)?,
    };
    let frozen = base.freeze(&KeyRange::all(), Order::Ascending, usize::MAX);
    let position = frozen.position;
    for entry in frozen.entries() {
        each(Found::Row(entry?.1));
    }
    Ok(position)
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
