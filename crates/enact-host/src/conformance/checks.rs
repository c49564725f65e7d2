//! The checks of success, failure, deadlines, cancellation, siblings and starts (H1–H3, H5, H8, L5, C2).

use std::sync::Arc;
use std::time::{Duration, Instant};

use enact_model::json::Json;
use enact_model::limits::STOP_GRACE;
use enact_model::observation::{Fault, FaultKind, Reached};

use super::{Claim, Halt, HostUnderTest, Probe, Target, TestPort, Unmet, call_of, faults, load, no_port};
use crate::contract::{
    BoxFuture, CancelSource, CancelToken, Host, HostObservation, HostSeen, HostState, Stop, StopKind,
};

pub(super) type Check = for<'a> fn(&'a dyn HostUnderTest) -> BoxFuture<'a, Result<(), Halt>>;

/// A budget that no healthy call needs.
pub(super) const AMPLE: Duration = Duration::from_secs(30);
/// What the promise allows after a deadline.
const AFTER: Duration = Duration::from_secs(1);

macro_rules! checks {
    ($($name:literal => $check:path),+ $(,)?) => { vec![$(($name, (|under| Box::pin($check(under))) as Check)),+] };
}

pub(super) fn of(claim: Claim) -> Vec<(&'static str, Check)> {
    match claim {
        Claim::H1 => checks![
            "a healthy call is answered" => healthy,
            "a failure of the handler's own comes with its evidence" => typed_failure,
            "an argument that does not suit the handler is told apart" => bad_argument,
            "an operation the handler does not know was not reached" => unknown,
            "an operation the component does not have was not reached" => unlisted,
        ],
        Claim::H2 => checks![
            "an endless loop is killed, reaped and answered within its deadline and a second" => endless_loop,
            "a handler that is deaf to signals and frames is killed all the same" => deaf,
            "a handler that stops when it is asked keeps its instance" => cooperative,
        ],
        Claim::H3 => checks![
            "a running call is cancelled within its grace and a second" => cancel_running,
            "a call that is cancelled before its start does not reach the handler" => cancel_before,
            "a call without time does not reach the handler" => no_time,
        ],
        Claim::H4 => faults::crashes(),
        Claim::H5 => checks![
            "a failure beside a healthy call does not touch it" => sibling_of_failure,
            "a guarded exit loses its siblings with the instance and names the culprit" => sibling_of_exit,
            "a call that must be killed does not turn its sibling into a timeout" => sibling_of_loop,
        ],
        Claim::H6 => faults::floods(),
        Claim::H7 => faults::wire(),
        Claim::H8 => checks![
            "a slow start is waited for" => slow_start,
            "a start that fails names its reason, and after some of them the circuit is open" => failing_start,
            "a start that is refused says why" => refused_start,
            "a start that never answers ends by its own deadline" => silent_start,
        ],
        Claim::H9 => checks!["a thousand calls leave nothing behind" => load::thousand_calls],
        Claim::L5 => faults::outputs(),
        Claim::C2 => checks![
            "a foreign id in a request is refused and reported" => foreign_ids,
            "a request for what cannot be there is refused alone" => unfit_requests,
        ],
    }
}

pub(super) fn unmet<T>(text: impl Into<String>) -> Result<T, Halt> {
    Err(Halt::Unmet(Unmet(text.into())))
}

/// Starts the component of a probe and returns its target.
pub(super) async fn started(under: &dyn HostUnderTest, probe: Probe) -> Result<Target, Halt> {
    let target = under.target(probe).map_err(Halt::Skipped)?;
    begin(under, &target).await?;
    Ok(target)
}

pub(super) async fn begin(under: &dyn HostUnderTest, target: &Target) -> Result<(), Halt> {
    let begun = under.host().start(target.component.clone(), target.digest).await;
    begun.map_err(|fault| Halt::Unmet(Unmet(format!("{:?} while it was started: {}", fault.kind, fault.message))))
}

