//! Reading the log: its order, its filters and its pages; and the proof that it makes the tables.

use enact_engine::conclude as code;
use enact_model::id::{ExecutionId, Lsn, SessionId};
use enact_model::intent::IntentDraft;
use enact_model::record::{Record, RecordFilter};
use enact_model::time::Timestamp;
use enact_runtime::api::{ExecutionFilter, Request, Response};
use serde_json::json;

use crate::bed::{Bed, accepted_ids, draft, eventually, kinds, records_in, refusal};

async fn read(bed: &Bed, filter: RecordFilter, limit: u32) -> Vec<Record> {
    records_in(bed.ask(Request::Records { filter, limit }).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_records_come_first_and_filters_hold() {
    let (bed, _puppet) = Bed::with_puppet().await;
    let mut ids = Vec::new();
    for number in 0..10 {
        let session_id = Some(format!("session-{}", number % 2));
        let intent = IntentDraft { session_id, ..draft("puppet.play.once", json!({ "n": number })) };
        ids.push(bed.run_draft(intent).await.execution.id);
    }
    let all = read(&bed, RecordFilter::default(), 1_000).await;
    assert!(all.windows(2).all(|pair| pair[0].lsn < pair[1].lsn));
    assert_eq!(all.last().unwrap().lsn, bed.hub().status().position);
    assert_eq!(read(&bed, RecordFilter::default(), 3).await, all[all.len() - 3..]);
    let settled = RecordFilter { kinds: vec!["settled".into()], ..RecordFilter::default() };
    let newest = read(&bed, settled.clone(), 2).await;
    assert_eq!(newest.iter().map(|r| r.body.execution().unwrap()).collect::<Vec<_>>(), ids[8..]);
    let own = read(&bed, RecordFilter { execution: Some(ids[4]), ..RecordFilter::default() }, 100).await;
    assert_eq!(kinds(&own), ["IntentAccepted", "AttemptStarted", "AttemptObserved", "Settled"]);
    let session = RecordFilter { session: Some("session-1".parse().unwrap()), ..settled.clone() };
    assert_eq!(read(&bed, session, 100).await.len(), 5);
    let (from, to) = (own[0].time, newest[0].time);
    let between = RecordFilter { since: Some(from), until: Some(to), ..settled };
    let found = read(&bed, between, 100).await;
    assert!(!found.is_empty() && found.iter().all(|record| record.time >= from && record.time < to));
    assert!(
        read(
            &bed,
            RecordFilter { since: Some(to.plus(std::time::Duration::from_secs(9))), ..RecordFilter::default() },
            9
        )
        .await
        .is_empty()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_stable_while_writes_go_on_and_the_log_makes_the_tables_of_the_running_hub() {
    let (bed, puppet) = Bed::with_puppet().await;
    let mut before = Vec::new();
    for number in 0..40 {
        before.push(bed.run("puppet.play.once", json!({ "n": number })).await.execution.id);
    }
    let end = bed.hub().status().position;
    let all = read(&bed, RecordFilter::default(), 1_000).await;
    let hub = bed.hub().clone();
    let load = tokio::spawn(async move {
        let mut number = 0;
        loop {
            let request = Request::Submit {
                draft: Box::new(draft("puppet.play.again", json!({ "load": number }))),
                wait_ms: if number % 7 == 0 { 1_000 } else { 0 },
            };
            hub.handle(&crate::bed::caller("default"), request).await;
            number += 1;
        }
    });
    eventually("the load is on", async || puppet.runs().len() > 60).await;
    // Backwards from where the log ended, page by page, while it grows: everything once, nothing twice.
    let (mut paged, mut at) = (Vec::new(), end.plus(1));
    loop {
        let filter = RecordFilter { before: Some(at), ..RecordFilter::default() };
        let Response::Records(page) = bed.ask(Request::Records { filter, limit: 17 }).await else { panic!() };
        paged.splice(0..0, page.items);
        match page.next {
            Some(next) => at = Lsn(next.parse().unwrap()),
            None => break,
        }
    }
    assert_eq!(paged, all);
    let known = accepted_ids(&bed).await;
    assert!(before.iter().all(|id| known.contains(id)));
    for _ in 0..3 {
        let report = bed.replay().await;
        assert_eq!(report.faults, Vec::<String>::new());
        assert!(report.records > 0 && report.rows > 0 && report.last > end);
        assert_eq!(bed.problems().await, Vec::<String>::new());
    }
    load.abort();
    let Response::Verified(verified) = bed.ask(Request::WalVerify { expect: None }).await else { panic!() };
    assert_eq!(verified.faults, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_records_of_a_session_are_its_own_and_those_of_its_executions() {
    let (bed, _puppet) = Bed::with_puppet().await;
    for name in ["ours", "theirs"] {
        let session: SessionId = name.parse().unwrap();
        bed.ask(Request::SessionOpen { session: Some(session.clone()), owner: None, ttl_ms: None }).await;
        let value = Some(enact_model::json::Json::null());
        let set = |value| Request::StateSet {
            session: session.clone(),
            key: "k".into(),
            value,
            if_version: None,
            ttl_ms: None,
        };
        bed.ask(set(value)).await;
        let intent = IntentDraft { session_id: Some(name.into()), ..draft("puppet.play.once", json!({})) };
        bed.run_draft(intent).await;
        bed.ask(set(None)).await;
        bed.ask(Request::SessionClose { session, reason: "over".into() }).await;
    }
    let session = Some("ours".parse().unwrap());
    let own = read(&bed, RecordFilter { session, ..RecordFilter::default() }, 100).await;
    let life = ["IntentAccepted", "AttemptStarted", "AttemptObserved", "Settled"];
    assert_eq!(kinds(&own), [&["SessionOpened", "StateSet"], &life[..], &["StateDeleted", "SessionClosed"]].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_names_nothing_is_refused_and_says_what_there_is() {
    let (bed, _puppet) = Bed::with_puppet().await;
    let ask = async |filter| refusal(bed.ask(Request::Records { filter, limit: 1 }).await).conclusion;
    let kind = ask(RecordFilter { kinds: vec!["Setled".into()], ..RecordFilter::default() }).await;
    assert_eq!((kind.code, kind.message.as_str()), (code::PARAMETERS_INVALID, "there is no record Setled"));
    assert!(kind.hint.unwrap().starts_with("did you mean Settled? there are EpochOpened, "));
    let unknown = Some(enact_model::id::ExecutionId::from_u128(7));
    let execution = ask(RecordFilter { execution: unknown, ..RecordFilter::default() }).await;
    assert_eq!(execution.code, code::EXECUTION_UNKNOWN);
}

#[tokio::test(flavor = "multi_thread")]
async fn executions_are_found_by_what_they_are_and_how_they_ended() {
    let (bed, puppet) = Bed::with_puppet().await;
    puppet.will_fail("once", [enact_model::observation::FaultKind::BadArgument.fault("the moon is full")]);
    let failed = bed.run("puppet.play.once", json!({})).await.execution.id;
    let fine = bed.run("puppet.play.again", json!({})).await.execution.id;
    let mut later = draft("puppet.play.once", json!({}));
    later.start_after = Some("1h".into());
    let waiting = bed.begin(later).await;
    let find = async |filter: ExecutionFilter| {
        let Response::Executions(page) = bed.ask(Request::Executions(filter)).await else { panic!() };
        page.items.iter().map(|view| view.execution.id).collect::<Vec<_>>()
    };
    let any = ExecutionFilter::default;
    assert_eq!(find(any()).await, [waiting, fine, failed]);
    assert_eq!(find(ExecutionFilter { outcome: Some("failed".into()), ..any() }).await, [failed]);
    assert_eq!(find(ExecutionFilter { selector: Some("puppet.play.again".into()), ..any() }).await, [fine]);
    assert_eq!(find(ExecutionFilter { selector: Some("puppet".into()), limit: 2, ..any() }).await, [waiting, fine]);
    assert_eq!(find(ExecutionFilter { selector: Some("Puppet.play.Again".into()), ..any() }).await, [fine]);
    let nonsense = ExecutionFilter { selector: Some("a.b.c.d".into()), ..any() };
    assert_eq!(refusal(bed.ask(Request::Executions(nonsense)).await).conclusion.code, code::PARAMETERS_INVALID);
    assert_eq!((bed.hub().status().open, bed.hub().status().queued), (1, 1), "what starts later is queued");
    assert_eq!(find(ExecutionFilter { text: Some("moon".into()), ..any() }).await, [failed]);
    let phase = Some(enact_model::execution::Phase::Queued);
    assert_eq!(find(ExecutionFilter { phase, ..any() }).await, [waiting]);
    let since = Some(crate::puppet::now().plus(std::time::Duration::from_secs(60)));
    assert!(find(ExecutionFilter { since, ..any() }).await.is_empty());
}

/// Runs one in a session; whatever is begun next has a later time.
async fn run_in(bed: &Bed, session: Option<&str>) -> ExecutionId {
    let intent = IntentDraft { session_id: session.map(str::to_owned), ..draft("puppet.play.once", json!({})) };
    let id = bed.run_draft(intent).await.execution.id;
    while crate::puppet::now().0 <= id.time_ms() {
        tokio::task::yield_now().await;
    }
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn executions_are_found_by_their_session_and_their_time_page_by_page() {
    let (bed, _puppet) = Bed::with_puppet().await;
    let (ours, theirs): (SessionId, SessionId) = ("ours".parse().unwrap(), "theirs".parse().unwrap());
    let mut ids = Vec::new();
    for number in 0..12 {
        ids.push(run_in(&bed, [Some("ours"), Some("theirs"), None][number % 3]).await);
    }
    let mut later = draft("puppet.play.once", json!({}));
    (later.start_after, later.session_id) = (Some("1h".into()), Some("ours".into()));
    ids.push(bed.begin(later).await);
    // Every page of a search, of any size.
    let find = async |filter: ExecutionFilter| {
        let mut found = Vec::new();
        for limit in [1, 2, 1_000] {
            let (mut all, mut cursor) = (Vec::new(), None);
            loop {
                let filter = ExecutionFilter { limit, cursor, ..filter.clone() };
                let Response::Executions(page) = bed.ask(Request::Executions(filter)).await else { panic!() };
                all.extend(page.items.iter().map(|view| view.execution.id));
                match page.next {
                    Some(next) => cursor = Some(next),
                    None => break,
                }
            }
            found.push(all);
        }
        assert!(found.windows(2).all(|pair| pair[0] == pair[1]), "{found:?}");
        found.remove(0)
    };
    let of = |numbers: &[usize]| numbers.iter().map(|number| ids[*number]).collect::<Vec<_>>();
    let time = |number: usize| Some(Timestamp(ids[number].time_ms()));
    let any = ExecutionFilter::default;
    let within = |session: &SessionId| ExecutionFilter { session: Some(session.clone()), ..any() };
    assert_eq!(find(within(&ours)).await, of(&[12, 9, 6, 3, 0]));
    assert_eq!(find(within(&theirs)).await, of(&[10, 7, 4, 1]));
    assert_eq!(find(within(&SessionId::default_session())).await, of(&[11, 8, 5, 2]));
    assert_eq!(find(within(&"nobodys".parse().unwrap())).await, of(&[]));
    assert_eq!(find(ExecutionFilter { open: true, ..within(&ours) }).await, of(&[12]));
    assert_eq!(find(ExecutionFilter { outcome: Some("completed".into()), ..within(&ours) }).await, of(&[9, 6, 3, 0]));
    // The first is inside, the last is not, with an index of its own or without.
    assert_eq!(find(ExecutionFilter { since: time(9), ..any() }).await, of(&[12, 11, 10, 9]));
    assert_eq!(find(ExecutionFilter { until: time(2), ..any() }).await, of(&[1, 0]));
    assert_eq!(find(ExecutionFilter { since: time(4), until: time(7), ..any() }).await, of(&[6, 5, 4]));
    assert_eq!(find(ExecutionFilter { since: time(3), until: time(9), ..within(&ours) }).await, of(&[6, 3]));
    assert_eq!(find(ExecutionFilter { since: time(4), ..within(&theirs) }).await, of(&[10, 7, 4]));
    assert_eq!(find(ExecutionFilter { since: time(7), until: time(4), ..any() }).await, of(&[]));
    assert_eq!(find(ExecutionFilter { since: time(10), open: true, ..any() }).await, of(&[12]));
    assert_eq!(find(ExecutionFilter { until: time(10), open: true, ..any() }).await, of(&[]));
}
