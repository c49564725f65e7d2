//! What must hold of the tables at every position: each open execution will be woken, every index and every count says
//! what the executions say. For the doctor, the simulator and the tests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use enact_model::execution::{Execution, Phase, Wake};
use enact_model::message::Delivery;
use enact_model::table::{DueKind, Key, KeyRange, Row, Table, TallyRow};
use enact_model::time::Timestamp;

use crate::apply::lane;
use crate::policy::Policy;
use crate::slots::HUB_QUEUE;
use crate::view::{Need, Typed, View, all, open_executions, rows};
use crate::wake::problem;

/// Returns everything that does not hold at a time, each in one sentence.
///
/// # Errors
/// Rows of open executions or pending messages that are not in memory.
pub fn broken(view: &dyn View, policy: &Policy, now: Timestamp) -> Result<Vec<String>, Need> {
    let open = open_executions(view)?;
    let mut faults = Vec::new();
    for execution in &open {
        faults.extend(problem(view, execution)?);
        faults.extend(misfit(execution));
    }
    faults.extend(indexes(view, &open));
    faults.extend(idle_slots(view, &open, policy, now)?);
    faults.extend(deliveries(view)?);
    Ok(faults)
}

/// Returns what an open execution says of itself that cannot be.
fn misfit(execution: &Execution) -> Option<String> {
    let id = execution.id;
    let at_host = matches!(execution.phase, Phase::Running | Phase::Stopping);
    let keeps_gate = at_host || matches!(&execution.wake, Some(Wake::Slot { queue }) if queue == HUB_QUEUE);
    if !execution.is_open() {
        Some(format!("{id} is settled and listed as open"))
    } else if execution.holds_hub != at_host {
        Some(format!("{id} is {} and holds_hub is {}", execution.phase.word(), execution.holds_hub))
    } else if execution.holds_gate != (keeps_gate && execution.gate.is_some()) {
        Some(format!("{id} is {} and holds_gate is {}", execution.phase.word(), execution.holds_gate))
    } else if execution.stop.is_some() != (execution.phase == Phase::Stopping) {
        Some(format!("{id} is {} and its stop is {:?}", execution.phase.word(), execution.stop))
    } else {
        None
    }
}

/// Compares the resident tables that follow from the open executions with what follows from them.
fn indexes(view: &dyn View, open: &[Arc<Execution>]) -> Vec<String> {
    let mut places = BTreeSet::new();
    let mut counts: BTreeMap<Key, u32> = BTreeMap::new();
    let mut tallies: BTreeMap<Key, TallyRow> = BTreeMap::new();
    for execution in open {
        let (tenant, id) = (execution.tenant(), execution.id);
        let due = |time, kind| Key::due(time, kind, tenant, id);
        places.extend(match &execution.wake {
            Some(Wake::Slot { queue }) => Some(Key::queue(queue, tenant, execution.accepted_lsn)),
            Some(Wake::StartAfter { due: at }) => Some(due(*at, DueKind::Start)),
            Some(Wake::Retry { due: at }) => Some(due(*at, DueKind::Retry)),
            Some(Wake::Stop { due: at }) => Some(due(*at, DueKind::GiveUp)),
            Some(Wake::Answer { .. } | Wake::Reconcile { .. } | Wake::Resume) | None => None,
        });
        if let Some(deadline) = execution.deadline_at
            && execution.phase != Phase::Stopping
        {
            places.insert(due(deadline, DueKind::Deadline));
        }
        if execution.holds_hub {
            *counts.entry(Key::gate(HUB_QUEUE)).or_default() += 1;
        }
        if let Some(gate) = execution.gate.as_ref().filter(|_| execution.holds_gate) {
            *counts.entry(Key::gate(&gate.name)).or_default() += 1;
        }
        for key in [Key::tally(tenant), Key::tally_all()] {
            let tally = tallies.entry(key).or_default();
            tally.open += 1;
            tally.bytes += execution.intent.parameters.size();
        }
    }
    let mut faults = Vec::new();
    let there: BTreeSet<Key> = rows(view, KeyRange::table(Table::Queue))
        .chain(rows(view, KeyRange::table(Table::Due)))
        .map(|(key, _)| key)
        .collect();
    faults.extend(there.difference(&places).map(|key| format!("{key:?} wakes nobody")));
    faults.extend(places.difference(&there).map(|key| format!("{key:?} is missing")));
    let counted: BTreeMap<Key, u32> = rows(view, KeyRange::table(Table::Gate))
        .filter_map(|(key, row)| if let Row::Gate(count) = row { Some((key, count)) } else { None })
        .collect();
    if counted != counts {
        faults.push(format!("slots are counted as {counted:?} and taken as {counts:?}"));
    }
    let told: BTreeMap<Key, TallyRow> = rows(view, KeyRange::table(Table::Tally))
        .filter_map(|(key, row)| if let Row::Tally(tally) = row { Some((key, tally)) } else { None })
        .collect();
    if told != tallies {
        faults.push(format!("what is open is counted as {told:?} and is {tallies:?}"));
    }
    for (key, _) in rows(view, KeyRange::table(Table::Turn)) {
        let queue = key.first_text().unwrap_or_default();
        if view.first(&KeyRange::queue(&queue)).is_none() {
            faults.push(format!("the queue {queue} is empty and its turn is remembered"));
        }
    }
    faults
}

