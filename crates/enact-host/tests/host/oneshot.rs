//! What a oneshot program is given and what is taken from it.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use enact_host::conformance::{Target, call_of, no_port};
use enact_host::contract::{
    CancelSource, CancelToken, Host, HostObservation, HostReply, HostSeen, ResolvedFile, Stop, StopKind,
};
use enact_model::descriptor::{
    Argument, Component, Operation, Pointer, Produce, ProduceFrom, Returns, Shape, Stdin, Stdout,
};
use enact_model::digest::Digest;
use enact_model::json::Json;
use enact_model::observation::{FaultKind, Reached};

use crate::shapes::{Bench, Oneshot, sleepers};

/// A component of one shell script, changed as a test needs it.
fn script(text: &str, change: impl FnOnce(&mut Component, &mut Operation)) -> Target {
    let mut target = Target::oneshot("script", &["sh", "-c", text, "sh"], "run");
    let mut component = (*target.component).clone();
    let mut operation = component.services[&target.service][&target.operation].clone();
    change(&mut component, &mut operation);
    component.services.get_mut(&target.service).unwrap().insert(target.operation.clone(), operation);
    target.digest = Digest::of(Json::of(&component).as_str().as_bytes());
    target.component = Arc::new(component);
    target
}

async fn run(bench: &Bench, target: &Target, argument: &str) -> HostObservation {
    run_with(bench, target, argument, BTreeMap::new()).await
}

async fn run_with(
    bench: &Bench,
    target: &Target,
    argument: &str,
    files: BTreeMap<Pointer, ResolvedFile>,
) -> HostObservation {
    bench.host.start(target.component.clone(), target.digest).await.unwrap();
    let mut call = call_of(target, Json::parse(argument).unwrap(), Duration::from_secs(20));
    call.files = files;
    bench.host.invoke(call, no_port(), CancelToken::never()).await
}

fn reply(seen: &HostObservation) -> &HostReply {
    match &seen.seen {
        HostSeen::Replied(reply) => reply,
        HostSeen::Fault(fault) => panic!("{fault:?}"),
    }
}

fn kind(seen: &HostObservation) -> FaultKind {
    seen.as_fault().unwrap_or_else(|| panic!("{:?}", seen.seen)).kind
}

fn at(text: &str) -> Pointer {
    Pointer(text.to_owned())
}

#[tokio::test]
async fn a_child_has_no_descriptor_of_the_hub() {
    let bench = Bench::new();
    // Things that a hub has open; and what the test was started with, without close-on-exec, is not the hub's.
    let inherited = inherited();
    let _open = (std::fs::File::open("/etc/passwd").unwrap(), std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let target = Oneshot::component("pricing", |_| {}).at("descriptors");
    let seen = run(&bench, &target, "{}").await;
    let open: Vec<String> = reply(&seen).output.to().unwrap();
    let own: Vec<&String> = open.iter().filter(|target| !inherited.contains(target)).collect();
    assert_eq!(own.len(), 3, "{open:?}");
    assert!(own.iter().all(|target| target.starts_with("pipe:")), "{open:?}");
}

/// Lists what descriptors above 2 without close-on-exec lead to.
fn inherited() -> Vec<String> {
    let flags = |fd: &str| {
        let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("flags:")).map(str::trim).map(str::to_owned);
        line.and_then(|octal| u32::from_str_radix(&octal, 8).ok())
    };
    let all = std::fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap().file_name());
    all.filter_map(|fd| fd.into_string().ok())
        .filter(|fd| fd.parse::<u32>().is_ok_and(|fd| fd > 2) && flags(fd).is_some_and(|f| f & 0o2_000_000 == 0))
        .filter_map(|fd| std::fs::read_link(format!("/proc/self/fd/{fd}")).ok())
        .map(|target| target.display().to_string())
        .collect()
}

