//! `/metrics`: what is counted, who may see it, and that Prometheus' own parser reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};

use enact_runtime::api::Role;
use enact_runtime::metrics::{DOOR, HUB, Kind, Metric};
use enact_server::exposition::table;
use enact_server::route::ROUTES;
use serde_json::{Value, json};

use crate::bed::Bed;
use crate::http::Ask;
use crate::skip::skip;

/// Every sample of a text, by its name with its labels.
pub fn samples(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
        .collect()
}

async fn scrape(bed: &Bed) -> BTreeMap<String, f64> {
    samples(&bed.get("/metrics").await.is(200).text())
}

fn metrics() -> impl Iterator<Item = &'static Metric> {
    HUB.iter().chain(DOOR)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_counted_before_it_is_answered() {
    let bed = Bed::open().await;
    for _ in 0..3 {
        bed.run("text.words.keep", json!({ "n": 1 })).await;
    }
    let failing = json!({ "intent_type": "text.words.fail", "parameters": {} });
    bed.post("/v1/intents?wait=30s", failing).await;
    bed.post("/v1/intents", json!({ "intent_type": "text.words.typed", "parameters": {} })).await.is(422);
    bed.begin("text.words.gate", json!({})).await;
    bed.get("/nothing/of/the/kind").await.is(404);
    bed.ask(Ask::new("BREW", "/v1/intents")).await.is(405);
    let text = bed.get("/metrics").await.is(200).text();
    let found = samples(&text);
    let is = |name: &str, value: f64| assert_eq!(found.get(name), Some(&value), "{name} in\n{text}");
    is("enact_intents_admitted_total{tenant=\"default\"}", 5.0);
    is("enact_intents_rejected_total{tenant=\"default\",reason=\"parameters_invalid\"}", 1.0);
    is("enact_executions_settled_total{tenant=\"default\",outcome=\"completed\",category=\"none\"}", 3.0);
    let failed: Vec<_> = found.iter().filter(|(name, _)| name.contains("outcome=\"failed\"")).collect();
    assert!(matches!(failed[..], [(name, 1.0)] if !name.contains("category=\"none\"")), "{failed:?}");
    is("enact_execution_seconds_count{component=\"text\"}", 4.0);
    is("enact_execution_start_seconds_count{component=\"text\"}", 5.0);
    is("enact_attempt_seconds_count{component=\"text\"}", 4.0);
    is("enact_execution_settle_seconds_count{component=\"text\"}", 4.0);
    is("enact_executions_open{tenant=\"default\"}", 1.0);
    is("enact_http_requests_total{route=\"_other\",method=\"_other\",status=\"404\"}", 1.0);
    is("enact_http_requests_total{route=\"/v1/intents\",method=\"_other\",status=\"405\"}", 1.0);
    is("enact_http_requests_total{route=\"/v1/intents\",method=\"POST\",status=\"202\"}", 1.0);
    is("enact_component_state{component=\"text\",version=\"1.0.0\",state=\"ready\"}", 1.0);
    is("enact_poisoned", 0.0);
    assert!(found["enact_commit_seconds_count"] >= 10.0 && found["enact_log_bytes"] > 1000.0, "{text}");
    assert!(found["process_resident_memory_bytes"] > 1e6 && found["process_threads"] > 2.0, "{text}");
}

const DELIVERED: &str = "enact_deliveries_total{sink=\"lines\",result=\"delivered\"}";

