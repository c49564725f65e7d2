//! History that is dropped by policy, and history that costs no memory.

use std::time::Duration;

use enact_model::id::Lsn;
use enact_runtime::api::{Request, Response};
use serde_json::json;

use crate::bed::{Bed, accepted_ids, draft, refusal};

#[tokio::test(flavor = "multi_thread")]
async fn retention_drops_what_is_over_and_nothing_that_is_open_or_not_delivered() {
    let puppet = crate::puppet::Puppet::new();
    let mut bed = Bed::with(|config, folder| {
        puppet.take_the_stage(config);
        config.policy.idempotency_keep = Duration::ZERO;
        let path = folder.join("later/events.jsonl");
        config.sinks.insert("later".parse().unwrap(), std::sync::Arc::new(enact_runtime::sink::FileSink::new(&path)));
        config.policy.default_sinks = vec!["later".parse().unwrap()];
        config.policy.delivery_attempts = 1_000_000;
    })
    .await;
    bed.add(&crate::puppet::COMPONENT.replace("echo: { kind: query,", "echo: { kind: query, emits: [said],")).await;
    let pad = "x".repeat(30_000);
    let fill = async || {
        for _ in 0..20 {
            bed.run("puppet.play.once", json!({ "pad": pad })).await;
        }
    };
    fill().await;
    let mut later = draft("puppet.play.once", json!({ "open": true }));
    later.start_after = Some("1h".into());
    let open = bed.begin(later).await;
    fill().await;
    let promised = bed.run("puppet.play.echo", json!({ "n": 1 })).await.execution.id;
    fill().await;
    let drop_all = || Request::HistoryDrop { older_than_ms: 0, reason: "tidy".into() };
    let dropped = bed.ask(drop_all()).await;
    assert!(matches!(dropped, Response::Done { .. }), "{dropped:?}");
    // What is over is gone, rows and records both; what is open, and what it needs, is there.
    assert_eq!(accepted_ids(&bed).await, [open].into());
    refusal(bed.ask(Request::Execution { execution: promised }).await);
    let first = first(&bed).await;
    let accepted = bed.look(open).await.execution.accepted_lsn;
    assert!(first > Lsn(1) && first <= accepted, "the log begins at {first}, {open} at {accepted}");
    assert_eq!(crate::bed::kinds(&bed.records(open).await), ["IntentAccepted"]);
    bed.is_well().await;
    bed.restart().await;
    bed.is_well().await;
    let Response::Outbox(page) = bed.ask(Request::Outbox { state: None, limit: 9, before: None }).await else {
        panic!()
    };
    assert_eq!(page.items.len(), 1, "what is promised stays promised");
    std::fs::create_dir(bed.path("later")).unwrap();
    bed.delivered().await;
    bed.ask(Request::Cancel { execution: open, reason: "over".into() }).await;
    bed.ask(drop_all()).await;
    assert!(accepted_ids(&bed).await.is_empty());
    let Response::Outbox(page) = bed.ask(Request::Outbox { state: None, limit: 9, before: None }).await else {
        panic!()
    };
    assert_eq!(page.items, []);
    bed.restart().await;
    bed.run("puppet.play.once", json!({})).await;
    bed.is_well().await;
}

/// The faults that a verification of everything finds while the hub runs, and those that one of the folder finds after it.
async fn faults(bed: &mut Bed) -> [Vec<String>; 2] {
    let Response::Verified(report) = bed.ask(Request::StoreVerify).await else { panic!() };
    let running = report.faults;
    bed.close().await;
    let still = enact_runtime::backup::verify(&bed.config.store).unwrap().faults;
    bed.start().await;
    [running, still]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_that_is_gone_is_missed_as_long_as_somebody_names_it() {
    let puppet = crate::puppet::Puppet::new();
    let mut bed = Bed::with(|config, _| {
        puppet.take_the_stage(config);
        config.policy.idempotency_keep = Duration::ZERO;
    })
    .await;
    bed.add(crate::puppet::COMPONENT).await;
    let place = |bed: &Bed, digest: &str| {
        let hex = digest.trim_start_matches("sha256:").to_owned();
        bed.config.store.join("artifacts/sha256").join(&hex[..2]).join(&hex[2..])
    };
    let large = bed.run("puppet.play.once", json!({ "pad": "x".repeat(100_000) })).await.execution;
    let enact_model::payload::Payload::Stored { digest: parameters, .. } = &large.intent.parameters else { panic!() };
    let reference = bed.put("kept.txt", b"kept").await;
    let put = reference.digest.unwrap();
    assert_eq!(faults(&mut bed).await, [Vec::<String>::new(), Vec::new()]);

    std::fs::remove_file(place(&bed, &parameters.to_string())).unwrap();
    for faults in faults(&mut bed).await {
        assert_eq!(faults.len(), 1, "{faults:?}");
        let named = [parameters.to_string(), large.id.to_string(), "parameters".into(), "enact artifact put".into()];
        assert!(named.iter().all(|named| faults[0].contains(named)), "{faults:?}");
    }
    // Whom retention has dropped names nothing any more; the reference stays, also when its record went with the old log.
    for _ in 0..40 {
        bed.run("puppet.play.once", json!({ "pad": "x".repeat(30_000) })).await;
    }
    bed.ask(Request::HistoryDrop { older_than_ms: 0, reason: "tidy".into() }).await;
    assert!(first(&bed).await > Lsn(1));
    assert_eq!(faults(&mut bed).await, [Vec::<String>::new(), Vec::new()]);
    std::fs::remove_file(place(&bed, &put.to_string())).unwrap();
    for faults in faults(&mut bed).await {
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].contains(&put.to_string()) && faults[0].contains(&reference.id.to_string()), "{faults:?}");
    }
    assert_eq!(bed.put("kept.txt", b"kept").await.id, reference.id);
    assert_eq!(faults(&mut bed).await, [Vec::<String>::new(), Vec::new()]);
}

