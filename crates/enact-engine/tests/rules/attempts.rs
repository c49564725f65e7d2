//! Attempts: their order in the log, retries, deadlines, answers that come too late or not at all.

use enact_engine::command::{Answer, CommandBody};
use enact_engine::conclude;
use enact_model::execution::Wake;
use enact_model::id::ExecutionId;
use enact_model::observation::{Fault, FaultKind, Observation, Reached, Reply, Seen};
use enact_model::outcome::Outcome;
use enact_model::payload::Payload;
use enact_model::record::Body;
use enact_model::taxonomy::Disposition;

use crate::hub::{Ask, Hub, artifact, produced, replied};

const OPERATIONS: &str = "
    look: { kind: query, timeout: 5s, retry: { attempts: 4, backoff: 100ms..300ms } }
    plain: { kind: query }
    pay: { kind: command, output: { type: object, required: [paid] } }
    book: { kind: command, idempotent: true, retry: { attempts: 3, backoff: 10s..10s } }
    tell: { kind: query, emits: [{ type: told, data: { a: /output } }], state: [{ scope: session, set: last, value: /output }] }";

fn due(hub: &Hub, id: ExecutionId) -> u64 {
    match hub.execution(id).wake {
        Some(Wake::Retry { due }) => due.0 - hub.now.0,
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn intent_execution_effects_and_outcome_stand_in_the_log_in_order() {
    let mut hub = Hub::new(OPERATIONS);
    let id = hub.start("tell");
    assert_eq!(hub.kinds(), ["IntentAccepted", "AttemptStarted"], "one batch when a slot is free");
    hub.reply(id, "7");
    assert_eq!(hub.kinds(), ["AttemptObserved", "StateSet", "MessageQueued", "Settled"], "one batch for all effects");
    let causes: Vec<_> = hub.log.iter().filter(|record| record.body.execution() == Some(id)).collect();
    for pair in causes.windows(2) {
        assert!(pair[0].lsn < pair[1].lsn && pair[0].time <= pair[1].time);
    }
}

#[test]
fn an_execution_is_pinned_to_the_version_and_digest_in_its_acceptance() {
    let mut hub = Hub::new(OPERATIONS);
    hub.start("look");
    let Body::IntentAccepted(accepted) = &hub.last[0].body else { panic!("{:?}", hub.last) };
    let entry = hub.catalog.entry(&accepted.pin.name, &accepted.pin.version).unwrap();
    assert_eq!((&*accepted.pin.version, accepted.pin.digest), ("1.0.0", entry.digest()));
}

#[test]
fn retries_double_their_pause_up_to_the_longest_and_end_with_the_attempts() {
    let mut hub = Hub::new(OPERATIONS);
    let id = hub.start("look");
    for (attempt, longest) in [(1, 100), (2, 200), (3, 300)] {
        hub.fault(id, FaultKind::CrashedInCall.fault("x"));
        assert_eq!(hub.execution(id).attempt, attempt);
        let pause = due(&hub, id);
        assert!(pause <= longest && pause >= longest * 3 / 4, "{pause} of {longest}");
        hub.pass(pause - 1);
        assert_eq!(hub.phase(id), "waiting retry", "not before it is due");
        hub.pass(1);
        assert_eq!(hub.kinds(), ["AttemptStarted"]);
    }
    hub.fault(id, FaultKind::CrashedInCall.fault("x"));
    assert_eq!(hub.phase(id), "settled in doubt");
    assert_eq!(hub.execution(id).attempt, 4);
}

#[test]
fn the_pauses_of_two_executions_do_not_march_in_step() {
    let mut hub = Hub::new(OPERATIONS);
    let ids: Vec<_> = (0..8).map(|_| hub.start("look")).collect();
    let pauses: std::collections::BTreeSet<u64> = ids
        .into_iter()
        .map(|id| {
            hub.fault(id, FaultKind::CrashedInCall.fault("x"));
            due(&hub, id)
        })
        .collect();
    assert!(pauses.len() > 2, "{pauses:?}");
}

#[test]
fn a_conclusion_that_no_retry_can_mend_stops_at_once() {
    let mut hub = Hub::new(OPERATIONS);
    for kind in [FaultKind::HandlerFailed, FaultKind::BadArgument, FaultKind::OutputInvalid, FaultKind::ProgramMissing]
    {
        let id = hub.start("look");
        hub.fault(id, kind.fault("x"));
        assert_eq!(hub.phase(id), "settled failed", "{kind:?}");
        assert_eq!(hub.execution(id).attempt, 1);
    }
}

#[test]
fn what_runs_at_most_once_is_tried_again_only_if_it_was_not_reached() {
    for (reached, phase) in
        [(Reached::No, "waiting retry"), (Reached::Unknown, "settled in doubt"), (Reached::Yes, "settled failed")]
    {
        for kind in
            [FaultKind::CrashedInCall, FaultKind::StartFailed, FaultKind::DeadlineExceeded, FaultKind::OutOfMemory]
        {
            let mut hub = Hub::new(OPERATIONS);
            let id = hub.start("pay");
            hub.fault(id, kind.fault("x").reached(reached));
            assert_eq!(hub.phase(id), phase, "{kind:?} {reached:?}");
        }
    }
}

#[test]
fn attempts_lost_through_no_fault_of_the_handler_do_not_count_and_begin_again_at_once() {
    let mut hub = Hub::new(OPERATIONS);
    let id = hub.start("book");
    hub.fault(id, FaultKind::HubRestarted.fault("x"));
    assert_eq!(hub.kinds(), ["AttemptObserved", "RetryScheduled", "AttemptStarted"]);
    for _ in 0..2 {
        hub.fault(id, FaultKind::CrashedInCall.fault("x"));
        hub.pass(10_000);
    }
    assert_eq!((hub.phase(id).as_str(), hub.execution(id).attempt), ("running", 4));
    hub.fault(id, FaultKind::CrashedInCall.fault("x"));
    assert_eq!(hub.phase(id), "settled in doubt", "three that count, one that does not");
}

#[test]
fn a_series_of_lost_attempts_is_slowed_down_and_ends() {
    let mut hub = Hub::new(OPERATIONS);
    let id = hub.start("plain");
    let mut lost = 0;
    while hub.state_word(id) != enact_model::execution::Phase::Settled {
        hub.fault(id, FaultKind::HubRestarted.fault("x"));
        lost += 1;
        hub.pass(10_000);
        assert!(lost <= 100, "it never ends");
    }
    assert_eq!(lost, 100);
}

/// Loses attempts with their instances until the execution has an outcome; returns how many, and its conclusion.
fn lose_all(hub: &mut Hub, id: ExecutionId) -> (u32, enact_model::conclusion::Conclusion) {
    let mut lost = 0;
    while hub.state_word(id) != enact_model::execution::Phase::Settled {
        assert!(lost < 20, "it never ends");
        hub.fault(id, FaultKind::LostWithInstance.fault("x"));
        lost += 1;
        hub.pass(10_000);
    }
    (lost, hub.outcome(id).conclusion().unwrap().clone())
}

#[test]
fn what_is_lost_with_its_instance_again_and_again_counts_from_the_sixth_time_on() {
    let mut hub = Hub::new(OPERATIONS);
    // Five that do not count, and then as many as the policy has: 4 of `look`, 3 of `book`, none without `retry`.
    for (operation, wanted) in [("look", 5 + 4), ("book", 5 + 3), ("plain", 5 + 1)] {
        let id = hub.start(operation);
        let (lost, conclusion) = lose_all(&mut hub, id);
        assert_eq!((lost, conclusion.kind), (wanted, Some(FaultKind::LostWithInstance)), "{operation}");
        assert_eq!((hub.execution(id).attempt, hub.execution(id).uncounted), (wanted, 5), "{operation}");
        assert!(conclusion.may_have_run, "{operation}");
    }
    let id = hub.start("pay");
    assert_eq!(lose_all(&mut hub, id).0, 1, "what may not run again is in doubt at once");
}

#[test]
fn a_loss_counts_whatever_else_did_not_and_what_did_not_count_before_still_does_not() {
    let mut hub = Hub::new(OPERATIONS);
    let id = hub.start("look");
    for _ in 0..7 {
        hub.fault(id, FaultKind::HubRestarted.fault("x"));
        hub.pass(10_000);
    }
    assert_eq!(lose_all(&mut hub, id).0, 4, "as many as the policy has");
    assert_eq!(hub.execution(id).uncounted, 7);
}

#[test]
fn those_that_were_lost_together_are_tried_again_at_once_and_then_apart() {
    let mut hub = Hub::new(OPERATIONS);
    let ids: Vec<_> = (0..8).map(|_| hub.start("look")).collect();
    for id in &ids {
        hub.fault(*id, FaultKind::LostWithInstance.fault("x"));
        assert_eq!(hub.phase(*id), "running", "the first loss is made good at once");
    }
    for longest in [1_000, 2_000, 4_000, 8_000] {
        let pauses: std::collections::BTreeSet<u64> = ids
            .iter()
            .map(|id| {
                hub.fault(*id, FaultKind::LostWithInstance.fault("x"));
                due(&hub, *id)
            })
            .collect();
        assert!(pauses.iter().all(|pause| (1..=longest).contains(pause)), "{pauses:?} of {longest}");
        assert!(pauses.len() > 4 && pauses.last().unwrap() - pauses.first().unwrap() > longest / 4, "{pauses:?}");
        hub.pass(longest);
    }
}

#[test]
fn an_attempt_has_the_earlier_of_its_own_and_the_total_deadline() {
    let mut hub = Hub::new(OPERATIONS);
    for (total, wanted) in [(60_000, 5_000), (2_000, 2_000)] {
        hub.run(Ask::new("shop.s.look").deadline(total));
        let Body::AttemptStarted { attempt, deadline_at, .. } = hub.last[1].body else { panic!("{:?}", hub.last) };
        assert_eq!((attempt, deadline_at.0 - hub.now.0), (1, wanted));
    }
}

#[test]
fn the_total_deadline_ends_what_waits_and_stops_what_runs() {
    let mut hub = Hub::new(OPERATIONS);
    let running = hub.run(Ask::new("shop.s.pay").deadline(1_000));
    let waiting = hub.run(Ask::new("shop.s.book").deadline(1_000));
    hub.fault(waiting, FaultKind::StartFailed.fault("x"));
    let paused =
        hub.run(Ask::new("shop.s.book").deadline(1_000).start_after(hub.now.plus(std::time::Duration::from_secs(9))));
    hub.pause(paused);
    hub.pass(999);
    assert_eq!([running, waiting, paused].map(|id| hub.phase(id)), ["running", "waiting retry", "waiting paused"]);
    hub.pass(1);
    assert_eq!(
        [running, waiting, paused].map(|id| hub.phase(id)),
        ["stopping deadline", "settled failed", "settled failed"]
    );
    hub.pass(enact_model::limits::STOP_LIMIT.as_millis() as u64);
    assert_eq!(hub.phase(running), "settled in doubt", "nobody waits longer for a host that does not answer");
    hub.reply(running, r#"{"paid":1}"#);
    assert_eq!(hub.kinds(), ["LateObserved"]);
    assert_eq!(hub.phase(running), "settled in doubt");
}

#[test]
fn a_total_deadline_that_stops_what_may_not_run_again_asks_for_a_person_and_not_for_another_try() {
    let late = |operation: &str, fault: Option<Fault>| {
        let mut hub = Hub::new(OPERATIONS);
        let id = hub.run(Ask::new(&format!("shop.s.{operation}")).deadline(1_000));
        hub.pass(1_000);
        match fault {
            Some(fault) => hub.fault(id, fault),
            None => hub.pass(enact_model::limits::STOP_LIMIT.as_millis() as u64),
        };
        let conclusion = hub.outcome(id).conclusion().unwrap().clone();
        (conclusion, refused_unconfirmed(hub.retry(id, false)))
    };
    for fault in [None, Some(FaultKind::Stopped.fault("x")), Some(FaultKind::ExitedNonZero.fault("x"))] {
        let (conclusion, unconfirmed) = late("pay", fault);
        assert_eq!(conclusion.code, conclude::DEADLINE_IN_DOUBT);
        assert_eq!(conclusion.disposition(), Disposition::Escalation);
        assert!(conclusion.may_have_run && unconfirmed);
        assert!(conclusion.hint.unwrap().contains("--confirm-may-have-run"));
    }
    let (conclusion, unconfirmed) = late("pay", Some(FaultKind::StartFailed.fault("x")));
    assert_eq!((conclusion.code, unconfirmed), (conclude::DEADLINE_PASSED, false), "it was not reached");
    let (conclusion, _) = late("book", Some(FaultKind::Stopped.fault("x")));
    assert_eq!(conclusion.code, conclude::DEADLINE_PASSED, "it may run again");
}

fn refused_unconfirmed(answer: Answer) -> bool {
    matches!(answer, Answer::Refused(refused) if refused.conclusion.code == conclude::CONFIRMATION_MISSING)
}

#[test]
fn an_entry_of_the_clock_that_was_handled_is_not_due_again() {
    let mut hub = Hub::new(OPERATIONS);
    let ids: Vec<_> = (0..70).map(|_| hub.run(Ask::new("shop.s.pay").deadline(1_000))).collect();
    let last = hub.run(Ask::new("shop.s.pay").deadline(1_001));
    hub.pass(1_001);
    hub.pass(0);
    assert!(ids.iter().all(|id| hub.phase(*id) == "stopping deadline"));
    assert_eq!(hub.phase(last), "stopping deadline", "it is not kept out by those before it");
    hub.pass(0);
    assert!(hub.last.is_empty());
}

#[test]
fn nothing_starts_after_its_total_deadline_however_late_the_clock_comes() {
    let mut hub = Hub::new(OPERATIONS);
    hub.policy.running_max = 1;
    let first = hub.start("plain");
    let queued = hub.run(Ask::new("shop.s.pay").deadline(1_000));
    let later = hub
        .run(Ask::new("shop.s.pay").deadline(1_000).start_after(hub.now.plus(std::time::Duration::from_millis(500))));
    hub.now = hub.now.plus(std::time::Duration::from_secs(9));
    hub.reply(first, "1");
    assert_eq!(hub.phase(queued), "queued slot");
    hub.pass(0);
    for id in [queued, later] {
        assert_eq!(hub.life(id), ["IntentAccepted", "StopRequested", "Settled"]);
    }
}

#[test]
fn a_reply_before_the_settlement_completes_and_says_that_the_cancel_was_too_late() {
    let mut hub = Hub::new(OPERATIONS);
    let id = hub.start("look");
    hub.cancel(id);
    hub.reply(id, "1");
    assert!(matches!(*hub.outcome(id), Outcome::Completed { cancel_too_late: true, .. }));
    let id = hub.run(Ask::new("shop.s.look").deadline(10));
    hub.pass(10);
    hub.reply(id, "1");
    assert!(matches!(*hub.outcome(id), Outcome::Completed { cancel_too_late: false, .. }));
}

#[test]
fn a_kill_says_whether_it_may_have_run() {
    for (fault, wanted) in [
        (FaultKind::Stopped.fault("x"), true),
        (FaultKind::ExitedNonZero.fault("killed by a handler of its own"), true),
        (FaultKind::StartFailed.fault("x"), false),
    ] {
        let mut hub = Hub::new(OPERATIONS);
        let id = hub.start("pay");
        hub.cancel(id);
        hub.fault(id, fault);
        assert!(matches!(*hub.outcome(id), Outcome::Cancelled { may_have_run, .. } if may_have_run == wanted));
    }
}

#[test]
fn an_observation_of_another_attempt_changes_nothing() {
    let mut hub = Hub::new(OPERATIONS);
    let id = hub.start("look");
    hub.fault(id, FaultKind::CrashedInCall.fault("x"));
    hub.pass(1_000);
    for attempt in [0, 1, 3] {
        let before = hub.execution(id);
        hub.observe_attempt(id, attempt, replied("1", None));
        assert_eq!(hub.kinds(), ["LateObserved"]);
        let mut after = (*hub.execution(id)).clone();
        after.records.pop();
        assert_eq!(after, *before);
    }
}

#[test]
fn malformed_output_is_a_failure_whose_effects_are_dropped_and_whose_raw_output_is_kept() {
    let mut hub = Hub::new(OPERATIONS);
    let id = hub.start("pay");
    let raw = artifact("raw", "nonsense");
    let observation =
        Box::new(Observation { seen: replied("{}", None), started_at: hub.now, ended_at: hub.now, instance: None });
    let tenant = hub.execution(id).tenant().clone();
    let raw_output = Some(raw.clone());
    let (output, input) = (None, None);
    hub.give(CommandBody::Observe {
        tenant,
        execution: id,
        attempt: 1,
        observation,
        output,
        input,
        raw: raw_output,
        fits: None,
    });
    match &*hub.outcome(id) {
        Outcome::Failed { conclusion, raw_output } => {
            assert_eq!(conclusion.kind, Some(FaultKind::OutputInvalid));
            assert_eq!(conclusion.disposition(), Disposition::Escalation);
            assert!(!conclusion.may_have_run, "it did run, and said so");
            assert_eq!(raw_output.as_ref(), Some(&raw));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(hub.kinds(), ["AttemptObserved", "ReferenceRegistered", "Settled"]);
}

#[test]
fn an_output_that_is_not_there_is_a_failure_and_never_an_empty_success() {
    let mut hub = Hub::new(OPERATIONS);
    let id = hub.start("tell");
    let digest = artifact("x", "x").digest;
    let output = Payload::Stored { digest, size: 1_000_000 };
    hub.observe(id, Seen::Replied(Reply { output, envelope: None, artifacts: Vec::new() }));
    assert!(!hub.phase(id).starts_with("settled completed"), "{}", hub.phase(id));
    assert!(hub.messages().is_empty() && hub.table(enact_model::table::Table::State).is_empty());
}

#[test]
fn a_result_too_large_for_a_record_is_a_failure() {
    let mut hub = Hub::new("make: { kind: query, result: { a: /input/a, b: /input/a } }");
    let id = hub.run(Ask::new("shop.s.make").params(&format!(r#"{{"a":"{}"}}"#, "x".repeat(40_000))));
    hub.observe(id, produced("1", Vec::new()));
    let outcome = hub.outcome(id);
    assert_eq!(outcome.conclusion().unwrap().kind, Some(FaultKind::EffectUnfit));
}

#[test]
fn an_observation_of_an_execution_nobody_knows_is_noted_and_leaves_nothing() {
    let mut hub = Hub::new(OPERATIONS);
    let observation =
        Box::new(Observation { seen: replied("1", None), started_at: hub.now, ended_at: hub.now, instance: None });
    let execution = ExecutionId::from_u128(1);
    let tenant = crate::hub::tenant("acme");
    let (output, input, raw) = (None, None, None);
    let answer =
        hub.give(CommandBody::Observe { tenant, execution, attempt: 1, observation, output, input, raw, fits: None });
    assert_eq!(answer, Answer::Noted);
    assert!(hub.last.is_empty());
}
