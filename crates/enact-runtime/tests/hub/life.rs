//! One execution from its intent to its outcome, and what the log has of it.

use std::time::Duration;

use enact_model::id::IntentId;
use enact_model::intent::IntentDraft;
use enact_model::record::Body;
use enact_runtime::api::{IntentView, Request, Response};
use serde_json::json;

use crate::bed::{Bed, accepted, draft, failure, kinds, output, records_in, refusal};

const GREETER: &str = r#"
component: greeter
version: 1.2.3
process: { command: [sh, -c, "printf 'hello, %s' \"$1\"", sh] }
services:
  words:
    greet:
      kind: query
      handles: [greet]
      input: { type: object, required: [name], properties: { name: { type: string, minLength: 1 } } }
      output: { type: string }
      call: { args: [{ value: /name }], stdout: text }
      state: [{ scope: session, set: last, value: /name }]
      emits: [{ type: greeted, key: /name }]
"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_stages_of_an_execution_stand_in_the_log_in_their_order() {
    let bed = Bed::open().await;
    bed.add(GREETER).await;
    let view = bed.run("greet", json!({ "name": "ada" })).await;
    assert_eq!(output(&view), json!("hello, ada"));
    let records = bed.records(view.execution.id).await;
    let all = ["IntentAccepted", "AttemptStarted", "AttemptObserved", "StateSet", "MessageQueued", "Settled"];
    assert_eq!(kinds(&records), all);
    assert!(records.windows(2).all(|pair| pair[0].lsn < pair[1].lsn && pair[0].time <= pair[1].time));
    // Each but the first says what led to it.
    assert!(records.iter().skip(1).all(|record| record.cause.is_some()), "{records:?}");
    bed.delivered().await;
    bed.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_has_inputs_and_outputs_and_the_version_that_ran() {
    let bed = Bed::open().await;
    bed.add(GREETER).await;
    let view = bed.run("greeter.words.greet", json!({ "name": "ada" })).await;
    let records = bed.records(view.execution.id).await;
    let Body::IntentAccepted(accepted) = &records[0].body else { panic!("{records:?}") };
    assert_eq!(accepted.intent.parameters.inline().unwrap().to_value(), json!({ "name": "ada" }));
    assert_eq!(*accepted.pin.version, *"1.2.3");
    let Response::Components(components) = bed.ask(Request::Components).await else { panic!() };
    assert_eq!(accepted.pin.digest, components[0].digest);
    let text = serde_json::to_string(&records).unwrap();
    assert!(text.contains("hello, ada"), "{text}");
    assert_eq!(records[0].actor.as_ref(), "test:somebody");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_is_told_its_deadline_attempt_and_token_and_two_attempts_get_the_same_token() {
    let bed = Bed::open().await;
    let ledger = bed.path("ledger");
    bed.add(&format!(
        r#"
component: twice
version: 1.0.0
process: {{ command: [sh, -c, 'echo "$ENACT_EXECUTION_ID $ENACT_ATTEMPT $ENACT_IDEMPOTENCY_TOKEN $ENACT_DEADLINE" >> {0}; [ $(wc -l < {0}) -ge 2 ] && echo true'] }}
services: {{ s: {{ o: {{ kind: command, idempotent: true, retry: {{ attempts: 3, backoff: 1ms..2ms }} }} }} }}
"#,
        ledger.display()
    ))
    .await;
    let view = bed.run("twice.s.o", json!({})).await;
    assert_eq!(output(&view), json!(true));
    let text = std::fs::read_to_string(ledger).unwrap();
    let runs: Vec<Vec<&str>> = text.lines().map(|line| line.split(' ').collect()).collect();
    let id = view.execution.id.to_string();
    assert_eq!(runs.len(), 2, "{text}");
    assert_eq!((runs[0][0], runs[0][1], runs[0][2]), (id.as_str(), "1", id.as_str()));
    assert_eq!((runs[1][0], runs[1][1], runs[1][2]), (id.as_str(), "2", id.as_str()));
    assert!(runs.iter().all(|run| !run[3].is_empty()), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_intent_that_is_not_admitted_is_logged_with_its_faults_and_can_be_asked_for() {
    let bed = Bed::open().await;
    bed.add(GREETER).await;
    let long = "x".repeat(10_000);
    let id = IntentId::from_parts(1, 1);
    let mut wrong = draft("greet", json!({ "name": 7, "note": long }));
    wrong.intent_id = Some(id.to_string());
    let Response::Rejected(rejection) = bed.submit_as("default", wrong, Duration::ZERO).await else { panic!() };
    assert_eq!(rejection.faults.len(), 1, "{rejection:?}");
    assert!(rejection.excerpt.len() <= 4 * 1024 && rejection.excerpt.len() > 1_000);
    let asked = bed.ask(Request::Intent { intent: id }).await;
    let Response::Intent(view) = asked else { panic!("{asked:?}") };
    assert_eq!(*view, IntentView::Rejected(rejection));
    let unknown = bed.submit_as("default", draft("gret", json!({})), Duration::ZERO).await;
    let Response::Rejected(rejection) = unknown else { panic!("{unknown:?}") };
    assert!(
        rejection.conclusion.to_string().contains("greet")
            || rejection.faults[0].hint.as_ref().unwrap().contains("greet")
    );
    let filter = enact_model::record::RecordFilter { kinds: vec!["IntentRejected".into()], ..Default::default() };
    assert_eq!(records_in(bed.ask(Request::Records { filter, limit: 10 }).await).len(), 2);
    bed.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rejections_over_the_rate_leave_no_record_and_are_counted_in_the_next_one() {
    let bed = Bed::with(|config, _| config.policy.rejections_per_minute = 2).await;
    bed.add(GREETER).await;
    let wrong = || bed.submit_as("default", draft("greet", json!({})), Duration::ZERO);
    let (mut logged, mut limited) = (Vec::new(), 0);
    // The minute may turn while this runs, so that two more are logged; what is counted must add up all the same.
    for number in 0..12 {
        match wrong().await {
            Response::Rejected(rejection) => logged.push(rejection.suppressed),
            Response::Refused(refused) => {
                assert!(refused.retry_after_ms.is_some());
                limited += 1;
            }
            other => panic!("{other:?}"),
        }
        // An admitted intent in between takes nothing of the count away.
        if number % 3 == 0 {
            accepted(bed.submit_as("default", draft("greet", json!({ "name": "ada" })), Duration::ZERO).await);
        }
    }
    assert!(limited >= 8 && logged.len() + limited == 12, "{logged:?} {limited}");
    let told: u64 = logged.iter().sum();
    assert!(told <= limited as u64, "{logged:?} {limited}");
    // Another tenant has a rate of its own, and none of this tenant's count.
    let other = bed.submit_as("other", draft("greet", json!({})), Duration::ZERO).await;
    assert!(matches!(other, Response::Rejected(rejection) if rejection.suppressed == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn several_faults_of_an_intent_are_told_at_once() {
    let bed = Bed::open().await;
    let mut wrong = draft("", json!({}));
    wrong.session_id = Some(" ".into());
    wrong.deadline = Some("soon".into());
    wrong.created_at = Some("yesterday".into());
    let Response::Rejected(rejection) = bed.submit_as("default", wrong, Duration::ZERO).await else { panic!() };
    let at: Vec<&str> = rejection.faults.iter().map(|fault| fault.at.as_str()).collect();
    assert_eq!(at, ["intent_type", "session_id", "created_at", "deadline"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_output_is_a_failure_and_is_kept_as_it_was() {
    let bed = Bed::open().await;
    bed.add(
        r#"
component: wrong
version: 1.0.0
process: { command: [sh] }
services:
  s:
    empty: { kind: query, call: { command: ["true"] } }
    half: { kind: query, call: { command: [printf, '{"a":'] } }
    two: { kind: query, call: { command: [echo, '1 2'] } }
    schema: { kind: query, output: { type: object, required: [n] }, call: { command: [echo, '{"m":1}'] } }
    envelope: { kind: query, returns: effects, call: { command: [echo, '{"output":1,"sate":[]}'] } }
"#,
    )
    .await;
    for operation in ["empty", "half", "two", "schema", "envelope"] {
        let view = bed.run(&format!("wrong.s.{operation}"), json!({})).await;
        let failed = failure(&view);
        assert_eq!(failed.code.interpretation, enact_model::taxonomy::Interpretation::Defect, "{operation}: {failed}");
    }
    let view = bed.run("wrong.s.schema", json!({})).await;
    let enact_model::outcome::Outcome::Failed { raw_output: Some(raw), .. } = view.outcome().unwrap() else {
        panic!("{view:?}")
    };
    let kept = bed.path("kept.json");
    let reference = enact_runtime::api::ArtifactName::Digest(raw.digest);
    let target = kept.display().to_string();
    let got = bed.ask(Request::ArtifactGet { reference, target }).await;
    assert!(matches!(got, Response::Done { .. }), "{got:?}");
    assert_eq!(std::fs::read_to_string(kept).unwrap().trim(), r#"{"m":1}"#);
    bed.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submit_whose_wait_is_over_tells_what_is_open_and_the_same_again_waits_for_its_end() {
    let (bed, puppet) = Bed::with_puppet().await;
    puppet.shut();
    let keyed = || IntentDraft { idempotency_key: Some("k".to_owned()), ..draft("puppet.play.echo", json!({})) };
    let open = accepted(bed.submit_as("default", keyed(), Duration::from_millis(1)).await);
    assert!(open.outcome().is_none(), "{open:?}");
    puppet.open();
    let settled = bed.run_draft(keyed()).await;
    assert_eq!(settled.execution.id, open.execution.id);
    bed.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_execution_is_refused_at_every_question_about_it() {
    let bed = Bed::open().await;
    let execution = enact_model::id::ExecutionId::from_parts(1, 2);
    let reason = || "none".to_owned();
    for request in [
        Request::Execution { execution },
        Request::Await { execution, wait_ms: 60_000 },
        Request::Cancel { execution, reason: reason() },
        Request::Pause { execution, reason: reason() },
        Request::Resume { execution, reason: reason() },
        Request::Retry { execution, reason: reason(), confirm_may_have_run: true },
    ] {
        let refused = refusal(bed.ask(request).await);
        assert_eq!(refused.conclusion.code, enact_engine::conclude::EXECUTION_UNKNOWN);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_that_this_process_made_are_held_against_the_limit_as_those_of_a_door() {
    let (bed, puppet) = Bed::with_puppet().await;
    let large = draft("puppet.play.once", json!({ "pad": "x".repeat(100 << 20) }));
    let before = bed.hub().status().position;
    let Response::Rejected(rejection) = bed.submit_as("default", large, Duration::ZERO).await else {
        panic!("a rejection")
    };
    assert_eq!(rejection.faults.len(), 1);
    assert!(rejection.faults[0].message.ends_with("it is larger than 16777216 bytes"), "{}", rejection.faults[0]);
    assert!(rejection.faults[0].hint.as_ref().is_some_and(|hint| hint.contains("by reference")));
    assert!(rejection.excerpt.len() <= 4 * 1024);
    assert_eq!((puppet.runs().len(), bed.hub().status().position), (0, before.plus(1)));
    // At the limit it is taken, and travels by reference.
    let room = (16 << 20) - r#"{"pad":""}"#.len();
    let view = bed.run("puppet.play.once", json!({ "pad": "x".repeat(room) })).await;
    assert!(view.execution.intent.parameters.inline().is_none());
}
