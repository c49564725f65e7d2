//! Secrets of the encrypted file, and the issuer that the doctor asks.

use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Output, Stdio};

use super::fake::text;
use super::hub::Store;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn with_files(store: Store) -> Store {
    let (file, key) = (store.path().join("kept"), store.path().join("kept.key"));
    store.with("ENACT_SECRETS_FILE", file.to_str().unwrap()).with("ENACT_SECRETS_KEY_FILE", key.to_str().unwrap())
}

fn set(store: &Store, name: &str, value: &str) -> Output {
    let mut command = store.command(&["secret", "set", name]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Who refuses a name or has no key reads nothing.
    let _ = child.stdin.take().unwrap().write_all(value.as_bytes());
    child.wait_with_output().unwrap()
}

fn said(output: &Output) -> String {
    text(&output.stdout) + &text(&output.stderr)
}

/// Whether a word stands in any file below a folder.
fn stands_in(folder: &Path, word: &str) -> bool {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).any(|path| {
        let kind = std::fs::symlink_metadata(&path).unwrap();
        match (kind.is_dir(), kind.is_file()) {
            (true, _) => stands_in(&path, word),
            (_, true) => std::fs::read(&path).unwrap().windows(word.len()).any(|window| window == word.as_bytes()),
            _ => false,
        }
    })
}

#[test]
fn a_secret_is_set_from_standard_input_listed_by_name_and_removed() {
    let store = with_files(Store::new());
    let unset = set(&store, "hook", SECRET);
    assert!(unset.status.code() != Some(0) && said(&unset).contains("`enact secret init`"), "{}", said(&unset));
    assert_eq!(store.run(&["secret", "init"]).status.code(), Some(0));
    let again = store.run(&["secret", "init"]);
    assert!(again.status.code() != Some(0) && said(&again).contains("there is one"), "{}", said(&again));
    assert_eq!(said(&set(&store, "hook", &format!("{SECRET}\n"))), "hook is set\n");
    let listed = store.run(&["secret", "list", "--json"]);
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!((&listed[0]["name"], &listed[0]["set_by"]), (&"hook".into(), &"cli:ada".into()));
    // What stands on the command line is no secret.
    assert_eq!(store.run(&["secret", "set", "hook", SECRET]).status.code(), Some(2));
    for (name, value) in [("a b", "x"), ("empty", ""), ("blank", " \n"), ("long", &"x".repeat(70_000))] {
        assert_ne!(set(&store, name, value).status.code(), Some(0), "{name}");
    }
    let unknown = store.run(&["secret", "remove", "other"]);
    assert!(said(&unknown).contains("`enact secret list` shows the names"), "{}", said(&unknown));

    let kept = std::fs::read(store.path().join("kept")).unwrap();
    let mut altered = kept.clone();
    *altered.last_mut().unwrap() ^= 1;
    std::fs::write(store.path().join("kept"), altered).unwrap();
    let refused = store.run(&["secret", "list"]);
    assert!(said(&refused).contains("it is not what was written"), "{}", said(&refused));
    std::fs::write(store.path().join("kept"), kept).unwrap();
    let other = store.command(&["secret", "list"]).env("ENACT_SECRETS_KEY", "ab".repeat(32)).output().unwrap();
    assert!(said(&other).contains("made with another key"), "{}", said(&other));
    let key = std::fs::read_to_string(store.path().join("kept.key")).unwrap();
    std::fs::remove_file(store.path().join("kept.key")).unwrap();
    let right = store.command(&["secret", "list"]).env("ENACT_SECRETS_KEY", key).output().unwrap();
    assert!(said(&right).contains("hook"), "{}", said(&right));

    let without = Store::new().run(&["secret", "list"]);
    assert!(said(&without).contains("secrets.file is not set"), "{}", said(&without));
}

#[test]
fn a_sink_reads_its_secret_from_the_encrypted_file_and_it_stands_nowhere_else() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let there = format!("http://{}/in", listener.local_addr().unwrap());
    let bare = Store::new().with("ENACT_SINKS_HOOK_WEBHOOK", &there).with("ENACT_SINKS_HOOK_SECRET", "secret:hook");
    let fault = bare.run(&["doctor"]);
    assert!(said(&fault).contains("names a kept secret, and there is no file of secrets"), "{}", said(&fault));
    let store = with_files(bare);
    assert_eq!(store.run(&["secret", "init"]).status.code(), Some(0));
    let _hub = store.serve();
    let missing = store.run(&["doctor"]);
    assert!(said(&missing).contains("failed to find the secret hook"), "{}", said(&missing));
    // The hub that runs takes it from the next time on.
    assert_eq!(set(&store, "hook", SECRET).status.code(), Some(0));
    let there = store.run(&["doctor"]);
    assert!(said(&there).contains("hook (webhook http://127.0.0.1"), "{}", said(&there));
    assert_eq!(store.run(&["run", "c.s.slow"]).status.code(), Some(0));
    let all = [&["config", "show"][..], &["secret", "list"], &["status"], &["outbox", "list"]]
        .map(|args| said(&store.run(args)));
    assert!(all.iter().any(|said| said.contains("secret:hook")) && !all.concat().contains("MfKQ9r8"), "{all:?}");
    assert!(!stands_in(store.path(), "MfKQ9r8"));
    // It would be found if it stood there.
    assert!(stands_in(store.path(), "c.s.slow") || stands_in(store.path(), "slow"));
}

