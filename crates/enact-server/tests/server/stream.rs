//! Server-sent events: every record once, in order, across reconnects and restarts.

use std::task::{Context, Poll, Waker};

use enact_model::id::ExecutionId;
use enact_runtime::api::{Caller, Role};
use enact_runtime::hub::Watch;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::{Value, json};

use crate::bed::{Bed, LIMIT};
use crate::http::{Ask, whole};
use crate::metrics::samples;

/// Events as they come.
struct Stream {
    body: Incoming,
    text: String,
}

#[derive(Debug, Clone, PartialEq)]
struct Event {
    id: String,
    kind: String,
    data: Value,
}

impl Stream {
    async fn open(bed: &Bed, execution: &str, after: Option<&str>) -> Self {
        let mut ask = Ask::new("GET", &format!("/v1/executions/{execution}/stream"));
        if let Some(after) = after {
            ask = ask.with("last-event-id", after);
        }
        let response = ask.open(bed.address).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { body: response.into_body(), text: String::new() }
    }

    /// Returns the next event; none at the end.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let block: String = self.text.drain(..end + 2).collect();
                let field = |name: &str| {
                    let line = block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                    line.unwrap_or_default().to_owned()
                };
                if block.starts_with(':') {
                    continue;
                }
                let data = serde_json::from_str(&field("data")).unwrap();
                return Some(Event { id: field("id"), kind: field("event"), data });
            }
            let frame = tokio::time::timeout(LIMIT, self.body.frame()).await.expect("an event in time");
            match frame {
                Some(Ok(frame)) => self.text.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap()),
                _ => return None,
            }
        }
    }

    async fn rest(mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }
}

/// The positions of an execution's records, as the log has them.
async fn positions(bed: &Bed, execution: &str) -> Vec<String> {
    let records = bed.get(&format!("/v1/executions/{execution}/records?limit=1000")).await.is(200).json();
    records["items"].as_array().unwrap().iter().map(|record| record["lsn"].to_string()).collect()
}

