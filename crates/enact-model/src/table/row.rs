//! Rows: what stands under a key, versioned.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Key, Table};
use crate::descriptor::{Component, Solution};
use crate::digest::Digest;
use crate::execution::{Execution, packed};
use crate::id::{Epoch, ExecutionId, Lsn, MessageId, ReferenceId, SessionId, TenantId};
use crate::json::Json;
use crate::message::MessageRow;
use crate::record::Rejection;
use crate::reference::{Provenance, Reference};
use crate::time::Timestamp;

/// The version of the rows that this build writes; it is the first byte of every stored row. What follows is JSON, and for
/// an execution its packed form.
pub const ROW_VERSION: u8 = 1;

/// The store's identity and its epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct MetaRow {
    pub store_id: String,
    pub epoch: Epoch,
    pub release: String,
    /// Records before this position were dropped by policy.
    #[serde(default)]
    pub history_from: Lsn,
}

/// Whether a component version takes executions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum ComponentState {
    Active,
    Draining,
    Removed,
}

/// A component version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct ComponentRow {
    pub component: Arc<Component>,
    pub digest: Digest,
    pub state: ComponentState,
    pub added_at: Timestamp,
    pub added_lsn: Lsn,
}

/// What became of an intent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum IntentRow {
    Accepted { execution: ExecutionId, at: Timestamp, lsn: Lsn },
    Rejected { rejection: Box<Rejection>, at: Timestamp, lsn: Lsn },
}

impl IntentRow {
    /// Returns what an execution tells of the intent with its number; nothing if it has another.
    pub fn told_by(execution: &Execution) -> Option<Self> {
        let (id, at, lsn) = (execution.id, execution.accepted_at, execution.accepted_lsn);
        execution.has_number_of_intent().then_some(Self::Accepted { execution: id, at, lsn })
    }
}

/// The execution that has an idempotency key; it lives as long as the execution's row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct IdempotencyRow {
    pub execution: ExecutionId,
    pub fingerprint: Digest,
}

/// A session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct SessionRow {
    pub session_id: SessionId,
    /// None for an anonymous session.
    pub owner: Option<String>,
    pub opened_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub closed_at: Option<Timestamp>,
}

impl SessionRow {
    /// Returns when it ended, if it has by `now`. The default session does not end, also where an earlier release closed it.
    pub fn ended_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.closed_at.or(self.expires_at.filter(|end| *end <= now)).filter(|_| !self.session_id.is_default())
    }
}

/// A value of state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct StateRow {
    pub value: Json,
    /// From 1; every set adds one.
    pub version: u64,
    pub expires_at: Option<Timestamp>,
}

impl StateRow {
    /// Returns whether it still lives at `now`.
    pub fn lives(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }
}

/// What is open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct TallyRow {
    pub open: u64,
    pub bytes: u64,
}

/// The rejections of one minute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct RejectionsRow {
    pub minute: u64,
    pub count: u32,
}

/// A message that a sink still has to get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct PendingRow {
    pub tenant: TenantId,
    pub message: MessageId,
    pub not_before: Timestamp,
    pub tries: u32,
}

/// An execution that waits for a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct QueueRow {
    pub execution: ExecutionId,
    pub gate: Option<crate::execution::Gate>,
}

macro_rules! rows {
    ($($table:ident => $type:ty),+ $(,)?) => {
        /// A row; cloning is cheap: what is larger than two numbers is shared. Which variant a key has follows from its table.
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub enum Row { $($table($type)),+ }

        impl Row {
            /// Returns the stored bytes.
            ///
            /// # Panics
            /// Never: every row serialises.
            pub fn encode(&self) -> Vec<u8> {
                let mut out = Vec::with_capacity(512);
                out.push(ROW_VERSION);
                match self { $(Self::$table(row) => row.write(&mut out)),+ }
                out
            }
            /// Reads stored bytes.
            ///
            /// # Errors
            /// A newer version, an unknown table, or bytes that are no row of it.
            pub fn decode(key: &Key, bytes: &[u8]) -> Result<Self, DecodeRowError> {
                let table = key.table().ok_or_else(|| DecodeRowError::Table(format!("{key:?}")))?;
                let (version, body) = bytes.split_first().ok_or(DecodeRowError::Empty)?;
                if *version != ROW_VERSION {
                    return Err(DecodeRowError::Newer(*version));
                }
                Ok(match table { $(Table::$table => Self::$table(Stored::read(body)?)),+ })
            }
        }
    };
}

