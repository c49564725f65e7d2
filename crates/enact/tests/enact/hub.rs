//! The binary with its own hub: in process, as a server, and when it is told to end.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::fake::{enact, text};

const DESCRIPTOR: &str = "component: c\nversion: 1.0.0\nprocess: { command: [sh], mode: oneshot }\nservices:\n  s:\n    \
    echo:\n      kind: query\n      call: { command: [cat] }\n    \
    fails:\n      kind: query\n      call: { command: [sh, -c, \"exit 3\"], stdin: empty }\n    \
    slow:\n      kind: command\n      call: { command: [sh, -c, \"sleep 0.7; echo true\"], stdin: empty }\n      \
    emits: [{ type: c.done }]\n    \
    long:\n      kind: command\n      call: { command: [sleep, \"1000005\"], stdin: empty }\n    \
    inherited:\n      kind: query\n      call: { command: [sh, -c, \"readlink /proc/$$/fd/7 || echo nothing\"], stdin: empty, stdout: text }\n    \
    huge:\n      kind: query\n      call: { command: [grep, \"^THP_enabled\", /proc/self/status], stdin: empty, stdout: text }\n    \
    never:\n      kind: query\n      call: { command: [sleep, \"1000004\"], stdin: empty }\n";

pub struct Store(tempfile::TempDir, Vec<(&'static str, String)>);

impl Store {
    pub fn new() -> Self {
        let store = Self(tempfile::tempdir().unwrap(), Vec::new());
        std::fs::create_dir(store.path().join("c")).unwrap();
        std::fs::write(store.path().join("c/component.yaml"), DESCRIPTOR).unwrap();
        let added = store.run(&["component", "add", "c"]);
        assert_eq!(added.status.code(), Some(0), "{}", text(&added.stderr));
        store
    }
    /// Sets a variable for every command.
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.1.push((name, value.to_owned()));
        self
    }
    pub fn path(&self) -> &Path {
        self.0.path()
    }
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = enact(self.path(), args);
        command.env("PATH", std::env::var_os("PATH").unwrap()).envs(self.1.iter().map(|(name, value)| (name, value)));
        command
    }
    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }
    /// Starts a hub and waits for the line that says it is ready.
    pub fn serve(&self) -> Hub {
        self.serve_as(&["serve", "-q"], Stdio::null())
    }
    /// Starts a hub with these arguments, whose log goes somewhere.
    pub fn serve_as(&self, args: &[&str], log: impl Into<Stdio>) -> Hub {
        let mut child = self.command(args).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("listens on") && line.contains("hub.sock"), "{line:?}");
        Hub(child)
    }
}

/// Starts a hub whose words say `--json`, waits for the line that says it is ready, and returns where it is reached over HTTP.
pub fn ready(serve: &mut Command) -> (Child, String) {
    let mut hub = serve.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(hub.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ready: serde_json::Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"));
    (hub, ready["http"].as_str().unwrap().to_owned())
}

pub struct Hub(Child);

impl Hub {
    pub fn pid(&self) -> u32 {
        self.0.id()
    }
    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.0.id() as i32).unwrap(), signal).unwrap();
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn without_a_hub_a_command_does_it_by_itself() {
    let store = Store::new();
    let ran = store.run(&["run", "c.s.echo", "--input", "{\"b\":1,\"a\":[]}"]);
    assert_eq!((text(&ran.stdout).as_str(), ran.status.code()), ("{\n  \"a\": [],\n  \"b\": 1\n}\n", Some(0)));
    let failed = store.run(&["run", "c.s.fails"]);
    assert_eq!((failed.stdout.len(), failed.status.code()), (0, Some(12)), "{}", text(&failed.stderr));
    assert!(text(&failed.stderr).contains("exit status 3"));
    let slow = store.run(&["run", "c.s.slow", "--json"]);
    assert_eq!(slow.status.code(), Some(0), "{}", text(&slow.stdout));
    let events = std::fs::read_to_string(store.path().join("events.jsonl")).unwrap();
    assert!(events.contains("c.done"), "the message was delivered before the command ended: {events}");
    assert_eq!(store.run(&["wal", "verify"]).status.code(), Some(0));
    assert_eq!(store.run(&["wal", "replay", "--verify"]).status.code(), Some(0));
    assert_eq!(store.run(&["doctor"]).status.code(), Some(0));
}

