//! State, references, provenance and events: all of an outcome or nothing of it.

use enact_engine::command::{Answer, CommandBody};
use enact_engine::conclude;
use enact_model::digest::Digest;
use enact_model::envelope::StateScope;
use enact_model::id::{ExecutionId, ReferenceId};
use enact_model::observation::FaultKind;
use enact_model::record::Body;
use enact_model::reference::Reference;
use enact_model::table::{Key, Row, StateRow, Table};
use enact_model::time::Timestamp;
use serde_json::{Value, json};

use crate::hub::{Ask, Hub, artifact, produced, refusal, tenant};

const OPERATIONS: &str = "
    write: { kind: command, returns: effects }
    save: { kind: command, idempotent: true, returns: effects }
    make: { kind: query, call: { stdout: ignore }, produces: [{ artifact: page.txt, from: { file: page.txt }, media_type: text/plain, derived_from: [/document] }], emits: [{ type: made, key: /document/id, data: { page: /artifacts/0 } }] }
    told: { kind: query, emits: [{ type: done }, { type: sorry, on: failed, data: { why: /failure/code } }] }";

fn state(hub: &Hub, scope: StateScope, owner: &str, key: &str) -> Option<StateRow> {
    match hub.rows.0.get(&Key::state(&tenant("acme"), scope, owner, key)) {
        Some(Row::State(row)) if row.lives(hub.now) => Some((**row).clone()),
        _ => None,
    }
}

fn session(hub: &Hub, key: &str) -> Option<(String, u64)> {
    state(hub, StateScope::Session, "default", key).map(|row| (row.value.as_str().to_owned(), row.version))
}

/// Runs `write` to an end with these effects and returns it.
fn write(hub: &mut Hub, envelope: Value) -> ExecutionId {
    let id = hub.start("write");
    hub.effects(id, envelope);
    id
}

fn fault(hub: &Hub, id: ExecutionId) -> Option<FaultKind> {
    hub.outcome(id).conclusion().and_then(|conclusion| conclusion.kind)
}

fn references(hub: &Hub) -> Vec<Reference> {
    let rows = hub.table(Table::Reference).into_iter();
    rows.filter_map(|row| if let Row::Reference(row) = row { Some((*row).clone()) } else { None }).collect()
}

fn register(hub: &mut Hub, reference: &Reference) -> Answer {
    hub.give(CommandBody::RegisterReference { reference: Box::new(reference.clone()) })
}

fn uploaded(id: u128, content: &str) -> Reference {
    let stored = artifact("in.pdf", content);
    Reference {
        id: ReferenceId::from_u128(id),
        tenant_id: tenant("acme"),
        name: stored.name,
        media_type: stored.media_type,
        digest: Some(stored.digest),
        size: Some(stored.size),
        uri: None,
        made_by: None,
        registered_at: Timestamp(0),
    }
}

#[test]
fn state_is_set_changed_and_deleted_with_the_outcome_and_every_set_is_a_version() {
    let mut hub = Hub::new(OPERATIONS);
    for (value, version) in [("1", 1), ("2", 2)] {
        write(&mut hub, json!({ "state": [{ "scope": "session", "key": "a", "value": version }] }));
        assert_eq!(session(&hub, "a"), Some((value.to_owned(), version)));
    }
    let id = write(&mut hub, json!({ "state": [{ "scope": "execution", "key": "a", "value": "mine" }] }));
    assert!(state(&hub, StateScope::Execution, &id.to_string(), "a").is_some());
    assert_eq!(session(&hub, "a"), Some(("2".to_owned(), 2)));
    write(&mut hub, json!({ "state": [{ "scope": "session", "key": "a" }] }));
    assert_eq!(session(&hub, "a"), None);
}

#[test]
fn a_value_ends_with_its_time_to_live_by_command_time() {
    let mut hub = Hub::new(OPERATIONS);
    write(&mut hub, json!({ "state": [{ "scope": "session", "key": "a", "value": 1, "ttl_ms": 1000 }] }));
    hub.pass(999);
    assert!(session(&hub, "a").is_some());
    hub.pass(1);
    assert_eq!(session(&hub, "a"), None);
    write(&mut hub, json!({ "state": [{ "scope": "session", "key": "a", "value": 2, "if_version": 0 }] }));
    assert_eq!(session(&hub, "a"), Some(("2".to_owned(), 2)), "its version goes on");
}

