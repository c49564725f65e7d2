//! Records in the life of one execution.

use std::sync::Arc;

use enact_model::conclusion::Conclusion;
use enact_model::execution::{Execution, Phase, Stop, StopCause, Wake};
use enact_model::id::{ExecutionId, TenantId};
use enact_model::observation::{Reached, Seen};
use enact_model::outcome::Outcome;
use enact_model::record::{Acceptance, Body, Record};
use enact_model::table::{DueKind, IdempotencyRow, IntentRow, Key, KeyRange, QueueRow, Row, TallyRow};
use enact_model::time::Timestamp;

use super::tenant_of;
use crate::changes::Changes;
use crate::conclude::counts_against_policy;
use crate::slots::HUB_QUEUE;
use crate::view::{Need, Typed, rows};

pub(super) fn accept(changes: &mut Changes<'_>, record: &Record, acceptance: &Acceptance) -> Result<(), Need> {
    let intent = &acceptance.intent;
    let tenant = &intent.tenant_id;
    let id = acceptance.execution;
    let mut execution = Execution {
        id,
        intent: Arc::clone(intent),
        selector: acceptance.selector.clone(),
        pin: acceptance.pin.clone(),
        phase: Phase::Queued,
        wake: None,
        attempt: 0,
        accepted_at: record.time,
        accepted_lsn: record.lsn,
        attempt_started_at: None,
        deadline_at: acceptance.deadline_at,
        gate: acceptance.gate.clone(),
        holds_gate: false,
        holds_hub: false,
        uncounted: 0,
        stop: None,
        pause_requested: false,
        paused_until_due: None,
        may_have_run: false,
        retry_of: acceptance.retry_of,
        parent: acceptance.parent,
        last: None,
        outcome: None,
        settled_at: None,
        records: std::iter::once(record.lsn).collect(),
    };
    enter(changes, &mut execution, acceptance.wake.clone())?;
    if let Some(deadline) = acceptance.deadline_at {
        changes.put(Key::due(deadline, DueKind::Deadline, tenant, id), Row::Due(()));
    }
    changes.put(Key::active(tenant, id), Row::Active(()));
    if !intent.session_id.is_default() {
        changes.put(Key::session_execution(tenant, &intent.session_id, id), Row::SessionExecution(()));
    }
    if !execution.has_number_of_intent() {
        let row = IntentRow::Accepted { execution: id, at: record.time, lsn: record.lsn };
        changes.put(Key::intent(tenant, intent.intent_id), Row::Intent(Arc::new(row)));
    }
    if let Some(key) = &intent.idempotency_key {
        let row = IdempotencyRow { execution: id, fingerprint: intent.fingerprint() };
        changes.put(Key::idempotency(tenant, &intent.intent_type, key), Row::Idempotency(Arc::new(row)));
    }
    tally(changes, tenant, &execution, 1)?;
    save(changes, execution);
    Ok(())
}

pub(super) fn start(changes: &mut Changes<'_>, record: &Record, id: ExecutionId, attempt: u32) -> Result<(), Need> {
    edit(changes, record, id, |changes, execution| {
        leave(changes, execution, true)?;
        if !execution.holds_hub {
            changes.count(Key::gate(HUB_QUEUE), 1)?;
            execution.holds_hub = true;
        }
        take_gate(changes, execution)?;
        execution.phase = Phase::Running;
        execution.wake = Some(Wake::Answer { attempt });
        execution.attempt = attempt;
        execution.attempt_started_at = Some(record.time);
        Ok(())
    })
}

pub(super) fn observe(changes: &mut Changes<'_>, record: &Record, id: ExecutionId) -> Result<(), Need> {
    edit(changes, record, id, |changes, execution| {
        if let Body::AttemptObserved { observation, .. } = &record.body
            && let Seen::Fault(fault) = &observation.seen
        {
            // A fault that the handler reported is an answer, unless it was just being killed.
            execution.may_have_run |= match fault.reached {
                Reached::No => false,
                Reached::Unknown => true,
                Reached::Yes => execution.phase == Phase::Stopping,
            };
        }
        release(changes, execution)
    })
}

pub(super) fn note(changes: &mut Changes<'_>, record: &Record, id: ExecutionId) -> Result<(), Need> {
    edit(changes, record, id, |_, _| Ok(()))
}

