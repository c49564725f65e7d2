//! The doctor finds what nothing will ever wake, and what the log does not make; both are planted here.

use enact_model::execution::Wake;
use enact_model::id::Lsn;
use enact_model::record::{Body, Record};
use enact_model::table::{Change, DueKind, Key, Row};
use enact_runtime::api::{Request, Response};
use enact_store::contract::{Batch, Store as _, View as _};
use enact_store::embedded::DiskStore;
use serde_json::json;

use crate::bed::{Bed, draft};

/// Commits changes that no record makes, as a performer that writes to the tables by itself would.
fn plant(bed: &Bed, changes: impl FnOnce(&DiskStore) -> Vec<Change>) {
    let opened = DiskStore::on_disk(&bed.config.store, bed.config.embedded.clone(), &mut enact_runtime::driver::replay);
    let mut store = opened.unwrap().0;
    let (epoch, expected) = (store.epoch(), store.position());
    let last = store.view().record(expected).unwrap().unwrap();
    let body = Body::CheckpointTaken { position: Lsn(1) };
    let record = Record { lsn: expected.plus(1), tenant: None, cause: None, body, ..last };
    let changes = changes(&store);
    store.commit(epoch, expected, &Batch { frames: vec![vec![record]], changes }).unwrap();
    store.close().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_that_nothing_will_wake_is_found_by_the_doctor_and_by_the_replay() {
    let (mut bed, _puppet) = Bed::with_puppet().await;
    let later = |delay: &str| {
        let mut intent = draft("puppet.play.once", json!({}));
        intent.start_after = Some(delay.into());
        intent
    };
    let (stuck, fine) = (bed.begin(later("1h")).await, bed.begin(later("2h")).await);
    bed.is_well().await;
    bed.close().await;
    let tenant = "default".parse().unwrap();
    plant(&bed, |store| {
        let Some(Row::Execution(row)) = store.view().get(&Key::execution(&tenant, stuck)).unwrap() else { panic!() };
        let Some(Wake::StartAfter { due }) = row.wake else { panic!("{row:?}") };
        vec![Change { key: Key::due(due, DueKind::Start, &tenant, stuck), row: None }]
    });
    bed.start().await;
    let problems = bed.problems().await;
    assert!(matches!(&problems[..], [one] if one.contains(&stuck.to_string())), "{problems:?}");
    assert_eq!(bed.replay().await.faults.len(), 1);
    // The way out that the doctor names is one.
    assert!(problems[0].contains("cancel"), "{problems:?}");
    let cancelled = bed.ask(Request::Cancel { execution: stuck, reason: "stuck".into() }).await;
    assert!(matches!(cancelled, Response::Done { .. }), "{cancelled:?}");
    assert_eq!(bed.problems().await, Vec::<String>::new());
    assert!(bed.look(fine).await.execution.is_open());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_execution_that_names_no_wake_up_cause_is_found_by_the_doctor() {
    let (mut bed, _puppet) = Bed::with_puppet().await;
    let mut intent = draft("puppet.play.once", json!({}));
    intent.start_after = Some("1h".into());
    let id = bed.begin(intent).await;
    let tenant: enact_model::id::TenantId = "default".parse().unwrap();
    bed.close().await;
    plant(&bed, |store| {
        let Some(Row::Execution(row)) = store.view().get(&Key::execution(&tenant, id)).unwrap() else { panic!() };
        let mut row = (*row).clone();
        row.wake = None;
        vec![Change { key: Key::execution(&tenant, id), row: Some(Row::Execution(std::sync::Arc::new(row))) }]
    });
    bed.start().await;
    let problems = bed.problems().await;
    assert!(matches!(&problems[..], [one] if one.contains("waits for nothing")), "{problems:?}");
    assert_eq!(bed.look(id).await.waits_for, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_of_every_kind_of_wake_is_healthy_and_says_what_it_waits_for() {
    let (mut bed, puppet) = Bed::with_puppet().await;
    bed.config.policy.running_max = 2;
    bed.restart().await;
    puppet.shut();
    let mut later = draft("puppet.play.once", json!({}));
    later.start_after = Some("1h".into());
    let paused = bed.begin(later.clone()).await;
    bed.ask(Request::Pause { execution: paused, reason: "wait".into() }).await;
    let due = bed.begin(later).await;
    let running = bed.begin(draft("puppet.play.lasting", json!({}))).await;
    let serial = bed.begin(draft("puppet.play.serial", json!({ "key": 1 }))).await;
    let gate = bed.begin(draft("puppet.play.serial", json!({ "key": 1 }))).await;
    let slot = bed.begin(draft("puppet.play.once", json!({}))).await;
    for (id, words) in [
        (paused, "somebody to resume it"),
        (due, "its start time"),
        (running, "the answer of attempt 1"),
        (serial, "the answer of attempt 1"),
        (gate, "a free slot of puppet.play.serial"),
        (slot, "a free slot of the hub"),
    ] {
        let waits = bed.look(id).await.waits_for.unwrap();
        assert!(waits.starts_with(words), "{waits:?}");
    }
    bed.is_well().await;
    puppet.open();
    for id in [running, serial, gate, slot] {
        bed.settled(id).await;
    }
    bed.is_well().await;
}
