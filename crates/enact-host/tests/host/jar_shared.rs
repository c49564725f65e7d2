//! Several components in one JVM: their libraries do not meet, their process is one, and who comes or goes costs no call.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use enact_host::conformance::{Target, call_of};
use enact_host::contract::{
    BoxFuture, CancelToken, ContextPort, Host, HostObservation, HostState, PortError, RefusedRequest, StateValue,
};
use enact_model::descriptor::{JarShape, JavaRange, Returns};
use enact_model::envelope::StateScope;
use enact_model::id::ReferenceId;
use enact_model::json::Json;
use enact_model::observation::{Fault, FaultKind, Reached};
use enact_model::reference::Reference;
use serde_json::json;

use crate::jar::{AMPLE, call, output, started};
use crate::jars::{Jars, changed, compile, method, shape_of, without_java};
use crate::shapes::alive;

fn shared(shape: &mut JarShape) {
    shape.jvm = Some("legacy".parse().unwrap());
}

#[track_caller]
fn fault(seen: &HostObservation) -> &Fault {
    seen.as_fault().unwrap_or_else(|| panic!("{:?}", seen.seen))
}

async fn until(what: &str, is: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < AMPLE, "{what} does not come");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn in_flight(jars: &Jars, component: &str) -> u32 {
    let stats = jars.host.stats();
    let own = stats.iter().filter(|stats| stats.component.as_str() == component);
    own.flat_map(|stats| &stats.instances).map(|instance| instance.in_flight).sum()
}

/// Answers a call that asks for its state once it is open.
struct Gate(tokio::sync::watch::Receiver<bool>);

impl ContextPort for Gate {
    fn state_get(&self, _: StateScope, _: String) -> BoxFuture<'_, Result<Option<StateValue>, PortError>> {
        let mut open = self.0.clone();
        Box::pin(async move {
            open.wait_for(|open| *open).await.map_err(|_| PortError::Over)?;
            Ok(Some(StateValue { value: Json::of(&"through"), version: 1 }))
        })
    }
    fn reference_get(&self, _: ReferenceId) -> BoxFuture<'_, Result<Option<Reference>, PortError>> {
        Box::pin(std::future::ready(Err(PortError::Unavailable)))
    }
    fn log_get(&self) -> BoxFuture<'_, Result<Vec<Json>, PortError>> {
        Box::pin(std::future::ready(Err(PortError::Unavailable)))
    }
    fn refused(&self, what: RefusedRequest) {
        panic!("{what:?}");
    }
}

