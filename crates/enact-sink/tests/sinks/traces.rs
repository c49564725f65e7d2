//! Spans on their way to a collector: a real hub, and an HTTP server in place of the collector.

use std::process::{Command, Stdio};
use std::sync::Arc;

use enact_model::intent::IntentDraft;
use enact_model::json::Json;
use enact_runtime::api::{Request, Response};
use enact_runtime::hub::HubConfig;
use enact_runtime::sink::FileSink;
use enact_runtime::trace::Traces;
use enact_sink::Trust;
use enact_sink::otlp::{OtlpSetup, OtlpSink};
use serde_json::{Value, json};

use crate::bed::{Bed, eventually};
use crate::endpoint::{Behaviour, Endpoint};
use crate::skip::skip;

const TRACED: &str = r#"
component: traced
version: 1.2.0
process: { command: [sh] }
services:
  t:
    trace: { kind: query, call: { command: [sh, -c, 'echo "\"$TRACEPARENT\""'], stdin: empty } }
    fail:
      kind: query
      retry: { attempts: 2, backoff: 10ms..20ms }
      call: { command: [sh, -c, "echo payload-of-somebody >&2; exit 3"], stdin: empty }
"#;
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";
const PAYLOAD: &str = "payload-of-somebody";

fn traces(port: u16, share: f64) -> Traces {
    let endpoint = OtlpSetup::endpoint(&format!("http://127.0.0.1:{port}")).unwrap();
    let headers = vec![OtlpSetup::header("x-where=env:PATH").unwrap()];
    let sink = OtlpSink::new(OtlpSetup { endpoint, trust: Trust::System, headers, service_name: "claims".to_owned() });
    Traces { sink: Arc::new(sink), share }
}

async fn bed(collector: &Endpoint, set: impl FnOnce(&mut HubConfig)) -> Bed {
    let folder = std::env::temp_dir().join("nothing-is-sent-there.jsonl");
    let port = collector.port;
    Bed::open_with(Arc::new(FileSink::new(&folder)), 1, TRACED, |config| {
        config.traces = Some(traces(port, 1.0));
        set(config);
    })
    .await
}

