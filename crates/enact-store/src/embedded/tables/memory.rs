//! The rows in memory: those of the resident tables, and of the others what is open or not written behind yet.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use enact_model::id::Lsn;
use enact_model::table::{Change, Key, KeyRange, Row};

use crate::contract::Cached;

use super::super::cold::Put;
use super::resident::{self, Resident};
use super::{OPEN, ROWS, area};

/// What is known of keys; it is put in order for the few who list it.
type ByKey<T> = HashMap<Key, T, foldhash::fast::RandomState>;
/// Rows that have changed; a key without a row is gone.
type Changed = ByKey<Option<Row>>;
/// Rows that the cold side has and says are open.
pub(super) type Open = ByKey<Row>;

/// Room for so many rows at most is made before they come.
const ROOM_MAX: usize = 10_000;

/// The rows of the tables that are not resident lie in three layers, each as a whole over the next one: so they are taken and let go
/// as a whole, and commits and readers do not wait for that.
#[derive(Default)]
pub(super) struct Memory {
    pub(super) position: Lsn,
    pub(super) flushed: Lsn,
    resident: Resident,
    changed: Changed,
    /// What is being written behind.
    leaving: Arc<Changed>,
    open: Arc<Open>,
}

impl Memory {
    /// Begins where the cold side is, with the rows that belong into memory.
    pub(super) fn at(position: Lsn, resident: Resident, open: Open) -> Self {
        Self { position, flushed: position, resident, open: open.into(), ..Self::default() }
    }
    pub(super) fn cached(&self, key: &Key) -> Cached {
        let known = match key.resident() {
            true => Some(self.resident.get(key)),
            false => self.other(key),
        };
        match known {
            Some(Some(row)) => Cached::Row(row.clone()),
            Some(None) => Cached::Absent,
            None => Cached::Unknown,
        }
    }
    fn other(&self, key: &Key) -> Option<Option<&Row>> {
        let changed = self.changed.get(key).or_else(|| self.leaving.get(key)).map(Option::as_ref);
        changed.or_else(|| self.open.get(key).map(Some))
    }
    /// Returns what is known of the keys of a range, in order; a key without a row is gone.
    pub(super) fn range(&self, range: &KeyRange) -> impl DoubleEndedIterator<Item = (&Key, Option<&Row>)> {
        let mut others = BTreeMap::new();
        if range.to > KeyRange::resident().to {
            others.extend(self.open.iter().map(|(key, row)| (key, Some(row))).filter(|(key, _)| range.contains(key)));
            for changed in [&*self.leaving, &self.changed] {
                let changed = changed.iter().filter(|(key, _)| range.contains(key));
                others.extend(changed.map(|(key, row)| (key, row.as_ref())));
            }
        }
        self.resident.range(range).chain(others)
    }
    /// Makes a change visible.
    pub(super) fn change(&mut self, change: &Change) {
        if change.key.resident() {
            self.resident.change(change);
        } else {
            self.changed.insert(change.key.clone(), change.row.clone());
        }
    }
    /// Returns how many rows are not written behind yet.
    pub(super) fn dirty(&self) -> usize {
        self.changed.len() + self.resident.dirty()
    }
    /// Takes what is to be written behind; all of it is written or given back before the next is taken.
    pub(super) fn take(&mut self) -> Taken {
        let mut room = Changed::default();
        room.reserve(self.changed.len().min(ROOM_MAX));
        self.leaving = Arc::new(std::mem::replace(&mut self.changed, room));
        Taken {
            position: self.position,
            resident: self.resident.take(),
            others: Arc::clone(&self.leaving),
            open: Arc::clone(&self.open),
        }
    }
    /// Keeps what could not be written behind for the next time.
    pub(super) fn give_back(&mut self, taken: Taken) {
        self.resident.give_back(taken.resident);
        self.leaving = Arc::default();
        for (key, row) in taken.others.iter() {
            self.changed.entry(key.clone()).or_insert_with(|| row.clone());
        }
    }
    /// Notes which of some rows that were written behind are open. What is leaving still lies over them.
    pub(super) fn settle<'a>(&mut self, written: impl Iterator<Item = (&'a Key, &'a Option<Row>)>) {
        let open = Arc::make_mut(&mut self.open);
        for (key, row) in written {
            match row {
                Some(row) if row.open() => open.insert(key.clone(), row.clone()),
                _ => open.remove(key),
            };
        }
    }
    /// Lets go of what was written behind at a position, all of which was settled.
    pub(super) fn let_go(&mut self, position: Lsn) {
        self.flushed = position;
        self.leaving = Arc::default();
    }
    /// Notes that rows of the resident tables were written behind.
    pub(super) fn settle_resident(&mut self, written: impl Iterator<Item = resident::Taken>) {
        written.for_each(|written| self.resident.settle(written));
    }
}

/// What is being written behind, as it stood at one position.
pub(super) struct Taken {
    pub(super) position: Lsn,
    resident: Vec<resident::Taken>,
    others: Arc<Changed>,
    open: Arc<Open>,
}

impl Taken {
    /// Returns what the cold side gets, in order.
    pub(super) fn puts(&self) -> impl Iterator<Item = Put> {
        let mut others: Vec<_> = self.others.iter().collect();
        others.sort_unstable_by_key(|(key, _)| *key);
        let others = others.into_iter().flat_map(|(key, row)| {
            let mark = match (self.open.contains_key(key), row.as_ref().is_some_and(Row::open)) {
                (false, true) => Some((area(OPEN, key), Some(Vec::new()))),
                (true, false) => Some((area(OPEN, key), None)),
                _ => None,
            };
            std::iter::once((area(ROWS, key), row.as_ref().map(Row::encode))).chain(mark)
        });
        self.resident.iter().filter_map(resident::Taken::put).chain(others)
    }
    /// Returns what was written, once the cold side has it: the resident rows, and the others. What is open may change then.
    pub(super) fn written(self) -> (Vec<resident::Taken>, Arc<Changed>) {
        (self.resident, self.others)
    }
}
