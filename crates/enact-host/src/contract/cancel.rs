//! Stopping an attempt from outside: one token for each attempt, one stop at most, with its kind and its grace.

use std::time::Duration;

use tokio::sync::watch;

/// Why an attempt is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopKind {
    /// Somebody asked for it.
    Cancel,
    /// The time of the whole execution is over.
    Deadline,
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
pub struct CancelSource(watch::Sender<Option<Stop>>);

/// The side that is stopped.
#[derive(Debug, Clone)]
pub struct CancelToken(watch::Receiver<Option<Stop>>);

impl CancelSource {
    /// Makes a source and its token. A source that is dropped without a stop never stops anything.
    pub fn new() -> (Self, CancelToken) {
        let (sender, receiver) = watch::channel(None);
        (Self(sender), CancelToken(receiver))
    }
    /// Asks for a stop; returns whether it was the first.
    pub fn stop(&self, stop: Stop) -> bool {
        self.0.send_if_modified(|held| {
            let first = held.is_none();
            if first {
                *held = Some(stop);
            }
            first
        })
    }
}

impl CancelToken {
    /// A token that is never stopped.
    pub fn never() -> Self {
        CancelSource::new().1
    }
    /// Returns the stop, if there was one.
    pub fn stopped(&self) -> Option<Stop> {
        *self.0.borrow()
    }
    /// Waits for a stop; forever if none comes.
    ///
    /// # Cancel safety
    /// It may be dropped and called again.
    pub async fn wait(&self) -> Stop {
        let mut receiver = self.0.clone();
        loop {
            if let Some(stop) = *receiver.borrow_and_update() {
                return stop;
            }
            if receiver.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
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