async fn submit(bed: &Bed, operation: &str, traceparent: Option<&str>, wait_ms: u64) -> Value {
    let draft = IntentDraft {
        intent_type: Some(format!("traced.t.{operation}")),
        parameters: Some(Json::from(&json!({ "text": PAYLOAD }))),
        metadata: traceparent.map(|text| ("traceparent".to_owned(), text.to_owned())).into_iter().collect(),
        ..IntentDraft::default()
    };
    match bed.ask("default", Request::Submit { draft: Box::new(draft), wait_ms }).await {
        Response::Accepted { execution, .. } => serde_json::to_value(&execution).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// Every span that the collector has, in the order in which they came.
fn spans(collector: &Endpoint) -> Vec<Value> {
    let requests = collector.received();
    let documents = requests.iter().map(|request| serde_json::from_str::<Value>(&request.body).unwrap());
    documents
        .flat_map(|document| document["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone())
        .collect()
}

fn attribute(span: &Value, name: &str) -> Value {
    let found = span["attributes"].as_array().unwrap().iter().find(|attribute| attribute["key"] == name);
    found.map_or(Value::Null, |attribute| attribute["value"].as_object().unwrap().values().next().unwrap().clone())
}

const READER: &str = r#"
import base64, json, sys
from google.protobuf.json_format import Parse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
given = json.load(sys.stdin)
# The mapping of OTLP writes ids as hexadecimal, that of protobuf as base64.
for resource in given["resourceSpans"]:
    for scope in resource["scopeSpans"]:
        for span in scope["spans"]:
            for name in ("traceId", "spanId", "parentSpanId"):
                if name in span:
                    span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()
read = Parse(json.dumps(given), ExportTraceServiceRequest())
spans = read.resource_spans[0].scope_spans[0].spans
assert all(len(span.trace_id) == 16 and len(span.span_id) == 8 for span in spans)
print(json.dumps([[span.name, span.kind, span.status.code, span.end_time_unix_nano - span.start_time_unix_nano >= 0] for span in spans]))
"#;

#[tokio::test(flavor = "multi_thread")]
async fn an_execution_and_its_attempts_are_spans_of_the_trace_that_asked_for_it() {
    let collector = Endpoint::open().await;
    let mut bed = bed(&collector, |_| ()).await;
    let traceparent = format!("00-{TRACE}-{PARENT}-01");
    let traced = submit(&bed, "trace", Some(&traceparent), 30_000).await;
    let failed = submit(&bed, "fail", None, 30_000).await;
    // A clean end brings what is still waiting.
    bed.close().await;
    let all = spans(&collector);
    assert_eq!(all.len(), 5, "{all:?}");
    let [execution, attempt] = &all[..2] else { unreachable!() };
    assert_eq!((execution["traceId"].as_str(), execution["parentSpanId"].as_str()), (Some(TRACE), Some(PARENT)));
    assert_eq!((&execution["name"], &execution["status"]), (&json!("traced.t.trace"), &json!({})));
    assert_eq!(attribute(execution, "enact.execution.id"), traced["execution"]["id"]);
    assert_eq!(attribute(execution, "enact.outcome"), "completed");
    assert_eq!(attempt["parentSpanId"], execution["spanId"]);
    // What the handler was told is the span of its attempt.
    let told = format!("00-{TRACE}-{}-01", attempt["spanId"].as_str().unwrap());
    assert_eq!(traced["output"], json!(told));
    let [execution, first, second] = &all[2..] else { unreachable!() };
    let code = &failed["execution"]["outcome"]["failed"]["conclusion"]["code"];
    assert!(code.is_string() && execution.get("parentSpanId").is_none(), "{failed}");
    for span in [execution, first, second] {
        assert_eq!((&span["status"]["code"], attribute(span, "error.type")), (&json!(2), code.clone()), "{span}");
        assert_eq!(span["traceId"], execution["traceId"]);
    }
    assert_eq!([attribute(first, "enact.attempt"), attribute(second, "enact.attempt")], ["1", "2"]);
    let request = collector.received().remove(0);
    assert_eq!((request.path.as_str(), request.headers["content-type"].as_str()), ("/v1/traces", "application/json"));
    assert_eq!(request.headers["x-where"], std::env::var("PATH").unwrap());
    assert!(!request.body.contains(PAYLOAD) && request.body.contains("claims"), "{}", request.body);
    let Some(packages) = std::env::var_os("ENACT_TEST_READERS").filter(|folder| !folder.is_empty()) else {
        return skip("the Python package opentelemetry-proto is not here; `cargo xtask test` brings it");
    };
    let mut python = Command::new("python3");
    python.env("PYTHONPATH", packages).args(["-c", READER]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut python = python.spawn().unwrap();
    std::io::Write::write_all(&mut python.stdin.take().unwrap(), request.body.as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "OpenTelemetry cannot read it: {}", request.body);
    let read: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(read[0], json!(["traced.t.trace", 2, 0, true]));
    assert_eq!(read[1], json!(["traced.t.trace attempt", 3, 0, true]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_its_caller_does_not_sample_is_not_exported_and_the_share_decides_for_the_others() {
    let collector = Endpoint::open().await;
    let port = collector.port;
    let mut bed = bed(&collector, |config| config.traces = Some(traces(port, 0.0))).await;
    let unsampled = submit(&bed, "trace", Some(&format!("00-{TRACE}-{PARENT}-00")), 30_000).await;
    let own = submit(&bed, "trace", None, 30_000).await;
    assert!([&unsampled, &own].iter().all(|view| view["output"].as_str().unwrap().ends_with("-00")));
    submit(&bed, "trace", Some(&format!("00-{TRACE}-{PARENT}-01")), 30_000).await;
    bed.close().await;
    let all = spans(&collector);
    assert_eq!(all.iter().map(|span| &span["traceId"]).collect::<Vec<_>>(), [&json!(TRACE), &json!(TRACE)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_span_of_an_execution_is_whole_after_a_restart() {
    let collector = Endpoint::open().await;
    let mut bed = bed(&collector, |config| config.policy.running_max = 0).await;
    let view = submit(&bed, "trace", None, 0).await;
    bed.restart_with(|config| config.policy.running_max = 8).await;
    let execution = view["execution"]["id"].as_str().unwrap().parse().unwrap();
    bed.ask("default", Request::Await { execution, wait_ms: 30_000 }).await;
    eventually("the span is there", async || !spans(&collector).is_empty()).await;
    let all = spans(&collector);
    let began = view["execution"]["accepted_at"].as_u64().unwrap() * 1_000_000;
    assert_eq!((all.len(), &all[0]["startTimeUnixNano"]), (2, &json!(began.to_string())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_refuses_or_is_away_slows_nothing_and_is_told_by_figures_and_doctor() {
    let mut collector = Endpoint::open().await;
    collector.behaves(Behaviour::status("400 Bad Request"));
    let bed = bed(&collector, |_| ()).await;
    submit(&bed, "trace", None, 30_000).await;
    let refused = async || {
        let samples = bed.hub().metrics().await.unwrap();
        let mut found = samples.iter().filter(|sample| sample.metric.name == "enact_traces_dropped_total");
        let value = found.find(|sample| &*sample.labels[0] == "refused").map(|sample| sample.value.clone());
        value == Some(enact_runtime::metrics::Value::Number(1.0))
    };
    eventually("it is counted", refused).await;
    collector.stop().await;
    let answered = submit(&bed, "trace", None, 30_000).await;
    assert_eq!(answered["execution"]["phase"], "settled");
    let Response::Doctor(report) = bed.ask("default", Request::Doctor).await else { panic!("no report") };
    let problems = &report.checks["traces"].problems;
    assert!(
        problems[0].contains("cannot be reached") && problems[0].contains("telemetry.otlp.endpoint"),
        "{problems:?}"
    );
}
