//! What may have run although no answer came: the reconciler, the confirmation, the retry of what is settled.

use enact_engine::command::Answer;
use enact_engine::conclude;
use enact_model::id::ExecutionId;
use enact_model::json::Json;
use enact_model::observation::FaultKind;
use enact_model::outcome::Outcome;
use enact_model::payload::Payload;
use enact_model::table::Table;
use enact_model::taxonomy::Disposition;

use crate::hub::{Ask, Hub, refusal, shop};

const OPERATIONS: &str = "
    pay: { kind: command, reconcile: look, output: { type: object, required: [paid] }, emits: [{ type: paid, key: /input/who }, { type: unpaid, on: failed }] }
    bare: { kind: command }
    twice: { kind: command, reconcile: look, retry: { attempts: 2, backoff: 4s..4s, on: not_reached } }
    book: { kind: command, idempotent: true, retry: { attempts: 2, backoff: 1s..1s } }
    look: { kind: query, emits: [{ type: unclear, on: failed }] }
    list: { kind: query }";

/// Brings an execution of `pay` in doubt, and returns it with the child that finds out.
fn doubted(hub: &mut Hub) -> (ExecutionId, ExecutionId) {
    let id = hub.run(Ask::new("shop.s.pay").params(r#"{"who":"ann"}"#));
    hub.fault(id, FaultKind::CrashedInCall.fault("x"));
    assert_eq!(hub.phase(id), "waiting reconcile");
    let children = hub.children(id);
    assert_eq!(children.len(), 1);
    (id, children[0])
}

#[test]
fn the_reconciler_gets_the_execution_its_token_and_its_input() {
    let mut hub = Hub::new(OPERATIONS);
    let (id, child) = doubted(&mut hub);
    assert_eq!(hub.kinds(), ["AttemptObserved", "Waited", "IntentAccepted", "AttemptStarted"]);
    let child = hub.execution(child);
    assert_eq!(child.selector.to_string(), "shop.s.look");
    let input = child.intent.parameters.inline().unwrap().to_value();
    assert_eq!(input, serde_json::json!({ "execution": id, "token": id.to_string(), "input": { "who": "ann" } }));
}

#[test]
fn a_reconciler_that_says_completed_completes_with_output_and_effects() {
    let mut hub = Hub::new(OPERATIONS);
    let (id, child) = doubted(&mut hub);
    hub.reply(child, r#"{"status":"completed","output":{"paid":7}}"#);
    match &*hub.outcome(id) {
        Outcome::Completed { output, .. } => assert_eq!(output.inline().unwrap().as_str(), r#"{"paid":7}"#),
        other => panic!("{other:?}"),
    }
    assert_eq!(hub.messages().len(), 1);
    assert_eq!(hub.execution(id).attempt, 1, "the handler was not run again");
}

#[test]
fn an_answer_of_a_reconciler_that_is_kept_by_reference_counts_as_one_in_the_record() {
    let mut hub = Hub::new(OPERATIONS);
    let (id, child) = doubted(&mut hub);
    let output = format!(r#"{{"paid":"{}"}}"#, "x".repeat(70_000));
    let answer = Json::parse(format!(r#"{{"output":{output},"status":"completed"}}"#)).unwrap();
    hub.observe_large(child, answer);
    assert_eq!(hub.phase(child), "settled completed");
    match &*hub.outcome(id) {
        Outcome::Completed { output: kept @ Payload::Stored { .. }, .. } => {
            assert_eq!(*kept, Payload::of(Json::parse(output).unwrap()));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_reconciler_gets_and_brings_numbers_as_they_were_sent() {
    let mut hub = Hub::new(OPERATIONS);
    let id = hub.run(Ask::new("shop.s.pay").params(r#"{"who":12345678901234567890123.10}"#));
    hub.fault(id, FaultKind::CrashedInCall.fault("x"));
    let child = hub.children(id)[0];
    let asked = hub.execution(child).intent.parameters.inline().unwrap().as_str().to_owned();
    assert!(asked.contains(r#"{"who":12345678901234567890123.10}"#), "{asked}");
    hub.reply(child, r#"{"status":"completed","output":{"paid":12345678901234567890123.10}}"#);
    match &*hub.outcome(id) {
        Outcome::Completed { output, .. } => {
            assert_eq!(output.inline().unwrap().as_str(), r#"{"paid":12345678901234567890123.10}"#);
        }
        other => panic!("{other:?}"),
    }
    let event = hub.messages()[0].message.cloud_event();
    assert!(event.as_str().contains(r#""data":{"paid":12345678901234567890123.10}"#), "{event}");
    assert!(event.as_str().contains(r#""partitionkey":"12345678901234567890123.10""#), "{event}");
}

#[test]
fn a_reconciler_that_brings_malformed_output_does_not_complete() {
    let mut hub = Hub::new(OPERATIONS);
    let (id, child) = doubted(&mut hub);
    hub.reply(child, r#"{"status":"completed","output":{}}"#);
    assert_eq!(hub.phase(id), "settled failed");
    assert_eq!(hub.outcome(id).conclusion().unwrap().kind, Some(FaultKind::OutputInvalid));
}

#[test]
fn a_reconciler_that_says_not_run_lets_it_run_again_and_takes_the_doubt_away() {
    let mut hub = Hub::new(OPERATIONS);
    let (id, child) = doubted(&mut hub);
    hub.reply(child, r#"{"status":"not_run"}"#);
    assert_eq!(hub.phase(id), "waiting retry");
    hub.pass(1_000);
    assert_eq!((hub.phase(id).as_str(), hub.execution(id).attempt), ("running", 2));
    hub.cancel(id);
    hub.fault(id, FaultKind::StartFailed.fault("x"));
    assert!(matches!(*hub.outcome(id), Outcome::Cancelled { may_have_run: false, .. }));
}

#[test]
fn an_attempt_that_did_not_run_counts_against_the_policy_and_waits_its_backoff() {
    let mut hub = Hub::new(OPERATIONS);
    let id = hub.start("twice");
    let lose = |hub: &mut Hub| {
        hub.fault(id, FaultKind::CrashedInCall.fault("x"));
        let child = *hub.children(id).iter().find(|child| hub.execution(**child).is_open()).unwrap();
        hub.reply(child, r#"{"status":"not_run"}"#);
    };
    lose(&mut hub);
    assert_eq!(hub.phase(id), "waiting retry");
    hub.pass(3_000);
    assert_eq!(hub.phase(id), "waiting retry", "its backoff is kept");
    hub.pass(1_000);
    assert_eq!(hub.phase(id), "running");
    lose(&mut hub);
    let outcome = hub.outcome(id);
    let conclusion = outcome.conclusion().unwrap();
    assert_eq!((hub.execution(id).attempt, conclusion.kind), (2, Some(FaultKind::ReconciledNotRun)));
    assert!(!conclusion.may_have_run && conclusion.disposition() == Disposition::RetryLater);
}

#[test]
fn a_reconciler_that_does_not_know_leaves_it_in_doubt_and_asks_for_a_person() {
    for answer in [r#"{"status":"unknown"}"#, r#"{"status":"completed"}"#, "null", "7", r#"{"status":"odd"}"#] {
        let mut hub = Hub::new(OPERATIONS);
        let (id, child) = doubted(&mut hub);
        hub.reply(child, answer);
        assert_eq!(hub.phase(id), "settled in doubt", "{answer}");
        assert_eq!(hub.outcome(id).conclusion().unwrap().disposition(), Disposition::Escalation);
    }
}

#[test]
fn a_reconciler_that_fails_leaves_it_in_doubt_and_both_keep_their_own_messages() {
    let mut hub = Hub::new(OPERATIONS);
    let (id, child) = doubted(&mut hub);
    hub.fault(child, FaultKind::HandlerFailed.fault("x"));
    assert_eq!(hub.phase(id), "settled in doubt");
    let mut messages: Vec<_> =
        hub.messages().iter().map(|row| (row.message.execution_id, row.message.event_type.clone())).collect();
    messages.sort_by_key(|(_, event_type)| event_type.clone());
    assert_eq!(messages, [(child, "unclear".to_owned()), (id, "unpaid".to_owned())]);
}

#[test]
fn a_total_deadline_does_not_wait_for_a_reconciler_and_leaves_it_in_doubt() {
    let mut hub = Hub::new(OPERATIONS);
    let id = hub.run(Ask::new("shop.s.pay").params(r#"{"who":"ann"}"#).deadline(1_000));
    hub.fault(id, FaultKind::CrashedInCall.fault("x"));
    let asked = hub.run(Ask::new("shop.s.pay").params(r#"{"who":"bob"}"#).deadline(1_000));
    hub.pass(1_000);
    hub.fault(asked, FaultKind::Stopped.fault("x"));
    for id in [id, asked] {
        assert_eq!(hub.outcome(id).conclusion().unwrap().code, conclude::DEADLINE_IN_DOUBT);
    }
    assert!(hub.children(asked).is_empty(), "its caller has its answer");
}

#[test]
fn an_execution_that_ended_meanwhile_does_not_care_what_the_reconciler_says() {
    let mut hub = Hub::new(OPERATIONS);
    let (id, child) = doubted(&mut hub);
    hub.cancel(id);
    assert!(matches!(*hub.outcome(id), Outcome::Cancelled { may_have_run: true, .. }));
    hub.reply(child, r#"{"status":"completed","output":{"paid":7}}"#);
    assert!(matches!(*hub.outcome(id), Outcome::Cancelled { .. }));
    assert!(hub.messages().is_empty());
}

#[test]
fn without_a_reconciler_what_may_have_run_fails_and_asks_for_a_person() {
    for kind in
        [FaultKind::CrashedInCall, FaultKind::DeadlineExceeded, FaultKind::HubRestarted, FaultKind::InstanceUnknown]
    {
        let mut hub = Hub::new(OPERATIONS);
        let id = hub.start("bare");
        hub.fault(id, kind.fault("x"));
        assert_eq!(hub.phase(id), "settled in doubt", "{kind:?}");
        assert_eq!(hub.outcome(id).conclusion().unwrap().disposition(), Disposition::Escalation);
    }
}

#[test]
fn an_idempotent_command_that_was_lost_once_stays_in_doubt_whatever_its_last_attempt_was() {
    let mut hub = Hub::new(OPERATIONS);
    let id = hub.start("book");
    hub.fault(id, FaultKind::CrashedInCall.fault("x"));
    hub.pass(1_000);
    hub.fault(id, FaultKind::StartFailed.fault("x"));
    assert_eq!(hub.phase(id), "settled in doubt");
    assert_eq!(refusal(hub.retry(id, false)).conclusion.code, conclude::CONFIRMATION_MISSING);
}

#[test]
fn a_retry_of_what_is_settled_is_a_new_execution_that_names_the_old_one() {
    let mut hub = Hub::new(OPERATIONS);
    let ask = Ask::new("shop.s.bare").params(r#"{"a":1}"#).key("k").with(|intent| {
        intent.metadata.insert("m".into(), "n".into());
    });
    let id = hub.run(ask.clone());
    hub.fault(id, FaultKind::CrashedInCall.fault("x"));
    assert_eq!(refusal(hub.retry(id, false)).conclusion.code, conclude::CONFIRMATION_MISSING);
    let before = hub.execution(id);
    let Answer::Accepted(again) = hub.retry(id, true) else { panic!("{:?}", hub.last) };
    let new = hub.execution(again);
    assert_eq!((new.retry_of, new.attempt), (Some(id), 1));
    assert_eq!((&new.intent.parameters, &new.intent.metadata), (&before.intent.parameters, &before.intent.metadata));
    assert_ne!(new.intent.intent_id, before.intent.intent_id);
    assert_eq!(hub.execution(id), before, "the settled one is final");
    assert_eq!(hub.submit(ask), Answer::Repeated(id), "the key stays with the first");
}

#[test]
fn a_query_that_was_lost_is_retried_without_a_confirmation() {
    let mut hub = Hub::new(OPERATIONS);
    let id = hub.start("list");
    hub.fault(id, FaultKind::DeadlineExceeded.fault("x"));
    assert!(matches!(hub.retry(id, false), Answer::Accepted(_)));
}

#[test]
fn a_retry_is_admitted_as_any_other_intent() {
    let mut hub = Hub::new(OPERATIONS);
    let id = hub.start("list");
    hub.fault(id, FaultKind::HandlerFailed.fault("x"));
    hub.policy.open_max = 0;
    assert_eq!(refusal(hub.retry(id, false)).conclusion.code, conclude::OVERLOADED);
    hub.policy.open_max = 10;
    hub.add(&shop("1.1.0", "list: { kind: query, input: { type: object, required: [page] } }"));
    let refused = refusal(hub.retry(id, false));
    assert_eq!(refused.conclusion.code, conclude::PARAMETERS_INVALID, "the new version asks for more");
    assert_eq!(refused.faults.len(), 1);
    assert_eq!(hub.table(Table::Execution).len(), 1);
    hub.add(&shop("1.2.0", "other: { kind: query }"));
    assert_eq!(refusal(hub.retry(id, false)).conclusion.code, conclude::INTENT_TYPE_UNKNOWN);
}
