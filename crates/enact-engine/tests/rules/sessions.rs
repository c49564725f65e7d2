//! Sessions and the state that is set by hand.

use enact_engine::command::{Answer, CommandBody};
use enact_engine::conclude;
use enact_model::conclusion::DetailCode;
use enact_model::id::SessionId;
use enact_model::json::Json;
use enact_model::record::Body;
use enact_model::table::{Key, Row, SessionRow};
use enact_model::time::Timestamp;

use crate::hub::{Ask, Hub, refusal, tenant};

fn hub() -> Hub {
    Hub::new("look: { kind: query }")
}

fn open(hub: &mut Hub, owner: Option<&str>, ttl_ms: Option<u64>) -> SessionId {
    let expires_at = ttl_ms.map(|ttl| Timestamp(hub.now.0 + ttl));
    let owner = owner.map(str::to_owned);
    match hub.give(CommandBody::OpenSession { tenant: tenant("acme"), session: None, owner, expires_at }) {
        Answer::Session(session) => session,
        other => panic!("{other:?}"),
    }
}

fn row(hub: &Hub, session: &SessionId) -> SessionRow {
    match hub.rows.0.get(&Key::session(&tenant("acme"), session)) {
        Some(Row::Session(row)) => (**row).clone(),
        other => panic!("{other:?}"),
    }
}

fn upgrade(hub: &mut Hub, session: &SessionId, owner: &str) -> Answer {
    let session = session.clone();
    hub.give(CommandBody::UpgradeSession { tenant: tenant("acme"), session, owner: owner.to_owned() })
}

fn set(hub: &mut Hub, session: &SessionId, value: Option<&str>, if_version: Option<u64>) -> Answer {
    hub.give(CommandBody::SetState {
        tenant: tenant("acme"),
        session: session.clone(),
        key: "k".to_owned(),
        value: value.map(|text| Json::parse(text).unwrap()),
        if_version,
        ttl_ms: None,
    })
}

