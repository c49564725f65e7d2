//! The log of the real binary, in both of its forms: it can be read line by line, and has neither a payload nor a secret (A5).

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Child;

use enact_model::time::Timestamp;
use serde_json::{Value, json};

use super::fake::text;
use super::hub::Store;
use super::server::free_port;

/// What a caller says, and what nobody else is to read.
const PAYLOAD: &str = "payload-of-somebody";
const SIGNING: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Asks over HTTP/1.1 and returns the status and everything that comes.
fn ask(address: SocketAddr, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n"
    );
    stream.write_all((head + body).as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    (answer.split(' ').nth(1).unwrap().parse().unwrap(), answer)
}

/// Runs a hub at `trace` that is told payloads and secrets in every way there is, and returns its log and the secret of a token.
fn told(format: &str) -> (String, String) {
    let store = Store::new()
        .with("ENACT_LOG_FORMAT", format)
        .with("ENACT_LOG_LEVEL", "trace")
        .with("ENACT_SINKS_HOOK_WEBHOOK", &format!("http://127.0.0.1:{}/in", free_port()))
        .with("ENACT_SINKS_HOOK_SECRET", "env:HOOK_SECRET")
        .with("ENACT_OUTBOX_DEFAULT_SINKS", "hook")
        .with("HOOK_SECRET", &format!("whsec_{SIGNING}"));
    let made = store.run(&["token", "create", "hand", "--role", "operator", "--json"]);
    let made: Value = serde_json::from_slice(&made.stdout).unwrap_or_else(|_| panic!("{}", text(&made.stderr)));
    let secret = made["secret"].as_str().unwrap().to_owned();
    let log = store.path().join("log.txt");
    let (mut hub, address) = serve(&store, &log);
    let (bearer, kind) = (format!("authorization: Bearer {secret}\r\n"), "content-type: application/json\r\n");
    let with = format!("{bearer}{kind}");
    for operation in ["c.s.echo", "c.s.fails", "c.s.slow", "c.s.nothing"] {
        let draft = json!({
            "intent_type": operation, "parameters": { "text": PAYLOAD }, "metadata": { "note": PAYLOAD },
        });
        assert_ne!(ask(address, "POST", "/v1/intents?wait=30s", &with, &draft.to_string()).0, 401);
    }
    assert_eq!(ask(address, "POST", "/v1/intents", &with, &format!("{{\"{PAYLOAD}\": 1}}")).0, 400);
    assert_eq!(ask(address, "PUT", "/v1/state/default/k", &with, &json!(PAYLOAD).to_string()).0, 200);
    assert_eq!(ask(address, "POST", "/v1/artifacts?name=a", &with, &json!(PAYLOAD).to_string()).0, 201);
    assert_eq!(ask(address, "GET", &format!("/v1/executions/{PAYLOAD}"), &bearer, "").0, 422);
    let stranger = format!("authorization: Bearer {secret}x\r\n");
    assert_eq!(ask(address, "GET", "/v1/executions", &stranger, "").0, 401);
    let run = store.run(&["run", "c.s.echo", "--input", &json!({ "text": PAYLOAD }).to_string()]);
    assert!(text(&run.stdout).contains(PAYLOAD), "{}", text(&run.stderr));
    // What was said is there where it may be.
    assert!(ask(address, "GET", "/v1/executions", &bearer, "").1.contains(PAYLOAD));
    assert_eq!(store.run(&["stop"]).status.code(), Some(0));
    assert!(hub.wait().unwrap().success());
    (std::fs::read_to_string(log).unwrap(), secret)
}

fn serve(store: &Store, log: &std::path::Path) -> (Child, SocketAddr) {
    let mut command = store.command(&["serve", "--json"]);
    let (hub, http) = super::hub::ready(command.stderr(std::fs::File::create(log).unwrap()));
    (hub, http.trim_start_matches("http://").parse().unwrap())
}

fn is_silent(log: &str, secret: &str) {
    for hidden in [PAYLOAD, SIGNING, secret, secret.rsplit('_').next().unwrap()] {
        assert_eq!(log.lines().find(|line| line.contains(hidden)), None, "the log says it");
    }
}

#[test]
fn every_line_of_a_log_in_json_is_an_object_with_time_level_and_message_and_no_payload_or_secret() {
    let (log, secret) = told("json");
    let mut messages = Vec::new();
    for line in log.lines() {
        let entry: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let time = entry["timestamp"].as_str().and_then(|time| time.parse::<Timestamp>().ok());
        assert!(time.is_some_and(|time| time.0 > 1_700_000_000_000), "{line}");
        let level = entry["level"].as_str().unwrap_or_else(|| panic!("{line}"));
        assert!(["ERROR", "WARN", "INFO", "DEBUG", "TRACE"].contains(&level), "{line}");
        let target = entry["target"].as_str().unwrap_or_else(|| panic!("{line}"));
        let message = entry["fields"]["message"].as_str();
        // Those of the hub say something; what its libraries trace may be a field alone.
        assert!(message.is_some_and(|message| !message.is_empty()) || !target.starts_with("enact"), "{line}");
        if target.starts_with("enact") {
            messages.extend(message.map(str::to_owned));
        }
    }
    for said in ["the store is open", "ending: new work is refused"] {
        assert!(messages.iter().any(|message| message == said), "{messages:?}");
    }
    is_silent(&log, &secret);
}

#[test]
fn a_log_for_people_has_no_payload_or_secret_either() {
    let (log, secret) = told("human");
    assert!(log.contains("the store is open") && !log.starts_with('{'), "{log}");
    is_silent(&log, &secret);
}
