//! One idempotency key is one execution, one run and one answer.

use std::collections::BTreeSet;
use std::time::Duration;

use enact_model::id::ExecutionId;
use enact_model::intent::IntentDraft;
use enact_model::json::Json;
use enact_runtime::api::{Request, Response};
use serde_json::{Value, json};

use crate::bed::{Bed, LIMIT, draft, eventually};

fn ledger_component(bed: &Bed) -> String {
    format!(
        r#"
component: ledger
version: 1.0.0
process: {{ command: [sh, -c, 'echo "$ENACT_EXECUTION_ID" >> {}; echo "\"$ENACT_EXECUTION_ID\""'] }}
services: {{ s: {{ append: {{ kind: command }} }} }}
"#,
        bed.path("ledger").display()
    )
}

fn keyed(key: &str, parameters: Value) -> IntentDraft {
    IntentDraft { idempotency_key: Some(key.to_owned()), ..draft("ledger.s.append", parameters) }
}

/// Submits the same 64 times at once; returns the answers: execution and output, and how many were told to be the first.
async fn flood(bed: &Bed, key: &str) -> (BTreeSet<(ExecutionId, String)>, usize) {
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let (hub, intent) = (bed.hub().clone(), keyed(key, json!({ "n": 1 })));
        calls.spawn(async move {
            let request = Request::Submit { draft: Box::new(intent), wait_ms: LIMIT.as_millis() as u64 };
            match hub.handle(&crate::bed::caller("default"), request).await {
                Response::Accepted { execution, repeated } => {
                    let output = execution.output.as_ref().map(Json::to_string).unwrap_or_default();
                    ((execution.execution.id, output), repeated)
                }
                other => panic!("{other:?}"),
            }
        });
    }
    let answers = calls.join_all().await;
    let first = answers.iter().filter(|(_, repeated)| !repeated).count();
    (answers.into_iter().map(|(answer, _)| answer).collect(), first)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_from_64_submitters_is_one_run_and_one_answer_also_across_a_restart_and_out_of_memory() {
    let mut bed = Bed::open().await;
    bed.add(&ledger_component(&bed)).await;
    let (answers, first) = flood(&bed, "order 1").await;
    assert_eq!((answers.len(), first), (1, 1), "{answers:?}");
    bed.restart().await;
    assert_eq!(flood(&bed, "order 1").await, (answers.clone(), 0));
    // Enough after it that its rows are written behind and let go of.
    let (id, _) = answers.first().unwrap();
    let key = enact_model::table::Key::execution(&"default".parse().unwrap(), *id);
    for _ in 0..20 {
        bed.run("ledger.s.append", json!({})).await;
    }
    bed.close().await;
    {
        use enact_store::contract::{Cached, Store as _, View as _};
        let store = enact_store::embedded::DiskStore::on_disk(
            &bed.config.store,
            bed.config.embedded.clone(),
            &mut enact_runtime::driver::replay,
        );
        assert_eq!(store.unwrap().0.view().cached(&key), Cached::Unknown, "it is still in memory");
    }
    bed.start().await;
    assert_eq!(flood(&bed, "order 1").await, (answers.clone(), 0));
    let text = std::fs::read_to_string(bed.path("ledger")).unwrap();
    assert_eq!(text.lines().filter(|line| *line == id.to_string()).count(), 1, "{text}");
    assert_eq!(text.lines().count(), 21);
    bed.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_with_other_parameters_is_a_conflict_and_runs_nothing() {
    let bed = Bed::open().await;
    bed.add(&ledger_component(&bed)).await;
    bed.run_draft(keyed("order 2", json!({ "n": 1 }))).await;
    let other_session = IntentDraft { session_id: Some("s2".into()), ..keyed("order 2", json!({ "n": 1 })) };
    for intent in [keyed("order 2", json!({ "n": 2 })), other_session] {
        let Response::Rejected(rejection) = bed.submit_as("default", intent, LIMIT).await else { panic!() };
        assert_eq!(rejection.conclusion.code, enact_engine::conclude::KEY_CONFLICT);
    }
    // The order of keys and the way a number is written are not other parameters; another tenant is another scope.
    let spaced = Some(Json::parse(r#"{ "n" : 1 }"#).unwrap());
    let same = IntentDraft { parameters: spaced, ..keyed("order 2", json!({})) };
    let answer = bed.submit_as("default", same, LIMIT).await;
    assert!(matches!(answer, Response::Accepted { repeated: true, .. }), "{answer:?}");
    let answer = bed.submit_as("other", keyed("order 2", json!({ "n": 2 })), LIMIT).await;
    assert!(matches!(answer, Response::Accepted { repeated: false, .. }), "{answer:?}");
    assert_eq!(std::fs::read_to_string(bed.path("ledger")).unwrap().lines().count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_intent_does_not_use_its_key_up() {
    let (bed, puppet) = Bed::with_puppet().await;
    let keyed = |intent_type: &str| IntentDraft { idempotency_key: Some("k".into()), ..draft(intent_type, json!({})) };
    let wrong = IntentDraft { parameters: None, ..keyed("puppet.play.once") };
    assert!(matches!(bed.submit_as("default", wrong, LIMIT).await, Response::Rejected(_)));
    let view = bed.run_draft(keyed("puppet.play.once")).await;
    assert_eq!(puppet.runs_of(view.execution.id).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repetition_while_the_first_one_runs_waits_for_the_same_answer() {
    let (bed, puppet) = Bed::with_puppet().await;
    puppet.shut();
    let keyed = || IntentDraft { idempotency_key: Some("k".into()), ..draft("puppet.play.once", json!({ "n": 1 })) };
    let id = bed.begin(keyed()).await;
    eventually("it runs", async || puppet.runs().len() == 1).await;
    let early = bed.submit_as("default", keyed(), Duration::from_millis(1)).await;
    assert!(matches!(&early, Response::Accepted { execution, repeated: true } if execution.outcome().is_none()));
    let (view, ()) = tokio::join!(bed.run_draft(keyed()), async { puppet.open() });
    assert_eq!(view.execution.id, id);
    assert_eq!(puppet.runs().len(), 1);
}
