//! The embedded store: the log is the truth, the tables are a cache of it, and every start replays.

use std::path::Path;
use std::sync::{Arc, TryLockError};
use std::time::Duration;

use enact_model::id::{Epoch, Lsn};
use enact_model::record::Record;

use crate::contract::{Apply, Batch, CommitError, Store};
use crate::io::{DiskIo, Io};
use crate::log::{Log, LogConfig, TornTail};

mod backup;
mod cold;
mod fjall_cold;
mod flusher;
mod folder;
mod history;
mod memory_cold;
mod open;
mod replay;
mod tables;
mod verify;
mod view;

pub use backup::{Copied, CopyError, copy_folder};
pub use cold::{Cold, ColdError, ColdSnapshot, ColdStorage, Pair, PairIter, Purpose, Put};
pub use fjall_cold::{FjallCold, FjallStorage};
pub use folder::{FORMAT, FolderError};
pub use history::{Difference, TableReport};
pub use memory_cold::{MemoryCold, MemoryStorage};
pub use open::{OpenError, READ_ONLY_HINT, is_read_only};
pub use replay::ReplayError;
pub use tables::Trouble;
pub use verify::{Found, verify_each, verify_log};
pub use view::EmbeddedView;

use flusher::Flusher;
use view::Shared;

/// How an embedded store works.
#[derive(Debug, Clone)]
pub struct Config {
    /// Length of a log segment in bytes.
    pub segment_bytes: u64,
    /// Length of the first log segment in bytes.
    pub first_segment_bytes: u64,
    /// Whether threads prepare segments and write the tables behind; a simulation calls [`Embedded::flush`] itself.
    pub background: bool,
    /// How long changes gather before they are written behind.
    pub flush_every: Duration,
    /// Rows that may wait to be written behind; a commit beyond it waits for the writer.
    pub dirty_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        let LogConfig { segment_bytes, first_segment_bytes, background, .. } = LogConfig::default();
        let flush_every = Duration::from_millis(250);
        Self { segment_bytes, first_segment_bytes, background, flush_every, dirty_max: 32 * 1024 }
    }
}

/// How long a commit waits for the tables to be written behind, before the store refuses writes.
const BACKPRESSURE_LIMIT: Duration = Duration::from_secs(30);

/// What was found when a store was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The last record.
    pub position: Lsn,
    /// Its epoch.
    pub epoch: Epoch,
    /// The torn tail that was cut from the log.
    pub cut: Option<TornTail>,
    /// How many records were applied to the tables.
    pub replayed: u64,
    /// Why the tables were made anew, if they were.
    pub rebuilt: Option<String>,
}

/// The store in a folder, held by this process.
pub struct Embedded<I: Io, S: ColdStorage> {
    flusher: Option<Flusher>,
    log: Log<I>,
    shared: Arc<Shared<I, S>>,
    config: Config,
    refusing: bool,
    _lock: I::Lock,
}

/// The store on a real disk.
pub type DiskStore = Embedded<DiskIo, FjallStorage>;

impl DiskStore {
    /// Opens the store in the folder `path`, or makes one.
    ///
    /// # Errors
    /// As [`Embedded::open`].
    pub fn on_disk(path: &Path, config: Config, apply: &mut Apply<'_>) -> Result<(Self, Opened), OpenError> {
        Self::open(DiskIo, FjallStorage::new(path), path, config, apply)
    }
}

/// Why the caller's batch cannot be committed as it is.
#[derive(Debug, thiserror::Error)]
enum Malformed {
    #[error("a record has the position {found} where {expected} follows")]
    Position { expected: Lsn, found: Lsn },
    #[error("a batch has changes without a record")]
    NoRecord,
    #[error("an earlier commit failed, and the store takes no writes until it is opened again")]
    Refusing,
    #[error("the tables were not written behind within {} s", BACKPRESSURE_LIMIT.as_secs())]
    Behind,
}

