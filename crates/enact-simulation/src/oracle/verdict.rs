//! What an answer of a host must come to, by DESIGN §3 "How often may a handler run?" and the kinds of faults.

use enact_model::execution::StopCause;
use enact_model::observation::{Fault, FaultKind, Reached, Seen};
use enact_model::outcome::Outcome;
use enact_model::payload::Payload;
use serde_json::Value;

use super::data::{Asked, Data};
use super::life::Life;
use crate::cast::{Part, SILENT};

/// What becomes of an execution within one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// The answer came too late and changes nothing.
    Late,
    /// It completes with its effects.
    Completed,
    /// It fails; whether its handler may have run is said where it is known.
    Failed(Option<bool>),
    /// It ends as cancelled.
    Cancelled,
    /// It is tried again after so many milliseconds, at least and at most.
    Again(u64, u64),
    /// A child is to find out whether it ran.
    Asks,
}

/// What kind of an answer a fault asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mending {
    /// Trying again does not help.
    Never,
    /// It may help after a pause, and counts as an attempt.
    Later,
    /// It was no fault of the handler: at once, and it does not count.
    Now,
}

fn mending(fault: &Fault) -> Mending {
    use FaultKind as K;
    match fault.kind {
        K::HandlerFailed => {
            let retryable = fault.evidence.detail.as_ref().map(enact_model::json::Json::to_value);
            let retryable = retryable.is_some_and(|detail| detail.get("retryable") == Some(&Value::Bool(true)));
            if retryable { Mending::Later } else { Mending::Never }
        }
        K::ExitedNonZero
        | K::Signalled
        | K::CrashedInCall
        | K::DeadlineExceeded
        | K::OutOfMemory
        | K::StartFailed
        | K::StartDied
        | K::StartTimedOut
        | K::CircuitOpen
        | K::ScratchUnavailable
        | K::StoreUnavailable
        | K::ReconciledNotRun => Mending::Later,
        K::LostWithInstance | K::HubRestarted | K::HostGone | K::StateConflict => Mending::Now,
        _ => Mending::Never,
    }
}

/// Attempts that may be lost through no fault of the handler.
const LOST_MAX: u32 = 100;
/// Such attempts after which one that is lost with its instance counts: its own handler may be what ends them.
const LOST_WITH_INSTANCE_MAX: u32 = 5;

/// Foretells what an observation of the current attempt comes to; several where the design leaves it open.
pub fn of_answer(life: &Life, seen: &Seen, output: Option<&Value>, data: &Data, reconciles: bool) -> Vec<Fate> {
    let stopping = life.stop.is_some();
    match seen {
        Seen::Replied(reply) => {
            let output = match (&reply.output, output) {
                (_, Some(output)) => output.clone(),
                (Payload::Inline(json), None) => json.to_value(),
                (Payload::Stored { .. }, None) => Value::Null,
            };
            let asked = Asked { output, envelope: reply.envelope.clone() };
            of_effects(life, &asked, data)
        }
        Seen::Fault(fault) if stopping => {
            vec![stopped(life, life.may_have_run || fault.reached != Reached::No)]
        }
        Seen::Fault(fault) => {
            let suspect = fault.kind == FaultKind::LostWithInstance && life.lost >= LOST_WITH_INSTANCE_MAX;
            let mending = if suspect { Mending::Later } else { mending(fault) };
            vec![of_fault(life, mending, fault.reached, reconciles)]
        }
    }
}

/// Foretells what a reply comes to, by what stands against its effects.
pub fn of_effects(life: &Life, asked: &Asked, data: &Data) -> Vec<Fate> {
    let mut fates = Vec::new();
    let bad_output = life.part.selector != "shop.main.tell" && !asked.output.get("ok").is_some_and(Value::is_boolean);
    if bad_output || data.twice(life, asked) || data.contradicts(life, asked) || data.unregistered(life, asked) {
        fates.push(if life.stop.is_some() { stopped(life, true) } else { Fate::Failed(None) });
    }
    if !bad_output && data.conflicts(life, asked) {
        let fate = of_fault(life, Mending::Now, Reached::Yes, false);
        fates.push(if life.stop.is_some() { stopped(life, true) } else { fate });
    }
    if fates.is_empty() {
        fates.push(Fate::Completed);
    }
    fates
}

/// Foretells what the answer of a reconciler comes to for the execution that asked.
pub fn of_child(parent: &Life, child: &Outcome, data: &Data) -> (Vec<Fate>, Option<Asked>) {
    let doubt = vec![Fate::Failed(Some(true))];
    let Outcome::Completed { output: Payload::Inline(output), .. } = child else { return (doubt, None) };
    let said = output.to_value();
    match (said.get("status").and_then(Value::as_str), said.get("output")) {
        (Some("completed"), Some(output)) => {
            let asked = Asked { output: output.clone(), envelope: None };
            (of_effects(parent, &asked, data), Some(asked))
        }
        (Some("not_run"), _) => (vec![of_fault(parent, Mending::Later, Reached::No, false)], None),
        _ => (doubt, None),
    }
}

fn stopped(life: &Life, may_have_run: bool) -> Fate {
    match life.stop {
        Some(StopCause::Cancel) => Fate::Cancelled,
        _ => Fate::Failed(life.part.may_run_again().then_some(may_have_run)),
    }
}

fn of_fault(life: &Life, mending: Mending, reached: Reached, reconciles: bool) -> Fate {
    let part: &Part = life.part;
    let again = part.may_run_again() || reached == Reached::No;
    let (attempts, first, longest) = part.retry.unwrap_or(SILENT);
    let not_reached_only = part.not_reached_only || part.retry.is_none();
    match mending {
        Mending::Now if again && life.lost + 1 < LOST_MAX => {
            return if life.lost == 0 { Fate::Again(0, 0) } else { Fate::Again(1, 10_000) };
        }
        Mending::Later if again && (reached == Reached::No || !not_reached_only) => {
            let counted = life.attempt.saturating_sub(life.lost);
            if counted < attempts {
                let pause = first.saturating_mul(1 << counted.saturating_sub(1).min(20)).min(longest);
                return Fate::Again(pause - pause / 4 - 1, pause);
            }
        }
        _ => {}
    }
    if reached == Reached::Unknown && !part.may_run_again() {
        return if reconciles { Fate::Asks } else { Fate::Failed(Some(true)) };
    }
    Fate::Failed((reached == Reached::Unknown).then_some(true))
}
