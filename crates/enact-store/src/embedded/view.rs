//! What readers see: the durable tables and the log, while the writer goes on.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use enact_model::id::Lsn;
use enact_model::record::Record;
use enact_model::table::{Key, KeyRange, Row};

use crate::contract::{Cached, Entry, Order, ReadError, RecordIter, ReplayView, View};
use crate::io::Io;
use crate::log::LogReader;

use super::cold::ColdStorage;
use super::replay;
use super::tables::{Tables, Trouble};

/// What the writer and its views share.
pub(super) struct Shared<I: Io, S: ColdStorage> {
    pub(super) tables: Arc<Tables<S::Cold>>,
    pub(super) reader: LogReader<I>,
    pub(super) storage: S,
    /// Held by the one who works with the base or the scratch tables.
    pub(super) base: Mutex<()>,
}

/// A view of an embedded store; it keeps the tables open for as long as it lives.
pub struct EmbeddedView<I: Io, S: ColdStorage> {
    pub(super) shared: Arc<Shared<I, S>>,
}

impl<I: Io, S: ColdStorage> Clone for EmbeddedView<I, S> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<I: Io, S: ColdStorage> EmbeddedView<I, S> {
    /// Returns how many records the tables on disk are behind what is durable.
    pub fn behind(&self) -> u64 {
        self.shared.tables.position().0.saturating_sub(self.shared.tables.flushed().0)
    }
    /// Returns the position up to which the tables on disk have everything.
    pub fn flushed(&self) -> Lsn {
        self.shared.tables.flushed()
    }
    /// Returns how many segments of the log are kept, and their bytes.
    pub fn log_size(&self) -> (usize, u64) {
        self.shared.reader.size()
    }
    /// Returns why the tables are not written behind, if they are not; the log takes work all the same until memory is full.
    pub fn trouble(&self) -> Option<Trouble> {
        self.shared.tables.trouble()
    }
}

impl<I: Io, S: ColdStorage> View for EmbeddedView<I, S> {
    fn position(&self) -> Lsn {
        self.shared.tables.position()
    }
    fn cached(&self, key: &Key) -> Cached {
        self.shared.tables.cached(key)
    }
    fn get(&self, key: &Key) -> Result<Option<Row>, ReadError> {
        self.shared.tables.get(key)
    }
    fn scan(&self, range: &KeyRange, order: Order, limit: usize) -> Result<Vec<Entry>, ReadError> {
        self.shared.tables.scan(range, order, limit)
    }
    fn visit(&self, range: &KeyRange, each: &mut dyn FnMut(&Key, &Row) -> ControlFlow<()>) {
        self.shared.tables.visit(range, each);
    }
    fn first_record(&self) -> Lsn {
        self.shared.reader.first()
    }
    fn record(&self, lsn: Lsn) -> Result<Option<Record>, ReadError> {
        let stored = self.shared.reader.get(lsn).map_err(|error| ReadError::new(format!("the record {lsn}"), error))?;
        stored.map(|stored| replay::decode(lsn, &stored.bytes)).transpose()
    }
    fn read_log(&self, from: Lsn) -> RecordIter {
        let records = self.shared.reader.read_from(from);
        Box::new(records.map(|stored| {
            let stored = stored.map_err(|error| ReadError::new("the log", error))?;
            replay::decode(stored.lsn, &stored.bytes)
        }))
    }
}
