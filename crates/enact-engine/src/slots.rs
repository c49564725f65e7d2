//! Slots: who may start now, who is next, and that a tenant with many does not keep out one with few.
//!
//! An execution first takes a slot of its gate, if it has one, then a slot of the hub. One that holds its gate and finds
//! the hub full waits in the hub's queue and keeps the gate, so that nobody has to move between queues twice.

use std::ops::Deref;
use std::sync::Arc;

use enact_model::execution::{Execution, Gate, Wake};
use enact_model::id::{ExecutionId, TenantId};
use enact_model::record::Body;
use enact_model::table::{Key, KeyRange, Row};

use crate::decide::World;
use crate::scratch::Scratch;
use crate::view::{Need, Typed, View, rows};

/// The queue for slots of the hub; a gate's queue has the gate's name, which always contains a dot.
pub(crate) const HUB_QUEUE: &str = "*";

/// Returns the queue in which an execution would have to wait, or none if it may start. Who
/// calls for a parent calls for its child.
pub(crate) fn queue_for(
    scratch: &Scratch<'_>,
    world: &World<'_>,
    (id, parent): (ExecutionId, Option<ExecutionId>),
    gate: Option<&Gate>,
    holds_gate: bool,
) -> Result<Option<String>, Need> {
    if let Some(gate) = gate
        && !holds_gate
        && taken(scratch, &gate.name)? >= gate.limit
    {
        return Ok(Some(gate.name.clone()));
    }
    let called_for = world.policy.called_for.is_some_and(|called| called == id || parent == Some(called));
    let full = !called_for && taken(scratch, HUB_QUEUE)? >= world.policy.running_max;
    Ok(full.then(|| HUB_QUEUE.to_owned()))
}

fn taken(scratch: &Scratch<'_>, gate: &str) -> Result<u32, Need> {
    Ok(scratch.gate_row(&Key::gate(gate))?.unwrap_or_default())
}

/// Starts an execution, or lets it wait in the queue it needs.
pub(crate) fn start_or_queue(scratch: &mut Scratch<'_>, world: &World<'_>, execution: &Execution) -> Result<(), Need> {
    let names = (execution.id, execution.parent);
    match queue_for(scratch, world, names, execution.gate.as_ref(), execution.holds_gate)? {
        None => start(scratch, world, execution),
        Some(queue) => {
            let body = Body::Waited { execution: execution.id, wake: Wake::Slot { queue } };
            scratch.record(Some(execution.tenant()), execution.records.last().copied(), body)?;
            Ok(())
        }
    }
}

/// Starts the next attempt.
pub(crate) fn start(
    scratch: &mut Scratch<'_>,
    world: &World<'_>,
    execution: impl Deref<Target = Execution>,
) -> Result<(), Need> {
    let timeout = world.timeout(&execution);
    let deadline_at = scratch.now().plus(timeout);
    let deadline_at = execution.deadline_at.map_or(deadline_at, |total| total.min(deadline_at));
    let body = Body::AttemptStarted { execution: execution.id, attempt: execution.attempt + 1, deadline_at };
    let (tenant, cause) = (execution.tenant().clone(), execution.records.last().copied());
    // Let go of here, it can be changed in place.
    drop(execution);
    scratch.record(Some(&tenant), cause, body)?;
    Ok(())
}

/// Gives freed slots to those that wait: first those of the gate, then those of the hub.
pub(crate) fn hand_on(scratch: &mut Scratch<'_>, world: &World<'_>, gate: Option<&Gate>) -> Result<(), Need> {
    if nobody_waits(scratch)? {
        return Ok(());
    }
    if let Some(gate) = gate {
        // Versions of one operation share a gate and may differ in their limits: that of the one who waits counts.
        while let Some(execution) = next(scratch, &gate.name)?
            && taken(scratch, &gate.name)? < execution.gate.as_ref().map_or(gate.limit, |gate| gate.limit)
        {
            start_or_queue(scratch, world, &execution)?;
        }
    }
    while taken(scratch, HUB_QUEUE)? < world.policy.running_max
        && let Some(execution) = next(scratch, HUB_QUEUE)?
    {
        start(scratch, world, execution)?;
    }
    Ok(())
}

/// Tells at once what is true nearly always: everything that is open has a slot of the hub, so no queue has anybody in it.
fn nobody_waits(scratch: &Scratch<'_>) -> Result<bool, Need> {
    let open = scratch.tally_row(&Key::tally_all())?.map_or(0, |row| row.open);
    Ok(open == u64::from(taken(scratch, HUB_QUEUE)?))
}

/// Starts what is called for, if it waits for nothing but a slot of the hub.
pub(crate) fn start_called_for(scratch: &mut Scratch<'_>, world: &World<'_>) -> Result<(), Need> {
    let Some(called) = world.policy.called_for else { return Ok(()) };
    let tenant = rows(scratch, KeyRange::queue(HUB_QUEUE)).find_map(|(key, row)| match row {
        Row::Queue(row) if row.execution == called => key.second_text()?.parse::<TenantId>().ok(),
        _ => None,
    });
    let Some(tenant) = tenant else { return Ok(()) };
    match scratch.execution(&tenant, called)? {
        Some(execution) if !execution.is_overdue(scratch.now()) => start(scratch, world, execution),
        _ => Ok(()),
    }
}

/// Returns who is next in a queue: the first of the tenant that follows the one served last. One whose total deadline has
/// come starts no more; the clock settles it, and that hands its turn on.
fn next(scratch: &Scratch<'_>, queue: &str) -> Result<Option<Arc<Execution>>, Need> {
    let Some(first) = scratch.first(&KeyRange::queue(queue)) else { return Ok(None) };
    let after = match scratch.turn_row(&Key::turn(queue))? {
        Some(last) => scratch.first(&KeyRange::queue_after(queue, &last)),
        None => None,
    };
    let (key, Row::Queue(row)) = after.unwrap_or(first) else { return Ok(None) };
    let Some(tenant) = key.second_text().and_then(|text| text.parse().ok()) else { return Ok(None) };
    Ok(scratch.execution(&tenant, row.execution)?.filter(|execution| !execution.is_overdue(scratch.now())))
}
