//! Packaged files that somebody alters on this machine are noticed before anything starts from them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use enact_host::conformance::{Target, call_of, no_port};
use enact_host::contract::{CancelToken, Host, HostObservation, HostSeen};
use enact_host::process::ProcessHost;
use enact_model::descriptor::{JarShape, Shape};
use enact_model::digest::Digest;
use enact_model::json::Json;
use enact_model::observation::{Fault, FaultKind, Reached};
use serde_json::json;

use crate::jar::{call, output, started};
use crate::jars::{Jars, without_java};
use crate::shapes::{Bench, open};

/// Returns the files below a folder that are called so.
fn found(folder: &Path, is: impl Fn(&str) -> bool + Copy) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(found(&path, is));
        } else if is(path.file_name().unwrap().to_str().unwrap()) {
            all.push(path);
        }
    }
    all
}

/// How somebody alters a file.
#[derive(Debug, Clone, Copy)]
enum How {
    /// Another file of the same size and time is put in its place.
    Replaced,
    /// It is written to.
    Written,
    /// Its end is missing.
    Cut,
}

fn alter(path: &Path, how: How) {
    let (size, modified) = fs::metadata(path).map(|it| (it.len(), it.modified().unwrap())).unwrap();
    let other = path.with_extension("other");
    match how {
        How::Replaced => {
            fs::write(&other, vec![b'#'; usize::try_from(size).unwrap()]).unwrap();
            fs::File::options().write(true).open(&other).unwrap().set_modified(modified).unwrap();
            fs::rename(&other, path).unwrap();
        }
        How::Written | How::Cut => {
            let mut bytes = fs::read(path).unwrap();
            match how {
                How::Written => bytes.extend(b"\nexit 7\n"),
                _ => bytes.truncate(bytes.len() / 2),
            }
            // It is read-only to whoever does not insist.
            let mut mode = fs::metadata(path).unwrap().permissions();
            std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o755);
            fs::set_permissions(path, mode).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }
}

