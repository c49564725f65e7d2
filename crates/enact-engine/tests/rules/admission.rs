//! What is let in, what is turned away, and what of it stands in the log.

use std::sync::Arc;

use enact_engine::command::{Answer, CommandBody};
use enact_engine::conclude;
use enact_model::conclusion::DetailCode;
use enact_model::digest::Digest;
use enact_model::id::{ExecutionId, IntentId};
use enact_model::intent::InputFault;
use enact_model::record::{Body, Rejection};
use enact_model::table::{IntentRow, Key, Row, Table};

use crate::hub::{Ask, Hub, refusal, tenant};

const OPERATIONS: &str = "
    look: { kind: query }
    pay: { kind: command, handles: [pay_now], input: { type: object, required: [cents], properties: { cents: { type: integer, minimum: 1 } }, additionalProperties: false } }
    read: { kind: query, call: { args: [{ file: /document }] } }";

fn rejected(answer: Answer, code: DetailCode) -> Rejection {
    match answer {
        Answer::Rejected(rejection) if rejection.conclusion.code == code => *rejection,
        other => panic!("{other:#?}"),
    }
}

#[test]
fn an_unknown_intent_type_is_rejected_and_the_near_ones_are_listed() {
    let mut hub = Hub::new(OPERATIONS);
    let rejection = rejected(hub.submit(Ask::new("pay_nwo")), conclude::INTENT_TYPE_UNKNOWN);
    assert!(rejection.conclusion.hint.unwrap().contains("pay-now"));
    let rejection = rejected(hub.submit(Ask::new("shop.s.lock")), conclude::INTENT_TYPE_UNKNOWN);
    assert!(rejection.conclusion.hint.unwrap().contains("shop.s.look"));
    assert!(hub.table(Table::Execution).is_empty());
}

