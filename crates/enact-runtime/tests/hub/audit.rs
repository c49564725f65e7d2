//! Who did what to an execution.

use enact_model::execution::Wake;
use enact_model::id::ExecutionId;
use enact_model::observation::FaultKind;
use enact_runtime::api::{AuditEntry, Deed, Request, Response};
use serde_json::json;

use crate::bed::{Bed, accepted, draft};
use crate::time::unknown;

async fn audit(bed: &Bed, execution: ExecutionId, limit: u32) -> Vec<AuditEntry> {
    let (mut entries, mut after) = (Vec::new(), None);
    loop {
        let answer = bed.ask(Request::Audit { execution, after, limit }).await;
        let Response::Audit(page) = answer else { panic!("{answer:?}") };
        assert!(page.items.len() <= limit as usize);
        entries.extend(page.items);
        match page.next {
            Some(next) => after = Some(next.parse().map(enact_model::id::Lsn).unwrap()),
            None => return entries,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reconciliation_and_a_repetition_are_told_of_both_executions() {
    let (bed, puppet) = Bed::with_puppet().await;
    puppet.will_fail("asked", [unknown()]);
    let view = bed.run("puppet.play.asked", json!({ "n": 1 })).await;
    let execution = view.execution.id;
    let retry = Request::Retry { execution, reason: "looked by hand".into(), confirm_may_have_run: true };
    let again = accepted(bed.ask(retry).await).execution.id;
    bed.settled(again).await;

    let told = audit(&bed, execution, 100).await;
    let [submitted, reconciled, settled, repeated] = &told[..] else { panic!("{told:?}") };
    assert_eq!(submitted.deed, Deed::Submitted { retry_of: None, parent: None });
    assert_eq!((submitted.actor.as_str(), submitted.role.as_deref()), ("test:somebody", Some("admin")));
    let Deed::ReconciledBy { child } = reconciled.deed else { panic!("{reconciled:?}") };
    assert!(matches!(&settled.deed, Deed::Settled { outcome } if outcome == "failed"), "{settled:?}");
    assert_eq!((&repeated.deed, repeated.reason.as_deref()), (&Deed::Repeated { by: again }, Some("looked by hand")));
    assert!(told.is_sorted_by_key(|entry| entry.lsn));
    // The same, however small the answers are.
    assert_eq!(audit(&bed, execution, 1).await, told);

    let told = audit(&bed, again, 100).await;
    assert_eq!(told[0].deed, Deed::Submitted { retry_of: Some(execution), parent: None });
    assert_eq!((told[0].reason.as_deref(), told[0].role.as_deref()), (Some("looked by hand"), Some("admin")));
    let told = audit(&bed, child, 100).await;
    assert_eq!(told[0].deed, Deed::Submitted { retry_of: None, parent: Some(execution) });
    assert_eq!((told[0].actor.as_str(), told[0].role.as_deref()), ("host", None));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_made_due_is_no_resumption_and_a_page_knows_what_was_before_it() {
    let (bed, puppet) = Bed::with_puppet().await;
    puppet.will_fail("patient", [FaultKind::CrashedInCall.fault("planned")]);
    let id = bed.begin(draft("puppet.play.patient", json!({}))).await;
    bed.until(id, |view| matches!(view.execution.wake, Some(Wake::Retry { .. }))).await;
    let reason = |text: &str| text.to_owned();
    for request in [
        Request::Pause { execution: id, reason: reason("one") },
        Request::Resume { execution: id, reason: reason("two") },
        Request::Retry { execution: id, reason: reason("three"), confirm_may_have_run: false },
    ] {
        assert!(matches!(bed.ask(request).await, Response::Done { .. }));
    }
    for limit in [1, 100] {
        let told = audit(&bed, id, limit).await;
        let told: Vec<_> = told.iter().map(|entry| (entry.deed.word(), entry.reason.as_deref())).collect();
        assert_eq!(told[1..4], [("paused", Some("one")), ("resumed", Some("two")), ("made_due", Some("three"))]);
    }
}
