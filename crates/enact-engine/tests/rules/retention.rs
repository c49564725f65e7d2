//! Retention: what is over goes, what is open or not yet published stays, whoever asked.

use enact_engine::command::{Answer, CommandBody, DeliveryResult};
use enact_model::id::{ExecutionId, Lsn};
use enact_model::observation::Observation;
use enact_model::record::Body;
use enact_model::table::{Key, Table};

use crate::hub::{Ask, Hub, replied, tenant};

const OPERATIONS: &str = "
    look: { kind: query }
    tell: { kind: query, emits: [{ type: told }] }";

const DAY_MS: u64 = 24 * 3_600_000;

/// Asks to drop everything before the end of the log, and returns the position before which records may go.
fn drop_everything(hub: &mut Hub) -> Lsn {
    let executions = ids(hub).into_iter().map(|id| (tenant("acme"), id)).collect();
    let messages = hub.messages().iter().map(|row| (tenant("acme"), row.message.id)).collect();
    let before = Lsn(hub.log.len() as u64 + 1);
    hub.give(CommandBody::DropHistory { before, reason: "test".into(), executions, messages });
    match &hub.last[0].body {
        Body::HistoryDropped { before, .. } => *before,
        other => panic!("{other:?}"),
    }
}

fn ids(hub: &Hub) -> Vec<ExecutionId> {
    let range = enact_model::table::KeyRange::executions(&tenant("acme"));
    hub.rows.0.range(range.from..range.to).map(|(key, _)| ExecutionId::from_u128(key.last_id().unwrap())).collect()
}

#[test]
fn what_is_open_or_not_yet_published_stays_with_its_records() {
    let mut hub = Hub::new(OPERATIONS);
    let done = hub.run(Ask::new("shop.s.look").key("k").id(1));
    hub.reply(done, "1");
    let told = hub.start("tell");
    hub.reply(told, "1");
    let message = hub.messages()[0].clone();
    let open = hub.run(Ask::new("shop.s.look").key("o").id(2));
    hub.pass(2 * DAY_MS);
    assert_eq!(drop_everything(&mut hub), message.lsn, "the oldest thing that is still needed");
    assert_eq!(ids(&hub), [open]);
    assert_eq!((hub.messages().len(), hub.pending("audit")), (1, 1));
    let (tenant, sink) = (tenant("acme"), "audit".parse().unwrap());
    let result = DeliveryResult::Delivered;
    hub.give(CommandBody::Deliver { tenant, message: message.message.id, sink, result });
    assert_eq!(drop_everything(&mut hub), hub.execution(open).accepted_lsn);
    assert!(hub.messages().is_empty());
    hub.reply(open, "1");
    assert_eq!(hub.phase(open), "settled completed");
}

#[test]
fn a_key_lives_at_least_a_day_and_goes_with_its_execution() {
    let mut hub = Hub::new(OPERATIONS);
    let ask = || Ask::new("shop.s.look").key("k");
    let id = hub.run(ask());
    hub.pass(2 * DAY_MS);
    hub.reply(id, "1");
    hub.pass(DAY_MS - 1);
    drop_everything(&mut hub);
    assert_eq!(hub.submit(ask()), Answer::Repeated(id));
    hub.pass(1);
    drop_everything(&mut hub);
    for table in [Table::Execution, Table::Idempotency, Table::SessionExecution, Table::Intent] {
        assert!(hub.table(table).is_empty(), "{table:?}");
    }
    assert_ne!(hub.run(ask()), id);
}

#[test]
fn an_observation_of_what_was_dropped_is_noted_and_leaves_nothing() {
    let mut hub = Hub::new(OPERATIONS);
    let id = hub.start("look");
    hub.reply(id, "1");
    let before = hub.execution(id);
    hub.pass(2 * DAY_MS);
    drop_everything(&mut hub);
    assert!(!hub.rows.0.contains_key(&Key::execution(before.tenant(), id)));
    let observation =
        Box::new(Observation { seen: replied("1", None), started_at: hub.now, ended_at: hub.now, instance: None });
    let (tenant, output, input, raw) = (before.tenant().clone(), None, None, None);
    hub.give(CommandBody::Observe { tenant, execution: id, attempt: 1, observation, output, input, raw, fits: None });
    assert!(hub.last.is_empty());
    hub.replay();
}

#[test]
fn to_drop_something_nothing_else_is_looked_at_however_much_is_open() {
    let looks = |open: u128| {
        let mut hub = Hub::new(OPERATIONS);
        let done = hub.run(Ask::new("shop.s.look").id(1));
        hub.reply(done, "1");
        for _ in 0..open {
            let told = hub.start("tell");
            hub.reply(told, "1");
            hub.start("look");
        }
        hub.pass(2 * DAY_MS);
        let (before, reason) = (Lsn(1), "test".to_owned());
        let executions = vec![(tenant("acme"), done)];
        hub.looks(CommandBody::DropHistory { before, reason, executions, messages: Vec::new() })
    };
    assert_eq!(looks(20), looks(1));
}
