//! The simulated hosts: what a handler does with a call, and what its host reports of it.

use std::collections::BTreeMap;

use enact_model::digest::Digest;
use enact_model::envelope::{DerivedAsked, Envelope, EventAsked, ReferenceAsked, StateChange, StateScope};
use enact_model::execution::Execution;
use enact_model::id::{ExecutionId, ReferenceId, TenantId};
use enact_model::json::Json;
use enact_model::observation::{FaultKind, Observation, Reached, Reply, Seen, StoredArtifact};
use enact_model::payload::Payload;
use enact_model::time::Timestamp;
use serde_json::{Value, json};

use crate::cast::Part;
use crate::random::Random;

/// What a host reports of a call.
#[derive(Debug, Clone)]
pub struct Report {
    /// The reply or the fault.
    pub seen: Seen,
    /// The output by value where the record carries it by reference.
    pub output: Option<Json>,
    /// Output that will not do, kept as it was.
    pub raw: Option<StoredArtifact>,
}

/// What becomes of a call: whether the handler ran, and what is reported, after how many milliseconds.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Whether the handler ran at all.
    pub runs: bool,
    /// Reports in order of time; more than one for a handler that answers twice or late.
    pub reports: Vec<(u64, Report)>,
}

/// What a handler can know when it is called.
pub struct Scene<'a> {
    /// Its execution.
    pub execution: &'a Execution,
    /// The operation.
    pub part: &'static Part,
    /// Its input.
    pub input: &'a Value,
    /// How often the handler of the execution that it is asked about has run.
    pub parent_ran: bool,
    /// Milliseconds until its attempt's deadline.
    pub budget_ms: u64,
    /// The version of a key of its session's state, 0 if there is none.
    pub versions: BTreeMap<&'static str, u64>,
    /// References of any tenant.
    pub references: &'a [(TenantId, ReferenceId)],
}

/// The keys of session state that handlers change.
pub const STATE_KEYS: [&str; 3] = ["stock", "temp", "looked"];

/// Decides what becomes of a call; `rough` is the share of calls that go wrong, in percent.
pub fn plan(random: &mut Random, rough: u64, scene: &Scene<'_>) -> Plan {
    let after = random.between(1, 300).min(scene.budget_ms);
    if rough > 0 && scene.part.may_run_again() && scene.input.get("n").and_then(Value::as_u64).is_some_and(deadly) {
        return Plan { runs: true, reports: vec![(after, report(FaultKind::LostWithInstance.fault("simulated")))] };
    }
    if !random.chance(rough) {
        return Plan { runs: true, reports: vec![(after, reply(random, scene, rough))] };
    }
    let one = |runs, report| Plan { runs, reports: vec![(after, report)] };
    match random.below(20) {
        0..4 => one(false, fault(random, &NOT_REACHED, Reached::No)),
        4..6 => one(true, fault(random, &ANSWERED, Reached::Yes)),
        6 => one(true, handler_failed(random)),
        7..10 => {
            let runs = random.chance(60);
            one(runs, fault(random, &IN_DOUBT, Reached::Unknown))
        }
        // It is silent, and the host's ladder ends it at its deadline.
        10..13 => {
            Plan { runs: true, reports: vec![(scene.budget_ms + random.between(0, 100), deadline(random.chance(70)))] }
        }
        // It answers after its host has given it up.
        13..15 => {
            let late = (scene.budget_ms + random.between(150, 2_000), reply(random, scene, rough));
            Plan { runs: true, reports: vec![(scene.budget_ms, deadline(true)), late] }
        }
        15 => {
            let first = reply(random, scene, rough);
            let second = if random.chance(50) { first.clone() } else { reply(random, scene, rough) };
            Plan { runs: true, reports: vec![(after, first), (after + random.below(50), second)] }
        }
        16..18 => one(true, bad_output(random)),
        _ => one(true, reply(random, scene, 60)),
    }
}

/// Returns whether an input makes its handler end its instance each time, together with another one.
fn deadly(n: u64) -> bool {
    n % 16 == 5
}

