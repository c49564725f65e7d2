//! Nothing of one tenant can be seen or changed by another, whatever ids it knows.

use enact_host::contract::RefusedRequest;
use enact_model::envelope::StateScope;
use enact_model::id::{ReferenceId, SessionId};
use enact_model::record::{Body, RecordFilter};
use enact_runtime::api::{ArtifactName, Caller, Direction, ExecutionFilter, ReferenceFilter, Request, Response, Role};
use serde_json::json;

use crate::bed::{Bed, caller, draft, eventually, records_in, refusal};

#[tokio::test(flavor = "multi_thread")]
async fn another_tenant_gets_nothing_for_any_id_that_it_knows() {
    let (bed, _puppet) = Bed::with_puppet().await;
    let document = bed.put("document.txt", b"abc").await;
    let view = bed.run("puppet.play.echo", json!({ "secret": 1 })).await;
    let (execution, intent) = (view.execution.id, view.execution.intent.intent_id);
    let session = SessionId::default_session();
    let key = || "k".to_owned();
    let value = Some(enact_model::json::Json::of(&1));
    bed.ask(Request::StateSet { session: session.clone(), key: key(), value, if_version: None, ttl_ms: None }).await;
    let opened = bed.ask(Request::SessionOpen { session: None, owner: None, ttl_ms: None }).await;
    let Response::Session(opened) = opened else { panic!("{opened:?}") };
    let opened = opened.session_id;
    let reason = || "none".to_owned();
    let before = bed.hub().status().position;
    for request in [
        Request::Execution { execution },
        Request::Await { execution, wait_ms: 1 },
        Request::Intent { intent },
        Request::Cancel { execution, reason: reason() },
        Request::Pause { execution, reason: reason() },
        Request::Resume { execution, reason: reason() },
        Request::Retry { execution, reason: reason(), confirm_may_have_run: true },
        Request::Reference { reference: document.id },
        Request::Lineage { reference: document.id, direction: Direction::Both, depth: 1, limit: 1 },
        Request::ArtifactGet {
            reference: ArtifactName::Reference(document.id),
            target: bed.path("stolen").display().to_string(),
        },
        Request::ArtifactGet {
            reference: ArtifactName::Digest(document.digest.unwrap()),
            target: bed.path("stolen").display().to_string(),
        },
        Request::Session { session: opened.clone() },
        Request::SessionUpgrade { session: opened.clone(), owner: "me".into() },
        Request::SessionClose { session: opened, reason: reason() },
        Request::StateGet { scope: StateScope::Session, owner: session.to_string(), key: key() },
        Request::Audit { execution, after: None, limit: 100 },
        Request::Records { filter: RecordFilter { execution: Some(execution), ..RecordFilter::default() }, limit: 100 },
    ] {
        refusal(bed.ask_as("thief", request).await);
    }
    assert!(!bed.path("stolen").exists());
    for request in [
        Request::Executions(ExecutionFilter::default()),
        Request::References(ReferenceFilter::default()),
        Request::Sessions { limit: 0, cursor: None },
        Request::StateList { scope: StateScope::Session, owner: session.to_string(), limit: 0, cursor: None },
        Request::Outbox { state: None, limit: 0, before: None },
    ] {
        let answer = bed.ask_as("thief", request).await;
        let text = serde_json::to_string(&answer).unwrap();
        assert!(text.contains("[]"), "{text}");
    }
    // A filter that names another tenant does not open it.
    let filter = RecordFilter { tenant: Some("default".parse().unwrap()), ..RecordFilter::default() };
    let records = records_in(bed.ask_as("thief", Request::Records { filter, limit: 100 }).await);
    assert!(records.iter().all(|record| record.tenant.is_none()), "{records:?}");
    assert_eq!(bed.hub().status().position, before, "a refusal changes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_intent_that_names_another_tenant_is_refused_and_the_log_says_who_asked() {
    let (bed, puppet) = Bed::with_puppet().await;
    let mut forged = draft("puppet.play.echo", json!({}));
    forged.tenant_id = Some("victim".into());
    let refused = refusal(bed.submit_as("thief", forged, crate::bed::LIMIT).await);
    assert_eq!(enact_model::http_status::of(&refused.conclusion), 403);
    assert!(puppet.runs().is_empty());
    let filter = || RecordFilter { kinds: vec!["AccessRefused".to_owned()], ..RecordFilter::default() };
    eventually("the denial stands in the log of the thief's tenant", async || {
        let asked = Request::Records { filter: filter(), limit: 10 };
        let records = records_in(bed.ask_as("thief", asked).await);
        records.iter().any(|record| matches!(&record.body, Body::AccessRefused { what, .. } if what.contains("victim")))
    })
    .await;
    assert!(records_in(bed.ask_as("victim", Request::Records { filter: filter(), limit: 10 }).await).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_about_the_whole_hub_is_not_an_admins_of_a_tenant_and_is_that_of_who_holds_the_store() {
    let (bed, _puppet) = Bed::with_puppet().await;
    std::fs::write(bed.path("theirs.txt"), b"abc").unwrap();
    let path = || bed.path("theirs.txt").display().to_string();
    let target = || bed.path("copy").display().to_string();
    let admin = Caller::new("acme".parse().unwrap(), "token:ann", Role::Admin);
    let own = Caller::new("default".parse().unwrap(), "token:root", Role::Admin);
    // What is sent names no reach, so that nobody gives it to themselves.
    let sent: Caller = serde_json::from_value(serde_json::to_value(&own).unwrap()).unwrap();
    for request in [
        Request::Status,
        Request::Doctor,
        Request::WalVerify { expect: None },
        Request::WalReplay,
        Request::StoreVerify,
        Request::StoreBackup { target: target() },
        Request::ArtifactPut { path: path(), name: None, media_type: None },
        Request::HistoryDrop { older_than_ms: 86_400_000, reason: "r".to_owned() },
    ] {
        for stranger in [&admin, &sent] {
            let refused = refusal(bed.hub().handle(stranger, request.clone()).await);
            assert_eq!(enact_model::http_status::of(&refused.conclusion), 403, "{request:?}");
            let hint = refused.conclusion.hint.unwrap();
            assert!(hint.contains("use a token of tenant default"), "{hint}");
        }
        assert!(!bed.path("copy").exists());
        for reaching in [&own, &caller("acme")] {
            let answer = bed.hub().handle(reaching, request.clone()).await;
            assert!(!matches!(answer, Response::Refused(_)), "{answer:?}");
            let _ = std::fs::remove_dir_all(bed.path("copy"));
        }
    }
    // Inside of its tenant it is an admin as before, and may read what all tenants share.
    for request in [Request::Executions(ExecutionFilter::default()), Request::Components, Request::Solutions] {
        let answer = bed.hub().handle(&admin, request).await;
        assert!(!matches!(answer, Response::Refused(_)), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn denials_beyond_a_limit_are_answered_and_not_logged() {
    let (bed, _puppet) = Bed::with_puppet().await;
    let viewer = Caller { role: Role::Viewer, ..caller("default") };
    let session = SessionId::default_session();
    for _ in 0..200 {
        let asked = Request::SessionClose { session: session.clone(), reason: "r".to_owned() };
        let refused = refusal(bed.hub().handle(&viewer, asked).await);
        assert_eq!(enact_model::http_status::of(&refused.conclusion), 403);
    }
    // A command behind them is logged behind them.
    bed.run("puppet.play.echo", json!({})).await;
    let filter = RecordFilter { kinds: vec!["AccessRefused".to_owned()], ..RecordFilter::default() };
    let logged = records_in(bed.ask(Request::Records { filter, limit: 1_000 }).await).len();
    // The minute may have turned in the middle.
    assert!((1..=120).contains(&logged), "{logged}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_reads_its_own_state_and_log_and_nobody_elses_and_what_it_forges_is_logged() {
    let (bed, puppet) = Bed::with_puppet().await;
    let foreign = bed.put("document.txt", b"abc").await.id;
    let value = |number: i32| Some(enact_model::json::Json::of(&number));
    for (tenant, number) in [("default", 1), ("acme", 2)] {
        let session = SessionId::default_session();
        let set = Request::StateSet { session, key: "k".into(), value: value(number), if_version: None, ttl_ms: None };
        bed.ask_as(tenant, set).await;
    }
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    puppet.will_ask(move |port| {
        let told = told.clone();
        Box::pin(async move {
            let state = port.state_get(StateScope::Session, "k".into()).await.unwrap().unwrap();
            let reference = port.reference_get(foreign).await.unwrap();
            let absent = port.reference_get(ReferenceId::from_parts(1, 1)).await.unwrap();
            let log = port.log_get().await.unwrap();
            let asked = "somebody-else".to_owned();
            port.refused(RefusedRequest { request: "state_get".into(), field: "tenant_id", asked });
            told.send((state.value.to_value(), reference, absent, log)).unwrap();
        })
    });
    let answer = bed.submit_as("acme", draft("puppet.play.echo", json!({})), crate::bed::LIMIT).await;
    let execution = crate::bed::accepted(answer).execution.id;
    let (state, reference, absent, log) = heard.recv().await.unwrap();
    assert_eq!((state, reference, absent), (json!(2), None, None));
    let text = serde_json::to_string(&log).unwrap();
    assert!(log.len() == 2 && text.contains(&execution.to_string()), "{text}");
    let refused = async || {
        let filter = RecordFilter { kinds: vec!["AccessRefused".into()], ..RecordFilter::default() };
        records_in(bed.ask_as("acme", Request::Records { filter, limit: 10 }).await)
    };
    eventually("the refusal is logged", async || !refused().await.is_empty()).await;
    let records = refused().await;
    let Body::AccessRefused { execution: of, what, role: None } = &records[0].body else { panic!("{records:?}") };
    assert_eq!(*of, Some(execution));
    assert!(what.contains("tenant_id") && what.contains("somebody-else"), "{what}");
}
