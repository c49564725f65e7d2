//! The facts in the write-ahead log: a closed vocabulary, every one versioned.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::conclusion::Conclusion;
use crate::descriptor::{Component, Solution};
use crate::digest::Digest;
use crate::envelope::StateScope;
use crate::execution::{Gate, Pin, StopCause, Wake};
use crate::id::{Epoch, ExecutionId, IntentId, Lsn, MessageId, Name, Selector, SessionId, SinkId, TenantId};
use crate::intent::{InputFault, Intent};
use crate::json::Json;
use crate::message::Message;
use crate::observation::Observation;
use crate::outcome::Outcome;
use crate::reference::{Provenance, Reference};
use crate::time::Timestamp;

/// The version of the record's envelope and bodies that this build writes.
pub const RECORD_VERSION: u16 = 1;

/// One fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its version.
    #[serde(rename = "v")]
    pub version: u16,
    /// Its position.
    pub lsn: Lsn,
    /// The owner that wrote it.
    pub epoch: Epoch,
    /// Command time.
    pub time: Timestamp,
    /// Who caused it: `engine`, `timer`, `relay`, `host`, or a person such as `cli:root`.
    pub actor: Arc<str>,
    /// Whose it is; hub and catalog records are nobody's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// The record of the same chain that led to it, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Lsn>,
    /// What happened.
    pub body: Body,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Body {
    /// A hub took the partition.
    EpochOpened { store_id: String, release: String },
    /// The tables were synced to disk at this position.
    CheckpointTaken { position: Lsn },
    /// Records before this position were dropped by policy.
    HistoryDropped {
        before: Lsn,
        reason: String,
        executions: Vec<(TenantId, ExecutionId)>,
        messages: Vec<(TenantId, MessageId)>,
    },
    /// Somebody reached for what is not theirs.
    AccessRefused {
        execution: Option<ExecutionId>,
        what: String,
        /// The role with which it was tried; none in records of earlier releases, and for what a handler tried.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<Cow<'static, str>>,
    },

    /// A component version was added and is the active one.
    ComponentAdded { component: Arc<Component>, digest: Digest },
    /// A component version takes no new executions.
    ComponentDraining { name: Name, version: String, reason: String },
    /// A component version is gone.
    ComponentRemoved { name: Name, version: String, reason: String },
    /// A solution was bound.
    SolutionBound { solution: Arc<Solution> },

    /// A session began.
    SessionOpened { session: SessionId, owner: Option<String>, expires_at: Option<Timestamp> },
    /// An anonymous session got an owner and kept its id.
    SessionUpgraded { session: SessionId, owner: String },
    /// A session ended.
    SessionClosed { session: SessionId, reason: String },

    /// An intent was not admitted.
    IntentRejected(Box<Rejection>),
    /// An intent was admitted and is an execution now.
    IntentAccepted(Box<Acceptance>),

    /// An attempt is handed to a host.
    AttemptStarted { execution: ExecutionId, attempt: u32, deadline_at: Timestamp },
    /// What the host saw.
    AttemptObserved { execution: ExecutionId, attempt: u32, observation: Box<Observation> },
    /// What a host saw too late; it changes nothing.
    LateObserved { execution: ExecutionId, attempt: u32, observation: Box<Observation> },
    /// The next attempt has a time.
    RetryScheduled { execution: ExecutionId, due: Timestamp, conclusion: Box<Conclusion> },
    /// Something else must come first.
    Waited { execution: ExecutionId, wake: Wake },
    /// Its attempt is asked to stop.
    StopRequested {
        execution: ExecutionId,
        cause: StopCause,
        reason: String,
        give_up_at: Timestamp,
        /// The role with which it was asked for; none in records of earlier releases, and for what the hub does by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<Cow<'static, str>>,
    },
    /// It is to pause at its next boundary.
    PauseRequested {
        execution: ExecutionId,
        reason: String,
        /// The role with which it was asked for; none in records of earlier releases, and for what the hub does by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<Cow<'static, str>>,
    },
    /// It goes on.
    Resumed {
        execution: ExecutionId,
        reason: String,
        /// The role with which it was asked for; none in records of earlier releases, and for what the hub does by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<Cow<'static, str>>,
    },
    /// It is over.
    Settled { execution: ExecutionId, outcome: Arc<Outcome> },

    /// A key of state has a value.
    StateSet { scope: StateScope, owner: String, key: String, value: Json, version: u64, expires_at: Option<Timestamp> },
    /// A key of state has none.
    StateDeleted { scope: StateScope, owner: String, key: String },
    /// A reference is known.
    ReferenceRegistered { reference: Arc<Reference> },
    /// An edge of provenance is known.
    ProvenanceAdded { edge: Arc<Provenance> },
    /// A message is promised.
    MessageQueued { message: Arc<Message> },

    /// A message arrived.
    MessageDelivered { message: MessageId, sink: SinkId },
    /// A message is tried again later.
    MessageDelayed { message: MessageId, sink: SinkId, not_before: Timestamp, reason: String },
    /// A message was given up.
    MessageDeadLettered { message: MessageId, sink: SinkId, reason: String },
    /// A message is to be sent again.
    MessageRequeued {
        message: MessageId,
        sink: SinkId,
        reason: String,
        /// The role with which it was asked for; none in records of earlier releases, and for what the hub does by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<Cow<'static, str>>,
    },
}