#[test]
fn without_a_hub_only_what_a_command_waits_for_is_begun() {
    let store = Store::new();
    let accepted = store.run(&["run", "c.s.slow", "--no-wait"]);
    assert_eq!(accepted.status.code(), Some(0), "{}", text(&accepted.stderr));
    assert!(text(&accepted.stderr).contains("no hub runs"), "{}", text(&accepted.stderr));
    let id = text(&accepted.stdout);
    let later = text(&store.run(&["run", "c.s.slow", "--no-wait", "--start-after", "1ms"]).stdout);
    for look in [&["status"][..], &["execution", "list"], &["run", "c.s.echo", "-q"], &["wal", "verify"]] {
        assert_eq!(store.run(look).status.code(), Some(0), "{look:?}");
    }
    let phase = |id: &str| {
        let shown = store.run(&["execution", "show", id.trim(), "--json"]);
        let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
        shown["execution"]["execution"]["phase"].as_str().map(str::to_owned).unwrap_or_else(|| panic!("{shown}"))
    };
    assert_eq!((phase(&id).as_str(), phase(&later).as_str()), ("queued", "queued"));
    assert_eq!(store.run(&["execution", "watch", id.trim()]).status.code(), Some(0));
    assert_eq!((phase(&id).as_str(), phase(&later).as_str()), ("settled", "queued"));
    let _hub = store.serve();
    assert_eq!(store.run(&["execution", "outcome", later.trim(), "--wait", "20s"]).status.code(), Some(0));
}

#[test]
fn without_a_hub_who_is_let_go_of_is_told_what_becomes_of_it() {
    let store = Store::new();
    let run = store.run(&["run", "c.s.slow", "--wait", "50ms"]);
    assert_eq!(run.status.code(), Some(12), "{}", text(&run.stderr));
    assert!(text(&run.stderr).contains("has 10s left to end"), "{}", text(&run.stderr));
    let id = text(&run.stderr).lines().find_map(|line| line.strip_prefix("exe_").map(|rest| format!("exe_{rest}")));
    let id = id.unwrap();
    // It ended within its grace.
    assert_eq!(store.run(&["execution", "outcome", &id]).status.code(), Some(0));
}

