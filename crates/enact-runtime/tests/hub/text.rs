//! Texts of a request that end up in the log have limits, a command has a reason, and a page of records has an end.

use enact_engine::conclude as code;
use enact_model::envelope::StateScope;
use enact_model::id::{ExecutionId, Lsn, MessageId, SessionId};
use enact_model::json::Json;
use enact_model::record::RecordFilter;
use enact_runtime::api::{Bulk, BulkAction, ExecutionFilter, Request, Response};
use serde_json::json;

use crate::bed::{Bed, draft, refusal};

fn execution() -> ExecutionId {
    ExecutionId::from_u128(1)
}

/// Every command that takes a reason, with this one.
fn commands(reason: &str) -> Vec<Request> {
    let reason = || reason.to_owned();
    let (execution, session): (_, SessionId) = (execution(), "s-1".parse().unwrap());
    let bulk = |action| {
        let filter = ExecutionFilter::default();
        Request::Bulk(Box::new(Bulk { action, filter, reason: reason(), confirm_may_have_run: false }))
    };
    vec![
        Request::Cancel { execution, reason: reason() },
        Request::Pause { execution, reason: reason() },
        Request::Resume { execution, reason: reason() },
        Request::Retry { execution, reason: reason(), confirm_may_have_run: true },
        bulk(BulkAction::Cancel),
        bulk(BulkAction::Retry),
        Request::ComponentDrain { name: "a".parse().unwrap(), version: "1.0.0".into(), reason: reason() },
        Request::ComponentRemove { name: "a".parse().unwrap(), version: "1.0.0".into(), reason: reason() },
        Request::SessionClose { session, reason: reason() },
        Request::Redeliver { message: MessageId::from_u128(1), sink: None, reason: reason() },
        Request::HistoryDrop { older_than_ms: 0, reason: reason() },
        Request::Shutdown { reason: reason() },
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_without_a_reason_or_with_a_book_for_one_does_nothing() {
    let (bed, _puppet) = Bed::with_puppet().await;
    // The commands have an execution that they could be meant for, except the one that asks first for it.
    let id = bed.begin(draft("puppet.play.once", json!({}))).await;
    bed.settled(id).await;
    let before = bed.hub().status().position;
    for (reason, word) in
        [(String::new(), "needs a reason"), (" \n".into(), "needs a reason"), ("x".repeat(4097), "4096")]
    {
        for request in commands(&reason) {
            // Whose execution it is comes first for a retry.
            let request = match request {
                Request::Retry { reason, .. } => Request::Retry { execution: id, reason, confirm_may_have_run: true },
                other => other,
            };
            let told = format!("{request:?}");
            let told: String = told.chars().take(80).collect();
            let refused = refusal(bed.ask(request).await);
            assert_eq!(refused.conclusion.code, code::PARAMETERS_INVALID, "{told}");
            assert!(refused.conclusion.message.contains(word), "{told}: {}", refused.conclusion.message);
        }
    }
    assert_eq!(bed.hub().status().position, before);
    assert!(!bed.hub().is_draining());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_session_and_its_state_are_called_has_limits() {
    let bed = Bed::open().await;
    let session: SessionId = "s-1".parse().unwrap();
    let open = |owner: String| Request::SessionOpen {
        session: Some("s-1".parse().unwrap()),
        owner: Some(owner),
        ttl_ms: None,
    };
    let set = |key: String| Request::StateSet {
        session: "s-1".parse().unwrap(),
        key,
        value: Some(Json::from(&json!(1))),
        if_version: None,
        ttl_ms: None,
    };
    let before = bed.hub().status().position;
    let asked = [
        (open("o".repeat(4097)), "owner", "4096"),
        (Request::SessionUpgrade { session, owner: "o".repeat(4097) }, "owner", "4096"),
        (set("k".repeat(513)), "key", "512"),
        (set("a\u{1b}[2J".into()), "key", "control"),
        (set(String::new()), "key", "1 to 512"),
        (open(String::new()), "owner", "empty"),
        (Request::SessionUpgrade { session: "s-1".parse().unwrap(), owner: " ".into() }, "owner", "empty"),
    ];
    for (request, field, word) in asked {
        let refused = refusal(bed.ask(request).await).conclusion;
        assert_eq!(refused.code, code::PARAMETERS_INVALID);
        assert!(refused.message.contains(field) && refused.message.contains(word), "{}", refused.message);
    }
    assert_eq!(bed.hub().status().position, before);
    assert!(matches!(bed.ask(open("o".repeat(4096))).await, Response::Session(_)));
    assert!(matches!(bed.ask(set("k".repeat(512))).await, Response::Done { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_no_state_can_have_is_refused_where_it_is_read_and_harms_nobody() {
    let bed = Bed::open().await;
    let owner = "s-1".to_owned();
    let long = |bytes: usize| "k".repeat(bytes);
    let get = |owner: String, key: String| Request::StateGet { scope: StateScope::Session, owner, key };
    let list = |owner: String, cursor: Option<String>| Request::StateList {
        scope: StateScope::Execution,
        owner,
        limit: 10,
        cursor,
    };
    for (request, field, most) in [
        (get(owner.clone(), long(513)), "key", "512"),
        (get(owner.clone(), long(100_000)), "key", "512"),
        (get(long(100_000), "k".into()), "session or execution", "128"),
        (list(long(100_000), None), "session or execution", "128"),
        (list(owner.clone(), Some(long(100_000))), "cursor", "512"),
    ] {
        let refused = refusal(bed.ask(request).await).conclusion;
        assert_eq!(refused.code, code::PARAMETERS_INVALID);
        assert!(refused.message.contains(field) && refused.message.contains(most), "{}", refused.message);
    }
    // The longest that one may have is looked for, and is not there.
    let answer = refusal(bed.ask(get(owner.clone(), long(512))).await).conclusion;
    assert_eq!(answer.code, code::NOT_FOUND);
    assert!(matches!(bed.ask(list(owner, Some(long(512)))).await, Response::States(page) if page.items.is_empty()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_records_ends_after_so_many_bytes_and_the_next_goes_on() {
    let bed = Bed::open().await;
    let session: SessionId = "s-1".parse().unwrap();
    bed.ask(Request::SessionOpen { session: Some(session.clone()), owner: None, ttl_ms: None }).await;
    let value = Json::from(&json!("v".repeat(60_000)));
    for n in 0..150 {
        let (session, key, value) = (session.clone(), format!("k{n}"), Some(value.clone()));
        let answer = bed.ask(Request::StateSet { session, key, value, if_version: None, ttl_ms: None }).await;
        assert!(matches!(answer, Response::Done { .. }), "{answer:?}");
    }
    let (mut pages, mut before) = (Vec::new(), None);
    loop {
        let filter = RecordFilter { kinds: vec!["StateSet".into()], before, ..RecordFilter::default() };
        let Response::Records(page) = bed.ask(Request::Records { filter, limit: 1_000 }).await else { panic!() };
        let bytes: usize = page.items.iter().map(|record| serde_json::to_vec(record).unwrap().len()).sum();
        assert!(bytes < 9 * 1024 * 1024, "{bytes}");
        pages.push(page.items.len());
        match page.next {
            Some(next) => before = Some(Lsn(next.parse().unwrap())),
            None => break,
        }
    }
    assert_eq!((pages.iter().sum::<usize>(), pages.len()), (150, 2), "{pages:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_intent_type_is_found_as_it_was_submitted_and_an_outcome_that_is_none_is_a_fault() {
    let (bed, _puppet) = Bed::with_puppet().await;
    let id = bed.begin(draft("Puppet.Play.Once", json!({}))).await;
    bed.settled(id).await;
    let find = async |intent_type: &str, outcome: Option<&str>| {
        let (intent_type, outcome) = (Some(intent_type.to_owned()), outcome.map(str::to_owned));
        bed.ask(Request::Executions(ExecutionFilter { intent_type, outcome, ..Default::default() })).await
    };
    for written in ["puppet.play.once", "Puppet.Play.Once"] {
        let Response::Executions(page) = find(written, Some("completed")).await else { panic!("{written}") };
        assert_eq!(page.items.len(), 1, "{written}");
    }
    for (intent_type, outcome, word) in [("puppet.play.once", Some("complete"), "complete"), ("a b/c", None, "a b/c")] {
        let refused = refusal(find(intent_type, outcome).await).conclusion;
        assert_eq!(refused.code, code::PARAMETERS_INVALID);
        assert!(refused.message.contains(word), "{}", refused.message);
    }
    let filter = ExecutionFilter { outcome: Some("zzz".into()), ..Default::default() };
    let bulk = Bulk { action: BulkAction::Retry, filter, reason: "because".into(), confirm_may_have_run: false };
    let refused = refusal(bed.ask(Request::Bulk(Box::new(bulk))).await).conclusion;
    assert!(refused.hint.unwrap_or_default().contains("compensation_failed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_executions_and_of_state_end_after_so_many_bytes_too() {
    let (bed, _puppet) = Bed::with_puppet().await;
    let pad = "v".repeat(60_000);
    // Queued, so that none runs.
    for n in 0..150 {
        let mut intent = draft("puppet.play.echo", json!({ "n": n, "pad": pad }));
        intent.start_after = Some("1h".into());
        bed.begin(intent).await;
        let session = "s-1".parse().unwrap();
        let value = Some(Json::from(&json!(pad)));
        let set = Request::StateSet { session, key: format!("k{n:03}"), value, if_version: None, ttl_ms: None };
        assert!(matches!(bed.ask(set).await, Response::Done { .. }));
    }
    let (mut cursor, mut pages, mut ids) = (None, Vec::new(), std::collections::BTreeSet::new());
    loop {
        let filter = ExecutionFilter { limit: 1_000, cursor, ..Default::default() };
        let Response::Executions(page) = bed.ask(Request::Executions(filter)).await else { panic!() };
        assert!(serde_json::to_vec(&page).unwrap().len() < 9 * 1024 * 1024);
        ids.extend(page.items.iter().map(|view| view.execution.id));
        pages.push(page.items.len());
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!((ids.len(), pages.iter().sum::<usize>(), pages.len()), (150, 150, 2), "{pages:?}");

    let (mut cursor, mut pages, mut keys) = (None, Vec::new(), Vec::new());
    loop {
        let (scope, owner) = (StateScope::Session, "s-1".to_owned());
        let Response::States(page) = bed.ask(Request::StateList { scope, owner, limit: 1_000, cursor }).await else {
            panic!()
        };
        assert!(serde_json::to_vec(&page).unwrap().len() < 9 * 1024 * 1024);
        keys.extend(page.items.iter().map(|view| view.key.clone()));
        pages.push(page.items.len());
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(keys, (0..150).map(|n| format!("k{n:03}")).collect::<Vec<_>>());
    assert_eq!(pages.len(), 2, "{pages:?}");
}
