//! The durable life of one accepted intent.

pub(crate) mod packed;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::conclusion::Conclusion;
use crate::digest::Digest;
use crate::id::{ExecutionId, Lsn, Name, Selector, TenantId};
use crate::intent::Intent;
use crate::outcome::Outcome;
use crate::time::Timestamp;

/// Where an execution is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Accepted, not yet started.
    Queued,
    /// An attempt is at a host.
    Running,
    /// Something else must come first.
    Waiting,
    /// Its attempt was asked to stop.
    Stopping,
    /// It is over.
    Settled,
}

impl Phase {
    /// Every phase.
    pub const ALL: &'static [Self] = &[Self::Queued, Self::Running, Self::Waiting, Self::Stopping, Self::Settled];
    /// Returns the word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Stopping => "stopping",
            Self::Settled => "settled",
        }
    }
}

/// The one thing an open execution waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wake {
    /// A free slot of its gate, or of the hub.
    Slot {
        /// The queue it stands in.
        queue: String,
    },
    /// The time before which it may not start.
    StartAfter {
        /// That time.
        due: Timestamp,
    },
    /// The answer of a host.
    Answer {
        /// The attempt.
        attempt: u32,
    },
    /// The time of the next attempt.
    Retry {
        /// That time.
        due: Timestamp,
    },
    /// The outcome of the child that finds out what became of an attempt in doubt.
    Reconcile {
        /// The child.
        child: ExecutionId,
    },
    /// Somebody to resume it.
    Resume,
    /// The answer of a host that was asked to stop, or the time at which nobody waits for it any more.
    Stop {
        /// That time.
        due: Timestamp,
    },
}

/// Why an execution was asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopCause {
    /// Somebody cancelled it.
    Cancel,
    /// Its total deadline passed.
    Deadline,
}

/// The component version that an execution was pinned to at admission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// The component.
    pub name: Name,
    /// Its version.
    pub version: Arc<str>,
    /// The digest of its package.
    pub digest: Digest,
}

/// What an execution is asked to do about concurrency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// What tells the slots apart: the selector, and the value of the key.
    pub name: String,
    /// How many at once.
    pub limit: u32,
}

/// The durable life of one accepted intent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Execution {
    /// Its id.
    pub id: ExecutionId,
    /// What was asked.
    pub intent: Arc<Intent>,
    /// The operation.
    pub selector: Selector,
    /// The version it runs on.
    pub pin: Pin,
    /// Where it is.
    pub phase: Phase,
    /// What it waits for; none once it is settled.
    pub wake: Option<Wake>,
    /// Attempts so far.
    pub attempt: u32,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// Where its acceptance stands in the log.
    pub accepted_lsn: Lsn,
    /// When the current attempt began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt_started_at: Option<Timestamp>,
    /// When all of it must be over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_at: Option<Timestamp>,
    /// The slots it competes for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Gate>,
    /// Whether it holds a slot of its gate; it may still wait for one of the hub.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub holds_gate: bool,
    /// Whether it holds a slot of the hub.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub holds_hub: bool,
    /// Attempts that were lost through no fault of the handler and do not count against its policy.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub uncounted: u32,
    /// Why it was asked to stop, by whom and for what reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
    /// A pause takes effect at its next boundary.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pause_requested: bool,
    /// What it goes back to when it is resumed: the due time of its retry or start, or at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_until_due: Option<Timestamp>,
    /// An attempt may have run although no answer came.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_have_run: bool,
    /// The settled execution that this one repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<ExecutionId>,
    /// The execution that this one is a child of, such as one that waits for a reconciliation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<ExecutionId>,
    /// What the last attempt came to, if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Conclusion>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Arc<Outcome>>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled_at: Option<Timestamp>,
    /// Where its records stand in the log.
    pub records: SmallVec<[Lsn; 4]>,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Why an execution was asked to stop, by whom and for what reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// Cancel or deadline.
    pub cause: StopCause,
    /// Who.
    pub actor: String,
    /// What for.
    pub reason: String,
}

impl Execution {
    /// Returns whether it is not settled.
    pub fn is_open(&self) -> bool {
        self.phase != Phase::Settled
    }
    /// Returns whether its total deadline has come.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.deadline_at.is_some_and(|at| at <= now)
    }
    /// Returns whether it has the number of its intent, as where the hub made both: its row answers for the intent too.
    pub fn has_number_of_intent(&self) -> bool {
        self.id.as_u128() == self.intent.intent_id.as_u128()
    }
    /// Returns whose it is.
    pub fn tenant(&self) -> &TenantId {
        &self.intent.tenant_id
    }
}
