//! The working view: what the turn at hand has decided so far, over what was decided before it and may not be durable yet,
//! over what is durable.

use std::collections::BTreeSet;
use std::collections::hash_map::{Entry, HashMap};

use enact_engine::changes::first_of;
use enact_engine::view::{Need, View as EngineView};
use enact_model::id::Lsn;
use enact_model::table::{Change, Key, KeyRange, Row};
use enact_store::contract::{Cached, ReadError, View};

use super::Durable;

/// Rows read from the disk that are kept from one command to the next.
const LOADED_MAX: usize = 10_000;

/// Rows of its own that a command changes, most of the time: room is made for so many.
const ROWS_OF_A_COMMAND: usize = 2;

/// Rows by key; they are never gone through, for they have no order.
type Rows = HashMap<Key, Option<Row>, foldhash::fast::RandomState>;

/// What turns have changed; a key without a row is gone. Only the resident tables are searched in order.
#[derive(Default)]
struct Changed {
    rows: Rows,
    resident: BTreeSet<Key>,
}

impl Changed {
    fn put(&mut self, change: Change) {
        match self.rows.entry(change.key) {
            Entry::Occupied(mut held) => drop(held.insert(change.row)),
            Entry::Vacant(place) => {
                if place.key().resident() {
                    self.resident.insert(place.key().clone());
                }
                place.insert(change.row);
            }
        }
    }
    fn extend(&mut self, mut later: Self) {
        if self.rows.is_empty() {
            *self = later;
        } else {
            self.rows.extend(later.rows);
            self.resident.append(&mut later.resident);
        }
    }
    /// Returns the changes of resident tables from a key on, in order.
    fn from(&self, from: &Key) -> impl Iterator<Item = (&Key, &Option<Row>)> {
        self.resident.range::<Key, _>(from..).filter_map(|key| Some((key, self.rows.get(key)?)))
    }
}

/// Changes and the view that they lie over.
struct Over<'a, B>(&'a Changed, B);

impl<B: EngineView> EngineView for Over<'_, B> {
    fn get(&self, key: &Key) -> Result<Option<Row>, Need> {
        match self.0.rows.get(key) {
            Some(row) => Ok(row.clone()),
            None => self.1.get(key),
        }
    }
    fn first(&self, range: &KeyRange) -> Option<(Key, Row)> {
        first_of(self.0.from(&range.from), &self.1, range)
    }
}

/// What was decided and may not be durable yet, in two generations: while one grows the other becomes durable and is let go
/// as a whole.
#[derive(Default)]
pub(super) struct Undurable {
    older: Generation,
    newer: Generation,
}

#[derive(Default)]
struct Generation {
    changes: Changed,
    /// The position of its last record.
    until: Lsn,
}

impl Undurable {
    /// Takes in what a turn has changed.
    pub(super) fn add(&mut self, decided: Decided, until: Lsn) {
        self.newer.changes.extend(decided.0);
        self.newer.until = until;
    }
    /// Lets go of what is durable.
    pub(super) fn settle(&mut self, durable: Lsn) {
        if self.newer.until <= durable {
            *self = Self::default();
        } else if self.older.until <= durable {
            self.older = std::mem::take(&mut self.newer);
        }
    }
    fn get(&self, key: &Key) -> Option<&Option<Row>> {
        self.newer.changes.rows.get(key).or_else(|| self.older.changes.rows.get(key))
    }
    /// Returns it over what is durable.
    pub(super) fn over<B: EngineView>(&self, base: B) -> impl EngineView {
        Over(&self.newer.changes, Over(&self.older.changes, base))
    }
}

/// What one turn has changed.
pub(super) struct Decided(Changed);

/// The working view of one turn.
pub(super) struct Working<'a, V: View> {
    view: &'a V,
    undurable: &'a Undurable,
    changed: Changed,
    /// What is to be committed of the tables that are not resident, as it came. Of the others every command changes the same
    /// few rows, and only what they are at the end counts.
    changes: Vec<Change>,
    /// Rows that were read from the disk; only this owner writes, so they cannot have changed since.
    loaded: Rows,
}

impl<'a, V: View> Working<'a, V> {
    /// Begins a turn of so many commands.
    pub(super) fn new(view: &'a V, undurable: &'a Undurable, commands: usize) -> Self {
        let mut changed = Changed::default();
        changed.rows.reserve(commands * ROWS_OF_A_COMMAND);
        let changes = Vec::with_capacity(commands * ROWS_OF_A_COMMAND);
        Self { view, undurable, changed, changes, loaded: Rows::default() }
    }
    /// Takes in what a command has changed.
    pub(super) fn take(&mut self, changes: Vec<Change>) {
        for change in changes {
            if !change.key.resident() {
                self.changes.push(change.clone());
            }
            self.changed.put(change);
        }
    }
    /// Loads those of the keys that are on disk alone.
    pub(super) fn load(&mut self, keys: impl Iterator<Item = Key>) -> Result<(), ReadError> {
        for key in keys {
            if self.get(&key).is_err() {
                let row = self.view.get(&key)?;
                self.loaded.insert(key, row);
            }
        }
        Ok(())
    }
    /// Forgets what was loaded, if that is much.
    pub(super) fn tidy(&mut self) {
        if self.loaded.len() > LOADED_MAX {
            self.loaded.clear();
        }
    }
    /// Ends the turn with what is to be committed and what the next one must see.
    pub(super) fn finish(self) -> (Vec<Change>, Decided) {
        let mut changes = self.changes;
        let last = |key: &Key| Some(Change { key: key.clone(), row: self.changed.rows.get(key)?.clone() });
        changes.extend(self.changed.resident.iter().filter_map(last));
        (changes, Decided(self.changed))
    }
}

impl<V: View> EngineView for Working<'_, V> {
    fn get(&self, key: &Key) -> Result<Option<Row>, Need> {
        if let Some(row) = self.changed.rows.get(key).or_else(|| self.undurable.get(key)) {
            return Ok(row.clone());
        }
        match self.view.cached(key) {
            Cached::Row(row) => Ok(Some(row)),
            Cached::Absent => Ok(None),
            Cached::Unknown => match self.loaded.get(key) {
                Some(row) => Ok(row.clone()),
                None => Err(Need::key(key.clone())),
            },
        }
    }
    fn first(&self, range: &KeyRange) -> Option<(Key, Row)> {
        first_of(self.changed.from(&range.from), &self.undurable.over(Durable(self.view)), range)
    }
}
