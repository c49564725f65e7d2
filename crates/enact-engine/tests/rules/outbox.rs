//! Deliveries: order within a key, pauses, dead letters and what is sent again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use enact_engine::command::{Answer, CommandBody, DeliveryResult};
use enact_engine::conclude;
use enact_model::id::{MessageId, SinkId};
use enact_model::message::{Delivery, Message, MessageRow};
use enact_model::record::Body;
use enact_model::table::{Row, Table};

use crate::hub::{Ask, Hub, refusal, tenant};

const OPERATIONS: &str = "tell: { kind: query, emits: [{ type: told, key: /input/key, data: { n: /input/n } }] }";

fn audit() -> SinkId {
    "audit".parse().unwrap()
}

/// Promises a message under a key and returns it.
fn tell(hub: &mut Hub, of: &str, key: &str) -> Arc<MessageRow> {
    let n = hub.messages().len();
    let id = hub.run(Ask::new("shop.s.tell").tenant(of).params(&format!(r#"{{"key":{key},"n":{n}}}"#)));
    hub.reply(id, "{}");
    Arc::clone(hub.messages().last().unwrap())
}

fn deliver(hub: &mut Hub, message: &Message, result: DeliveryResult) -> Answer {
    let (tenant, message) = (message.tenant_id.clone(), message.id);
    hub.give(CommandBody::Deliver { tenant, message, sink: audit(), result })
}

fn failed() -> DeliveryResult {
    DeliveryResult::Failed { reason: "down".into(), retry_after: None }
}

fn redeliver(hub: &mut Hub, message: &Message, sink: Option<SinkId>) -> Answer {
    let (tenant, message) = (message.tenant_id.clone(), message.id);
    hub.give(CommandBody::Redeliver { tenant, message, sink, reason: "mended".into(), role: None })
}

fn delivery(hub: &Hub, id: MessageId) -> Delivery {
    hub.messages().iter().find(|row| row.message.id == id).unwrap().deliveries[0].clone()
}

/// What waits for the sink, in the order in which a relay reads it: lane by lane, the oldest first.
fn waiting(hub: &Hub) -> Vec<MessageId> {
    let rows = hub.table(Table::Pending).into_iter();
    rows.filter_map(|row| if let Row::Pending(row) = row { Some(row.message) } else { None }).collect()
}

#[test]
fn messages_of_one_key_wait_in_the_order_in_which_they_were_promised() {
    let mut hub = Hub::new(OPERATIONS);
    let told: Vec<_> = (0..20).map(|_| tell(&mut hub, "acme", r#""ann""#)).collect();
    let ann: Vec<_> = told.iter().map(|row| row.message.id).collect();
    assert_eq!(waiting(&hub), ann);
    deliver(&mut hub, &told[0].message, DeliveryResult::Delivered);
    assert_eq!(waiting(&hub), ann[1..]);
    deliver(&mut hub, &told[1].message, failed());
    assert_eq!(waiting(&hub), ann[1..], "one that failed is still the first of its key");
}

#[test]
fn keys_and_tenants_and_messages_without_a_key_have_lanes_of_their_own() {
    let mut hub = Hub::new(OPERATIONS);
    for (of, key) in [("acme", r#""a""#), ("acme", r#""b""#), ("other", r#""a""#), ("acme", "null"), ("acme", "null")] {
        tell(&mut hub, of, key);
    }
    let range = enact_model::table::KeyRange::table(Table::Pending);
    let lanes: BTreeSet<String> =
        hub.rows.0.range(range.from..range.to).filter_map(|(key, _)| key.second_text()).collect();
    assert_eq!(lanes.len(), 5);
}

#[test]
fn what_was_delivered_is_not_pending_and_publishing_again_sends_nothing() {
    let mut hub = Hub::new(OPERATIONS);
    let row = tell(&mut hub, "acme", "1");
    assert_eq!(hub.pending("audit"), 1);
    deliver(&mut hub, &row.message, DeliveryResult::Delivered);
    assert_eq!((hub.kinds().as_slice(), hub.pending("audit")), (["MessageDelivered"].as_slice(), 0));
    for late in [DeliveryResult::Delivered, failed(), DeliveryResult::Poison { reason: "x".into() }] {
        deliver(&mut hub, &row.message, late);
        assert!(hub.last.is_empty());
    }
}

#[test]
fn a_sink_that_is_down_for_a_minute_loses_nothing_and_the_pauses_grow() {
    let mut hub = Hub::new(OPERATIONS);
    let row = tell(&mut hub, "acme", "1");
    let (mut pauses, begin) = (Vec::new(), hub.now);
    while hub.now.since(begin).as_secs() < 60 {
        deliver(&mut hub, &row.message, failed());
        let Delivery::Pending { not_before, .. } = delivery(&hub, row.message.id) else {
            panic!("given up after {:?}", hub.now.since(begin));
        };
        pauses.push(not_before.0 - hub.now.0);
        hub.now = not_before;
    }
    assert!(pauses.len() < 12 && pauses.windows(2).all(|pair| pair[0] < pair[1]), "{pauses:?}");
    deliver(&mut hub, &row.message, DeliveryResult::Delivered);
    assert_eq!(hub.pending("audit"), 0);
}

#[test]
fn a_sink_that_asks_for_a_pause_gets_it_and_the_key_waits_as_long() {
    let mut hub = Hub::new(OPERATIONS);
    let (first, second) = (tell(&mut hub, "acme", "1"), tell(&mut hub, "acme", "1"));
    let asked = Duration::from_secs(600);
    deliver(&mut hub, &first.message, DeliveryResult::Failed { reason: "busy".into(), retry_after: Some(asked) });
    let Delivery::Pending { not_before, .. } = delivery(&hub, first.message.id) else { panic!("it was given up") };
    assert_eq!(not_before, hub.now.plus(asked));
    assert_eq!(waiting(&hub), [first.message.id, second.message.id]);
}

#[test]
fn a_message_that_is_given_up_frees_its_key_and_says_why() {
    for (result, tries, why) in
        [(failed(), 10, "down"), (DeliveryResult::Poison { reason: "too odd".into() }, 1, "too odd")]
    {
        let mut hub = Hub::new(OPERATIONS);
        let (first, second) = (tell(&mut hub, "acme", "1"), tell(&mut hub, "acme", "1"));
        for _ in 0..tries {
            deliver(&mut hub, &first.message, result.clone());
        }
        match delivery(&hub, first.message.id) {
            Delivery::DeadLettered { reason, .. } => assert!(reason.contains(why), "{reason}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(waiting(&hub), [second.message.id]);
    }
}

#[test]
fn a_redelivery_keeps_the_id_and_its_place() {
    let mut hub = Hub::new(OPERATIONS);
    let (first, second) = (tell(&mut hub, "acme", "1"), tell(&mut hub, "acme", "1"));
    deliver(&mut hub, &first.message, DeliveryResult::Poison { reason: "x".into() });
    redeliver(&mut hub, &first.message, None);
    assert!(matches!(&hub.last[0].body, Body::MessageRequeued { message, .. } if *message == first.message.id));
    assert_eq!(waiting(&hub), [first.message.id, second.message.id]);
    assert!(matches!(delivery(&hub, first.message.id), Delivery::Pending { tries: 0, .. }));
    assert_eq!(hub.messages().len(), 2, "no copy was made");
}

#[test]
fn only_what_has_an_end_is_sent_again_and_what_arrived_only_by_name_of_its_sink() {
    let mut hub = Hub::new(OPERATIONS);
    let row = tell(&mut hub, "acme", "1");
    assert_eq!(refusal(redeliver(&mut hub, &row.message, None)).conclusion.code, conclude::PHASE_CONFLICT);
    deliver(&mut hub, &row.message, DeliveryResult::Delivered);
    assert_eq!(refusal(redeliver(&mut hub, &row.message, None)).conclusion.code, conclude::PHASE_CONFLICT);
    let elsewhere = Some("elsewhere".parse().unwrap());
    assert_eq!(refusal(redeliver(&mut hub, &row.message, elsewhere)).conclusion.code, conclude::NOT_FOUND);
    let foreign = Message { tenant_id: tenant("other"), ..row.message.clone() };
    assert_eq!(refusal(redeliver(&mut hub, &foreign, None)).conclusion.code, conclude::NOT_FOUND);
    assert!(matches!(redeliver(&mut hub, &row.message, Some(audit())), Answer::Done(_)));
    assert_eq!(hub.pending("audit"), 1);
}

#[test]
fn the_sinks_of_a_message_are_those_of_its_solution_when_it_was_promised() {
    let mut hub = Hub::new(OPERATIONS);
    hub.bind("solution: default\ncomponents: { shop: ^1 }\nintents: {}\nsinks: [left, right]\n");
    let row = tell(&mut hub, "acme", "1");
    assert_eq!(row.message.sinks, ["left".parse().unwrap(), "right".parse().unwrap()]);
    hub.bind("solution: default\ncomponents: { shop: ^1 }\nintents: {}\nsinks: [other]\n");
    assert_eq!([hub.pending("left"), hub.pending("right"), hub.pending("other")], [1, 1, 0]);
    let (tenant, message) = (tenant("acme"), row.message.id);
    let sink = "left".parse().unwrap();
    hub.give(CommandBody::Deliver { tenant, message, sink, result: DeliveryResult::Delivered });
    assert_eq!([hub.pending("left"), hub.pending("right")], [0, 1], "each sink has its own mark");
}

#[test]
fn executions_that_end_in_one_command_promise_messages_of_their_own() {
    let mut hub = Hub::new("tell: { kind: query, emits: [{ type: sorry, on: failed }] }");
    let soon = hub.now.plus(std::time::Duration::from_secs(60));
    for _ in 0..5 {
        hub.run(Ask::new("shop.s.tell").deadline(1_000).start_after(soon));
    }
    hub.pass(1_000);
    let ids: BTreeSet<_> = hub.messages().iter().map(|row| row.message.id).collect();
    assert_eq!((ids.len(), hub.pending("audit")), (5, 5));
}