#[tokio::test]
async fn the_environment_is_cleared_but_for_what_is_documented() {
    let bench = Bench::new();
    let target = Oneshot::component("pricing", |shape| {
        shape.env.insert("COLOUR".to_owned(), "blue".to_owned());
        shape.env.insert("ENACT_EPOCH".to_owned(), "99".to_owned());
    });
    let seen = run(&bench, &target.at("environment"), "{}").await;
    let env: BTreeMap<String, String> = reply(&seen).output.to().unwrap();
    let names: Vec<&str> = env.keys().map(String::as_str).collect();
    let documented = [
        "COLOUR",
        "ENACT_ATTEMPT",
        "ENACT_DEADLINE",
        "ENACT_EPOCH",
        "ENACT_EXECUTION_ID",
        "ENACT_HUB",
        "ENACT_IDEMPOTENCY_TOKEN",
        "ENACT_INSTANCE",
        "ENACT_SESSION_ID",
        "ENACT_TENANT_ID",
        "HOME",
        "LANG",
        "PATH",
        "TMPDIR",
        "TRACEPARENT",
    ];
    assert_eq!(names, documented);
    assert_eq!((env["ENACT_EPOCH"].as_str(), env["COLOUR"].as_str()), ("1", "blue"));
    assert_eq!((env["ENACT_ATTEMPT"].as_str(), env["ENACT_IDEMPOTENCY_TOKEN"].as_str()), ("1", "token-1"));
    assert_eq!((env["ENACT_TENANT_ID"].as_str(), env["ENACT_SESSION_ID"].as_str()), ("acme", "s-1"));
    assert!(env["HOME"].starts_with(bench.folder.path().to_str().unwrap()));
}

#[tokio::test]
async fn a_secret_is_a_variable_of_its_program_and_takes_the_place_of_none_of_the_hubs() {
    let bench = Bench::new();
    let target = Oneshot::component("pricing", |_| {}).at("environment");
    bench.host.start(target.component.clone(), target.digest).await.unwrap();
    let mut call = call_of(&target, Json::null(), Duration::from_secs(20));
    let given = [("API_KEY".to_owned(), "hunter2".to_owned()), ("ENACT_ATTEMPT".to_owned(), "9".to_owned())];
    call.secrets = enact_host::contract::Secrets::new(given.into());
    let seen = bench.host.invoke(call, no_port(), CancelToken::never()).await;
    let env: BTreeMap<String, String> = reply(&seen).output.to().unwrap();
    assert_eq!((env["API_KEY"].as_str(), env["ENACT_ATTEMPT"].as_str()), ("hunter2", "1"));
    // The next call has none.
    let env: BTreeMap<String, String> = reply(&run(&bench, &target, "{}").await).output.to().unwrap();
    assert!(!env.contains_key("API_KEY"));
}

#[tokio::test]
async fn arguments_files_and_standard_input_come_from_the_input() {
    let bench = Bench::new();
    let digest = bench.artifacts.put(b"line one\n");
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("in.txt"), "from the root\n").unwrap();
    let target = script(r#"cat; echo "$1"; cat "$2" "$3"; test -w "$2" && echo writable; basename "$2""#, |c, o| {
        let Shape::Process(shape) = &mut c.shape else { unreachable!("it is a process") };
        shape.roots.insert("docs".to_owned(), root.path().to_owned());
        o.call.stdin = Stdin::Text(at("/text"));
        o.call.stdout = Stdout::Text;
        o.call.args = vec![
            Argument::Value(at("/n")),
            Argument::File(at("/document")),
            Argument::Root { root: "docs".to_owned(), path: at("/path") },
        ];
    });
    let file = ResolvedFile { digest, name: "../a b.pdf".into(), media_type: "application/pdf".into(), size: 9 };
    let files = BTreeMap::from([(at("/document"), file)]);
    let argument = r#"{"text":"hello\n","n":1.50,"path":"in.txt","document":{}}"#;
    let seen = run_with(&bench, &target, argument, files.clone()).await;
    let text: String = reply(&seen).output.to().unwrap();
    // The superuser may write whatever its mode says.
    assert_eq!(text.replace("writable\n", ""), "hello\n1.50\nline one\nfrom the root\na b.pdf\n");

    let refused = argument.replace("in.txt", "../../etc/passwd");
    let seen = run_with(&bench, &target, &refused, files.clone()).await;
    assert_eq!((kind(&seen), seen.as_fault().unwrap().reached), (FaultKind::InputPathRefused, Reached::No));
    std::os::unix::fs::symlink("/etc/passwd", root.path().join("link")).unwrap();
    let seen = run_with(&bench, &target, &argument.replace("in.txt", "link"), files).await;
    assert_eq!(kind(&seen), FaultKind::InputPathRefused);
    assert_eq!(kind(&run(&bench, &target, argument).await), FaultKind::TemplateUnfit);

    let missing = ResolvedFile { digest: Digest::of(b"other"), name: "a".into(), media_type: "a/b".into(), size: 1 };
    let seen = run_with(&bench, &target, argument, BTreeMap::from([(at("/document"), missing)])).await;
    assert_eq!(kind(&seen), FaultKind::ArtifactMissing);
    bench.artifacts.0.lock().unwrap().insert(digest, b"altered".to_vec());
    let file = ResolvedFile { digest, name: "a".into(), media_type: "a/b".into(), size: 9 };
    let seen = run_with(&bench, &target, argument, BTreeMap::from([(at("/document"), file)])).await;
    assert_eq!(kind(&seen), FaultKind::ArtifactAltered);
}

