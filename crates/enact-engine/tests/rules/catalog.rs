//! Components and solutions: who handles what, and versions side by side.

use enact_engine::command::{Answer, CommandBody};
use enact_engine::conclude;
use enact_model::id::ExecutionId;
use enact_model::observation::FaultKind;

use crate::hub::{Ask, Hub, named, refusal, shop};

fn drain(hub: &mut Hub, version: &str) -> Answer {
    let (name, version, reason) = ("shop".parse().unwrap(), version.to_owned(), "old".to_owned());
    hub.give(CommandBody::DrainComponent { name, version, reason })
}

fn remove(hub: &mut Hub, version: &str) -> Answer {
    let (name, version, reason) = ("shop".parse().unwrap(), version.to_owned(), "old".to_owned());
    hub.give(CommandBody::RemoveComponent { name, version, reason })
}

fn version(hub: &Hub, id: ExecutionId) -> String {
    hub.execution(id).pin.version.to_string()
}

#[test]
fn a_component_is_added_looked_up_drained_and_removed() {
    let mut hub = Hub::new("look: { kind: query }");
    assert!(hub.catalog.active(&"shop".parse().unwrap()).is_some());
    assert!(matches!(drain(&mut hub, "1.0.0"), Answer::Done(_)));
    assert!(hub.catalog.active(&"shop".parse().unwrap()).is_none());
    assert!(matches!(remove(&mut hub, "1.0.0"), Answer::Done(_)));
    assert_eq!(refusal(remove(&mut hub, "9.9.9")).conclusion.code, conclude::NOT_FOUND);
    assert_eq!(refusal(drain(&mut hub, "9.9.9")).conclusion.hint.unwrap(), "its versions are 1.0.0");
}

#[test]
fn two_handlers_of_one_intent_type_are_refused_by_name_until_a_solution_binds_it() {
    let mut hub = Hub::empty();
    hub.add(&named("left", "1.0.0", "pay: { kind: query, handles: [pay_now] }"));
    let right = named("right", "1.0.0", "pay: { kind: query, handles: [pay_now] }");
    let refused = refusal(hub.add(&right));
    assert_eq!(refused.conclusion.code, conclude::CATALOG_CONFLICT);
    for who in ["pay-now", "left.s.pay", "right.s.pay"] {
        assert!(refused.conclusion.message.contains(who), "{}", refused.conclusion.message);
    }
    assert!(hub.catalog.active(&"right".parse().unwrap()).is_none(), "nothing of it was added");
    hub.bind("solution: default\ncomponents: { left: ^1 }\nintents: { pay_now: left.s.pay }\n");
    assert!(matches!(hub.add(&right), Answer::Done(_)), "a rule says now what is meant");
    let id = hub.run(Ask::new("pay_now"));
    assert_eq!(hub.execution(id).selector.to_string(), "left.s.pay");
    hub.bind("solution: default\ncomponents: { right: ^1 }\nintents: { pay_now: right.s.pay }\n");
    let id = hub.run(Ask::new("pay_now"));
    assert_eq!(hub.execution(id).selector.to_string(), "right.s.pay");
}

#[test]
fn a_version_cannot_change_its_content() {
    let mut hub = Hub::new("look: { kind: query }");
    assert_eq!(refusal(hub.add(&shop("1.0.0", "look: { kind: command }"))).conclusion.code, conclude::CATALOG_CONFLICT);
    assert!(matches!(hub.add(&shop("1.0.0", "look: { kind: query }")), Answer::Done(_)));
    assert!(hub.last.is_empty(), "the same again is a no-op");
}

#[test]
fn executions_finish_on_the_version_they_began_with_while_new_ones_take_the_new() {
    let mut hub = Hub::new("look: { kind: query, output: { type: integer }, retry: { attempts: 3, backoff: 1s..1s } }");
    let [running, waiting] = ["look"; 2].map(|operation| hub.start(operation));
    hub.fault(waiting, FaultKind::StartFailed.fault("x"));
    hub.add(&shop("2.0.0", "look: { kind: query, output: { type: string } }"));
    let new = hub.start("look");
    hub.pass(1_000);
    assert_eq!([running, waiting, new].map(|id| version(&hub, id)), ["1.0.0", "1.0.0", "2.0.0"]);
    for (id, output) in [(running, "1"), (waiting, "1"), (new, r#""one""#)] {
        hub.reply(id, output);
        assert_eq!(hub.phase(id), "settled completed", "each is held against its own schema");
    }
}

#[test]
fn a_version_goes_only_when_nothing_runs_on_it() {
    let mut hub = Hub::new("look: { kind: query }");
    let id = hub.start("look");
    hub.add(&shop("2.0.0", "look: { kind: query }"));
    assert_eq!(refusal(remove(&mut hub, "1.0.0")).conclusion.code, conclude::PHASE_CONFLICT);
    hub.reply(id, "1");
    assert!(matches!(remove(&mut hub, "1.0.0"), Answer::Done(_)));
}

#[test]
fn a_version_that_a_bound_solution_needs_goes_only_once_it_is_drained() {
    let mut hub = Hub::new("look: { kind: query }");
    hub.bind("solution: intake\ncomponents: { shop: ^1 }\n");
    let refused = refusal(remove(&mut hub, "1.0.0"));
    assert_eq!(refused.conclusion.code, conclude::CATALOG_CONFLICT);
    assert!(refused.conclusion.message.contains("intake"), "{}", refused.conclusion.message);
    let id = hub.start("look");
    drain(&mut hub, "1.0.0");
    assert_eq!(refusal(remove(&mut hub, "1.0.0")).conclusion.code, conclude::PHASE_CONFLICT);
    hub.reply(id, "1");
    assert!(matches!(remove(&mut hub, "1.0.0"), Answer::Done(_)));
}

#[test]
fn a_version_that_is_removed_is_not_drained() {
    let mut hub = Hub::new("look: { kind: query }");
    remove(&mut hub, "1.0.0");
    assert_eq!(refusal(drain(&mut hub, "1.0.0")).conclusion.code, conclude::PHASE_CONFLICT);
    assert!(matches!(remove(&mut hub, "1.0.0"), Answer::Done(_)), "the same again is a no-op");
}

#[test]
fn a_draining_component_takes_nothing_new_and_says_so() {
    let mut hub = Hub::new("look: { kind: query, handles: [look_up] }");
    let id = hub.start("look");
    drain(&mut hub, "1.0.0");
    for intent_type in ["look_up", "shop.s.look"] {
        match hub.submit(Ask::new(intent_type)) {
            Answer::Rejected(rejection) => assert_eq!(rejection.conclusion.code, conclude::COMPONENT_DRAINING),
            other => panic!("{other:?}"),
        }
    }
    hub.reply(id, "1");
    assert_eq!(hub.phase(id), "settled completed");
}
