//! The life of an execution as one table: what every command comes to in every phase.

use std::collections::BTreeSet;

use enact_engine::command::Answer;
use enact_engine::conclude;
use enact_model::execution::Phase;
use enact_model::id::ExecutionId;
use enact_model::observation::FaultKind;

use crate::hub::{Ask, Hub, replied};

const OPERATIONS: &str = "
    work: { kind: command, idempotent: true, retry: { attempts: 9, backoff: 10s..10s } }
    one: { kind: command, idempotent: true, serialize: true, retry: { attempts: 9, backoff: 10s..10s } }
    pay: { kind: command }
    ask: { kind: command, reconcile: look }
    look: { kind: query }";

/// The total deadline of every execution in the table, far behind everything else that is due.
const DEADLINE_MS: u64 = 3_600_000;

/// For every phase: the command, the phase it leads to, the answer, the records.
const TABLE: &str = "
queued slot
  reply      queued slot         noted       LateObserved
  fault      queued slot         noted       LateObserved
  stale      queued slot         noted       LateObserved
  early tick queued slot         noted
  due tick   queued slot         noted
  last tick  settled failed      noted       StopRequested Settled
  cancel     settled cancelled   done        StopRequested Settled
  pause      waiting paused      done        PauseRequested Waited
  resume     queued slot         conflict
  retry      queued slot         conflict
  confirm    queued slot         conflict
queued start_after
  reply      queued start_after  noted       LateObserved
  fault      queued start_after  noted       LateObserved
  stale      queued start_after  noted       LateObserved
  early tick queued start_after  noted
  due tick   running             noted       AttemptStarted
  last tick  settled failed      noted       StopRequested Settled
  cancel     settled cancelled   done        StopRequested Settled
  pause      waiting paused      done        PauseRequested Waited
  resume     queued start_after  conflict
  retry      queued start_after  conflict
  confirm    queued start_after  conflict
running
  reply      settled completed   noted       AttemptObserved Settled
  fault      waiting retry       noted       AttemptObserved RetryScheduled
  stale      running             noted       LateObserved
  early tick running             noted
  due tick   running             noted
  last tick  stopping deadline   noted       StopRequested
  cancel     stopping cancel     done        StopRequested
  pause      running pausing     done        PauseRequested
  resume     running             conflict
  retry      running             conflict
  confirm    running             conflict
running pausing
  reply      settled completed   noted       AttemptObserved Settled
  fault      waiting paused      noted       AttemptObserved RetryScheduled Waited
  stale      running pausing     noted       LateObserved
  early tick running pausing     noted
  due tick   running pausing     noted
  last tick  stopping deadline   noted       StopRequested
  cancel     stopping cancel     done        StopRequested
  pause      running pausing     done
  resume     running             done        Resumed
  retry      running pausing     conflict
  confirm    running pausing     conflict
waiting retry
  reply      waiting retry       noted       LateObserved
  fault      waiting retry       noted       LateObserved
  stale      waiting retry       noted       LateObserved
  early tick waiting retry       noted
  due tick   running             noted       AttemptStarted
  last tick  settled failed      noted       StopRequested Settled
  cancel     settled cancelled   done        StopRequested Settled
  pause      waiting paused      done        PauseRequested Waited
  resume     waiting retry       conflict
  retry      running             done        Resumed AttemptStarted
  confirm    running             done        Resumed AttemptStarted
waiting reconcile
  reply      waiting reconcile   noted       LateObserved
  fault      waiting reconcile   noted       LateObserved
  stale      waiting reconcile   noted       LateObserved
  early tick waiting reconcile   noted
  due tick   waiting reconcile   noted
  last tick  settled in doubt    noted       StopRequested Settled
  cancel     settled cancelled   done        StopRequested Settled
  pause      waiting reconcile   done        PauseRequested
  resume     waiting reconcile   conflict
  retry      waiting reconcile   conflict
  confirm    waiting reconcile   conflict