pub(super) async fn invoke(under: &dyn HostUnderTest, target: &Target, ms: u64, budget: Duration) -> HostObservation {
    let argument = Json::of(&serde_json::json!({ "ms": ms, "text": "ü", "n": 1.5 }));
    under.host().invoke(call_of(target, argument, budget), no_port(), CancelToken::never()).await
}

pub(super) fn replied(seen: &HostObservation) -> Result<Json, Halt> {
    match &seen.seen {
        HostSeen::Replied(reply) => Ok(reply.output.clone()),
        HostSeen::Fault(fault) => unmet(format!("a reply was expected, not {:?}: {fault:?}", fault.kind)),
    }
}

pub(super) fn fault<'a>(seen: &'a HostObservation, kinds: &[FaultKind]) -> Result<&'a Fault, Halt> {
    match &seen.seen {
        HostSeen::Fault(fault) if kinds.contains(&fault.kind) => Ok(fault),
        HostSeen::Fault(fault) => unmet(format!("{kinds:?} was expected, not {:?}: {fault:?}", fault.kind)),
        HostSeen::Replied(reply) => unmet(format!("{kinds:?} was expected, not the reply {}", reply.output)),
    }
}

/// A healthy call, to show that what went before has left no mark.
pub(super) async fn still_healthy(under: &dyn HostUnderTest) -> Result<(), Halt> {
    let echo = started(under, Probe::Echo).await?;
    replied(&invoke(under, &echo, 0, AMPLE).await).map(drop)
}

async fn healthy(under: &dyn HostUnderTest) -> Result<(), Halt> {
    let echo = started(under, Probe::Echo).await?;
    let seen = invoke(under, &echo, 5, AMPLE).await;
    let output = replied(&seen)?;
    if output.as_str() != r#"{"ms":5,"n":1.5,"text":"ü"}"# {
        return unmet(format!("the answer is {output}"));
    }
    if seen.instance.is_none() || seen.ended_at < seen.started_at {
        return unmet("the observation lacks its instance or its times");
    }
    Ok(())
}

async fn typed_failure(under: &dyn HostUnderTest) -> Result<(), Halt> {
    let target = started(under, Probe::TypedFailure).await?;
    let seen = invoke(under, &target, 0, AMPLE).await;
    let fault = fault(&seen, &[FaultKind::HandlerFailed, FaultKind::ExitedNonZero])?;
    let evidence = &fault.evidence;
    let more = evidence.detail.is_some() || evidence.stack.is_some();
    let typed = evidence.exception.as_deref() == Some("EmptyBasket") && more;
    let status = evidence.exit_code == Some(7) && evidence.log_tail.as_ref().is_some_and(|t| t.contains("empty"));
    if fault.reached != Reached::Yes || !(typed || status) {
        return unmet(format!("the evidence is {fault:?}"));
    }
    still_healthy(under).await
}

async fn bad_argument(under: &dyn HostUnderTest) -> Result<(), Halt> {
    let target = started(under, Probe::BadArgument).await?;
    fault(&invoke(under, &target, 0, AMPLE).await, &[FaultKind::BadArgument]).map(drop)
}

async fn unknown(under: &dyn HostUnderTest) -> Result<(), Halt> {
    let target = started(under, Probe::Unknown).await?;
    let seen = invoke(under, &target, 0, AMPLE).await;
    not_reached(fault(&seen, &[FaultKind::UnknownOperation])?)
}

async fn unlisted(under: &dyn HostUnderTest) -> Result<(), Halt> {
    let target = started(under, Probe::Echo).await?.at("no-such-operation");
    let seen = invoke(under, &target, 0, AMPLE).await;
    not_reached(fault(&seen, &[FaultKind::UnknownOperation])?)
}

fn not_reached(fault: &Fault) -> Result<(), Halt> {
    if fault.reached == Reached::No { Ok(()) } else { unmet(format!("it says that it was reached: {fault:?}")) }
}

