//! More than a hub takes is refused and costs it nothing, and a tenant that floods keeps nobody else out (A8).

use std::sync::Arc;

use enact_model::record::{Body, Record, RecordFilter};
use enact_runtime::api::{Request, Response, Role};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::bed::Bed;
use crate::http::Ask;

/// Most open executions of one tenant.
const OPEN_MAX: usize = 40;
/// Most that run at once.
const RUNNING_MAX: usize = 2;
/// Most bytes of parameters of one tenant.
const BYTES_MAX: usize = 1024 * 1024;

async fn bed() -> Arc<Bed> {
    let hub = |config: &mut enact_runtime::hub::HubConfig| {
        config.policy.open_max = 100;
        config.policy.open_max_per_tenant = OPEN_MAX as u64;
        config.policy.running_max = RUNNING_MAX as u32;
        config.policy.queued_bytes_max_per_tenant = BYTES_MAX as u64;
    };
    Arc::new(Bed::with_hub(hub, |_| ()).await)
}

/// Submits so many at once over connections of their own; returns how many were taken. Who is refused is told when to come
/// again, and that nothing was begun.
async fn flood(bed: &Arc<Bed>, token: &str, draft: Value, count: usize) -> usize {
    let mut all = JoinSet::new();
    for _ in 0..count {
        let (bed, token, draft) = (Arc::clone(bed), token.to_owned(), draft.clone());
        all.spawn(async move { bed.ask(Ask::new("POST", "/v1/intents").json(&draft).token(&token)).await });
    }
    let mut taken = 0;
    while let Some(answer) = all.join_next().await {
        let answer = answer.unwrap();
        match answer.status {
            202 => taken += 1,
            429 | 503 => {
                assert!(answer.header("retry-after").parse::<u32>().unwrap() >= 1, "{answer:?}");
                assert!(answer.json()["execution_id"].is_null(), "{answer:?}");
            }
            _ => panic!("{answer:?}"),
        }
    }
    taken
}

async fn records(bed: &Bed, tenant: &str) -> Vec<Record> {
    let request = Request::Records { filter: RecordFilter::default(), limit: 1000 };
    let Response::Records(page) = bed.admin(tenant, request).await else { panic!("no records") };
    page.items
}

/// The positions at which executions of a tenant were begun.
async fn begun(bed: &Bed, tenant: &str) -> Vec<u64> {
    let started = |record: &Record| matches!(record.body, Body::AttemptStarted { .. }).then_some(record.lsn.0);
    records(bed, tenant).await.iter().filter_map(started).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_floods_is_refused_and_keeps_nobody_else_out() {
    let bed = bed().await;
    let (flooding, other) = (bed.token("flooding", Role::Operator), bed.token("other", Role::Operator));
    let gate = json!({ "intent_type": "text.words.gate", "parameters": {} });
    assert_eq!(flood(&bed, &flooding, gate, 300).await, OPEN_MAX);
    let Response::Status(status) = bed.admin("flooding", Request::Status).await else { panic!("no status") };
    assert_eq!(status.open as usize, OPEN_MAX, "what was refused is not kept");
    let echo = json!({ "intent_type": "text.words.echo", "parameters": { "n": 1 } });
    assert_eq!(flood(&bed, &other, echo, 10).await, 10);

    std::fs::write(bed.gate(), "open").unwrap();
    let open = |bed: Arc<Bed>| async move {
        let Response::Status(status) = bed.admin("other", Request::Status).await else { panic!("no status") };
        status.open
    };
    let begin = std::time::Instant::now();
    while open(Arc::clone(&bed)).await > 0 {
        assert!(begin.elapsed() < crate::bed::LIMIT, "all of them finish");
    }
    let (flooding, other) = (begun(&bed, "flooding").await, begun(&bed, "other").await);
    assert_eq!((flooding.len(), other.len()), (OPEN_MAX, 10));
    for (k, at) in other.iter().enumerate() {
        let before = flooding.iter().filter(|flooded| *flooded < at).count();
        // Those that ran already, then one of each in turn.
        assert!(before <= RUNNING_MAX + k + 2, "{before} of the flood were begun before the other's number {k}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_that_wait_have_a_limit_of_bytes() {
    let bed = bed().await;
    let flooding = bed.token("flooding", Role::Operator);
    let draft = json!({ "intent_type": "text.words.gate", "parameters": { "text": "x".repeat(100_000) } });
    let taken = flood(&bed, &flooding, draft, 60).await;
    assert!((8..=BYTES_MAX / 100_000).contains(&taken), "{taken}");
    // Small ones still fit, as many as may be open.
    let gate = json!({ "intent_type": "text.words.gate", "parameters": {} });
    assert_eq!(flood(&bed, &flooding, gate, 60).await, OPEN_MAX - taken);
    std::fs::write(bed.gate(), "open").unwrap();
}
