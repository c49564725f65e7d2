//! What a person or a script gets to see, and the exit status.

use std::collections::BTreeMap;
use std::io::Read;
use std::process::Stdio;
use std::sync::Arc;

use enact_model::conclusion::{Conclusion, DetailCode};
use enact_model::digest::Digest;
use enact_model::execution::{Execution, Phase, Pin, Wake};
use enact_model::id::{ExecutionId, IntentId, Lsn, SessionId, SolutionId, TenantId};
use enact_model::intent::{InputFault, Intent};
use enact_model::json::Json;
use enact_model::outcome::Outcome;
use enact_model::payload::Payload;
use enact_model::time::Timestamp;
use enact_runtime::api::{ExecutionView, Page, Refusal, Request, Response};
use rustix::process::{Pid, Signal, kill_process};

use super::fake::{Running, enact, text};

fn id() -> ExecutionId {
    ExecutionId::from_parts(1_000, 7)
}

fn view(outcome: Option<Outcome>) -> ExecutionView {
    let intent = Intent {
        intent_id: IntentId::from_parts(1_000, 1),
        intent_type: "a.b.c".parse().unwrap(),
        tenant_id: TenantId::default_tenant(),
        session_id: SessionId::default_session(),
        solution_id: SolutionId::default_solution(),
        parameters: Payload::Inline(Json::parse("{}").unwrap()),
        metadata: BTreeMap::new(),
        created_at: Timestamp(1_000),
        idempotency_key: None,
        deadline_ms: None,
        start_after: None,
    };
    let settled = outcome.is_some();
    let execution = Execution {
        id: id(),
        selector: "a.b.c".parse().unwrap(),
        pin: Pin { name: "a".parse().unwrap(), version: "1.0.0".into(), digest: Digest::of(b"") },
        phase: if settled { Phase::Settled } else { Phase::Waiting },
        wake: (!settled).then_some(Wake::Retry { due: Timestamp(9_000) }),
        attempt: 1,
        accepted_at: Timestamp(1_000),
        accepted_lsn: Lsn(3),
        outcome: outcome.map(Arc::new),
        ..serde_json::from_value(serde_json::json!({
            "id": id(), "intent": intent, "selector": "a.b.c",
            "pin": { "name": "a", "version": "1.0.0", "digest": Digest::of(b"") },
            "phase": "queued", "wake": null, "attempt": 0, "accepted_at": 0, "accepted_lsn": 0, "records": []
        }))
        .unwrap()
    };
    ExecutionView { execution: Arc::new(execution), output: None, waits_for: None }
}

