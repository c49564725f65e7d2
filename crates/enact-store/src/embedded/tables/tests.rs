//! Open rows stay in memory although their table is not resident, and are there after a restart.

use enact_model::execution::{Execution, Phase};
use enact_model::id::{ExecutionId, TenantId};

use super::super::memory_cold::MemoryCold;
use super::*;

fn execution(id: u128, phase: Phase) -> Change {
    let row = serde_json::json!({
        "id": ExecutionId::from_u128(id), "phase": phase, "wake": null, "attempt": 1, "accepted_at": 1, "accepted_lsn": 1,
        "selector": "a.b.c", "records": [1],
        "pin": { "name": "a", "version": "1.0.0", "digest": enact_model::digest::Digest::of(b"") },
        "intent": {
            "intent_id": enact_model::id::IntentId::from_u128(id), "intent_type": "a.b.c", "tenant_id": "default",
            "session_id": "default", "solution_id": "default", "parameters": { "inline": {} }, "created_at": 1,
        },
    });
    let row = serde_json::from_value::<Execution>(row).unwrap();
    let key = Key::execution(&TenantId::default_tenant(), ExecutionId::from_u128(id));
    Change { key, row: Some(Row::Execution(row.into())) }
}

fn in_memory(tables: &Tables<MemoryCold>, change: &Change) -> bool {
    tables.cached(&change.key) == change.row.clone().map_or(Cached::Absent, Cached::Row)
}

#[test]
fn an_open_row_stays_in_memory_until_it_is_settled_also_across_a_restart() {
    let cold = MemoryCold::default();
    let tables = Tables::open(cold.clone()).unwrap();
    let (running, settled) = (execution(1, Phase::Running), execution(2, Phase::Settled));
    tables.publish([&running, &settled], Lsn(1));
    tables.flush().unwrap();
    assert!(in_memory(&tables, &running));
    assert_eq!(tables.cached(&settled.key), Cached::Unknown);
    let tables = Tables::open(cold.clone()).unwrap();
    assert!(in_memory(&tables, &running));
    assert_eq!(tables.cached(&settled.key), Cached::Unknown);
    let over = execution(1, Phase::Settled);
    tables.publish([&over], Lsn(2));
    tables.flush().unwrap();
    let tables = Tables::open(cold).unwrap();
    assert_eq!(tables.cached(&over.key), Cached::Unknown);
    assert_eq!(tables.get(&over.key).unwrap(), over.row);
}

#[test]
fn a_row_that_changes_while_it_is_written_behind_stays_dirty() {
    let tables = Tables::open(MemoryCold::default()).unwrap();
    let (first, second) = (execution(1, Phase::Settled), execution(1, Phase::Waiting));
    tables.publish([&first], Lsn(1));
    let taken = tables.take_dirty().unwrap();
    tables.publish([&second], Lsn(2));
    tables.settle(taken);
    assert!(in_memory(&tables, &second));
    assert_eq!(tables.dirty(), 1);
    tables.flush().unwrap();
    assert_eq!((tables.get(&second.key).unwrap(), tables.dirty()), (second.row, 0));
}

fn gate(count: Option<u32>) -> Change {
    Change { key: Key::gate("g"), row: count.map(Row::Gate) }
}

#[test]
fn a_row_that_goes_while_it_is_written_behind_goes_behind_too() {
    let cold = MemoryCold::default();
    let tables = Tables::open(cold.clone()).unwrap();
    tables.publish([&gate(Some(1))], Lsn(1));
    let taken = tables.take_dirty().unwrap();
    tables.publish([&gate(None)], Lsn(2));
    cold.write(taken.puts(), taken.position).unwrap();
    tables.settle(taken);
    tables.flush().unwrap();
    assert_eq!(read_cold(&cold, &gate(None).key).unwrap(), None);
}

#[test]
fn a_row_that_comes_and_goes_between_two_writes_leaves_nothing_and_may_come_again() {
    let cold = MemoryCold::default();
    let tables = Tables::open(cold.clone()).unwrap();
    for count in [Some(1), None, Some(2), None] {
        tables.publish([&gate(count)], Lsn(1));
        assert_eq!(tables.dirty(), usize::from(count.is_some()));
    }
    assert_eq!(tables.cached(&gate(None).key), Cached::Absent);
    tables.publish([&gate(Some(3))], Lsn(2));
    tables.flush().unwrap();
    assert_eq!(read_cold(&cold, &gate(None).key).unwrap(), gate(Some(3)).row);
    assert_eq!(tables.dirty(), 0);
}

#[test]
fn what_could_not_be_written_behind_is_kept_under_what_has_changed_since() {
    let tables = Tables::open(MemoryCold::default()).unwrap();
    let (first, second) = (execution(1, Phase::Settled), execution(1, Phase::Waiting));
    let other = execution(2, Phase::Settled);
    tables.publish([&first, &other], Lsn(1));
    let taken = tables.take_dirty().unwrap();
    assert!(in_memory(&tables, &first) && in_memory(&tables, &other), "what is being written is there all the same");
    tables.publish([&second], Lsn(2));
    tables.write().give_back(taken);
    assert!(in_memory(&tables, &second) && in_memory(&tables, &other));
    assert_eq!(tables.dirty(), 2);
    tables.flush().unwrap();
    assert_eq!(tables.get(&second.key).unwrap(), second.row);
    assert_eq!(tables.get(&other.key).unwrap(), other.row);
}
