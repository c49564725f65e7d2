//! Retries, due times and starts that wait: what the clock brings, also after a restart.

use std::time::Duration;

use enact_model::execution::{Phase, Wake};
use enact_model::intent::IntentDraft;
use enact_model::observation::{FaultKind, Reached};
use enact_model::record::Body;
use enact_runtime::api::Request;
use serde_json::json;

use crate::bed::{Bed, draft, eventually, failure, output};

pub fn unknown() -> enact_model::observation::Fault {
    FaultKind::CrashedInCall.fault("planned")
}

#[tokio::test(flavor = "multi_thread")]
async fn retries_follow_the_policy_with_growing_pauses_and_end_with_it() {
    let (bed, puppet) = Bed::with_puppet().await;
    puppet.will_fail("eager", (0..9).map(|_| unknown()));
    let view = bed.run("puppet.play.eager", json!({})).await;
    assert_eq!(failure(&view).kind, Some(FaultKind::CrashedInCall));
    let runs = puppet.runs_of(view.execution.id);
    assert_eq!(runs.iter().map(|run| run.attempt).collect::<Vec<_>>(), [1, 2, 3, 4]);
    let pauses: Vec<Duration> = runs.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
    // 40, 80 and 160 ms, each with up to a quarter taken off.
    for (pause, least) in pauses.iter().zip([30, 60, 120]) {
        assert!(*pause >= Duration::from_millis(least), "{pauses:?}");
    }
    bed.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_mended_by_another_attempt_stops_at_once() {
    let (bed, puppet) = Bed::with_puppet().await;
    puppet.will_fail("eager", [FaultKind::BadArgument.fault("planned")]);
    let view = bed.run("puppet.play.eager", json!({})).await;
    assert_eq!(failure(&view).kind, Some(FaultKind::BadArgument));
    assert_eq!(puppet.runs_of(view.execution.id).len(), 1);
    // At most once: another attempt only after it certainly was not reached.
    puppet.will_fail("once", [unknown().reached(Reached::No), unknown()]);
    let view = bed.run("puppet.play.once", json!({})).await;
    assert!(failure(&view).may_have_run);
    assert_eq!(puppet.runs_of(view.execution.id).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_due_time_of_a_retry_survives_a_restart() {
    let (mut bed, puppet) = Bed::with_puppet().await;
    puppet.will_fail("patient", [unknown()]);
    let id = bed.begin(draft("puppet.play.patient", json!({ "n": 1 }))).await;
    let waits = |view: &enact_runtime::api::ExecutionView| matches!(view.execution.wake, Some(Wake::Retry { .. }));
    let before = bed.until(id, waits).await;
    assert!(before.waits_for.is_some());
    bed.restart().await;
    assert_eq!(bed.look(id).await.execution.wake, before.execution.wake);
    let view = bed.settled(id).await;
    assert_eq!(output(&view), json!({ "n": 1 }));
    let Some(Wake::Retry { due }) = before.execution.wake else { panic!() };
    let started = bed.records(id).await.into_iter().rfind(|r| matches!(r.body, Body::AttemptStarted { .. })).unwrap();
    assert!(started.time >= due && started.time.since(due) < Duration::from_secs(5), "{started:?}");
    assert_eq!(puppet.runs_of(id).len(), 2);
    bed.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_intent_for_later_starts_when_its_time_has_come_also_if_the_hub_was_away() {
    let (mut bed, puppet) = Bed::with_puppet().await;
    let later = |delay: &str| IntentDraft { start_after: Some(delay.into()), ..draft("puppet.play.once", json!({})) };
    let (soon, while_away, far) =
        (bed.begin(later("150ms")).await, bed.begin(later("1s")).await, bed.begin(later("30d")).await);
    assert_eq!(bed.look(soon).await.execution.phase, Phase::Queued);
    let view = bed.settled(soon).await;
    let due = view.execution.intent.start_after.unwrap();
    assert!(bed.records(soon).await[1].time >= due);
    bed.close().await;
    let due = crate::puppet::now().plus(Duration::from_secs(1));
    eventually("its time has come", async || crate::puppet::now() >= due).await;
    bed.start().await;
    bed.settled(while_away).await;
    assert_eq!(puppet.runs_of(while_away).len(), 1);
    assert_eq!(bed.look(far).await.execution.phase, Phase::Queued);
    assert_eq!(puppet.runs_of(far).len(), 0);
    bed.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_total_deadline_that_passed_while_the_hub_was_away_settles_at_the_start() {
    let (mut bed, puppet) = Bed::with_puppet().await;
    let intent = IntentDraft {
        start_after: Some("30d".into()),
        deadline: Some("200ms".into()),
        ..draft("puppet.play.once", json!({}))
    };
    let id = bed.begin(intent).await;
    bed.close().await;
    let over = crate::puppet::now().plus(Duration::from_millis(250));
    eventually("the deadline has passed", async || crate::puppet::now() >= over).await;
    bed.start().await;
    let view = bed.settled(id).await;
    assert_eq!(failure(&view).code, enact_engine::conclude::DEADLINE_PASSED);
    assert!(!failure(&view).may_have_run && puppet.runs().is_empty());
    bed.is_well().await;
}

/// A command that is lost, and a reconciler that knows its large output.
const LARGE: &str = r#"
component: large
version: 1.0.0
process: { command: [sh] }
services:
  s:
    slow: { kind: command, reconcile: tell, timeout: 200ms, call: { command: [sleep, "1000"], stdin: empty } }
    tell:
      kind: query
      call:
        command: [sh, -c, 'printf "{\"status\":\"completed\",\"output\":\"%070000d\"}" 7']
        stdin: empty
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_large_output_that_a_reconciler_found_is_the_output_of_the_one_that_asked() {
    let bed = Bed::open().await;
    bed.add(LARGE).await;
    let view = bed.run("large.s.slow", json!({})).await;
    assert_eq!(output(&view), json!(format!("{}7", "0".repeat(69_999))));
    bed.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_in_doubt_is_settled_by_its_reconciler() {
    let (bed, puppet) = Bed::with_puppet().await;
    puppet.will_fail("asked", [unknown()]);
    // The puppet answers a question with its argument, which says nothing of a status: it stays in doubt.
    let view = bed.run("puppet.play.asked", json!({ "n": 1 })).await;
    assert_eq!(failure(&view).code, enact_engine::conclude::STAYS_IN_DOUBT);
    let asked: Vec<_> = puppet.runs().into_iter().filter(|run| run.operation == "tell").collect();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].argument["token"], json!(view.execution.id.to_string()));
    assert_eq!(asked[0].argument["input"], json!({ "n": 1 }));
    let execution = view.execution.id;
    let retry = |confirm_may_have_run| Request::Retry { execution, reason: "known".into(), confirm_may_have_run };
    let refused = crate::bed::refusal(bed.ask(retry(false)).await);
    assert_eq!(refused.conclusion.code, enact_engine::conclude::CONFIRMATION_MISSING);
    let again = crate::bed::accepted(bed.ask(retry(true)).await);
    assert_eq!(again.execution.retry_of, Some(execution));
    assert_eq!(output(&bed.settled(again.execution.id).await), json!({ "n": 1 }));
    bed.is_well().await;
}
