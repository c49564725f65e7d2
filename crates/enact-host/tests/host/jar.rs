//! What a JVM promises beyond the suite: every way in which Java code misbehaves is an outcome (H11).

use std::sync::Arc;
use std::time::{Duration, Instant};

use enact_host::conformance::{Target, call_of, no_port};
use enact_host::contract::{CancelToken, Host, HostObservation, HostSeen};
use enact_host::jar::{JarConfig, JavaPlaces, Runtimes};
use enact_model::descriptor::{JavaRange, Returns};
use enact_model::json::Json;
use enact_model::observation::{Fault, FaultKind, Reached};
use serde_json::json;

use crate::jars::{Jars, changed, compile, holds_exits, method, shape_of, without_java};
use crate::shapes::{alive, sleepers};

pub const AMPLE: Duration = Duration::from_secs(30);

pub async fn call(jars: &Jars, target: &Target, argument: serde_json::Value) -> HostObservation {
    call_within(jars, target, argument, AMPLE).await
}

pub async fn call_within(
    jars: &Jars,
    target: &Target,
    argument: serde_json::Value,
    budget: Duration,
) -> HostObservation {
    let call = call_of(target, Json::of(&argument), budget);
    jars.host.invoke(call, no_port(), CancelToken::never()).await
}

pub async fn started(jars: &Jars, target: Target) -> Target {
    jars.host.start(target.component.clone(), target.digest).await.unwrap();
    target
}

#[track_caller]
pub fn output(seen: &HostObservation) -> serde_json::Value {
    match &seen.seen {
        HostSeen::Replied(reply) => reply.output.to_value(),
        HostSeen::Fault(fault) => panic!("{fault:?}"),
    }
}

