//! The naive log: gap-free positions, time that does not go back, and what was durable stays as it was.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use enact_model::id::{Epoch, Lsn};
use enact_model::record::Record;
use enact_model::time::Timestamp;

use crate::violation::{Verdict, Violation, hold};

/// Makes a violation.
pub fn at(rule: &'static str, seen: String) -> Violation {
    Violation { rule, seen }
}

/// Every record that was durable, by a digest of its bytes.
#[derive(Debug, Clone, Default)]
pub struct LogWatch {
    digests: Vec<u64>,
    time: Timestamp,
    epoch: Epoch,
}

fn digest(record: &Record) -> u64 {
    let mut hasher = DefaultHasher::new();
    record.encode().hash(&mut hasher);
    hasher.finish()
}

impl LogWatch {
    /// Returns the position of the last durable record.
    pub fn position(&self) -> Lsn {
        Lsn(self.digests.len() as u64)
    }
    /// Returns its time.
    pub fn time(&self) -> Timestamp {
        self.time
    }
    /// Takes a new record over.
    ///
    /// # Errors
    /// When it leaves a gap, or goes back in time or to a former owner.
    pub fn append(&mut self, record: &Record) -> Verdict {
        let next = self.position().plus(1);
        hold(record.lsn == next, "the positions of records have no gap", || {
            format!("{} is where {next} follows", record.lsn)
        })?;
        hold(record.time >= self.time, "the time of records does not go back", || {
            format!("{} follows {} at {}", record.time, self.time, record.lsn)
        })?;
        hold(record.epoch >= self.epoch, "no former owner writes", || {
            format!("{} follows {}", record.epoch, self.epoch)
        })?;
        self.time = record.time;
        self.epoch = record.epoch;
        self.digests.push(digest(record));
        Ok(())
    }
    /// Holds what a restart finds against what was durable; returns the records that nobody was told about.
    ///
    /// # Errors
    /// When a record was lost or is another.
    pub fn compare<'a>(&self, found: &'a [Record], last: Lsn) -> Verdict<&'a [Record]> {
        let rule = "nothing that was acknowledged is lost or altered";
        hold(last >= self.position(), rule, || format!("the log ends at {last}, before {}", self.position()))?;
        for record in found {
            let Some(known) = self.digests.get((record.lsn.0 - 1) as usize) else { continue };
            hold(digest(record) == *known, rule, || format!("the record {} is another: {record:?}", record.lsn))?;
        }
        let new = found.iter().position(|record| record.lsn > self.position()).unwrap_or(found.len());
        Ok(found.get(new..).unwrap_or_default())
    }
    /// Digests everything that ever was durable.
    pub fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.digests.hash(&mut hasher);
        hasher.finish()
    }
}
