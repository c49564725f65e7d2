//! Every way in which a handler can fail is a failed outcome with a code of its own, and the execution's id.

use std::collections::BTreeMap;
use std::time::Duration;

use enact_model::observation::FaultKind;
use enact_model::outcome::Outcome;
use enact_runtime::api::{ExecutionView, Request, Response};
use serde_json::json;

use crate::bed::{Bed, Lateness, accepted, draft, failure, output};

/// Operations of real programs, each of which fails in one way; those of the second service are workers.
const PROGRAMS: &str = r#"
component: trouble
version: 1.0.0
process: { command: [sh], roots: { here: . } }
services:
  s:
    exited_non_zero: { kind: query, call: { command: [sh, -c, "echo closed >&2; exit 3"] } }
    signalled: { kind: query, call: { command: [sh, -c, "kill -SEGV $$"] } }
    deadline_exceeded: { kind: query, timeout: 200ms, call: { command: [sh, -c, "sleep 1000 & wait"] } }
    output_too_large: { kind: query, call: { command: [head, -c, "200000", /dev/zero], stdout: text, output_max: 64KiB } }
    output_not_json: { kind: query, call: { command: [echo, hello] } }
    output_invalid: { kind: query, output: { type: string }, call: { command: [echo, "7"] } }
    envelope_invalid: { kind: query, returns: effects, call: { command: [echo, '{"outputs":1}'] } }
    produced_missing: { kind: query, call: { command: ["true"] }, produces: [{ artifact: a, from: { file: a } }] }
    path_escapes:
      kind: query
      returns: effects
      call: { command: [sh, -c, 'ln -s /etc/passwd p; echo "{\"output\":1,\"artifacts\":[{\"name\":\"p\",\"path\":\"p\"}]}"'] }
    input_path_refused: { kind: query, call: { command: [cat], args: [{ root: here, path: /path }] } }
    template_unfit: { kind: query, call: { command: [echo], args: [{ value: /absent }] } }
    state_conflict:
      kind: command
      returns: effects
      call: { command: [echo, '{"output":1,"state":[{"scope":"session","key":"k","value":1,"if_version":7}]}'] }
    effect_refused:
      kind: query
      returns: effects
      call: { command: [echo, '{"output":1,"derived":[{"from":["artifact:no"],"to":"artifact:none"}]}'] }
    effect_unfit: { kind: query, call: { command: [echo, "[1]"] }, emits: [{ type: t, key: /output }] }
"#;

/// What a worker in the shell says until it is ready, but for the operations that it knows.
pub const READY: &str = r#"f() { printf "\000\000\000\\$(printf %03o ${#1})%s" "$1" >&0; }; f "{\"type\":\"hello\",\"protocol\":1,\"nonce\":\"$ENACT_INSTANCE\"}"; f "{\"type\":\"ready\",\"operations\":[OPERATIONS]}"; exec cat >/dev/null"#;

pub fn worker(name: &str, program: &str) -> String {
    format!(
        r#"
component: {name}
version: 1.0.0
process: {{ command: [sh, -c, '{program}'], mode: worker, start_timeout: 300ms }}
services: {{ s: {{ o: {{ kind: query, retry: {{ attempts: 1, backoff: 1ms..2ms }} }} }} }}
"#
    )
}

