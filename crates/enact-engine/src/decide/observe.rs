//! Observe: what a host saw becomes an outcome, another attempt, a question to the reconciler, or a late note.

use std::cell::LazyCell;
use std::ops::Deref;
use std::sync::Arc;

use enact_catalog::schema::Fits;
use enact_model::conclusion::Conclusion;
use enact_model::descriptor::{Operation, Retry, RetryOn};
use enact_model::execution::{Execution, Phase, StopCause, Wake};
use enact_model::id::{IntentId, Selector};
use enact_model::intent::Intent;
use enact_model::json::Json;
use enact_model::observation::{FaultKind, Reached, Reply, Seen};
use enact_model::outcome::Outcome;
use enact_model::payload::Payload;
use enact_model::record::Body;
use enact_model::taxonomy::Disposition;
use serde_json::Value;

use super::effects::{Completion, complete};
use super::settle::{fail, go_on, settle, settle_stopped};
use super::submit::{Admission, Asked, accept, gate_of};
use super::{World, operate};
use crate::command::{Answer, Command, CommandBody};
use crate::conclude as code;
use crate::conclude::{conclude, counts_against_policy, suspect};
use crate::policy::{apart_ms, backoff_ms, jitter_ms};
use crate::reconcile::{Finding, finding};
use crate::scratch::Scratch;
use crate::slots;
use crate::view::{Need, Typed};

/// Attempts that were lost through no fault of the handler, before the hub gives up.
const UNCOUNTED_MAX: u32 = 100;
/// What an operation without `retry` gets: only what certainly did not reach the handler is tried again.
const DEFAULT_RETRY: Retry =
    Retry { attempts: 3, backoff_min_ms: 200, backoff_max_ms: 30_000, on: RetryOn::NotReached };

pub(super) fn observe(scratch: &mut Scratch<'_>, world: &World<'_>, command: &Command) -> Result<Answer, Need> {
    let CommandBody::Observe { tenant, execution: id, attempt, observation, output, raw, fits, .. } = &command.body
    else {
        return Ok(Answer::Noted);
    };
    let Some(before) = scratch.execution(tenant, *id)? else { return Ok(Answer::Noted) };
    let cause = before.records.last().copied();
    let current = before.attempt == *attempt && matches!(before.phase, Phase::Running | Phase::Stopping);
    if !current {
        let body = Body::LateObserved { execution: *id, attempt: *attempt, observation: observation.clone() };
        scratch.record(Some(tenant), cause, body)?;
        return Ok(Answer::Noted);
    }
    let body = Body::AttemptObserved { execution: *id, attempt: *attempt, observation: observation.clone() };
    scratch.record(Some(tenant), cause, body)?;
    let Some(execution) = scratch.execution(tenant, *id)? else { return Ok(Answer::Noted) };
    let Some(operation) = world.operation(&execution) else {
        let message = format!("component {} {} is no longer known", execution.pin.name, execution.pin.version);
        fail(scratch, world, command, &execution, Conclusion::new(code::INTERNAL, message), None)?;
        return Ok(Answer::Noted);
    };
    match &observation.seen {
        Seen::Replied(reply) => {
            let seen = output.as_ref().or(reply.output.inline());
            let seen = seen.map(|json| LazyCell::new(|| json.to_value()));
            finish(scratch, world, command, execution, reply, (seen, fits.as_ref()), raw.clone())?;
        }
        Seen::Fault(_) if execution.phase == Phase::Stopping => {
            settle_stopped(scratch, world, command, &execution, execution.may_have_run)?;
        }
        Seen::Fault(fault) => {
            let conclusion = suspect(conclude(fault, operation.operation()), execution.uncounted);
            let raw = fault.evidence.raw_output.clone().or_else(|| raw.clone());
            after_fault(scratch, world, command, &execution, conclusion, fault.reached, raw)?;
        }
    }
    Ok(Answer::Noted)
}

