//! Whether the hub runs, and whether it takes work; for whoever watches it, without credentials and without names.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use super::document;
use crate::server::Door;

pub(super) async fn healthz() -> Response {
    document(StatusCode::OK, &json!({ "status": "ok" }))
}

pub(super) async fn readyz(State(door): State<Arc<Door>>) -> Response {
    let status = door.hub.status();
    let reasons: Vec<String> = [
        status.poisoned.map(|why| format!("writes are refused: {why}")),
        status.draining.then(|| "the hub is shutting down".to_owned()),
        status.tables.map(|why| format!("tables: {why}")),
    ]
    .into_iter()
    .flatten()
    .collect();
    if reasons.is_empty() {
        document(StatusCode::OK, &json!({ "status": "ready" }))
    } else {
        document(StatusCode::SERVICE_UNAVAILABLE, &json!({ "status": "not ready", "reasons": reasons }))
    }
}