/// Runs a call that must be ended by its deadline, and checks the promise.
async fn overdue(under: &dyn HostUnderTest, probe: Probe) -> Result<HostObservation, Halt> {
    let target = started(under, probe).await?;
    // Its instance is there: the time that a start takes is not what is measured.
    replied(&invoke(under, &target.at("echo"), 0, AMPLE).await)?;
    let budget = Duration::from_millis(300);
    let stalls = super::Stalls::measure();
    let begun = Instant::now();
    let seen = invoke(under, &target, 0, budget).await;
    let took = begun.elapsed();
    if took < budget {
        return unmet(format!("it was over after {took:?}, before its deadline: {:?}", seen.seen));
    }
    if took.saturating_sub(stalls.worst()) > budget + AFTER {
        return unmet(format!("the answer took {took:?}"));
    }
    fault(&seen, &[FaultKind::DeadlineExceeded])?;
    Ok(seen)
}

fn gone(under: &dyn HostUnderTest, seen: &HostObservation) -> Result<(), Halt> {
    match &seen.instance {
        Some(instance) if under.is_alive(instance) => unmet(format!("{instance} is still there")),
        Some(_) => Ok(()),
        None => unmet("the observation names no instance"),
    }
}

async fn endless_loop(under: &dyn HostUnderTest) -> Result<(), Halt> {
    let seen = overdue(under, Probe::Loop).await?;
    gone(under, &seen)?;
    still_healthy(under).await
}

async fn deaf(under: &dyn HostUnderTest) -> Result<(), Halt> {
    let seen = overdue(under, Probe::Deaf).await?;
    gone(under, &seen)?;
    still_healthy(under).await
}

async fn cooperative(under: &dyn HostUnderTest) -> Result<(), Halt> {
    let seen = overdue(under, Probe::Cooperative).await?;
    if gone(under, &seen).is_ok() {
        return unmet("the instance was ended although its handler stopped");
    }
    still_healthy(under).await
}

async fn cancel_running(under: &dyn HostUnderTest) -> Result<(), Halt> {
    still_healthy(under).await?;
    let target = started(under, Probe::Loop).await?;
    let host = under.host();
    // A call that is cancelled on its way to the handler is answered without it, and costs nobody an instance.
    for pause_ms in (0..).step_by(20).take(50) {
        let (source, token) = CancelSource::new();
        let calling = host.invoke(call_of(&target, Json::null(), AMPLE), no_port(), token);
        let stalls = super::Stalls::measure();
        let cancelling = async {
            until_in_flight(&*host, &target).await?;
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
            source.stop(Stop { kind: StopKind::Cancel, grace: STOP_GRACE });
            Ok::<_, Halt>(Instant::now())
        };
        let (seen, asked) = tokio::join!(async { (calling.await, Instant::now()) }, cancelling);
        let took = seen.1.duration_since(asked?).saturating_sub(stalls.worst());
        if took > AFTER {
            return unmet(format!("the answer took {took:?} after the cancel"));
        }
        if fault(&seen.0, &[FaultKind::Stopped])?.reached == Reached::Unknown {
            gone(under, &seen.0)?;
            return still_healthy(under).await;
        }
        still_healthy(under).await?;
    }
    unmet("a handler that does not listen was never killed")
}

