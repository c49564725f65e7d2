//! What the hub and every component tell of themselves: the same bytes on every way, and no way that is silently another.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use enact_catalog::meta::Question;
use serde_json::Value;

use super::client::{Far, on};
use super::fake::text;

const DESCRIPTOR: &str = "component: told\nversion: 1.2.0\nsummary: tells of itself\nprocess: { command: [cat] }\nservices:\n  s:\n    \
    echo: { kind: query, summary: gives back, handles: [give_back], input: { type: object }, output: { type: object } }\n    \
    keep: { kind: command }\n";

fn open() -> Far {
    let far = Far::open();
    far.write("told/component.yaml", DESCRIPTOR);
    far.good_as_root(&["component", "add", "told"]);
    far
}

/// Asks over HTTP as any program would; returns the status and the body.
fn http(far: &Far, method: &str, path: &str, body: &str) -> (u16, String) {
    let address = far.url.trim_start_matches("http://");
    let token = std::fs::read_to_string(far.desk.path().join("token")).unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer}"));
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// What a command answers with `--json`, as one line.
fn compact(far: &Far, args: &[&str], over_http: bool) -> String {
    let args = [args, &["--json"]].concat();
    let ran = if over_http { far.run(&args) } else { near(far, &args) };
    let document: Value =
        serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| panic!("{args:?}: {error}: {}", text(&ran.stderr)));
    document.to_string()
}

fn near(far: &Far, args: &[&str]) -> std::process::Output {
    on(far.store.path(), &[args, &["--tenant", "acme"]].concat()).output().unwrap()
}

#[test]
fn all_that_may_be_asked_has_the_same_answer_on_every_way() {
    let far = open();
    for name in ["enact", "told"] {
        for question in Question::ALL.map(Question::as_str) {
            let path = format!("/rest/v1/{name}/meta/{question}");
            let (status, got) = http(&far, "GET", &path, "");
            assert_eq!(status, 200, "{got}");
            assert!(name == "enact" && question == "version" || got.contains("told"), "{path}: {got}");
            assert_eq!(http(&far, "POST", &path, "{}"), (200, got.clone()), "{path}");
            let selector = format!("{name}.meta.{question}");
            for over_http in [false, true] {
                assert_eq!(compact(&far, &["meta", question, name], over_http), got, "{path}");
                assert_eq!(compact(&far, &["run", &selector], over_http), got, "{path}");
            }
        }
    }
    let one = http(&far, "GET", "/rest/v1/told/meta/operations?operation=s.echo&version=1.2.0", "").1;
    assert!(one.contains("told.s.echo") && !one.contains("told.s.keep"), "{one}");
    let asked = ["meta", "operations", "told", "--operation", "s.echo", "--version", "1.2.0"];
    let input = r#"{"operation":"s.echo","version":"1.2.0"}"#;
    for over_http in [false, true] {
        assert_eq!(compact(&far, &asked, over_http), one);
        assert_eq!(compact(&far, &["run", "told.meta.operations", "--input", input], over_http), one);
    }
    assert_eq!(http(&far, "POST", "/rest/v1/told/meta/operations", input).1, one);
}

#[test]
fn as_an_intent_it_is_refused_with_the_route_and_the_command_that_answer_it() {
    let far = open();
    for (name, question) in [("told", "tree"), ("enact", "help")] {
        let intent = format!("{name}.meta.{question}");
        let hint = format!("ask `GET /rest/v1/{name}/meta/{question}` or `enact run {intent}`");
        let (status, problem) =
            http(&far, "POST", "/v1/intents", &format!("{{\"intent_type\":\"{intent}\",\"parameters\":{{}}}}"));
        let problem: Value = serde_json::from_str(&problem).unwrap();
        assert_eq!(status, 404, "{problem}");
        assert_eq!(problem["faults"][0]["hint"], hint.as_str(), "{problem}");
        assert!(problem["detail"].to_string().contains("without an intent"), "{problem}");
        for ran in [near(&far, &["intent", "submit", &intent]), far.run(&["intent", "submit", &intent])] {
            assert_eq!(ran.status.code(), Some(10));
            assert!(text(&ran.stderr).contains(&hint), "{}", text(&ran.stderr));
        }
    }
    let near_miss = far.run(&["run", "told.meta.tre"]);
    assert!(text(&near_miss.stderr).contains("did you mean told.meta.tree"), "{}", text(&near_miss.stderr));
    let types = compact(&far, &["intent", "types"], true);
    assert!(types.contains("told.s.echo") && !types.contains("meta"), "what is no intent is not listed: {types}");
}

#[test]
fn a_solution_that_allows_it_is_told_that_this_changes_nothing() {
    let far = open();
    let solution = |allow: &str| {
        far.write("s.yaml", &format!("solution: s\ncomponents: {{ told: \">=1.0.0\" }}\nallow: {allow}\n"));
        let near = text(&near(&far, &["solution", "bind", far.desk.path().join("s.yaml").to_str().unwrap()]).stdout);
        let again = far.good_as_root(&["solution", "bind", "s.yaml"]);
        assert_eq!(again, near.replace("is bound", "is bound already"), "over HTTP and over the socket");
        near
    };
    let told = solution("{ viewer: [\"*.meta.*\", told.s.echo] }");
    assert!(told.contains("`allow` need not name *.meta.* for viewer"), "{told}");
    assert!(!solution("{ viewer: [told.s.echo] }").contains("need not"));
}
