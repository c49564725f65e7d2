//! The rows in memory: found by their key, those of the resident tables in order as well.

use std::collections::{BTreeMap, HashMap};

use enact_model::id::Lsn;
use enact_model::table::{Change, Key, KeyRange, Row};

use super::super::cold::Put;
use super::{OPEN, ROWS, area};

#[derive(Default)]
pub(super) struct Memory {
    pub(super) position: Lsn,
    pub(super) flushed: Lsn,
    pub(super) slots: Slots,
    /// Keys whose rows are not written behind yet; some stand here twice, and some have gone.
    dirty: Vec<Key>,
    gone: usize,
    stamp: u64,
}

pub(super) struct Slot {
    pub(super) row: Option<Row>,
    /// When it was changed; zero when the cold side has it as it is here.
    pub(super) stamp: u64,
    /// Whether the cold side says that it is open.
    pub(super) marked: bool,
    /// Whether the cold side may have a row of the key.
    pub(super) cold: bool,
    /// Whether it is being written behind.
    pub(super) taken: bool,
}

impl Slot {
    /// A row that the cold side has as it is here.
    pub(super) fn written(row: Row, marked: bool) -> Self {
        Self { row: Some(row), stamp: 0, marked, cold: true, taken: false }
    }
}

/// Slots by key. Only the resident tables are searched in order all the time; the others are here for as long as they are not
/// written behind, and are put in order for the few who list them.
#[derive(Default)]
pub(super) struct Slots {
    resident: BTreeMap<Key, Slot>,
    others: HashMap<Key, Slot, foldhash::fast::RandomState>,
}

impl Slots {
    pub(super) fn get(&self, key: &Key) -> Option<&Slot> {
        if key.resident() { self.resident.get(key) } else { self.others.get(key) }
    }
    fn get_mut(&mut self, key: &Key) -> Option<&mut Slot> {
        if key.resident() { self.resident.get_mut(key) } else { self.others.get_mut(key) }
    }
    pub(super) fn insert(&mut self, key: Key, slot: Slot) {
        if key.resident() {
            self.resident.insert(key, slot);
        } else {
            self.others.insert(key, slot);
        }
    }
    fn remove(&mut self, key: &Key) {
        if key.resident() {
            self.resident.remove(key);
        } else {
            self.others.remove(key);
        }
    }
    /// Returns the slots of a range in order.
    pub(super) fn range(&self, range: &KeyRange) -> impl DoubleEndedIterator<Item = (&Key, &Slot)> {
        let resident = (range.from < range.to).then(|| self.resident.range(range.from.clone()..range.to.clone()));
        let mut others = Vec::new();
        if range.to > KeyRange::resident().to {
            others.extend(self.others.iter().filter(|(key, _)| range.contains(key)));
            others.sort_unstable_by_key(|(key, _)| *key);
        }
        resident.into_iter().flatten().chain(others)
    }
}

impl Memory {
    /// Begins where the cold side is.
    pub(super) fn at(position: Lsn) -> Self {
        Self { position, flushed: position, ..Self::default() }
    }
    /// Makes a change visible.
    pub(super) fn change(&mut self, change: &Change) {
        let (key, row) = (&change.key, change.row.clone());
        self.stamp += 1;
        match self.slots.get_mut(key) {
            // It came and goes while the cold side knows nothing of it.
            Some(slot) if row.is_none() && !slot.cold && !slot.taken => {
                self.slots.remove(key);
                self.gone += 1;
            }
            Some(slot) => {
                slot.row = row;
                if std::mem::replace(&mut slot.stamp, self.stamp) == 0 {
                    self.dirty.push(key.clone());
                }
            }
            // Of the resident tables all rows are in memory: what is not here is not there.
            None if row.is_none() && key.resident() => {}
            None => {
                let cold = !key.resident();
                let slot = Slot { row, stamp: self.stamp, marked: false, cold, taken: false };
                self.slots.insert(key.clone(), slot);
                self.dirty.push(key.clone());
            }
        }
    }
    /// Returns how many rows are not written behind yet.
    pub(super) fn dirty(&self) -> usize {
        self.dirty.len() - self.gone
    }
    /// Takes what is to be written behind, in order.
    pub(super) fn take_dirty(&mut self) -> Vec<Taken> {
        let mut keys = std::mem::take(&mut self.dirty);
        self.gone = 0;
        keys.sort_unstable();
        // One that went and came again stands here twice.
        keys.dedup();
        let take = |key: Key| {
            let slot = self.slots.get_mut(&key)?;
            slot.taken = true;
            Some(Taken { row: slot.row.clone(), stamp: slot.stamp, marked: slot.marked, cold: slot.cold, key })
        };
        let mut taken = Vec::with_capacity(keys.len());
        taken.extend(keys.into_iter().filter_map(take));
        taken
    }
    /// Keeps what could not be written behind for the next time.
    pub(super) fn give_back(&mut self, taken: Vec<Taken>) {
        for Taken { key, .. } in taken {
            if let Some(slot) = self.slots.get_mut(&key) {
                slot.taken = false;
            }
            self.dirty.push(key);
        }
    }
    /// Lets go of a row that was written behind, unless it has changed since or belongs into memory.
    pub(super) fn settle(&mut self, taken: Taken) {
        let marked = taken.open();
        let Some(slot) = self.slots.get_mut(&taken.key) else { return };
        (slot.marked, slot.cold, slot.taken) = (marked, taken.row.is_some(), false);
        if slot.stamp != taken.stamp {
            self.dirty.push(taken.key);
        } else if slot.row.is_some() && (marked || taken.key.resident()) {
            slot.stamp = 0;
        } else {
            self.slots.remove(&taken.key);
        }
    }
}

/// A row that is being written behind.
pub(super) struct Taken {
    pub(super) key: Key,
    row: Option<Row>,
    stamp: u64,
    marked: bool,
    cold: bool,
}

impl Taken {
    fn open(&self) -> bool {
        !self.key.resident() && self.row.as_ref().is_some_and(Row::open)
    }
    pub(super) fn puts(&self) -> impl Iterator<Item = Put> {
        // A row that came and went between two writes was never there.
        let row =
            (self.row.is_some() || self.cold).then(|| (area(ROWS, &self.key), self.row.as_ref().map(Row::encode)));
        let mark = match (self.marked, self.open()) {
            (false, true) => Some((area(OPEN, &self.key), Some(Vec::new()))),
            (true, false) => Some((area(OPEN, &self.key), None)),
            _ => None,
        };
        row.into_iter().chain(mark)
    }
}
