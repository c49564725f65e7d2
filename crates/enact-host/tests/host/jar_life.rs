//! How long a JVM lives: kept warm, replaced without losing a call, started from an archive of its classes.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use enact_host::contract::Host;
use enact_model::descriptor::{JarShape, Recycle};
use enact_model::observation::{FaultKind, Reached};
use serde_json::json;

use crate::jar::{AMPLE, call, output, started};
use crate::jars::{Jars, changed, without_java};
use crate::shapes::alive;

/// Waits until something is so.
async fn until(what: &str, is: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < AMPLE, "{what} does not come");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_jvm_that_was_used_is_kept_warm_without_a_call() {
    if without_java("jar_life::a_jvm_that_was_used_is_kept_warm_without_a_call") {
        return;
    }
    let jars = Jars::new(false);
    let warm = started(&jars, jars.component("warm", |_| {})).await;
    let cold = started(&jars, jars.component("cold", |shape| shape.warm = 0)).await;
    let pid = |name: &str| {
        let stats = jars.host.stats();
        let own = stats.iter().find(|stats| stats.component.as_str() == name).unwrap();
        own.instances.first().map(|instance| instance.pid)
    };
    assert_eq!(pid("warm"), None, "nothing is started before it is used");
    for target in [&warm, &cold] {
        output(&call(&jars, target, json!(1)).await);
        let first = pid(target.component.name.as_str()).unwrap();
        let seen = call(&jars, &target.at("kill"), json!({})).await;
        assert_eq!(seen.as_fault().unwrap().evidence.signal, Some(9));
        if target.component.name.as_str() == "warm" {
            until("the next JVM", || pid("warm").is_some_and(|pid| pid != first)).await;
        } else {
            assert_eq!(pid("cold"), None);
        }
    }
    jars.host.shutdown().await;
    assert_eq!(enact_host::conformance::usage().unwrap().children, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_jvm_that_nobody_calls_gives_back_what_its_calls_have_left() {
    let test = "jar_life::a_jvm_that_nobody_calls_gives_back_what_its_calls_have_left";
    if without_java(test) {
        return;
    }
    if crate::jars::release() < 17 {
        crate::jars::skip(test, "below Java 17 a small heap has the serial collector, which gives little back");
        return;
    }
    let jars = Jars::new(false);
    let mut pids = Vec::new();
    // The second one is told not to collect when it is asked to, and nothing but a call would make it.
    for (name, also) in [("gives", None), ("keeps", Some("-XX:+DisableExplicitGC"))] {
        let options = ["-Denact.rests.after_ms=100"].into_iter().chain(also).map(str::to_owned);
        let target = jars.component(name, |shape| shape.options.extend(options.clone()));
        let target = started(&jars, target).await;
        let seen = call(&jars, &target.at("big-reply"), json!({})).await;
        assert_eq!(seen.as_fault().unwrap().kind, FaultKind::OutputTooLarge);
        pids.push(jars.host.stats().iter().find(|stats| stats.component.as_str() == name).unwrap().instances[0].pid);
    }
    let holds = |pid: u32| enact_host::proc::weight(pid).unwrap().resident_bytes;
    let [gives, keeps] = [pids[0], pids[1]];
    until("what is given back", || holds(gives) * 2 < holds(keeps)).await;
    // The text of a hundred million letters and the bytes that it was made of.
    assert!(holds(keeps) > 200 << 20, "{}", holds(keeps));
    jars.host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_jvm_is_replaced_by_calls_by_age_and_by_memory_and_no_call_is_lost() {
    if without_java("jar_life::a_jvm_is_replaced_by_calls_by_age_and_by_memory_and_no_call_is_lost") {
        return;
    }
    let jars = Arc::new(Jars::new(false));
    for (name, recycle, operation) in [
        ("calls", Recycle { calls: Some(40), ..Recycle::default() }, "echo"),
        ("age", Recycle { age_ms: Some(400), ..Recycle::default() }, "echo"),
        ("memory", Recycle { memory_bytes: Some(160 << 20), ..Recycle::default() }, "large"),
    ] {
        let target = started(&jars, jars.component(name, |shape| shape.recycle = recycle)).await;
        let first = call(&jars, &target, json!(0)).await.instance.unwrap();
        // Memory is taken once; calls and time go on.
        if operation != "echo" {
            output(&call(&jars, &target.at(operation), json!(0)).await);
        }
        let (over, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let lanes: Vec<_> = (0..4)
            .map(|lane| {
                let (jars, target) = (jars.clone(), target.at("sleep"));
                let (over, answered) = (over.clone(), answered.clone());
                tokio::spawn(async move {
                    while !over.load(Ordering::Relaxed) {
                        let seen = call(&jars, &target, json!({"ms": 3 + lane})).await;
                        output(&seen);
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        let recycled = || {
            let stats = jars.host.stats();
            stats.iter().find(|stats| stats.component.as_str() == name).map_or(0, |stats| stats.recycled)
        };
        let wanted = if name == "memory" { 1 } else { 2 };
        until("the next JVM", || recycled() >= wanted).await;
        until("the end of the first", || !alive(&first)).await;
        over.store(true, Ordering::Relaxed);
        for lane in lanes {
            lane.await.unwrap();
        }
        let stats = jars.host.stats();
        let own = stats.iter().find(|stats| stats.component.as_str() == name).unwrap();
        assert_eq!(own.faults, 0, "{name}: of {} calls", answered.load(Ordering::Relaxed));
        jars.host.drain(&target.component.name, "1.0.0").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jvms_that_have_no_call_for_long_end_but_for_those_that_are_kept_warm() {
    if without_java("jar_life::jvms_that_have_no_call_for_long_end_but_for_those_that_are_kept_warm") {
        return;
    }
    let jars = Arc::new(Jars::new(false));
    for warm in [1, 0] {
        let target = jars.component(&format!("warm-{warm}"), |shape| {
            (shape.instances, shape.calls_in_flight, shape.warm, shape.idle_ms) = (2, 1, warm, 300);
        });
        let target = started(&jars, target).await;
        crate::worker::rests(&jars.host, &target, 2, warm as usize).await;
    }
    jars.host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_version_takes_calls_while_the_old_one_finishes_its_own() {
    if without_java("jar_life::a_new_version_takes_calls_while_the_old_one_finishes_its_own") {
        return;
    }
    let jars = Arc::new(Jars::new(false));
    let old = started(&jars, jars.component("pricing", |_| {})).await;
    let first = call(&jars, &old, json!(1)).await.instance.unwrap();
    let running = tokio::spawn({
        let (jars, old) = (jars.clone(), old.at("sleep"));
        async move { call(&jars, &old, json!({"ms": 1_500})).await }
    });
    until("the call", || jars.host.stats()[0].instances.iter().any(|instance| instance.in_flight > 0)).await;
    let new = changed(&old, |component| component.version = "1.1.0".to_owned());
    let new = started(&jars, new).await;
    let draining = tokio::spawn({
        let jars = jars.clone();
        async move { jars.host.drain(&"pricing".parse().unwrap(), "1.0.0").await }
    });
    let second = call(&jars, &new, json!(2)).await;
    assert_ne!(second.instance.as_ref(), Some(&first));
    assert_eq!(output(&second), json!(2));
    assert_eq!(output(&running.await.unwrap()), json!({"ms": 1_500}), "the old one finished its call");
    draining.await.unwrap();
    assert!(!alive(&first));
    jars.host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_calls_are_in_a_jvm_than_it_may_have() {
    if without_java("jar_life::no_more_calls_are_in_a_jvm_than_it_may_have") {
        return;
    }
    let jars = Arc::new(Jars::new(false));
    let target = started(&jars, jars.component("pricing", |shape| shape.calls_in_flight = 2)).await;
    output(&call(&jars, &target, json!(1)).await);
    let calls: Vec<_> = (0..12)
        .map(|_| {
            let (jars, target) = (jars.clone(), target.at("sleep"));
            tokio::spawn(async move { output(&call(&jars, &target, json!({"ms": 60})).await) })
        })
        .collect();
    let mut most = 0;
    while calls.iter().any(|call| !call.is_finished()) {
        most = most.max(jars.host.stats()[0].instances.iter().map(|instance| instance.in_flight).sum());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for call in calls {
        assert_eq!(call.await.unwrap(), json!({"ms": 60}));
    }
    assert_eq!(most, 2);
    jars.host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_slow_after_quick_ones_keeps_no_other_call_waiting() {
    if without_java("jar_life::a_call_that_is_slow_after_quick_ones_keeps_no_other_call_waiting") {
        return;
    }
    let jars = Arc::new(Jars::new(false));
    let target = started(&jars, jars.component("pricing", |shape| shape.calls_in_flight = 4)).await;
    // After these the JVM runs a call on the thread that reads the wire.
    for _ in 0..200 {
        output(&call(&jars, &target.at("sleep"), json!({"ms": 0})).await);
    }
    let running: Vec<_> = (0..3)
        .map(|_| {
            let (jars, target) = (jars.clone(), target.at("sleep"));
            tokio::spawn(async move { output(&call(&jars, &target, json!({"ms": 10_000})).await) })
        })
        .collect();
    let in_flight = || jars.host.stats()[0].instances.iter().map(|instance| instance.in_flight).sum::<u32>();
    until("the calls", || in_flight() == 3).await;
    for number in 0..20 {
        assert_eq!(output(&call(&jars, &target, json!(number)).await), json!(number));
    }
    assert!(running.iter().all(|call| !call.is_finished()), "they were answered after the slow ones");
    for call in running {
        assert_eq!(call.await.unwrap(), json!({"ms": 10_000}));
    }
    jars.host.shutdown().await;
}

fn archives(jars: &Jars) -> Vec<PathBuf> {
    let folder = jars.bench.folder.path().join("java/classes");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|ending| ending == "sha256")).collect()
}

/// Returns whether a process has a file mapped.
fn maps(instance: &str, ending: &str) -> bool {
    let pid = instance.strip_prefix("process ").unwrap();
    std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap().lines().any(|line| line.ends_with(ending))
}

/// Returns whether a process has a file open.
fn opens(instance: &str, ending: &str) -> bool {
    let pid = instance.strip_prefix("process ").unwrap();
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    open.filter_map(|entry| std::fs::read_link(entry.path()).ok()).any(|file| file.to_string_lossy().ends_with(ending))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_of_classes_is_made_beside_the_calls_and_only_what_was_checked_is_used() {
    if without_java("jar_life::an_archive_of_classes_is_made_beside_the_calls_and_only_what_was_checked_is_used") {
        return;
    }
    if crate::jars::release() < 17 {
        crate::jars::skip("jar_life::an_archive_of_classes_is_made", "archives of classes are made from Java 17 on");
        return;
    }
    let jars = Jars::new(true);
    let target = started(&jars, jars.component("pricing", |_| {})).await;
    let begun = Instant::now();
    let seen = call(&jars, &target, json!(1)).await;
    let first = begun.elapsed();
    let instance = seen.instance.unwrap();
    assert!(!maps(&instance, ".jsa") || archives(&jars).is_empty());
    assert!(opens(&instance, "probes.jar"), "the first start looks into the jar");
    until("the archive", || !archives(&jars).is_empty()).await;
    output(&call(&jars, &target, json!(1)).await);
    let own = archives(&jars)[0].with_extension("jsa");
    let name = own.file_name().unwrap().to_str().unwrap().to_owned();
    let restart = async |target| {
        jars.host.drain(&"pricing".parse().unwrap(), "1.0.0").await;
        let target = started(&jars, target).await;
        let begun = Instant::now();
        let seen = call(&jars, &target, json!(1)).await;
        output(&seen);
        (seen.instance.unwrap(), begun.elapsed())
    };
    let (instance, second) = restart(target.clone()).await;
    assert!(maps(&instance, &name), "the second start does not use {name}");
    assert!(!opens(&instance, "probes.jar"), "the second start looks into the jar again");
    println!("the first start took {first:?}, the one from the archive {second:?}");

    // A start from the archive does not wait until exits can be held back; the first call is answered all the same, and
    // who has asked once finds them held back.
    jars.host.drain(&"pricing".parse().unwrap(), "1.0.0").await;
    let target = started(&jars, target).await;
    let [asked, again, after] = [
        call(&jars, &target.at("exit"), json!({})).await,
        call(&jars, &target.at("exit"), json!({})).await,
        call(&jars, &target, json!(1)).await,
    ];
    for exited in [&asked, &again] {
        let fault = exited.as_fault().unwrap();
        let what = (fault.kind, fault.reached, fault.evidence.exit_code);
        assert_eq!(what, (FaultKind::ExitedNonZero, Reached::Yes, Some(3)), "{fault:?}");
    }
    assert_ne!(asked.instance, again.instance);
    assert_eq!(again.instance == after.instance, crate::jars::holds_exits());

    // One byte in its middle: the JVM would not notice before it is too late.
    let mut bytes = std::fs::read(&own).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    std::fs::remove_file(&own).unwrap();
    std::fs::write(&own, &bytes).unwrap();
    let (instance, _) = restart(target.clone()).await;
    assert!(!maps(&instance, &name), "an altered archive is used");
    until("another archive", || !archives(&jars).is_empty()).await;
    jars.host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_main_class_starts_from_an_archive_that_the_first_one_has_left() {
    if without_java("jar_life::a_main_class_starts_from_an_archive_that_the_first_one_has_left") {
        return;
    }
    if crate::jars::release() < 17 {
        crate::jars::skip("jar_life::a_main_class_starts_from", "archives of classes are made from Java 17 on");
        return;
    }
    let jars = Jars::new(true);
    let target = started(&jars, jars.component("tool", |_| {})).await.at("run");
    let used = async || output(&call(&jars, &target, json!({"args": ["maps"]})).await)["stdout"].to_string();
    let before = used().await;
    until("the archive", || !archives(&jars).is_empty()).await;
    let own = archives(&jars)[0].with_extension("jsa");
    let name = own.file_name().unwrap().to_str().unwrap();
    assert!(!before.contains(name), "{name} was not there yet: {before}");
    let after = used().await;
    assert!(after.contains(name), "a main class does not use {name}: {after}");
    jars.host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_deletes_of_a_running_host_is_brought_again_for_the_next_jvm() {
    if without_java("jar_life::what_somebody_deletes_of_a_running_host_is_brought_again_for_the_next_jvm") {
        return;
    }
    let jars = Jars::new(false);
    let own = started(&jars, jars.component("own", |shape| shape.warm = 0)).await;
    let share = |shape: &mut JarShape| (shape.warm, shape.jvm) = (0, Some("legacy".parse().unwrap()));
    let shared = started(&jars, jars.component("shared", share)).await;
    for target in [&own, &shared] {
        let before = call(&jars, target, json!(1)).await;
        for folder in ["scratch", "packages", "java"] {
            std::fs::remove_dir_all(jars.bench.folder.path().join(folder)).unwrap();
        }
        assert_eq!(output(&call(&jars, target, json!(2)).await), json!(2), "the JVM that runs needs none of it");
        call(&jars, &target.at("kill"), json!({})).await;
        let after = call(&jars, target, json!(3)).await;
        assert_eq!(output(&after), json!(3));
        assert_ne!(before.instance, after.instance);
    }
    for folder in ["scratch", "packages", "java"] {
        std::fs::remove_dir_all(jars.bench.folder.path().join(folder)).unwrap();
    }
    let ran = output(&call(&jars, &own.at("run"), json!({"args": ["a"]})).await);
    assert_eq!(ran, json!({"stdout": "a", "exit": 0}));
    jars.host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_class_path_that_the_system_does_not_take_is_told_in_one_sentence() {
    if without_java("jar_life::a_class_path_that_the_system_does_not_take_is_told_in_one_sentence") {
        return;
    }
    let jars = Jars::new(false);
    let target = started(
        &jars,
        jars.component("wide", |shape| {
            let digest = *shape.files.values().next().unwrap();
            for number in 0..600 {
                let name = format!("{number:0200}.jar");
                shape.paths.push(name.clone());
                shape.files.insert(name, digest);
            }
        }),
    )
    .await;
    let seen = call(&jars, &target, json!(1)).await;
    let fault = seen.as_fault().unwrap();
    assert_eq!((fault.kind, fault.reached), (FaultKind::StartFailed, Reached::No));
    assert!(fault.message.contains("the class path of 601 archives has "), "{}", fault.message);
    assert!(fault.message.len() < 300, "{}", fault.message);
    jars.host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_archive_of_classes_that_somebody_deletes_is_made_anew() {
    let test = "jar_life::an_archive_of_classes_that_somebody_deletes_is_made_anew";
    if without_java(test) {
        return;
    }
    if crate::jars::release() < 17 {
        crate::jars::skip(test, "archives of classes are made from Java 17 on");
        return;
    }
    let jars = Jars::new(true);
    let target = started(&jars, jars.component("tool", |_| {})).await.at("run");
    for _ in 0..2 {
        let ran = output(&call(&jars, &target, json!({"args": ["a"]})).await);
        assert_eq!(ran, json!({"stdout": "a", "exit": 0}));
        until("the archive", || !archives(&jars).is_empty()).await;
        std::fs::remove_dir_all(jars.bench.folder.path().join("java")).unwrap();
    }
    jars.host.shutdown().await;
}