#[test]
fn commands_that_come_together_take_the_store_in_turn() {
    let store = Store::new();
    let all: Vec<Child> = (0..6)
        .map(|n| {
            let input = format!("{{\"n\":{n}}}");
            let mut command = store.command(&["run", "c.s.echo", "-q", "--input", &input]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for child in all {
        let ran = child.wait_with_output().unwrap();
        assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    }
}

#[test]
fn with_a_hub_the_answers_are_the_same_and_a_second_hub_is_refused() {
    let store = Store::new();
    let alone = store.run(&["run", "c.s.echo", "--key", "k"]);
    let _hub = store.serve();
    let served = store.run(&["run", "c.s.echo", "--key", "k"]);
    assert_eq!(alone.stdout, served.stdout);
    assert!(text(&served.stderr).contains("admitted before"), "{}", text(&served.stderr));
    let second = store.run(&["serve"]);
    assert_eq!(second.status.code(), Some(12), "{}", text(&second.stderr));
    assert!(text(&second.stderr).contains("held by the process"));
}

#[test]
fn an_operation_of_the_hub_that_runs_can_be_measured() {
    let store = Store::new();
    let bench = ["bench", "c.s.echo", "--input", r#"{"n":1}"#, "--calls", "5", "--in-flight", "2", "--json"];
    let nobody = store.run(&bench);
    assert!(!nobody.status.success() && text(&nobody.stdout).contains("none listens"), "{}", text(&nobody.stdout));
    let _hub = store.serve();
    let measured = store.run(&bench);
    assert_eq!(measured.status.code(), Some(0), "{}", text(&measured.stderr));
    let rows: serde_json::Value = serde_json::from_slice(&measured.stdout).unwrap();
    assert_eq!(rows[0]["name"], "c.s.echo executions");
    assert!(rows[1]["value"].as_f64().is_some_and(|ms| ms > 0.0), "{rows}");
    // They are executions like all others: the first call and the five that were measured.
    let list = store.run(&["execution", "list", "--selector", "c.s.echo", "--json"]);
    let list: serde_json::Value = serde_json::from_slice(&list.stdout).unwrap();
    assert_eq!(list["items"].as_array().map(Vec::len), Some(6), "{list}");
    let failed = store.run(&["bench", "c.s.fails", "--calls", "5"]);
    assert!(!failed.status.success() && text(&failed.stderr).contains("status 3"), "{}", text(&failed.stderr));
    for wrong in [
        &["bench", "--input", "{}"][..],
        &["bench", "c.s.echo", "--calls", "0"],
        &["bench", "c.s.echo", "--folder", "x"],
    ] {
        assert_eq!(store.run(wrong).status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn watch_follows_an_execution_to_its_end() {
    let store = Store::new();
    let _hub = store.serve();
    let id = text(&store.run(&["run", "c.s.fails", "--no-wait"]).stdout);
    let watched = store.run(&["execution", "watch", id.trim(), "--json"]);
    assert_eq!(watched.status.code(), Some(12), "{}", text(&watched.stderr));
    let kinds: Vec<String> = text(&watched.stdout)
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["body"]
                .as_object()
                .unwrap()
                .keys()
                .next()
                .unwrap()
                .clone()
        })
        .collect();
    assert_eq!(kinds.first().map(String::as_str), Some("IntentAccepted"));
    assert!(kinds.contains(&"Settled".to_owned()), "{kinds:?}");
    assert_eq!(store.run(&["execution", "watch", "exe_00000000000000000000000000"]).status.code(), Some(10));
}

#[test]
fn a_signal_lets_what_runs_finish_and_refuses_new_work() {
    for signal in [Signal::TERM, Signal::INT] {
        let store = Store::new();
        ends_by(signal, &store, store.serve());
    }
}

fn ignores_hang_up() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    u64::from_str_radix(mask.trim(), 16).unwrap() & 1 == 1
}

#[test]
fn a_descriptor_that_the_hub_was_started_with_is_not_the_programs() {
    let store = Store::new();
    let run = store.command(&["run", "c.s.inherited"]);
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "exec 7</etc/passwd; exec \"$@\"", "sh"]).arg(run.get_program()).args(run.get_args());
    shell.env_clear().envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ran = shell.current_dir(run.get_current_dir().unwrap_or(store.path())).output().unwrap();
    assert_eq!(text(&ran.stdout), "\"nothing\\n\"\n", "{}", text(&ran.stderr));
}

fn huge_pages_of(process: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    status.lines().find(|line| line.starts_with("THP_enabled")).unwrap().to_owned()
}

#[test]
fn a_hub_forgoes_huge_pages_and_its_children_have_them_as_without_it() {
    let store = Store::new();
    let hub = store.serve();
    let asked = store.run(&["run", "c.s.huge"]);
    let of_child: String = serde_json::from_slice(&asked.stdout).unwrap();
    assert_eq!(of_child.trim_end(), huge_pages_of("self"), "{}", text(&asked.stderr));
    assert_eq!(huge_pages_of(&hub.0.id().to_string()), "THP_enabled:\t0");
}

fn ends_by(signal: Signal, store: &Store, mut hub: Hub) {
    let id = text(&store.run(&["run", "c.s.slow", "--no-wait"]).stdout);
    hub.signal(signal);
    let refused = loop {
        let ran = store.run(&["run", "c.s.echo", "-q"]);
        if ran.status.code() != Some(0) {
            break ran;
        }
    };
    assert_eq!(refused.status.code(), Some(12));
    assert!(text(&refused.stderr).contains("takes no new work"), "{}", text(&refused.stderr));
    assert_eq!(hub.0.wait().unwrap().code(), Some(0));
    assert!(!store.path().join("hub.sock").exists());
    let outcome = store.run(&["execution", "outcome", id.trim()]);
    assert_eq!(
        (text(&outcome.stdout).as_str(), outcome.status.code()),
        ("true\n", Some(0)),
        "{}",
        text(&outcome.stderr)
    );
}

#[test]
fn a_second_signal_ends_the_hub_at_once() {
    let store = Store::new();
    let mut hub = store.serve();
    store.run(&["run", "c.s.never", "--no-wait"]);
    hub.signal(Signal::TERM);
    while store.run(&["run", "c.s.echo", "-q"]).status.code() == Some(0) {}
    let begin = Instant::now();
    hub.signal(Signal::TERM);
    assert_eq!(hub.0.wait().unwrap().code(), Some(12));
    assert!(begin.elapsed() < Duration::from_secs(5), "the grace is ten seconds");
}

#[test]
fn stop_ends_the_hub_and_the_next_command_does_it_by_itself() {
    let store = Store::new();
    let mut hub = store.serve();
    let stopped = store.run(&["stop"]);
    assert_eq!(text(&stopped.stdout), "the hub has ended\n");
    assert_eq!(hub.0.wait().unwrap().code(), Some(0));
    assert_eq!(store.run(&["status"]).status.code(), Some(0));
}

#[test]
fn a_hub_whose_socket_is_gone_is_named_by_those_who_meet_it() {
    let store = Store::new();
    let hub = store.serve();
    std::fs::remove_file(store.path().join("hub.sock")).unwrap();
    for met in [&["stop"][..], &["serve"]] {
        let ran = store.run(met);
        let told = text(&ran.stderr);
        assert_eq!((text(&ran.stdout).as_str(), ran.status.code()), ("", Some(12)), "{met:?}: {told}");
        let (process, kill) = (format!("held by the process {}", hub.pid()), format!("`kill {}`", hub.pid()));
        assert!(told.contains(&process) && told.contains(&kill) && !told.contains("enact serve"), "{met:?}: {told}");
    }
}

#[test]
fn a_hub_that_was_killed_leaves_nothing_that_keeps_the_next_one_out() {
    let store = Store::new();
    let mut hub = store.serve();
    let id = text(&store.run(&["run", "c.s.long", "--no-wait"]).stdout);
    hub.signal(Signal::KILL);
    hub.0.wait().unwrap();
    assert!(store.path().join("hub.sock").exists());
    let _next = store.serve();
    let outcome = store.run(&["execution", "outcome", id.trim(), "--wait", "20s"]);
    // It may have run, and is no query: somebody has to look.
    assert_eq!(outcome.status.code(), Some(13), "{}", text(&outcome.stderr));
    assert!(text(&outcome.stderr).contains("may have run"));
}

#[test]
fn a_damaged_log_is_verified_without_a_hub() {
    let store = Store::new();
    let segment = std::fs::read_dir(store.path().join("log")).unwrap().map(|entry| entry.unwrap().path());
    let segment = segment.filter(|path| path.extension().is_some_and(|ext| ext == "log")).min().unwrap();
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let found = store.run(&["wal", "verify"]);
    assert_eq!(found.status.code(), Some(13), "{}", text(&found.stderr));
    assert!(text(&found.stdout).contains("fault:"), "{}", text(&found.stdout));
    assert_eq!(store.run(&["status"]).status.code(), Some(13));
}

/// CRC-32 (IEEE) over the salt of a segment and what follows.
fn crc32(parts: &[&[u8]]) -> [u8; 4] {
    let bytes = parts.iter().copied().flatten();
    let crc = bytes.fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 })
    });
    (!crc).to_le_bytes()
}