#[tokio::test]
async fn produced_files_are_there_until_the_observation_is_dropped() {
    let bench = Bench::new();
    let produce = |name: &str, from: ProduceFrom| Produce {
        artifact: name.to_owned(),
        from,
        media_type: "text/plain".to_owned(),
        derived_from: vec![at("/document")],
    };
    let target = script(r#"seq 1 50000; echo made > "$1""#, |_, o| {
        o.call.args = vec![Argument::Out("out.txt".to_owned())];
        o.call.stdout = Stdout::Ignore;
        o.produces =
            vec![produce("{/name}.txt", ProduceFrom::Stdout), produce("b", ProduceFrom::File("out.txt".to_owned()))];
    });
    let mut seen = run(&bench, &target, r#"{"name":"numbers"}"#).await;
    let HostSeen::Replied(reply) = &mut seen.seen else { panic!("{:?}", seen.seen) };
    assert_eq!(reply.output, Json::null());
    let read: Vec<(String, u64, String)> = std::mem::take(&mut reply.produced)
        .into_iter()
        .map(|produced| {
            let mut text = String::new();
            produced.content.into_reader().read_to_string(&mut text).unwrap();
            (produced.name, produced.size, text)
        })
        .collect();
    assert_eq!((read[0].0.as_str(), read[0].1), ("numbers.txt", read[0].2.len() as u64));
    assert!(read[0].2.ends_with("49999\n50000\n"));
    assert_eq!(read[1], ("b".to_owned(), 5, "made\n".to_owned()));
    let scratch = bench.folder.path().join("scratch");
    assert_eq!(std::fs::read_dir(&scratch).unwrap().count(), 1);
    drop(seen);
    assert_eq!(std::fs::read_dir(&scratch).unwrap().count(), 0);
}

#[tokio::test]
async fn a_produced_file_that_is_missing_or_leads_out_is_a_failure() {
    let bench = Bench::new();
    for (text, wanted) in [
        ("true", FaultKind::ProducedMissing),
        ("ln -s /etc/passwd out", FaultKind::PathEscapes),
        ("mkfifo out", FaultKind::PathEscapes),
        ("head -c 2000 /dev/zero > out", FaultKind::OutputTooLarge),
    ] {
        let target = script(text, |_, o| {
            o.call.stdout = Stdout::Ignore;
            o.call.output_max_bytes = Some(1000);
            let from = ProduceFrom::File("out".to_owned());
            let (artifact, media_type) = ("a".to_owned(), "a/b".to_owned());
            o.produces = vec![Produce { artifact, from, media_type, derived_from: Vec::new() }];
        });
        assert_eq!(kind(&run(&bench, &target, "{}").await), wanted, "{text}");
    }
}

