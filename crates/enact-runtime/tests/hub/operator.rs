//! What an operator may do to an execution, whatever it does just now, and to the hub as a whole.

use std::time::Duration;

use enact_model::execution::{Phase, Wake};
use enact_model::id::ExecutionId;
use enact_model::intent::IntentDraft;
use enact_model::observation::FaultKind;
use enact_model::outcome::Outcome;
use enact_runtime::api::{Request, Response};
use serde_json::json;

use crate::bed::{Bed, draft, eventually, kinds, output, refusal};

fn reason() -> String {
    "because".to_owned()
}

async fn done(bed: &Bed, request: Request) {
    let answer = bed.ask(request).await;
    assert!(matches!(answer, Response::Done { .. }), "{answer:?}");
}

fn pause(execution: ExecutionId) -> Request {
    Request::Pause { execution, reason: reason() }
}
fn resume(execution: ExecutionId) -> Request {
    Request::Resume { execution, reason: reason() }
}
fn cancel(execution: ExecutionId) -> Request {
    Request::Cancel { execution, reason: reason() }
}
fn retry(execution: ExecutionId) -> Request {
    Request::Retry { execution, reason: reason(), confirm_may_have_run: false }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_its_retry_can_be_paused_resumed_made_due_and_cancelled() {
    let (bed, puppet) = Bed::with_puppet().await;
    let begin = async || {
        puppet.will_fail("patient", [FaultKind::CrashedInCall.fault("planned")]);
        let id = bed.begin(draft("puppet.play.patient", json!({}))).await;
        bed.until(id, |view| matches!(view.execution.wake, Some(Wake::Retry { .. }))).await;
        id
    };
    let one = begin().await;
    done(&bed, pause(one)).await;
    assert_eq!(bed.look(one).await.execution.wake, Some(Wake::Resume));
    done(&bed, resume(one)).await;
    assert!(matches!(bed.look(one).await.execution.wake, Some(Wake::Retry { .. })));
    done(&bed, retry(one)).await;
    assert_eq!(output(&bed.settled(one).await), json!({}));
    assert_eq!(puppet.runs_of(one).len(), 2);
    let other = begin().await;
    done(&bed, cancel(other)).await;
    let view = bed.look(other).await;
    assert!(matches!(view.outcome(), Some(Outcome::Cancelled { may_have_run: true, .. })), "{view:?}");
    let refused = refusal(bed.ask(cancel(other)).await);
    assert_eq!(refused.conclusion.code, enact_engine::conclude::PHASE_CONFLICT);
    let records = bed.records(other).await;
    let asked = records.iter().find(|record| record.body.kind() == "StopRequested").unwrap();
    assert_eq!(asked.actor.as_ref(), "test:somebody");
    bed.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_pauses_at_its_next_boundary_and_is_cancelled_through_its_host() {
    let (bed, puppet) = Bed::with_puppet().await;
    puppet.shut();
    puppet.will_fail("patient", [FaultKind::CrashedInCall.fault("planned")]);
    let id = bed.begin(draft("puppet.play.patient", json!({}))).await;
    eventually("it runs", async || puppet.runs_of(id).len() == 1).await;
    done(&bed, pause(id)).await;
    assert_eq!(bed.look(id).await.execution.phase, Phase::Running);
    puppet.open();
    bed.until(id, |view| view.execution.wake == Some(Wake::Resume)).await;
    puppet.shut();
    done(&bed, resume(id)).await;
    done(&bed, retry(id)).await;
    eventually("it runs again", async || puppet.runs_of(id).len() == 2).await;
    let refused = refusal(bed.ask(retry(id)).await);
    assert_eq!(refused.conclusion.code, enact_engine::conclude::PHASE_CONFLICT);
    done(&bed, cancel(id)).await;
    let view = bed.settled(id).await;
    assert!(matches!(view.outcome(), Some(Outcome::Cancelled { .. })), "{view:?}");
    puppet.open();
    bed.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_cancelled_before_it_starts_never_runs() {
    let (bed, puppet) = Bed::with_puppet().await;
    let intent = IntentDraft { start_after: Some("1h".into()), ..draft("puppet.play.once", json!({})) };
    let id = bed.begin(intent).await;
    done(&bed, cancel(id)).await;
    let view = bed.settled(id).await;
    assert!(matches!(view.outcome(), Some(Outcome::Cancelled { may_have_run: false, .. })), "{view:?}");
    let again = crate::bed::accepted(bed.ask(retry(id)).await);
    assert_eq!(again.execution.retry_of, Some(id));
    bed.settled(again.execution.id).await;
    assert_eq!(puppet.runs().len(), 1);
    bed.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_execution_stays_paused_over_a_restart() {
    let (mut bed, puppet) = Bed::with_puppet().await;
    let intent = IntentDraft { start_after: Some("1h".into()), ..draft("puppet.play.once", json!({})) };
    let id = bed.begin(intent).await;
    done(&bed, pause(id)).await;
    bed.restart().await;
    assert_eq!(bed.look(id).await.execution.wake, Some(Wake::Resume));
    done(&bed, resume(id)).await;
    assert!(matches!(bed.look(id).await.execution.wake, Some(Wake::StartAfter { .. })));
    assert_eq!(puppet.runs().len(), 0);
    bed.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_lets_what_runs_finish_and_starts_nothing_of_what_waits() {
    let (mut bed, puppet) = Bed::with_puppet().await;
    bed.config.shutdown_grace = Duration::from_secs(20);
    bed.config.policy.running_max = 2;
    bed.restart().await;
    puppet.shut();
    let mut ids = Vec::new();
    for _ in 0..6 {
        ids.push(bed.begin(draft("puppet.play.once", json!({}))).await);
    }
    eventually("two run", async || puppet.runs().len() == 2).await;
    let hub = bed.hub().clone();
    hub.drain();
    let refused = refusal(bed.submit_as("default", draft("puppet.play.once", json!({})), Duration::ZERO).await);
    assert_eq!(refused.conclusion.code, enact_engine::conclude::DRAINING);
    let mut ending = Box::pin(hub.shutdown());
    // Polled once, it has told the ring to start nothing more; what the gate lets out comes after that.
    tokio::select! {
        biased;
        ended = &mut ending => panic!("it waits for nothing: {ended:?}"),
        () = std::future::ready(()) => {}
    }
    let status = bed.hub().status();
    assert_eq!((status.running, status.queued), (2, 4));
    puppet.open();
    ending.await.unwrap();
    let ran = puppet.runs().len();
    assert!(ran == 2, "{ran} ran although the hub was ending");
    drop(hub);
    bed.restart().await;
    for id in &ids {
        assert_eq!(output(&bed.settled(*id).await), json!({}));
        assert_eq!(puppet.runs_of(id).len(), 1, "{id} ran twice");
        assert_eq!(kinds(&bed.records(*id).await).iter().filter(|kind| **kind == "Settled").count(), 1);
    }
    bed.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_finish_within_the_grace_is_answered_for_at_the_next_start() {
    let (mut bed, puppet) = Bed::with_puppet().await;
    puppet.shut();
    let once = bed.begin(draft("puppet.play.once", json!({}))).await;
    let again = bed.begin(draft("puppet.play.again", json!({ "n": 2 }))).await;
    eventually("both run", async || puppet.runs().len() == 2).await;
    bed.close().await;
    puppet.open();
    bed.start().await;
    let view = bed.settled(once).await;
    assert_eq!(crate::bed::failure(&view).kind, Some(FaultKind::HubRestarted));
    assert!(crate::bed::failure(&view).may_have_run);
    assert_eq!(output(&bed.settled(again).await), json!({ "n": 2 }));
    assert_eq!(puppet.runs_of(once).len(), 1);
    let runs = puppet.runs_of(again);
    assert_eq!(runs.len(), 2);
    assert_eq!(runs[0].token, runs[1].token);
    bed.is_well().await;
}