/// An intent that was not admitted, with what a person needs to see why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// The intent's id.
    pub intent_id: IntentId,
    /// Whose it was.
    pub tenant_id: TenantId,
    /// What it asked for, as far as that could be read.
    pub intent_type: String,
    /// Every fault.
    pub faults: Vec<InputFault>,
    /// What that means.
    pub conclusion: Conclusion,
    /// The digest of the parameters.
    pub digest: Digest,
    /// The beginning of the parameters, at most 4 KiB.
    pub excerpt: String,
    /// How many rejections before this one were over the rate limit and left no record.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub suppressed: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// An intent that was admitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acceptance {
    /// The execution it becomes.
    pub execution: ExecutionId,
    /// The intent.
    pub intent: Arc<Intent>,
    /// The operation.
    pub selector: Selector,
    /// The version it runs on.
    pub pin: Pin,
    /// When all of it must be over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_at: Option<Timestamp>,
    /// The slots it competes for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Gate>,
    /// The settled execution that this one repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<ExecutionId>,
    /// Why it is repeated, as who asked for it said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The role with which it was asked for; none for what the hub asks itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Cow<'static, str>>,
    /// The execution that waits for this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<ExecutionId>,
    /// What it waits for first; absent if it is started in the same batch.
    pub wake: Wake,
}

impl Body {
    /// The name of every record type, in the order of the vocabulary.
    pub const KINDS: &'static [&'static str] = &[
        "EpochOpened",
        "CheckpointTaken",
        "HistoryDropped",
        "AccessRefused",
        "ComponentAdded",
        "ComponentDraining",
        "ComponentRemoved",
        "SolutionBound",
        "SessionOpened",
        "SessionUpgraded",
        "SessionClosed",
        "IntentRejected",
        "IntentAccepted",
        "AttemptStarted",
        "AttemptObserved",
        "LateObserved",
        "RetryScheduled",
        "Waited",
        "StopRequested",
        "PauseRequested",
        "Resumed",
        "Settled",
        "StateSet",
        "StateDeleted",
        "ReferenceRegistered",
        "ProvenanceAdded",
        "MessageQueued",
        "MessageDelivered",
        "MessageDelayed",
        "MessageDeadLettered",
        "MessageRequeued",
    ];

    /// Returns the name of the record's type, as filters take it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::EpochOpened { .. } => "EpochOpened",
            Self::CheckpointTaken { .. } => "CheckpointTaken",
            Self::HistoryDropped { .. } => "HistoryDropped",
            Self::AccessRefused { .. } => "AccessRefused",
            Self::ComponentAdded { .. } => "ComponentAdded",
            Self::ComponentDraining { .. } => "ComponentDraining",
            Self::ComponentRemoved { .. } => "ComponentRemoved",
            Self::SolutionBound { .. } => "SolutionBound",
            Self::SessionOpened { .. } => "SessionOpened",
            Self::SessionUpgraded { .. } => "SessionUpgraded",
            Self::SessionClosed { .. } => "SessionClosed",
            Self::IntentRejected(_) => "IntentRejected",
            Self::IntentAccepted(_) => "IntentAccepted",
            Self::AttemptStarted { .. } => "AttemptStarted",
            Self::AttemptObserved { .. } => "AttemptObserved",
            Self::LateObserved { .. } => "LateObserved",
            Self::RetryScheduled { .. } => "RetryScheduled",
            Self::Waited { .. } => "Waited",
            Self::StopRequested { .. } => "StopRequested",
            Self::PauseRequested { .. } => "PauseRequested",
            Self::Resumed { .. } => "Resumed",
            Self::Settled { .. } => "Settled",
            Self::StateSet { .. } => "StateSet",
            Self::StateDeleted { .. } => "StateDeleted",
            Self::ReferenceRegistered { .. } => "ReferenceRegistered",
            Self::ProvenanceAdded { .. } => "ProvenanceAdded",
            Self::MessageQueued { .. } => "MessageQueued",
            Self::MessageDelivered { .. } => "MessageDelivered",
            Self::MessageDelayed { .. } => "MessageDelayed",
            Self::MessageDeadLettered { .. } => "MessageDeadLettered",
            Self::MessageRequeued { .. } => "MessageRequeued",
        }
    }

    /// Returns whether it is an effect: something that stands only in a batch with an outcome or an operator's command.
    pub fn is_effect(&self) -> bool {
        matches!(
            self,
            Self::StateSet { .. }
                | Self::StateDeleted { .. }
                | Self::ReferenceRegistered { .. }
                | Self::ProvenanceAdded { .. }
                | Self::MessageQueued { .. }
        )
    }

    /// Returns the execution it belongs to, if it is part of one's life.
    pub fn execution(&self) -> Option<ExecutionId> {
        match self {
            Self::IntentAccepted(acceptance) => Some(acceptance.execution),
            Self::AttemptStarted { execution, .. }
            | Self::AttemptObserved { execution, .. }
            | Self::LateObserved { execution, .. }
            | Self::RetryScheduled { execution, .. }
            | Self::Waited { execution, .. }
            | Self::StopRequested { execution, .. }
            | Self::PauseRequested { execution, .. }
            | Self::Resumed { execution, .. }
            | Self::Settled { execution, .. } => Some(*execution),
            Self::AccessRefused { execution, .. } => *execution,
            Self::ReferenceRegistered { reference } => reference.made_by,
            Self::ProvenanceAdded { edge } => Some(edge.made_by),
            Self::MessageQueued { message } => Some(message.execution_id),
            _ => None,
        }
    }
}

