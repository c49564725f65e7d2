//! Settle: the one way in which an execution ends, and what goes on after it.

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::Arc;

use enact_catalog::effects;
use enact_model::conclusion::Conclusion;
use enact_model::execution::{Execution, Phase, StopCause, Wake};
use enact_model::observation::StoredArtifact;
use enact_model::outcome::Outcome;
use enact_model::record::Body;

use super::effects::{emit_failed, keep_raw};
use super::{World, observe};
use crate::command::Command;
use crate::conclude as code;
use crate::scratch::Scratch;
use crate::slots;
use crate::view::{Need, Typed};

/// Writes the outcome, hands the slot on and lets a waiting parent go on.
pub(super) fn settle(
    scratch: &mut Scratch<'_>,
    world: &World<'_>,
    command: &Command,
    execution: impl Deref<Target = Execution>,
    outcome: Outcome,
) -> Result<(), Need> {
    let (id, tenant, cause) = (execution.id, execution.tenant().clone(), execution.records.last().copied());
    let (gate, parent) = (execution.gate.clone(), execution.parent);
    // Let go of here, it can be changed in place.
    drop(execution);
    scratch.record(Some(&tenant), cause, Body::Settled { execution: id, outcome: Arc::new(outcome) })?;
    slots::hand_on(scratch, world, gate.as_ref())?;
    if let Some(parent) = parent
        && let Some(parent) = scratch.execution(&tenant, parent)?
        && parent.wake == Some(Wake::Reconcile { child: id })
        && let Some(child) = scratch.execution(&tenant, id)?
    {
        observe::reconciled(scratch, world, command, &parent, &child)?;
    }
    Ok(())
}

/// Settles as failed: nothing the handler asked for happens; what the operation declares for failure does.
pub(super) fn fail(
    scratch: &mut Scratch<'_>,
    world: &World<'_>,
    command: &Command,
    execution: &Execution,
    mut conclusion: Conclusion,
    raw_output: Option<StoredArtifact>,
) -> Result<(), Need> {
    // What runs at most once is known by its last attempt; of what may run again, any attempt may have left something.
    let may_run_again = world.operation(execution).is_none_or(|operation| operation.operation().may_run_again());
    conclusion.may_have_run |= execution.may_have_run && may_run_again;
    if let Some(operation) = world.operation(execution) {
        let input = command.input(execution);
        let failure = serde_json::json!({ "code": conclusion.code, "message": conclusion.message });
        if let Ok(events) = effects::evaluate_failed(operation.operation(), &input, &failure) {
            let about = enact_model::json::Json::from(&failure);
            emit_failed(scratch, world, command, execution, events, &about)?;
        }
    }
    if let Some(raw) = &raw_output {
        keep_raw(scratch, command, execution, raw)?;
    }
    settle(scratch, world, command, execution, Outcome::Failed { conclusion, raw_output })
}

/// Settles what was asked to stop and is not at a host any more, or never was.
pub(super) fn settle_stopped(
    scratch: &mut Scratch<'_>,
    world: &World<'_>,
    command: &Command,
    execution: &Execution,
    may_have_run: bool,
) -> Result<(), Need> {
    match &execution.stop {
        Some(stop) if stop.cause == StopCause::Cancel => {
            let outcome = Outcome::Cancelled { reason: stop.reason.clone(), may_have_run };
            settle(scratch, world, command, execution, outcome)
        }
        _ => {
            let mut conclusion = too_late(world, execution, may_have_run);
            conclusion.may_have_run = may_have_run;
            let stopped = Execution { may_have_run: execution.may_have_run || may_have_run, ..execution.clone() };
            fail(scratch, world, command, &stopped, conclusion, None)
        }
    }
}

/// Says what it means that the total deadline passed: what may have run and may not run again is for a person to look at.
/// A reconciler is not asked, for nobody waits beyond a total deadline.
fn too_late(world: &World<'_>, execution: &Execution, may_have_run: bool) -> Conclusion {
    let message = match execution.deadline_at {
        Some(at) => format!("the total deadline passed at {at}, in phase {}", execution.phase.word()),
        None => "it was stopped".to_owned(),
    };
    let may_run_again = world.operation(execution).is_some_and(|operation| operation.operation().may_run_again());
    if may_have_run && !may_run_again {
        return Conclusion::new(code::DEADLINE_IN_DOUBT, format!("{message}; it may have run"))
            .hint("find out whether it ran, then `enact execution retry --confirm-may-have-run`");
    }
    Conclusion::new(code::DEADLINE_PASSED, message)
        .hint("submit it again with a longer deadline, or look why it had to wait")
}

/// Lets an execution go on that waits for nothing any more: it starts or waits for a slot, or ends if its total deadline
/// has come before the clock's turn has.
pub(super) fn go_on(
    scratch: &mut Scratch<'_>,
    world: &World<'_>,
    command: &Command,
    execution: &Execution,
) -> Result<(), Need> {
    if execution.is_overdue(scratch.now()) {
        return stop(scratch, world, command, execution, StopCause::Deadline, "its total deadline passed");
    }
    slots::start_or_queue(scratch, world, execution)
}

/// Asks an execution to stop: at once if it is not at a host, else through its host.
pub(super) fn stop(
    scratch: &mut Scratch<'_>,
    world: &World<'_>,
    command: &Command,
    execution: &Execution,
    cause: StopCause,
    reason: &str,
) -> Result<(), Need> {
    let give_up_at = scratch.now().plus(enact_model::limits::STOP_LIMIT);
    let (id, reason, role) = (execution.id, reason.to_owned(), command.body.steered_as().map(Cow::Borrowed));
    // A deadline is nobody's wish, whoever it was whose command met it.
    let role = role.filter(|_| cause == StopCause::Cancel);
    let body = Body::StopRequested { execution: id, cause, reason, give_up_at, role };
    scratch.record(Some(execution.tenant()), execution.records.last().copied(), body)?;
    if execution.phase == Phase::Running {
        return Ok(());
    }
    match scratch.execution(execution.tenant(), execution.id)? {
        Some(stopped) => settle_stopped(scratch, world, command, &stopped, stopped.may_have_run),
        None => Ok(()),
    }
}