fn ids(events: &[Event]) -> Vec<String> {
    events.iter().map(|event| event.id.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_tells_every_record_once_and_ends_with_the_outcome() {
    let bed = Bed::open().await;
    let execution = bed.begin("text.words.gate", json!({})).await;
    let mut stream = Stream::open(&bed, &execution, None).await;
    let first = stream.next().await.unwrap();
    assert!(first.kind == "record" && first.data["body"]["IntentAccepted"].is_object(), "{first:?}");
    std::fs::write(bed.gate(), "").unwrap();
    let mut events = vec![first];
    events.extend(stream.rest().await);
    assert_eq!(ids(&events), positions(&bed, &execution).await);
    assert_eq!(events.last().unwrap().kind, "settled");
    // Nothing follows any more, and a browser is told not to ask again.
    let last = events.last().unwrap().id.clone();
    let over = Ask::new("GET", &format!("/v1/executions/{execution}/stream")).with("last-event-id", &last);
    assert_eq!(bed.ask(over).await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_broke_goes_on_after_the_last_event_at_every_place() {
    let bed = Bed::open().await;
    let view = bed.run("text.words.keep", json!({ "n": 1 })).await;
    let execution = view["execution"]["id"].as_str().unwrap();
    let all = positions(&bed, execution).await;
    assert!(all.len() > 4, "{all:?}");
    assert_eq!(ids(&Stream::open(&bed, execution, None).await.rest().await), all);
    for (at, position) in all.iter().enumerate().take(all.len() - 1) {
        let rest = Stream::open(&bed, execution, Some(position)).await.rest().await;
        assert_eq!(ids(&rest), all[at + 1..], "after {position}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_goes_on_after_a_restart_of_the_hub() {
    let mut bed = Bed::open().await;
    let execution = bed.begin("text.words.gate", json!({})).await;
    let mut stream = Stream::open(&bed, &execution, None).await;
    let mut events = vec![stream.next().await.unwrap()];
    let rest = tokio::spawn(stream.rest());
    bed.stop().await;
    // The door closes and the stream with it; what was told until then was told.
    events.extend(rest.await.unwrap());
    bed.start().await;
    std::fs::write(bed.gate(), "").unwrap();
    let last = events.last().unwrap().id.clone();
    events.extend(Stream::open(&bed, &execution, Some(&last)).await.rest().await);
    assert_eq!(ids(&events), positions(&bed, &execution).await);
    assert_eq!(events.last().unwrap().kind, "settled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_that_is_none_and_an_execution_that_is_none_are_refused() {
    let bed = Bed::open().await;
    let execution = bed.run("text.words.echo", json!({})).await["execution"]["id"].as_str().unwrap().to_owned();
    let ask = Ask::new("GET", &format!("/v1/executions/{execution}/stream")).with("last-event-id", "x");
    bed.ask(ask).await.is(422);
    bed.get("/v1/executions/exe_01jd0000000000000000000000/stream").await.is(404);
    bed.get("/v1/executions/nonsense/stream").await.is(422);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_wait_do_not_keep_the_hub_from_ending() {
    let mut bed = Bed::open().await;
    let execution = bed.begin("text.words.gate", json!({})).await;
    let mut open = Vec::new();
    for _ in 0..20 {
        open.push(Ask::new("GET", &format!("/v1/executions/{execution}/stream")).open(bed.address).await);
    }
    tokio::time::timeout(LIMIT, bed.stop()).await.expect("the hub ends");
    for stream in open {
        whole(stream).await;
    }
}

/// Takes what a watcher has to tell until it sleeps; returns how much that was, and whether it is over.
fn drain(watch: &mut Watch) -> (usize, bool) {
    let mut context = Context::from_waker(Waker::noop());
    let mut told = 0;
    loop {
        match watch.poll_recv(&mut context) {
            Poll::Ready(Some(_)) => told += 1,
            Poll::Ready(None) => return (told, true),
            Poll::Pending => return (told, false),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_watchers_of_another_execution_do_not_look_when_an_intent_is_settled() {
    let bed = Bed::open().await;
    let execution: ExecutionId = bed.begin("text.words.gate", json!({})).await.parse().unwrap();
    let caller = Caller::new("default".parse().unwrap(), "test", Role::Viewer);
    let mut watchers: Vec<Watch> =
        (0..1_000).map(|_| bed.hub().watch(&caller, execution, enact_model::id::Lsn::ZERO)).collect();
    for watch in &mut watchers {
        assert_eq!(drain(watch), (2, false));
    }
    let figure = async |name: &str| samples(&bed.get("/metrics").await.is(200).text())[name];
    assert_eq!((figure("enact_watchers").await, figure("enact_watcher_looks_total").await), (1_000.0, 1_000.0));
    for _ in 0..5 {
        bed.run("text.words.keep", json!({ "n": 1 })).await;
    }
    assert!(watchers.iter_mut().all(|watch| drain(watch) == (0, false)));
    assert_eq!(figure("enact_watcher_looks_total").await, 1_000.0);
    std::fs::write(bed.gate(), "").unwrap();
    bed.get(&format!("/v1/executions/{execution}?wait=30s")).await.is(200);
    assert!(watchers.iter_mut().all(|watch| drain(watch) == (2, true)));
    drop(watchers);
    assert_eq!((figure("enact_watchers").await, figure("enact_watcher_looks_total").await), (0.0, 2_000.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_wake_up_is_lost_between_the_registration_and_the_look() {
    let bed = Bed::open().await;
    let caller = Caller::new("default".parse().unwrap(), "test", Role::Viewer);
    let mut watching = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let execution: ExecutionId = bed.begin("text.words.echo", json!({})).await.parse().unwrap();
        let mut watch = bed.hub().watch(&caller, execution, enact_model::id::Lsn::ZERO);
        watching.spawn(async move {
            let mut kinds = Vec::new();
            while let Some(record) = watch.recv().await {
                kinds.push(record.body.kind());
            }
            kinds
        });
    }
    let all = tokio::time::timeout(LIMIT, watching.join_all()).await.expect("every watcher sees the end");
    for kinds in all {
        assert_eq!(kinds, ["IntentAccepted", "AttemptStarted", "AttemptObserved", "Settled"]);
    }
}