#[track_caller]
fn fault(seen: &HostObservation) -> Fault {
    seen.as_fault().unwrap_or_else(|| panic!("{:?}", seen.seen)).clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_java_code_throws_is_the_failure_of_its_call_alone() {
    if without_java("jar::what_java_code_throws_is_the_failure_of_its_call_alone") {
        return;
    }
    let jars = Jars::new(false);
    let target = started(&jars, jars.component("pricing", |_| {})).await;
    let first = call(&jars, &target, json!({"a": 1})).await;
    for (operation, kind, exception) in [
        ("overflow", FaultKind::HandlerBroken, "java.lang.StackOverflowError"),
        ("broken", FaultKind::HandlerBroken, "java.lang.ExceptionInInitializerError"),
        ("broken", FaultKind::HandlerBroken, "java.lang.NoClassDefFoundError"),
        ("missing", FaultKind::HandlerBroken, "java.lang.NoClassDefFoundError"),
        ("big-reply", FaultKind::OutputTooLarge, "ResultTooLarge"),
        ("nan", FaultKind::OutputNotJson, "UnwritableResult"),
        ("cycle", FaultKind::OutputNotJson, "UnwritableResult"),
        ("exit", FaultKind::ExitedNonZero, "System.exit"),
        ("halt", FaultKind::ExitedNonZero, "System.exit"),
    ] {
        if exception == "System.exit" && !holds_exits() {
            // Then it costs the instance, as the conformance suite shows.
            continue;
        }
        let seen = call(&jars, &target.at(operation), json!({})).await;
        let fault = fault(&seen);
        let what = (fault.kind, fault.evidence.exception.as_deref(), fault.reached);
        assert_eq!(what, (kind, Some(exception), Reached::Yes), "{operation}: {fault:?}");
        let status =
            [("exit", 3), ("halt", 4)].into_iter().find_map(|(name, status)| (name == operation).then_some(status));
        assert_eq!(fault.evidence.exit_code, status, "{operation}");
        assert_eq!(seen.instance, first.instance, "{operation} cost the instance");
    }
    assert_eq!(output(&call(&jars, &target, json!({"a": 1})).await), json!({"a": 1}));
    jars.host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ends_a_jvm_is_seen_with_its_cause_and_the_next_call_has_a_new_one() {
    if without_java("jar::what_ends_a_jvm_is_seen_with_its_cause_and_the_next_call_has_a_new_one") {
        return;
    }
    let jars = Jars::new(false);
    let target = started(&jars, jars.component("pricing", |shape| shape.threads = 128)).await;
    let neighbour = started(&jars, jars.component("neighbour", |_| {})).await;
    for (operation, kind, signal, says) in [
        ("segfault", FaultKind::CrashedInCall, Some(6), "signal 6"),
        ("threads", FaultKind::CrashedInCall, Some(9), "more than the 128 it may have"),
        ("close-wire", FaultKind::CrashedInCall, None, "it ended with status"),
    ] {
        let before = call(&jars, &target, json!(1)).await;
        let seen = call(&jars, &target.at(operation), json!({})).await;
        let fault = fault(&seen);
        assert_eq!((fault.kind, fault.reached), (kind, Reached::Unknown), "{operation}: {fault:?}");
        assert!(fault.message.contains(says), "{operation}: {}", fault.message);
        let evidence = &fault.evidence;
        assert_eq!(evidence.signal, signal, "{operation}: {fault:?}");
        if operation == "segfault" {
            assert!(evidence.log_tail.as_ref().is_some_and(|tail| tail.contains("SIGSEGV")), "{evidence:?}");
        }
        let after = call(&jars, &target, json!(1)).await;
        assert_ne!(before.instance, after.instance);
        assert_eq!(output(&call(&jars, &neighbour, json!(2)).await), json!(2), "the neighbour after {operation}");
    }
    jars.host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exhausted_heap_is_an_outcome_and_the_call_beside_it_is_answered() {
    if without_java("jar::an_exhausted_heap_is_an_outcome_and_the_call_beside_it_is_answered") {
        return;
    }
    let jars = Arc::new(Jars::new(false));
    let target = started(&jars, jars.component("pricing", |shape| shape.memory_bytes = 64 << 20)).await;
    call(&jars, &target, json!(1)).await;
    let beside = tokio::spawn({
        let (jars, target) = (jars.clone(), target.at("sleep"));
        async move { call(&jars, &target, json!({"ms": 3_000})).await }
    });
    while jars.host.stats()[0].instances.iter().all(|instance| instance.in_flight == 0) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let fault = fault(&call(&jars, &target.at("exhaust"), json!({})).await);
    assert_eq!((fault.kind, fault.reached), (FaultKind::OutOfMemory, Reached::Yes), "{fault:?}");
    assert_eq!(output(&beside.await.unwrap()), json!({"ms": 3_000}), "the call beside it");
    assert_eq!(output(&call(&jars, &target, json!(1)).await), json!(1));
    jars.host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_metaspace_is_an_outcome_at_once_and_the_jvm_is_replaced() {
    if without_java("jar::a_full_metaspace_is_an_outcome_at_once_and_the_jvm_is_replaced") {
        return;
    }
    let jars = Arc::new(Jars::new(false));
    let target = started(&jars, jars.component("pricing", |_| {})).await;
    let before = call(&jars, &target, json!({"a": 1})).await;
    let beside = tokio::spawn({
        let (jars, target) = (jars.clone(), target.at("sleep"));
        async move { call(&jars, &target, json!({"ms": 3_000})).await }
    });
    while jars.host.stats()[0].instances.iter().all(|instance| instance.in_flight == 0) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // Nothing but its own failure ends it: it has no end, and its deadline is far away.
    let fault = fault(&call_within(&jars, &target.at("classes"), json!({}), 20 * AMPLE).await);
    assert_eq!((fault.kind, fault.reached), (FaultKind::OutOfMemory, Reached::Yes), "{fault:?}");
    assert!(fault.message.contains("OutOfMemoryError: Metaspace"), "{}", fault.message);
    assert_eq!(output(&beside.await.unwrap()), json!({"ms": 3_000}), "the call beside it");
    // It takes calls until the hub has read that it ends.
    let begun = Instant::now();
    loop {
        let after = call(&jars, &target, json!({"a": 2})).await;
        assert_eq!(output(&after), json!({"a": 2}));
        if before.instance != after.instance {
            break;
        }
        assert!(begun.elapsed() < AMPLE, "the JVM is not replaced");
    }
    jars.host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_hook_that_hangs_and_a_child_that_was_left_end_with_the_jvm() {
    if without_java("jar::a_shutdown_hook_that_hangs_and_a_child_that_was_left_end_with_the_jvm") {
        return;
    }
    let jars = Jars::new(false);
    let target = started(&jars, jars.component("pricing", |_| {})).await;
    let seen = call(&jars, &target.at("hook"), json!(1)).await;
    output(&seen);
    assert_eq!(output(&call(&jars, &target.at("leave-child"), json!(8642)).await), json!(true));
    let begun = Instant::now();
    while sleepers("8642").is_empty() && begun.elapsed() < Duration::from_secs(5) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(sleepers("8642").len(), 1);
    let begun = Instant::now();
    jars.host.drain(&target.component.name, "1.0.0").await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(!alive(&seen.instance.unwrap()));
    assert!(sleepers("8642").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_an_exit_cannot_be_held_back_its_call_fails_and_the_one_beside_it_is_answered() {
    let test = "jar::where_an_exit_cannot_be_held_back_its_call_fails_and_the_one_beside_it_is_answered";
    if without_java(test) {
        return;
    }
    let jars = Arc::new(Jars::new(false));
    let newer = JavaRange { least: 24, most: None };
    let target = jars.component("pricing", |shape| shape.java = Some(newer));
    if jars.host.fingerprint(&target.component).is_err() {
        crate::jars::skip(test, "there is no Java 24 or newer on this machine");
        return;
    }
    let target = started(&jars, target).await;
    let before = call(&jars, &target.at("hook"), json!(1)).await;
    let beside = tokio::spawn({
        let (jars, target) = (jars.clone(), target.at("sleep"));
        async move { call(&jars, &target, json!({"ms": 600})).await }
    });
    while jars.host.stats()[0].instances.iter().all(|instance| instance.in_flight == 0) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let seen = call(&jars, &target.at("exit"), json!({})).await;
    // A hook that hangs keeps the process from ending with its own status.
    let exited = fault(&seen);
    assert_eq!((exited.kind, exited.evidence.exit_code), (FaultKind::CrashedInCall, Some(1)), "{exited:?}");
    assert_eq!(output(&beside.await.unwrap()), json!({"ms": 600}));
    let after = call(&jars, &target, json!(1)).await;
    assert_ne!(before.instance, after.instance);
    jars.host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_main_class_runs_in_a_jvm_of_its_own_with_the_words_and_the_text_of_its_call() {
    if without_java("jar::a_main_class_runs_in_a_jvm_of_its_own_with_the_words_and_the_text_of_its_call") {
        return;
    }
    let jars = Jars::new(false);
    let target = started(&jars, jars.component("tool", |_| {})).await.at("run");
    let seen = call(&jars, &target, json!({"args": ["a", 2], "stdin": "!"})).await;
    assert_eq!(output(&seen), json!({"stdout": "a,2!", "exit": 0}));
    assert!(!alive(&seen.instance.unwrap()));
    assert_eq!(output(&call(&jars, &target, json!(null)).await), json!({"stdout": "", "exit": 0}));
    let fault = fault(&call(&jars, &target, json!({"args": ["exit", 7]})).await);
    assert_eq!((fault.kind, fault.evidence.exit_code), (FaultKind::ExitedNonZero, Some(7)));
    let allowed = started(
        &jars,
        changed(&target, |component| {
            component.version = "1.1.0".to_owned();
            let operations = component.services.get_mut(&target.service).unwrap();
            operations.get_mut(&target.operation).unwrap().call.success = vec![0, 7];
        }),
    )
    .await;
    let seen = call(&jars, &allowed, json!({"args": ["exit", 7]})).await;
    assert_eq!(output(&seen), json!({"stdout": "bye", "exit": 7}));
    let wrong = call(&jars, &target, json!({"arguments": []})).await;
    assert_eq!(
        (wrong.as_fault().unwrap().kind, wrong.as_fault().unwrap().reached),
        (FaultKind::BadArgument, Reached::No)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_jars_with_conflicting_versions_of_a_library_run_side_by_side() {
    if without_java("jar::two_jars_with_conflicting_versions_of_a_library_run_side_by_side") {
        return;
    }
    let jars = Jars::new(false);
    let mut targets = Vec::new();
    for version in ["1", "2"] {
        let library = format!(
            "package lib; public class Library {{ public static String version() {{ return \"{version}\"; }} }}"
        );
        let caller = "public class Caller { public static String version() { return lib.Library.version(); } }";
        let jar = compile(&[("lib/Library.java", &library), ("Caller.java", caller)], "8");
        let digest = jars.bench.artifacts.put(&jar);
        let target = changed(&jars.component(&format!("component-{version}"), |_| {}), |component| {
            let shape = shape_of(component);
            shape.files = [("probes.jar".to_owned(), digest)].into();
            let operations = component.services.values_mut().next().unwrap();
            operations.retain(|name, _| name.as_str() == "echo");
            for operation in operations.values_mut() {
                (operation.call.java, operation.returns) = (Some(method("Caller", "version")), Returns::Output);
            }
        });
        targets.push(started(&jars, target).await);
    }
    for _ in 0..3 {
        assert_eq!(output(&call(&jars, &targets[0], json!({})).await), json!("1"));
        assert_eq!(output(&call(&jars, &targets[1], json!({})).await), json!("2"));
    }
    jars.host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_class_for_a_newer_java_says_which_it_needs_before_and_at_the_start() {
    if without_java("jar::a_class_for_a_newer_java_says_which_it_needs_before_and_at_the_start") {
        return;
    }
    let bench = Jars::new(false);
    let needs = bench.component("pricing", |shape| shape.needs_java = 99);
    let fault = bench.host.fingerprint(&needs.component).unwrap_err();
    assert_eq!(fault.kind, FaultKind::ProgramMissing);
    assert!(fault.message.contains("needs Java 99 or newer; found here: Java "), "{}", fault.message);
    let fault = bench.host.start(needs.component.clone(), needs.digest).await.unwrap_err();
    assert!(fault.message.contains("pricing 1.0.0 cannot run here"), "{}", fault.message);

    // Whoever says that an older one will do is told by the JVM.
    let newer = compile(&[("Newer.java", "public class Newer { public static int one() { return 1; } }")], "newest");
    let digest = bench.bench.artifacts.put(&newer);
    let target =
        changed(&bench.component("newer", |shape| shape.java = Some(JavaRange { least: 8, most: Some(17) })), |c| {
            shape_of(c).files = [("probes.jar".to_owned(), digest)].into();
            let operations = c.services.values_mut().next().unwrap();
            operations.retain(|name, _| name.as_str() == "echo");
            for operation in operations.values_mut() {
                operation.call.java = Some(method("Newer", "one"));
            }
        });
    let target = started(&bench, target).await;
    let fault = bench.host.probe(&target.component.name, "1.0.0").await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::InitRefused);
    assert!(fault.message.contains("Newer") && fault.message.contains("69"), "{}", fault.message);
}

#[tokio::test]
async fn without_any_java_the_host_is_there_and_the_component_says_what_it_needs() {
    let jars = Jars::bare(|config: &mut JarConfig| config.java = JavaPlaces::default());
    let target = jars.component("pricing", |_| {});
    assert_eq!(jars.host.runtimes(), Runtimes::default());
    for fault in [
        jars.host.fingerprint(&target.component).unwrap_err(),
        jars.host.start(target.component.clone(), target.digest).await.unwrap_err(),
    ] {
        assert_eq!((fault.kind, fault.reached), (FaultKind::ProgramMissing, Reached::No));
        assert!(fault.message.contains("it needs Java 8 or newer; no Java was found"), "{}", fault.message);
    }
}