#[test]
fn of_two_writers_with_the_same_expected_version_exactly_one_wins() {
    let mut hub = Hub::new(OPERATIONS);
    let set = |value: u64, version: u64| json!({ "state": [{ "scope": "session", "key": "a", "value": value, "if_version": version }] });
    for (round, version) in [(1, 0), (2, 1), (3, 2)] {
        let ids = [hub.start("write"), hub.start("write")];
        hub.effects(ids[0], set(round, version));
        hub.effects(ids[1], set(round + 100, version));
        assert_eq!(ids.map(|id| hub.phase(id)), ["settled completed", "settled failed"]);
        assert_eq!(fault(&hub, ids[1]), Some(FaultKind::StateConflict));
        assert_eq!(session(&hub, "a"), Some((round.to_string(), version + 1)));
    }
}

#[test]
fn a_version_is_not_given_twice_even_if_the_key_was_deleted_meanwhile() {
    let mut hub = Hub::new(OPERATIONS);
    write(&mut hub, json!({ "state": [{ "scope": "session", "key": "a", "value": "seen" }] }));
    write(&mut hub, json!({ "state": [{ "scope": "session", "key": "a" }] }));
    write(&mut hub, json!({ "state": [{ "scope": "session", "key": "a", "value": "other" }] }));
    let id =
        write(&mut hub, json!({ "state": [{ "scope": "session", "key": "a", "value": "late", "if_version": 1 }] }));
    assert_eq!(fault(&hub, id), Some(FaultKind::StateConflict));
    assert_eq!(session(&hub, "a").unwrap().0, r#""other""#);
}

#[test]
fn a_lost_comparison_refuses_everything_else_in_the_envelope() {
    let mut hub = Hub::new(OPERATIONS);
    let lost = json!({
        "state": [{ "scope": "session", "key": "b", "value": 1 }, { "scope": "session", "key": "a", "value": 1, "if_version": 9 }],
        "events": [{ "type": "t" }],
        "references": [{ "name": "r", "uri": "https://example.org/r", "media_type": "text/plain" }],
    });
    let id = write(&mut hub, lost.clone());
    assert_eq!(hub.kinds(), ["AttemptObserved", "Settled"]);
    assert_eq!(fault(&hub, id), Some(FaultKind::StateConflict));
    assert!(session(&hub, "b").is_none() && references(&hub).is_empty() && hub.messages().is_empty());
    let id = hub.start("save");
    hub.effects(id, lost);
    assert_eq!(hub.kinds(), ["AttemptObserved", "RetryScheduled", "AttemptStarted"], "what may run again does, now");
}

#[test]
fn an_envelope_that_contradicts_itself_or_is_out_of_bounds_is_refused_as_a_whole() {
    let long = "x".repeat(70_000);
    for (state, kind) in [
        (
            json!([{ "scope": "session", "key": "a", "value": 1 }, { "scope": "session", "key": "a" }]),
            FaultKind::EnvelopeInvalid,
        ),
        (json!([{ "scope": "session", "key": "a", "value": long }]), FaultKind::EffectUnfit),
        (json!([{ "scope": "session", "key": long, "value": 1 }]), FaultKind::EnvelopeInvalid),
        (json!([{ "scope": "session", "key": "", "value": 1 }]), FaultKind::EnvelopeInvalid),
        (json!([{ "scope": "session", "key": &long[..513], "value": 1 }]), FaultKind::EnvelopeInvalid),
        (json!([{ "scope": "session", "key": "a\nb", "value": 1 }]), FaultKind::EnvelopeInvalid),
    ] {
        let mut hub = Hub::new(OPERATIONS);
        let id = write(&mut hub, json!({ "state": state, "events": [{ "type": "t" }] }));
        assert_eq!(fault(&hub, id), Some(kind));
        assert!(hub.messages().is_empty() && hub.table(Table::State).is_empty());
    }
    let mut hub = Hub::new(OPERATIONS);
    let id = write(&mut hub, json!({ "state": [{ "scope": "session", "key": &long[..512], "value": 1 }] }));
    assert_eq!(fault(&hub, id), None);
}

#[test]
fn what_is_produced_is_registered_with_its_provenance_in_the_batch_of_the_outcome() {
    let mut hub = Hub::new(OPERATIONS);
    let document = uploaded(7, "pdf");
    assert_eq!(register(&mut hub, &document), Answer::Reference(document.id));
    let input = json!({ "document": { "id": document.id } }).to_string();
    let id = hub.run(Ask::new("shop.s.make").params(&input));
    hub.observe(id, produced("null", vec![artifact("page.txt", "text")]));
    assert_eq!(hub.kinds(), ["AttemptObserved", "ReferenceRegistered", "ProvenanceAdded", "MessageQueued", "Settled"]);
    let page = references(&hub).into_iter().find(|reference| reference.name == "page.txt").unwrap();
    assert_eq!(page.made_by, Some(id));
    for key in
        [Key::made_into(&tenant("acme"), document.id, page.id), Key::made_from(&tenant("acme"), page.id, document.id)]
    {
        match hub.rows.0.get(&key) {
            Some(Row::MadeInto(edge) | Row::MadeFrom(edge)) => {
                assert_eq!((edge.from, edge.to, edge.made_by), (document.id, page.id, id));
            }
            other => panic!("{other:?}"),
        }
    }
    let message = &hub.messages()[0].message;
    assert_eq!(message.key, Some(document.id.to_string()));
    assert_eq!(message.data.to_value()["page"]["id"], json!(page.id));
}

#[test]
fn an_edge_to_what_is_not_registered_is_refused_with_everything_else() {
    let mut hub = Hub::new(OPERATIONS);
    let known = uploaded(7, "pdf");
    register(&mut hub, &known);
    let foreign = Reference { tenant_id: tenant("other"), id: ReferenceId::from_u128(8), ..known.clone() };
    register(&mut hub, &foreign);
    let made = json!([{ "name": "r", "uri": "https://example.org/r", "media_type": "text/plain" }]);
    let unknown = ReferenceId::from_u128(9).to_string();
    let mine = known.id.to_string();
    for (from, to) in [
        (unknown.as_str(), "reference:r"),
        (&foreign.id.to_string(), "reference:r"),
        (&mine, &unknown),
        ("artifact:none", "reference:r"),
        ("nonsense", "reference:r"),
    ] {
        let before = references(&hub).len();
        let id = write(
            &mut hub,
            json!({ "references": made, "derived": [{ "from": [from], "to": to }], "events": [{ "type": "t" }] }),
        );
        assert_eq!(fault(&hub, id), Some(FaultKind::EffectRefused), "{from} {to}");
        assert_eq!(references(&hub).len(), before);
        assert!(hub.messages().is_empty() && hub.table(Table::MadeInto).is_empty());
    }
    let id = write(&mut hub, json!({ "references": made, "derived": [{ "from": [mine], "to": "reference:r" }] }));
    assert_eq!(hub.phase(id), "settled completed");
    assert_eq!(hub.table(Table::MadeInto).len(), 1);
}

#[test]
fn registering_the_same_again_changes_nothing_and_other_content_is_a_conflict() {
    let mut hub = Hub::new(OPERATIONS);
    let reference = uploaded(7, "pdf");
    register(&mut hub, &reference);
    let same_content = Reference { id: ReferenceId::from_u128(8), ..reference.clone() };
    for same in [&reference, &same_content] {
        assert_eq!(register(&mut hub, same), Answer::Reference(reference.id));
        assert!(hub.last.is_empty());
    }
    let other_type = Reference { id: ReferenceId::from_u128(8), media_type: "x/y".into(), ..reference.clone() };
    for other in [Reference { id: reference.id, ..uploaded(7, "changed") }, other_type] {
        assert_eq!(refusal(register(&mut hub, &other)).conclusion.code, conclude::REFERENCE_CONFLICT);
    }
    let elsewhere = Reference { tenant_id: tenant("other"), ..uploaded(7, "changed") };
    assert_eq!(register(&mut hub, &elsewhere), Answer::Reference(elsewhere.id), "another tenant has its own");
}

#[test]
fn a_reference_that_contradicts_one_of_its_name_and_content_is_refused() {
    let mut hub = Hub::new(OPERATIONS);
    let digest = Digest::of(b"x").to_string();
    let asked =
        |uri: &str, media_type: &str| json!({ "name": "r", "uri": uri, "media_type": media_type, "digest": digest });
    let (here, there) = ("https://example.org/a", "https://example.org/b");
    for (references, wanted) in [
        (json!([asked(here, "text/plain")]), None),
        (json!([asked(here, "text/plain")]), None),
        (json!([asked(there, "text/plain")]), Some(FaultKind::ReferenceConflict)),
        (json!([asked(here, "text/html")]), Some(FaultKind::ReferenceConflict)),
    ] {
        let id = write(&mut hub, json!({ "references": references }));
        assert_eq!(fault(&hub, id), wanted);
    }
    let known = references(&hub).remove(0);
    let elsewhere = Reference { id: ReferenceId::from_u128(9), uri: Some(there.into()), ..known.clone() };
    for other in [Reference { id: known.id, ..elsewhere.clone() }, elsewhere] {
        let conclusion = refusal(register(&mut hub, &other)).conclusion;
        assert_eq!(conclusion.code, conclude::REFERENCE_CONFLICT);
    }
    assert_eq!(references(&hub).len(), 1);
}

#[test]
fn a_reference_without_name_address_and_type_is_refused_with_every_fault() {
    let mut hub = Hub::new(OPERATIONS);
    let blank = Reference {
        name: String::new(),
        uri: Some(String::new()),
        media_type: String::new(),
        digest: None,
        ..uploaded(7, "pdf")
    };
    let refused = refusal(register(&mut hub, &blank));
    let at: Vec<&str> = refused.faults.iter().map(|fault| fault.at.as_str()).collect();
    assert_eq!((refused.conclusion.code, at), (conclude::PARAMETERS_INVALID, vec!["name", "media_type", "uri"]));
    let id = write(&mut hub, json!({ "references": [{ "name": "", "uri": "", "media_type": "" }] }));
    assert_eq!(fault(&hub, id), Some(FaultKind::EnvelopeInvalid));
    assert!(references(&hub).is_empty());
}

#[test]
fn an_event_type_that_a_descriptor_could_not_name_is_refused() {
    let mut hub = Hub::new(OPERATIONS);
    for wrong in ["", "two words", "caf\u{e9}", &"x".repeat(257)] {
        let id = write(&mut hub, json!({ "events": [{ "type": wrong }] }));
        assert_eq!(fault(&hub, id), Some(FaultKind::EnvelopeInvalid), "{wrong}");
    }
    assert!(hub.messages().is_empty());
    let id = write(&mut hub, json!({ "events": [{ "type": "com.acme/quote:issued-1_a" }] }));
    assert_eq!(hub.phase(id), "settled completed");
}

#[test]
fn the_same_content_produced_twice_is_one_reference() {
    let mut hub = Hub::new(OPERATIONS);
    register(&mut hub, &uploaded(7, "pdf"));
    for _ in 0..2 {
        let id = hub.run(Ask::new("shop.s.make"));
        hub.observe(id, produced("null", vec![artifact("page.txt", "text")]));
        assert_eq!(hub.phase(id), "settled completed");
    }
    assert_eq!(references(&hub).iter().filter(|reference| reference.name == "page.txt").count(), 1);
}

#[test]
fn an_artifact_that_did_not_come_is_a_failure() {
    let mut hub = Hub::new(OPERATIONS);
    let id = hub.start("make");
    hub.observe(id, produced("null", Vec::new()));
    assert_eq!(fault(&hub, id), Some(FaultKind::EffectUnfit));
}

#[test]
fn a_failed_execution_promises_only_what_it_declares_for_failure() {
    let mut hub = Hub::new(OPERATIONS);
    let id = hub.start("told");
    hub.fault(id, FaultKind::HandlerFailed.fault("x"));
    let failed: Vec<_> = hub.messages().iter().map(|row| row.message.event_type.clone()).collect();
    assert_eq!(failed, ["sorry"]);
    let code = hub.outcome(id).conclusion().unwrap().code.to_string();
    assert_eq!(hub.messages()[0].message.data.to_value(), json!({ "why": code }));
    let id = hub.start("told");
    hub.reply(id, "{}");
    assert_eq!(hub.messages().last().unwrap().message.event_type, "done");
    let id = write(
        &mut hub,
        json!({ "state": [{ "scope": "session", "key": "a", "value": 1, "if_version": 9 }], "events": [{ "type": "t" }] }),
    );
    assert_eq!(hub.phase(id), "settled failed");
    assert_eq!(hub.messages().len(), 2);
}

#[test]
fn a_message_is_queued_in_the_batch_of_the_outcome_that_promises_it() {
    let mut hub = Hub::new(OPERATIONS);
    let id = hub.start("told");
    assert!(hub.messages().is_empty());
    hub.reply(id, "{}");
    let kinds = hub.kinds();
    assert_eq!(kinds, ["AttemptObserved", "MessageQueued", "Settled"]);
    let Body::MessageQueued { message } = &hub.last[1].body else { panic!("{kinds:?}") };
    assert_eq!((message.execution_id, hub.pending("audit")), (id, 1));
}