const NOT_REACHED: [FaultKind; 7] = [
    FaultKind::StartFailed,
    FaultKind::CircuitOpen,
    FaultKind::StartTimedOut,
    FaultKind::ProgramMissing,
    FaultKind::HostGone,
    FaultKind::ScratchUnavailable,
    FaultKind::ArtifactMissing,
];
const ANSWERED: [FaultKind; 4] =
    [FaultKind::ExitedNonZero, FaultKind::Signalled, FaultKind::BadArgument, FaultKind::OutputTooLarge];
const IN_DOUBT: [FaultKind; 5] = [
    FaultKind::CrashedInCall,
    FaultKind::LostWithInstance,
    FaultKind::OutOfMemory,
    FaultKind::GarbageOnWire,
    FaultKind::ProtocolBroken,
];

fn fault(random: &mut Random, kinds: &[FaultKind], reached: Reached) -> Report {
    let kind = random.pick(kinds).copied().unwrap_or(FaultKind::StartFailed);
    report(kind.fault("simulated").reached(reached))
}

fn report(fault: enact_model::observation::Fault) -> Report {
    Report { seen: Seen::Fault(fault), output: None, raw: None }
}

fn deadline(started: bool) -> Report {
    let reached = if started { Reached::Unknown } else { Reached::Yes };
    report(FaultKind::DeadlineExceeded.fault("simulated").reached(reached))
}

fn handler_failed(random: &mut Random) -> Report {
    let retryable = random.chance(50);
    report(FaultKind::HandlerFailed.fault("simulated").with(|evidence| {
        evidence.detail = retryable.then(|| Json::from(&json!({"retryable": true})));
    }))
}

fn raw(random: &mut Random) -> StoredArtifact {
    let name = format!("raw-{}", random.below(4));
    StoredArtifact { digest: Digest::of(name.as_bytes()), name, media_type: "text/plain".to_owned(), size: 5 }
}

/// Output that its host refuses, or that only its schema does.
fn bad_output(random: &mut Random) -> Report {
    if random.chance(50) {
        let kept = random.chance(70).then(|| raw(random));
        return report(FaultKind::OutputNotJson.fault("simulated").with(|evidence| evidence.raw_output = kept));
    }
    let output = Payload::Inline(Json::from(&json!({"ok": "certainly"})));
    let reply = Reply { output, envelope: None, artifacts: Vec::new() };
    Report { seen: Seen::Replied(reply), output: None, raw: random.chance(70).then(|| raw(random)) }
}

fn reply(random: &mut Random, scene: &Scene<'_>, rough: u64) -> Report {
    if scene.part.selector == "shop.main.tell" {
        return told(random, scene);
    }
    let output = Json::from(&json!({"ok": true, "n": scene.input.get("n"), "by": scene.execution.attempt}));
    let envelope = scene.part.envelope.then(|| envelope(random, scene, rough));
    let artifacts = Vec::new();
    if random.chance(10) {
        let digest = Digest::of(output.as_str().as_bytes());
        let stored = Payload::Stored { digest, size: output.as_str().len() as u64 };
        let seen = Seen::Replied(Reply { output: stored, envelope, artifacts });
        return Report { seen, output: Some(output), raw: None };
    }
    let seen = Seen::Replied(Reply { output: Payload::Inline(output), envelope, artifacts });
    Report { seen, output: None, raw: None }
}

/// A reconciler says only what is so: `not_run` of what has run would be its own fault, not the hub's.
fn told(random: &mut Random, scene: &Scene<'_>) -> Report {
    let output = match (scene.parent_ran, random.below(10)) {
        (_, 0..2) => json!({"status": "unknown"}),
        (true, 2) => json!({"status": "completed", "output": {"ok": "so they say"}}),
        (true, _) => json!({"status": "completed", "output": {"ok": true}}),
        (false, _) => json!({"status": "not_run"}),
    };
    let reply = Reply { output: Payload::Inline(Json::from(&output)), envelope: None, artifacts: Vec::new() };
    Report { seen: Seen::Replied(reply), output: None, raw: None }
}

