//! A full disk: the call fails, nothing of it is visible, reads go on, and nothing acknowledged is lost.

use std::sync::Arc;
use std::time::Duration;

use enact_runtime::api::{Request, Response};
use serde_json::json;

use crate::bed::{Bed, draft, refusal};
use crate::puppet::{self, Puppet};
use crate::small::Small;

/// A hub with a puppet whose store is on a small file system; nothing where none can be mounted, which is counted.
async fn on_small_disk() -> Option<(Small, Arc<Puppet>, Bed)> {
    let small = Small::mount()?;
    let puppet = Puppet::new();
    let bed = Bed::with(|config, _| {
        config.store = small.path().join("store");
        puppet.take_the_stage(config);
    })
    .await;
    bed.add(puppet::COMPONENT).await;
    Some((small, puppet, bed))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_fails_the_call_shows_nothing_of_it_and_loses_nothing_acknowledged() {
    let Some((small, puppet, mut bed)) = on_small_disk().await else { return };
    let mut acknowledged = Vec::new();
    let pad = "x".repeat(20_000);
    let refused = loop {
        assert!(acknowledged.len() < 10_000, "the disk never was full");
        match bed.submit_as("default", draft("puppet.play.once", json!({ "pad": pad })), Duration::from_secs(3)).await {
            Response::Accepted { execution, .. } if execution.outcome().is_some() => {
                acknowledged.push(execution.execution.id)
            }
            // Admitted, and the log refused what came of it: it waits for the next start.
            Response::Accepted { execution, .. } => acknowledged.push(execution.execution.id),
            other => break refusal(other),
        }
        if bed.hub().status().poisoned.is_some() {
            let answer = bed.submit_as("default", draft("puppet.play.once", json!({})), Duration::ZERO).await;
            break refusal(answer);
        }
    };
    assert_eq!(refused.conclusion.code, enact_engine::conclude::STORE_POISONED, "{refused:?}");
    // Reads go on, the doctor says what is the matter, and nothing of what was refused is there.
    let position = bed.hub().status().position;
    let problems = bed.problems().await;
    assert!(problems.iter().any(|problem| problem.starts_with("log: ")), "{problems:?}");
    let visible = crate::bed::accepted_ids(&bed).await;
    assert_eq!(visible, acknowledged.iter().copied().collect());
    assert_eq!(bed.hub().status().position, position);
    let hub = bed.hub().clone();
    let _ = hub.shutdown().await;
    drop(hub);
    bed.abandon();
    small.grow();
    bed.start().await;
    for execution in &acknowledged {
        bed.settled(*execution).await;
        assert!(puppet.runs_of(execution).len() <= 1, "{execution} ran twice");
    }
    assert_eq!(crate::bed::accepted_ids(&bed).await, acknowledged.iter().copied().collect());
    bed.run("puppet.play.echo", json!({})).await;
    bed.is_well().await;
    bed.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_without_room_is_one_conclusion_for_large_parameters_and_for_an_artifact() {
    let Some((small, puppet, bed)) = on_small_disk().await else { return };
    let file = bed.path("large.bin");
    std::fs::write(&file, vec![7; 400_000]).unwrap();
    small.fill();
    let large = draft("puppet.play.once", json!({ "pad": "x".repeat(400_000) }));
    let put = Request::ArtifactPut { path: file.display().to_string(), name: None, media_type: None };
    for answer in [bed.submit_as("default", large.clone(), Duration::ZERO).await, bed.ask(put).await] {
        let refused = refusal(answer).conclusion;
        assert_eq!(refused.code, enact_engine::conclude::STORE_FULL, "{refused:?}");
        assert_eq!(refused.hint.as_deref(), Some("free the disk and ask again"));
    }
    assert_eq!((bed.hub().status().poisoned, puppet.runs().len()), (None, 0));
    small.empty();
    assert!(bed.run_draft(large).await.outcome().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_find_no_room_are_told_by_status_and_doctor_while_the_log_takes_work() {
    let Some((small, _puppet, mut bed)) = on_small_disk().await else { return };
    // The segment of the log is there already.
    small.fill();
    let mut ran = Vec::new();
    while bed.hub().status().tables.is_none() {
        assert!(ran.len() < 30, "the tables never were behind");
        let view = bed.run("puppet.play.once", json!({ "pad": "x".repeat(2_000) })).await;
        ran.push(view.execution.id);
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    ran.push(bed.run("puppet.play.once", json!({})).await.execution.id);
    let status = bed.hub().status();
    assert_eq!(status.poisoned, None);
    assert!(status.tables.is_some_and(|trouble| trouble.starts_with("not written behind since ")));
    let problems = bed.problems().await;
    let told =
        |problem: &String| problem.starts_with("tables: not written behind since ") && problem.contains("restart");
    assert!(problems.iter().any(told), "{problems:?}");
    small.empty();
    let hub = bed.hub().clone();
    let _ = hub.shutdown().await;
    drop(hub);
    bed.abandon();
    small.grow();
    bed.start().await;
    assert_eq!(crate::bed::accepted_ids(&bed).await, ran.into_iter().collect());
    bed.is_well().await;
    bed.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_a_store_and_a_store_that_is_held_are_refused_with_a_conclusion() {
    let bed = Bed::open().await;
    let held = enact_runtime::hub::Hub::open(bed.config.clone()).await.err().expect("two hubs on one store");
    assert_eq!(held.conclusion().code, enact_engine::conclude::STORE_UNUSABLE);
    let mut config = bed.config.clone();
    config.store = bed.path("a-file");
    std::fs::write(&config.store, "no folder").unwrap();
    let error = enact_runtime::hub::Hub::open(config).await.err().expect("a file is no store");
    assert_eq!(error.conclusion().code, enact_engine::conclude::STORE_UNUSABLE);
    assert!(matches!(bed.ask(Request::Status).await, Response::Status(_)));
}