/// Changes a word in the first record that has it, and makes the checksums of its frame right again.
fn forge(segment: &mut [u8], from: &[u8], to: &[u8]) -> usize {
    let salt = segment[12..16].to_vec();
    let mut at = 128;
    while segment[at..at + 4] == *b"eFRM" {
        let end = at + 48 + u32::from_le_bytes(segment[at + 8..at + 12].try_into().unwrap()) as usize;
        if let Some(place) = segment[at..end].windows(from.len()).position(|window| window == from) {
            segment[at + place..at + place + to.len()].copy_from_slice(to);
            let body = crc32(&[&salt, &segment[at..at + 40], &segment[at + 48..end]]);
            segment[at + 40..at + 44].copy_from_slice(&body);
            let header = crc32(&[&salt, &segment[at..at + 44]]);
            segment[at + 44..at + 48].copy_from_slice(&header);
            return at;
        }
        at = end;
    }
    panic!("no record has it")
}

#[test]
fn a_record_that_was_changed_under_a_right_checksum_is_named_by_the_verification() {
    let store = Store::new();
    store.run(&["run", "c.s.echo"]);
    let verify = |more: &[&str]| {
        let verified = store.run(&[&["wal", "verify"], more].concat());
        (verified.status.code(), text(&verified.stdout) + &text(&verified.stderr))
    };
    let (status, said) = verify(&["--json"]);
    let head = serde_json::from_str::<serde_json::Value>(&said).unwrap()["head"].as_str().unwrap().to_owned();
    assert_eq!((status, verify(&["--expect-head", &head]).0), (Some(0), Some(0)));
    assert!(verify(&[]).1.contains(&format!("head {head}")));
    // The head is still there after more was written, and a hub that runs says the same as the folder.
    store.run(&["run", "c.s.echo"]);
    assert_eq!(verify(&["--expect-head", &head]).0, Some(0));
    let hub = store.serve();
    assert_eq!(verify(&["--expect-head", &head]).0, Some(0));
    let other = format!("{}:{}", head.split(':').next().unwrap(), "0".repeat(64));
    let (status, said) = verify(&["--expect-head", &other]);
    assert!(status == Some(13) && said.contains("is not the one whose head was known"), "{said}");
    drop(hub);
    assert_eq!(verify(&["--expect-head", "17"]).0, Some(2));

    let segment = std::fs::read_dir(store.path().join("log")).unwrap().map(|entry| entry.unwrap().path());
    let segment = segment.filter(|path| path.extension().is_some_and(|ext| ext == "log")).min().unwrap();
    let mut bytes = std::fs::read(&segment).unwrap();
    let at = forge(&mut bytes, b"c.s.echo", b"c.s.fake");
    std::fs::write(&segment, bytes).unwrap();
    let (status, said) = verify(&["--expect-head", &head]);
    let name = segment.file_name().unwrap().to_str().unwrap();
    let words = format!("fault: the frame at {name}:{at} does not follow from the one before it");
    assert!(status == Some(13) && said.contains(&words) && said.contains("after record "), "{said}");
}

