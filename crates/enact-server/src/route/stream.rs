//! The records of an execution as server-sent events: each has its position as its id, so that a connection that broke goes
//! on after the last one it got, across restarts of the hub too. A commit
//! wakes the streams of its own executions; nothing is polled.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use enact_model::id::{ExecutionId, Lsn};
use enact_model::record::{Body, Record};
use enact_runtime::api::{Request, Response};
use enact_runtime::hub::Watch;

use super::{Answer, unexpected};
use crate::access::Asker;
use crate::body::{Path, named};
use crate::figures::Open;
use crate::server::{Door, ended};

/// How often a quiet stream shows that it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

pub(super) async fn stream(
    State(door): State<Arc<Door>>,
    Asker(caller): Asker,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer {
    let execution: ExecutionId = named(&id, "id of an execution")?;
    let last = headers.get("last-event-id").map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let after = match last.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
        Some(text) => Lsn(named(text, "position of a record")?),
        None => Lsn::ZERO,
    };
    let view = match door.ask(&caller, Request::Execution { execution }).await? {
        Response::Execution(view) => view,
        other => return Err(unexpected(&format!("{other:?}"))),
    };
    let over = view.execution.records.last().is_some_and(|last| *last <= after);
    if over && view.outcome().is_some() {
        // An `EventSource` asks again after every end; this tells it that nothing will ever follow.
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let mut end = door.end.clone();
    let records = door.hub.watch(&caller, execution, after);
    let open = door.figures.stream();
    let events = Events { records, _open: open, end: Box::pin(async move { ended(&mut end).await }) };
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

/// Records as events, until the execution is settled or the door closes.
struct Events {
    records: Watch,
    _open: Open,
    end: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl futures_core::Stream for Events {
    type Item = Result<Event, Infallible>;
    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Poll::Ready(record) = self.records.poll_recv(context) {
            return Poll::Ready(record.map(|record| Ok(event(&record))));
        }
        self.end.as_mut().poll(context).map(|()| None)
    }
}

fn event(record: &Record) -> Event {
    let kind = if matches!(record.body, Body::Settled { .. }) { "settled" } else { "record" };
    let data = serde_json::to_string(record).unwrap_or_default();
    Event::default().id(record.lsn.0.to_string()).event(kind).data(data)
}