waiting paused
  reply      waiting paused      noted       LateObserved
  fault      waiting paused      noted       LateObserved
  stale      waiting paused      noted       LateObserved
  early tick waiting paused      noted
  due tick   waiting paused      noted
  last tick  settled failed      noted       StopRequested Settled
  cancel     settled cancelled   done        StopRequested Settled
  pause      waiting paused      done
  resume     waiting retry       done        Resumed Waited
  retry      waiting paused      conflict
  confirm    waiting paused      conflict
stopping cancel
  reply      settled completed   noted       AttemptObserved Settled
  fault      settled cancelled   noted       AttemptObserved Settled
  stale      stopping cancel     noted       LateObserved
  early tick stopping cancel     noted
  due tick   settled cancelled   noted       Settled
  last tick  settled cancelled   noted       Settled
  cancel     stopping cancel     done
  pause      stopping cancel     conflict
  resume     stopping cancel     conflict
  retry      stopping cancel     conflict
  confirm    stopping cancel     conflict
stopping deadline
  reply      settled completed   noted       AttemptObserved Settled
  fault      settled in doubt    noted       AttemptObserved Settled
  stale      stopping deadline   noted       LateObserved
  early tick stopping deadline   noted
  due tick   settled in doubt    noted       Settled
  last tick  settled in doubt    noted       Settled
  cancel     stopping deadline   done
  pause      stopping deadline   conflict
  resume     stopping deadline   conflict
  retry      stopping deadline   conflict
  confirm    stopping deadline   conflict
settled completed
  reply      settled completed   noted       LateObserved
  fault      settled completed   noted       LateObserved
  stale      settled completed   noted       LateObserved
  early tick settled completed   noted
  due tick   settled completed   noted
  last tick  settled completed   noted
  cancel     settled completed   conflict
  pause      settled completed   conflict
  resume     settled completed   conflict
  retry      settled completed   conflict
  confirm    settled completed   conflict
settled failed
  reply      settled failed      noted       LateObserved
  fault      settled failed      noted       LateObserved
  stale      settled failed      noted       LateObserved
  early tick settled failed      noted
  due tick   settled failed      noted
  last tick  settled failed      noted
  cancel     settled failed      conflict
  pause      settled failed      conflict
  resume     settled failed      conflict
  retry      settled failed      accepted
  confirm    settled failed      accepted
settled cancelled
  reply      settled cancelled   noted       LateObserved
  fault      settled cancelled   noted       LateObserved
  stale      settled cancelled   noted       LateObserved
  early tick settled cancelled   noted
  due tick   settled cancelled   noted
  last tick  settled cancelled   noted
  cancel     settled cancelled   conflict
  pause      settled cancelled   conflict
  resume     settled cancelled   conflict
  retry      settled cancelled   unconfirmed
  confirm    settled cancelled   accepted
settled in doubt
  reply      settled in doubt    noted       LateObserved
  fault      settled in doubt    noted       LateObserved
  stale      settled in doubt    noted       LateObserved
  early tick settled in doubt    noted
  due tick   settled in doubt    noted
  last tick  settled in doubt    noted
  cancel     settled in doubt    conflict
  pause      settled in doubt    conflict
  resume     settled in doubt    conflict
  retry      settled in doubt    unconfirmed
  confirm    settled in doubt    accepted";

const COMMANDS: [&str; 11] =
    ["reply", "fault", "stale", "early tick", "due tick", "last tick", "cancel", "pause", "resume", "retry", "confirm"];

const PHASES: [&str; 13] = [
    "queued slot",
    "queued start_after",
    "running",
    "running pausing",
    "waiting retry",
    "waiting reconcile",
    "waiting paused",
    "stopping cancel",
    "stopping deadline",
    "settled completed",
    "settled failed",
    "settled cancelled",
    "settled in doubt",
];

