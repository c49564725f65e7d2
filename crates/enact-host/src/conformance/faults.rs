//! The checks of crashes, floods, broken wires and broken outputs (H4, H6, H7, L5).

use enact_model::observation::{FaultKind, Reached};

use super::checks::{AMPLE, Check, fault, invoke, replied, started, still_healthy, unmet};
use super::{Halt, HostUnderTest, Probe, usage};
use crate::contract::HostSeen;

/// Memory that a flood may cost the hub: far less than what is thrown at it.
const FLOOD_MEMORY_MAX: u64 = 160 << 20;

macro_rules! probes {
    ($($name:literal => $probe:ident [$($kind:ident)|+]),+ $(,)?) => {
        vec![$(($name, (|under| Box::pin(one(under, Probe::$probe, &[$(FaultKind::$kind),+]))) as Check)),+]
    };
}

pub(super) fn crashes() -> Vec<(&'static str, Check)> {
    probes![
        "an exit in mid-call is seen with its status" => Exit [ExitedNonZero | CrashedInCall],
        "an abort in mid-call is seen with its signal" => Abort [Signalled | CrashedInCall],
        "a kill in mid-call is seen with its signal" => Kill [Signalled | CrashedInCall],
        "want of memory in mid-call ends the handler alone" =>
            Exhaust [Signalled | CrashedInCall | OutOfMemory | ExitedNonZero],
    ]
}

pub(super) fn floods() -> Vec<(&'static str, Check)> {
    let mut checks = probes![
        "a reply of 100 MiB is refused" => BigReply [OutputTooLarge | FrameTooLarge],
        "a header that claims 4 GiB is refused" => Header [FrameTooLarge],
    ];
    checks.push(("a gigabyte on standard output costs no memory", |under| Box::pin(flood(under))));
    checks
}

pub(super) fn wire() -> Vec<(&'static str, Check)> {
    let mut checks = probes![
        "garbage is told apart" => Garbage [GarbageOnWire | OutputNotJson],
        "half an answer is no answer" => Half [GarbageOnWire | OutputNotJson],
        "an answer for a call that was never made breaks the protocol" => StrayReply [ProtocolBroken],
    ];
    checks.push(("of two answers for one call the first counts and the instance is replaced", |under| {
        Box::pin(two_replies(under))
    }));
    checks.push(("an answer long after the deadline is a timeout", |under| Box::pin(late_reply(under))));
    checks
}

pub(super) fn outputs() -> Vec<(&'static str, Check)> {
    probes![
        "an output that is no JSON is a failure" => Garbage [GarbageOnWire | OutputNotJson],
        "an output deeper than the limit is a failure" => Deep [OutputNotJson],
        "an envelope with an unknown field is a failure" => BadEffects [EnvelopeInvalid],
    ]
}

/// A call that must end in one of these ways, and leave no mark on the next.
async fn one(under: &dyn HostUnderTest, probe: Probe, kinds: &[FaultKind]) -> Result<(), Halt> {
    let target = started(under, probe).await?;
    let before = usage().map_err(|e| super::Unmet(e.to_string()))?;
    let seen = invoke(under, &target, 0, AMPLE).await;
    let fault = fault(&seen, kinds)?;
    let evidence = &fault.evidence;
    if fault.reached == Reached::No {
        return unmet(format!("it says that it was not reached: {fault:?}"));
    }
    let wanted = match probe {
        Probe::Exit => evidence.exit_code == Some(3),
        Probe::Abort => evidence.signal == Some(6),
        Probe::Kill => evidence.signal == Some(9),
        Probe::Exhaust => evidence.signal.is_some() || evidence.exit_code.is_some() || evidence.exception.is_some(),
        _ => true,
    };
    if !wanted {
        return unmet(format!("the evidence is {fault:?}"));
    }
    let after = usage().map_err(|e| super::Unmet(e.to_string()))?;
    if after.memory_peak.saturating_sub(before.memory_peak) > FLOOD_MEMORY_MAX {
        return unmet(format!("it cost memory: {before:?}, {after:?}"));
    }
    still_healthy(under).await
}

async fn flood(under: &dyn HostUnderTest) -> Result<(), Halt> {
    let target = started(under, Probe::Flood).await?;
    let before = usage().map_err(|e| super::Unmet(e.to_string()))?;
    let seen = invoke(under, &target, 0, AMPLE).await;
    match &seen.seen {
        // Where standard output is the log, a flood of it is no fault.
        HostSeen::Replied(_) => {}
        HostSeen::Fault(_) => drop(fault(&seen, &[FaultKind::OutputTooLarge])?),
    }
    let after = usage().map_err(|e| super::Unmet(e.to_string()))?;
    if after.memory_peak.saturating_sub(before.memory_peak) > FLOOD_MEMORY_MAX / 4 {
        return unmet(format!("the flood cost memory: {before:?}, {after:?}"));
    }
    still_healthy(under).await
}

async fn two_replies(under: &dyn HostUnderTest) -> Result<(), Halt> {
    let target = started(under, Probe::TwoReplies).await?;
    let recycled = || {
        let stats = under.host().stats();
        stats.iter().find(|s| s.component == target.component.name).map_or(0, |s| s.recycled)
    };
    let before = recycled();
    let seen = invoke(under, &target, 0, AMPLE).await;
    if replied(&seen)?.as_str() != "1" {
        return unmet("the second answer counted");
    }
    let begun = std::time::Instant::now();
    while recycled() == before {
        if begun.elapsed() > AMPLE {
            return unmet("the instance was not replaced");
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    still_healthy(under).await
}

async fn late_reply(under: &dyn HostUnderTest) -> Result<(), Halt> {
    let target = started(under, Probe::LateReply).await?;
    still_healthy(under).await?;
    let seen = invoke(under, &target, 0, std::time::Duration::from_millis(100)).await;
    fault(&seen, &[FaultKind::DeadlineExceeded])?;
    still_healthy(under).await
}
