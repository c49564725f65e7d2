//! One execution: what it is, what it waits for, how it ended.

use enact_model::execution::{Phase, Wake};
use enact_model::outcome::Outcome;
use enact_model::payload::Payload;
use enact_model::record::Record;
use enact_model::time::Timestamp;
use enact_runtime::api::{ExecutionView, IntentView};
use serde_json::json;

use crate::failure::report::explain;
use crate::failure::{self, Failure};
use crate::output::Output;
use crate::output::table::{Card, Cell, Look};
use crate::output::text;

/// Returns the word for where an execution is, or how it ended.
pub fn word(view: &ExecutionView) -> Cell {
    match view.outcome() {
        Some(outcome @ Outcome::Completed { .. }) => Cell::new(outcome.word(), Look::Good),
        Some(outcome) => Cell::new(outcome.word(), Look::Bad),
        None => Cell::new(view.execution.phase.word(), Look::Open),
    }
}

/// Returns what an execution waits for.
pub fn waits_for(view: &ExecutionView) -> Option<String> {
    if let Some(reason) = &view.waits_for {
        return Some(reason.clone());
    }
    Some(match view.execution.wake.as_ref()? {
        Wake::Slot { queue } => format!("a free slot of {queue}"),
        Wake::StartAfter { due } => format!("its start at {}", text::time(*due)),
        Wake::Answer { attempt } => format!("the answer of attempt {attempt}"),
        Wake::Retry { due } => format!("its next attempt at {}", text::time(*due)),
        Wake::Reconcile { child } => format!("{child}, which finds out what became of the last attempt"),
        Wake::Resume => "somebody to resume it".to_owned(),
        Wake::Stop { due } => format!("its attempt to stop, until {}", text::time(*due)),
    })
}

/// Shows that an intent was admitted.
///
/// # Errors
/// Output that cannot be written.
pub fn accepted(view: &ExecutionView, repeated: bool, out: &mut Output) -> Result<(), Failure> {
    if out.json {
        return out.document(&json!({ "execution": view, "repeated": repeated }));
    }
    if repeated {
        out.note("this intent was admitted before, under the same key");
    }
    out.line(&view.execution.id.to_string())
}

/// Shows what became of an intent.
///
/// # Errors
/// A rejection; output that cannot be written.
pub fn intent(intent: &IntentView, out: &mut Output) -> Result<(), Failure> {
    match intent {
        _ if out.json => out.document(intent),
        IntentView::Accepted(view) => card(view, &[], out),
        IntentView::Rejected(rejection) => {
            let mut card = Card::default();
            card.add("intent", rejection.intent_id);
            card.add("type", &rejection.intent_type);
            card.add("outcome", Cell::new("rejected", Look::Bad));
            card.add("parameters", format!("{} {}", rejection.digest, text::cut(&rejection.excerpt, 200)));
            out.card(&card)?;
            out.line(&explain(&rejection.conclusion, &rejection.faults))
        }
    }
}

/// Shows an execution with its records.
///
/// # Errors
/// Output that cannot be written.
pub fn card(view: &ExecutionView, records: &[Record], out: &mut Output) -> Result<(), Failure> {
    if out.json {
        return match records {
            [] => out.document(view),
            records => out.document(&json!({ "execution": view, "records": records })),
        };
    }
    let execution = &view.execution;
    let intent = &execution.intent;
    let mut card = Card::default();
    card.add("execution", execution.id);
    card.add("operation", format!("{} ({} {})", execution.selector, execution.pin.name, execution.pin.version));
    card.add("state", word(view));
    if execution.phase != Phase::Settled {
        card.add_if("waits for", waits_for(view));
    }
    card.add("intent", format!("{} ({})", intent.intent_id, intent.intent_type));
    card.add(
        "where",
        format!("tenant {}, session {}, solution {}", intent.tenant_id, intent.session_id, intent.solution_id),
    );
    card.add_if("key", intent.idempotency_key.as_ref());
    card.add("parameters", payload(&intent.parameters));
    card.add("accepted", moment(execution.accepted_at, None));
    card.add_if("deadline", execution.deadline_at.map(|at| moment(at, None)));
    card.add("attempts", attempts(view));
    card.add_if("settled", execution.settled_at.map(|at| moment(at, Some(execution.accepted_at))));
    card.add_if("stop", execution.stop.as_ref().map(|stop| format!("asked by {}: {}", stop.actor, stop.reason)));
    card.add_if("retry of", execution.retry_of);
    card.add_if("parent", execution.parent);
    for (key, value) in &intent.metadata {
        card.add("metadata", format!("{key}={value}"));
    }
    match (view.outcome(), &view.output) {
        (_, Some(output)) => card.add("output", text::cut(output.as_str(), 2_000)),
        (Some(Outcome::Completed { output, .. }), None) => card.add("output", payload(output)),
        _ => {}
    }
    out.card(&card)?;
    let ended = view.outcome().and_then(failure::of_outcome);
    match (&ended, &execution.last) {
        (Some(conclusion), _) => out.line(&format!("\nit ended: {}", explain(conclusion, &[])))?,
        (None, Some(conclusion)) if view.outcome().is_none() => {
            out.line(&format!("\nthe last attempt: {}", explain(conclusion, &[])))?;
        }
        _ => {}
    }
    if !records.is_empty() {
        out.line("")?;
        super::record::timeline(records, out)?;
    }
    Ok(())
}

/// Shows how an execution ended: its output and nothing else on standard output.
///
/// # Errors
/// [`Failure::Settled`] if it is not completed; output that cannot be written.
pub fn outcome(view: &ExecutionView, out: &mut Output) -> Result<(), Failure> {
    if out.json {
        out.document(view)?;
    }
    match view.outcome() {
        None => Ok(()),
        Some(Outcome::Completed { output, cancel_too_late }) => {
            if *cancel_too_late {
                out.note("it was asked to stop, too late");
            }
            match (&view.output, output) {
                _ if out.json => Ok(()),
                (Some(json), _) | (None, Payload::Inline(json)) => out.document(&json.to_value()),
                (None, stored @ Payload::Stored { .. }) => out.line(&payload(stored)),
            }
        }
        Some(outcome) => match failure::of_outcome(outcome) {
            Some(conclusion) => {
                Err(Failure::Settled { execution: view.execution.id, conclusion: Box::new(conclusion) })
            }
            None => Ok(()),
        },
    }
}

fn attempts(view: &ExecutionView) -> String {
    let execution = &view.execution;
    match (execution.attempt, execution.attempt_started_at) {
        (0, _) | (_, None) => execution.attempt.to_string(),
        (attempt, Some(at)) => format!("{attempt}, the last one at {}", text::time(at)),
    }
}

fn moment(at: Timestamp, since: Option<Timestamp>) -> String {
    match since {
        Some(since) => format!("{} (after {})", text::time(at), text::duration(at.since(since))),
        None => text::time(at),
    }
}

fn payload(payload: &Payload) -> String {
    match payload {
        Payload::Inline(json) => text::cut(json.as_str(), 400),
        Payload::Stored { digest, size } => format!("{digest} ({})", text::bytes(*size)),
    }
}
