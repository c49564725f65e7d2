//! What sinks did with messages, messages sent again by hand, and retention.

use std::borrow::Cow;
use std::sync::Arc;

use enact_model::conclusion::Conclusion;
use enact_model::execution::Execution;
use enact_model::id::{ExecutionId, Lsn, MessageId, SinkId, TenantId};
use enact_model::message::Delivery;
use enact_model::record::Body;
use enact_model::table::Key;

use super::{World, refuse, refused};
use crate::command::{Answer, Command, DeliveryResult};
use crate::conclude as code;
use crate::policy::{backoff_ms, jitter_ms};
use crate::scratch::Scratch;
use crate::view::{Need, Typed, all};

pub(super) fn deliver(
    scratch: &mut Scratch<'_>,
    world: &World<'_>,
    command: &Command,
    tenant: &TenantId,
    message: MessageId,
    sink: &SinkId,
    result: &DeliveryResult,
) -> Result<Answer, Need> {
    let Some(row) = scratch.message_row(&Key::message(tenant, message))? else { return Ok(Answer::Noted) };
    let delivery = row.message.sinks.iter().position(|known| known == sink).and_then(|at| row.deliveries.get(at));
    let Some(Delivery::Pending { tries, .. }) = delivery else { return Ok(Answer::Noted) };
    let policy = world.policy;
    let sink = sink.clone();
    let body = match result {
        DeliveryResult::Delivered => Body::MessageDelivered { message, sink },
        DeliveryResult::Poison { reason } => Body::MessageDeadLettered { message, sink, reason: reason.clone() },
        DeliveryResult::Failed { reason, .. } if tries + 1 >= policy.delivery_attempts => {
            let reason = format!("given up after {} tries: {reason}", tries + 1);
            Body::MessageDeadLettered { message, sink, reason }
        }
        DeliveryResult::Failed { reason, retry_after } => {
            let (first, longest) = policy.delivery_backoff;
            let pause = backoff_ms(tries + 1, first.as_millis() as u64, longest.as_millis() as u64);
            let pause = std::time::Duration::from_millis(jitter_ms(pause, command.random(0) as u64));
            let not_before = scratch.now().plus(pause.max(retry_after.unwrap_or_default()));
            Body::MessageDelayed { message, sink, not_before, reason: reason.clone() }
        }
    };
    scratch.record(Some(tenant), Some(row.lsn), body)?;
    Ok(Answer::Noted)
}

pub(super) fn redeliver(
    scratch: &mut Scratch<'_>,
    tenant: &TenantId,
    message: MessageId,
    sink: Option<&SinkId>,
    reason: &str,
    role: Option<&'static str>,
) -> Result<Answer, Need> {
    let Some(row) = scratch.message_row(&Key::message(tenant, message))? else {
        let conclusion = Conclusion::new(code::NOT_FOUND, format!("tenant {tenant} has no message {message}"));
        return Ok(refused(conclusion.hint("`enact outbox list` shows what there is")));
    };
    if let Some(sink) = sink
        && !row.message.sinks.contains(sink)
    {
        return Ok(refuse(code::NOT_FOUND, format!("message {message} does not go to the sink {sink}")));
    }
    let mut again = 0;
    for (known, delivery) in row.message.sinks.iter().zip(&row.deliveries) {
        let asked = sink.is_none_or(|sink| sink == known);
        // Without a sink only dead letters are sent again; with one, what was delivered as well.
        let wanted = match delivery {
            Delivery::Pending { .. } => false,
            Delivery::Delivered { .. } => sink.is_some(),
            Delivery::DeadLettered { .. } => true,
        };
        if asked && wanted {
            let (sink, role) = (known.clone(), role.map(Cow::Borrowed));
            let body = Body::MessageRequeued { message, sink, reason: reason.to_owned(), role };
            scratch.record(Some(tenant), Some(row.lsn), body)?;
            again += 1;
        }
    }
    Ok(if again == 0 {
        let message = format!("message {message} has nothing to send again");
        refused(Conclusion::new(code::PHASE_CONFLICT, message).hint("name a sink to repeat a delivery"))
    } else {
        Answer::Done(format!("message {message} is sent again to {again} sinks"))
    })
}

/// Drops the rows of what is over; whatever is still open or not yet delivered stays, with its records, whoever asked. Only what is
/// named is looked at: a hub with much that is open must not stand still for every page of what is not.
pub(super) fn drop_history(
    scratch: &mut Scratch<'_>,
    world: &World<'_>,
    before: Lsn,
    reason: &str,
    executions: &[(TenantId, ExecutionId)],
    messages: &[(TenantId, MessageId)],
) -> Result<Answer, Need> {
    let keep = world.policy.idempotency_keep;
    let named = all(executions.iter().map(|(tenant, id)| scratch.execution(tenant, *id)))?;
    let is_over = |row: &Arc<Execution>| row.settled_at.is_some_and(|at| scratch.now().since(at) >= keep);
    let (over, open): (Vec<_>, Vec<_>) = named.into_iter().flatten().partition(is_over);
    let named = all(messages.iter().map(|(tenant, id)| scratch.message_row(&Key::message(tenant, *id))))?;
    let (pending, sent): (Vec<_>, Vec<_>) = named.into_iter().flatten().partition(|row| row.is_pending());
    let needed = open.iter().map(|row| row.accepted_lsn).chain(pending.iter().map(|row| row.lsn));
    let before = needed.fold(before, Lsn::min);
    let executions: Vec<_> = over.iter().map(|row| (row.tenant().clone(), row.id)).collect();
    let messages: Vec<_> = sent.iter().map(|row| (row.message.tenant_id.clone(), row.message.id)).collect();
    let said = format!("dropped {} executions and {} messages", executions.len(), messages.len());
    let body = Body::HistoryDropped { before, reason: reason.to_owned(), executions, messages };
    scratch.record(None, None, body)?;
    Ok(Answer::Done(said))
}
