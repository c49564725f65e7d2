//! References and lineage; the bytes are elsewhere.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use enact_runtime::api::{Direction, ReferenceFilter, Request, Response};
use serde::{Deserialize, Serialize};

use super::{Answer, document, page, unexpected};
use crate::access::Asker;
use crate::body::{Asked, Path, named};
use crate::cursor;
use crate::server::Door;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ReferenceQuery {
    name: Option<String>,
    media_type: Option<String>,
    digest: Option<String>,
    made_by: Option<String>,
    #[serde(skip_serializing)]
    limit: u32,
    #[serde(skip_serializing)]
    cursor: Option<String>,
}

pub(super) async fn list(
    State(door): State<Arc<Door>>,
    Asker(caller): Asker,
    Asked(asked): Asked<ReferenceQuery>,
) -> Answer {
    let question = ("references", &asked);
    let filter = ReferenceFilter {
        name: asked.name.clone(),
        media_type: asked.media_type.clone(),
        digest: asked.digest.as_deref().map(|text| named(text, "digest")).transpose()?,
        made_by: asked.made_by.as_deref().map(|text| named(text, "id of an execution")).transpose()?,
        limit: asked.limit,
        cursor: cursor::take(&question, asked.cursor.as_deref())?,
    };
    let turn = door.turns.take(&caller).await?;
    match door.ask(&caller, Request::References(filter)).await? {
        Response::References(found) => Ok(page(turn, &question, found)),
        other => Err(unexpected(&format!("{other:?}"))),
    }
}

pub(super) async fn show(State(door): State<Arc<Door>>, Asker(caller): Asker, Path(id): Path<String>) -> Answer {
    let reference = named(&id, "id of a reference")?;
    match door.ask(&caller, Request::Reference { reference }).await? {
        Response::Reference(reference) => Ok(document(StatusCode::OK, &reference)),
        other => Err(unexpected(&format!("{other:?}"))),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct LineageQuery {
    direction: Option<Direction>,
    depth: u32,
    limit: u32,
}

pub(super) async fn lineage(
    State(door): State<Arc<Door>>,
    Asker(caller): Asker,
    Path(id): Path<String>,
    Asked(asked): Asked<LineageQuery>,
) -> Answer {
    let reference = named(&id, "id of a reference")?;
    let LineageQuery { direction, depth, limit } = asked;
    let direction = direction.unwrap_or(Direction::Both);
    let turn = door.turns.take(&caller).await?;
    match door.ask(&caller, Request::Lineage { reference, direction, depth, limit }).await? {
        Response::Lineage(lineage) => Ok(document(StatusCode::OK, &lineage).map(|body| turn.keep(body))),
        other => Err(unexpected(&format!("{other:?}"))),
    }
}