/// How the rows of a table are stored.
trait Stored: Sized {
    fn write(&self, out: &mut Vec<u8>);
    fn read(bytes: &[u8]) -> Result<Self, DecodeRowError>;
}

impl<T: Stored> Stored for Arc<T> {
    fn write(&self, out: &mut Vec<u8>) {
        T::write(self, out);
    }
    fn read(bytes: &[u8]) -> Result<Self, DecodeRowError> {
        T::read(bytes).map(Self::new)
    }
}

impl Stored for Execution {
    fn write(&self, out: &mut Vec<u8>) {
        packed::write(self, out);
    }
    fn read(bytes: &[u8]) -> Result<Self, DecodeRowError> {
        packed::read(bytes).ok_or(DecodeRowError::Execution)
    }
}

macro_rules! as_json {
    ($($type:ty),+ $(,)?) => {$(
        impl Stored for $type {
            fn write(&self, out: &mut Vec<u8>) {
                serde_json::to_writer(out, self).expect("a row serialises");
            }
            fn read(bytes: &[u8]) -> Result<Self, DecodeRowError> {
                Ok(serde_json::from_slice(bytes)?)
            }
        }
    )+};
}

as_json! {
    MetaRow, ComponentRow, Solution, (), QueueRow, TenantId, u32, TallyRow, PendingRow, RejectionsRow, IntentRow,
    IdempotencyRow, SessionRow, StateRow, Reference, ReferenceId, Provenance, MessageRow,
}

rows! {
    Meta => Arc<MetaRow>,
    Component => Arc<ComponentRow>,
    Solution => Arc<Solution>,
    Active => (),
    Queue => Arc<QueueRow>,
    Turn => Arc<TenantId>,
    Due => (),
    Gate => u32,
    Tally => TallyRow,
    Pending => Arc<PendingRow>,
    Rejections => RejectionsRow,
    Execution => Arc<Execution>,
    Intent => Arc<IntentRow>,
    Idempotency => Arc<IdempotencyRow>,
    SessionExecution => (),
    Session => Arc<SessionRow>,
    State => Arc<StateRow>,
    Reference => Arc<Reference>,
    ReferenceContent => Arc<ReferenceId>,
    MadeInto => Arc<Provenance>,
    MadeFrom => Arc<Provenance>,
    Message => Arc<MessageRow>,
}

/// Bytes that are no row this build can read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeRowError {
    /// Not a row at all.
    #[error("failed to read a row: it is empty")]
    Empty,
    /// The key's table is unknown.
    #[error("failed to read a row: no table has the key {0}")]
    Table(String),
    /// Written by a later release.
    #[error("failed to read a row of version {0}: this build knows version {ROW_VERSION}")]
    Newer(u8),
    /// Not the JSON it should be.
    #[error("failed to read a row: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Not the packed execution it should be.
    #[error("failed to read a row: it is no execution")]
    Execution,
}

impl Row {
    /// Returns whether the row must stay in memory although its table is not resident: an attempt is at a host.
    pub fn open(&self) -> bool {
        use crate::execution::Phase;
        matches!(self, Self::Execution(execution) if matches!(execution.phase, Phase::Running | Phase::Stopping))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_reads_back_and_a_newer_one_is_refused() {
        let key = Key::gate("g");
        let row = Row::Gate(3);
        let mut bytes = row.encode();
        assert_eq!(Row::decode(&key, &bytes).unwrap(), row);
        bytes[0] = ROW_VERSION + 1;
        assert!(matches!(Row::decode(&key, &bytes), Err(DecodeRowError::Newer(_))));
    }
}