#[tokio::test]
async fn an_envelope_carries_effects_and_bytes() {
    let bench = Bench::new();
    let text = r#"printf data > made; echo '{"output":{"n":1},
        "state":[{"scope":"session","set":"last","value":7}], "events":[{"type":"a.made","key":"k"}],
        "artifacts":[{"name":"a","path":"made"},{"name":"b","media_type":"text/plain","base64":"aGk="}]}'"#;
    let target = script(text, |_, o| o.returns = Returns::Effects);
    let seen = run(&bench, &target, "{}").await;
    let reply = reply(&seen);
    let envelope = reply.envelope.as_ref().unwrap();
    assert_eq!(reply.output.as_str(), r#"{"n":1}"#);
    assert_eq!((envelope.state[0].key.as_str(), envelope.events[0].event_type.as_str()), ("last", "a.made"));
    let produced: Vec<_> = reply.produced.iter().map(|p| (p.name.as_str(), p.size)).collect();
    assert_eq!(produced, [("a", 4), ("b", 2)]);
    for path in ["../x", "/etc/passwd"] {
        let text = format!(r#"echo '{{"output":1,"artifacts":[{{"name":"a","path":"{path}"}}]}}'"#);
        let target = script(&text, |_, o| o.returns = Returns::Effects);
        assert_eq!(kind(&run(&bench, &target, "{}").await), FaultKind::PathEscapes, "{path}");
    }
}

#[tokio::test]
async fn unusable_output_is_kept_as_evidence() {
    let bench = Bench::new();
    for (text, wanted) in [
        ("echo nonsense", FaultKind::OutputNotJson),
        ("true", FaultKind::OutputNotJson),
        ("echo '{\"a\":1}{\"b\":2}'", FaultKind::OutputNotJson),
        ("echo '{\"a\":1,\"a\":2}'", FaultKind::OutputNotJson),
        ("echo NaN", FaultKind::OutputNotJson),
        ("echo 1; echo broken >&2; exit 4", FaultKind::ExitedNonZero),
    ] {
        let mut seen = run(&bench, &script(text, |_, _| {}), "{}").await;
        assert_eq!(kind(&seen), wanted, "{text}");
        let mut kept = String::new();
        if let Some(raw) = seen.raw_output.take() {
            raw.content.into_reader().read_to_string(&mut kept).unwrap();
        }
        assert_eq!(kept.is_empty(), text == "true", "{text}: {kept}");
    }
    let seen = run(&bench, &script("echo broken >&2; exit 4", |_, _| {}), "{}").await;
    assert_eq!(seen.as_fault().unwrap().evidence.log_tail.as_deref(), Some("broken\n"));
    let target = script("echo 1; exit 4", |_, o| o.call.success = vec![4]);
    assert_eq!(reply(&run(&bench, &target, "{}").await).output.as_str(), "1");
}

#[tokio::test]
async fn a_program_that_cannot_run_says_why_before_it_is_called() {
    let bench = Bench::new();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str, mode: u32| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path.display().to_string()
    };
    let cases = [
        ("/no/such/program".to_owned(), FaultKind::ProgramMissing, true),
        ("no-such-program".to_owned(), FaultKind::ProgramMissing, true),
        (file("plain", "#!/bin/sh\n", 0o644), FaultKind::ProgramNotExecutable, true),
        // These are seen only when they are started.
        (file("orphan", "#!/no/such/interpreter\n", 0o755), FaultKind::ProgramMissing, false),
        (file("noise", "\u{7f}ELF nonsense", 0o755), FaultKind::ProgramNotExecutable, false),
    ];
    for (program, wanted, early) in cases {
        let target = Target::oneshot("broken", &[&program], "run");
        let started = bench.host.start(target.component.clone(), target.digest).await;
        let fault = if early {
            assert_eq!(bench.host.fingerprint(&target.component).unwrap_err().kind, wanted);
            started.unwrap_err()
        } else {
            run(&bench, &target, "{}").await.as_fault().unwrap().clone()
        };
        assert_eq!((fault.kind, fault.reached), (wanted, Reached::No), "{program}");
        assert!(fault.evidence.os_error.is_some(), "{fault:?}");
    }
    let found = bench.host.fingerprint(&script("true", |_, _| {}).component).unwrap();
    assert!(found.facts["program"].ends_with("/sh"));
}

#[tokio::test]
async fn packaged_files_are_brought_here_and_drained_versions_take_no_calls() {
    let bench = Bench::new();
    let digest = bench.artifacts.put(b"echo '\"packaged\"'\n");
    let target = script("", |c, _| {
        let Shape::Process(shape) = &mut c.shape else { unreachable!("it is a process") };
        shape.command = vec!["sh".to_owned(), "run.sh".to_owned()];
        shape.files.insert("run.sh".to_owned(), digest);
    });
    assert_eq!(reply(&run(&bench, &target, "{}").await).output.as_str(), "\"packaged\"");
    bench.host.drain(&target.component.name, "1.0.0").await;
    let call = call_of(&target, Json::null(), Duration::from_secs(1));
    let seen = bench.host.invoke(call, no_port(), CancelToken::never()).await;
    assert_eq!(kind(&seen), FaultKind::HostGone);
    // Started again it takes calls again.
    assert_eq!(reply(&run(&bench, &target, "{}").await).output.as_str(), "\"packaged\"");
    let lost = script("", |c, _| {
        let Shape::Process(shape) = &mut c.shape else { unreachable!("it is a process") };
        shape.files.insert("run.sh".to_owned(), Digest::of(b"nobody has it"));
    });
    let fault = bench.host.start(lost.component.clone(), lost.digest).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::ArtifactMissing);
}