/// Brings an execution into a phase.
fn bring(hub: &mut Hub, phase: &str) -> ExecutionId {
    let start =
        |hub: &mut Hub, operation: &str| hub.run(Ask::new(&format!("shop.s.{operation}")).deadline(DEADLINE_MS));
    let id = match phase {
        "queued slot" => {
            start(hub, "one");
            start(hub, "one")
        }
        "queued start_after" => {
            let later = hub.now.plus(std::time::Duration::from_secs(10));
            hub.run(Ask::new("shop.s.work").deadline(DEADLINE_MS).start_after(later))
        }
        "running" | "running pausing" | "waiting retry" | "waiting paused" | "stopping cancel"
        | "settled completed" | "settled cancelled" => start(hub, "work"),
        "waiting reconcile" => start(hub, "ask"),
        "stopping deadline" => hub.run(Ask::new("shop.s.work").deadline(10)),
        "settled failed" | "settled in doubt" => start(hub, "pay"),
        other => panic!("{other}"),
    };
    match phase {
        "running pausing" => hub.pause(id),
        "waiting retry" => hub.fault(id, FaultKind::ExitedNonZero.fault("x")),
        "waiting paused" => {
            hub.fault(id, FaultKind::ExitedNonZero.fault("x"));
            hub.pause(id)
        }
        "stopping cancel" => hub.cancel(id),
        "stopping deadline" => hub.pass(10),
        "settled completed" => hub.reply(id, "{}"),
        "settled failed" => hub.fault(id, FaultKind::HandlerFailed.fault("x")),
        "settled cancelled" => {
            hub.cancel(id);
            hub.fault(id, FaultKind::Stopped.fault("x"))
        }
        "settled in doubt" | "waiting reconcile" => hub.fault(id, FaultKind::CrashedInCall.fault("x")),
        _ => Answer::Noted,
    };
    assert_eq!(hub.phase(id), phase);
    id
}

fn give(hub: &mut Hub, id: ExecutionId, command: &str) -> Answer {
    match command {
        "reply" => hub.reply(id, "{}"),
        "fault" => hub.fault(id, FaultKind::ExitedNonZero.fault("x")),
        "stale" => {
            let stale = hub.execution(id).attempt + 1;
            hub.observe_attempt(id, stale, replied("{}", None))
        }
        "early tick" => hub.pass(1),
        "due tick" => hub.pass(10_000),
        "last tick" => hub.pass(DEADLINE_MS),
        "cancel" => hub.cancel(id),
        "pause" => hub.pause(id),
        "resume" => hub.resume(id),
        "retry" => hub.retry(id, false),
        "confirm" => hub.retry(id, true),
        other => panic!("{other}"),
    }
}

fn say(answer: &Answer) -> &'static str {
    match answer {
        Answer::Noted => "noted",
        Answer::Done(_) => "done",
        Answer::Accepted(_) => "accepted",
        Answer::Refused(refused) if refused.conclusion.code == conclude::PHASE_CONFLICT => "conflict",
        Answer::Refused(refused) if refused.conclusion.code == conclude::CONFIRMATION_MISSING => "unconfirmed",
        other => panic!("{other:#?}"),
    }
}

/// Returns the table as the code has it.
fn table() -> String {
    let mut lines = Vec::new();
    for phase in PHASES {
        lines.push(phase.to_owned());
        for command in COMMANDS {
            let mut hub = Hub::new(OPERATIONS);
            let id = bring(&mut hub, phase);
            let answer = give(&mut hub, id, command);
            let mine = hub.last.iter().filter(|record| record.body.execution() == Some(id));
            let records: Vec<&str> = mine.map(|record| record.body.kind()).collect();
            let line = format!("  {command:<10} {:<19} {:<11} {}", hub.phase(id), say(&answer), records.join(" "));
            lines.push(line.trim_end().to_owned());
        }
    }
    lines.join("\n")
}

#[test]
fn every_command_in_every_phase_comes_to_what_the_table_says() {
    let phases: BTreeSet<&str> = PHASES.iter().filter_map(|phase| phase.split(' ').next()).collect();
    assert_eq!(phases, Phase::ALL.iter().map(|phase| phase.word()).collect(), "the table has every phase");
    let is = table();
    for (is, wanted) in is.lines().zip(TABLE.trim().lines()) {
        assert_eq!(is, wanted);
    }
    assert_eq!(is.lines().count(), TABLE.trim().lines().count(), "{is}");
}
