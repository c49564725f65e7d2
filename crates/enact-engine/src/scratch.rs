//! The working view of one command: what it has decided so far, applied over what was there before.

use std::sync::Arc;

use enact_model::id::{Epoch, Lsn, TenantId};
use enact_model::record::{Body, RECORD_VERSION, Record};
use enact_model::table::{Change, Key, KeyRange, Row};
use enact_model::time::Timestamp;

use crate::apply::make;
use crate::changes::Changes;
use crate::view::{Need, View};

/// Records of a command, most of the time: room is made for so many.
const RECORDS_OF_A_COMMAND: usize = 2;

/// One command at work: the records it has made and the view they lead to.
pub struct Scratch<'a> {
    changes: Changes<'a>,
    records: Vec<Record>,
    next: Lsn,
    epoch: Epoch,
    time: Timestamp,
    actor: Arc<str>,
}

impl<'a> Scratch<'a> {
    /// Begins over a view; `next` is the position of the first record it makes.
    pub fn new(base: &'a dyn View, next: Lsn, epoch: Epoch, time: Timestamp, actor: Arc<str>) -> Self {
        Self {
            changes: Changes::over(base),
            records: Vec::with_capacity(RECORDS_OF_A_COMMAND),
            next,
            epoch,
            time,
            actor,
        }
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
        make(&mut self.changes, &record)?;
        self.records.push(record);
        self.next = self.next.plus(1);
        Ok(lsn)
    }

    /// Ends with the records and the changes they make.
    pub fn finish(self) -> (Vec<Record>, Vec<Change>) {
        (self.records, self.changes.finish())
    }
}

impl View for Scratch<'_> {
    fn get(&self, key: &Key) -> Result<Option<Row>, Need> {
        self.changes.get(key)
    }
    fn first(&self, range: &KeyRange) -> Option<(Key, Row)> {
        self.changes.first(range)
    }
}
