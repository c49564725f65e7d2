//! Applies records of the log to tables: at start, for the base, and for a verification.

use enact_model::id::Lsn;
use enact_model::record::Record;
use enact_model::table::{Change, KeyRange};

use crate::contract::{Apply, Order, ReadError, Source};
use crate::io::Io;
use crate::log::LogReader;

use super::cold::{Cold, ColdError};
use super::tables::Tables;

/// Rows that wait for a batch while the log is replayed.
const BATCH_ROWS: usize = 4096;

/// Why the tables could not be made from the log.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] crate::log::Error),
    /// A record or a row cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The cold side failed.
    #[error(transparent)]
    Cold(#[from] ColdError),
    /// The rules refused a record.
    #[error("failed to apply the record {lsn}")]
    Apply {
        /// The record.
        lsn: Lsn,
        /// Why.
        source: Source,
    },
}

/// Applies the records after the position of `tables` up to `until`; returns how many.
pub(super) fn replay<I: Io, C: Cold>(
    tables: &Tables<C>,
    log: &LogReader<I>,
    until: Lsn,
    apply: &mut Apply<'_>,
) -> Result<u64, ReplayError> {
    let mut count = 0;
    for stored in log.read_range(tables.position().plus(1), until) {
        let stored = stored?;
        let record = decode(stored.lsn, &stored.bytes)?;
        let changes = apply(tables, &record).map_err(|source| ReplayError::Apply { lsn: stored.lsn, source })?;
        tables.publish(&changes, stored.lsn);
        count += 1;
        if tables.dirty() >= BATCH_ROWS {
            tables.flush()?;
        }
    }
    Ok(count)
}

/// Copies all rows of `from` into `to`, which is empty, and gives it their position at the end.
pub(super) fn seed<C: Cold>(from: &Tables<C>, to: &Tables<C>) -> Result<(), ReplayError> {
    let frozen = from.freeze(&KeyRange::all(), Order::Ascending, usize::MAX);
    let position = frozen.position;
    for entry in frozen.entries() {
        let (key, row) = entry?;
        // Without a position until all is there: half a copy must not be taken for the whole.
        to.publish(&[Change { key, row: Some(row) }], Lsn::ZERO);
        if to.dirty() >= BATCH_ROWS {
            to.flush()?;
        }
    }
    to.publish(&[], position);
    to.flush()?;
    Ok(())
}

pub(super) fn decode(lsn: Lsn, bytes: &[u8]) -> Result<Record, ReadError> {
    Record::decode(bytes).map_err(|error| ReadError::new(format!("the record {lsn}"), error))
}
