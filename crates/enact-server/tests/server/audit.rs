//! Who did what to an execution, as its tenant may read it (A2).

use std::time::Instant;

use enact_runtime::api::Role;
use serde_json::{Value, json};

use crate::bed::{Bed, LIMIT};
use crate::http::Ask;

/// Reads the audit of an execution until it has as many entries: a denial is logged beside its answer.
async fn audit(bed: &Bed, execution: &str, secret: &str, entries: usize) -> Vec<Value> {
    let begun = Instant::now();
    loop {
        let ask = Ask::new("GET", &format!("/v1/executions/{execution}/audit")).token(secret);
        let told = bed.ask(ask).await.is(200).json()["items"].as_array().unwrap().clone();
        if told.len() >= entries {
            return told;
        }
        assert!(begun.elapsed() < LIMIT, "{told:#?}");
        tokio::task::yield_now().await;
    }
}

fn deeds(told: &[Value]) -> Vec<(String, String, String)> {
    let text = |entry: &Value, name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    told.iter().map(|entry| (text(entry, "deed"), text(entry, "actor"), text(entry, "reason"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_tells_who_did_what_to_it_and_why_denials_included() {
    let bed = Bed::open().await;
    let (viewer, operator) = (bed.token("default", Role::Viewer), bed.token("default", Role::Operator));
    let draft = json!({ "intent_type": "text.words.gate", "parameters": {} });
    let submitted = bed.ask(Ask::new("POST", "/v1/intents").json(&draft).token(&operator)).await.is(202).json();
    let id = submitted["execution_id"].as_str().unwrap().to_owned();
    let steer = |what: &str, reason: &str, secret: &str| {
        Ask::new("POST", &format!("/v1/executions/{id}/{what}")).json(&json!({ "reason": reason })).token(secret)
    };
    bed.ask(steer("cancel", "mischief", &viewer)).await.is(403);
    audit(&bed, &id, &viewer, 2).await;
    bed.ask(steer("pause", "lunch", &operator)).await.is(200);
    bed.ask(steer("resume", "back", &operator)).await.is(200);
    bed.ask(steer("cancel", "wrong file", &operator)).await.is(200);
    let told = audit(&bed, &id, &viewer, 6).await;
    let entry = |deed: &str, actor: &str, reason: &str| (deed.to_owned(), actor.to_owned(), reason.to_owned());
    let all = deeds(&told);
    assert_eq!(
        all[..5],
        [
            entry("submitted", "token:default-operator", ""),
            entry("denied", "token:default-viewer", "cancel takes the role operator, not viewer"),
            entry("paused", "token:default-operator", "lunch"),
            entry("resumed", "token:default-operator", "back"),
            entry("cancelled", "token:default-operator", "wrong file"),
        ]
    );
    assert_eq!((&told[5]["deed"], &told[5]["outcome"]), (&json!("settled"), &json!("cancelled")));
    assert_eq!((&told[0]["role"], &told[0]["tenant"]), (&json!("operator"), &json!("default")));
    // Whoever steered it was let by a role or denied for it, and the hub has none.
    let roles: Vec<_> = told.iter().map(|entry| entry["role"].as_str()).collect();
    let operator = Some("operator");
    assert_eq!(roles, [operator, Some("viewer"), operator, operator, operator, None]);
    assert!(told.iter().all(|entry| entry["lsn"].is_number() && entry["time"].is_number()), "{told:#?}");

    let page = format!("/v1/executions/{id}/audit?limit=2");
    let first = bed.get(&page).await.is(200).json();
    let next = first["next"].as_str().unwrap();
    let second = bed.get(&format!("{page}&cursor={next}")).await.is(200).json();
    assert_eq!(first["items"].as_array().unwrap()[..], told[..2]);
    assert_eq!(second["items"].as_array().unwrap()[..], told[2..4]);
    bed.get(&format!("/v1/executions/{id}/audit?limit=5&cursor=x")).await.is(422);
    bed.get(&format!("/v1/executions/{id}/audit?limit=5000")).await.is(422);
    bed.get("/v1/executions/exe_1/audit").await.is(422);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_had_a_message_sent_again_is_told_of_its_execution() {
    let bed = Bed::open().await;
    let operator = bed.token("default", Role::Operator);
    let view = bed.run("text.words.keep", json!({})).await;
    let id = view["execution"]["id"].as_str().unwrap();
    let outbox = bed.get("/v1/outbox").await.is(200).json();
    let message = outbox["items"][0]["message"]["id"].as_str().unwrap().to_owned();
    let again = json!({ "reason": "they lost it", "sink": outbox["items"][0]["message"]["sinks"][0] });
    let path = format!("/v1/outbox/{message}/redeliver");
    // It may still be on its way the first time.
    let begun = Instant::now();
    while bed.ask(Ask::new("POST", &path).json(&again).token(&operator)).await.status != 200 {
        assert!(begun.elapsed() < LIMIT);
        tokio::task::yield_now().await;
    }
    let told = audit(&bed, id, &operator, 3).await;
    let again = told.iter().find(|entry| entry["deed"] == "redelivered").unwrap_or_else(|| panic!("{told:#?}"));
    assert_eq!(
        (&again["actor"], &again["role"], &again["reason"], &again["message"]),
        (&json!("token:default-operator"), &json!("operator"), &json!("they lost it"), &json!(message))
    );
    // Those of others are theirs.
    let other = bed.run("text.words.keep", json!({})).await;
    let told = audit(&bed, other["execution"]["id"].as_str().unwrap(), &operator, 2).await;
    assert!(told.iter().all(|entry| entry["deed"] != "redelivered"), "{told:#?}");
}
