//! Opens an embedded store: format, lock, log, tables, and the records that the tables do not have yet.

use std::path::Path;
use std::sync::{Arc, Mutex};

use enact_model::id::Lsn;

use crate::contract::{Apply, ReadError};
use crate::io::Io;
use crate::log::{self, Log, LogConfig, LogReader};

use super::cold::{ColdError, ColdStorage, Purpose};
use super::flusher::Flusher;
use super::folder::{self, FolderError};
use super::replay::{ReplayError, replay, seed};
use super::tables::Tables;
use super::view::Shared;
use super::{Config, Embedded, Opened};

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The log cannot be opened.
    #[error(transparent)]
    Log(#[from] log::Error),
    /// The tables cannot be made from the log.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The log does not reach back to where the tables end, and there is no base.
    #[error("failed to rebuild the tables: the log begins at {first}, and they are known up to {known} only")]
    Gap {
        /// The first record kept.
        first: Lsn,
        /// The best position that there are tables for.
        known: Lsn,
    },
    /// A thread could not be started.
    #[error("failed to start the thread that writes tables behind")]
    Thread(#[source] std::io::Error),
}

impl From<ColdError> for OpenError {
    fn from(error: ColdError) -> Self {
        Self::Replay(error.into())
    }
}
impl From<ReadError> for OpenError {
    fn from(error: ReadError) -> Self {
        Self::Replay(error.into())
    }
}

/// The way out of a store that takes no writes.
pub const READ_ONLY_HINT: &str = "a hub writes to its store: make it writable (remount it, or mend its owner and mode), or name \
                                  another with --store; `enact store verify` only reads";

impl OpenError {
    /// Returns what to do about it, where that is known.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Folder(FolderError::Lock { source: crate::io::LockError::Held { .. }, .. }) => {
                Some("one hub holds a store; talk to it, or stop it first")
            }
            Self::Folder(FolderError::Newer { .. }) | Self::Log(log::Error::Newer { .. }) => {
                Some("install the enact that wrote it; nothing was changed")
            }
            Self::Log(log::Error::Corrupt(_)) => {
                Some("restore the segment from a backup; `enact wal verify` lists every damaged place")
            }
            Self::Gap { .. } => Some("restore the folder base from a backup"),
            error if is_read_only(error) => Some(READ_ONLY_HINT),
            _ => None,
        }
    }
}

/// Tells whether something failed because the system takes no writes there, from this user or from anybody.
pub fn is_read_only(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.downcast_ref::<std::io::Error>().is_some_and(folder::is_read_only) {
            return true;
        }
        next = error.source();
    }
    false
}

impl<I: Io, S: ColdStorage> Embedded<I, S> {
    /// Opens the store in the folder `path`, or makes one; `apply` gives the changes of the records that are replayed.
    ///
    /// # Errors
    /// When another process holds it, its format is newer, or bytes that had been durable are damaged. Damaged tables are no
    /// error: they are made anew from the log.
    pub fn open(
        io: I,
        storage: S,
        path: &Path,
        config: Config,
        apply: &mut Apply<'_>,
    ) -> Result<(Self, Opened), OpenError> {
        let lock = folder::take(&io, path)?;
        let mut log_config = LogConfig {
            segment_bytes: config.segment_bytes,
            first_segment_bytes: config.first_segment_bytes,
            background: config.background,
            proven: Lsn::ZERO,
        };
        // The room that a former owner has left behind comes before everything that may need room.
        log::sweep(&io, &path.join("log"), &log_config)?;
        storage.remove(Purpose::Scratch)?;
        let (tables, mut rebuilt) = open_tables(&storage)?;
        // The tables hold only what was durable: a log that ends before them has lost something.
        log_config.proven = tables.position();
        let (log, found) = Log::open(io, &path.join("log"), log_config)?;
        let reader = log.reader();
        let tables = reach(tables, &storage, &reader, &mut rebuilt)?;
        let replayed = replay(&tables, &reader, found.last, apply)?;
        let tables = Arc::new(tables);
        let flusher = match config.background {
            true => Some(Flusher::start(Arc::clone(&tables), config.flush_every).map_err(OpenError::Thread)?),
            false => None,
        };
        let opened = Opened { position: found.last, epoch: found.last_epoch, cut: found.cut, replayed, rebuilt };
        let shared = Arc::new(Shared { tables, reader, storage, base: Mutex::new(()) });
        Ok((Self { flusher, log, shared, config, refusing: false, _lock: lock }, opened))
    }
}

/// Opens the tables; those that cannot be read are made anew.
fn open_tables<S: ColdStorage>(storage: &S) -> Result<(Tables<S::Cold>, Option<String>), OpenError> {
    let open = || -> Result<Tables<S::Cold>, ReplayError> { Ok(Tables::open(storage.open(Purpose::Tables)?)?) };
    match open() {
        Ok(tables) => Ok((tables, None)),
        Err(error) if !is_damage(&error) => Err(error.into()),
        Err(error) => {
            let reason = with_sources(&error);
            tracing::warn!(%reason, "the tables are made anew from the log");
            storage.remove(Purpose::Tables)?;
            Ok((open()?, Some(reason)))
        }
    }
}

/// Tells whether the tables are not what was written; rows of a newer release, or a full disk, are not that.
fn is_damage(error: &ReplayError) -> bool {
    use enact_model::table::DecodeRowError;
    match error {
        ReplayError::Cold(error) => error.damaged,
        ReplayError::Read(error) => match (error.source.downcast_ref::<ColdError>(), error.source.downcast_ref()) {
            (Some(error), _) => error.damaged,
            (None, Some(DecodeRowError::Empty | DecodeRowError::Malformed(_) | DecodeRowError::Execution)) => true,
            _ => false,
        },
        _ => false,
    }
}

pub(super) fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

/// Makes sure that the log goes on where the tables end; otherwise they begin anew from the base.
fn reach<I: Io, S: ColdStorage>(
    tables: Tables<S::Cold>,
    storage: &S,
    reader: &LogReader<I>,
    rebuilt: &mut Option<String>,
) -> Result<Tables<S::Cold>, OpenError> {
    let first = reader.first();
    if tables.position().plus(1) >= first {
        return Ok(tables);
    }
    let known = tables.position();
    if !storage.exists(Purpose::Base) {
        return Err(OpenError::Gap { first, known });
    }
    let base = Tables::open(storage.open(Purpose::Base)?)?;
    if base.position().plus(1) < first {
        return Err(OpenError::Gap { first, known: known.max(base.position()) });
    }
    tracing::warn!(base = base.position().0, "the tables begin anew from the base");
    rebuilt.get_or_insert_with(|| format!("they ended at {known}, before the first record kept"));
    drop(tables);
    storage.remove(Purpose::Tables)?;
    let tables = Tables::open(storage.open(Purpose::Tables)?)?;
    seed(&base, &tables)?;
    Ok(tables)
}
