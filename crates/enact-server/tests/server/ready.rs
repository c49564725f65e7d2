//! Whether work should be sent here, as whoever watches the hub is told.

use serde_json::{Value, json};

use crate::bed::Bed;
use crate::small::Small;

/// A hub whose store is on a disk that is soon full; nothing where none can be mounted, which is counted.
async fn on_small_disk() -> Option<(Small, Bed)> {
    let small = Small::mount()?;
    let set = |config: &mut enact_runtime::hub::HubConfig| {
        config.store = small.path().join("store");
        config.embedded.flush_every = std::time::Duration::from_millis(5);
        config.embedded.first_segment_bytes = 1024 * 1024;
    };
    let bed = Bed::with_hub(set, |_| ()).await;
    assert_eq!(bed.get("/readyz").await.is(200).json()["status"], "ready");
    Some((small, bed))
}

/// Asks for work of so many bytes until the hub says for this reason that none should be sent here; returns every reason.
async fn until_unready(bed: &Bed, bytes: usize, why: &str) -> Vec<String> {
    let draft = json!({ "intent_type": "text.words.echo", "parameters": { "pad": "x".repeat(bytes) } });
    for _ in 0..2_000 {
        bed.post("/v1/intents", draft.clone()).await;
        let ready = bed.get("/readyz").await;
        if ready.status == 200 {
            continue;
        }
        assert_eq!((ready.status, &ready.json()["status"]), (503, &json!("not ready")), "{ready:?}");
        let reasons = ready.json()["reasons"].as_array().unwrap_or_else(|| panic!("{ready:?}")).clone();
        let reasons: Vec<String> = reasons.iter().map(|reason| reason.as_str().unwrap().to_owned()).collect();
        if reasons.iter().any(|reason| reason.starts_with(why)) {
            return reasons;
        }
    }
    panic!("it is never told that {why}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_refuses_writes_is_told_and_so_is_whoever_submits() {
    let Some((_small, bed)) = on_small_disk().await else { return };
    until_unready(&bed, 20_000, "writes are refused: ").await;
    bed.get("/healthz").await.is(200);
    let draft = json!({ "intent_type": "text.words.echo", "parameters": {} });
    let refused = bed.post("/v1/intents", draft).await.is(500).json();
    assert_eq!(refused["disposition"], "escalation", "{refused}");
    assert!(refused["hint"].as_str().unwrap().contains("free the disk"), "{refused}");
    // What was taken before is still read.
    assert_ne!(bed.get("/v1/executions").await.is(200).json()["items"], Value::Array(Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_are_not_written_behind_are_told_while_the_log_takes_work() {
    let Some((small, bed)) = on_small_disk().await else { return };
    // The segment of the log is there already.
    small.fill();
    let told = until_unready(&bed, 500, "tables: not written behind since ").await;
    assert_eq!(told.len(), 1, "{told:?}");
    let draft = json!({ "intent_type": "text.words.echo", "parameters": {} });
    bed.post("/v1/intents", draft).await.is(202);
}
