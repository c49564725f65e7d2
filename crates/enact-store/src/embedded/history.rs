//! The base, which lets old segments go, and the verification that rebuilds the tables from it.

use std::sync::PoisonError;

use enact_model::id::Lsn;
use enact_model::table::{Key, KeyRange, Row};

use crate::contract::{Apply, Order, ReadError};
use crate::io::Io;

use super::cold::{ColdStorage, Purpose};
use super::replay::{ReplayError, replay, seed};
use super::tables::{Merge, Tables};
use super::view::EmbeddedView;

/// A row that the running tables and the rebuilt ones do not agree on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Its key.
    pub key: Key,
    /// The row of the running tables.
    pub live: Option<Row>,
    /// The row that the log makes.
    pub rebuilt: Option<Row>,
}

/// What a verification of the tables found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableReport {
    /// The position at which both were compared.
    pub position: Lsn,
    /// The position from which the tables were rebuilt: zero, or that of the base.
    pub from: Lsn,
    /// Records applied.
    pub records: u64,
    /// Rows compared.
    pub rows: u64,
    /// How many rows differ.
    pub differing: u64,
    /// The first of them.
    pub differences: Vec<Difference>,
}

/// Differences that are kept with their rows.
const KEPT: usize = 100;

impl<I: Io, S: ColdStorage> EmbeddedView<I, S> {
    /// Rebuilds the tables from the log and compares every key and row with the running tables at one position; commits go
    /// on meanwhile.
    ///
    /// # Errors
    /// When the log or a row cannot be read, or the rules refuse a record. A difference is no error.
    pub fn verify_tables(&self, apply: &mut Apply<'_>) -> Result<TableReport, ReplayError> {
        let _one = self.shared.base.lock().unwrap_or_else(PoisonError::into_inner);
        let live = self.shared.tables.freeze(&KeyRange::all(), Order::Ascending, usize::MAX);
        let storage = &self.shared.storage;
        storage.remove(Purpose::Scratch)?;
        let result = (|| {
            let rebuilt = Tables::open(storage.open(Purpose::Scratch)?)?;
            if storage.exists(Purpose::Base) {
                seed(&Tables::open(storage.open(Purpose::Base)?)?, &rebuilt)?;
            }
            let mut report =
                TableReport { position: live.position, from: rebuilt.position(), ..TableReport::default() };
            report.records = replay(&rebuilt, &self.shared.reader, live.position, apply)?;
            let rebuilt = rebuilt.freeze(&KeyRange::all(), Order::Ascending, usize::MAX);
            report.compare(live.entries(), rebuilt.entries())?;
            Ok(report)
        })();
        storage.remove(Purpose::Scratch)?;
        result
    }
    /// Brings the base to the beginning of the segment that holds `before`, so that older segments may go; returns the first
    /// position that must be kept.
    ///
    /// # Durability
    /// The base and the tables are synced when it returns.
    ///
    /// # Errors
    /// As [`EmbeddedView::verify_tables`]; then nothing may be dropped.
    pub fn extend_base(&self, before: Lsn, apply: &mut Apply<'_>) -> Result<Lsn, ReplayError> {
        let _one = self.shared.base.lock().unwrap_or_else(PoisonError::into_inner);
        let keep = self.shared.reader.boundary_before(before);
        let until = Lsn(keep.0.saturating_sub(1));
        if keep <= self.shared.reader.first() {
            return Ok(keep);
        }
        let base = Tables::open(self.shared.storage.open(Purpose::Base)?)?;
        if base.position() < until {
            replay(&base, &self.shared.reader, until, apply)?;
        }
        base.close()?;
        self.shared.tables.flush()?;
        self.shared.tables.sync()?;
        Ok(keep)
    }
}

impl TableReport {
    fn compare(&mut self, live: Merge, rebuilt: Merge) -> Result<(), ReadError> {
        let (mut live, mut rebuilt) = (live, rebuilt);
        let (mut left, mut right) = (live.next().transpose()?, rebuilt.next().transpose()?);
        loop {
            let ordering = match (&left, &right) {
                (None, None) => return Ok(()),
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (Some((left, _)), Some((right, _))) => left.cmp(right),
            };
            let a = if ordering.is_le() { std::mem::replace(&mut left, live.next().transpose()?) } else { None };
            let b = if ordering.is_ge() { std::mem::replace(&mut right, rebuilt.next().transpose()?) } else { None };
            self.rows += 1;
            let (a, b) = (a.unzip(), b.unzip());
            if a.1.as_ref().map(Row::encode) == b.1.as_ref().map(Row::encode) {
                continue;
            }
            self.differing += 1;
            if let (Some(key), true) = (a.0.or(b.0), self.differences.len() < KEPT) {
                self.differences.push(Difference { key, live: a.1, rebuilt: b.1 });
            }
        }
    }
}
