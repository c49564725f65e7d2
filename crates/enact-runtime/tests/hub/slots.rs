//! Limits on what runs at once, under load and after a restart; tenants take turns.

use enact_runtime::api::Request;
use serde_json::json;

use crate::bed::{Bed, accepted, draft, eventually, output};

#[tokio::test(flavor = "multi_thread")]
async fn limits_and_serialisation_by_key_hold_under_load_and_after_a_restart() {
    let (mut bed, puppet) = Bed::with_puppet().await;
    puppet.shut();
    let mut ids = Vec::new();
    for number in 0..60 {
        let key = number % 4;
        ids.push(bed.begin(draft("puppet.play.serial", json!({ "key": key, "n": number }))).await);
        ids.push(bed.begin(draft("puppet.play.three", json!({ "n": number }))).await);
    }
    eventually("all slots are taken", async || puppet.runs().len() == 4 + 3).await;
    assert_eq!((bed.hub().status().running, bed.hub().status().queued), (7, 113));
    bed.is_well().await;
    bed.restart().await;
    // What the former hub had at its host has its slot again, and nobody else.
    eventually("all slots are taken again", async || puppet.runs().len() == 2 * (4 + 3)).await;
    assert_eq!(bed.hub().status().queued, 113);
    puppet.open();
    for id in &ids {
        bed.settled(*id).await;
    }
    for key in 0..4 {
        assert_eq!(puppet.most_inside(&format!("serial {key}")), 1);
        // One after the other, in the order in which they came.
        let order: Vec<u64> = puppet
            .runs()
            .iter()
            .filter(|run| run.operation == "serial" && run.argument["key"] == json!(key))
            .map(|run| run.argument["n"].as_u64().unwrap())
            .collect();
        assert!(order.is_sorted(), "{order:?}");
    }
    assert_eq!(puppet.most_inside("three"), 3);
    assert_eq!(puppet.runs().len(), 120 + 7);
    bed.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_with_much_to_do_does_not_keep_another_waiting() {
    let (mut bed, puppet) = Bed::with_puppet().await;
    bed.config.policy.running_max = 1;
    bed.restart().await;
    puppet.shut();
    let begin = async |tenant: &str| {
        let draft = draft("puppet.play.once", json!({ "tenant": tenant }));
        accepted(bed.submit_as(tenant, draft, std::time::Duration::ZERO).await).execution.id
    };
    for _ in 0..50 {
        begin("flood").await;
    }
    let modest = begin("modest").await;
    puppet.open();
    let wait_ms = crate::bed::LIMIT.as_millis() as u64;
    let view = crate::bed::execution_in(bed.ask_as("modest", Request::Await { execution: modest, wait_ms }).await);
    assert_eq!(output(&view), json!({ "tenant": "modest" }));
    let place = puppet.runs().iter().position(|run| run.argument["tenant"] == json!("modest")).unwrap();
    assert!(place <= 2, "it was number {place}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_the_limits_is_refused_with_a_time_to_come_back_and_nothing_is_logged() {
    let (mut bed, puppet) = Bed::with_puppet().await;
    bed.config.policy.open_max_per_tenant = 3;
    bed.restart().await;
    puppet.shut();
    for _ in 0..3 {
        bed.begin(draft("puppet.play.once", json!({}))).await;
    }
    let before = bed.hub().status().position;
    let answer = bed.submit_as("default", draft("puppet.play.once", json!({})), std::time::Duration::ZERO).await;
    let refused = crate::bed::refusal(answer);
    assert_eq!(refused.conclusion.code, enact_engine::conclude::OVERLOADED);
    assert!(refused.retry_after_ms.is_some());
    assert_eq!(bed.hub().status().position, before);
    puppet.open();
    eventually("there is room again", async || bed.hub().status().open == 0).await;
    bed.run("puppet.play.once", json!({})).await;
}
