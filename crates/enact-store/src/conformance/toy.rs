//! A toy set of rules, so that stores can be tested apart from the engine: state is set and deleted, and sets are counted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use enact_model::envelope::StateScope;
use enact_model::id::{Epoch, Lsn, TenantId};
use enact_model::json::Json;
use enact_model::record::{Body, RECORD_VERSION, Record};
use enact_model::table::{Change, Key, KeyRange, Row, StateRow};
use enact_model::time::Timestamp;

use crate::contract::{Batch, Entry, Order, ReadError, ReplayView, Source};

/// Rules that read the row before they change it: a record applied twice, or not at all, shows.
///
/// # Errors
/// When the view fails.
pub fn apply(view: &dyn ReplayView, record: &Record) -> Result<Vec<Change>, Source> {
    let tenant = TenantId::default_tenant();
    Ok(match &record.body {
        Body::StateSet { scope, owner, key, value, .. } => {
            let (state, gate) = (Key::state(&tenant, *scope, owner, key), Key::gate(owner));
            let sets = match view.get(&gate)? {
                Some(Row::Gate(count)) => count + 1,
                _ => 1,
            };
            let version = match view.get(&state)? {
                Some(Row::State(row)) => row.version + 1,
                _ => 1,
            };
            let row = StateRow { value: value.clone(), version, expires_at: None };
            vec![
                Change { key: state, row: Some(Row::State(Arc::new(row))) },
                Change { key: gate, row: Some(Row::Gate(sets)) },
            ]
        }
        Body::StateDeleted { scope, owner, key } => vec![
            Change { key: Key::state(&tenant, *scope, owner, key), row: None },
            Change { key: Key::gate(owner), row: None },
        ],
        _ => Vec::new(),
    })
}

/// The tables and the log as plain maps, and a source of commits.
#[derive(Debug, Clone, Default)]
pub struct Model {
    rows: BTreeMap<Key, Row>,
    known: BTreeSet<Key>,
    records: Vec<Record>,
}

impl Model {
    /// Returns the rows in order.
    pub fn rows(&self) -> Vec<Entry> {
        self.rows.iter().map(|(key, row)| (key.clone(), row.clone())).collect()
    }
    /// Returns one row.
    pub fn row(&self, key: &Key) -> Option<Row> {
        self.rows.get(key).cloned()
    }
    /// Returns every key that ever had a row.
    pub fn known(&self) -> impl Iterator<Item = &Key> {
        self.known.iter()
    }
    /// Returns the records in order.
    pub fn records(&self) -> &[Record] {
        &self.records
    }
    /// Returns the position of the last record.
    pub fn position(&self) -> Lsn {
        Lsn(self.records.len() as u64)
    }
    /// Returns the model as it was at a position.
    #[must_use]
    pub fn at(&self, position: Lsn) -> Self {
        let mut model = Self::default();
        for record in self.records.iter().take(position.0 as usize) {
            model.take(record.clone());
        }
        model
    }
    /// Draws a batch and takes it in.
    pub fn batch(&mut self, dice: &mut Dice) -> Batch {
        let mut batch = Batch::default();
        for _ in 0..1 + dice.below(3) {
            let mut frame = Vec::new();
            for _ in 0..1 + dice.below(4) {
                let record = self.record(dice);
                batch.changes.extend(self.take(record.clone()));
                frame.push(record);
            }
            batch.frames.push(frame);
        }
        batch
    }
    fn record(&self, dice: &mut Dice) -> Record {
        let (scope, owner) = (StateScope::Session, format!("owner-{}", dice.below(5)));
        let key = format!("key-{}", dice.below(12));
        let body = if dice.below(4) == 0 {
            Body::StateDeleted { scope, owner, key }
        } else {
            let value = Json::of(&"x".repeat(dice.below(300) as usize));
            Body::StateSet { scope, owner, key, value, version: 1, expires_at: None }
        };
        let (lsn, time) = (self.position().plus(1), Timestamp(self.records.len() as u64));
        let actor = "test".into();
        Record { version: RECORD_VERSION, lsn, epoch: Epoch(1), time, actor, tenant: None, cause: None, body }
    }
    fn take(&mut self, record: Record) -> Vec<Change> {
        let changes = apply(self, &record).expect("the toy rules do not fail");
        for change in &changes {
            self.known.insert(change.key.clone());
            match &change.row {
                Some(row) => self.rows.insert(change.key.clone(), row.clone()),
                None => self.rows.remove(&change.key),
            };
        }
        self.records.push(record);
        changes
    }
}

impl ReplayView for Model {
    fn get(&self, key: &Key) -> Result<Option<Row>, ReadError> {
        Ok(self.row(key))
    }
    fn scan(&self, range: &KeyRange, order: Order, limit: usize) -> Result<Vec<Entry>, ReadError> {
        let mut rows = self.rows().into_iter().filter(|(key, _)| range.contains(key)).collect::<Vec<_>>();
        if order == Order::Descending {
            rows.reverse();
        }
        rows.truncate(limit);
        Ok(rows)
    }
}

/// A deterministic source of choices.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Begins with a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }
    /// Draws a number below `bound`, which is not zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}
