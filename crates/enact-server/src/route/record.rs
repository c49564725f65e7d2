//! The log as callers see it: their tenant's records, by execution, session, type and time, newest last.

use std::sync::Arc;

use axum::extract::State;
use enact_model::id::{ExecutionId, Lsn};
use enact_model::record::RecordFilter;
use enact_runtime::api::{Request, Response};
use serde::Deserialize;

use super::execution::time;
use super::{Answer, page, unexpected};
use crate::access::Asker;
use crate::body::{Asked, Path, named};
use crate::cursor;
use crate::server::Door;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RecordQuery {
    kinds: Option<String>,
    session: Option<String>,
    since: Option<String>,
    until: Option<String>,
    limit: u32,
    cursor: Option<String>,
}

pub(super) async fn list(state: State<Arc<Door>>, asker: Asker, Asked(asked): Asked<RecordQuery>) -> Answer {
    records(state, asker, None, asked).await
}

pub(super) async fn of_execution(
    state: State<Arc<Door>>,
    asker: Asker,
    Path(text): Path<String>,
    Asked(asked): Asked<RecordQuery>,
) -> Answer {
    records(state, asker, Some(named(&text, "id of an execution")?), asked).await
}

async fn records(
    State(door): State<Arc<Door>>,
    Asker(caller): Asker,
    execution: Option<ExecutionId>,
    asked: RecordQuery,
) -> Answer {
    let mut filter = RecordFilter {
        tenant: None,
        kinds: asked.kinds.iter().flat_map(|list| list.split(',')).map(|kind| kind.trim().to_owned()).collect(),
        execution,
        session: asked.session.as_deref().map(|text| named(text, "id of a session")).transpose()?,
        since: asked.since.as_deref().map(time).transpose()?,
        until: asked.until.as_deref().map(time).transpose()?,
        before: None,
    };
    let question = ("records", filter.clone());
    let position = cursor::take(&question, asked.cursor.as_deref())?;
    filter.before = position.as_deref().map(|text| named(text, "position of a record").map(Lsn)).transpose()?;
    let turn = door.turns.take(&caller).await?;
    match door.ask(&caller, Request::Records { filter, limit: asked.limit }).await? {
        Response::Records(found) => Ok(page(turn, &question, found)),
        other => Err(unexpected(&format!("{other:?}"))),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct AuditQuery {
    limit: u32,
    cursor: Option<String>,
}

pub(super) async fn audit(
    State(door): State<Arc<Door>>,
    Asker(caller): Asker,
    Path(text): Path<String>,
    Asked(asked): Asked<AuditQuery>,
) -> Answer {
    let execution: ExecutionId = named(&text, "id of an execution")?;
    let question = ("audit", execution);
    let position = cursor::take(&question, asked.cursor.as_deref())?;
    let after = position.as_deref().map(|text| named(text, "position of a record").map(Lsn)).transpose()?;
    let turn = door.turns.take(&caller).await?;
    match door.ask(&caller, Request::Audit { execution, after, limit: asked.limit }).await? {
        Response::Audit(found) => Ok(page(turn, &question, found)),
        other => Err(unexpected(&format!("{other:?}"))),
    }
}