fn submit(hub: &mut Hub, session: &SessionId) -> Option<DetailCode> {
    match hub.submit(Ask::new("shop.s.look").session(session.as_str())) {
        Answer::Accepted(_) => None,
        Answer::Rejected(rejection) => Some(rejection.conclusion.code),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_session_is_created_and_expires_by_command_time() {
    let mut hub = hub();
    let session = open(&mut hub, Some("ann"), Some(1_000));
    assert_eq!(row(&hub, &session).owner.as_deref(), Some("ann"));
    hub.pass(999);
    assert_eq!(submit(&mut hub, &session), None);
    hub.pass(1);
    assert_eq!(submit(&mut hub, &session), Some(conclude::SESSION_ENDED));
    assert_eq!(refusal(upgrade(&mut hub, &session, "bob")).conclusion.code, conclude::SESSION_ENDED);
    assert_eq!(refusal(set(&mut hub, &session, Some("1"), None)).conclusion.code, conclude::SESSION_ENDED);
}

#[test]
fn a_closed_session_takes_nothing_more() {
    let mut hub = hub();
    let session = open(&mut hub, None, None);
    let close = CommandBody::CloseSession { tenant: tenant("acme"), session: session.clone(), reason: "x".into() };
    assert_eq!(hub.give(close.clone()), Answer::Session(session.clone()));
    assert_eq!(submit(&mut hub, &session), Some(conclude::SESSION_ENDED));
    assert_eq!(refusal(hub.give(close)).conclusion.code, conclude::SESSION_ENDED);
}

#[test]
fn the_default_session_does_not_end() {
    let mut hub = hub();
    let default = SessionId::default_session();
    let open = |expires_at| CommandBody::OpenSession {
        tenant: tenant("acme"),
        session: Some(default.clone()),
        owner: None,
        expires_at,
    };
    let close = CommandBody::CloseSession { tenant: tenant("acme"), session: default.clone(), reason: "x".into() };
    let ends = open(Some(Timestamp(hub.now.0 + 1_000)));
    for (at, ends) in [ends.clone(), close.clone()].into_iter().enumerate() {
        let refused = refusal(hub.give(ends)).conclusion;
        assert_eq!(refused.code, conclude::PARAMETERS_INVALID, "{at}");
        assert!(refused.message.contains("default") && refused.hint.unwrap().contains("--session"), "{at}");
        assert!(hub.last.is_empty());
    }
    assert_eq!(hub.give(open(None)), Answer::Session(default.clone()));
    assert_eq!(refusal(hub.give(close)).conclusion.code, conclude::PARAMETERS_INVALID);
    assert_eq!(submit(&mut hub, &default), None);
    // An earlier release let it be closed, and expire.
    let key = Key::session(&tenant("acme"), &default);
    let opened = row(&hub, &default);
    let (closed_at, expires_at) = (Some(hub.now), Some(hub.now));
    for ended in [SessionRow { closed_at, ..opened.clone() }, SessionRow { expires_at, ..opened }] {
        hub.rows.0.insert(key.clone(), Row::Session(std::sync::Arc::new(ended)));
        hub.pass(1);
        assert_eq!(submit(&mut hub, &default), None);
        assert!(matches!(set(&mut hub, &default, Some("1"), None), Answer::Done(_)));
    }
}

#[test]
fn an_anonymous_session_gets_one_owner_and_keeps_its_id() {
    let mut hub = hub();
    let session = open(&mut hub, None, None);
    let before = row(&hub, &session);
    assert_eq!(before.owner, None);
    for _ in 0..2 {
        assert_eq!(upgrade(&mut hub, &session, "ann"), Answer::Session(session.clone()));
    }
    assert!(hub.last.is_empty(), "the second time there was nothing to do");
    assert_eq!(row(&hub, &session), SessionRow { owner: Some("ann".into()), ..before });
    assert_eq!(refusal(upgrade(&mut hub, &session, "bob")).conclusion.code, conclude::PHASE_CONFLICT);
}

#[test]
fn a_session_id_is_given_once() {
    let mut hub = hub();
    let (first, second) = (open(&mut hub, None, None), open(&mut hub, None, None));
    assert_ne!(first, second);
    let again = CommandBody::OpenSession {
        tenant: tenant("acme"),
        session: Some(first.clone()),
        owner: None,
        expires_at: None,
    };
    assert_eq!(refusal(hub.give(again)).conclusion.code, conclude::KEY_CONFLICT);
    let other = CommandBody::OpenSession {
        tenant: tenant("other"),
        session: Some(first.clone()),
        owner: None,
        expires_at: None,
    };
    assert_eq!(hub.give(other), Answer::Session(first));
    let unknown: SessionId = "nobody".parse().unwrap();
    assert_eq!(refusal(upgrade(&mut hub, &unknown, "ann")).conclusion.code, conclude::NOT_FOUND);
}

#[test]
fn state_set_by_hand_is_compared_with_the_version_it_expects() {
    let mut hub = hub();
    let session: SessionId = "default".parse().unwrap();
    assert!(matches!(set(&mut hub, &session, Some("1"), Some(0)), Answer::Done(_)));
    assert_eq!(refusal(set(&mut hub, &session, Some("2"), Some(0))).conclusion.code, conclude::VERSION_CONFLICT);
    assert!(matches!(set(&mut hub, &session, Some("2"), Some(1)), Answer::Done(_)));
    assert!(matches!(hub.last[0].body, Body::StateSet { version: 2, .. }));
    assert!(matches!(set(&mut hub, &session, None, Some(2)), Answer::Done(_)));
    assert_eq!(refusal(set(&mut hub, &session, Some("3"), Some(2))).conclusion.code, conclude::VERSION_CONFLICT);
    let large = format!("\"{}\"", "x".repeat(70_000));
    assert_eq!(refusal(set(&mut hub, &session, Some(&large), None)).conclusion.code, conclude::PARAMETERS_INVALID);
}

#[test]
fn the_name_of_a_session_that_ended_is_not_used_again_and_the_refusal_says_which_names_are() {
    let mut hub = hub();
    let named = |hub: &mut Hub, name: &str| {
        let (session, expires_at) = (Some(name.parse().unwrap()), Some(Timestamp(hub.now.0 + 10)));
        hub.give(CommandBody::OpenSession { tenant: tenant("acme"), session, owner: None, expires_at })
    };
    named(&mut hub, "s-1");
    hub.pass(10);
    let refused = refusal(named(&mut hub, "s-1")).conclusion;
    assert_eq!(refused.code, conclude::KEY_CONFLICT);
    assert!(refused.message.contains("ended at"), "{}", refused.message);
    let Answer::Rejected(rejection) = hub.submit(Ask::new("shop.s.look").session("s-1")) else { panic!() };
    let set = refusal(set(&mut hub, &"s-1".parse().unwrap(), None, None)).conclusion;
    for conclusion in [&refused, &rejection.conclusion, &set] {
        let hint = conclusion.hint.as_ref().unwrap();
        assert!(hint.contains("under another name") && hint.contains("`--session` or `session_id`"), "{conclusion:?}");
    }
    assert!(matches!(named(&mut hub, "s-2"), Answer::Session(_)));
}
