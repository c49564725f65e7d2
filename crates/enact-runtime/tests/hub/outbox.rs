//! Promises to the outside: made with the outcome, kept in order, once for each id, and never forgotten.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use enact_model::message::{Delivery, MessageRow};
use enact_runtime::api::{DeliveryState, Request, Response};
use enact_runtime::sink::FileSink;
use serde_json::{Value, json};

use crate::bed::{Bed, draft, eventually, failure};

const SPEAKER: &str = r#"
component: speaker
version: 1.0.0
process: { command: [sh] }
services:
  s:
    say: { kind: query, call: { command: [echo, "1"] }, emits: [{ type: said, key: /key, data: /input }] }
    fail:
      kind: query
      call: { command: [sh, -c, "exit 3"] }
      emits: [said, { type: failed, on: failed, key: /key, data: { code: /failure/code } }]
"#;

async fn outbox(bed: &Bed, state: Option<DeliveryState>) -> Vec<MessageRow> {
    match bed.ask(Request::Outbox { state, limit: 1_000, before: None }).await {
        Response::Outbox(page) => page.items,
        other => panic!("{other:?}"),
    }
}

fn numbers(events: &[Value]) -> BTreeMap<String, Vec<u64>> {
    let mut by_key: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for event in events {
        let key = event["partitionkey"].as_str().unwrap_or_default().to_owned();
        by_key.entry(key).or_default().push(event["data"]["n"].as_u64().unwrap());
    }
    by_key
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_delivered_to_the_file_then_marked_and_not_sent_again() {
    let mut bed = Bed::open().await;
    bed.add(SPEAKER).await;
    let view = bed.run("speaker.s.say", json!({ "key": "a", "n": 1 })).await;
    bed.delivered().await;
    let sent = bed.events();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0]["specversion"], "1.0");
    assert_eq!(sent[0]["enactexecution"], json!(view.execution.id.to_string()));
    let rows = outbox(&bed, None).await;
    assert_eq!(sent[0]["id"], json!(rows[0].message.id.to_string()));
    assert!(matches!(rows[0].deliveries[..], [Delivery::Delivered { .. }]), "{rows:?}");
    assert_eq!(outbox(&bed, Some(DeliveryState::Pending)).await, []);
    // Neither a restart nor the next message sends it again.
    bed.restart().await;
    bed.run("speaker.s.say", json!({ "key": "a", "n": 2 })).await;
    bed.delivered().await;
    assert_eq!(numbers(&bed.events())["a"], [1, 2]);
    bed.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_execution_shows_no_message_but_those_declared_for_failure() {
    let bed = Bed::open().await;
    bed.add(SPEAKER).await;
    let view = bed.run("speaker.s.fail", json!({ "key": "a", "n": 1 })).await;
    let code = failure(&view).code.to_string();
    bed.delivered().await;
    let events = bed.events();
    assert_eq!(events.len(), 1);
    assert_eq!((&events[0]["type"], &events[0]["data"]["code"]), (&json!("failed"), &json!(code)));
    bed.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_is_down_loses_nothing_slows_nothing_and_gets_everything_in_order_afterwards() {
    let mut bed = Bed::with(|config, folder| {
        // The folder of the file is not there yet: every delivery fails.
        config.sinks.insert("lines".parse().unwrap(), Arc::new(FileSink::new(&folder.join("later/events.jsonl"))));
        config.sinks.insert("healthy".parse().unwrap(), Arc::new(FileSink::new(&folder.join("events.jsonl"))));
        config.policy.default_sinks.push("healthy".parse().unwrap());
        config.policy.delivery_attempts = 1_000_000;
    })
    .await;
    bed.add(SPEAKER).await;
    let mut ids = Vec::new();
    for number in 0..30 {
        let key = ["a", "b", "c"][number % 3];
        ids.push(bed.begin(draft("speaker.s.say", json!({ "key": key, "n": number }))).await);
    }
    for id in ids {
        bed.settled(id).await;
    }
    eventually("the healthy sink has everything", async || bed.events().len() == 30).await;
    let pending = outbox(&bed, Some(DeliveryState::Pending)).await;
    assert_eq!(pending.len(), 30);
    let lag = |bed: &Bed| {
        bed.hub().outbox_lag().into_iter().map(|lag| (lag.sink.to_string(), lag)).collect::<BTreeMap<_, _>>()
    };
    eventually("the hub says that the sink is down", async || lag(&bed)["lines"].trouble.is_some()).await;
    // A sink has a message a little before the log has that it has it.
    eventually("the healthy sink's marks are durable", async || lag(&bed)["healthy"].pending == 0).await;
    let told = lag(&bed);
    assert!(
        (told["lines"].pending, told["healthy"].pending) == (30, 0) && told["healthy"].trouble.is_none(),
        "{told:?}"
    );
    assert!(told["lines"].oldest_ms.is_some_and(|ms| ms < 60_000) && told["healthy"].oldest_ms.is_none(), "{told:?}");
    let tried = |row: &MessageRow| row.deliveries.iter().any(|d| matches!(d, Delivery::Pending { tries: 1.., .. }));
    eventually("the broken sink was tried", async || outbox(&bed, None).await.iter().any(tried)).await;
    // The relay finds what is pending by itself when it starts again, while the sink is still down.
    bed.restart().await;
    assert_eq!(outbox(&bed, Some(DeliveryState::Pending)).await.len(), 30);
    std::fs::create_dir(bed.path("later")).unwrap();
    bed.delivered().await;
    let text = std::fs::read_to_string(bed.path("later/events.jsonl")).unwrap();
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut ids: Vec<&str> = events.iter().map(|event| event["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((events.len(), ids.len()), (30, 30));
    let promised = outbox(&bed, None).await;
    for (key, sent) in numbers(&events) {
        let mut order: Vec<_> = promised.iter().filter(|row| row.message.key.as_ref() == Some(&key)).collect();
        order.sort_by_key(|row| row.lsn);
        let order: Vec<u64> = order.iter().map(|row| row.message.data.to_value()["n"].as_u64().unwrap()).collect();
        assert_eq!(sent, order, "the order of {key}");
    }
    bed.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_cannot_be_delivered_is_a_dead_letter_with_a_reason_frees_its_key_and_is_sent_again_on_request()
{
    let mut bed = Bed::with(|config, folder| {
        config.sinks.insert("lines".parse().unwrap(), Arc::new(FileSink::new(&folder.join("later/events.jsonl"))));
        config.policy.delivery_attempts = 2;
    })
    .await;
    bed.add(SPEAKER).await;
    bed.run("speaker.s.say", json!({ "key": "a", "n": 1 })).await;
    bed.run("speaker.s.say", json!({ "key": "a", "n": 2 })).await;
    eventually("both are dead", async || outbox(&bed, Some(DeliveryState::Dead)).await.len() == 2).await;
    let dead = outbox(&bed, Some(DeliveryState::Dead)).await;
    let Delivery::DeadLettered { reason, .. } = &dead[0].deliveries[0] else { panic!("{dead:?}") };
    assert!(reason.contains("later/events.jsonl"), "{reason}");
    let problems = bed.problems().await;
    let told = format!("outbox: 2 dead letters, the oldest {} for the sink lines since ", dead[1].message.id);
    assert!(problems.len() == 2 && problems[0].starts_with(&told) && problems[0].contains(reason), "{problems:?}");
    assert!(
        problems[1].starts_with("sinks: the sink lines: ") && problems[1].contains("cannot be written"),
        "{problems:?}"
    );
    assert!(problems[0].contains(&format!("`enact outbox redeliver {} --reason …`", dead[1].message.id)));
    bed.restart().await;
    assert_eq!(outbox(&bed, Some(DeliveryState::Dead)).await.len(), 2, "a start must not send dead letters again");
    std::fs::create_dir(bed.path("later")).unwrap();
    // The page is newest first.
    let message = dead[1].message.id;
    let again = Request::Redeliver { message, sink: None, reason: "mended".into() };
    assert!(matches!(bed.ask(again.clone()).await, Response::Done { .. }));
    bed.delivered().await;
    let text = std::fs::read_to_string(bed.path("later/events.jsonl")).unwrap();
    let sent: Value = serde_json::from_str(text.trim()).unwrap();
    assert_eq!((&sent["id"], &sent["data"]["n"]), (&json!(message.to_string()), &json!(1)));
    assert!(
        matches!(bed.ask(again).await, Response::Refused(_)),
        "it is delivered; without a sink nothing is repeated"
    );
    assert!(bed.problems().await[0].starts_with("outbox: 1 dead letters, "));
    bed.ask(Request::Redeliver { message: dead[0].message.id, sink: None, reason: "mended".into() }).await;
    bed.delivered().await;
    bed.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_and_their_keys_are_apart_for_each_tenant() {
    let bed = Bed::open().await;
    bed.add(SPEAKER).await;
    for tenant in ["one", "two"] {
        let intent = draft("speaker.s.say", json!({ "key": "a", "n": 1 }));
        bed.submit_as(tenant, intent, Duration::from_secs(20)).await;
    }
    eventually("both are delivered", async || bed.events().len() == 2).await;
    let Response::Outbox(page) = bed.ask_as("one", Request::Outbox { state: None, limit: 0, before: None }).await
    else {
        panic!()
    };
    assert_eq!(page.items.len(), 1);
    let message = page.items[0].message.id;
    assert!(matches!(bed.ask_as("one", Request::OutboxShow { message }).await, Response::Outbox(_)));
    assert!(matches!(bed.ask_as("two", Request::OutboxShow { message }).await, Response::Refused(_)));
    let again = Request::Redeliver { message, sink: Some("lines".parse().unwrap()), reason: "mine?".into() };
    assert!(matches!(bed.ask_as("two", again).await, Response::Refused(_)));
}
