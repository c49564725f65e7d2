//! Cancel, pause, resume, retry: what an operator may ask of an execution, in every phase.

use std::borrow::Cow;
use std::sync::Arc;

use enact_model::conclusion::Conclusion;
use enact_model::descriptor::OperationKind;
use enact_model::execution::{Execution, Phase, StopCause, Wake};
use enact_model::id::{ExecutionId, IntentId, TenantId};
use enact_model::intent::Intent;
use enact_model::json::Json;
use enact_model::outcome::Outcome;
use enact_model::record::Body;

use super::submit::{Admission, Asked, accept, admit, gate_of, overloaded, unfit};
use super::{World, refused, settle};
use crate::command::{Answer, Command, CommandBody};
use crate::conclude as code;
use crate::scratch::Scratch;
use crate::slots;
use crate::view::{Need, Typed};

macro_rules! known {
    ($scratch:expr, $tenant:expr, $id:expr) => {
        match $scratch.execution($tenant, $id)? {
            Some(execution) => execution,
            None => return Ok(unknown($tenant, $id)),
        }
    };
}

fn unknown(tenant: &TenantId, id: ExecutionId) -> Answer {
    let message = format!("tenant {tenant} has no execution {id}");
    refused(Conclusion::new(code::EXECUTION_UNKNOWN, message).hint("`enact execution list` shows what there is"))
}

fn conflict(execution: &Execution, what: &str, hint: &str) -> Answer {
    let outcome = execution.outcome.as_ref().map_or(String::new(), |outcome| format!(" ({})", outcome.word()));
    let message = format!("execution {} is {}{outcome} and cannot be {what}", execution.id, execution.phase.word());
    refused(Conclusion::new(code::PHASE_CONFLICT, message).hint(hint))
}

pub(super) fn cancel(
    scratch: &mut Scratch<'_>,
    world: &World<'_>,
    command: &Command,
    tenant: &TenantId,
    id: ExecutionId,
    reason: &str,
) -> Result<Answer, Need> {
    let execution = known!(scratch, tenant, id);
    match execution.phase {
        Phase::Queued | Phase::Waiting => {
            settle::stop(scratch, world, command, &execution, StopCause::Cancel, reason)?;
            slots::hand_on(scratch, world, execution.gate.as_ref())?;
            Ok(Answer::Done(format!("execution {id} is cancelled")))
        }
        Phase::Running => {
            settle::stop(scratch, world, command, &execution, StopCause::Cancel, reason)?;
            Ok(Answer::Done(format!("execution {id} is asked to stop")))
        }
        Phase::Stopping => Ok(Answer::Done(format!("execution {id} is being stopped already"))),
        Phase::Settled => Ok(conflict(&execution, "cancelled", "it is over; nothing is left to cancel")),
    }
}

pub(super) fn pause(
    scratch: &mut Scratch<'_>,
    world: &World<'_>,
    tenant: &TenantId,
    id: ExecutionId,
    reason: &str,
    role: Option<&'static str>,
) -> Result<Answer, Need> {
    let execution = known!(scratch, tenant, id);
    let cause = execution.records.last().copied();
    let body = Body::PauseRequested { execution: id, reason: reason.to_owned(), role: role.map(Cow::Borrowed) };
    match (execution.phase, &execution.wake) {
        (Phase::Waiting, Some(Wake::Resume)) => Ok(Answer::Done(format!("execution {id} is paused already"))),
        (Phase::Queued, _) | (Phase::Waiting, Some(Wake::Retry { .. })) => {
            scratch.record(Some(tenant), cause, body)?;
            if let Some(execution) = scratch.execution(tenant, id)? {
                wait_for_resume(scratch, &execution)?;
            }
            slots::hand_on(scratch, world, execution.gate.as_ref())?;
            Ok(Answer::Done(format!("execution {id} is paused")))
        }
        (Phase::Running | Phase::Waiting, _) => {
            if !execution.pause_requested {
                scratch.record(Some(tenant), cause, body)?;
            }
            Ok(Answer::Done(format!("execution {id} will pause at its next boundary")))
        }
        (Phase::Stopping | Phase::Settled, _) => {
            Ok(conflict(&execution, "paused", "only what is queued, waiting or running can be paused"))
        }
    }
}

/// Says that an execution goes on, and who with which role let it.
fn resumed(command: &Command, execution: ExecutionId, reason: &str) -> Body {
    let role = command.body.steered_as().map(Cow::Borrowed);
    Body::Resumed { execution, reason: reason.to_owned(), role }
}

/// Lets an execution wait until somebody resumes it.
pub(super) fn wait_for_resume(scratch: &mut Scratch<'_>, execution: &Execution) -> Result<(), Need> {
    let body = Body::Waited { execution: execution.id, wake: Wake::Resume };
    scratch.record(Some(execution.tenant()), execution.records.last().copied(), body)?;
    Ok(())
}

