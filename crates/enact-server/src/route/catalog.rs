//! What the hub can do: components and solutions.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use enact_runtime::api::{Request, Response};
use serde::Deserialize;
use serde_json::json;

use super::{Answer, document, unexpected};
use crate::access::Asker;
use crate::body::{Asked, Path, named};
use crate::server::Door;

pub(super) async fn components(State(door): State<Arc<Door>>, Asker(caller): Asker) -> Answer {
    match door.ask(&caller, Request::Components).await? {
        Response::Components(items) => Ok(document(StatusCode::OK, &json!({ "items": items }))),
        other => Err(unexpected(&format!("{other:?}"))),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Version {
    version: Option<String>,
}

pub(super) async fn component(
    State(door): State<Arc<Door>>,
    Asker(caller): Asker,
    Path(name): Path<String>,
    Asked(asked): Asked<Version>,
) -> Answer {
    let name = named(&name, "name of a component")?;
    match door.ask(&caller, Request::ComponentDescribe { name, version: asked.version }).await? {
        Response::Described(json) => Ok(document(StatusCode::OK, &json)),
        other => Err(unexpected(&format!("{other:?}"))),
    }
}

pub(super) async fn solutions(State(door): State<Arc<Door>>, Asker(caller): Asker) -> Answer {
    match door.ask(&caller, Request::Solutions).await? {
        Response::Solutions(items) => Ok(document(StatusCode::OK, &json!({ "items": items }))),
        other => Err(unexpected(&format!("{other:?}"))),
    }
}