fn completed() -> Option<Outcome> {
    let output = Payload::Inline(Json::parse(r#"{"pages": 3}"#).unwrap());
    Some(Outcome::Completed { output, cancel_too_late: false })
}

fn conclusion(code: &str) -> Conclusion {
    Conclusion::new(code.parse::<DetailCode>().unwrap(), "the program\x1b[2J ended with 3").hint("look at its log")
}

/// A hub on which everything is admitted and ends so.
fn hub(outcome: Option<Outcome>) -> Running {
    Running::new(move |request| match request {
        Request::Submit { .. } => Response::Accepted { execution: Box::new(view(None)), repeated: false },
        Request::Await { .. } | Request::Execution { .. } if outcome.is_some() => {
            Response::Execution(Box::new(view(outcome.clone())))
        }
        Request::Execution { .. } => Response::Execution(Box::new(view(None))),
        Request::Executions(_) => {
            Response::Executions(Page { items: vec![view(None), view(outcome.clone())], next: Some("more".into()) })
        }
        Request::Records { .. } => Response::Records(Page { items: Vec::new(), next: None }),
        _ => Response::Done { message: "noted".into() },
    })
}

#[test]
fn run_prints_the_output_and_nothing_else_on_standard_output() {
    let hub = hub(completed());
    let ran = hub.run(&["run", "a.b.c", "--input", "{\"x\": 1}", "--key", "k", "--meta", "a=b"]);
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    assert_eq!(text(&ran.stdout), "{\n  \"pages\": 3\n}\n");
    assert!(text(&ran.stderr).contains(&id().to_string()));
    let asked = hub.fake.asked.lock().unwrap();
    let (caller, Request::Submit { draft, .. }) = &asked[0] else { panic!("{asked:?}") };
    assert_eq!(caller.actor, "cli:ada");
    assert_eq!(draft.parameters.as_ref().unwrap().as_str(), "{\"x\":1}");
    assert_eq!((draft.idempotency_key.as_deref(), draft.session_id.as_deref()), (Some("k"), Some("default")));
    assert!(draft.intent_id.is_some() && draft.metadata["a"] == "b");
}

#[test]
fn the_exit_status_of_run_is_that_of_the_conclusion() {
    for (code, status) in [("030101020101", 10), ("101101020202", 11), ("101101020302", 12), ("100999030404", 13)] {
        let hub = hub(Some(Outcome::Failed { conclusion: conclusion(code), raw_output: None }));
        let ran = hub.run(&["run", "a.b.c"]);
        assert_eq!(ran.status.code(), Some(status), "{code}");
        let told = text(&ran.stderr);
        assert!(told.contains("look at its log") && told.contains(code) && !told.contains('\x1b'), "{told}");
        assert!(ran.stdout.is_empty());
    }
}

#[test]
fn with_json_there_is_one_document_whatever_happens() {
    let failed = Outcome::Failed { conclusion: conclusion("100999030404"), raw_output: None };
    for hub in [hub(completed()), hub(Some(failed))] {
        let ran = hub.run(&["run", "a.b.c", "--json"]);
        let document: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
        assert!(document["execution"]["outcome"].is_object());
        assert!(ran.stderr.is_empty(), "{}", text(&ran.stderr));
    }
    let refusal = Refusal {
        conclusion: conclusion("011001020101"),
        faults: vec![InputFault::new("c.yaml:3:1", "no such key")],
        execution: None,
        retry_after_ms: None,
    };
    let hub = Running::new(move |_| Response::Refused(Box::new(refusal.clone())));
    let ran = hub.run(&["component", "add", "x", "--json"]);
    let document: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(document["refused"]["faults"][0]["at"], "c.yaml:3:1");
    assert_eq!(ran.status.code(), Some(10));
    let ran = hub.run(&["component", "add", "x"]);
    assert!(text(&ran.stderr).contains("c.yaml:3:1: no such key"));
    let asked = hub.fake.asked.lock().unwrap();
    let expected = hub.store().canonicalize().unwrap().join("x");
    assert!(matches!(&asked[0].1, Request::ComponentAdd { path } if *path == expected.to_string_lossy()), "{asked:?}");
}

#[test]
fn waiting_ends_with_its_time_and_says_what_it_waits_for() {
    let hub = Running::new(|request| match request {
        Request::Submit { .. } => Response::Accepted { execution: Box::new(view(None)), repeated: true },
        _ => Response::Execution(Box::new(view(None))),
    });
    let ran = hub.run(&["run", "a.b.c", "--wait", "50ms"]);
    assert_eq!(ran.status.code(), Some(12));
    let told = text(&ran.stderr);
    assert!(told.contains("its next attempt at 1970-01-01 00:00:09"), "{told}");
    assert!(told.contains(&format!("enact execution watch {}", id())), "{told}");
    let ran = hub.run(&["run", "a.b.c", "--no-wait"]);
    assert_eq!((text(&ran.stdout), ran.status.code()), (format!("{}\n", id()), Some(0)));
}

#[test]
fn a_signal_lets_go_of_the_execution_and_says_how_to_follow_it() {
    // `Done` makes the hub keep the question for ever.
    let hub = hub(None);
    let child = enact(hub.store(), &["run", "a.b.c"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while !hub.fake.asked.lock().unwrap().iter().any(|(_, request)| matches!(request, Request::Await { .. })) {
        std::thread::yield_now();
    }
    kill_process(Pid::from_raw(child.id() as i32).unwrap(), Signal::INT).unwrap();
    let ran = child.wait_with_output().unwrap();
    assert_eq!(ran.status.code(), Some(12));
    let told = text(&ran.stderr);
    assert!(told.contains("let go of") && told.contains("execution cancel"), "{told}");
    assert!(!hub.fake.asked.lock().unwrap().iter().any(|(_, request)| matches!(request, Request::Cancel { .. })));
}

#[test]
fn a_list_is_a_table_and_a_closed_pipe_is_no_fault() {
    let hub = hub(completed());
    let ran = hub.run(&["execution", "list"]);
    let shown = text(&ran.stdout);
    let lines: Vec<&str> = shown.lines().collect();
    assert!(
        lines[0].starts_with("EXECUTION") && lines[1].contains("waiting") && lines[2].contains("completed"),
        "{shown}"
    );
    assert!(text(&ran.stderr).contains("--cursor more"));
    let mut child =
        enact(hub.store(), &["execution", "list"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!((child.wait().unwrap().code(), told.as_str()), (Some(0), ""));
}

#[test]
fn show_says_what_an_execution_waits_for() {
    let shown = text(&hub(None).run(&["execution", "show", &id().to_string()]).stdout);
    assert!(shown.contains("waits for") && shown.contains("its next attempt at 1970-01-01 00:00:09"), "{shown}");
}

#[test]
fn every_fault_of_the_configuration_is_told_at_once_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("enact.yaml"), "log: { level: loud }\nlimts: {}\n").unwrap();
    let ran = enact(folder.path(), &["status"]).env("ENACT_LIMITS_RUNNING", "0").output().unwrap();
    assert_eq!(ran.status.code(), Some(10));
    let told = text(&ran.stderr);
    for part in [
        "enact.yaml:1:15: log.level: `loud`",
        "enact.yaml:2:1: limts",
        "did you mean limits?",
        "env ENACT_LIMITS_RUNNING",
    ] {
        assert!(told.contains(part), "{part}\n{told}");
    }
}

#[test]
fn a_wrong_command_line_is_2_and_a_store_that_is_not_there_10_and_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("none");
    assert_eq!(enact(folder.path(), &["bogus"]).output().unwrap().status.code(), Some(2));
    let bogus = enact(folder.path(), &["bogus", "--json"]).output().unwrap();
    let document: serde_json::Value = serde_json::from_slice(&bogus.stdout).unwrap();
    assert_eq!((bogus.status.code(), bogus.stderr.len()), (Some(2), 0));
    assert!(document["refused"]["conclusion"]["message"].as_str().unwrap().contains("bogus"), "{document}");
    assert_eq!(enact(folder.path(), &["execution", "show", "exe_1"]).output().unwrap().status.code(), Some(2));
    let ran = enact(&store, &["execution", "list"]).current_dir(folder.path()).output().unwrap();
    assert_eq!(ran.status.code(), Some(10), "{}", text(&ran.stderr));
    assert!(text(&ran.stderr).contains("--store names another folder"));
    assert!(!store.exists());
}

#[test]
fn stop_asks_the_hub_to_end_and_waits_until_it_has() {
    let hub = hub(None);
    let child = enact(hub.store(), &["stop", "--reason", "update"]).stdout(Stdio::piped()).spawn().unwrap();
    hub.runtime.block_on(hub.fake.to_end.notified());
    {
        let asked = hub.fake.asked.lock().unwrap();
        let (caller, Request::Shutdown { reason }) = &asked[0] else { panic!("{asked:?}") };
        assert_eq!((caller.actor.as_str(), reason.as_str()), ("cli:ada", "update"));
    }
    hub.end();
    let ran = child.wait_with_output().unwrap();
    assert_eq!((text(&ran.stdout).as_str(), ran.status.code()), ("the hub has ended\n", Some(0)));
    let ran = hub.run(&["stop"]);
    assert_eq!((text(&ran.stdout).as_str(), ran.status.code()), ("no hub runs on this store\n", Some(0)));
}