#[tokio::test]
async fn what_somebody_deletes_of_a_running_host_is_brought_again_for_the_next_attempt() {
    let bench = Bench::new();
    let digest = bench.artifacts.put(b"echo '\"packaged\"'\n");
    let target = script("", |c, _| {
        let Shape::Process(shape) = &mut c.shape else { unreachable!("it is a process") };
        shape.command = vec!["sh".to_owned(), "in/run.sh".to_owned()];
        shape.files.insert("in/run.sh".to_owned(), digest);
    });
    assert_eq!(reply(&run(&bench, &target, "{}").await).output.as_str(), "\"packaged\"");
    for folder in ["scratch", "packages"] {
        std::fs::remove_dir_all(bench.folder.path().join(folder)).unwrap();
        let again = run(&bench, &target, "{}").await;
        assert_eq!(reply(&again).output.as_str(), "\"packaged\"", "after {folder}");
    }
    bench.artifacts.0.lock().unwrap().clear();
    std::fs::remove_dir_all(bench.folder.path().join("packages")).unwrap();
    assert_eq!(kind(&run(&bench, &target, "{}").await), FaultKind::ArtifactMissing);
}

#[tokio::test]
async fn what_left_the_process_group_ends_with_the_attempt() {
    let bench = Bench::new();
    let before = enact_host::conformance::usage().unwrap();
    // A session of its own, with a child in it; both have closed everything that the hub could notice.
    let leave = "setsid sh -c 'sleep 424241 & sleep 424241' </dev/null >/dev/null 2>&1 & sleep 0.1; echo 1";
    for text in [leave.to_owned(), leave.replace("echo 1", "kill -9 $$")] {
        let seen = run(&bench, &script(&text, |_, _| {}), "{}").await;
        assert_eq!(seen.as_fault().is_some(), text.contains("kill"), "{:?}", seen.seen);
        assert_eq!(sleepers("424241"), [0; 0]);
    }
    let after = enact_host::conformance::usage().unwrap();
    assert_eq!((after.children, after.zombies), (before.children, before.zombies));
}

/// Runs a script that says that it is ready by a file, stops it then, and returns what was seen.
async fn stopped(text: &str, kind: StopKind) -> HostObservation {
    let bench = Bench::new();
    let folder = tempfile::tempdir().unwrap();
    let ready = folder.path().join("ready");
    let target = script(&format!("{text}; : > {}; while :; do sleep 0.01; done", ready.display()), |_, _| {});
    bench.host.start(target.component.clone(), target.digest).await.unwrap();
    let (source, token) = CancelSource::new();
    let call = call_of(&target, Json::null(), Duration::from_secs(20));
    let stop = async {
        let listed = || bench.host.stats().iter().any(|stats| !stats.instances.is_empty());
        while !(ready.exists() && listed()) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        source.stop(Stop { kind, grace: Duration::from_millis(500) });
    };
    tokio::join!(bench.host.invoke(call, no_port(), token), stop).0
}

#[tokio::test]
async fn an_answer_with_a_status_of_success_counts_although_the_program_was_asked_to_stop() {
    for kind in [StopKind::Cancel, StopKind::Deadline] {
        let seen = stopped("trap 'echo 42; exit 0' TERM", kind).await;
        assert_eq!(reply(&seen).output.as_str(), "42");
    }
    for text in [
        // Half of an answer, none, one with another status, one of a program that had to be killed.
        "trap 'echo \"{\"; exit 0' TERM",
        "trap 'exit 0' TERM",
        "trap 'echo 42; exit 1' TERM",
        "echo 42; trap '' TERM",
        "echo 42",
    ] {
        assert_eq!(kind(&stopped(text, StopKind::Cancel).await), FaultKind::Stopped, "{text}");
    }
}

#[tokio::test]
async fn a_child_that_is_forked_at_once_has_the_limits_too() {
    let bench = Bench::new();
    let target = script("sh -c 'ulimit -d; ulimit -n; ulimit -c; true'; true", |c, o| {
        let Shape::Process(shape) = &mut c.shape else { unreachable!("it is a process") };
        shape.memory_bytes = Some(64 << 20);
        o.call.stdout = Stdout::Text;
    });
    for _ in 0..20 {
        let seen = run(&bench, &target, "{}").await;
        assert_eq!(reply(&seen).output.to::<String>().unwrap(), "65536\n4096\n0\n");
    }
}
