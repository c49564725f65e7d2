//! The store contract: one commit that is atomic and durable, and views of what is durable.

use std::ops::ControlFlow;

use enact_model::id::{Epoch, Lsn};
use enact_model::record::Record;
use enact_model::table::{Change, Key, KeyRange, Row};

/// What a backend or a caller's `apply` said, for a person to read.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// The records of commands that were decided together, and the changes that `apply` yields for them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// The records of each command, there as a whole or not at all; the positions follow each other and that of the store.
    pub frames: Vec<Vec<Record>>,
    /// What all of them change; of two changes of one key the later counts.
    pub changes: Vec<Change>,
}

/// Why a commit did not happen.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Somebody else owns the partition, or the caller does not know what was committed last. Nothing was written.
    #[error("failed to commit after {expected} in epoch {epoch}: the store stands at {position} in epoch {owner}")]
    Fenced {
        /// The position the caller expected.
        expected: Lsn,
        /// The epoch of the caller.
        epoch: Epoch,
        /// The position of the store.
        position: Lsn,
        /// The epoch of the store.
        owner: Epoch,
    },
    /// The write may have reached the disk: nothing of it is visible now, but a restart may find it.
    #[error("failed to learn whether a commit is durable")]
    Unknown(#[source] Source),
    /// The store took nothing, and nothing of it will ever be visible.
    #[error("failed to commit: the store refuses writes")]
    Refused(#[source] Source),
}

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
#[error("failed to read {what}")]
pub struct ReadError {
    /// What was to be read.
    pub what: String,
    /// Why it could not be.
    #[source]
    pub source: Source,
}

impl ReadError {
    /// Wraps the reason why `what` could not be read.
    pub fn new(what: impl Into<String>, source: impl Into<Source>) -> Self {
        Self { what: what.into(), source: source.into() }
    }
}

/// What memory knows of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cached {
    /// Its row.
    Row(Row),
    /// That it has none.
    Absent,
    /// Nothing: only the disk knows.
    Unknown,
}

/// The direction of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// From the first key to the last.
    Ascending,
    /// From the last key to the first.
    Descending,
}

/// A row with its key.
pub type Entry = (Key, Row);
/// Records in the order of their positions; it ends after the first error.
pub type RecordIter = Box<dyn Iterator<Item = Result<Record, ReadError>> + Send>;

/// One partition of a store, in the hands of its only writer.
pub trait Store: Send {
    /// What readers hold.
    type View: View;

    /// Returns the position of the last durable record.
    fn position(&self) -> Lsn;
    /// Returns the highest epoch that has written.
    fn epoch(&self) -> Epoch;
    /// Commits a batch and returns the position of the last record.
    ///
    /// # Durability
    /// Everything is durable and visible in every view when it returns. Each frame is there as a whole or not at all.
    ///
    /// # Errors
    /// After an error nothing of it is visible. After [`CommitError::Unknown`] and [`CommitError::Refused`] the store takes
    /// no more writes and still serves reads.
    fn commit(&mut self, epoch: Epoch, expected: Lsn, batch: &Batch) -> Result<Lsn, CommitError>;
    /// Returns a view of what is durable, now and later.
    fn view(&self) -> Self::View;
}

/// The durable rows and records; it follows the commits and never waits for one.
pub trait View: Clone + Send + Sync + 'static {
    /// Returns the position up to which commits are visible.
    fn position(&self) -> Lsn;
    /// Returns what memory knows of a key, without touching the disk.
    fn cached(&self, key: &Key) -> Cached;
    /// Returns the row of a key.
    ///
    /// # Errors
    /// When the disk or the bytes on it fail.
    fn get(&self, key: &Key) -> Result<Option<Row>, ReadError>;
    /// Returns up to `limit` rows of a range as they stand at one position.
    ///
    /// # Errors
    /// When the disk or the bytes on it fail.
    fn scan(&self, range: &KeyRange, order: Order, limit: usize) -> Result<Vec<Entry>, ReadError>;
    /// Visits the rows of a range that are in memory: for the resident tables that is all of them. No commit becomes visible
    /// while it runs, so `each` must be quick.
    fn visit(&self, range: &KeyRange, each: &mut dyn FnMut(&Key, &Row) -> ControlFlow<()>);
    /// Returns the position of the first record that is kept.
    fn first_record(&self) -> Lsn;
    /// Returns a record; none if it is not durable yet.
    ///
    /// # Errors
    /// When it was dropped, or its bytes are damaged.
    fn record(&self, lsn: Lsn) -> Result<Option<Record>, ReadError>;
    /// Returns the records from `from` up to the one that is the last durable one now.
    fn read_log(&self, from: Lsn) -> RecordIter;
}

/// What `apply` may read while the log is replayed: the tables as they stand before the record.
pub trait ReplayView {
    /// Returns the row of a key.
    ///
    /// # Errors
    /// When the disk or the bytes on it fail.
    fn get(&self, key: &Key) -> Result<Option<Row>, ReadError>;
    /// Returns up to `limit` rows of a range.
    ///
    /// # Errors
    /// When the disk or the bytes on it fail.
    fn scan(&self, range: &KeyRange, order: Order, limit: usize) -> Result<Vec<Entry>, ReadError>;
}

/// What a record changes; the engine gives it, the store calls it for each record that it replays.
pub type Apply<'a> = dyn FnMut(&dyn ReplayView, &Record) -> Result<Vec<Change>, Source> + 'a;
