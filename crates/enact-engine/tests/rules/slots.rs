//! Slots: limits, serialisation by key, order, and tenants taking turns.

use enact_model::id::ExecutionId;
use enact_model::observation::FaultKind;
use enact_model::table::Table;

use crate::hub::{Ask, Hub, shop};

const OPERATIONS: &str = "
    free: { kind: query }
    two: { kind: query, concurrency: { limit: 2 }, retry: { attempts: 9, backoff: 1s..1s } }
    each: { kind: query, concurrency: { limit: 1, key: /who } }";

fn running(hub: &Hub, ids: &[ExecutionId]) -> Vec<usize> {
    (0..ids.len()).filter(|at| hub.phase(ids[*at]) == "running").collect()
}

#[test]
fn no_more_run_at_once_than_an_operation_allows_and_they_start_in_order() {
    let mut hub = Hub::new(OPERATIONS);
    let ids: Vec<_> = (0..5).map(|_| hub.start("two")).collect();
    assert_eq!(running(&hub, &ids), [0, 1]);
    hub.reply(ids[1], "1");
    assert_eq!(running(&hub, &ids), [0, 2]);
    hub.fault(ids[0], FaultKind::HandlerFailed.fault("x"));
    assert_eq!(running(&hub, &ids), [2, 3]);
}

#[test]
fn an_execution_that_waits_for_its_retry_holds_no_slot() {
    let mut hub = Hub::new(OPERATIONS);
    let ids: Vec<_> = (0..3).map(|_| hub.start("two")).collect();
    hub.fault(ids[0], FaultKind::StartFailed.fault("x"));
    assert_eq!(running(&hub, &ids), [1, 2]);
    hub.pass(1_000);
    assert_eq!(hub.phase(ids[0]), "queued slot", "its time has come and the slots are taken");
    hub.reply(ids[1], "1");
    assert_eq!(running(&hub, &ids), [0, 2]);
}

#[test]
fn executions_of_one_key_run_one_after_the_other_and_other_keys_beside_them() {
    let mut hub = Hub::new(OPERATIONS);
    let ids: Vec<_> = [r#""ann""#, r#""ann""#, r#""bob""#, "1", r#""1""#, "null"]
        .iter()
        .map(|who| hub.run(Ask::new("shop.s.each").params(&format!(r#"{{"who":{who}}}"#))))
        .collect();
    assert_eq!(running(&hub, &ids), [0, 2, 3, 4, 5]);
    hub.reply(ids[0], "1");
    assert_eq!(running(&hub, &ids), [1, 2, 3, 4, 5]);
}

#[test]
fn no_more_run_at_once_than_the_hub_allows_whatever_they_are() {
    let mut hub = Hub::new(OPERATIONS);
    hub.policy.running_max = 2;
    let ids: Vec<_> = ["free", "two", "two", "two", "free"].iter().map(|operation| hub.start(operation)).collect();
    assert_eq!(running(&hub, &ids), [0, 1]);
    for (settled, wanted) in [(0, [1, 2]), (1, [2, 3]), (2, [3, 4])] {
        hub.reply(ids[settled], "1");
        assert_eq!(running(&hub, &ids), wanted);
    }
}

#[test]
fn a_tenant_with_many_does_not_keep_out_one_with_few() {
    let mut hub = Hub::new(OPERATIONS);
    hub.policy.running_max = 1;
    let submit = |hub: &mut Hub, tenant: &str| hub.run(Ask::new("shop.s.free").tenant(tenant));
    let mut many: Vec<_> = (0..20).map(|_| submit(&mut hub, "flood")).collect();
    let few: Vec<_> =
        ["ann", "bob"].iter().flat_map(|tenant| [submit(&mut hub, tenant), submit(&mut hub, tenant)]).collect();
    many.extend((0..20).map(|_| submit(&mut hub, "flood")));
    let mut ends = Vec::new();
    while let Some(id) = hub.running().first().copied() {
        hub.reply(id, "1");
        ends.push(id);
    }
    assert_eq!(ends.len(), 44);
    let last_of_few = few.iter().map(|id| ends.iter().position(|end| end == id).unwrap()).max().unwrap();
    assert!(last_of_few <= 6, "the last of the few was number {last_of_few}");
    let order: Vec<_> = ends.into_iter().filter(|id| many.contains(id)).collect();
    assert_eq!(order, many, "each tenant keeps its own order");
}

#[test]
fn tenants_take_turns_at_a_gate_too() {
    let mut hub = Hub::new(OPERATIONS);
    let submit = |hub: &mut Hub, tenant: &str| hub.run(Ask::new("shop.s.two").tenant(tenant));
    let ids: Vec<_> = (0..6).map(|_| submit(&mut hub, "flood")).collect();
    let few = submit(&mut hub, "ann");
    hub.reply(ids[0], "1");
    assert_eq!(hub.phase(few), "running");
}

#[test]
fn two_versions_with_other_limits_share_a_gate_and_each_keeps_its_own() {
    let mut hub = Hub::new(OPERATIONS);
    let old: Vec<_> = (0..2).map(|_| hub.start("two")).collect();
    hub.add(&shop("2.0.0", "two: { kind: query, concurrency: { limit: 1 } }"));
    let new: Vec<_> = (0..2).map(|_| hub.start("two")).collect();
    hub.reply(old[0], "1");
    assert_eq!(running(&hub, &new), [0; 0], "one of the old is still at it");
    hub.reply(old[1], "1");
    assert_eq!(running(&hub, &new), [0]);
}

#[test]
fn queues_that_are_empty_leave_nothing_behind() {
    let mut hub = Hub::new(OPERATIONS);
    for who in 0..10 {
        let ask = || Ask::new("shop.s.each").params(&format!(r#"{{"who":{who}}}"#));
        let ids = [hub.run(ask()), hub.run(ask()), hub.run(ask())];
        for id in ids {
            hub.reply(id, "1");
        }
    }
    for table in [Table::Turn, Table::Queue, Table::Gate, Table::Tally, Table::Due, Table::Active] {
        assert!(hub.table(table).is_empty(), "{table:?}");
    }
}