/// Waits for the relay, which marks a delivery on its own time.
async fn delivered(bed: &Bed) {
    let begun = std::time::Instant::now();
    while !scrape(bed).await.contains_key(DELIVERED) {
        assert!(begun.elapsed() < crate::bed::LIMIT, "nothing is delivered");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_counted_by_sink_and_what_came_of_them() {
    let bed = Bed::open().await;
    bed.run("text.words.keep", json!({})).await;
    delivered(&bed).await;
    let found = scrape(&bed).await;
    assert_eq!((found[DELIVERED], found["enact_outbox_pending{sink=\"lines\"}"]), (1.0, 0.0));
    assert_eq!(found["enact_outbox_dead_letters{sink=\"lines\"}"], 0.0);
}

/// What is queued waits behind what holds the only slot.
const SERIAL: &str = r#"
component: serial
version: 1.0.0
process: { command: [cat], mode: oneshot }
services:
  one:
    gate:
      kind: query
      timeout: 60s
      concurrency: { limit: 1 }
      call: { command: [sh, -c, "while [ ! -e $GATE ]; do sleep 0.02; done; echo 1"], stdin: empty }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_queued_is_looked_up_when_it_is_asked_for() {
    let bed = Bed::open().await;
    bed.add("serial", &SERIAL.replace("$GATE", &bed.gate().display().to_string())).await;
    for _ in 0..4 {
        bed.begin("serial.one.gate", json!({})).await;
    }
    let found = scrape(&bed).await;
    assert_eq!(found["enact_executions_queued{tenant=\"default\"}"], 3.0);
    assert!(found["enact_executions_queued_oldest_seconds{tenant=\"default\"}"] >= 0.0);
    assert_eq!(found["enact_executions_open{tenant=\"default\"}"], 4.0);
    std::fs::write(bed.gate(), "").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_roles_metrics_and_admin_see_the_figures_and_metrics_sees_nothing_else() {
    let bed = Bed::with(|config| config.live.anonymous = None).await;
    bed.get("/metrics").await.is(401);
    let [viewer, own, of_acme, foreign] =
        [Role::Viewer, Role::Operator, Role::Metrics, Role::Admin].map(|role| bed.token("acme", role));
    let admin = bed.token("default", Role::Admin);
    for (token, status) in [(&viewer, 403), (&own, 403), (&of_acme, 200), (&foreign, 403), (&admin, 200)] {
        bed.ask(Ask::new("GET", "/metrics").token(token)).await.is(status);
    }
    let scraper = bed.token("scraper", Role::Metrics);
    let artifact =
        bed.ask(Ask::new("POST", "/v1/artifacts?name=a").raw("text/plain", "a").token(&own)).await.is(201).json();
    let digest = artifact["digest"].as_str().unwrap();
    let mut asked = 0.0;
    for route in ROUTES.iter().filter(|route| route.method == "GET" && route.path.starts_with("/v1/")) {
        let path = route.path.replace("{digest}", digest).replace("{session}", "default").replace("{key}", "k");
        let path = path.replace("{component}", "text");
        let ids = [("intents", "int_"), ("outbox", "msg_"), ("references", "ref_"), ("sessions", ""), ("", "exe_")];
        let prefix = ids.iter().find(|(kind, _)| path.contains(kind)).map_or("", |(_, prefix)| prefix);
        let path = path.replace("{id}", &format!("{prefix}01jd0000000000000000000000"));
        bed.ask(Ask::new("GET", &path).token(&of_acme)).await.is(403);
        asked += 1.0;
    }
    let draft = json!({ "intent_type": "text.words.echo", "parameters": {} });
    bed.ask(Ask::new("POST", "/v1/intents").json(&draft).token(&scraper)).await.is(403);
    let text = bed.ask(Ask::new("GET", "/metrics").token(&admin)).await.is(200).text();
    assert_eq!(samples(&text)["enact_denied_total{tenant=\"scraper\"}"], 1.0);
    assert_eq!(samples(&text)["enact_denied_total{tenant=\"acme\"}"], asked + 3.0);
    assert!(bed.denied("acme", 2).await.iter().any(|denied| denied.contains("the figures of the hub")));
}

#[test]
fn the_page_in_the_docs_lists_every_figure() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metrics.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (before, rest) = page.split_once("writes them -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- end -->").unwrap();
    let made = format!(
        "{before}writes them -->\n\nOf the hub:\n\n{}\nOf the door over HTTP:\n\n{}\n<!-- end -->{after}",
        table(HUB),
        table(DOOR)
    );
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &made).unwrap();
    }
    let stands = std::fs::read_to_string(path).unwrap();
    assert!(stands == made, "docs/metrics.md is old; `UPDATE_DOCS=1 cargo nextest run -p enact-server` writes it");
}

