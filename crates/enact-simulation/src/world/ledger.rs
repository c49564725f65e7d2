//! The outside ledger: what each simulated handler really did, whatever the hub believes.

use std::collections::BTreeMap;

use enact_model::id::ExecutionId;

use crate::cast::Part;
use crate::violation::{Verdict, hold};

/// One run of a handler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The attempt it was started for.
    pub attempt: u32,
    /// The idempotency token it was given.
    pub token: String,
}

/// Every run of every handler.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    runs: BTreeMap<ExecutionId, (&'static str, Vec<Run>)>,
}

impl Ledger {
    /// Notes that a handler runs; it cannot be taken back by any crash of the hub.
    ///
    /// # Errors
    /// When it runs once more than it may, or with another token.
    pub fn ran(&mut self, part: &'static Part, execution: ExecutionId, attempt: u32, token: String) -> Verdict {
        let (_, runs) = self.runs.entry(execution).or_insert((part.selector, Vec::new()));
        let before = runs.clone();
        runs.push(Run { attempt, token: token.clone() });
        hold(before.iter().all(|run| run.token == token), "every attempt gets the same token", || {
            format!("{execution} got {token} after {before:?}")
        })?;
        hold(part.may_run_again() || before.is_empty(), "what is not idempotent runs at most once", || {
            format!("{execution} ({}) runs in attempt {attempt} after {before:?}", part.selector)
        })
    }
    /// Returns how often the handler of an execution ran.
    pub fn count(&self, execution: ExecutionId) -> usize {
        self.runs.get(&execution).map_or(0, |(_, runs)| runs.len())
    }
    /// Returns how many runs there were in all.
    pub fn total(&self) -> usize {
        self.runs.values().map(|(_, runs)| runs.len()).sum()
    }
}
