//! State and sessions: values with versions, time to live and compare-and-set.

use std::time::Duration;

use enact_model::envelope::StateScope;
use enact_model::id::SessionId;
use enact_model::json::Json;
use enact_model::table::SessionRow;
use enact_runtime::api::{Request, Response, StateView};
use serde_json::{Value, json};

use crate::bed::{Bed, draft, eventually, output, refusal};

fn set(key: &str, value: Option<Value>, if_version: Option<u64>, ttl_ms: Option<u64>) -> Request {
    let session = SessionId::default_session();
    Request::StateSet { session, key: key.into(), value: value.as_ref().map(Json::from), if_version, ttl_ms }
}

fn get(key: &str) -> Request {
    Request::StateGet { scope: StateScope::Session, owner: SessionId::default_session().to_string(), key: key.into() }
}

async fn state(bed: &Bed, request: Request) -> Vec<StateView> {
    match bed.ask(request).await {
        Response::State(value) => vec![*value],
        Response::States(page) => page.items,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn state_is_set_read_listed_and_deleted_with_versions_that_are_never_used_twice() {
    let mut bed = Bed::open().await;
    bed.ask(set("a", Some(json!(1)), None, None)).await;
    bed.ask(set("b", Some(json!({ "x": [1] })), None, None)).await;
    bed.ask(set("a", Some(json!(2)), None, None)).await;
    let a = state(&bed, get("a")).await.remove(0);
    assert_eq!((a.value.to_value(), a.version), (json!(2), 2));
    bed.restart().await;
    let owner = SessionId::default_session().to_string();
    let list = Request::StateList { scope: StateScope::Session, owner, limit: 10, cursor: None };
    let keys: Vec<String> = state(&bed, list).await.into_iter().map(|value| value.key).collect();
    assert_eq!(keys, ["a", "b"]);
    bed.ask(set("a", None, None, None)).await;
    assert_eq!(refusal(bed.ask(get("a")).await).conclusion.code, enact_engine::conclude::NOT_FOUND);
    bed.ask(set("a", Some(json!(3)), Some(0), None)).await;
    assert_eq!(state(&bed, get("a")).await[0].version, 3);
    let other = bed.ask_as("other", get("a")).await;
    assert!(matches!(other, Response::Refused(_)), "{other:?}");
    bed.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_lives_as_long_as_its_time_also_over_a_restart() {
    let mut bed = Bed::open().await;
    bed.ask(set("short", Some(json!(1)), None, Some(5_000))).await;
    bed.ask(set("long", Some(json!(1)), None, Some(3_600_000))).await;
    let short = state(&bed, get("short")).await;
    assert!(short[0].expires_at.is_some());
    bed.restart().await;
    eventually("it has expired", async || matches!(bed.ask(get("short")).await, Response::Refused(_))).await;
    assert_eq!(state(&bed, get("long")).await[0].value.to_value(), json!(1));
    // What has expired is absent for a comparison.
    let answer = bed.ask(set("short", Some(json!(2)), Some(0), None)).await;
    assert!(matches!(answer, Response::Done { .. }), "{answer:?}");
    bed.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_64_writers_with_the_same_expected_version_exactly_one_wins() {
    let bed = Bed::open().await;
    bed.ask(set("k", Some(json!(0)), None, None)).await;
    for round in 1..=5_u64 {
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..64 {
            let (hub, request) = (bed.hub().clone(), set("k", Some(json!(writer)), Some(round), None));
            writers.spawn(async move { (writer, hub.handle(&crate::bed::caller("default"), request).await) });
        }
        let answers = writers.join_all().await;
        let won: Vec<i32> =
            answers.iter().filter(|(_, a)| matches!(a, Response::Done { .. })).map(|(writer, _)| *writer).collect();
        assert_eq!(won.len(), 1, "{answers:?}");
        for (_, answer) in answers {
            if let Response::Refused(refused) = answer {
                assert_eq!(refused.conclusion.code, enact_engine::conclude::VERSION_CONFLICT);
            }
        }
        let value = state(&bed, get("k")).await.remove(0);
        assert_eq!((value.value.to_value(), value.version), (json!(won[0]), round + 1));
    }
    bed.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_compare_and_set_of_a_handler_drops_all_its_effects() {
    let bed = Bed::open().await;
    bed.add(
        r#"
component: cas
version: 1.0.0
process: { command: [sh, -c, 'printf "{\"output\":1,\"state\":[{\"scope\":\"session\",\"key\":\"k\",\"value\":9,\"if_version\":%s},{\"scope\":\"session\",\"key\":\"other\",\"value\":1}],\"events\":[{\"type\":\"t\"}]}" "$1"', sh] }
services: { s: { o: { kind: command, returns: effects, call: { args: [{ value: /version }], stdout: json } } } }
"#,
    )
    .await;
    assert_eq!(output(&bed.run("cas.s.o", json!({ "version": 0 })).await), json!(1));
    let lost = bed.run("cas.s.o", json!({ "version": 7 })).await;
    assert_eq!(crate::bed::failure(&lost).kind, Some(enact_model::observation::FaultKind::StateConflict));
    assert_eq!(state(&bed, get("k")).await[0].version, 1);
    assert_eq!(state(&bed, get("other")).await[0].version, 1);
    bed.delivered().await;
    assert_eq!(bed.events().len(), 1);
    bed.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_opened_read_upgraded_keeping_its_id_closed_and_expires() {
    let mut bed = Bed::open().await;
    bed.add(
        "component: ok\nversion: 1.0.0\nprocess: { command: [echo, \"1\"] }\nservices: { s: { o: { kind: query } } }\n",
    )
    .await;
    let session = |response: Response| -> SessionRow {
        match response {
            Response::Session(row) => *row,
            other => panic!("{other:?}"),
        }
    };
    let open = |ttl_ms| Request::SessionOpen { session: None, owner: None, ttl_ms };
    let anonymous = session(bed.ask(open(None)).await);
    assert_eq!(anonymous.owner, None);
    let id = anonymous.session_id.clone();
    let upgraded = session(bed.ask(Request::SessionUpgrade { session: id.clone(), owner: "ada".into() }).await);
    assert_eq!((upgraded.session_id.clone(), upgraded.owner.as_deref()), (id.clone(), Some("ada")));
    bed.restart().await;
    assert_eq!(session(bed.ask(Request::Session { session: id.clone() }).await), upgraded);
    assert!(matches!(bed.ask_as("other", Request::Session { session: id.clone() }).await, Response::Refused(_)));
    let submit = async |session: &SessionId| {
        let mut intent = draft("ok.s.o", json!({}));
        intent.session_id = Some(session.to_string());
        bed.submit_as("default", intent, Duration::from_secs(20)).await
    };
    assert!(matches!(submit(&id).await, Response::Accepted { .. }));
    session(bed.ask(Request::SessionClose { session: id.clone(), reason: "over".into() }).await);
    let Response::Rejected(rejection) = submit(&id).await else { panic!() };
    assert_eq!(rejection.conclusion.code, enact_engine::conclude::SESSION_ENDED);
    let short = session(bed.ask(open(Some(1_000))).await).session_id;
    let (key, value) = ("k".to_owned(), Some(Json::null()));
    let set = Request::StateSet { session: short.clone(), key, value, if_version: None, ttl_ms: None };
    bed.ask(set).await;
    eventually("it has expired", async || matches!(submit(&short).await, Response::Rejected(_))).await;
    let (scope, owner) = (StateScope::Session, short.to_string());
    for request in [
        Request::StateGet { scope, owner: owner.clone(), key: "k".into() },
        Request::StateList { scope, owner, limit: 10, cursor: None },
    ] {
        let refused = refusal(bed.ask(request).await).conclusion;
        assert_eq!(refused.code, enact_engine::conclude::SESSION_ENDED, "its state ended with it");
    }
    bed.is_well().await;
}
