//! Stopping an attempt from outside: one token for each attempt, one stop at most, with its kind and its grace.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use enact_model::observation::{Fault, FaultKind, Reached};
use tokio::sync::Notify;

/// Why an attempt is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopKind {
    /// Somebody asked for it.
    Cancel,
    /// The time of the whole execution is over.
    Deadline,
}

impl StopKind {
    /// Returns the fault of an attempt that was stopped before its handler was reached.
    pub fn not_begun(self) -> Fault {
        self.fault("before its handler was reached").reached(Reached::No)
    }
    /// Returns the fault of an attempt that was stopped; `when` completes the sentence.
    pub(crate) fn fault(self, when: &str) -> Fault {
        match self {
            Self::Cancel => FaultKind::Stopped.fault(format!("the attempt was cancelled {when}")),
            Self::Deadline => FaultKind::DeadlineExceeded.fault(format!("the attempt's time ran out {when}")),
        }
    }
}

/// A request to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop {
    /// Why.
    pub kind: StopKind,
    /// How long the handler may take to end by itself before it is killed.
    pub grace: Duration,
}

/// The side that stops; the first stop counts.
#[derive(Debug)]
pub struct CancelSource(Arc<Shared>);

/// The side that is stopped.
#[derive(Debug, Clone)]
pub struct CancelToken(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    stop: OnceLock<Stop>,
    stopped: Notify,
}

impl CancelSource {
    /// Makes a source and its token. A source that is dropped without a stop never stops anything.
    pub fn new() -> (Self, CancelToken) {
        let shared = Arc::new(Shared::default());
        (Self(Arc::clone(&shared)), CancelToken(shared))
    }
    /// Asks for a stop; returns whether it was the first.
    pub fn stop(&self, stop: Stop) -> bool {
        let first = self.0.stop.set(stop).is_ok();
        if first {
            self.0.stopped.notify_waiters();
        }
        first
    }
}

impl CancelToken {
    /// A token that is never stopped.
    pub fn never() -> Self {
        CancelSource::new().1
    }
    /// Returns the stop, if there was one.
    pub fn stopped(&self) -> Option<Stop> {
        self.0.stop.get().copied()
    }
    /// Waits for a stop; forever if none comes.
    ///
    /// # Cancel safety
    /// It may be dropped and called again.
    pub async fn wait(&self) -> Stop {
        loop {
            // Before it is looked at: a stop in between is not missed.
            let stopped = self.0.stopped.notified();
            if let Some(stop) = self.stopped() {
                return stop;
            }
            stopped.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_stop_counts_and_everyone_sees_it() {
        let (source, token) = CancelSource::new();
        assert_eq!(token.stopped(), None);
        let first = Stop { kind: StopKind::Deadline, grace: Duration::from_millis(5) };
        assert!(source.stop(first));
        assert!(!source.stop(Stop { kind: StopKind::Cancel, grace: Duration::ZERO }));
        drop(source);
        assert_eq!(token.clone().wait().await, first);
        assert_eq!(token.wait().await, first);
    }
}
