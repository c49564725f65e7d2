//! The tables: what is open or not yet written behind is in memory, the rest on the cold side.

use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::SystemTime;

use enact_model::id::Lsn;
use enact_model::table::{Change, Key, KeyRange, Row};

use crate::contract::{Cached, Entry, Order, ReadError, ReplayView};

use super::cold::{Cold, ColdError, ColdSnapshot};
use super::open::with_sources;

mod memory;
mod merge;
mod resident;

use memory::{Memory, Taken};
pub(super) use merge::{Frozen, Merge};
use resident::Resident;

/// First byte of the cold keys that hold rows.
pub(super) const ROWS: u8 = 1;
/// First byte of the cold keys that say which rows of the other tables are open.
pub(super) const OPEN: u8 = 2;

/// Rows that are let go under one lock: commits and readers wait for no more.
const SETTLE_ROWS: usize = 256;

/// Rows in memory over a cold side; together they are the tables at one position.
pub(super) struct Tables<C: Cold> {
    cold: C,
    memory: RwLock<Memory>,
    /// Held by the one who writes behind.
    flushing: Mutex<()>,
    trouble: Mutex<Option<Trouble>>,
}

/// Why the tables are not written behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Since when.
    pub since: SystemTime,
    /// What the last try came to.
    pub reason: String,
}