/// Returns the queues in which everybody waits although each of them could start, and the gates that let in too many.
/// A queue in which somebody is overdue stands still until the clock has settled that one.
fn idle_slots(view: &dyn View, open: &[Arc<Execution>], policy: &Policy, now: Timestamp) -> Result<Vec<String>, Need> {
    let mut waiting: BTreeMap<&str, u32> = BTreeMap::new();
    let mut holding: BTreeMap<&str, u32> = BTreeMap::new();
    for execution in open {
        let limit = execution.gate.as_ref().map_or(policy.running_max, |gate| gate.limit);
        if let Some(Wake::Slot { queue }) = &execution.wake {
            let limit = if queue == HUB_QUEUE { policy.running_max } else { limit };
            let limit = if execution.is_overdue(now) { 0 } else { limit };
            let least = waiting.entry(queue).or_insert(limit);
            *least = limit.min(*least);
        }
        if let Some(gate) = execution.gate.as_ref().filter(|_| execution.holds_gate) {
            let most = holding.entry(&gate.name).or_default();
            *most = limit.max(*most);
        }
    }
    let mut faults = Vec::new();
    for (queue, least) in waiting {
        let taken = view.gate_row(&Key::gate(queue))?.unwrap_or_default();
        if taken < least {
            faults.push(format!("{taken} of {least} slots of {queue} are taken, and its queue is not empty"));
        }
    }
    for (gate, most) in holding {
        let taken = view.gate_row(&Key::gate(gate))?.unwrap_or_default();
        if taken > most {
            faults.push(format!("{taken} slots of {gate} are taken, its limit is {most}"));
        }
    }
    Ok(faults)
}

/// Returns the pending entries whose message does not say that it is pending there.
fn deliveries(view: &dyn View) -> Result<Vec<String>, Need> {
    let pending: Vec<_> = rows(view, KeyRange::table(Table::Pending))
        .filter_map(|(key, row)| if let Row::Pending(row) = row { Some((key, row)) } else { None })
        .collect();
    let messages = all(pending.iter().map(|(_, row)| view.message_row(&Key::message(&row.tenant, row.message))))?;
    let faults = pending.iter().zip(messages).filter_map(|((key, pending), message)| {
        let waits = message.is_some_and(|message| {
            let mut sinks = message.message.sinks.iter().zip(&message.deliveries);
            sinks.any(|(sink, delivery)| {
                *key == Key::pending(sink, &lane(&message.message), message.lsn)
                    && matches!(delivery, Delivery::Pending { tries, not_before, .. }
                        if *tries == pending.tries && *not_before == pending.not_before)
            })
        });
        (!waits).then(|| format!("{key:?} is pending, and its message does not say so"))
    });
    Ok(faults.collect())
}
