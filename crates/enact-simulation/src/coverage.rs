//! Which commands have succeeded and which were refused: a simulation that never saw one of them proves nothing about it.

use std::collections::BTreeMap;

use enact_engine::command::{Answer, Command, CommandBody};
use enact_model::record::{Body, Record};

/// Seeds, each with its own weather, within which everything is seen if each takes [`PROMISED_STEPS`]: whoever runs as many and
/// has not seen it has found that the world no longer comes by there.
pub const PROMISED_SEEDS: u64 = 160;
/// Steps of each of them.
pub const PROMISED_STEPS: u64 = 120;

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
        for kind in CommandBody::KINDS {
            let (succeeded, refused) = seen(kind);
            if succeeded == 0 {
                missing.push(format!("{kind} succeeds"));
            }
            if refused == 0 && !NEVER_REFUSED.contains(kind) {
                missing.push(format!("{kind} is refused"));
            }
        }
        missing
    }
    /// Says what so many seeds with so many steps each have not seen.
    ///
    /// # Errors
    /// They are as many as promise to see everything, and have not.
    pub fn verdict(&self, seeds: u64, steps: u64) -> Result<String, String> {
        let missing = self.missing().join(", ");
        let promised = seeds >= PROMISED_SEEDS && steps >= PROMISED_STEPS;
        match (missing.is_empty(), promised) {
            (true, _) => Ok("everything was done, and refused where it can be".to_owned()),
            (false, true) => Err(format!("{seeds} seeds of {steps} steps have not seen that {missing}")),
            (false, false) => {
                Ok(format!("not seen, which {PROMISED_SEEDS} seeds of {PROMISED_STEPS} steps promise: {missing}"))
            }
        }
    }
    /// Lists every kind with its two numbers.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64, u64)> {
        self.0.iter().map(|(kind, (succeeded, refused))| (*kind, *succeeded, *refused))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_that_has_not_seen_everything_is_a_failure_and_a_short_one_says_so() {
        let mut coverage = Coverage::default();
        for kind in CommandBody::KINDS {
            coverage.0.insert(kind, (1, u64::from(!NEVER_REFUSED.contains(kind))));
        }
        assert!(coverage.verdict(PROMISED_SEEDS, PROMISED_STEPS).is_ok());
        coverage.0.insert("Pause", (1, 0));
        for (seeds, steps) in [(PROMISED_SEEDS - 1, PROMISED_STEPS), (PROMISED_SEEDS, PROMISED_STEPS - 1)] {
            let short = coverage.verdict(seeds, steps).expect("it promises nothing");
            assert!(short.ends_with("promise: Pause is refused"), "{short}");
        }
        let long = coverage.verdict(PROMISED_SEEDS, PROMISED_STEPS).expect_err("it promises everything");
        assert!(long.ends_with("have not seen that Pause is refused"), "{long}");
    }

    #[test]
    fn what_is_never_refused_is_a_command() {
        assert!(NEVER_REFUSED.iter().all(|kind| CommandBody::KINDS.contains(kind)));
    }
}