/// Completes with the effects of a reply, or fails if they cannot be.
fn finish(
    scratch: &mut Scratch<'_>,
    world: &World<'_>,
    command: &Command,
    execution: impl Deref<Target = Execution>,
    reply: &Reply,
    (output, fits): (Option<impl Deref<Target = Value>>, Option<&Fits>),
    raw: Option<enact_model::observation::StoredArtifact>,
) -> Result<(), Need> {
    let completion = match &output {
        Some(output) => complete(scratch, world, command, &execution, reply, (output, fits))?,
        None => Completion::Refused(Box::new(FaultKind::StoreUnavailable.fault("the stored output could not be read"))),
    };
    match completion {
        Completion::Done(output) => {
            let cancel_too_late = execution.stop.as_ref().is_some_and(|stop| stop.cause == StopCause::Cancel);
            settle(scratch, world, command, execution, Outcome::Completed { output, cancel_too_late })
        }
        Completion::Refused(fault) => {
            let Some(operation) = world.operation(&execution) else { return Ok(()) };
            let conclusion = conclude(&fault, operation.operation());
            if execution.phase == Phase::Stopping {
                return settle_stopped(scratch, world, command, &execution, true);
            }
            after_fault(scratch, world, command, &execution, conclusion, fault.reached, raw)
        }
    }
}

/// Another attempt, a question to the reconciler, or the end.
fn after_fault(
    scratch: &mut Scratch<'_>,
    world: &World<'_>,
    command: &Command,
    execution: &Execution,
    conclusion: Conclusion,
    reached: Reached,
    raw: Option<enact_model::observation::StoredArtifact>,
) -> Result<(), Need> {
    let Some(compiled) = world.operation(execution) else { return Ok(()) };
    let operation = compiled.operation();
    if let Some(pause_ms) = pause_before_retry(operation, execution, &conclusion, reached, command) {
        return retry_later(scratch, world, command, execution, conclusion, pause_ms);
    }
    let in_doubt = reached == Reached::Unknown && !operation.may_run_again();
    if in_doubt && let Some(reconcile) = &operation.reconcile {
        return ask_reconciler(scratch, world, command, execution, reconcile, conclusion);
    }
    fail(scratch, world, command, execution, conclusion, raw)
}

/// Returns how long to wait before the next attempt, or that there is none.
fn pause_before_retry(
    operation: &Operation,
    execution: &Execution,
    conclusion: &Conclusion,
    reached: Reached,
    command: &Command,
) -> Option<u64> {
    let disposition = conclusion.disposition();
    if !matches!(disposition, Disposition::RetryNow | Disposition::RetryLater) {
        return None;
    }
    if !counts_against_policy(conclusion) {
        let lost_now = execution.uncounted + 1;
        // The first loss is made good at once; a series of them is slowed down.
        let pause = match conclusion.kind {
            _ if lost_now == 1 => 0,
            Some(FaultKind::LostWithInstance) => apart_ms(lost_now - 1, command.random(7) as u64),
            _ => backoff_ms(lost_now - 1, 50, 10_000),
        };
        return (lost_now < UNCOUNTED_MAX && (operation.may_run_again() || reached == Reached::No)).then_some(pause);
    }
    let policy = operation.retry.as_ref().unwrap_or(&DEFAULT_RETRY);
    if policy.on == RetryOn::NotReached && reached != Reached::No {
        return None;
    }
    let counted = execution.attempt.saturating_sub(execution.uncounted);
    if counted >= policy.attempts {
        return None;
    }
    if disposition == Disposition::RetryNow {
        return Some(0);
    }
    let pause = backoff_ms(counted, policy.backoff_min_ms, policy.backoff_max_ms);
    Some(jitter_ms(pause, command.random(7) as u64))
}

