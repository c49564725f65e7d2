//! Sessions and their state; a value's version is its `ETag`, and `If-Match` compares before it sets.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use enact_catalog::quantity::duration_ms;
use enact_engine::conclude as code;
use enact_model::envelope::StateScope;
use enact_model::id::SessionId;
use enact_model::table::SessionRow;
use enact_runtime::api::{Request, Response};
use serde::Deserialize;

use super::{Answer, document, done, page, unexpected};
use crate::access::Asker;
use crate::body::{Asked, Document, Path, Value, named};
use crate::cursor;
use crate::problem::Problem;
use crate::server::Door;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Opening {
    session_id: Option<String>,
    owner: Option<String>,
    ttl: Option<String>,
}

pub(super) async fn open(State(door): State<Arc<Door>>, Asker(caller): Asker, body: Document<Opening>) -> Answer {
    let Opening { session_id, owner, ttl } = body.0.unwrap_or_default();
    let session = session_id.as_deref().map(session).transpose()?;
    let ttl_ms = ttl.as_deref().map(ttl_ms).transpose()?;
    shown(StatusCode::CREATED, door.ask(&caller, Request::SessionOpen { session, owner, ttl_ms }).await?)
}

fn session(text: &str) -> Result<SessionId, Problem> {
    named(text, "id of a session")
}

fn ttl_ms(text: &str) -> Result<u64, Problem> {
    let unfit = |error| Problem::new(code::PARAMETERS_INVALID, format!("ttl {text:?}: {error}"));
    duration_ms(text).map_err(unfit)
}

fn shown(status: StatusCode, response: Response) -> Answer {
    match response {
        Response::Session(row) => Ok(document::<SessionRow>(status, &row)),
        other => Err(unexpected(&format!("{other:?}"))),
    }
}

/// Which page of a list that has no filter.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Paging {
    limit: u32,
    cursor: Option<String>,
}

pub(super) async fn list(State(door): State<Arc<Door>>, Asker(caller): Asker, Asked(asked): Asked<Paging>) -> Answer {
    let question = "sessions";
    let cursor = cursor::take(&question, asked.cursor.as_deref())?;
    let turn = door.turns.take(&caller).await?;
    match door.ask(&caller, Request::Sessions { limit: asked.limit, cursor }).await? {
        Response::Sessions(found) => Ok(page(turn, &question, found)),
        other => Err(unexpected(&format!("{other:?}"))),
    }
}

pub(super) async fn show(State(door): State<Arc<Door>>, Asker(caller): Asker, Path(id): Path<String>) -> Answer {
    shown(StatusCode::OK, door.ask(&caller, Request::Session { session: session(&id)? }).await?)
}

/// What of a session changes: one of the two.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    owner: Option<String>,
    #[serde(default)]
    closed: bool,
    #[serde(default)]
    reason: String,
}

pub(super) async fn change(
    State(door): State<Arc<Door>>,
    Asker(caller): Asker,
    Path(id): Path<String>,
    body: Document<Change>,
) -> Answer {
    let session = session(&id)?;
    let request = match body.required()? {
        Change { owner: Some(owner), closed: false, .. } => Request::SessionUpgrade { session, owner },
        Change { owner: None, closed: true, reason } => Request::SessionClose { session, reason },
        _ => {
            let problem = Problem::new(code::PARAMETERS_INVALID, "one change at a time");
            return Err(problem.hint("send {\"owner\": \"…\"} or {\"closed\": true, \"reason\": \"…\"}"));
        }
    };
    shown(StatusCode::OK, door.ask(&caller, request).await?)
}

pub(super) async fn states(
    State(door): State<Arc<Door>>,
    Asker(caller): Asker,
    Path(id): Path<String>,
    Asked(asked): Asked<Paging>,
) -> Answer {
    let owner = session(&id)?.to_string();
    let question = ("state", &owner);
    let cursor = cursor::take(&question, asked.cursor.as_deref())?;
    let request = Request::StateList { scope: StateScope::Session, owner: owner.clone(), limit: asked.limit, cursor };
    let turn = door.turns.take(&caller).await?;
    match door.ask(&caller, request).await? {
        Response::States(found) => Ok(page(turn, &question, found)),
        other => Err(unexpected(&format!("{other:?}"))),
    }
}

pub(super) async fn state(
    State(door): State<Arc<Door>>,
    Asker(caller): Asker,
    Path((id, key)): Path<(String, String)>,
) -> Answer {
    let request = Request::StateGet { scope: StateScope::Session, owner: session(&id)?.to_string(), key };
    match door.ask(&caller, request).await? {
        Response::State(value) => {
            let mut response = document(StatusCode::OK, &*value);
            if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", value.version)) {
                response.headers_mut().insert(header::ETAG, tag);
            }
            Ok(response)
        }
        other => Err(unexpected(&format!("{other:?}"))),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Ttl {
    ttl: Option<String>,
}

pub(super) async fn set_state(
    State(door): State<Arc<Door>>,
    Asker(caller): Asker,
    Path((id, key)): Path<(String, String)>,
    Asked(asked): Asked<Ttl>,
    headers: HeaderMap,
    body: Value,
) -> Answer {
    let ttl_ms = asked.ttl.as_deref().map(ttl_ms).transpose()?;
    let value =
        body.0.ok_or_else(|| Problem::new(code::PARAMETERS_INVALID, "the body is empty, and a value was expected"))?;
    let (session, if_version) = (session(&id)?, if_version(&headers)?);
    done(door.ask(&caller, Request::StateSet { session, key, value: Some(value), if_version, ttl_ms }).await?)
}

pub(super) async fn delete_state(
    State(door): State<Arc<Door>>,
    Asker(caller): Asker,
    Path((id, key)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    let (session, if_version) = (session(&id)?, if_version(&headers)?);
    done(door.ask(&caller, Request::StateSet { session, key, value: None, if_version, ttl_ms: None }).await?)
}

/// The version that a value must have; 0 for one that must not be there.
fn if_version(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let text = |name| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    match (text(header::IF_MATCH), text(header::IF_NONE_MATCH)) {
        (None, None) => Ok(None),
        (Some(version), None) => named(version.trim_matches('"'), "version in If-Match").map(Some),
        (None, Some(any)) if any.trim() == "*" => Ok(Some(0)),
        (_, Some(other)) => {
            let told = format!("If-None-Match: {other:.80} means nothing here");
            let problem = Problem::new(code::PARAMETERS_INVALID, told);
            Err(problem.hint(
                "`If-None-Match: *` makes what must not be there; `If-Match: \"3\"` changes what must be version 3",
            ))
        }
    }
}
