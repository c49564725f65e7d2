//! The rows of the resident tables: all of them are in memory, in order, and what has changed of them is written behind.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use enact_model::table::{Change, Key, KeyRange, Row};

use super::super::cold::Put;
use super::{ROWS, area};

#[derive(Default)]
pub(super) struct Resident {
    slots: BTreeMap<Key, Slot>,
    /// Keys whose rows are not written behind yet; some stand here twice, and some have gone.
    dirty: Vec<Key>,
    gone: usize,
    stamp: u64,
}

#[derive(Clone)]
struct Slot {
    row: Option<Row>,
    /// When it was changed; zero when the cold side has it as it is here.
    stamp: u64,
    /// Whether the cold side may have a row of the key.
    cold: bool,
    /// Whether it is being written behind.
    taken: bool,
}

impl Resident {
    /// Takes in a row that the cold side has.
    pub(super) fn load(&mut self, key: Key, row: Row) {
        self.slots.insert(key, Slot { row: Some(row), stamp: 0, cold: true, taken: false });
    }
    pub(super) fn get(&self, key: &Key) -> Option<&Row> {
        self.slots.get(key)?.row.as_ref()
    }
    /// Returns what is known of the keys of a range, in order; a key without a row is gone.
    pub(super) fn range(&self, range: &KeyRange) -> impl DoubleEndedIterator<Item = (&Key, Option<&Row>)> {
        let slots = (range.from < range.to).then(|| self.slots.range(range.from.clone()..range.to.clone()));
        slots.into_iter().flatten().map(|(key, slot)| (key, slot.row.as_ref()))
    }
    pub(super) fn change(&mut self, Change { key, row }: &Change) {
        self.stamp += 1;
        match self.slots.entry(key.clone()) {
            // It came and goes while the cold side knows nothing of it.
            Entry::Occupied(slot) if row.is_none() && !slot.get().cold && !slot.get().taken => {
                slot.remove();
                self.gone += 1;
            }
            Entry::Occupied(mut slot) => {
                let slot = slot.get_mut();
                slot.row.clone_from(row);
                if std::mem::replace(&mut slot.stamp, self.stamp) == 0 {
                    self.dirty.push(key.clone());
                }
            }
            // All rows are in memory: what is not here is not there.
            Entry::Vacant(_) if row.is_none() => {}
            Entry::Vacant(place) => {
                place.insert(Slot { row: row.clone(), stamp: self.stamp, cold: false, taken: false });
                self.dirty.push(key.clone());
            }
        }
    }
    /// Returns how many rows are not written behind yet.
    pub(super) fn dirty(&self) -> usize {
        self.dirty.len() - self.gone
    }
    /// Takes what is to be written behind, in order.
    pub(super) fn take(&mut self) -> Vec<Taken> {
        let mut keys = std::mem::take(&mut self.dirty);
        self.gone = 0;
        keys.sort_unstable();
        // One that went and came again stands here twice.
        keys.dedup();
        let take = |key: Key| {
            let slot = self.slots.get_mut(&key)?;
            slot.taken = true;
            Some(Taken { slot: slot.clone(), key })
        };
        keys.into_iter().filter_map(take).collect()
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
    /// Notes that a row was written behind, and lets go of it if it has gone.
    pub(super) fn settle(&mut self, Taken { key, slot: written }: Taken) {
        let Entry::Occupied(mut held) = self.slots.entry(key) else { return };
        let slot = held.get_mut();
        (slot.cold, slot.taken) = (written.row.is_some(), false);
        if slot.stamp != written.stamp {
            self.dirty.push(held.key().clone());
        } else if slot.row.is_some() {
            slot.stamp = 0;
        } else {
            held.remove();
        }
    }
}

/// A row that is being written behind.
pub(super) struct Taken {
    key: Key,
    slot: Slot,
}

impl Taken {
    pub(super) fn put(&self) -> Option<Put> {
        let Slot { row, cold, .. } = &self.slot;
        // A row that came and went between two writes was never there.
        (row.is_some() || *cold).then(|| (area(ROWS, &self.key), row.as_ref().map(Row::encode)))
    }
}
