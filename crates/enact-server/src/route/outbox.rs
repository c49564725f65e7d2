//! Messages and their deliveries.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use enact_model::id::SinkId;
use enact_runtime::api::{DeliveryState, Request, Response};
use serde::Deserialize;

use super::{Answer, document, done, page, unexpected};
use crate::access::Asker;
use crate::body::{Asked, Document, Path, named};
use crate::cursor;
use crate::server::Door;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct OutboxQuery {
    state: Option<DeliveryState>,
    limit: u32,
    cursor: Option<String>,
}

pub(super) async fn list(
    State(door): State<Arc<Door>>,
    Asker(caller): Asker,
    Asked(asked): Asked<OutboxQuery>,
) -> Answer {
    let OutboxQuery { state, limit, cursor } = asked;
    let question = ("outbox", state);
    let position = cursor::take(&question, cursor.as_deref())?;
    let before = position.as_deref().map(|text| named(text, "id of a message")).transpose()?;
    let turn = door.turns.take(&caller).await?;
    match door.ask(&caller, Request::Outbox { state, limit, before }).await? {
        Response::Outbox(found) => Ok(page(turn, &question, found)),
        other => Err(unexpected(&format!("{other:?}"))),
    }
}

pub(super) async fn show(State(door): State<Arc<Door>>, Asker(caller): Asker, Path(id): Path<String>) -> Answer {
    let message = named(&id, "id of a message")?;
    match door.ask(&caller, Request::OutboxShow { message }).await? {
        Response::Outbox(page) => {
            let row = page.items.into_iter().next().ok_or_else(|| unexpected(&"no message"))?;
            Ok(document(StatusCode::OK, &row))
        }
        other => Err(unexpected(&format!("{other:?}"))),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Again {
    sink: Option<SinkId>,
    reason: String,
}

pub(super) async fn redeliver(
    State(door): State<Arc<Door>>,
    Asker(caller): Asker,
    Path(id): Path<String>,
    body: Document<Again>,
) -> Answer {
    let message = named(&id, "id of a message")?;
    let Again { sink, reason } = body.0.unwrap_or_default();
    done(door.ask(&caller, Request::Redeliver { message, sink, reason }).await?)
}
