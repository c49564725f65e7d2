//! What must hold after every turn, whatever was asked.

use std::collections::BTreeSet;

use enact_engine::effect::{Effect, pending_effects};
use enact_model::execution::{Execution, Phase, Wake};
use enact_model::id::ExecutionId;
use enact_model::table::{DueKind, Key, KeyRange, Row, Table};
use enact_runtime::driver::Durable;
use enact_store::contract::{Order, View};

use crate::violation::{Verdict, broken, hold};

/// Holds that what the tables say is to be done is what the records have asked for.
///
/// # Errors
/// When the two differ.
pub fn hold_effects<V: View>(view: &V, live: &BTreeSet<Effect>) -> Verdict {
    let rule = "pending effects follow from the tables as from the records";
    let pending = pending_effects(&Durable(view)).map_err(|need| broken(rule, format!("{need:?} is missing")))?;
    hold(pending == *live, rule, || {
        let missing: Vec<_> = live.difference(&pending).collect();
        let extra: Vec<_> = pending.difference(live).collect();
        format!("the tables lack {missing:?} and have {extra:?} beside")
    })
}

/// Lists the open executions.
///
/// # Errors
/// When one that is said to be open cannot be read.
pub fn open<V: View>(view: &V) -> Verdict<Vec<std::sync::Arc<Execution>>> {
    let rule = "an open execution can be read";
    let active = view.scan(&KeyRange::table(Table::Active), Order::Ascending, usize::MAX);
    let mut open = Vec::new();
    for (key, _) in active.map_err(|error| broken(rule, format!("{error:?}")))? {
        let Some((tenant, id)) = key.as_active() else { return Err(broken(rule, format!("{key:?}"))) };
        let row = view.get(&Key::execution(&tenant, id));
        match row.map_err(|error| broken(rule, format!("{error:?}")))? {
            Some(Row::Execution(row)) if row.is_open() => open.push(row),
            other => return Err(broken(rule, format!("{key:?} has {other:?}"))),
        }
    }
    Ok(open)
}

/// Holds that every open execution names its wake-up cause, and that something will bring it. `at_host` says whether a host
/// has the call of an execution.
///
/// # Errors
/// When one waits for nothing.
pub fn hold_wakes<V: View>(view: &V, at_host: impl Fn(ExecutionId) -> bool) -> Verdict {
    let there = |key: Key| view.get(&key).is_ok_and(|row| row.is_some());
    for execution in open(view)? {
        let (id, tenant) = (execution.id, execution.tenant());
        let due = |at, kind| there(Key::due(at, kind, tenant, id));
        let comes = match (execution.phase, &execution.wake) {
            (Phase::Queued, Some(Wake::Slot { queue })) => there(Key::queue(queue, tenant, execution.accepted_lsn)),
            (Phase::Queued, Some(Wake::StartAfter { due: at })) => due(*at, DueKind::Start),
            (Phase::Waiting, Some(Wake::Retry { due: at })) => due(*at, DueKind::Retry),
            (Phase::Waiting, Some(Wake::Reconcile { child })) => there(Key::active(tenant, *child)),
            (Phase::Waiting, Some(Wake::Resume)) => true,
            (Phase::Running, Some(Wake::Answer { attempt })) => *attempt == execution.attempt && at_host(id),
            (Phase::Stopping, Some(Wake::Stop { due: at })) => due(*at, DueKind::GiveUp),
            _ => false,
        };
        hold(comes, "every open execution is woken by something", || {
            format!("{id} is {} and waits for {:?}", execution.phase.word(), execution.wake)
        })?;
    }
    Ok(())
}
