//! What a pool of workers does beyond the suite: it grows, drains, and gives a call its files and its context.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use enact_host::conformance::{Target, call_for, call_of, no_port};
use enact_host::contract::{CancelToken, Host, HostObservation, HostSeen, HostState, Secrets};
use enact_model::descriptor::{ProcessShape, Shape};
use enact_model::json::Json;
use enact_model::observation::FaultKind;

use crate::shapes::{Bench, Worker, alive, sleepers};

fn sleep(bench: &Bench, target: &Target, ms: u64) -> tokio::task::JoinHandle<HostObservation> {
    let call = call_of(&target.at("sleep"), Json::of(&serde_json::json!({ "ms": ms })), Duration::from_secs(20));
    let host = bench.host.clone();
    tokio::spawn(async move { host.invoke(call, no_port(), CancelToken::never()).await })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_grows_to_its_instances_and_no_further_and_keeps_its_limit_of_calls() {
    let bench = Bench::new();
    let target = Worker::component("pricing", "plain", |shape| {
        (shape.instances, shape.calls_in_flight) = (3, 2);
    });
    bench.host.start(target.component.clone(), target.digest).await.unwrap();
    assert_eq!(bench.host.stats()[0].state, HostState::Registered);
    let calls: Vec<_> = (0..24).map(|_| sleep(&bench, &target, 100)).collect();
    let watch = tokio::spawn({
        let host = bench.host.clone();
        async move {
            let mut most = (0, 0);
            loop {
                let stats = host.stats();
                most.0 = most.0.max(stats[0].instances.len());
                most.1 = most.1.max(stats[0].instances.iter().map(|i| i.in_flight).max().unwrap_or(0));
                if stats[0].instances.len() == 3 && stats[0].instances.iter().all(|i| i.in_flight == 0) {
                    return most;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    });
    let mut by_instance: BTreeMap<String, usize> = BTreeMap::new();
    for call in calls {
        let seen = call.await.unwrap();
        assert!(matches!(seen.seen, HostSeen::Replied(_)), "{:?}", seen.seen);
        *by_instance.entry(seen.instance.unwrap()).or_default() += 1;
    }
    assert_eq!(watch.await.unwrap(), (3, 2));
    assert_eq!(by_instance.len(), 3, "{by_instance:?}");
    let stats = &bench.host.stats()[0];
    assert_eq!((stats.state.clone(), stats.calls, stats.started, stats.faults), (HostState::Ready, 24, 3, 0));
}

/// Has as many instances start as calls at once make start, and sees all but those that stay end; no call is lost by it.
pub async fn rests(host: &Arc<impl Host + 'static>, target: &Target, instances: usize, stay: usize) {
    let sleep = |ms: u64| {
        let call = call_of(&target.at("sleep"), Json::of(&serde_json::json!({ "ms": ms })), Duration::from_secs(60));
        let host = host.clone();
        tokio::spawn(async move { host.invoke(call, no_port(), CancelToken::never()).await })
    };
    let own = || host.stats().into_iter().find(|stats| stats.component == target.component.name).unwrap();
    let until = async |what: &str, is: &dyn Fn() -> bool| {
        for _ in 0..12_000 {
            if is() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{what}: {:?}", own());
    };
    let mut used = std::collections::BTreeSet::new();
    while used.len() < instances {
        let calls: Vec<_> = (0..instances).map(|_| sleep(50)).collect();
        for call in calls {
            let seen = call.await.unwrap();
            assert!(matches!(seen.seen, HostSeen::Replied(_)), "{:?}", seen.seen);
            used.extend(seen.instance);
        }
    }
    until("those that rest end", &|| own().instances.len() == stay).await;
    until("their processes are gone", &|| used.iter().filter(|instance| alive(instance)).count() == stay).await;
    // The one that stays has rested as long, and goes on; so does one that a call of some length keeps from resting.
    let before: Vec<_> = own().instances.iter().map(|instance| instance.pid).collect();
    let seen = sleep(1_000).await.unwrap();
    assert!(matches!(seen.seen, HostSeen::Replied(_)), "{:?}", seen.seen);
    let kept = before.iter().any(|pid| seen.instance == Some(format!("process {pid}")));
    assert_eq!(kept, stay > 0);
    assert_eq!((own().faults, own().recycled), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_that_have_no_call_for_long_end_but_for_one() {
    let bench = Bench::new();
    let target = Worker::component("pricing", "plain", |shape| (shape.instances, shape.idle_ms) = (3, 150));
    bench.host.start(target.component.clone(), target.digest).await.unwrap();
    rests(&bench.host, &target, 3, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_is_told_the_secrets_of_a_call_in_its_context_and_of_no_other() {
    let bench = Bench::new();
    let target = Worker::component("pricing", "plain", |_| {}).at("secrets");
    bench.host.start(target.component.clone(), target.digest).await.unwrap();
    let mut call = call_of(&target, Json::null(), Duration::from_secs(20));
    let plain = call.clone();
    call.secrets = Secrets::new([("API_KEY".to_owned(), "hunter2".to_owned())].into());
    for (call, told) in [(call, r#"{"API_KEY":"hunter2"}"#), (plain, "null")] {
        let seen = bench.host.invoke(call, no_port(), CancelToken::never()).await;
        let HostSeen::Replied(reply) = &seen.seen else { panic!("{:?}", seen.seen) };
        assert_eq!(reply.output.as_str(), told);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drained_version_finishes_its_calls_and_its_workers_end() {
    let bench = Bench::new();
    let target = Worker::component("pricing", "plain", |_| {});
    bench.host.start(target.component.clone(), target.digest).await.unwrap();
    let running = sleep(&bench, &target, 300);
    while bench.host.stats()[0].instances.iter().all(|instance| instance.in_flight == 0) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let drained = tokio::spawn({
        let (host, name) = (bench.host.clone(), target.component.name.clone());
        async move { host.drain(&name, "1.0.0").await }
    });
    while bench.host.stats()[0].state != HostState::Draining {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let refused = sleep(&bench, &target, 0).await.unwrap();
    assert_eq!(refused.as_fault().unwrap().kind, FaultKind::HostGone);
    let seen = running.await.unwrap();
    assert!(matches!(seen.seen, HostSeen::Replied(_)), "{:?}", seen.seen);
    drained.await.unwrap();
    assert_eq!(bench.host.stats()[0].state, HostState::Gone);
    assert!(!alive(&seen.instance.unwrap()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_crash_do_not_open_the_circuit_and_the_next_start_comes_at_once() {
    let bench = Bench::new();
    let target = Worker::component("pricing", "plain", |_| {});
    bench.host.start(target.component.clone(), target.digest).await.unwrap();
    let mut instances = std::collections::BTreeSet::new();
    for _ in 0..8 {
        let call = call_of(&target.at("exit"), Json::null(), Duration::from_secs(20));
        let seen = bench.host.invoke(call, no_port(), CancelToken::never()).await;
        assert_eq!(seen.as_fault().unwrap().kind, FaultKind::CrashedInCall);
        instances.insert(seen.instance.unwrap());
    }
    assert_eq!(instances.len(), 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_stops_calls_and_leaves_no_process() {
    let bench = Bench::new();
    let target = Worker::component("pricing", "plain", |_| {});
    bench.host.start(target.component.clone(), target.digest).await.unwrap();
    let call = call_of(&target.at("loop"), Json::null(), Duration::from_secs(20));
    let running = tokio::spawn({
        let host = bench.host.clone();
        async move { host.invoke(call, no_port(), CancelToken::never()).await }
    });
    while bench.host.stats()[0].instances.iter().all(|instance| instance.in_flight == 0) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let host: Arc<dyn Host> = bench.host.clone();
    host.shutdown().await;
    let seen = running.await.unwrap();
    assert_eq!(seen.as_fault().unwrap().kind, FaultKind::Stopped);
    assert_eq!(enact_host::conformance::usage().unwrap().children, 0);
}

/// Runs one call in a tenant and returns its observation.
fn in_tenant(
    bench: &Bench,
    tenant: &str,
    target: &Target,
    argument: serde_json::Value,
) -> tokio::task::JoinHandle<HostObservation> {
    let call = call_for(tenant, target, Json::of(&argument), Duration::from_secs(20));
    let host = bench.host.clone();
    tokio::spawn(async move { host.invoke(call, no_port(), CancelToken::never()).await })
}

fn log_tail(seen: &HostObservation) -> String {
    seen.as_fault().unwrap().evidence.log_tail.clone().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_shows_what_was_logged_in_its_call_and_nothing_of_another_tenant() {
    let bench = Bench::new();
    let target = Worker::component("pricing", "plain", |_| {});
    bench.host.start(target.component.clone(), target.digest).await.unwrap();
    for _ in 0..20 {
        let secret = serde_json::json!({"text": "SECRET"});
        let seen = in_tenant(&bench, "alice", &target.at("log"), secret).await.unwrap();
        assert!(matches!(seen.seen, HostSeen::Replied(_)), "{:?}", seen.seen);
        let seen = in_tenant(&bench, "bob", &target.at("log-and-break"), "mine".into()).await.unwrap();
        assert_eq!(log_tail(&seen), "mine\n");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_logged_while_two_tenants_are_served_is_shown_to_neither() {
    let bench = Bench::new();
    let target = Worker::component("pricing", "plain", |shape| shape.calls_in_flight = 4);
    bench.host.start(target.component.clone(), target.digest).await.unwrap();
    let secret = serde_json::json!({"text": "SECRET", "ms": 10_000});
    let alice = in_tenant(&bench, "alice", &target.at("sleep"), secret.clone());
    while bench.host.stats()[0].instances.iter().all(|instance| instance.in_flight == 0) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let bob = in_tenant(&bench, "bob", &target.at("log-and-break"), "of bob".into()).await.unwrap();
    let alice = alice.await.unwrap();
    for seen in [&alice, &bob] {
        assert_eq!((seen.as_fault().unwrap().kind, log_tail(seen)), (FaultKind::LostWithInstance, String::new()));
    }
    // Calls of one tenant may see what the other logged.
    let sleeping = in_tenant(&bench, "alice", &target.at("sleep"), secret);
    while bench.host.stats()[0].instances.iter().all(|instance| instance.in_flight == 0) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let seen = in_tenant(&bench, "alice", &target.at("log-and-break"), "of alice".into()).await.unwrap();
    assert_eq!((log_tail(&seen), log_tail(&sleeping.await.unwrap())), ("of alice\n".into(), "of alice\n".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_left_the_process_group_ends_with_the_worker() {
    let bench = Bench::new();
    let target = Worker::component("pricing", "plain", |_| {});
    bench.host.start(target.component.clone(), target.digest).await.unwrap();
    let leave = |seconds: &str| in_tenant(&bench, "acme", &target.at("leave-session"), seconds.into());
    assert!(leave("424242").await.unwrap().as_fault().is_none());
    assert!(!sleepers("424242").is_empty());
    let crashed = in_tenant(&bench, "acme", &target.at("exit"), serde_json::Value::Null).await.unwrap();
    assert_eq!((crashed.as_fault().unwrap().kind, sleepers("424242")), (FaultKind::CrashedInCall, vec![]));
    assert!(leave("424243").await.unwrap().as_fault().is_none());
    bench.host.shutdown().await;
    assert_eq!(sleepers("424243"), [0; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_probe_keeps_its_instance_or_says_why_there_is_none() {
    let bench = Bench::new();
    let probe = async |target: &Target| {
        bench.host.start(target.component.clone(), target.digest).await.unwrap();
        bench.host.probe(&target.component.name, "1.0.0").await
    };
    let target = Worker::component("pricing", "plain", |_| {});
    for _ in 0..2 {
        probe(&target).await.unwrap();
        let stats = &bench.host.stats()[0];
        assert_eq!((&stats.state, stats.started, stats.instances.len()), (&HostState::Ready, 1, 1));
    }
    let failing =
        [("dies", FaultKind::StartDied), ("silent", FaultKind::StartTimedOut), ("refuses", FaultKind::InitRefused)];
    for (mode, wanted) in failing {
        let target = Worker::component(mode, mode, |shape| shape.start_timeout_ms = 300);
        assert_eq!(probe(&target).await.unwrap_err().kind, wanted);
    }
    // It has failed once; the first retry comes at once, so there is nothing to wait for.
    let stats = bench.host.stats();
    let dies = stats.iter().find(|stats| stats.component.as_str() == "dies").unwrap();
    assert!(matches!(dies.state, HostState::Degraded(_)), "{:?}", dies.state);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_names_its_operations_must_name_every_one_that_is_called() {
    let bench = Bench::new();
    let shape = |shape: &mut ProcessShape| shape.calls_in_flight = 1;
    let Shape::Process(process) = Worker::component("knows", "knows", shape).component.shape.clone() else {
        unreachable!("it is a process")
    };
    for (name, operations, wanted) in [
        ("knows", &["echo", "sleep"][..], None),
        (
            "knows-less",
            &["echo", "exit", "sleep", "kill"],
            Some("does not know the operations exit, kill; those it knows are probe.echo, Sleep"),
        ),
    ] {
        let target = Target::of(name, process.clone(), operations, "echo");
        bench.host.start(target.component.clone(), target.digest).await.unwrap();
        let fault = bench.host.probe(&target.component.name, "1.0.0").await.err();
        assert_eq!(fault.as_ref().map(|fault| fault.kind), wanted.map(|_| FaultKind::InitRefused), "{fault:?}");
        assert!(wanted.is_none_or(|text| fault.unwrap().message.contains(text)));
    }
}
