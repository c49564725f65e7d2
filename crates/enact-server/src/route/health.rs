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
    let reasons = door.hub.unready();
    if reasons.is_empty() {
        let certificate = door.tls.as_ref().and_then(|tls| tls.trouble());
        match door.hub.degraded().into_iter().chain(certificate).collect::<Vec<_>>() {
            none if none.is_empty() => document(StatusCode::OK, &json!({ "status": "ready" })),
            degraded => document(StatusCode::OK, &json!({ "status": "ready", "degraded": degraded })),
        }
    } else {
        document(StatusCode::SERVICE_UNAVAILABLE, &json!({ "status": "not ready", "reasons": reasons }))
    }
}