#[test]
fn a_log_that_has_lost_what_the_tables_have_and_a_newer_store_do_not_pass_for_sound() {
    let store = Store::new();
    store.run(&["run", "c.s.echo"]);
    let verify = || {
        let verified = store.run(&["wal", "verify"]);
        (verified.status.code(), text(&verified.stdout) + &text(&verified.stderr))
    };
    assert_eq!(verify().0, Some(0));
    for entry in std::fs::read_dir(store.path().join("log")).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let (status, found) = verify();
    assert_eq!(status, Some(13), "{found}");
    assert!(found.contains("is known to have been durable; the first record lost is 1"), "{found}");
    std::fs::write(store.path().join("FORMAT"), "enact store 3\n").unwrap();
    let (status, found) = verify();
    assert_eq!(status, Some(13), "{found}");
    assert!(found.contains("it has format 3") && found.contains("install the enact that wrote it"), "{found}");
}

#[test]
fn a_fifo_is_refused_and_holds_neither_a_command_nor_the_end_of_the_hub() {
    let store = Store::new();
    assert!(Command::new("mkfifo").arg(store.path().join("fifo")).status().unwrap().success());
    let mut hub = store.serve();
    for command in [["artifact", "put", "fifo"], ["component", "check", "fifo"]] {
        let refused = store.run(&command);
        assert_eq!(refused.status.code(), Some(10), "{}", text(&refused.stderr));
        assert!(text(&refused.stderr).contains("it is not a regular file"), "{}", text(&refused.stderr));
    }
    assert_eq!(store.run(&["stop"]).status.code(), Some(0));
    assert_eq!(hub.0.wait().unwrap().code(), Some(0));
}