impl<C: Cold> Tables<C> {
    /// Loads the rows that belong into memory.
    pub(super) fn open(cold: C) -> Result<Self, ReadError> {
        let position = cold.position().map_err(|error| ReadError::new("the tables", error))?;
        let snapshot = cold.snapshot();
        let range = KeyRange::resident();
        let (from, to) = (area(ROWS, &range.from), area(ROWS, &range.to));
        let mut resident = Resident::default();
        for pair in snapshot.range(&from, &to, Order::Ascending) {
            let (key, row) = decode(pair)?;
            resident.load(key, row);
        }
        let mut open = memory::Open::default();
        for pair in snapshot.range(&[OPEN], &[OPEN + 1], Order::Ascending) {
            let (bytes, _) = pair.map_err(|error| ReadError::new("the open rows", error))?;
            let key = Key::from_bytes(bytes.get(1..).unwrap_or_default());
            if let Some(row) = read_cold(&cold, &key)? {
                open.insert(key, row);
            }
        }
        let memory = Memory::at(position, resident, open);
        Ok(Self { cold, memory: RwLock::new(memory), flushing: Mutex::new(()), trouble: Mutex::default() })
    }
    pub(super) fn position(&self) -> Lsn {
        self.read().position
    }
    pub(super) fn flushed(&self) -> Lsn {
        self.read().flushed
    }
    /// Returns how many rows are not written behind yet.
    pub(super) fn dirty(&self) -> usize {
        self.read().dirty()
    }
    /// Makes changes visible, all at once.
    pub(super) fn publish<'a>(&self, changes: impl IntoIterator<Item = &'a Change>, position: Lsn) {
        let mut memory = self.write();
        changes.into_iter().for_each(|change| memory.change(change));
        memory.position = position;
    }
    /// Writes what is dirty behind, as one batch with its position, and lets go of what need not stay in memory.
    pub(super) fn flush(&self) -> Result<(), ColdError> {
        let flushed = self.write_behind();
        self.note(flushed.as_ref().err());
        flushed
    }
    /// Returns why the tables are not written behind, if they are not.
    pub(super) fn trouble(&self) -> Option<Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
    /// Keeps what a try to write behind came to, and says it when that has changed.
    fn note(&self, error: Option<&ColdError>) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(error) = error else {
            if trouble.take().is_some() {
                tracing::warn!("the tables are written behind again");
            }
            return;
        };
        let reason = with_sources(error);
        if trouble.is_none() {
            tracing::warn!(reason, "the tables cannot be written behind; they stay in memory");
        }
        let since = trouble.as_ref().map_or_else(SystemTime::now, |trouble| trouble.since);
        *trouble = Some(Trouble { since, reason });
    }
    fn write_behind(&self) -> Result<(), ColdError> {
        let _one = self.flushing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(taken) = self.take_dirty() else { return Ok(()) };
        let written = self.cold.write(taken.puts(), taken.position);
        match written {
            Ok(()) => self.settle(taken),
            Err(_) => self.write().give_back(taken),
        }
        written
    }
    /// Lets go of what was written behind. Memory is made and given back where nobody waits for it.
    fn settle(&self, taken: Taken) {
        let position = taken.position;
        let (resident, others) = taken.written();
        let (mut resident, mut rows) = (resident.into_iter().peekable(), others.iter().peekable());
        while rows.peek().is_some() {
            self.write().settle(rows.by_ref().take(SETTLE_ROWS));
        }
        self.write().let_go(position);
        while resident.peek().is_some() {
            self.write().settle_resident(resident.by_ref().take(SETTLE_ROWS));
        }
    }
    pub(super) fn sync(&self) -> Result<(), ColdError> {
        self.cold.sync()
    }
    /// Writes what is dirty behind, for the last time.
    pub(super) fn close(&self) -> Result<(), ColdError> {
        self.flush()?;
        self.cold.close()
    }
    pub(super) fn cached(&self, key: &Key) -> Cached {
        self.read().cached(key)
    }
    pub(super) fn visit(&self, range: &KeyRange, each: &mut dyn FnMut(&Key, &Row) -> ControlFlow<()>) {
        for (key, row) in self.read().range(range) {
            if let Some(row) = row
                && each(key, row).is_break()
            {
                return;
            }
        }
    }
    /// Freezes the first `limit` rows of a range at one position.
    pub(super) fn freeze(&self, range: &KeyRange, order: Order, limit: usize) -> Frozen<C::Snapshot> {
        let memory = self.read();
        let mut rows = Vec::new();
        let mut live = 0;
        let mut take = |(key, row): (&Key, Option<&Row>)| {
            rows.push((key.clone(), row.cloned()));
            live += usize::from(row.is_some());
            live < limit
        };
        let mut known = memory.range(range);
        match order {
            Order::Ascending => while known.next().is_some_and(&mut take) {},
            Order::Descending => while known.next_back().is_some_and(&mut take) {},
        }
        drop(known);
        // All rows of the resident tables are in memory.
        let cold = (range.to > KeyRange::resident().to).then(|| self.cold.snapshot());
        Frozen { position: memory.position, rows, cold, range: range.clone(), order }
    }

    fn take_dirty(&self) -> Option<Taken> {
        let mut memory = self.write();
        (memory.dirty() > 0 || memory.position != memory.flushed).then(|| memory.take())
    }
    fn read(&self) -> RwLockReadGuard<'_, Memory> {
        self.memory.read().unwrap_or_else(PoisonError::into_inner)
    }
    fn write(&self) -> RwLockWriteGuard<'_, Memory> {
        self.memory.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Cold> ReplayView for Tables<C> {
    fn get(&self, key: &Key) -> Result<Option<Row>, ReadError> {
        match self.cached(key) {
            Cached::Row(row) => Ok(Some(row)),
            Cached::Absent => Ok(None),
            Cached::Unknown => read_cold(&self.cold, key),
        }
    }
    fn scan(&self, range: &KeyRange, order: Order, limit: usize) -> Result<Vec<Entry>, ReadError> {
        self.freeze(range, order, limit).entries().take(limit).collect()
    }
}

fn area(area: u8, key: &Key) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + key.as_bytes().len());
    bytes.push(area);
    bytes.extend_from_slice(key.as_bytes());
    bytes
}

fn read_cold<C: Cold>(cold: &C, key: &Key) -> Result<Option<Row>, ReadError> {
    let failed = |source| ReadError { what: format!("the row {key:?}"), source };
    match cold.get(&area(ROWS, key)).map_err(|error| failed(error.into()))? {
        Some(bytes) => Row::decode(key, &bytes).map(Some).map_err(|error| failed(error.into())),
        None => Ok(None),
    }
}

fn decode(pair: Result<super::cold::Pair, ColdError>) -> Result<Entry, ReadError> {
    let (key, value) = pair.map_err(|error| ReadError::new("the tables", error))?;
    let key = Key::from_bytes(key.get(1..).unwrap_or_default());
    let row = Row::decode(&key, &value).map_err(|error| ReadError::new(format!("the row {key:?}"), error))?;
    Ok((key, row))
}

#[cfg(test)]
mod tests;