pub(super) fn schedule(
    changes: &mut Changes<'_>,
    record: &Record,
    id: ExecutionId,
    due: Timestamp,
    conclusion: &Conclusion,
) -> Result<(), Need> {
    edit(changes, record, id, |changes, execution| {
        // After a reconciler: it has not run after all.
        execution.may_have_run &= !matches!(execution.wake, Some(Wake::Reconcile { .. }));
        leave(changes, execution, false)?;
        execution.last = Some(conclusion.clone());
        if !counts_against_policy(conclusion) {
            execution.uncounted += 1;
        }
        enter(changes, execution, Wake::Retry { due })
    })
}

pub(super) fn wait(changes: &mut Changes<'_>, record: &Record, id: ExecutionId, wake: &Wake) -> Result<(), Need> {
    edit(changes, record, id, |changes, execution| {
        let due = match &execution.wake {
            Some(Wake::Retry { due } | Wake::StartAfter { due }) => Some(*due),
            _ => None,
        };
        leave(changes, execution, matches!(wake, Wake::Slot { .. }))?;
        if *wake == Wake::Resume {
            execution.paused_until_due = due;
            execution.pause_requested = false;
            release(changes, execution)?;
        }
        enter(changes, execution, wake.clone())
    })
}

pub(super) fn stop(
    changes: &mut Changes<'_>,
    record: &Record,
    id: ExecutionId,
    cause: StopCause,
    reason: &str,
    give_up_at: Timestamp,
) -> Result<(), Need> {
    edit(changes, record, id, |changes, execution| {
        execution.stop = Some(Stop { cause, actor: record.actor.to_string(), reason: reason.to_owned() });
        execution.pause_requested = false;
        // From here on its end has a time of its own; an entry that wakes nobody would keep the clock busy.
        if let Some(deadline) = execution.deadline_at {
            changes.remove(Key::due(deadline, DueKind::Deadline, &execution.intent.tenant_id, id));
        }
        if execution.phase == Phase::Running {
            execution.phase = Phase::Stopping;
            enter(changes, execution, Wake::Stop { due: give_up_at })?;
        }
        Ok(())
    })
}

pub(super) fn pause(changes: &mut Changes<'_>, record: &Record, id: ExecutionId) -> Result<(), Need> {
    edit(changes, record, id, |_, execution| {
        execution.pause_requested = true;
        Ok(())
    })
}

pub(super) fn resume(changes: &mut Changes<'_>, record: &Record, id: ExecutionId) -> Result<(), Need> {
    edit(changes, record, id, |_, execution| {
        execution.pause_requested = false;
        execution.paused_until_due = None;
        Ok(())
    })
}

pub(super) fn settle(
    changes: &mut Changes<'_>,
    record: &Record,
    id: ExecutionId,
    outcome: &Arc<Outcome>,
) -> Result<(), Need> {
    edit(changes, record, id, |changes, execution| {
        leave(changes, execution, false)?;
        release(changes, execution)?;
        let tenant = &execution.intent.tenant_id;
        if let Some(deadline) = execution.deadline_at {
            changes.remove(Key::due(deadline, DueKind::Deadline, tenant, id));
        }
        changes.remove(Key::active(tenant, id));
        tally(changes, tenant, execution, -1)?;
        execution.phase = Phase::Settled;
        execution.wake = None;
        execution.pause_requested = false;
        execution.paused_until_due = None;
        execution.outcome = Some(Arc::clone(outcome));
        execution.settled_at = Some(record.time);
        Ok(())
    })
}

