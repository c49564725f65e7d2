//! The working view of one command: what it has decided so far, applied over what was there before.

use std::collections::BTreeMap;
use std::sync::Arc;

use enact_model::id::{Epoch, Lsn, TenantId};
use enact_model::record::{Body, RECORD_VERSION, Record};
use enact_model::table::{Change, Key, KeyRange, Row};
use enact_model::time::Timestamp;

use crate::apply::apply;
use crate::view::{Need, View};

/// Returns the first row of a range whose changed rows are these, in order; `base` is what was there before.
pub fn first_of<'a>(
    changed: impl Iterator<Item = (&'a Key, &'a Option<Row>)>,
    base: &(impl View + ?Sized),
    range: &KeyRange,
) -> Option<(Key, Row)> {
    let mut behind = base.first(range);
    for (key, row) in changed.take_while(|(key, _)| **key < range.to) {
        match (&behind, row) {
            (Some((before, _)), _) if before < key => return behind,
            (_, Some(row)) => return Some((key.clone(), row.clone())),
            // What is gone here does not count behind either.
            (Some((gone, _)), None) if gone == key => behind = base.first(&range.after(key)),
            (_, None) => {}
        }
    }
    behind
}

/// One command at work: the records it has made and the view they lead to.
pub struct Scratch<'a> {
    base: &'a dyn View,
    /// The rows that have changed, over those of the base; a key without a row is gone.
    changed: BTreeMap<Key, Option<Row>>,
    records: Vec<Record>,
    next: Lsn,
    epoch: Epoch,
    time: Timestamp,
    actor: Arc<str>,
}

impl<'a> Scratch<'a> {
    /// Begins over a view; `next` is the position of the first record it makes.
    pub fn new(base: &'a dyn View, next: Lsn, epoch: Epoch, time: Timestamp, actor: Arc<str>) -> Self {
        Self { base, changed: BTreeMap::new(), records: Vec::new(), next, epoch, time, actor }
    }
    /// Returns the command's time.
    pub fn now(&self) -> Timestamp {
        self.time
    }
    /// Returns who caused the command.
    pub fn actor(&self) -> &str {
        &self.actor
    }
    /// Returns the position that the next record will have.
    pub fn next(&self) -> Lsn {
        self.next
    }

    /// Makes a record and applies it, so that what follows sees it.
    ///
    /// # Errors
    /// A row that `apply` reads is not in memory.
    pub fn record(&mut self, tenant: Option<&TenantId>, cause: Option<Lsn>, body: Body) -> Result<Lsn, Need> {
        let lsn = self.next;
        let record = Record {
            version: RECORD_VERSION,
            lsn,
            epoch: self.epoch,
            time: self.time,
            actor: Arc::clone(&self.actor),
            tenant: tenant.cloned(),
            cause,
            body,
        };
        for change in apply(self, &record)? {
            self.changed.insert(change.key, change.row);
        }
        self.records.push(record);
        self.next = self.next.plus(1);
        Ok(lsn)
    }

    /// Ends with the records and the changes they make.
    pub fn finish(self) -> (Vec<Record>, Vec<Change>) {
        (self.records, self.changed.into_iter().map(|(key, row)| Change { key, row }).collect())
    }
}

impl View for Scratch<'_> {
    fn get(&self, key: &Key) -> Result<Option<Row>, Need> {
        match self.changed.get(key) {
            Some(row) => Ok(row.clone()),
            None => self.base.get(key),
        }
    }
    fn first(&self, range: &KeyRange) -> Option<(Key, Row)> {
        first_of(self.changed.range::<Key, _>(&range.from..), self.base, range)
    }
}