async fn first(bed: &Bed) -> Lsn {
    let Response::Verified(report) = bed.ask(Request::WalVerify { expect: None }).await else { panic!() };
    assert_eq!(report.faults, Vec::<String>::new());
    report.first
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_keeps_its_execution_as_long_as_keys_are_kept_whoever_drops_history() {
    let (bed, puppet) = Bed::with_puppet().await;
    let mut keyed = draft("puppet.play.once", json!({}));
    keyed.idempotency_key = Some("k".into());
    let id = bed.run_draft(keyed.clone()).await.execution.id;
    let answer = bed.ask(Request::HistoryDrop { older_than_ms: 0, reason: "tidy".into() }).await;
    let Response::Done { message } = answer else { panic!("{answer:?}") };
    assert!(message.starts_with("dropped 0 executions and 0 messages of all tenants; "), "{message}");
    assert!(message.contains("kept 1 executions that were settled less than 24 h ago"), "{message}");
    let blank = refusal(bed.ask(Request::HistoryDrop { older_than_ms: 0, reason: " ".into() }).await);
    assert_eq!(blank.conclusion.code, enact_engine::conclude::PARAMETERS_INVALID);
    assert_eq!(bed.run_draft(keyed).await.execution.id, id);
    assert_eq!(puppet.runs().len(), 1);
    bed.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_drops_history_by_itself_as_its_configuration_says() {
    let (mut bed, _puppet) = Bed::with_puppet().await;
    for _ in 0..10 {
        bed.run("puppet.play.once", json!({})).await;
    }
    bed.config.history_keep = Some(Duration::ZERO);
    bed.config.policy.idempotency_keep = Duration::ZERO;
    bed.restart().await;
    crate::bed::eventually("it is gone", async || accepted_ids(&bed).await.is_empty()).await;
    bed.is_well().await;
}

/// Opens stores in processes of their own, which say how much memory a hub then has and how much it read to be there. What it
/// reads is what its start costs; milliseconds are for the benchmark, where nobody else is on the machine.
#[tokio::test(flavor = "multi_thread")]
async fn ten_times_the_history_costs_neither_memory_nor_work_at_the_start() {
    const ONE_STORE: &str = "TEST_OPEN_STORE";
    const SEGMENT_BYTES: u64 = 1 << 20;
    let embedded = enact_store::embedded::Config { segment_bytes: SEGMENT_BYTES, ..Default::default() };
    if let Some(folder) = std::env::var_os(ONE_STORE) {
        let mut config = crate::bed::config(std::path::Path::new(&folder));
        config.embedded = embedded;
        let before = bytes_read();
        let hub = enact_runtime::hub::Hub::open(config).await.unwrap();
        let read = bytes_read() - before;
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        println!("\n@{} {read}", statm.split(' ').nth(1).unwrap());
        hub.shutdown().await.unwrap();
        return;
    }
    let mut seen = Vec::new();
    for settled in [10_000, 100_000] {
        let (mut bed, _puppet) = Bed::with_puppet().await;
        bed.config.embedded = embedded.clone();
        bed.restart().await;
        let mut load = tokio::task::JoinSet::new();
        for _ in 0..100 {
            let hub = bed.hub().clone();
            load.spawn(async move {
                for number in 0..settled / 100 {
                    let draft = Box::new(draft("puppet.play.once", json!({ "n": number })));
                    let request = Request::Submit { draft, wait_ms: 30_000 };
                    let answer = hub.handle(&crate::bed::caller("default"), request).await;
                    assert!(matches!(answer, Response::Accepted { .. }), "{answer:?}");
                }
            });
        }
        load.join_all().await;
        bed.close().await;
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "retention::ten_times_the_history_costs_neither_memory_nor_work_at_the_start",
                "--nocapture",
            ])
            .env(ONE_STORE, bed.path(""))
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix('@')).unwrap_or_else(|| panic!("{text}"));
        let (pages, read) = line.split_once(' ').unwrap();
        seen.push((pages.parse::<u64>().unwrap(), read.parse::<u64>().unwrap()));
    }
    let [(few_pages, few_read), (many_pages, many_read)] = seen[..] else { panic!() };
    assert!(many_pages * 2 <= few_pages * 3, "{few_pages} pages and then {many_pages}");
    // The last segment of the log is read to its end, wherever that is.
    assert!(many_read * 2 <= few_read * 3 + SEGMENT_BYTES * 2, "{few_read} bytes read and then {many_read}");
}

/// Returns what this process has read, from files and from the page cache alike.
fn bytes_read() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap();
    io.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse().unwrap()
}
