//! What every sink must do on a real hub: one suite, run on a file, a webhook, Redis and NATS.

use std::collections::BTreeSet;

use enact_model::id::MessageId;
use enact_model::message::{Delivery, MessageRow};
use enact_runtime::api::{DeliveryState, Request, Response};
use enact_runtime::sink::DeliveryResult;
use serde_json::{Value, json};

use crate::bed::{Bed, eventually, numbers, tested};
use crate::rig::Rig;

/// So many tries that nothing is given up.
const WITHOUT_END: u32 = 1_000_000;

fn ids(events: &[Value]) -> Vec<String> {
    events.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect()
}

fn promised(rows: &[MessageRow]) -> BTreeSet<String> {
    rows.iter().map(|row| row.message.id.to_string()).collect()
}

/// O3: what arrived has its mark, and neither a restart nor the next message sends it again.
async fn delivered_then_marked_and_not_sent_again(rig: impl Rig) {
    let mut bed = Bed::open(rig.sink(), WITHOUT_END).await;
    for n in 0..5 {
        bed.say("default", "a", n).await;
    }
    bed.delivered().await;
    let rows = bed.outbox("default", None).await;
    assert!(rows.iter().all(|row| matches!(row.deliveries[0], Delivery::Delivered { .. })), "{rows:?}");
    let events = rig.received().await;
    assert_eq!((events.len(), ids(&events).into_iter().collect()), (5, promised(&rows)));
    for event in &events {
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        assert_eq!(
            (text("specversion"), text("type"), text("source")),
            ("1.0".into(), "said".into(), "/enact/speaker/s/say".into())
        );
        assert_eq!((text("datacontenttype"), text("enacttenant")), ("application/json".into(), "default".into()));
    }
    bed.restart(rig.sink()).await;
    bed.say("default", "a", 5).await;
    bed.delivered().await;
    assert_eq!(numbers(&rig.received().await)[&("default".into(), "a".into())], [0, 1, 2, 3, 4, 5]);
    assert_eq!(rig.received().await.len(), 6);
    bed.close().await;
}

/// O2: the messages of a key arrive in the order in which they were promised, and a tenant's keys are its own.
async fn a_key_keeps_its_order_and_tenants_are_apart(rig: impl Rig) {
    let mut bed = Bed::open(rig.sink(), WITHOUT_END).await;
    for n in 0..8 {
        for (tenant, key) in [("one", "a"), ("two", "a"), ("one", "b")] {
            bed.say(tenant, key, n).await;
        }
    }
    bed.delivered().await;
    let events = rig.received().await;
    let by_key = numbers(&events);
    assert_eq!((events.len(), by_key.len()), (24, 3));
    assert!(by_key.values().all(|numbers| numbers.iter().copied().eq(0..8)), "{by_key:?}");
    for tenant in ["one", "two"] {
        let own: BTreeSet<String> =
            ids(&events.iter().filter(|event| event["enacttenant"] == tenant).cloned().collect::<Vec<_>>())
                .into_iter()
                .collect();
        assert_eq!(own, promised(&bed.outbox(tenant, None).await));
    }
    bed.close().await;
}

/// O4: what was sent and has no mark is sent again with the same id, so that a consumer that dedupes has it once.
async fn what_is_sent_again_has_the_same_id(rig: impl Rig) {
    let mut bed = Bed::open(rig.sink(), WITHOUT_END).await;
    bed.say("default", "a", 0).await;
    bed.delivered().await;
    let rows = bed.outbox("default", None).await;
    // A relay whose mark was lost does the same.
    let again = rig.sink().deliver(rows.into_iter().map(Into::into).collect()).await;
    assert_eq!(again, [DeliveryResult::Delivered]);
    let events = rig.received().await;
    assert!((1..=2).contains(&events.len()));
    assert_eq!(ids(&events).into_iter().collect::<BTreeSet<_>>().len(), 1);
    assert!(events.iter().all(|event| event == &events[0]));
    bed.close().await;
}

/// O5, O6: a sink that is down loses nothing and slows nothing; a hub that starts meanwhile finds what is pending by itself.
async fn a_sink_that_is_down_loses_nothing_and_slows_nothing(mut rig: impl Rig) {
    let mut bed = Bed::open(rig.sink(), WITHOUT_END).await;
    bed.say("default", "a", 0).await;
    bed.delivered().await;
    rig.stop().await;
    for n in 1..4 {
        for key in ["a", "b", "c", "d", "e", "f"] {
            bed.say("default", key, n).await;
        }
    }
    eventually("the healthy sink has everything", async || bed.healthy().len() == 19).await;
    eventually("the hub says what is wrong", async || bed.lag().trouble.is_some()).await;
    assert!(!bed.reason().await.is_empty());
    bed.restart(rig.sink()).await;
    eventually("it is tried again", async || bed.lag().trouble.is_some()).await;
    let lag = bed.lag();
    assert!(lag.pending == 18 && lag.oldest_ms.is_some(), "{lag:?}");
    rig.start().await;
    bed.delivered().await;
    let by_key = numbers(&rig.received().await);
    assert_eq!(by_key.values().map(Vec::len).sum::<usize>(), 19);
    assert!(by_key.values().all(|numbers| numbers.is_sorted()), "{by_key:?}");
    assert!(bed.lag().trouble.is_none());
    bed.close().await;
}