/// A component of one operation, `echo`, that tells the version of the library which it was built with.
fn of_library(jars: &Jars, version: &str, change: impl Fn(&mut JarShape)) -> Target {
    let library = format!(
        "package lib; public class Library {{ public static int calls; public static String version() {{ calls++; \
         return \"{version}/\" + calls; }} }}"
    );
    let caller = "public class Caller { public static String version() throws Exception { \
                  return Class.forName(\"lib.Library\", true, Thread.currentThread().getContextClassLoader()) == \
                  lib.Library.class ? lib.Library.version() : \"another\"; } }";
    let jar = compile(&[("lib/Library.java", &library), ("Caller.java", caller)], "8");
    let digest = jars.bench.artifacts.put(&jar);
    changed(&jars.component(&format!("built-with-{version}"), |_| {}), |component| {
        let shape = shape_of(component);
        shape.files = [("probes.jar".to_owned(), digest)].into();
        change(shape);
        let operations = component.services.values_mut().next().unwrap();
        operations.retain(|name, _| name.as_str() == "echo");
        for operation in operations.values_mut() {
            (operation.call.java, operation.returns) = (Some(method("Caller", "version")), Returns::Output);
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conflicting_versions_of_a_library_run_side_by_side_in_one_process() {
    if without_java("jar_shared::conflicting_versions_of_a_library_run_side_by_side_in_one_process") {
        return;
    }
    let jars = Jars::new(false);
    let (one, two) = (of_library(&jars, "1", shared), of_library(&jars, "2", shared));
    let (one, two) = (started(&jars, one).await, started(&jars, two).await);
    for count in 1..=3 {
        let seen = [call(&jars, &one, json!({})).await, call(&jars, &two, json!({})).await];
        // What is static is each component's own, too.
        assert_eq!(seen.each_ref().map(output), [json!(format!("1/{count}")), json!(format!("2/{count}"))]);
        assert_eq!(seen[0].instance, seen[1].instance, "they are in one process");
    }
    let only = call(&jars, &one, json!({})).await.instance.unwrap();
    for stats in jars.host.stats() {
        assert_eq!(
            (stats.state, stats.instances.len(), stats.started),
            (HostState::Ready, 1, 1),
            "{}",
            stats.component
        );
    }
    jars.host.shutdown().await;
    assert!(!alive(&only));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ends_a_shared_process_loses_the_calls_of_all_and_names_the_culprit() {
    if without_java("jar_shared::what_ends_a_shared_process_loses_the_calls_of_all_and_names_the_culprit") {
        return;
    }
    let jars = Arc::new(Jars::new(false));
    let culprit = started(&jars, jars.component("culprit", shared)).await;
    let sibling = started(&jars, jars.component("sibling", shared)).await;
    let apart = started(&jars, jars.component("apart", |_| {})).await;
    for (operation, argument, kind, says) in [
        // Nobody can say which of the calls it was.
        ("kill", json!({}), FaultKind::LostWithInstance, "while calls of culprit.probe.kill, sibling.probe.sleep were"),
        ("garbage", json!({}), FaultKind::LostWithInstance, "sent something that is no frame"),
        ("loop", json!(null), FaultKind::DeadlineExceeded, "in a call of culprit.probe.loop"),
    ] {
        let before = call(&jars, &sibling, json!(1)).await;
        assert_eq!(call(&jars, &culprit, json!(1)).await.instance, before.instance);
        let beside = tokio::spawn({
            let (jars, sibling) = (jars.clone(), sibling.at("sleep"));
            async move { call(&jars, &sibling, json!({"ms": 60_000})).await }
        });
        until("the sibling's call", || in_flight(&jars, "sibling") > 0).await;
        let budget = if operation == "loop" { Duration::from_secs(2) } else { AMPLE };
        let seen = crate::jar::call_within(&jars, &culprit.at(operation), argument, budget).await;
        let beside = beside.await.unwrap();
        assert_eq!(fault(&seen).kind, kind, "{operation}: {:?}", fault(&seen));
        let lost = fault(&beside);
        assert_eq!((lost.kind, lost.reached), (FaultKind::LostWithInstance, Reached::Unknown), "{operation}: {lost:?}");
        assert!(lost.message.contains(says), "{operation}: {}", lost.message);
        assert_eq!(output(&call(&jars, &apart, json!(3)).await), json!(3), "another JVM after {operation}");
        let after = call(&jars, &sibling, json!(2)).await;
        assert_eq!(output(&after), json!(2));
        assert_ne!(after.instance, before.instance);
    }
    // What is an outcome of its call alone in a JVM of its own is so here.
    let before = call(&jars, &sibling, json!(1)).await;
    assert_eq!(fault(&call(&jars, &culprit.at("overflow"), json!({})).await).kind, FaultKind::HandlerBroken);
    assert_eq!(call(&jars, &sibling, json!(1)).await.instance, before.instance);
    jars.host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_that_comes_or_goes_replaces_the_process_and_no_call_of_the_others_is_lost() {
    let test = "jar_shared::a_component_that_comes_or_goes_replaces_the_process_and_no_call_of_the_others_is_lost";
    if without_java(test) {
        return;
    }
    let jars = Arc::new(Jars::new(false));
    let stays = started(&jars, jars.component("stays", shared)).await;
    let first = call(&jars, &stays, json!(0)).await.instance.unwrap();
    let (gate, open) = tokio::sync::watch::channel(false);
    let long = tokio::spawn({
        let (jars, stays) = (jars.clone(), stays.at("ask"));
        let ask = Json::of(&json!({"type": "state_get", "scope": "session", "key": "gate"}));
        async move {
            let call = call_of(&stays, ask, 10 * AMPLE);
            jars.host.invoke(call, Arc::new(Gate(open)), CancelToken::never()).await
        }
    });
    until("the long call", || in_flight(&jars, "stays") > 0).await;
    let (over, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let lanes: Vec<_> = (0..3)
        .map(|lane| {
            let (jars, stays, over, answered) = (jars.clone(), stays.at("sleep"), over.clone(), answered.clone());
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    output(&call(&jars, &stays, json!({"ms": 2 + lane})).await);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let comes = started(&jars, of_library(&jars, "1", shared)).await;
    jars.host.probe(&comes.component.name, "1.0.0").await.unwrap();
    let both = call(&jars, &comes, json!({})).await;
    assert_eq!(output(&both), json!("1/1"));
    let second = both.instance.unwrap();
    assert_ne!(second, first, "one process never has classes that it was not started with");
    assert_eq!(call(&jars, &stays, json!(1)).await.instance.as_ref(), Some(&second), "the others have moved");
    assert!(alive(&first), "the former finishes its calls");
    gate.send_replace(true);
    assert_eq!(output(&long.await.unwrap())["value"], json!("through"));
    until("the end of the former", || !alive(&first)).await;

    jars.host.drain(&comes.component.name, "1.0.0").await;
    until("the end of the classes of who has gone", || !alive(&second)).await;
    assert_eq!(output(&call(&jars, &stays, json!(2)).await), json!(2));
    assert_eq!(fault(&call(&jars, &comes, json!({})).await).kind, FaultKind::HostGone);
    // It may come again.
    let comes = started(&jars, comes).await;
    let third = call(&jars, &comes, json!({})).await;
    assert_eq!(output(&third), json!("1/1"));
    over.store(true, Ordering::Relaxed);
    for lane in lanes {
        lane.await.unwrap();
    }
    let stats = jars.host.stats();
    let own = stats.iter().find(|stats| stats.component.as_str() == "stays").unwrap();
    assert_eq!(own.faults, 0, "of {} calls", answered.load(Ordering::Relaxed));
    for target in [&comes, &stays] {
        jars.host.drain(&target.component.name, "1.0.0").await;
    }
    until("the end of the last", || !alive(third.instance.as_ref().unwrap())).await;
    let stats = jars.host.stats();
    assert!(stats.iter().all(|stats| stats.state == HostState::Gone && stats.instances.is_empty()), "{stats:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_version_shares_the_process_until_the_old_one_is_drained() {
    if without_java("jar_shared::a_new_version_shares_the_process_until_the_old_one_is_drained") {
        return;
    }
    let jars = Jars::new(false);
    let old = started(&jars, jars.component("pricing", shared)).await;
    let first = call(&jars, &old, json!(1)).await;
    let new = changed(&old, |component| component.version = "1.1.0".to_owned());
    let new = started(&jars, new).await;
    let seen = call(&jars, &new, json!(2)).await;
    assert_ne!(seen.instance, first.instance);
    assert_eq!(call(&jars, &old, json!(1)).await.instance, seen.instance);
    jars.host.drain(&old.component.name, "1.0.0").await;
    until("the process without the old version", || !alive(seen.instance.as_ref().unwrap())).await;
    assert_eq!(output(&call(&jars, &new, json!(3)).await), json!(3));
    jars.host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_that_cannot_be_made_is_refused_alone_with_its_reason() {
    if without_java("jar_shared::a_component_that_cannot_be_made_is_refused_alone_with_its_reason") {
        return;
    }
    let jars = Jars::new(false);
    let healthy = started(&jars, jars.component("healthy", shared)).await;
    let before = call(&jars, &healthy, json!(1)).await;
    let broken = changed(&jars.component("broken", shared), |component| {
        for operation in component.services.values_mut().flat_map(|operations| operations.values_mut()) {
            operation.call.java = Some(method("Gone", "echo"));
        }
    });
    let broken = started(&jars, broken).await;
    let why = jars.host.probe(&broken.component.name, "1.0.0").await.unwrap_err();
    assert_eq!((why.kind, why.reached), (FaultKind::InitRefused, Reached::No));
    assert!(why.message.contains("broken@1.0.0/probe.echo: there is no class Gone"), "{}", why.message);
    let seen = call(&jars, &broken, json!({})).await;
    assert_eq!((fault(&seen).kind, fault(&seen).reached), (FaultKind::InitRefused, Reached::No));
    assert_eq!(call(&jars, &healthy, json!(1)).await.instance, before.instance, "the others stay where they are");
    jars.host.drain(&broken.component.name, "1.0.0").await;
    let neighbour = started(&jars, jars.component("neighbour", shared)).await;
    let seen = call(&jars, &neighbour, json!(4)).await;
    assert_eq!(output(&seen), json!(4));
    assert_eq!(call(&jars, &healthy, json!(1)).await.instance, seen.instance);

    // Nor does it keep the others from their start, when all are started anew.
    let again = Jars::new(false);
    let broken = started(&again, broken).await;
    let healthy = started(&again, healthy).await;
    assert_eq!(fault(&call(&again, &broken, json!({})).await).kind, FaultKind::InitRefused);
    assert_eq!(output(&call(&again, &healthy, json!(5)).await), json!(5));
    again.host.shutdown().await;
    jars.host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn components_that_contradict_each_other_are_told_before_anything_starts() {
    if without_java("jar_shared::components_that_contradict_each_other_are_told_before_anything_starts") {
        return;
    }
    let jars = Jars::new(false);
    let java = |least, most| {
        move |shape: &mut JarShape| {
            shared(shape);
            shape.java = Some(JavaRange { least, most });
        }
    };
    let release = crate::jars::release();
    started(&jars, jars.component("old", java(8, Some(release)))).await;
    let new = jars.component("new", java(release + 1, None));
    for why in [
        jars.host.fingerprint(&new.component).unwrap_err(),
        jars.host.start(new.component.clone(), new.digest).await.unwrap_err(),
    ] {
        assert_eq!((why.kind, why.reached), (FaultKind::StartFailed, Reached::No));
        let says = format!(
            "new 1.0.0 cannot share the JVM legacy with old 1.0.0: what it runs on is Java {} or newer for the one and \
             Java 8 to {release} for the other",
            release + 1
        );
        assert!(why.message.contains(&says), "{}", why.message);
    }
    let apart = started(&jars, jars.component("new", |_| {})).await;
    assert_eq!(output(&call(&jars, &apart, json!(1)).await), json!(1));
    jars.host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_main_class_of_a_component_that_shares_has_a_jvm_of_its_own() {
    if without_java("jar_shared::a_main_class_of_a_component_that_shares_has_a_jvm_of_its_own") {
        return;
    }
    let jars = Jars::new(false);
    let tool = started(&jars, jars.component("tool", shared)).await;
    let kept = call(&jars, &tool, json!(1)).await;
    let ran = call(&jars, &tool.at("run"), json!({"args": ["a"]})).await;
    assert_eq!(output(&ran), json!({"stdout": "a", "exit": 0}));
    assert_ne!(kept.instance, ran.instance);
    jars.host.shutdown().await;
}
