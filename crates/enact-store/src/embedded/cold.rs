//! The key-value side of the tables: a cache of the log that is never synced before an answer.

use enact_model::id::Lsn;

use crate::contract::{Order, Source};

/// A key and its value.
pub type Pair = (Vec<u8>, Vec<u8>);
/// Pairs in order; it ends after the first error.
pub type PairIter = Box<dyn Iterator<Item = Result<Pair, ColdError>> + Send>;
/// A change of one key; no value removes it.
pub type Put = (Vec<u8>, Option<Vec<u8>>);

/// Why the key-value side failed.
#[derive(Debug, thiserror::Error)]
#[error("failed to {action} {place}")]
pub struct ColdError {
    /// What was tried.
    pub action: &'static str,
    /// On what.
    pub place: String,
    /// Whether its bytes are not what was written; they are made from the log and can be made anew.
    pub damaged: bool,
    /// Why it failed.
    #[source]
    pub source: Source,
}

impl ColdError {
    pub(super) fn new(action: &'static str, place: &str, source: impl Into<Source>) -> Self {
        Self { action, place: place.to_owned(), damaged: false, source: source.into() }
    }
    pub(super) fn damaged(self, damaged: bool) -> Self {
        Self { damaged, ..self }
    }
}

/// An ordered key-value store whose every batch is atomic and carries the position that its rows are valid for.
pub trait Cold: Clone + Send + Sync + 'static {
    /// Everything as it stood at one batch.
    type Snapshot: ColdSnapshot;

    /// Returns the position of the last batch; zero when there is none.
    fn position(&self) -> Result<Lsn, ColdError>;
    /// Returns the value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ColdError>;
    /// Freezes what is there now.
    fn snapshot(&self) -> Self::Snapshot;
    /// Writes a batch and its position: both are there after a crash, or neither. A row is made when its turn comes, so that
    /// one piece of memory does for all.
    fn write(&self, batch: impl IntoIterator<Item = Put>, position: Lsn) -> Result<(), ColdError>;
    /// Makes every batch so far durable.
    fn sync(&self) -> Result<(), ColdError>;
    /// Makes every batch durable, and leaves the next start as little to read as can be; nothing is written after it.
    fn close(&self) -> Result<(), ColdError> {
        self.sync()
    }
}

/// A frozen state of a [`Cold`].
pub trait ColdSnapshot: Send + 'static {
    /// Iterates over the keys from `from` to the one before `to`.
    fn range(&self, from: &[u8], to: &[u8], order: Order) -> PairIter;
}

/// What a key-value store is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// The tables.
    Tables,
    /// The tables as they were before the oldest record kept.
    Base,
    /// The tables as a verification rebuilds them.
    Scratch,
}

impl Purpose {
    /// Returns the name of its folder.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Tables => "tables",
            Self::Base => "base",
            Self::Scratch => "scratch",
        }
    }
}

/// Where key-value stores come from.
pub trait ColdStorage: Clone + Send + Sync + 'static {
    /// The key-value store.
    type Cold: Cold;

    /// Tells whether there is one for this purpose.
    fn exists(&self, purpose: Purpose) -> bool;
    /// Opens the one for this purpose, or makes it.
    fn open(&self, purpose: Purpose) -> Result<Self::Cold, ColdError>;
    /// Removes the one for this purpose, which must not be open.
    fn remove(&self, purpose: Purpose) -> Result<(), ColdError>;
}