const KEYED: &str = r#"component: keyed
version: 1.0.0
process: { command: [sh], mode: oneshot }
secrets: { API_KEY: api }
services:
  s:
    digest:
      kind: query
      call: { command: [sh, -c, "printf %s \"$API_KEY\" | sha256sum | cut -c1-64 | tr -d '\\n'"], stdin: empty, stdout: text }
    leaks:
      kind: query
      call: { command: [sh, -c, "echo \"key $API_KEY\" >&2; echo \"$API_KEY\"; exit 3"], stdin: empty, stdout: text }
    both:
      kind: query
      secrets: { OTHER: other }
      call: { command: [sh, -c, "printf '%s' \"$OTHER\" | wc -c | tr -d ' \\n'"], stdin: empty }
"#;

#[test]
fn a_handler_is_given_its_secrets_at_each_call_and_they_stand_nowhere() {
    let place = tempfile::tempdir().unwrap();
    let other = place.path().join("other");
    let store = with_files(Store::new())
        .with("ENACT_LOG_LEVEL", "trace")
        .with("ENACT_SECRETS_HANDLERS", &format!("other=file:{}", other.display()));
    assert_eq!(store.run(&["secret", "init"]).status.code(), Some(0));
    std::fs::create_dir(store.path().join("keyed")).unwrap();
    std::fs::write(store.path().join("keyed/component.yaml"), KEYED).unwrap();
    let added = store.run(&["component", "add", "keyed"]);
    assert_eq!(added.status.code(), Some(0), "{}", said(&added));
    let log = std::fs::File::create(place.path().join("log")).unwrap();
    let hub = store.serve_as(&["serve"], log);

    // A secret that is not there is a failure that names it and the way out, of its call alone.
    let missing = store.run(&["run", "keyed.s.digest"]);
    assert_ne!(missing.status.code(), Some(0));
    for words in ["the secret api cannot be given", "enact secret set"] {
        assert!(said(&missing).contains(words), "{}", said(&missing));
    }
    for ask in [&["doctor"][..], &["component", "list"]] {
        let told = said(&store.run(ask));
        assert!(told.contains("the secret api"), "{ask:?}: {told}");
    }
    let shown = store.run(&["execution", "list", "--json"]);
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert!(shown.to_string().contains("secret_missing"), "{shown}");

    // A secret that was set, and one that was changed, hold for the next call of the hub that runs.
    for value in ["hunter2-the-first", "hunter2-the-second"] {
        assert_eq!(set(&store, "api", value).status.code(), Some(0));
        let digest = text(&store.run(&["run", "keyed.s.digest", "-q"]).stdout);
        let wanted = enact_model::digest::Digest::of(value.as_bytes()).to_string();
        assert!(digest.contains(wanted.trim_start_matches("sha256:")), "{digest} is not that of {value}");
    }
    let lacks = store.run(&["run", "keyed.s.both"]);
    assert!(said(&lacks).contains("the secret other cannot be given"), "{}", said(&lacks));
    std::fs::write(&other, "hunter2-of-a-file\n").unwrap();
    assert_eq!(text(&store.run(&["run", "keyed.s.both", "-q"]).stdout).trim(), "17");

    // What a handler writes to its log or prints when it fails is evidence, and its secret is taken out of it.
    let leaks = store.run(&["run", "keyed.s.leaks", "--json"]);
    assert_ne!(leaks.status.code(), Some(0));
    assert!(said(&leaks).contains("key [secret api]"), "{}", said(&leaks));
    let asked = [
        &["execution", "list", "--json"][..],
        &["component", "describe", "keyed", "--json"],
        &["component", "list"],
        &["wal", "show", "--json"],
        &["config", "show"],
        &["doctor"],
        &["status", "--json"],
        &["outbox", "list"],
    ];
    let answers = asked.map(|args| said(&store.run(args))).concat() + &said(&leaks) + &said(&missing);
    assert!(answers.contains("API_KEY: api") && !answers.contains("hunter2"), "{answers}");
    drop(hub);
    let log = std::fs::read_to_string(place.path().join("log")).unwrap();
    assert!(log.contains("the store is open") && !log.contains("hunter2"), "{log}");
    assert!(!stands_in(store.path(), "hunter2"));
    // It would be found if it stood there.
    assert!(stands_in(store.path(), "[secret api]"));
}

#[test]
fn the_doctor_tells_that_the_issuer_does_not_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let store = Store::new().with("ENACT_HTTP_OIDC_ISSUER", &issuer);
    let fault = store.run(&["doctor"]);
    assert!(
        said(&fault).contains("http.oidc.audience") && said(&fault).contains("the issuer needs it"),
        "{}",
        said(&fault)
    );
    let store = store.with("ENACT_HTTP_OIDC_AUDIENCE", "enact");
    let doctor = store.run(&["doctor"]);
    assert_eq!(doctor.status.code(), Some(13), "{}", said(&doctor));
    let words = format!("{issuer} cannot be reached");
    assert!(said(&doctor).contains("issuer") && said(&doctor).contains(&words), "{}", said(&doctor));
}