pub(super) fn resume(
    scratch: &mut Scratch<'_>,
    world: &World<'_>,
    command: &Command,
    tenant: &TenantId,
    id: ExecutionId,
    reason: &str,
) -> Result<Answer, Need> {
    let execution = known!(scratch, tenant, id);
    let paused = execution.wake == Some(Wake::Resume);
    if !paused && !execution.pause_requested {
        return Ok(conflict(&execution, "resumed", "it is not paused"));
    }
    let due = execution.paused_until_due;
    let body = resumed(command, id, reason);
    scratch.record(Some(tenant), execution.records.last().copied(), body)?;
    if paused && let Some(execution) = scratch.execution(tenant, id)? {
        match due.filter(|due| *due > scratch.now()) {
            Some(due) if execution.attempt == 0 => {
                let body = Body::Waited { execution: id, wake: Wake::StartAfter { due } };
                scratch.record(Some(tenant), execution.records.last().copied(), body)?;
            }
            Some(due) => {
                let body = Body::Waited { execution: id, wake: Wake::Retry { due } };
                scratch.record(Some(tenant), execution.records.last().copied(), body)?;
            }
            None => settle::go_on(scratch, world, command, &execution)?,
        }
    }
    Ok(Answer::Done(format!("execution {id} goes on")))
}

pub(super) fn retry(
    scratch: &mut Scratch<'_>,
    world: &World<'_>,
    command: &Command,
    tenant: &TenantId,
    id: ExecutionId,
    reason: &str,
    confirm_may_have_run: bool,
) -> Result<Answer, Need> {
    let execution = known!(scratch, tenant, id);
    match (execution.phase, &execution.wake) {
        (Phase::Waiting, Some(Wake::Retry { .. })) => {
            let body = resumed(command, id, reason);
            scratch.record(Some(tenant), execution.records.last().copied(), body)?;
            if let Some(execution) = scratch.execution(tenant, id)? {
                settle::go_on(scratch, world, command, &execution)?;
            }
            Ok(Answer::Done(format!("execution {id} is due now")))
        }
        (Phase::Waiting, Some(Wake::Resume)) => Ok(conflict(&execution, "retried", "it is paused: resume it")),
        (Phase::Settled, _) => repeat(scratch, world, command, &execution, confirm_may_have_run),
        _ => Ok(conflict(&execution, "retried", "only what waits for its next attempt, or has failed, can be retried")),
    }
}

/// Retry of a settled execution is a new one.
fn repeat(
    scratch: &mut Scratch<'_>,
    world: &World<'_>,
    command: &Command,
    settled: &Execution,
    confirm_may_have_run: bool,
) -> Result<Answer, Need> {
    let Some(outcome) = settled.outcome.as_deref() else { return Ok(Answer::Noted) };
    if matches!(outcome, Outcome::Completed { .. }) {
        return Ok(conflict(settled, "retried", "it succeeded; submit a new intent to do the same again"));
    }
    let query = world.operation(settled).is_some_and(|known| known.operation().kind == OperationKind::Query);
    if outcome.may_have_run() && !query && !confirm_may_have_run {
        let message = format!("execution {} may have run, and what it did is not known", settled.id);
        let hint = "find out whether it did; then say so with --confirm-may-have-run";
        return Ok(refused(Conclusion::new(code::CONFIRMATION_MISSING, message).hint(hint)));
    }
    let id = command.execution_id(0);
    let intent = Arc::new(Intent {
        intent_id: IntentId::from_u128(id.as_u128()),
        created_at: command.time,
        idempotency_key: None,
        start_after: None,
        ..(*settled.intent).clone()
    });
    let resolved = match admit(scratch, world, &intent)? {
        Ok(resolved) => resolved,
        Err(refusal) => return Ok(refusal.answer()),
    };
    let gate = match intent.parameters.inline().map(Json::to_value) {
        Some(input) => {
            if let Some(refusal) = unfit(scratch, &intent, &resolved, &input)? {
                return Ok(refusal.answer());
            }
            gate_of(&resolved, &input)
        }
        // What is kept by reference was checked for the version it ran on, and is not here to be checked for another.
        None if resolved.digest == settled.pin.digest => settled.gate.clone(),
        None => {
            let message = format!("its parameters were not checked for version {}", resolved.version);
            return Ok(conflict(settled, "retried", &format!("{message}: submit a new intent")));
        }
    };
    if let Some(answer) = overloaded(scratch, world, &intent)? {
        return Ok(answer);
    }
    let (reason, role) = match &command.body {
        CommandBody::Retry { reason, role, .. } => (Some(reason.clone()), *role),
        _ => (None, None),
    };
    let asked = Asked { retry_of: Some(settled.id), reason, role, parent: None };
    accept(scratch, world, Admission { id, intent: &intent, resolved, gate, asked })?;
    Ok(Answer::Accepted(id))
}
