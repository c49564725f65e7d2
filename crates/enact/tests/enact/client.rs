//! A hub on another machine: the same answers as over the socket, files that go along as bytes, and clear words when it fails.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use super::fake::{enact, text};

const DESCRIPTOR: &str = "component: far\nversion: 1.0.0\nsummary: far away\nprocess: { command: [sh, ./say.sh], files: [say.sh] }\nservices:\n  s:\n    \
    say: { kind: query, summary: says it, call: { stdout: text } }\n    \
    echo: { kind: query, call: { command: [cat] }, input: { $ref: schemas/echo.json } }\n    \
    keep:\n      kind: command\n      call: { command: [cat] }\n      produces: [{ artifact: kept.json, from: stdout, media_type: application/json }]\n      \
    emits: [{ type: far.kept }]\n    \
    never: { kind: query, call: { command: [sleep, \"1000011\"] } }\n";

/// A hub with a store that its clients do not know, and a folder in which they work.
pub struct Far {
    pub hub: Child,
    pub url: String,
    pub store: tempfile::TempDir,
    pub desk: tempfile::TempDir,
}

impl Far {
    pub fn open() -> Self {
        let store = tempfile::tempdir().unwrap();
        let desk = tempfile::tempdir().unwrap();
        for (file, name, tenant) in [("token", "ops", "acme"), ("root", "root", "default")] {
            let create = ["token", "create", name, "--role", "admin", "--of", tenant, "--json"];
            let created = on(store.path(), &create).output().unwrap();
            let token: Value = serde_json::from_slice(&created.stdout).unwrap();
            std::fs::write(desk.path().join(file), token["secret"].as_str().unwrap_or_else(|| panic!("{token}")))
                .unwrap();
        }
        let (hub, url) = serve(store.path(), "127.0.0.1:0");
        let far = Self { hub, url, store, desk };
        far.write("far/component.yaml", DESCRIPTOR);
        far.write("far/say.sh", "echo hello from far\n");
        far.write("far/schemas/echo.json", r#"{"type": "object", "required": ["n"]}"#);
        far.write("far/not-named.bin", "not of the package");
        far
    }
    pub fn write(&self, name: &str, text: &str) {
        let path = self.desk.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    pub fn command_by(&self, token: &str, args: &[&str]) -> Command {
        let token = format!("file:{token}");
        let all: Vec<&str> = ["client", "--url", &self.url, "--token", &token].iter().chain(args).copied().collect();
        on(self.desk.path(), &all)
    }
    /// A command of an admin of the tenant `acme`.
    pub fn command(&self, args: &[&str]) -> Command {
        self.command_by("token", args)
    }
    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }
    pub fn good(&self, args: &[&str]) -> String {
        good(&mut self.command(args))
    }
    fn json(&self, args: &[&str]) -> Value {
        let args: Vec<&str> = args.iter().chain(&["--json"]).copied().collect();
        serde_json::from_str(&self.good(&args)).unwrap()
    }
    /// The same of an admin of the whole hub.
    pub fn run_as_root(&self, args: &[&str]) -> Output {
        self.command_by("root", args).output().unwrap()
    }
    pub fn good_as_root(&self, args: &[&str]) -> String {
        good(&mut self.command_by("root", args))
    }
    fn json_as_root(&self, args: &[&str]) -> Value {
        let args: Vec<&str> = args.iter().chain(&["--json"]).copied().collect();
        serde_json::from_str(&self.good_as_root(&args)).unwrap()
    }
    /// The same question over the socket of the hub.
    fn near(&self, args: &[&str]) -> Value {
        let args: Vec<&str> = args.iter().chain(&["--json", "--tenant", "acme"]).copied().collect();
        let ran = on(self.store.path(), &args).output().unwrap();
        serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| panic!("{args:?}: {error}: {}", text(&ran.stderr)))
    }
    fn end(&mut self) {
        let _ = self.hub.kill();
        let _ = self.hub.wait();
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        self.end();
    }
}

pub fn on(folder: &Path, args: &[&str]) -> Command {
    let mut command = enact(folder, args);
    command.env("PATH", std::env::var_os("PATH").unwrap());
    command
}

fn good(command: &mut Command) -> String {
    let ran = command.output().unwrap();
    assert_eq!(ran.status.code(), Some(0), "{command:?}: {}{}", text(&ran.stdout), text(&ran.stderr));
    text(&ran.stdout)
}