/// Starts a hub that writes its log to a file; returns where it is reached over HTTP, and the file.
fn serve_logging(store: &Store, words: &[&str]) -> (Hub, String, PathBuf) {
    let log = store.path().join("log.txt");
    let mut command = store.command(&[&["serve", "--json"], words].concat());
    let (hub, http) = ready(command.stderr(std::fs::File::create(&log).unwrap()));
    (Hub(hub), http, log)
}

fn until(log: &Path, what: &str, holds: &dyn Fn() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < Duration::from_secs(20), "{what}: {}", std::fs::read_to_string(log).unwrap());
    }
}

#[test]
fn a_hang_up_reads_the_configuration_again_and_one_with_a_fault_changes_nothing() {
    if ignores_hang_up() {
        // So does the hub, as it must.
        return super::skip::skip("the tests run under nohup");
    }
    let store = Store::new();
    let file = store.path().join("enact.yaml");
    std::fs::write(&file, "http: { anonymous: operator }\n").unwrap();
    let (mut hub, url, log) = serve_logging(&store, &["--config", "enact.yaml"]);
    let answered = || store.run(&["client", "--url", &url, "execution", "list"]).status.code() == Some(0);
    let until = |what: &str, holds: &dyn Fn() -> bool| until(&log, what, holds);
    let said = |text: &str| std::fs::read_to_string(&log).unwrap().contains(text);
    assert!(answered());
    std::fs::write(&file, "http: { anonymous: none }\nlimits: { running: 7 }\n").unwrap();
    hub.signal(Signal::HUP);
    until("nobody is anonymous", &|| !answered());
    until("what waits is told", &|| said("limits.running"));
    std::fs::write(&file, "http: { anonymous: king }\n").unwrap();
    hub.signal(Signal::HUP);
    until("the fault is told", &|| said("king"));
    assert!(!answered(), "the former configuration goes on");
    std::fs::remove_file(&file).unwrap();
    hub.signal(Signal::HUP);
    until("the missing file is told", &|| said("enact.yaml"));
    assert!(!answered(), "a file that is replaced lets nobody in meanwhile");
    std::fs::write(&file, "http: { anonymous: viewer }\nlog: { level: error }\n").unwrap();
    hub.signal(Signal::HUP);
    until("viewers are anonymous", &answered);
    hub.signal(Signal::TERM);
    assert!(hub.0.wait().unwrap().success());
}

#[test]
fn a_file_that_was_found_by_itself_and_is_gone_lets_nobody_in() {
    if ignores_hang_up() {
        return super::skip::skip("the tests run under nohup");
    }
    let store = Store::new();
    let file = store.path().join("enact.yaml");
    std::fs::write(&file, "http: { anonymous: none }\n").unwrap();
    let (mut hub, url, log) = serve_logging(&store, &[]);
    let answered = || store.run(&["client", "--url", &url, "execution", "list"]).status.code() == Some(0);
    assert!(!answered());
    std::fs::remove_file(&file).unwrap();
    hub.signal(Signal::HUP);
    let said = || std::fs::read_to_string(&log).unwrap().contains("was read at the start and is gone");
    until(&log, "the missing file is told", &said);
    assert!(!answered(), "the former configuration goes on");
    hub.signal(Signal::TERM);
    assert!(hub.0.wait().unwrap().success());
}

#[test]
fn a_file_of_tls_that_is_not_there_is_told_where_it_is_named_before_the_store_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let (config, store) = (folder.path().join("enact.yaml"), folder.path().join("store"));
    std::fs::write(folder.path().join("key.pem"), "").unwrap();
    std::fs::write(&config, "http:\n  tls: { certificate: ./none.pem, key: ./key.pem }\n").unwrap();
    let mut command = enact(&store, &["serve"]);
    let output = command.current_dir(folder.path()).env("ENACT_CONFIG", &config).output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(10), "{said}");
    assert!(said.contains("enact.yaml:2:23") && said.contains("none.pem: no such file"), "{said}");
    assert!(!said.contains("http.listen"), "{said}");
    assert!(!store.exists());
}
