//! Who did what to an execution.

use enact_model::id::{ExecutionId, Lsn, MessageId, SinkId, TenantId};
use enact_model::time::Timestamp;
use serde::{Deserialize, Serialize};

/// One thing that somebody did to an execution, or was not let do, as the log has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// The record that says so.
    pub lsn: Lsn,
    /// When.
    pub time: Timestamp,
    /// Who: a person such as `cli:root` or `token:ci`, or a part of the hub such as `timer` or `host`.
    pub actor: String,
    /// On whose behalf.
    pub tenant: TenantId,
    /// With which role, where the log says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// What.
    #[serde(flatten)]
    pub deed: Deed,
    /// Why, as they said it; of a denial what was denied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "deed", rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Deed {
    /// The intent was submitted and accepted; a retry and a reconciliation name the execution that they are about.
    Submitted {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_of: Option<ExecutionId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parent: Option<ExecutionId>,
    },
    /// It was asked to stop.
    Cancelled,
    /// Its time was over, and it was asked to stop.
    TimedOut,
    Paused,
    Resumed,
    /// Its next attempt was made due.
    MadeDue,
    /// It was settled, and is repeated by another execution.
    Repeated {
        by: ExecutionId,
    },
    /// It was in doubt, and another execution finds out what became of it.
    ReconciledBy {
        child: ExecutionId,
    },
    /// Somebody reached for what they may not.
    Denied,
    /// A message of it was sent again.
    Redelivered {
        message: MessageId,
        sink: SinkId,
    },
    /// It is over; the word is that of its outcome.
    Settled {
        outcome: String,
    },
}

impl Deed {
    /// Returns its name, as documents have it.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Submitted { .. } => "submitted",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed_out",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::MadeDue => "made_due",
            Self::Repeated { .. } => "repeated",
            Self::ReconciledBy { .. } => "reconciled_by",
            Self::Denied => "denied",
            Self::Redelivered { .. } => "redelivered",
            Self::Settled { .. } => "settled",
        }
    }
}
