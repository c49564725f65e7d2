//! The working view of one command: what it has decided so far, applied over what was there before.

use std::collections::BTreeMap;
use std::sync::Arc;

use enact_model::id::{Epoch, Lsn, TenantId};
use enact_model::record::{Body, RECORD_VERSION, Record};
use enact_model::table::{Change, Key, KeyRange, Row};
use enact_model::time::Timestamp;

use crate::apply::apply;
use crate::view::{Need, View};

/// Changed rows over another view; a key without a row is gone.
#[derive(Debug, Default, Clone)]
pub struct Overlay(BTreeMap<Key, Option<Row>>);

impl Overlay {
    /// Adds a change.
    pub fn put(&mut self, change: Change) {
        self.0.insert(change.key, change.row);
    }
    /// Returns what is known of a key: nothing, that it is gone, or its row.
    pub fn get(&self, key: &Key) -> Option<&Option<Row>> {
        self.0.get(key)
    }
    /// Returns the first row of a range, with `base` behind this overlay.
    pub fn first(&self, base: &(impl View + ?Sized), range: &KeyRange) -> Option<(Key, Row)> {
        let mut here = self.0.range::<Key, _>(&range.from..).take_while(|(key, _)| **key < range.to);
        let mut behind = base.first(range);
        for (key, row) in &mut here {
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
    /// Lists every change, in order.
    pub fn changes(&self) -> impl Iterator<Item = Change> {
        self.0.iter().map(|(key, row)| Change { key: key.clone(), row: row.clone() })
    }
    /// Takes in the changes of another overlay, which are later than its own.
    pub fn extend(&mut self, mut later: Self) {
        if self.0.is_empty() {
            self.0 = later.0;
        } else {
            self.0.append(&mut later.0);
        }
    }
    /// Takes every change out, in order.
    pub fn drain(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.0).into_iter().map(|(key, row)| Change { key, row }).collect()
    }
    /// Forgets every change.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

/// An overlay and the view that it lies over.
pub struct Over<'a, B>(pub &'a Overlay, pub B);

impl<B: View> View for Over<'_, B> {
    fn get(&self, key: &Key) -> Result<Option<Row>, Need> {
        match self.0.get(key) {
            Some(row) => Ok(row.clone()),
            None => self.1.get(key),
        }
    }
    fn first(&self, range: &KeyRange) -> Option<(Key, Row)> {
        self.0.first(&self.1, range)
    }
}

/// One command at work: the records it has made and the view they lead to.
pub struct Scratch<'a> {
    base: &'a dyn View,
    overlay: Overlay,
    records: Vec<Record>,
    next: Lsn,
    epoch: Epoch,
    time: Timestamp,
    actor: Arc<str>,
}

impl<'a> Scratch<'a> {
    /// Begins over a view; `next` is the position of the first record it makes.
    pub fn new(base: &'a dyn View, next: Lsn, epoch: Epoch, time: Timestamp, actor: Arc<str>) -> Self {
        Self { base, overlay: Overlay::default(), records: Vec::new(), next, epoch, time, actor }
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
            self.overlay.put(change);
        }
        self.records.push(record);
        self.next = self.next.plus(1);
        Ok(lsn)
    }

    /// Ends with the records and the changes they make.
    pub fn finish(mut self) -> (Vec<Record>, Vec<Change>) {
        (self.records, self.overlay.drain())
    }
}

impl View for Scratch<'_> {
    fn get(&self, key: &Key) -> Result<Option<Row>, Need> {
        match self.overlay.get(key) {
            Some(row) => Ok(row.clone()),
            None => self.base.get(key),
        }
    }
    fn first(&self, range: &KeyRange) -> Option<(Key, Row)> {
        self.overlay.first(self.base, range)
    }
}