impl<I: Io, S: ColdStorage> Embedded<I, S> {
    /// Writes the tables behind now.
    ///
    /// # Errors
    /// When the cold side fails; nothing is lost, the rows stay in memory.
    pub fn flush(&mut self) -> Result<(), ColdError> {
        self.shared.tables.flush()
    }
    /// Returns how many records the tables on disk are behind.
    pub fn lag(&self) -> u64 {
        self.shared.tables.position().0.saturating_sub(self.shared.tables.flushed().0)
    }
    /// Tells whether writes are refused since a commit failed.
    pub fn is_refusing(&self) -> bool {
        self.refusing
    }
    /// Removes the log segments before `keep`, which [`EmbeddedView::extend_base`] has returned; it never removes more than
    /// the base covers, and none while a verification reads them. Returns the first position kept.
    ///
    /// # Errors
    /// When the base cannot be read or a file not removed.
    pub fn drop_before(&mut self, keep: Lsn) -> Result<Lsn, ReplayError> {
        let _one = match self.shared.base.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Ok(self.log.first()),
        };
        if !self.shared.storage.exists(Purpose::Base) {
            return Ok(self.log.first());
        }
        let base = self.shared.storage.open(Purpose::Base)?.position()?;
        Ok(self.log.drop_before(keep.min(base.plus(1)))?)
    }
    /// Ends cleanly: the tables are written and synced, and the log is sealed.
    ///
    /// # Errors
    /// When that fails; what was committed is durable all the same.
    pub fn close(mut self) -> Result<(), ReplayError> {
        self.flusher = None;
        self.shared.tables.close()?;
        if !self.log.is_poisoned() {
            self.log.seal()?;
        }
        Ok(())
    }

    fn wait_for_room(&self) -> Result<(), CommitError> {
        let (tables, max) = (&self.shared.tables, self.config.dirty_max);
        if tables.dirty() <= max {
            return Ok(());
        }
        match &self.flusher {
            Some(flusher) => flusher.wait(BACKPRESSURE_LIMIT, || tables.dirty() <= max).map_err(|error| match error {
                Some(error) => CommitError::Refused(error.into()),
                None => CommitError::Refused(Malformed::Behind.into()),
            }),
            None => tables.flush().map_err(|error| CommitError::Refused(error.into())),
        }
    }
    fn write(&mut self, epoch: Epoch, batch: &Batch) -> Result<(), CommitError> {
        if self.refusing {
            return Err(CommitError::Refused(Malformed::Refusing.into()));
        }
        let mut expected = self.log.last().plus(1);
        for record in batch.frames.iter().flatten() {
            if record.lsn != expected {
                return Err(CommitError::Refused(Malformed::Position { expected, found: record.lsn }.into()));
            }
            expected = expected.plus(1);
        }
        if expected == self.log.last().plus(1) {
            return match batch.changes.is_empty() {
                true => Ok(()),
                false => Err(CommitError::Refused(Malformed::NoRecord.into())),
            };
        }
        let encode = |frame: &Vec<Record>| frame.iter().map(Record::encode).collect::<Vec<_>>();
        let frames = batch.frames.iter().filter(|frame| !frame.is_empty()).map(encode).collect::<Vec<_>>();
        self.wait_for_room()?;
        let frames = frames.iter().map(Vec::as_slice).collect::<Vec<_>>();
        let last = self.log.append(epoch, &frames).map_err(|error| match error.may_have_been_written() {
            true => CommitError::Unknown(error.into()),
            false => CommitError::Refused(error.into()),
        })?;
        self.shared.tables.publish(&batch.changes, last);
        if let Some(flusher) = &self.flusher {
            // Small batches keep memory small, and large ones hold more that has settled meanwhile and is written once. The
            // interval is for a hub that has little to do.
            flusher.want(self.shared.tables.dirty() >= self.config.dirty_max / 4);
        }
        Ok(())
    }
}

impl<I: Io, S: ColdStorage> Store for Embedded<I, S>
where
    Log<I>: Send,
{
    type View = EmbeddedView<I, S>;

    fn position(&self) -> Lsn {
        self.log.last()
    }
    fn epoch(&self) -> Epoch {
        self.log.epoch()
    }
    fn commit(&mut self, epoch: Epoch, expected: Lsn, batch: &Batch) -> Result<Lsn, CommitError> {
        let (position, owner) = (self.log.last(), self.log.epoch());
        if expected != position || epoch < owner {
            return Err(CommitError::Fenced { expected, epoch, position, owner });
        }
        let result = self.write(epoch, batch);
        self.refusing |= result.is_err();
        result.map(|()| self.log.last())
    }
    fn view(&self) -> EmbeddedView<I, S> {
        EmbeddedView { shared: Arc::clone(&self.shared) }
    }
}

#[cfg(test)]
mod tests;
