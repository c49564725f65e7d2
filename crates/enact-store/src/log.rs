//! The write-ahead log: records in checksummed frames in preallocated segments; `docs/format.md` draws the bytes.

use std::path::{Path, PathBuf};

use enact_model::id::{Epoch, Lsn};

use crate::io::Io;

mod chain;
mod chunk;
mod copy;
mod fault;
mod frame;
mod reader;
mod recovery;
mod segment;
mod spare;
mod verify;
mod writer;

pub use chain::{ChainHead, ParseChainHeadError};
pub use fault::{Fault, FaultKind};
pub use reader::{LogReader, Records, StoredRecord};
pub use verify::{Each, Known, Report, verify, verify_each};
pub use writer::Log;

/// Removes what a former owner of the log in `dir` prepared and did not finish, which may hold the room that opening the rest
/// of the store needs.
///
/// # Errors
/// When the file cannot be removed.
pub fn sweep<I: Io>(io: &I, dir: &Path, config: &LogConfig) -> Result<(), Error> {
    spare::sweep(io, dir, config.segment_bytes).map(|_| ())
}

/// The encoded records of one command; they are there together or not at all.
pub type Frame<'a> = &'a [Vec<u8>];

/// How a log is laid out.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// Length of a segment in bytes; a group of frames that is longer gets a segment of its own length.
    pub segment_bytes: u64,
    /// Length of the very first segment in bytes, so that a store that is hardly used stays small.
    pub first_segment_bytes: u64,
    /// Whether a thread prepares the next segment; a simulation prepares it in line.
    pub background: bool,
    /// A position that is known to have been durable, such as that of the tables.
    pub proven: Lsn,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { segment_bytes: 64 << 20, first_segment_bytes: 4 << 20, background: true, proven: Lsn::ZERO }
    }
}

/// What was found when a log was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// The last record.
    pub last: Lsn,
    /// The epoch of the last record.
    pub last_epoch: Epoch,
    /// The torn tail that was cut, if there was one.
    pub cut: Option<TornTail>,
}

/// Bytes of a write that nobody was told about and that did not reach the disk as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TornTail {
    /// The segment.
    pub segment: String,
    /// Where it began, in bytes from the start of the segment.
    pub at: u64,
    /// How many bytes up to the last one that is not zero.
    pub bytes: u64,
}

/// Why the log failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be used; nothing of the operation can come back.
    #[error("failed to {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A write or its sync failed: the records are not served, but a restart may find them.
    #[error("failed to make an append to {} durable", path.display())]
    Unsettled {
        /// The segment.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Bytes that had been durable are damaged.
    #[error("failed to read the log: {0}")]
    Corrupt(Box<Fault>),
    /// The log was written by a newer enact; nothing was touched.
    #[error("failed to read {segment}: it has format {found}, and this enact knows formats up to {known}")]
    Newer {
        /// The segment.
        segment: String,
        /// The format found.
        found: u32,
        /// The newest format known.
        known: u32,
    },
    /// An earlier append failed; what is durable can still be read.
    #[error("failed to append: an earlier append failed, and the log takes no more until it is opened again")]
    Poisoned,
    /// A frame that no header can describe.
    #[error("failed to append a frame of {bytes} bytes: the limit is {limit} bytes")]
    TooLarge {
        /// Its length in bytes.
        bytes: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The epoch of an append lies before the epoch of what the log holds.
    #[error("failed to append with epoch {given}: the log has seen epoch {seen}")]
    StaleEpoch {
        /// The epoch of the append.
        given: Epoch,
        /// The last epoch in the log.
        seen: Epoch,
    },
    /// A record that was dropped by retention.
    #[error("failed to read the record {lsn}: the log begins at {first}")]
    Dropped {
        /// The record asked for.
        lsn: Lsn,
        /// The first record kept.
        first: Lsn,
    },
}

impl Error {
    /// Tells whether a restart may find records of the append that failed.
    pub fn may_have_been_written(&self) -> bool {
        matches!(self, Self::Unsettled { .. })
    }
    fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
    fn unsettled(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Unsettled { path, source }
    }
}

#[cfg(test)]
mod tests;