fn serve(store: &Path, listen: &str) -> (Child, String) {
    let mut command = on(store, &["serve", "-q", "--json"]);
    super::hub::ready(command.env("ENACT_HTTP_LISTEN", listen).stderr(Stdio::null()))
}

#[test]
fn who_got_no_answer_is_not_told_that_nothing_was_done() {
    use std::io::{Read as _, Write as _};
    let desk = tempfile::tempdir().unwrap();
    let ask = |answer: &'static [u8]| {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer);
        });
        let ran = on(desk.path(), &["client", "--url", &url, "run", "a.b.c"]).output().unwrap();
        server.join().unwrap();
        (ran.status.code(), text(&ran.stderr))
    };
    let (later, fix) = (Some(12), Some(10));
    for (answer, status) in [
        (&b""[..], later),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{", later),
        (b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 6\r\n\r\n<html>", later),
        (b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n", later),
        (b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 6\r\n\r\n<html>", later),
        (b"HTTP/1.1 404 Not Found\r\ncontent-length: 6\r\n\r\n<html>", fix),
    ] {
        let (code, said) = ask(answer);
        assert_eq!(code, status, "{said}");
        assert!(!said.contains("nothing was done"), "{said}");
        assert!(status == fix || said.contains("whether it was carried out is not known"), "{said}");
    }
    let nobody = on(desk.path(), &["client", "--url", "http://127.0.0.1:1", "run", "a.b.c"]).output().unwrap();
    assert!(text(&nobody.stderr).contains("nothing was done"), "{}", text(&nobody.stderr));
}

#[test]
fn a_body_that_did_not_come_in_time_may_be_sent_again_and_is_no_fault_of_the_input() {
    let desk = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let code = enact_engine::conclude::REQUEST_TOO_SLOW;
    let problem = serde_json::json!({ "status": 408, "detail": "the body did not come within 30 s", "code": code });
    let hub = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]);
        let (problem, kind) = (problem.to_string(), "application/problem+json");
        let head = format!("HTTP/1.1 408 Request Timeout\r\ncontent-type: {kind}\r\ncontent-length: {}", problem.len());
        let _ = stream.write_all(format!("{head}\r\n\r\n{problem}").as_bytes());
        // What is still to come is heard, or the answer could be lost with the connection.
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let ran = on(desk.path(), &["client", "--url", &url, "run", "a.b.c"]).output().unwrap();
    hub.join().unwrap();
    assert_eq!(ran.status.code(), Some(11), "{}", text(&ran.stderr));
    assert!(text(&ran.stderr).contains("did not come within 30 s"), "{}", text(&ran.stderr));
}

#[test]
fn a_component_goes_along_as_bytes_and_answers_as_over_the_socket() {
    let far = Far::open();
    let checked = far.json_as_root(&["component", "check", "far"]);
    assert_eq!((&checked["component"], &checked["operations"]), (&"far".into(), &4.into()));
    far.good_as_root(&["component", "add", "far"]);
    assert_eq!(far.good(&["run", "far.s.say"]).trim(), "\"hello from far\\n\"");
    assert_eq!(far.json(&["run", "far.s.echo", "--input", "{\"n\":[1.50]}"])["output"]["n"][0].to_string(), "1.50");
    far.write("far/component.yaml", &DESCRIPTOR.replace("1.0.0", "1.1.0"));
    far.good_as_root(&["component", "add", "far/component.yaml"]);
    far.write("s/solution.yaml", "solution: shop\ncomponents: { far: \">=1.0.0\" }\n");
    far.good_as_root(&["solution", "bind", "s"]);
    for question in [
        &["component", "list"][..],
        &["component", "describe", "far"],
        &["solution", "list"],
        &["intent", "types"],
        &["execution", "list"],
        &["meta", "tree"],
        &["meta", "describe", "far"],
        &["run", "far.meta.operations"],
        &["run", "enact.meta.version"],
        &["session", "list"],
        &["outbox", "list"],
        &["reference", "list"],
        &["wal", "show"],
    ] {
        assert_eq!(far.json(question), far.near(question), "{question:?}");
    }
    assert!(far.good(&["meta", "help", "far"]).contains("far.s.say  says it"));
    // Over the socket whoever holds the store asks, on whose behalf it may be.
    assert_eq!(far.json_as_root(&["wal", "verify"]), far.near(&["wal", "verify"]));
    let [there, near] = [far.json_as_root(&["doctor"]), far.near(&["doctor"])].map(|mut told| {
        // How much room the disk has changes while others write to it.
        told["checks"]["disk"]["looked_at"].take();
        told
    });
    assert_eq!(there, near);
    for question in [&["wal", "verify"][..], &["doctor"]] {
        let refused = far.run(question);
        assert_eq!(refused.status.code(), Some(10), "{question:?}");
        let said = text(&refused.stderr);
        assert!(said.contains("this is about the whole hub: use a token of tenant default"), "{said}");
    }
    assert!(far.good_as_root(&["status"]).contains("epoch"));
}

#[test]
fn artifacts_come_and_go_as_bytes_and_are_verified() {
    let far = Far::open();
    far.write("in/größe 1.txt", &"x".repeat(200_000));
    let put = far.json(&["artifact", "put", "in/größe 1.txt"]);
    let id = put["id"].as_str().unwrap_or_else(|| panic!("{put}"));
    assert_eq!((put["name"].as_str(), put["size"].as_u64()), (Some("größe 1.txt"), Some(200_000)));
    far.good(&["artifact", "get", id, "--output", "out.txt"]);
    assert_eq!(std::fs::read(far.desk.path().join("out.txt")).unwrap().len(), 200_000);
    let again = far.run(&["artifact", "get", id, "--output", "out.txt"]);
    assert_eq!(again.status.code(), Some(10), "what is there is not written over: {}", text(&again.stderr));
    assert_eq!(far.good(&["artifact", "get", put["digest"].as_str().unwrap()]).len(), 200_000);
    let unknown = far.run(&["artifact", "get", &format!("sha256:{}", "0".repeat(64))]);
    assert_eq!(unknown.status.code(), Some(10), "{}", text(&unknown.stderr));
    assert_eq!(far.run(&["artifact", "put", "in"]).status.code(), Some(10));
    assert_eq!(far.run(&["artifact", "put", "nowhere.txt"]).status.code(), Some(10));
}

#[test]
fn the_folder_of_a_backup_is_one_of_the_hubs_machine_and_its_name_is_not_completed_here() {
    let far = Far::open();
    let refused = far.run_as_root(&["store", "backup", "copy"]);
    assert_eq!(refused.status.code(), Some(10));
    let said = text(&refused.stderr);
    assert!(said.contains("the folder copy of the hub's machine is not absolute"), "{said}");
    assert!(said.contains("from the root of the hub's machine"), "{said}");
    assert!(!far.desk.path().join("copy").exists() && !far.store.path().join("copy").exists());
    let copies = tempfile::tempdir().unwrap();
    let folder = copies.path().join("copy");
    let target = folder.to_str().unwrap();
    let refused = far.run(&["store", "backup", target]);
    assert!(refused.status.code() == Some(10) && !folder.exists(), "{}", text(&refused.stderr));
    far.good_as_root(&["store", "backup", target]);
    assert!(folder.join("FORMAT").exists());
    // Over the socket the folder is this machine's, and its name is completed.
    good(on(far.store.path(), &["store", "backup", "near", "--tenant", "acme"]).current_dir(copies.path()));
    assert!(copies.path().join("near/FORMAT").exists());
}

#[test]
fn what_fails_far_away_fails_here_with_the_same_words_and_status() {
    let far = Far::open();
    far.good_as_root(&["component", "add", "far"]);
    let refused = far.run(&["run", "far.s.echo", "--input", "{}"]);
    assert_eq!(refused.status.code(), Some(10));
    assert!(text(&refused.stderr).contains("\"n\""), "{}", text(&refused.stderr));
    let unknown = far.run(&["run", "far.s.ecko"]);
    assert!(text(&unknown.stderr).contains("far.s.echo"), "{}", text(&unknown.stderr));
    far.write(
        "bad/component.yaml",
        "component: bad\nversion: one\nprocess: { command: [./gone.sh], files: [gone.sh] }\nservices: {}\n",
    );
    let bad = far.run_as_root(&["component", "add", "bad"]);
    assert_eq!(bad.status.code(), Some(10));
    assert!(text(&bad.stderr).contains("bad/component.yaml:2"), "{}", text(&bad.stderr));
    // What only the machine of the hub can tell comes back without its folders.
    far.write("alone/component.yaml", "component: alone\nversion: 1.0.0\nprocess: { command: [no-such-program-anywhere] }\nservices: { s: { o: { kind: query } } }\n");
    let alone = far.run_as_root(&["component", "add", "alone"]);
    assert_eq!(alone.status.code(), Some(10));
    let said = text(&alone.stderr);
    assert!(
        said.contains("no-such-program-anywhere") && said.contains("component.yaml:3") && !said.contains("/package"),
        "{said}"
    );
}

#[test]
fn a_watch_goes_on_where_it_was_when_the_hub_comes_back() {
    let mut far = Far::open();
    far.good_as_root(&["component", "add", "far"]);
    let id = far.good(&["run", "far.s.never", "--no-wait"]).trim().to_owned();
    let mut watch = far
        .command(&["execution", "watch", &id, "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let mut positions = Vec::new();
    let mut take = |positions: &mut Vec<u64>| {
        let line = lines.next().map(|line| line.unwrap());
        let record: Option<Value> = line.map(|line| serde_json::from_str(&line).unwrap());
        if let Some(record) = &record {
            positions.push(record["lsn"].as_u64().unwrap());
        }
        record
    };
    while !take(&mut positions).unwrap()["body"].to_string().contains("AttemptStarted") {}
    far.end();
    let (hub, _) = serve(far.store.path(), far.url.trim_start_matches("http://"));
    far.hub = hub;
    far.good(&["execution", "cancel", &id, "--reason", "seen enough"]);
    while take(&mut positions).is_some() {}
    assert_ne!(watch.wait().unwrap().code(), Some(0), "it was cancelled");
    let mut sorted = positions.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(positions, sorted, "each record once and in order");
    let log = far.near(&["execution", "records", &id]);
    assert_eq!(log["items"].as_array().unwrap().len(), positions.len(), "{log}");
}

#[test]
fn a_hub_that_is_not_there_or_is_none_is_told_apart() {
    let far = Far::open();
    let with = |url: &str, token: &str| {
        let ran =
            on(far.desk.path(), &["client", "--url", url, "--token", token, "execution", "list"]).output().unwrap();
        (ran.status.code().unwrap(), text(&ran.stderr))
    };
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let (status, said) = with(&format!("http://{address}"), "file:token");
    assert!(status == 12 && said.contains("cannot be reached"), "{status} {said}");
    let (status, said) = with(&far.url, "file:nowhere");
    assert!(status == 10 && said.contains("nowhere"), "{status} {said}");
    let (status, said) = with("ftp://hub", "file:token");
    assert!(status == 10 && said.contains("--url"), "{status} {said}");
    far.write("wrong", "enact_wrong");
    let (status, said) = with(&far.url, "file:wrong");
    assert!(status != 0 && said.contains("token"), "{status} {said}");
    let missing = on(far.desk.path(), &["client", "execution", "list"]).output().unwrap();
    assert!(missing.status.code() == Some(10) && text(&missing.stderr).contains("--url"), "{}", text(&missing.stderr));

    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", stranger.local_addr().unwrap());
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = stranger.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n<html");
    });
    let (status, said) = with(&url, "file:token");
    assert!(status == 10 && said.contains("no answer of a hub: <html"), "{status} {said}");
    answering.join().unwrap();
    // A hub that listens on TLS alone, or a certificate that is not trusted, is no hub either.
    let (status, said) = with(&far.url.replace("http:", "https:"), "file:token");
    assert!(status == 12 && said.contains("not trusted"), "{status} {said}");
}

#[test]
fn a_hub_is_ended_from_far_away_by_an_administrator_alone() {
    let mut far = Far::open();
    let made = on(far.store.path(), &["token", "create", "hand", "--role", "operator", "--json"]).output().unwrap();
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    far.write("hand", made["secret"].as_str().unwrap());
    let refused = on(far.desk.path(), &["client", "--url", &far.url, "--token", "file:hand", "stop"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(10), "{}", text(&refused.stderr));
    assert_eq!(far.run(&["stop"]).status.code(), Some(10), "an admin of another tenant does not end it");
    assert!(far.hub.try_wait().unwrap().is_none());
    far.good_as_root(&["stop", "--reason", "over"]);
    assert!(far.hub.wait().unwrap().success());
}