fn retry_later(
    scratch: &mut Scratch<'_>,
    world: &World<'_>,
    command: &Command,
    execution: &Execution,
    conclusion: Conclusion,
    pause_ms: u64,
) -> Result<(), Need> {
    let tenant = execution.tenant();
    let due = scratch.now().plus(std::time::Duration::from_millis(pause_ms));
    let cause = execution.records.last().copied();
    let body = Body::RetryScheduled { execution: execution.id, due, conclusion: Box::new(conclusion) };
    scratch.record(Some(tenant), cause, body)?;
    if let Some(waiting) = scratch.execution(tenant, execution.id)? {
        if execution.pause_requested {
            operate::wait_for_resume(scratch, &waiting)?;
        } else if pause_ms == 0 {
            go_on(scratch, world, command, &waiting)?;
        }
    }
    slots::hand_on(scratch, world, execution.gate.as_ref())
}

/// Starts the child that finds out what became of an attempt in doubt.
fn ask_reconciler(
    scratch: &mut Scratch<'_>,
    world: &World<'_>,
    command: &Command,
    execution: &Execution,
    reconcile: &Selector,
    conclusion: Conclusion,
) -> Result<(), Need> {
    let tenant = execution.tenant();
    let resolved = match world.catalog.resolve(&reconcile.intent_type(), &execution.intent.solution_id) {
        Ok(resolved) => resolved,
        Err(_) => return fail(scratch, world, command, execution, conclusion, None),
    };
    let child = command.execution_id(1);
    let input = serde_json::json!({
        "execution": execution.id,
        "token": execution.id.to_string(),
        "input": command.input(execution),
    });
    let intent = Intent {
        intent_id: IntentId::from_u128(child.as_u128()),
        intent_type: reconcile.intent_type(),
        tenant_id: tenant.clone(),
        session_id: execution.intent.session_id.clone(),
        solution_id: execution.intent.solution_id.clone(),
        parameters: Payload::Inline(Json::from(&input)),
        metadata: execution.intent.metadata.clone(),
        created_at: command.time,
        idempotency_key: None,
        deadline_ms: None,
        start_after: None,
    };
    let body = Body::Waited { execution: execution.id, wake: Wake::Reconcile { child } };
    scratch.record(Some(tenant), execution.records.last().copied(), body)?;
    let intent = Arc::new(intent);
    let asked = Asked { parent: Some(execution.id), ..Asked::default() };
    let gate = gate_of(&resolved, &input);
    let admission = Admission { id: child, intent: &intent, resolved, gate, asked };
    accept(scratch, world, admission)?;
    slots::hand_on(scratch, world, execution.gate.as_ref())
}

/// Goes on with what the reconciler found out.
pub(super) fn reconciled(
    scratch: &mut Scratch<'_>,
    world: &World<'_>,
    command: &Command,
    parent: &Execution,
    child: &Execution,
) -> Result<(), Need> {
    let answer = match child.outcome.as_deref() {
        Some(Outcome::Completed { output, .. }) => command.output(child, output),
        _ => Value::Null,
    };
    match finding(&answer) {
        Finding::Completed(output) => {
            let reply = Reply { output: Payload::of(Json::from(output)), envelope: None, artifacts: Vec::new() };
            finish(scratch, world, command, parent, &reply, (Some(output), None), None)
        }
        Finding::NotRun => {
            let fault = FaultKind::ReconciledNotRun.fault("the reconciler says that it did not run");
            let Some(operation) = world.operation(parent) else { return Ok(()) };
            let conclusion = conclude(&fault, operation.operation());
            after_fault(scratch, world, command, parent, conclusion, fault.reached, None)
        }
        Finding::Unknown => {
            let message = format!("the reconciler {} could not tell whether it ran", child.id);
            let mut conclusion = Conclusion::new(code::STAYS_IN_DOUBT, message)
                .hint("find out by hand, then `enact execution retry --confirm-may-have-run`");
            conclusion.may_have_run = true;
            fail(scratch, world, command, parent, conclusion, None)
        }
    }
}