/// Bytes that are no record of a version this build knows.
#[derive(Debug, thiserror::Error)]
pub enum DecodeRecordError {
    /// Written by a later release.
    #[error("failed to read a record of version {0}: this build knows versions up to {RECORD_VERSION}")]
    Newer(u16),
    /// Not a record at all.
    #[error("failed to read a record: {0}")]
    Malformed(#[from] serde_json::Error),
}

impl Record {
    /// Returns the stored bytes.
    ///
    /// # Panics
    /// Never: every body serialises.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(1024);
        serde_json::to_writer(&mut out, self).expect("a record serialises");
        out
    }

    /// Reads stored bytes.
    ///
    /// # Errors
    /// A newer version, or bytes that are no record.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeRecordError> {
        #[derive(Deserialize)]
        struct Peek {
            v: u16,
        }
        serde_json::from_slice(bytes).map_err(|error| match serde_json::from_slice::<Peek>(bytes) {
            Ok(Peek { v }) if v > RECORD_VERSION => DecodeRecordError::Newer(v),
            _ => DecodeRecordError::Malformed(error),
        })
    }
}

/// What a filter over records may ask for; absent fields let everything pass.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RecordFilter {
    /// The tenant whose records are read; absent only for the whole hub's operator.
    pub tenant: Option<TenantId>,
    /// Names of record types.
    pub kinds: Vec<String>,
    /// One execution.
    pub execution: Option<ExecutionId>,
    /// One session.
    pub session: Option<SessionId>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// Only records before this position (paging goes backwards from the newest).
    pub before: Option<Lsn>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_type_is_in_the_list_of_names() {
        let error = serde_json::from_str::<Body>(r#"{"Nope":{}}"#).unwrap_err().to_string();
        let names: Vec<&str> = error.split('`').skip(3).step_by(2).collect();
        assert_eq!(names, Body::KINDS);
    }

    #[test]
    fn a_record_of_steering_from_an_earlier_release_has_no_role_and_reads_back_as_it_was() {
        for text in [
            r#"{"PauseRequested":{"execution":"exe_00000000000000000000000001","reason":"lunch"}}"#,
            r#"{"Resumed":{"execution":"exe_00000000000000000000000001","reason":"back"}}"#,
            r#"{"StopRequested":{"execution":"exe_00000000000000000000000001","cause":"cancel","reason":"r","give_up_at":9}}"#,
            r#"{"AccessRefused":{"execution":null,"what":"a door"}}"#,
            r#"{"MessageRequeued":{"message":"msg_00000000000000000000000001","sink":"audit","reason":"lost"}}"#,
        ] {
            let body: Body = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&body).unwrap(), text);
        }
    }
}