/// Waits until an instance of the component has a call.
async fn until_in_flight(host: &dyn Host, target: &Target) -> Result<(), Halt> {
    let begun = Instant::now();
    while begun.elapsed() < AMPLE {
        let stats = host.stats();
        let own = stats.iter().find(|s| s.component == target.component.name);
        if own.is_some_and(|s| s.instances.iter().any(|i| i.in_flight > 0)) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    unmet("no call is in flight")
}

async fn cancel_before(under: &dyn HostUnderTest) -> Result<(), Halt> {
    let target = started(under, Probe::Echo).await?;
    let (source, token) = CancelSource::new();
    source.stop(Stop { kind: StopKind::Cancel, grace: STOP_GRACE });
    let seen = under.host().invoke(call_of(&target, Json::null(), AMPLE), no_port(), token).await;
    not_reached(fault(&seen, &[FaultKind::Stopped])?)
}

async fn no_time(under: &dyn HostUnderTest) -> Result<(), Halt> {
    let target = started(under, Probe::Echo).await?;
    let seen = invoke(under, &target, 0, Duration::ZERO).await;
    not_reached(fault(&seen, &[FaultKind::DeadlineExceeded])?)
}

/// Runs a healthy call of 600 ms with another one in its middle, and a call to a neighbour beside both.
async fn beside(
    under: &dyn HostUnderTest,
    probe: Probe,
    budget: Duration,
) -> Result<(HostObservation, HostObservation), Halt> {
    let sleep = started(under, Probe::Sleep).await?;
    let other = started(under, probe).await?;
    let neighbour = under.neighbour();
    begin(under, &neighbour).await?;
    still_healthy(under).await?;
    let host = under.host();
    let (healthy, other, next_door) = tokio::join!(
        invoke(under, &sleep, 600, AMPLE),
        async {
            until_in_flight(&*host, &sleep).await?;
            Ok::<_, Halt>(invoke(under, &other, 0, budget).await)
        },
        invoke(under, &neighbour, 0, AMPLE),
    );
    replied(&next_door)?;
    Ok((healthy, other?))
}

async fn sibling_of_failure(under: &dyn HostUnderTest) -> Result<(), Halt> {
    let (healthy, other) = beside(under, Probe::TypedFailure, AMPLE).await?;
    replied(&healthy)?;
    fault(&other, &[FaultKind::HandlerFailed, FaultKind::ExitedNonZero]).map(drop)
}

/// A sibling is answered, or lost with the instance that it shared; nothing else.
fn answered_or_lost(healthy: &HostObservation, other: &HostObservation) -> Result<(), Halt> {
    if healthy.instance == other.instance {
        fault(healthy, &[FaultKind::LostWithInstance]).map(drop)
    } else {
        replied(healthy).map(drop)
    }
}

async fn sibling_of_exit(under: &dyn HostUnderTest) -> Result<(), Halt> {
    let (healthy, other) = beside(under, Probe::GuardedExit, AMPLE).await?;
    let fault = fault(&other, &[FaultKind::CrashedInCall, FaultKind::ExitedNonZero])?;
    if fault.evidence.exit_code != Some(3) {
        return unmet(format!("the evidence is {fault:?}"));
    }
    if under.holds_exits() {
        replied(&healthy)?;
    } else {
        answered_or_lost(&healthy, &other)?;
    }
    still_healthy(under).await
}

async fn sibling_of_loop(under: &dyn HostUnderTest) -> Result<(), Halt> {
    let (healthy, other) = beside(under, Probe::Loop, Duration::from_millis(100)).await?;
    fault(&other, &[FaultKind::DeadlineExceeded])?;
    answered_or_lost(&healthy, &other)?;
    still_healthy(under).await
}

async fn slow_start(under: &dyn HostUnderTest) -> Result<(), Halt> {
    let target = started(under, Probe::SlowStart).await?;
    replied(&invoke(under, &target, 0, AMPLE).await).map(drop)
}

async fn failing_start(under: &dyn HostUnderTest) -> Result<(), Halt> {
    let target = started(under, Probe::FailingStart).await?;
    let mut kinds = Vec::new();
    for _ in 0..20 {
        let seen = invoke(under, &target, 0, AMPLE).await;
        let fault = fault(&seen, &[FaultKind::StartDied, FaultKind::CircuitOpen])?;
        not_reached(fault)?;
        let named = fault.message.contains(target.component.name.as_str());
        let reason = fault.evidence.log_tail.as_ref().is_some_and(|tail| tail.contains("no licence"));
        if !named || !reason || fault.evidence.exit_code != Some(5) {
            return unmet(format!("the component or the reason is not named: {fault:?}"));
        }
        kinds.push(fault.kind);
        if fault.kind == FaultKind::CircuitOpen {
            break;
        }
    }
    let stats = under.host().stats();
    let stats = stats.iter().find(|s| s.component == target.component.name);
    let failed = stats.is_some_and(|s| matches!(&s.state, HostState::Failed(reason) if !reason.is_empty()));
    if kinds.last() != Some(&FaultKind::CircuitOpen) || kinds.len() < 3 || !failed {
        return unmet(format!("the circuit did not open: {kinds:?}, {stats:?}"));
    }
    still_healthy(under).await
}

async fn refused_start(under: &dyn HostUnderTest) -> Result<(), Halt> {
    let target = started(under, Probe::RefusedStart).await?;
    let seen = invoke(under, &target, 0, AMPLE).await;
    let fault = fault(&seen, &[FaultKind::InitRefused])?;
    if !fault.message.contains(under.refusal()) {
        return unmet(format!("the reason is {:?}", fault.message));
    }
    not_reached(fault)
}

async fn silent_start(under: &dyn HostUnderTest) -> Result<(), Halt> {
    let target = started(under, Probe::SilentStart).await?;
    let seen = invoke(under, &target, 0, AMPLE).await;
    let fault = fault(&seen, &[FaultKind::StartTimedOut])?;
    if !fault.message.contains(target.component.name.as_str()) {
        return unmet(format!("the component is not named: {}", fault.message));
    }
    not_reached(fault)
}

async fn foreign_ids(under: &dyn HostUnderTest) -> Result<(), Halt> {
    let target = started(under, Probe::Ask).await?;
    let host = under.host();
    let ask = async |request: serde_json::Value| {
        let port = Arc::new(TestPort::default());
        let seen = host.invoke(call_of(&target, Json::of(&request), AMPLE), port.clone(), CancelToken::never()).await;
        let refused = std::mem::take(&mut *port.refused.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        replied(&seen).map(|answer| (answer.to_value(), refused))
    };
    let own = serde_json::json!({"type": "state_get", "scope": "session", "key": "known",
        "tenant_id": "acme", "session_id": "s-1"});
    let (answer, refused) = ask(own.clone()).await?;
    if answer["value"] != "value" || answer["version"] != 4 || !refused.is_empty() {
        return unmet(format!("the own state is refused: {answer} {refused:?}"));
    }
    let foreign = [
        ("tenant_id", serde_json::json!("other")),
        ("session_id", serde_json::json!("s-2")),
        ("execution_id", serde_json::json!("exe_00000000000000000000000001")),
        ("call", serde_json::json!(12345)),
    ];
    for request in ["state_get", "log_get"] {
        for (field, value) in &foreign {
            let mut forged = own.clone();
            forged["type"] = request.into();
            forged[*field] = value.clone();
            let (answer, refused) = ask(forged).await?;
            if answer["type"] != "context_error" || answer["code"] != "refused" {
                return unmet(format!("{request} with a foreign {field} is answered: {answer}"));
            }
            if refused.len() != 1 || refused.iter().any(|r| r.field != *field || r.request != request) {
                return unmet(format!("{request} with a foreign {field} is not reported: {refused:?}"));
            }
        }
    }
    Ok(())
}

/// A request that is whole but asks for something that cannot be is answered, and its instance lives on.
async fn unfit_requests(under: &dyn HostUnderTest) -> Result<(), Halt> {
    let target = started(under, Probe::Ask).await?;
    let ask = async |request: serde_json::Value| {
        let port = Arc::new(TestPort::default());
        let call = call_of(&target, Json::of(&request), AMPLE);
        let seen = under.host().invoke(call, port, CancelToken::never()).await;
        replied(&seen).map(|answer| (answer.to_value(), seen.instance.clone()))
    };
    let own = serde_json::json!({"type": "state_get", "scope": "session", "key": "known"});
    let (_, before) = ask(own.clone()).await?;
    for unfit in [
        serde_json::json!({"type": "state_get", "scope": "bogus", "key": "known"}),
        serde_json::json!({"type": "state_get", "scope": "session", "key": "k".repeat(100_000)}),
        serde_json::json!({"type": "reference_get", "reference": "nope"}),
    ] {
        let (answer, instance) = ask(unfit).await?;
        if answer["type"] != "context_error" || answer["code"] != "invalid" || instance != before {
            return unmet(format!("{instance:?} after {before:?} answers {answer}"));
        }
    }
    let (answer, after) = ask(own).await?;
    if answer["value"] != "value" || after != before {
        return unmet(format!("{after:?} after {before:?} answers {answer}"));
    }
    Ok(())
}
