//! What a kill leaves behind, made by hand: a log that was cut, a mark that was lost.

use std::collections::BTreeSet;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;

use enact_model::envelope::StateScope;
use enact_model::outcome::Outcome;
use enact_model::record::RecordFilter;
use enact_runtime::api::{DeliveryState, Request, Response};
use serde_json::json;

use crate::bed::{Bed, eventually, records_in};

const EFFECTS: &str = r#"
component: effects
version: 1.0.0
process: { command: [echo, "1"] }
services:
  s:
    all:
      kind: query
      produces: [{ artifact: one.txt, from: stdout }]
      state: [{ scope: session, set: k, value: 1 }]
      emits: [{ type: done, key: /key }]
"#;

fn copy(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}

/// Copies what a kill would leave of the store of an idle hub, all but its tables: they are written behind, so their files
/// come and go while the hub lives; and they are a cache, without which the log alone says what happened.
fn copy_without_tables(store: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(store).unwrap().map(Result::unwrap).filter(|entry| entry.file_name() != "tables") {
        copy(&entry.path(), &to.join(entry.file_name()));
    }
}

/// Returns the only segment of a log that has records, and where its last byte that is not zero stands.
fn segment(store: &Path) -> (std::path::PathBuf, u64) {
    let files = std::fs::read_dir(store.join("log")).unwrap().map(|entry| entry.unwrap().path());
    let used = files.filter_map(|path| {
        let bytes = std::fs::read(&path).unwrap();
        let end = bytes.iter().rposition(|byte| *byte != 0)?;
        Some((path, end as u64 + 1))
    });
    used.max_by_key(|(_, end)| *end).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_cut_anywhere_has_an_outcome_with_all_its_effects_or_none_of_them() {
    let mut bed = Bed::with(|config, folder| {
        // Nothing is delivered: a message is there or it is not.
        let path = folder.join("never/events.jsonl");
        config.sinks.insert("lines".parse().unwrap(), std::sync::Arc::new(enact_runtime::sink::FileSink::new(&path)));
        config.policy.delivery_backoff = (std::time::Duration::from_secs(600), std::time::Duration::from_secs(600));
    })
    .await;
    bed.add(EFFECTS).await;
    let (_, before) = segment(&bed.config.store);
    let id = bed.run("effects.s.all", json!({ "key": "a" })).await.execution.id;
    // The last record that this hub makes: the delivery that failed.
    let delayed = RecordFilter { kinds: vec!["MessageDelayed".into()], ..RecordFilter::default() };
    let read = || Request::Records { filter: delayed.clone(), limit: 9 };
    eventually("the delivery has failed", async || !records_in(bed.ask(read()).await).is_empty()).await;
    let (path, after) = segment(&bed.config.store);
    let whole = bed.path("whole");
    copy_without_tables(&bed.config.store, &whole);
    bed.close().await;
    let name = path.file_name().unwrap();
    let (mut both, mut neither) = (0, 0);
    for cut in (before..after).step_by(61).chain([after]) {
        copy(&whole, &bed.config.store);
        let file = std::fs::OpenOptions::new().write(true).open(bed.config.store.join("log").join(name)).unwrap();
        file.write_all_at(&vec![0; (after - cut) as usize], cut).unwrap();
        drop(file);
        bed.start().await;
        let outbox = bed.ask(Request::Outbox { state: None, limit: 9, before: None }).await;
        let Response::Outbox(messages) = outbox else { panic!("{outbox:?}") };
        let references = bed.ask(Request::References(Default::default())).await;
        let Response::References(references) = references else { panic!("{references:?}") };
        let state =
            bed.ask(Request::StateGet { scope: StateScope::Session, owner: "default".into(), key: "k".into() }).await;
        let found = (messages.items.len(), references.items.len(), matches!(state, Response::State(_)));
        let outcome = match bed.ask(Request::Execution { execution: id }).await {
            Response::Execution(view) => view.outcome().cloned(),
            _ => None,
        };
        // An attempt without its answer is tried again by the start, so what counts is what stood there before.
        let first =
            bed.records_or_none(id).await.iter().any(|record| record.body.kind() == "Settled" && record.epoch.0 == 1);
        match (first, outcome) {
            (true, Some(Outcome::Completed { .. })) => {
                assert_eq!(found, (1, 1, true), "cut at {cut}");
                both += 1;
            }
            (false, _) => {
                let early = bed.epochs_of_effects().await;
                assert!(!early.contains(&1), "cut at {cut}: effects without their outcome");
                neither += 1;
            }
            other => panic!("cut at {cut}: {other:?}"),
        }
        bed.close().await;
    }
    assert!(both >= 1 && neither >= 10, "{both} {neither}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_mark_was_lost_is_sent_again_with_the_same_id() {
    let mut bed = Bed::with(|config, folder| {
        let path = folder.join("later/events.jsonl");
        config.sinks.insert("lines".parse().unwrap(), std::sync::Arc::new(enact_runtime::sink::FileSink::new(&path)));
        config.policy.delivery_attempts = 1_000_000;
    })
    .await;
    bed.add(EFFECTS).await;
    for number in 0..5 {
        bed.run("effects.s.all", json!({ "key": format!("{number}") })).await;
    }
    bed.close().await;
    let promised = bed.path("promised");
    copy(&bed.config.store, &promised);
    let file = bed.path("later/events.jsonl");
    std::fs::create_dir(bed.path("later")).unwrap();
    let ids = || -> Vec<String> {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let id = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].to_string();
        text.lines().map(id).collect()
    };
    bed.start().await;
    bed.delivered().await;
    assert_eq!(ids().len(), 5);
    // The hub died after it had sent and before it had marked: this is the store that it leaves.
    bed.close().await;
    copy(&promised, &bed.config.store);
    bed.start().await;
    bed.delivered().await;
    eventually("they are sent again", async || ids().len() == 10).await;
    let distinct: BTreeSet<String> = ids().into_iter().collect();
    assert_eq!(distinct.len(), 5, "a consumer that knows the ids sees each message once");
    let delivered = Request::Outbox { state: Some(DeliveryState::Delivered), limit: 9, before: None };
    assert!(matches!(bed.ask(delivered).await, Response::Outbox(page) if page.items.len() == 5));
    bed.is_well().await;
}