const READER: &str = r#"
import json, sys
given = json.load(sys.stdin)
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics
def told(families):
    return [[f.name, f.type, f.documentation, f.unit, [[s.name, s.labels, s.value] for s in f.samples]] for f in families]
print(json.dumps({
    "prometheus": told(parser.text_string_to_metric_families(given["prometheus"])),
    "openmetrics": told(openmetrics.text_string_to_metric_families(given["openmetrics"])),
}))
"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_parsers_of_prometheus_read_every_figure_with_the_labels_of_the_docs() {
    let Some(packages) = std::env::var_os("ENACT_TEST_READERS").filter(|folder| !folder.is_empty()) else {
        return skip("the Python package prometheus_client is not here; `cargo xtask test` brings it");
    };
    let bed = Bed::open().await;
    bed.run("text.words.keep", json!({ "n": 1 })).await;
    bed.post("/v1/intents", json!({ "intent_type": "text.words.typed", "parameters": {} })).await.is(422);
    delivered(&bed).await;
    let accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
    let open = bed.ask(Ask::new("GET", "/metrics").with("accept", accept)).await.is(200);
    assert_eq!(open.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let plain = bed.get("/metrics").await.is(200);
    assert_eq!(plain.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let mut python = Command::new("python3");
    python.env("PYTHONPATH", packages).args(["-c", READER]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut python = python.spawn().unwrap();
    let given = json!({ "prometheus": plain.text(), "openmetrics": open.text() }).to_string();
    python.stdin.take().unwrap().write_all(given.as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "it cannot be read");
    let read: Value = serde_json::from_slice(&output.stdout).unwrap();
    for format in ["prometheus", "openmetrics"] {
        let mut found = BTreeSet::new();
        for family in read[format].as_array().unwrap() {
            let name = family[0].as_str().unwrap();
            // Both parsers name a counter without its ending.
            let metric =
                metrics().find(|metric| metric.name == name || metric.name.strip_suffix("_total") == Some(name));
            let metric = metric.unwrap_or_else(|| panic!("{name} is not in the docs"));
            assert_eq!((family[1].as_str(), family[2].as_str()), (Some(metric.kind.word()), Some(metric.meaning)));
            for sample in family[4].as_array().unwrap() {
                let labels: BTreeSet<&str> = sample[1].as_object().unwrap().keys().map(String::as_str).collect();
                let bucket = sample[0].as_str().unwrap().ends_with("_bucket") && metric.kind == Kind::Histogram;
                let meant = metric.labels.iter().copied().chain(bucket.then_some("le")).collect();
                assert_eq!(labels, meant, "{name}");
                found.insert(metric.name);
            }
        }
        // Told with TLS only; its own test reads it there.
        found.insert("enact_http_certificate_expires_timestamp_seconds");
        let missing: Vec<&str> = metrics().map(|metric| metric.name).filter(|name| !found.contains(name)).collect();
        assert!(missing.is_empty(), "{format}: {missing:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_takes_nothing_makes_a_hub_degraded_and_not_unready() {
    let bed = Bed::open().await;
    assert_eq!(bed.get("/readyz").await.is(200).json(), json!({ "status": "ready" }));
    // Where the sink would append, nothing can be appended to.
    std::fs::create_dir(bed.gate().with_file_name("events.jsonl")).unwrap();
    for _ in 0..6 {
        bed.run("text.words.keep", json!({})).await;
    }
    let begun = std::time::Instant::now();
    while bed.get("/readyz").await.is(200).json()["degraded"] != json!(["sinks that take nothing: 1"]) {
        assert!(begun.elapsed() < crate::bed::LIMIT, "it is not degraded");
    }
    assert_eq!(scrape(&bed).await["enact_sink_down{sink=\"lines\"}"], 1.0);
}