fn kind_of(view: &ExecutionView) -> FaultKind {
    failure(view).kind.unwrap_or_else(|| panic!("{view:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_in_which_a_program_fails_has_its_own_code_and_says_which_execution() {
    let mut bed = Bed::open().await;
    bed.add(PROGRAMS).await;
    let broken = bed.path("broken");
    for (name, program) in [
        ("dies", "exit 1"),
        ("sleeps", "sleep 1000"),
        ("garbage", "printf \"\\000\\000\\000\\003{x}\" >&0; sleep 1000"),
    ] {
        // It can work when it is added, and no more after that.
        let program = format!("test -e {} && {{ {program}; exit; }}; {READY}", broken.display());
        bed.add(&worker(name, &program.replace("OPERATIONS", ""))).await;
    }
    std::fs::write(&broken, "").unwrap();
    bed.restart().await;
    let mut codes = BTreeMap::new();
    let mut see = |view: &ExecutionView, wanted: FaultKind| {
        assert_eq!(kind_of(view), wanted, "{}", failure(view));
        assert!(view.execution.id.as_u128() > 0);
        if let Some(other) = codes.insert(failure(view).code.to_string(), wanted) {
            panic!("{wanted:?} and {other:?} share a code");
        }
    };
    use FaultKind as F;
    for (operation, wanted) in [
        ("exited_non_zero", F::ExitedNonZero),
        ("signalled", F::Signalled),
        ("deadline_exceeded", F::DeadlineExceeded),
        ("output_too_large", F::OutputTooLarge),
        ("output_not_json", F::OutputNotJson),
        ("output_invalid", F::OutputInvalid),
        ("envelope_invalid", F::EnvelopeInvalid),
        ("produced_missing", F::ProducedMissing),
        ("path_escapes", F::PathEscapes),
        ("template_unfit", F::TemplateUnfit),
        ("state_conflict", F::StateConflict),
        ("effect_refused", F::EffectRefused),
        ("effect_unfit", F::EffectUnfit),
    ] {
        see(&bed.run(&format!("trouble.s.{operation}"), json!({})).await, wanted);
    }
    see(&bed.run("trouble.s.input_path_refused", json!({ "path": "../../etc/passwd" })).await, F::InputPathRefused);
    see(&bed.run("dies.s.o", json!({})).await, F::StartDied);
    see(&bed.run("sleeps.s.o", json!({})).await, F::StartTimedOut);
    see(&bed.run("garbage.s.o", json!({})).await, F::GarbageOnWire);
    bed.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_goes_away_after_its_registration_is_named_by_every_call() {
    let bed = Bed::open().await;
    let program = bed.path("program.sh");
    std::fs::write(&program, "#!/bin/sh\necho true\n").unwrap();
    let mode = |mode| {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(0o755);
    let yaml = format!(
        "component: leaves\nversion: 1.0.0\nprocess: {{ command: [{}] }}\nservices: {{ s: {{ o: {{ kind: command, retry: {{ attempts: 1, backoff: 1ms..2ms, on: not_reached }} }} }} }}\n",
        program.display()
    );
    bed.add(&yaml).await;
    assert_eq!(output(&bed.run("leaves.s.o", json!({})).await), json!(true));
    mode(0o644);
    assert_eq!(kind_of(&bed.run("leaves.s.o", json!({})).await), FaultKind::ProgramNotExecutable);
    std::fs::remove_file(&program).unwrap();
    let view = bed.run("leaves.s.o", json!({})).await;
    assert_eq!(kind_of(&view), FaultKind::ProgramMissing);
    assert!(!failure(&view).may_have_run && failure(&view).hint.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_host_sees_ends_as_failed_with_the_code_of_its_kind() {
    let (bed, puppet) = Bed::with_puppet().await;
    let mut codes = BTreeMap::new();
    for kind in FaultKind::ALL {
        // A command that may run once only: nothing is tried again, but what certainly was not reached.
        let fault = kind.fault("planned").reached(enact_model::observation::Reached::Unknown);
        puppet.will_fail("once", [fault]);
        let view = bed.run("puppet.play.once", json!({})).await;
        assert_eq!(kind_of(&view), *kind);
        assert_eq!(puppet.runs_of(view.execution.id).len(), 1, "{kind:?} ran again");
        assert!(failure(&view).may_have_run);
        if let Some(other) = codes.insert(failure(&view).code.to_string(), kind) {
            panic!("{kind:?} and {other:?} share a code");
        }
    }
    bed.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_panics_costs_its_attempt_and_nothing_else() {
    let (bed, _puppet) = Bed::with_puppet().await;
    let view = bed.run("puppet.play.panics", json!({})).await;
    assert_eq!(kind_of(&view), FaultKind::HostPanicked);
    assert_eq!(output(&bed.run("puppet.play.echo", json!({ "n": 1 })).await), json!({ "n": 1 }));
    bed.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_has_its_answer_within_the_deadline_and_a_second() {
    let bed = Bed::open().await;
    let late = Lateness::measure();
    bed.add(
        r#"
component: endless
version: 1.0.0
process: { command: [sh] }
services:
  s:
    attempt: { kind: query, timeout: 300ms, call: { command: [sh, -c, "trap '' TERM; while :; do :; done"] } }
    total: { kind: query, timeout: 1h, call: { command: [sh, -c, "trap '' TERM; sleep 1000 & wait; wait"] } }
"#,
    )
    .await;
    let mut total = draft("endless.s.total", json!({}));
    total.deadline = Some("300ms".into());
    let (one, other) = tokio::join!(bed.run("endless.s.attempt", json!({})), bed.run_draft(total));
    for view in [one, other] {
        let took = view.execution.settled_at.unwrap().since(view.execution.accepted_at);
        let promised = Duration::from_millis(300) + Duration::from_secs(1) + late.worst();
        assert!(took >= Duration::from_millis(300) && took <= promised, "{took:?}, late {:?}", late.worst());
        assert!(failure(&view).may_have_run);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_never_answers_is_given_up_after_the_deadline() {
    let (bed, _puppet) = Bed::with_puppet().await;
    let late = Lateness::measure();
    let view = bed.run("puppet.play.stubborn", json!({})).await;
    assert_eq!(kind_of(&view), FaultKind::DeadlineExceeded);
    let took = view.execution.settled_at.unwrap().since(view.execution.accepted_at);
    assert!(took <= Duration::from_millis(1_300) + late.worst(), "{took:?}, late {:?}", late.worst());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_program_is_cancelled_within_a_second_and_its_children_are_gone() {
    let bed = Bed::open().await;
    let late = Lateness::measure();
    let pids = bed.path("pids");
    bed.add(&format!(
        r#"
component: long
version: 1.0.0
process: {{ command: [sh, -c, "trap '' TERM; sleep 1000 & echo $! > {0}.tmp; mv {0}.tmp {0}; wait; wait"] }}
services: {{ s: {{ o: {{ kind: command, timeout: 1h }} }} }}
"#,
        pids.display()
    ))
    .await;
    let id = bed.begin(draft("long.s.o", json!({}))).await;
    crate::bed::eventually("the program runs", async || pids.exists()).await;
    let child: String = std::fs::read_to_string(&pids).unwrap().trim().to_owned();
    let done = bed.ask(Request::Cancel { execution: id, reason: "enough".into() }).await;
    assert!(matches!(done, Response::Done { .. }), "{done:?}");
    let view = bed.settled(id).await;
    let asked = bed.records(id).await.into_iter().find(|record| record.body.kind() == "StopRequested").unwrap();
    let took = view.execution.settled_at.unwrap().since(asked.time);
    assert!(took <= Duration::from_secs(1) + late.worst(), "{took:?}, late {:?}", late.worst());
    assert!(matches!(view.outcome(), Some(Outcome::Cancelled { may_have_run: true, .. })), "{view:?}");
    let alive = || std::fs::read_to_string(format!("/proc/{child}/comm")).is_ok_and(|name| name.trim() == "sleep");
    crate::bed::eventually("its child is gone", async || !alive()).await;
    bed.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_of_zero_is_refused_and_one_of_a_year_is_kept() {
    let bed = Bed::open().await;
    bed.add(
        "component: ok\nversion: 1.0.0\nprocess: { command: [echo, \"1\"] }\nservices: { s: { o: { kind: query } } }\n",
    )
    .await;
    let mut zero = draft("ok.s.o", json!({}));
    zero.deadline = Some("0s".into());
    match bed.submit_as("default", zero, Duration::from_secs(20)).await {
        Response::Rejected(rejection) => assert_eq!(rejection.faults[0].at, "deadline"),
        other => assert!(failure(&accepted(other)).kind.is_none()),
    }
    let mut year = draft("ok.s.o", json!({}));
    year.deadline = Some("365d".into());
    let view = bed.run_draft(year).await;
    assert_eq!(output(&view), json!(1));
    let kept = view.execution.deadline_at.unwrap().since(view.execution.accepted_at);
    assert_eq!(kept, Duration::from_secs(365 * 24 * 3_600));
    let mut late = draft("ok.s.o", json!({}));
    late.deadline = Some("800d".into());
    let Response::Rejected(rejection) = bed.submit_as("default", late, Duration::ZERO).await else { panic!() };
    assert_eq!(rejection.faults[0].at, "deadline");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_text_is_not_told_to_be_read_as_text() {
    let bed = Bed::open().await;
    let yaml = r#"
component: bytes
version: 1.0.0
process: { command: [sh] }
services:
  s:
    text: { kind: query, call: { command: [printf, '\377'], stdout: text } }
    json: { kind: query, call: { command: [printf, '\377'] } }
"#;
    bed.add(yaml).await;
    for (operation, hinted) in [("text", false), ("json", true)] {
        let view = bed.run(&format!("bytes.s.{operation}"), json!({})).await;
        assert_eq!(kind_of(&view), FaultKind::OutputNotJson);
        assert_eq!(failure(&view).hint.as_ref().unwrap().contains("call.stdout: text"), hinted);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_stopped_before_its_host_had_started_has_certainly_not_run() {
    let (bed, puppet) = Bed::with_puppet().await;
    puppet.starts(false);
    let attempt = bed.begin(draft("puppet.play.swift", json!({}))).await;
    let mut within = draft("puppet.play.once", json!({}));
    within.deadline = Some("200ms".into());
    let total = bed.begin(within).await;
    let cancelled = bed.begin(draft("puppet.play.once", json!({}))).await;
    bed.ask(Request::Cancel { execution: cancelled, reason: "enough".into() }).await;
    for (id, attempts) in [(attempt, 3), (total, 1)] {
        let settled = bed.settled(id).await;
        let conclusion = settled.outcome().unwrap().conclusion().unwrap().clone();
        assert!(!conclusion.may_have_run, "{conclusion:?}");
        assert_eq!(settled.execution.attempt, attempts, "{conclusion:?}");
    }
    let settled = bed.settled(cancelled).await;
    let outcome = settled.outcome();
    assert!(matches!(outcome, Some(Outcome::Cancelled { may_have_run: false, .. })), "{outcome:?}");
    puppet.starts(true);
    let then = bed.begin(draft("puppet.play.swift", json!({}))).await;
    bed.settled(then).await;
    assert_eq!(puppet.runs().len(), 1, "what was given up has not run");
}