fn fault(seen: &HostObservation) -> Fault {
    seen.as_fault().unwrap_or_else(|| panic!("{:?}", seen.seen)).clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_jar_that_somebody_alters_is_brought_again_for_the_next_jvm() {
    if without_java("altered::a_jar_that_somebody_alters_is_brought_again_for_the_next_jvm") {
        return;
    }
    let jars = Jars::new(false);
    let folder = jars.bench.folder.path();
    let own = started(&jars, jars.component("own", |shape| shape.warm = 0)).await;
    let share = |shape: &mut JarShape| (shape.warm, shape.jvm) = (0, Some("legacy".parse().unwrap()));
    let shared = started(&jars, jars.component("shared", share)).await;
    for target in [&own, &shared] {
        output(&call(&jars, target, json!(1)).await);
        for how in [How::Replaced, How::Cut, How::Written] {
            // Nothing runs when it is altered: what a JVM has open is its own business.
            call(&jars, &target.at("kill"), json!({})).await;
            let probes = found(&folder.join("packages"), |name| name == "probes.jar");
            let java = found(&folder.join("java"), |name| name.starts_with("enact-jvm-"));
            assert_eq!((probes.len(), java.len()), (1, 1));
            let before = [&probes[0], &java[0]]
                .map(|path| (fs::read(path).unwrap(), fs::metadata(path).unwrap().modified().unwrap()));
            alter(&probes[0], how);
            alter(&java[0], how);
            assert_eq!(output(&call(&jars, target, json!(2)).await), json!(2), "{how:?}");
            // With the time that it had: an archive of classes knows its class path by that.
            let after = [&probes[0], &java[0]]
                .map(|path| (fs::read(path).unwrap(), fs::metadata(path).unwrap().modified().unwrap()));
            assert!(before == after, "{how:?}");
        }
    }
    // A main class has a JVM for itself.
    alter(&found(&folder.join("packages"), |name| name == "probes.jar")[0], How::Cut);
    let ran = output(&call(&jars, &own.at("run"), json!({"args": ["a"]})).await);
    assert_eq!(ran, json!({"stdout": "a", "exit": 0}));
    jars.host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_jar_that_is_altered_and_cannot_be_brought_again_is_named_and_no_jvm_starts() {
    if without_java("altered::a_jar_that_is_altered_and_cannot_be_brought_again_is_named_and_no_jvm_starts") {
        return;
    }
    let jars = Jars::new(false);
    let target = started(&jars, jars.component("own", |shape| shape.warm = 0)).await;
    output(&call(&jars, &target, json!(1)).await);
    call(&jars, &target.at("kill"), json!({})).await;
    let path = found(&jars.bench.folder.path().join("packages"), |name| name == "probes.jar").remove(0);
    alter(&path, How::Written);
    let digest = *jars.bench.artifacts.0.lock().unwrap().keys().next().unwrap();
    let whole = jars.bench.artifacts.0.lock().unwrap().insert(digest, b"altered, too".to_vec()).unwrap();
    let seen = fault(&call(&jars, &target, json!(2)).await);
    assert_eq!((seen.kind, seen.reached), (FaultKind::ArtifactAltered, Reached::No));
    let says = format!(
        "the packaged file {} was altered and cannot be brought again: the artifact {digest} is not",
        path.display()
    );
    assert!(seen.message.starts_with(&says), "{}", seen.message);
    jars.bench.artifacts.0.lock().unwrap().remove(&digest);
    let seen = fault(&call(&jars, &target.at("run"), json!({"args": ["a"]})).await);
    assert_eq!(seen.kind, FaultKind::ProgramMissing);
    assert!(
        seen.message
            .contains("was altered and cannot be brought again: the archive probes.jar of the package is not in")
    );
    jars.bench.artifacts.0.lock().unwrap().insert(digest, whole);
    let ran = output(&call(&jars, &target.at("run"), json!({"args": ["a"]})).await);
    assert_eq!(ran, json!({"stdout": "a", "exit": 0}));
    jars.host.shutdown().await;
}

/// A program of its package, whose digest is the second.
fn packaged(bench: &Bench) -> (Target, Digest) {
    let digest = bench.artifacts.put(b"echo '\"packaged\"'\n");
    let target = Target::oneshot("packaged", &["sh", "in/run.sh"], "run");
    let mut component = (*target.component).clone();
    let Shape::Process(shape) = &mut component.shape else { unreachable!("it is a process") };
    shape.files.insert("in/run.sh".to_owned(), digest);
    let own = Digest::of(Json::of(&component).as_str().as_bytes());
    (Target { component: std::sync::Arc::new(component), digest: own, ..target }, digest)
}

async fn run(host: &ProcessHost, target: &Target) -> HostObservation {
    host.start(target.component.clone(), target.digest).await.unwrap();
    host.invoke(call_of(target, Json::null(), Duration::from_secs(20)), no_port(), CancelToken::never()).await
}

fn said(seen: &HostObservation) -> String {
    match &seen.seen {
        HostSeen::Replied(reply) => reply.output.as_str().to_owned(),
        HostSeen::Fault(fault) => panic!("{fault:?}"),
    }
}

#[tokio::test]
async fn a_program_that_somebody_alters_is_brought_again_for_the_next_attempt() {
    let bench = Bench::new();
    let (target, digest) = packaged(&bench);
    assert_eq!(said(&run(&bench.host, &target).await), "\"packaged\"");
    let program = || found(&bench.folder.path().join("packages"), |name| name == "run.sh").remove(0);
    for how in [How::Replaced, How::Cut, How::Written] {
        alter(&program(), how);
        assert_eq!(said(&run(&bench.host, &target).await), "\"packaged\"", "{how:?}");
        assert_eq!(Digest::of(&fs::read(program()).unwrap()), digest);
    }
    alter(&program(), How::Written);
    bench.artifacts.0.lock().unwrap().insert(digest, b"exit 7".to_vec());
    let seen = fault(&run(&bench.host, &target).await);
    assert_eq!((seen.kind, seen.reached), (FaultKind::ArtifactAltered, Reached::No));
    let says = format!("the packaged file {} was altered and cannot be brought again", program().display());
    assert!(seen.message.starts_with(&says), "{}", seen.message);
}

#[tokio::test]
async fn what_is_altered_while_no_hub_runs_is_not_used_by_the_next_one() {
    let bench = Bench::new();
    let (target, digest) = packaged(&bench);
    assert_eq!(said(&run(&bench.host, &target).await), "\"packaged\"");
    let Bench { host, artifacts, folder } = bench;
    let program = found(&folder.path().join("packages"), |name| name == "run.sh").remove(0);
    // A hub that was killed leaves its packages where they are.
    let left = fs::read(&program).unwrap();
    host.shutdown().await;
    drop(host);
    fs::create_dir_all(program.parent().unwrap()).unwrap();
    fs::write(&program, [&left[..], b"exit 7\n"].concat()).unwrap();
    let next = open(folder.path(), 2, artifacts.clone());
    assert_eq!(said(&run(&next, &target).await), "\"packaged\"");
    drop(next);
    artifacts.0.lock().unwrap().insert(digest, b"exit 7".to_vec());
    let third = open(folder.path(), 3, artifacts);
    let refused = third.start(target.component.clone(), target.digest).await.unwrap_err();
    assert_eq!(refused.kind, FaultKind::ArtifactAltered);
}
