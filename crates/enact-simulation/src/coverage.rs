//! Which commands have succeeded and which were refused: a simulation that never saw one of them proves nothing about it.

use std::collections::BTreeMap;

use enact_engine::command::{Answer, Command, CommandBody};
use enact_model::record::{Body, Record};

/// Every kind of command.
pub const KINDS: [&str; 23] = [
    "OpenEpoch",
    "Submit",
    "Reject",
    "Observe",
    "Tick",
    "Cancel",
    "Pause",
    "Resume",
    "Retry",
    "AddComponent",
    "DrainComponent",
    "RemoveComponent",
    "BindSolution",
    "OpenSession",
    "UpgradeSession",
    "CloseSession",
    "SetState",
    "RegisterReference",
    "Deliver",
    "Redeliver",
    "RefuseAccess",
    "NoteCheckpoint",
    "DropHistory",
];

/// Kinds that nothing but a log that refuses writes can refuse: they note what has happened.
pub const NEVER_REFUSED: [&str; 5] = ["OpenEpoch", "Tick", "RefuseAccess", "NoteCheckpoint", "DropHistory"];

/// How often each kind succeeded and was refused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage(BTreeMap<&'static str, (u64, u64)>);

impl Coverage {
    /// Notes what a command came to. An observation that is late and a delivery that is none any more count as refused: the
    /// answer to both is silence.
    pub fn note(&mut self, command: &Command, answer: &Answer, records: &[&Record]) {
        let refused = match (&command.body, answer) {
            (CommandBody::Reject { .. }, Answer::Rejected(_)) => false,
            (_, Answer::Refused(_) | Answer::Rejected(_)) => true,
            (CommandBody::Observe { .. }, _) => {
                records.iter().any(|record| matches!(record.body, Body::LateObserved { .. }))
            }
            (CommandBody::Deliver { .. }, _) => records.is_empty(),
            _ => false,
        };
        let (succeeded, failed) = self.0.entry(command.body.kind()).or_default();
        *(if refused { failed } else { succeeded }) += 1;
    }
    /// Adds what another run saw.
    pub fn add(&mut self, other: &Self) {
        for (kind, (succeeded, refused)) in &other.0 {
            let entry = self.0.entry(kind).or_default();
            entry.0 += succeeded;
            entry.1 += refused;
        }
    }
    /// Lists what has not been seen yet.
    pub fn missing(&self) -> Vec<String> {
        let seen = |kind| self.0.get(kind).copied().unwrap_or_default();
        let mut missing = Vec::new();
        for kind in KINDS {
            let (succeeded, refused) = seen(kind);
            if succeeded == 0 {
                missing.push(format!("{kind} succeeds"));
            }
            if refused == 0 && !NEVER_REFUSED.contains(&kind) {
                missing.push(format!("{kind} is refused"));
            }
        }
        missing
    }
    /// Lists every kind with its two numbers.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64, u64)> {
        self.0.iter().map(|(kind, (succeeded, refused))| (*kind, *succeeded, *refused))
    }
}