/// Changes an execution by one record of its life.
fn edit(
    changes: &mut Changes<'_>,
    record: &Record,
    id: ExecutionId,
    change: impl FnOnce(&mut Changes<'_>, &mut Execution) -> Result<(), Need>,
) -> Result<(), Need> {
    let key = Key::execution(&tenant_of(record), id);
    // It is put back below; nothing in between reads it.
    let Some(Row::Execution(mut row)) = changes.take(&key)? else { return Ok(()) };
    let execution = Arc::make_mut(&mut row);
    execution.records.push(record.lsn);
    change(changes, execution)?;
    changes.put(key, Row::Execution(row));
    Ok(())
}

fn save(changes: &mut Changes<'_>, execution: Execution) {
    let key = Key::execution(execution.tenant(), execution.id);
    changes.put(key, Row::Execution(Arc::new(execution)));
}

/// Lets an execution wait for something: the index that will wake it is written with it.
fn enter(changes: &mut Changes<'_>, execution: &mut Execution, wake: Wake) -> Result<(), Need> {
    if matches!(&wake, Wake::Slot { queue } if queue == HUB_QUEUE) {
        take_gate(changes, execution)?;
    }
    let (id, tenant) = (execution.id, &execution.intent.tenant_id);
    match &wake {
        Wake::Slot { queue } => {
            let row = QueueRow { execution: id, gate: execution.gate.clone() };
            changes.put(Key::queue(queue, tenant, execution.accepted_lsn), Row::Queue(Arc::new(row)));
            execution.phase = Phase::Queued;
        }
        Wake::StartAfter { due } => {
            changes.put(Key::due(*due, DueKind::Start, tenant, id), Row::Due(()));
            execution.phase = Phase::Queued;
        }
        Wake::Retry { due } => {
            changes.put(Key::due(*due, DueKind::Retry, tenant, id), Row::Due(()));
            execution.phase = Phase::Waiting;
        }
        Wake::Stop { due } => {
            changes.put(Key::due(*due, DueKind::GiveUp, tenant, id), Row::Due(()));
        }
        Wake::Reconcile { .. } | Wake::Resume => execution.phase = Phase::Waiting,
        Wake::Answer { .. } => {}
    }
    execution.wake = Some(wake);
    Ok(())
}

/// Ends what an execution waits for: its entry in the index goes. Only one that was served takes its tenant's turn: one that
/// is cancelled, paused or overdue must not pass over those who wait.
fn leave(changes: &mut Changes<'_>, execution: &mut Execution, served: bool) -> Result<(), Need> {
    let (id, tenant) = (execution.id, &execution.intent.tenant_id);
    match execution.wake.take() {
        Some(Wake::Slot { queue }) => {
            let place = Key::queue(&queue, tenant, execution.accepted_lsn);
            // An empty queue has no turn to remember; there may be one for every key that was ever serialised by.
            if rows(changes, KeyRange::queue(&queue)).all(|(key, _)| key == place) {
                changes.remove(Key::turn(&queue));
            } else if served {
                changes.put(Key::turn(&queue), Row::Turn(Arc::new(tenant.clone())));
            }
            changes.remove(place);
        }
        Some(Wake::StartAfter { due }) => changes.remove(Key::due(due, DueKind::Start, tenant, id)),
        Some(Wake::Retry { due }) => changes.remove(Key::due(due, DueKind::Retry, tenant, id)),
        Some(Wake::Stop { due }) => changes.remove(Key::due(due, DueKind::GiveUp, tenant, id)),
        Some(Wake::Answer { .. } | Wake::Reconcile { .. } | Wake::Resume) | None => {}
    }
    Ok(())
}

fn take_gate(changes: &mut Changes<'_>, execution: &mut Execution) -> Result<(), Need> {
    if let Some(gate) = &execution.gate
        && !execution.holds_gate
    {
        changes.count(Key::gate(&gate.name), 1)?;
        execution.holds_gate = true;
    }
    Ok(())
}

fn release(changes: &mut Changes<'_>, execution: &mut Execution) -> Result<(), Need> {
    if execution.holds_hub {
        changes.count(Key::gate(HUB_QUEUE), -1)?;
        execution.holds_hub = false;
    }
    if let Some(gate) = &execution.gate
        && execution.holds_gate
    {
        changes.count(Key::gate(&gate.name), -1)?;
        execution.holds_gate = false;
    }
    Ok(())
}

fn tally(changes: &mut Changes<'_>, tenant: &TenantId, execution: &Execution, sign: i64) -> Result<(), Need> {
    let bytes = execution.intent.parameters.size();
    for key in [Key::tally(tenant), Key::tally_all()] {
        let row = changes.tally_row(&key)?.unwrap_or_default();
        let row = if sign > 0 {
            TallyRow { open: row.open + 1, bytes: row.bytes + bytes }
        } else {
            TallyRow { open: row.open.saturating_sub(1), bytes: row.bytes.saturating_sub(bytes) }
        };
        if row == TallyRow::default() {
            changes.remove(key);
        } else {
            changes.put(key, Row::Tally(row));
        }
    }
    Ok(())
}