/// O5: what cannot be delivered is a dead letter with its reason, which frees its key, and is sent again under its id.
async fn what_is_given_up_has_a_reason_frees_its_key_and_is_sent_again(mut rig: impl Rig) {
    let mut bed = Bed::open(rig.sink(), 2).await;
    rig.stop().await;
    bed.say("default", "a", 0).await;
    bed.say("default", "a", 1).await;
    eventually("both are given up", async || bed.outbox("default", Some(DeliveryState::Dead)).await.len() == 2).await;
    assert!(bed.reason().await.starts_with("given up after 2 tries: "), "{}", bed.reason().await);
    rig.start().await;
    let dead: Vec<MessageId> =
        bed.outbox("default", Some(DeliveryState::Dead)).await.iter().rev().map(|row| row.message.id).collect();
    for message in &dead {
        let again = Request::Redeliver { message: *message, sink: Some(tested()), reason: "mended".into() };
        assert!(matches!(bed.ask("default", again).await, Response::Done { .. }));
        bed.delivered().await;
    }
    let dead: Vec<String> = dead.iter().map(ToString::to_string).collect();
    assert_eq!(ids(&rig.received().await), dead);
    bed.close().await;
}

/// O7: of a failed execution only what it declares for failure arrives.
async fn a_failed_execution_sends_only_what_it_declares_for_failure(rig: impl Rig) {
    let mut bed = Bed::open(rig.sink(), WITHOUT_END).await;
    bed.run("default", "speaker.s.fail", json!({ "key": "a", "n": 1 })).await;
    bed.delivered().await;
    let events = rig.received().await;
    assert_eq!(events.iter().map(|event| event["type"].clone()).collect::<Vec<_>>(), ["failed"]);
    bed.close().await;
}

/// It says whether it would take messages, without sending one.
async fn it_says_whether_it_can_be_reached(mut rig: impl Rig) {
    let sink = rig.sink();
    let found = sink.check().await;
    assert!(found.is_ok(), "{found:?}");
    assert!(rig.received().await.is_empty());
    rig.stop().await;
    let problem = sink.check().await.unwrap_err();
    assert!(!problem.is_empty());
    rig.start().await;
    assert_eq!(sink.check().await, found);
}

macro_rules! run {
    ($rig:ty, $check:path) => {
        if let Some(rig) = <$rig>::open().await {
            $check(rig).await;
        }
    };
}

macro_rules! suite {
    ($module:ident, $rig:ty) => {
        mod $module {
            use crate::rig::Rig as _;
            #[tokio::test(flavor = "multi_thread")]
            async fn delivered_then_marked_and_not_sent_again() {
                run!($rig, super::delivered_then_marked_and_not_sent_again);
            }
            #[tokio::test(flavor = "multi_thread")]
            async fn a_key_keeps_its_order_and_tenants_are_apart() {
                run!($rig, super::a_key_keeps_its_order_and_tenants_are_apart);
            }
            #[tokio::test(flavor = "multi_thread")]
            async fn what_is_sent_again_has_the_same_id() {
                run!($rig, super::what_is_sent_again_has_the_same_id);
            }
            #[tokio::test(flavor = "multi_thread")]
            async fn a_sink_that_is_down_loses_nothing_and_slows_nothing() {
                run!($rig, super::a_sink_that_is_down_loses_nothing_and_slows_nothing);
            }
            #[tokio::test(flavor = "multi_thread")]
            async fn what_is_given_up_has_a_reason_frees_its_key_and_is_sent_again() {
                run!($rig, super::what_is_given_up_has_a_reason_frees_its_key_and_is_sent_again);
            }
            #[tokio::test(flavor = "multi_thread")]
            async fn a_failed_execution_sends_only_what_it_declares_for_failure() {
                run!($rig, super::a_failed_execution_sends_only_what_it_declares_for_failure);
            }
            #[tokio::test(flavor = "multi_thread")]
            async fn it_says_whether_it_can_be_reached() {
                run!($rig, super::it_says_whether_it_can_be_reached);
            }
        }
    };
}

suite! { file, crate::rig::FileRig }
suite! { webhook, crate::rig::WebhookRig }
suite! { redis, crate::rig::RedisRig }
suite! { nats, crate::rig::NatsRig }
