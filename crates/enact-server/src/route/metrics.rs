//! The figures of the whole hub, for Prometheus and what reads its formats.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use enact_engine::conclude as code;

use super::Answer;
use crate::access::Asker;
use crate::exposition::{Format, write};
use crate::problem::Problem;
use crate::server::Door;

pub(super) async fn metrics(State(door): State<Arc<Door>>, asker: Asker, headers: HeaderMap) -> Answer {
    if !asker.is_anonymous() {
        door.hub.admit_to_figures(&asker.0)?;
    }
    let accept = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let format = Format::accepted(&accept.collect::<Vec<_>>().join(","));
    let of_hub = door.hub.metrics().await.map_err(|error| {
        tracing::error!(%error, "the figures of the hub cannot be gathered");
        Problem::new(code::STORE_UNUSABLE, "the figures of this hub cannot be gathered")
    })?;
    let certificate = door.tls.as_ref().and_then(|tls| tls.validity());
    let all: Vec<_> = of_hub.into_iter().chain(door.figures.gather(certificate)).collect();
    let headers = [(header::CONTENT_TYPE, format.media_type()), (header::CACHE_CONTROL, "no-store")];
    Ok((StatusCode::OK, headers, write(&all, format)).into_response())
}
