//! Executions that nothing would wake: planted, and found.

use enact_engine::invariants::broken;
use enact_engine::wake::{explain, problem};
use enact_model::execution::Wake;
use enact_model::id::ExecutionId;
use enact_model::observation::FaultKind;
use enact_model::table::{DueKind, Key, Row};

use crate::hub::{Ask, Hub};

const OPERATIONS: &str = "
    book: { kind: command, idempotent: true, retry: { attempts: 9, backoff: 10s..10s } }
    one: { kind: query, serialize: true }
    pay: { kind: command, reconcile: look }
    look: { kind: query }";

/// One execution for every cause that an open execution can name.
fn one_of_each() -> (Hub, Vec<ExecutionId>) {
    let mut hub = Hub::new(OPERATIONS);
    let running = hub.start("one");
    let queued = hub.start("one");
    let later = hub.now.plus(std::time::Duration::from_secs(10));
    let timed = hub.run(Ask::new("shop.s.book").start_after(later));
    let retried = hub.start("book");
    hub.fault(retried, FaultKind::StartFailed.fault("x"));
    let asked = hub.start("pay");
    hub.fault(asked, FaultKind::CrashedInCall.fault("x"));
    let paused = hub.start("book");
    hub.fault(paused, FaultKind::StartFailed.fault("x"));
    hub.pause(paused);
    let stopped = hub.start("book");
    hub.cancel(stopped);
    (hub, vec![running, queued, timed, retried, asked, paused, stopped])
}

/// Returns what brings the wake-up of an execution, if it is a row.
fn bringer(hub: &Hub, id: ExecutionId) -> Option<Key> {
    let execution = hub.execution(id);
    let due = |time, kind| Some(Key::due(time, kind, execution.tenant(), id));
    match execution.wake.clone().unwrap() {
        Wake::Slot { queue } => Some(Key::queue(&queue, execution.tenant(), execution.accepted_lsn)),
        Wake::StartAfter { due: at } => due(at, DueKind::Start),
        Wake::Retry { due: at } => due(at, DueKind::Retry),
        Wake::Stop { due: at } => due(at, DueKind::GiveUp),
        Wake::Reconcile { child } => Some(Key::execution(execution.tenant(), child)),
        Wake::Answer { .. } | Wake::Resume => None,
    }
}

#[test]
fn every_open_execution_names_what_it_waits_for() {
    let (hub, ids) = one_of_each();
    let said: Vec<String> = ids.iter().map(|id| explain(&hub.execution(*id)).unwrap()).collect();
    for (said, wanted) in
        said.iter().zip(["answer", "slot", "start time", "next attempt", "finds out", "resume", "stop"])
    {
        assert!(said.contains(wanted), "{said:?} does not say {wanted:?}");
    }
}

#[test]
fn an_execution_that_nothing_would_wake_is_found() {
    let (hub, ids) = one_of_each();
    let mut planted = 0;
    for id in ids {
        assert_eq!(problem(&hub.rows, &hub.execution(id)).unwrap(), None);
        let mut nameless = (*hub.execution(id)).clone();
        nameless.wake = None;
        assert!(problem(&hub.rows, &nameless).unwrap().is_some(), "{id} names no cause");
        if let Some(key) = bringer(&hub, id) {
            let mut rows = hub.rows.clone();
            assert!(matches!(rows.0.remove(&key), Some(Row::Queue(_) | Row::Due(_) | Row::Execution(_))));
            assert!(problem(&rows, &hub.execution(id)).unwrap().is_some(), "{key:?} is gone and nobody noticed");
            assert!(!broken(&rows, &hub.policy, hub.now).unwrap().is_empty());
            planted += 1;
        }
    }
    assert_eq!(planted, 5);
}
