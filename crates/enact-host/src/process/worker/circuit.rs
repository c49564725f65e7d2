//! When the next start may be tried: at once, after a pause that doubles, or not before the circuit closes.

use std::time::Duration;

use enact_model::observation::Fault;
use tokio::time::Instant;

/// Pause after the second failure in a row; the first start after a failure comes at once.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
/// Failures in a row that open the circuit.
const OPEN_AFTER: u32 = 5;
/// How long it is open at first.
const OPEN_FIRST: Duration = Duration::from_secs(5);
/// How long it is open at most.
const OPEN_MAX: Duration = Duration::from_secs(60);

/// What may be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Permit {
    /// Start.
    Now,
    /// Start then.
    At(Instant),
    /// Refuse calls until then; the first after it is the probe.
    Open(Instant),
}

/// The starts of one component version.
#[derive(Debug, Default)]
pub(super) struct Circuit {
    failures: u32,
    until: Option<Instant>,
    last: Option<Fault>,
}

impl Circuit {
    /// Tells what may be done.
    pub fn permit(&self, now: Instant) -> Permit {
        match self.until {
            Some(until) if until > now && self.failures >= OPEN_AFTER => Permit::Open(until),
            Some(until) if until > now => Permit::At(until),
            _ => Permit::Now,
        }
    }
    /// Notes a start that failed.
    pub fn failed(&mut self, now: Instant, fault: Fault) {
        self.failures = self.failures.saturating_add(1);
        let pause = match self.failures {
            1 => Duration::ZERO,
            n if n < OPEN_AFTER => PAUSE_FIRST * 2u32.pow(n - 2),
            n => (OPEN_FIRST * 2u32.pow((n - OPEN_AFTER).min(8))).min(OPEN_MAX),
        };
        self.until = Some(now + pause);
        self.last = Some(fault);
    }
    /// Notes a start that succeeded.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }
    /// Returns why the last start failed, if no other has succeeded since.
    pub fn reason(&self) -> Option<&Fault> {
        self.last.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use enact_model::observation::FaultKind;

    use super::*;

    #[test]
    fn the_first_retry_comes_at_once_then_pauses_double_then_the_circuit_opens_and_lets_one_probe_through() {
        let mut circuit = Circuit::default();
        let mut now = Instant::now();
        let mut seen = Vec::new();
        for _ in 0..7 {
            circuit.failed(now, FaultKind::StartDied.fault("x"));
            match circuit.permit(now) {
                Permit::Now => seen.push(("now", 0)),
                Permit::At(at) => {
                    seen.push(("at", (at - now).as_millis()));
                    now = at;
                }
                Permit::Open(at) => {
                    seen.push(("open", (at - now).as_millis()));
                    now = at;
                }
            }
            assert_eq!(circuit.permit(now), Permit::Now);
        }
        let wanted =
            [("now", 0), ("at", 100), ("at", 200), ("at", 400), ("open", 5000), ("open", 10_000), ("open", 20_000)];
        assert_eq!(seen, wanted);
        circuit.succeeded();
        assert!(circuit.reason().is_none());
        circuit.failed(now, FaultKind::StartDied.fault("x"));
        assert_eq!(circuit.permit(now), Permit::Now);
    }
}
