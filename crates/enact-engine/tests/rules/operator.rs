//! Cancel, pause, resume and retry, beyond the table of phases.

use enact_engine::command::{Answer, CommandBody};
use enact_engine::conclude;
use enact_model::execution::Wake;
use enact_model::id::ExecutionId;
use enact_model::observation::FaultKind;
use enact_model::outcome::Outcome;

use crate::hub::{Ask, Hub, refusal, tenant};

const OPERATIONS: &str = "
    book: { kind: command, idempotent: true, retry: { attempts: 9, backoff: 10s..10s } }
    one: { kind: query, serialize: true }";

#[test]
fn what_is_paused_while_it_waits_goes_back_to_the_time_it_waited_for() {
    let mut hub = Hub::new(OPERATIONS);
    let id = hub.start("book");
    hub.fault(id, FaultKind::StartFailed.fault("x"));
    let wake = hub.execution(id).wake.clone();
    hub.pause(id);
    hub.resume(id);
    assert_eq!(hub.execution(id).wake, wake);
    hub.pause(id);
    hub.pass(60_000);
    assert_eq!(hub.phase(id), "waiting paused");
    hub.resume(id);
    assert_eq!(hub.phase(id), "running", "its time has passed meanwhile");
}

#[test]
fn what_is_paused_before_its_start_starts_at_its_time_or_at_once() {
    let mut hub = Hub::new(OPERATIONS);
    let later = hub.now.plus(std::time::Duration::from_secs(10));
    let id = hub.run(Ask::new("shop.s.book").start_after(later));
    hub.pause(id);
    hub.pass(1);
    hub.resume(id);
    assert_eq!(hub.execution(id).wake, Some(Wake::StartAfter { due: later }));
    hub.pass(9_999);
    assert_eq!((hub.phase(id).as_str(), hub.execution(id).attempt), ("running", 1));
}

#[test]
fn what_is_paused_in_a_queue_gives_its_turn_away_and_keeps_its_place() {
    let mut hub = Hub::new(OPERATIONS);
    let [first, second, third] = ["one"; 3].map(|operation| hub.start(operation));
    hub.pause(second);
    hub.reply(first, "1");
    assert_eq!(hub.phase(third), "running");
    let fourth = hub.start("one");
    hub.resume(second);
    assert_eq!([second, fourth].map(|id| hub.phase(id)), ["queued slot", "queued slot"]);
    hub.reply(third, "1");
    assert_eq!(hub.phase(second), "running", "it was accepted before the fourth");
}

#[test]
fn a_pause_of_what_runs_takes_effect_at_its_next_boundary() {
    let mut hub = Hub::new(OPERATIONS);
    let [id, waiting] = ["one"; 2].map(|operation| hub.start(operation));
    hub.pause(id);
    assert_eq!(hub.phase(id), "running pausing");
    hub.fault(id, FaultKind::LostWithInstance.fault("x"));
    assert_eq!(hub.phase(id), "waiting paused", "although its next attempt would begin at once");
    assert_eq!(hub.phase(waiting), "running", "what is paused holds no slot");
    let done = hub.start("book");
    hub.pause(done);
    hub.reply(done, "1");
    assert_eq!(hub.phase(done), "settled completed", "the end is the boundary");
}

#[test]
fn a_retry_of_what_waits_makes_it_due_now() {
    let mut hub = Hub::new(OPERATIONS);
    let id = hub.start("book");
    hub.fault(id, FaultKind::StartFailed.fault("x"));
    assert!(matches!(hub.retry(id, false), Answer::Done(_)));
    assert_eq!((hub.phase(id).as_str(), hub.execution(id).attempt), ("running", 2));
}

#[test]
fn a_cancel_keeps_its_reason_and_hands_the_slot_on() {
    let mut hub = Hub::new(OPERATIONS);
    let [first, second, third] = ["one"; 3].map(|operation| hub.start(operation));
    hub.cancel(second);
    assert!(matches!(&*hub.outcome(second), Outcome::Cancelled { reason, may_have_run: false } if reason == "because"));
    assert_eq!(hub.phase(third), "queued slot");
    hub.cancel(first);
    assert_eq!(hub.phase(third), "queued slot", "the handler is still at it");
    hub.fault(first, FaultKind::Stopped.fault("x"));
    assert_eq!(hub.phase(third), "running");
}

#[test]
fn an_execution_of_another_tenant_is_unknown_to_every_command() {
    let mut hub = Hub::new(OPERATIONS);
    let mine = hub.start("book");
    for execution in [mine, ExecutionId::from_u128(1)] {
        let (tenant, reason) = (tenant("other"), "because".to_owned());
        for body in [
            CommandBody::Cancel { tenant: tenant.clone(), execution, reason: reason.clone(), role: None },
            CommandBody::Pause { tenant: tenant.clone(), execution, reason: reason.clone(), role: None },
            CommandBody::Resume { tenant: tenant.clone(), execution, reason: reason.clone(), role: None },
            CommandBody::Retry { tenant: tenant.clone(), execution, reason, confirm_may_have_run: true, role: None },
        ] {
            assert_eq!(refusal(hub.give(body)).conclusion.code, conclude::EXECUTION_UNKNOWN);
        }
    }
}

#[test]
fn a_reach_for_what_is_not_theirs_is_logged() {
    let mut hub = Hub::new(OPERATIONS);
    let id = hub.start("book");
    let what = "execution of another tenant".to_owned();
    hub.give(CommandBody::RefuseAccess { tenant: tenant("other"), execution: Some(id), what, role: Some("viewer") });
    assert_eq!(hub.kinds(), ["AccessRefused"]);
    assert_eq!(hub.phase(id), "running");
}