#[test]
fn parameters_that_violate_the_schema_are_rejected_before_anything_runs() {
    let mut hub = Hub::new(OPERATIONS);
    for (parameters, at) in [
        (r#"{"cents":"1"}"#, "/cents"),
        (r#"{"cents":1,"x":0}"#, "parameters"),
        ("{}", "parameters"),
        (r#"{"cents":0}"#, "/cents"),
    ] {
        let rejection = rejected(hub.submit(Ask::new("pay_now").params(parameters)), conclude::PARAMETERS_INVALID);
        assert_eq!(rejection.faults.iter().map(|fault| fault.at.as_str()).collect::<Vec<_>>(), [at], "{parameters}");
        assert_eq!(hub.kinds(), ["IntentRejected"]);
    }
    let rejection =
        rejected(hub.submit(Ask::new("pay_now").params(r#"{"cents":0.5,"x":0}"#)), conclude::PARAMETERS_INVALID);
    assert!(rejection.faults.len() > 1, "several faults come at once: {:?}", rejection.faults);
    assert!(hub.running().is_empty());
    hub.run(Ask::new("pay_now").params(r#"{"cents":1}"#));
    assert_eq!(hub.running().len(), 1);
}

#[test]
fn a_reference_that_the_tenant_does_not_have_is_rejected() {
    let mut hub = Hub::new(OPERATIONS);
    let ask = Ask::new("shop.s.read").params(r#"{"document":{"id":"ref_00000000000000000000000001"}}"#);
    let rejection = rejected(hub.submit(ask), conclude::REFERENCE_UNKNOWN);
    assert_eq!(rejection.faults[0].at, "/document");
}

#[test]
fn a_rejected_intent_is_a_record_and_a_row_with_its_faults_a_digest_and_an_excerpt() {
    let mut hub = Hub::new(OPERATIONS);
    let parameters = format!(r#"{{"cents":"{}"}}"#, "é".repeat(3_000));
    let given = rejected(hub.submit(Ask::new("pay_now").params(&parameters).id(7)), conclude::PARAMETERS_INVALID);
    let Body::IntentRejected(logged) = &hub.last[0].body else { panic!("{:?}", hub.last) };
    assert_eq!(**logged, given);
    let row = hub.rows.0.get(&Key::intent(&tenant("acme"), IntentId::from_u128(7)));
    match row {
        Some(Row::Intent(row)) => {
            assert!(matches!(&**row, IntentRow::Rejected { rejection, .. } if **rejection == given));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(given.digest, Digest::of(parameters.as_bytes()));
    assert!(given.excerpt.len() <= 4_096 && given.excerpt.len() > 4_000 && parameters.starts_with(&given.excerpt));
    assert_eq!(given.faults[0].at, "/cents");
}

#[test]
fn an_intent_that_the_hub_named_gives_its_number_to_its_execution_which_answers_for_it() {
    let mut hub = Hub::new(OPERATIONS);
    let submit = |number: u128, named_here| {
        let intent = Arc::new(Ask::new("shop.s.look").id(number).intent);
        let parameters = intent.parameters.inline().unwrap().clone();
        CommandBody::Submit { intent, parameters, named_here, suppressed: 0, role: None }
    };
    let id = ExecutionId::from_u128(7);
    assert_eq!(hub.give(submit(7, true)), Answer::Accepted(id));
    assert!(hub.table(Table::Intent).is_empty());
    assert_eq!(hub.give(submit(7, false)), Answer::Repeated(id));
    // A caller who names an intent does not choose the number of an execution by that.
    let Answer::Accepted(other) = hub.give(submit(8, false)) else { panic!("it is new") };
    assert_ne!(other, ExecutionId::from_u128(8));
    assert_eq!(hub.give(submit(8, false)), Answer::Repeated(other));
    // The number of an execution is no intent id that is taken.
    let Answer::Accepted(third) = hub.give(submit(other.as_u128(), false)) else { panic!("it is new") };
    assert!(third != other && third != id);
    assert_eq!(hub.table(Table::Intent).len(), 2);
}

#[test]
fn an_intent_that_did_not_parse_is_logged_within_bounds() {
    let mut hub = Hub::new(OPERATIONS);
    let long = "x".repeat(100_000);
    let faults = (0..1_000).map(|_| InputFault::new(long.clone(), long.clone()).hint(long.clone())).collect();
    let body = CommandBody::Reject {
        intent_id: IntentId::from_u128(7),
        tenant: tenant("acme"),
        intent_type: long.clone(),
        faults,
        parameters: long.clone(),
        suppressed: 0,
    };
    let rejection = rejected(hub.give(body.clone()), conclude::INTENT_INVALID);
    assert_eq!(rejection.excerpt.len(), 4_096);
    assert_eq!(rejection.digest, Digest::of(long.as_bytes()));
    assert!(hub.last[0].encode().len() < 128 * 1024, "{} bytes", hub.last[0].encode().len());
    assert_eq!(refusal(hub.give(body)).conclusion.code, conclude::KEY_CONFLICT);
}

#[test]
fn rejections_over_the_limit_of_a_minute_leave_no_record_and_are_counted_by_the_next_one() {
    let mut hub = Hub::new(OPERATIONS);
    hub.policy.rejections_per_minute = 3;
    for _ in 0..3 {
        rejected(hub.submit(Ask::new("nobody")), conclude::INTENT_TYPE_UNKNOWN);
    }
    let refused = refusal(hub.submit(Ask::new("nobody")));
    assert_eq!(refused.conclusion.code, conclude::REJECTIONS_LIMITED);
    assert!(refused.faults[0].message.contains("nobody"), "the caller still learns what was wrong");
    let pause = refused.retry_after_ms.unwrap();
    rejected(hub.submit(Ask::new("nobody").tenant("other")), conclude::INTENT_TYPE_UNKNOWN);
    hub.pass(pause);
    let rejection = rejected(hub.submit(Ask { suppressed: 1, ..Ask::new("nobody") }), conclude::INTENT_TYPE_UNKNOWN);
    assert_eq!(rejection.suppressed, 1);
}

#[test]
fn the_same_key_is_one_execution_and_one_run_until_its_row_is_gone() {
    let mut hub = Hub::new(OPERATIONS);
    let ask = || Ask::new("pay_now").params(r#"{"cents":1}"#).key("k");
    let first = hub.run(ask());
    for _ in 0..3 {
        assert_eq!(hub.submit(ask()), Answer::Repeated(first));
        assert!(hub.last.is_empty());
    }
    hub.reply(first, r#"{"done":1}"#);
    assert_eq!(hub.submit(ask()), Answer::Repeated(first), "after it has settled as well");
    hub.pass(48 * 3_600_000);
    assert_eq!(hub.submit(ask()), Answer::Repeated(first), "as long as the execution is kept");
    assert_eq!(hub.life(first), ["IntentAccepted", "AttemptStarted", "AttemptObserved", "Settled"]);
    assert_ne!(hub.run(ask().tenant("other")), first, "a key belongs to its tenant");
    assert_ne!(hub.run(ask().with(|intent| intent.intent_type = "shop.s.pay".parse().unwrap())), first);
}

#[test]
fn the_same_key_with_other_parameters_session_or_solution_is_a_conflict() {
    let mut hub = Hub::new(OPERATIONS);
    let ask = || Ask::new("shop.s.look").params(r#"{"a":1.0}"#).key("k");
    let first = hub.run(ask());
    for other in [
        ask().params(r#"{"a":1.00}"#),
        ask().session("s2"),
        ask().with(|intent| intent.solution_id = "other".parse().unwrap()),
    ] {
        let rejection = rejected(hub.submit(other), conclude::KEY_CONFLICT);
        assert!(rejection.conclusion.message.contains(&first.to_string()));
    }
    assert_eq!(
        hub.submit(ask().with(|intent| drop(intent.metadata.insert("a".into(), "b".into())))),
        Answer::Repeated(first)
    );
}

#[test]
fn a_solution_that_nobody_bound_is_rejected_by_name() {
    let mut hub = Hub::new(OPERATIONS);
    let ask = |name: &str| Ask::new("shop.s.look").with(|intent| intent.solution_id = name.parse().unwrap());
    hub.bind("solution: intake\ncomponents: { shop: ^1 }\n");
    hub.run(ask("intake"));
    let rejection = rejected(hub.submit(ask("inake")), conclude::SOLUTION_UNKNOWN);
    assert_eq!(rejection.faults[0].at, "solution_id");
    assert_eq!(rejection.conclusion.hint.as_deref(), Some("did you mean intake?"));
}

#[test]
fn a_rejected_intent_does_not_consume_its_key() {
    let mut hub = Hub::new(OPERATIONS);
    rejected(hub.submit(Ask::new("pay_now").key("k")), conclude::PARAMETERS_INVALID);
    hub.run(Ask::new("pay_now").params(r#"{"cents":1}"#).key("k"));
}

#[test]
fn an_intent_id_names_one_intent() {
    let mut hub = Hub::new(OPERATIONS);
    let first = hub.run(Ask::new("shop.s.look").id(7));
    assert_eq!(hub.submit(Ask::new("shop.s.look").id(7)), Answer::Repeated(first));
    let other = refusal(hub.submit(Ask::new("shop.s.look").params("[]").id(7)));
    assert_eq!(other.conclusion.code, conclude::KEY_CONFLICT);
    let lost = rejected(hub.submit(Ask::new("nobody").id(8)), conclude::INTENT_TYPE_UNKNOWN);
    assert_eq!(hub.submit(Ask::new("nobody").id(8)), Answer::Rejected(Box::new(lost)));
    assert_eq!(refusal(hub.submit(Ask::new("shop.s.look").id(8))).conclusion.code, conclude::KEY_CONFLICT);
}

/// Submits until one is refused, and returns how many were accepted before.
fn fill(hub: &mut Hub, ask: &Ask) -> Vec<ExecutionId> {
    let mut accepted = Vec::new();
    loop {
        match hub.submit(ask.clone()) {
            Answer::Accepted(id) => accepted.push(id),
            answer => {
                let refused = refusal(answer);
                assert_eq!(refused.conclusion.code, conclude::OVERLOADED);
                assert!(refused.retry_after_ms.is_some());
                assert!(hub.last.is_empty(), "overload is not logged");
                return accepted;
            }
        }
        assert!(accepted.len() < 100, "there is no limit");
    }
}

#[test]
fn what_is_open_is_limited_for_each_tenant_and_in_all() {
    let mut hub = Hub::new(OPERATIONS);
    (hub.policy.open_max, hub.policy.open_max_per_tenant) = (5, 3);
    let look = Ask::new("shop.s.look");
    let first = fill(&mut hub, &look);
    assert_eq!(first.len(), 3);
    assert_eq!(fill(&mut hub, &look.clone().tenant("other")).len(), 2);
    hub.reply(first[0], "1");
    assert_eq!(fill(&mut hub, &look).len(), 1, "what settles makes room");
}

#[test]
fn bytes_of_parameters_are_limited_for_each_tenant_and_in_all() {
    let mut hub = Hub::new(OPERATIONS);
    (hub.policy.queued_bytes_max, hub.policy.queued_bytes_max_per_tenant) = (50, 30);
    let ten = Ask::new("shop.s.look").params(r#"{"a":1234}"#);
    assert_eq!(fill(&mut hub, &ten).len(), 3);
    assert_eq!(fill(&mut hub, &ten.clone().tenant("other")).len(), 2);
}

#[test]
fn a_repetition_is_answered_in_overload_too() {
    let mut hub = Hub::new(OPERATIONS);
    hub.policy.open_max = 1;
    let first = hub.run(Ask::new("shop.s.look").key("k"));
    assert_eq!(hub.submit(Ask::new("shop.s.look").key("k")), Answer::Repeated(first));
}

#[test]
fn an_accepted_intent_stands_in_the_log_with_everything_it_carries() {
    let mut hub = Hub::new(OPERATIONS);
    let ask = Ask::new("shop.s.look").key("k").deadline(9_000).id(7);
    let id = hub.run(ask.clone());
    let Body::IntentAccepted(accepted) = &hub.last[0].body else { panic!("{:?}", hub.last) };
    assert_eq!(*accepted.intent, ask.intent);
    assert_eq!(accepted.deadline_at, Some(hub.now.plus(std::time::Duration::from_secs(9))));
    assert_eq!(accepted.execution, id);
    assert_eq!(hub.execution(id).intent, accepted.intent);
}
