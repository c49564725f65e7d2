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

/// Room for so many rows is kept from one generation to the next.
const ROOM_KEPT: usize = 10_000;

/// What is known of keys; it is never gone through, for it has no order.
type ByKey<T> = HashMap<Key, T, foldhash::fast::RandomState>;

/// What turns have changed; a key without a row is gone. Only the resident tables are searched in order.
#[derive(Default)]
struct Changed {
    rows: ByKey<Version>,
    resident: BTreeSet<Key>,
    /// The position of the last record.
    until: Lsn,
}

/// A row as a turn has left it.
struct Version {
    row: Option<Row>,
    turn: u64,
}

impl Changed {
    /// Takes in a change; returns whether it is the turn's first one of this key.
    fn put(&mut self, key: Key, row: Option<Row>, turn: u64) -> bool {
        match self.rows.entry(key) {
            Entry::Occupied(mut held) => held.insert(Version { row, turn }).turn != turn,
            Entry::Vacant(place) => {
                if place.key().resident() {
                    self.resident.insert(place.key().clone());
                }
                place.insert(Version { row, turn });
                true
            }
        }
    }
    fn get(&self, key: &Key) -> Option<&Option<Row>> {
        self.rows.get(key).map(|version| &version.row)
    }
    /// Forgets everything and keeps its room, unless that is much.
    fn clear(&mut self) {
        self.rows.clear();
        self.rows.shrink_to(ROOM_KEPT);
        self.resident.clear();
        self.until = Lsn::ZERO;
    }
    /// Returns the changes of resident tables from a key on, in order.
    fn from(&self, from: &Key) -> impl Iterator<Item = (&Key, &Option<Row>)> {
        self.resident.range::<Key, _>(from..).filter_map(|key| Some((key, self.get(key)?)))
    }
}

/// Changes and the view that they lie over.
struct Over<'a, B>(&'a Changed, B);

impl<B: EngineView> EngineView for Over<'_, B> {
    fn get(&self, key: &Key) -> Result<Option<Row>, Need> {
        match self.0.get(key) {
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
    older: Changed,
    newer: Changed,
    /// How many turns there were.
    turns: u64,
}

impl Undurable {
    /// Lets go of what is durable.
    pub(super) fn settle(&mut self, durable: Lsn) {
        if self.older.until <= durable {
            self.older.clear();
            std::mem::swap(&mut self.older, &mut self.newer);
        }
        if self.older.until <= durable {
            self.older.clear();
        }
    }
    fn get(&self, key: &Key) -> Option<&Option<Row>> {
        self.newer.get(key).or_else(|| self.older.get(key))
    }
    /// Returns it over what is durable.
    pub(super) fn over<B: EngineView>(&self, base: B) -> impl EngineView {
        Over(&self.newer, Over(&self.older, base))
    }
}

/// The working view of one turn. What it decides is undurable at once; a turn that fails leaves nothing, for it is the last one.
pub(super) struct Working<'a, V: View> {
    view: &'a V,
    undurable: &'a mut Undurable,
    /// What is to be committed of the tables that are not resident, as it came.
    changes: Vec<Change>,
    /// Keys of the resident tables that the turn has changed: every command changes the same few rows, and only what they are
    /// at the end counts.
    resident: Vec<Key>,
    /// Rows that were read from the disk; only this owner writes, so they cannot have changed since.
    loaded: ByKey<Option<Row>>,
}

impl<'a, V: View> Working<'a, V> {
    /// Begins a turn of so many commands.
    pub(super) fn new(view: &'a V, undurable: &'a mut Undurable, commands: usize) -> Self {
        undurable.turns += 1;
        let changes = Vec::with_capacity(commands * ROWS_OF_A_COMMAND);
        Self { view, undurable, changes, resident: Vec::new(), loaded: ByKey::default() }
    }
    /// Takes in what a command has changed.
    pub(super) fn take(&mut self, changes: Vec<Change>) {
        let turn = self.undurable.turns;
        for Change { key, row } in changes {
            if !key.resident() {
                self.changes.push(Change { key: key.clone(), row: row.clone() });
                self.undurable.newer.put(key, row, turn);
            } else if self.undurable.newer.put(key.clone(), row, turn) {
                self.resident.push(key);
            }
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
    /// Ends the turn, whose last record has this position, with what is to be committed.
    pub(super) fn finish(self, until: Lsn) -> Vec<Change> {
        let Self { undurable, mut changes, resident, .. } = self;
        undurable.newer.until = until;
        changes.extend(resident.into_iter().filter_map(|key| {
            let row = undurable.newer.get(&key)?.clone();
            Some(Change { key, row })
        }));
        changes
    }
}

impl<V: View> EngineView for Working<'_, V> {
    fn get(&self, key: &Key) -> Result<Option<Row>, Need> {
        if let Some(row) = self.undurable.get(key) {
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
        self.undurable.over(Durable(self.view)).first(range)
    }
}
