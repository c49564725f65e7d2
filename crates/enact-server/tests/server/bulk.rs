//! A command to many executions, and what the log and its answer say of each.

use serde_json::{Value, json};

use crate::bed::Bed;
use crate::http::Ask;
use enact_runtime::api::Role;

/// Begins some that wait for the gate, and cancels all of them; returns their ids, and the report.
async fn cancelled(bed: &Bed, token: &str, count: usize) -> (Vec<String>, Value) {
    let mut begun = Vec::new();
    for _ in 0..count {
        begun.push(bed.begin("text.words.gate", json!({})).await);
    }
    let all = json!({ "filter": { "intent_type": "text.words.gate" }, "reason": "the line is down" });
    let report = bed.ask(Ask::new("POST", "/v1/executions/cancel").json(&all).token(token)).await.is(200).json();
    for execution in &begun {
        let outcome = bed.get(&format!("/v1/executions/{execution}/outcome?wait=30s")).await.is(200).json();
        assert_eq!(outcome["word"], "cancelled");
    }
    (begun, report)
}

async fn audit(bed: &Bed, execution: &str) -> Vec<Value> {
    let audit = bed.get(&format!("/v1/executions/{execution}/audit?limit=100")).await.is(200).json();
    audit["items"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_commanded_many_and_why_stands_with_each_of_them() {
    let bed = Bed::open().await;
    let token = bed.token("default", Role::Operator);
    let (begun, report) = cancelled(&bed, &token, 3).await;
    assert_eq!((&report["matched"], &report["done"], &report["not_done"]), (&json!(3), &json!(3), &json!([])));
    let actor = "token:default-operator";
    for execution in &begun {
        let records = bed.get(&format!("/v1/executions/{execution}/records?kinds=StopRequested")).await.is(200).json();
        let record = &records["items"][0];
        assert_eq!(record["actor"], actor, "{record}");
        assert!(record.to_string().contains("the line is down"), "{record}");
        let said = audit(&bed, execution).await;
        let entry = said.iter().find(|entry| entry["reason"] == "the line is down");
        let entry = entry.unwrap_or_else(|| panic!("{said:?}"));
        assert_eq!(entry["actor"], actor, "{entry}");
    }

    std::fs::write(bed.gate(), "").unwrap();
    let all = json!({
        "filter": { "outcome": "cancelled" }, "reason": "the line is back", "confirm_may_have_run": true,
    });
    let report = bed.ask(Ask::new("POST", "/v1/executions/retry").json(&all).token(&token)).await.is(200).json();
    assert_eq!((&report["matched"], &report["done"], &report["not_done"]), (&json!(3), &json!(3), &json!([])));
    let retries = bed.get("/v1/executions?intent_type=text.words.gate&limit=3").await.is(200).json();
    for retry in retries["items"].as_array().unwrap() {
        let of = retry["execution"]["retry_of"].as_str().unwrap_or_else(|| panic!("{retry}"));
        assert!(begun.iter().any(|execution| execution == of), "{retry}");
        // The log of the retry says who asked for it and why, as it does of one that was retried alone.
        let id = retry["execution"]["id"].as_str().unwrap();
        let records = bed.get(&format!("/v1/executions/{id}/records")).await.is(200).json();
        assert_eq!(records["items"][0]["actor"], actor, "{records}");
        let said = [audit(&bed, id).await, audit(&bed, of).await].concat();
        let told = said.iter().any(|entry| entry["reason"] == "the line is back" && entry["actor"] == actor);
        assert!(told, "{said:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn those_that_refuse_are_told_one_by_one_with_their_reason() {
    let bed = Bed::open().await;
    bed.add(
        "once",
        "
component: once
version: 1.0.0
process: { command: [sh], mode: oneshot }
services: { s: { wait: { kind: command, timeout: 60s, call: { command: [sleep, \"1000021\"], stdin: empty } } } }
",
    )
    .await;
    let operator = bed.token("default", Role::Operator);
    let mut begun = Vec::new();
    for _ in 0..2 {
        let execution = bed.begin("once.s.wait", json!({})).await;
        // It runs, so that nobody knows what it came to.
        let path = format!("/v1/executions/{execution}/records?kinds=AttemptStarted");
        while bed.get(&path).await.is(200).json()["items"] == json!([]) {
            tokio::task::yield_now().await;
        }
        begun.push(execution);
    }
    let all = |reason: &str| json!({ "filter": { "selector": "once" }, "reason": reason });
    bed.post("/v1/executions/cancel", all("enough")).await.is(200);
    for execution in &begun {
        bed.get(&format!("/v1/executions/{execution}/outcome?wait=30s")).await.is(200);
    }
    let before = bed.hub().status().position;
    let ask = Ask::new("POST", "/v1/executions/retry").json(&all("again")).token(&operator);
    let report = bed.ask(ask).await.is(200).json();
    assert_eq!((&report["matched"], &report["done"], &report["more"]), (&json!(2), &json!(0), &json!(false)));
    let not_done = report["not_done"].as_array().unwrap();
    let mut refused: Vec<&str> = not_done.iter().map(|one| one["execution"].as_str().unwrap()).collect();
    refused.sort_unstable();
    begun.sort();
    assert_eq!(refused, begun);
    for one in not_done {
        assert!(one["why"]["message"].as_str().unwrap().contains("may have run"), "{one}");
        assert!(one["why"]["code"].is_string(), "{one}");
    }
    assert_eq!(bed.hub().status().position, before, "nothing was begun");
}