fn envelope(random: &mut Random, scene: &Scene<'_>, rough: u64) -> Envelope {
    let mut envelope = Envelope::default();
    let number = random.below(1_000);
    let mut change = |scope, key: &str, value: Option<u64>, if_version, ttl_ms| {
        let value = value.map(|value| Json::from(&json!(value)));
        envelope.state.push(StateChange { scope, key: key.to_owned(), value, ttl_ms, if_version });
    };
    if random.chance(70) {
        let now = scene.versions.get("stock").copied().unwrap_or_default();
        let stale = random.chance(rough / 2);
        let if_version = random.chance(80).then_some(if stale { now + 1 } else { now });
        change(StateScope::Session, "stock", (!random.chance(15)).then_some(number), if_version, None);
        if random.chance(rough / 8) {
            change(StateScope::Session, "stock", Some(number), None, None);
        }
    }
    if random.chance(40) {
        change(StateScope::Execution, "step", Some(number), None, None);
    }
    if random.chance(15) {
        change(StateScope::Session, "temp", Some(number), None, Some(random.between(1, 2_000)));
    }
    for n in 0..random.below(3) {
        let customer = scene.input.get("customer").and_then(Value::as_str);
        envelope.events.push(EventAsked {
            event_type: "shop.note".to_owned(),
            key: customer.filter(|_| n == 0).map(str::to_owned),
            subject: None,
            data: random.chance(60).then(|| Json::from(&json!({"note": n}))),
        });
    }
    if random.chance(40) {
        let (name, at) = (format!("doc-{}", random.below(3)), random.below(3));
        envelope.references.push(ReferenceAsked {
            name: name.clone(),
            uri: format!("https://example.com/{at}"),
            digest: random.chance(30).then(|| Digest::of(&at.to_be_bytes())),
            media_type: "text/plain".to_owned(),
            size: None,
        });
        if random.chance(60) {
            let mut from = vec![format!("reference:{name}")];
            if let Some((tenant, known)) = random.pick(scene.references)
                && (tenant == scene.execution.tenant() || random.chance(rough))
            {
                from = vec![known.to_string()];
            } else if random.chance(rough / 4) {
                from = vec![ReferenceId::from_u128(random.wide()).to_string()];
            } else if random.chance(rough / 8) {
                from = vec!["reference:nowhere".to_owned()];
            }
            envelope.derived.push(DerivedAsked { from, to: format!("reference:{name}") });
        }
    }
    envelope
}

/// A call that is at a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// The attempt.
    pub attempt: u32,
    /// Whether the handler ran.
    pub runs: bool,
    /// Whether it was asked to stop.
    pub stopping: bool,
}

/// What a host does when it is asked to stop a call.
#[derive(Debug, Clone)]
pub enum StopPlan {
    /// What was planned comes all the same.
    GoesOn,
    /// It reports that it stopped it, after so many milliseconds.
    Stops(u64, Report),
    /// It says nothing in time, and something too late.
    Silent(u64, Report),
}

/// Decides what becomes of a call that is to stop.
pub fn stop_plan(random: &mut Random, rough: u64, runs: bool) -> StopPlan {
    let reached = if runs { Reached::Unknown } else { Reached::No };
    let stopped = report(FaultKind::Stopped.fault("simulated").reached(reached));
    match random.below(10) {
        0..4 => StopPlan::GoesOn,
        4 | 5 if random.chance(rough * 2) => StopPlan::Silent(random.between(900, 3_000), stopped),
        _ => StopPlan::Stops(random.between(0, 250), stopped),
    }
}

/// Makes the observation of a report.
pub fn observation(report: &Report, started: Timestamp, ended: Timestamp) -> Box<Observation> {
    Box::new(Observation {
        seen: report.seen.clone(),
        started_at: started,
        ended_at: ended.max(started),
        instance: None,
    })
}

/// The calls that are at hosts.
pub type Calls = BTreeMap<ExecutionId, Call>;
