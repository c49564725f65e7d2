//! The command line's own questions, one route for all of them: the answer is the document that the socket gives, and what is
//! refused is a problem as everywhere.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use enact_engine::conclude as code;
use enact_runtime::api::Request;

use super::intent::WAIT_MAX_MS;
use super::{Answer, document};
use crate::access::Asker;
use crate::body::Document;
use crate::problem::Problem;
use crate::server::Door;

pub(super) async fn ask(State(door): State<Arc<Door>>, Asker(caller): Asker, question: Document<Request>) -> Answer {
    let mut question = question.required()?;
    door.hub.admit(&caller, &question)?;
    match &mut question {
        Request::Submit { wait_ms, .. } | Request::Await { wait_ms, .. } => *wait_ms = WAIT_MAX_MS.min(*wait_ms),
        _ => {}
    }
    if let Some(route) = takes_bytes(&question) {
        let problem = Problem::new(code::PARAMETERS_INVALID, "the question names a file of the hub's machine");
        return Err(problem.hint(format!("send the bytes: {route}")));
    }
    let turn = if is_list(&question) { Some(door.turns.take(&caller).await?) } else { None };
    let answer = document(StatusCode::OK, &door.ask(&caller, question).await?);
    Ok(match turn {
        Some(turn) => answer.map(|body| turn.keep(body)),
        None => answer,
    })
}

/// Returns whether the answer may be as large as a page.
fn is_list(question: &Request) -> bool {
    matches!(
        question,
        Request::Executions(_)
            | Request::References(_)
            | Request::Lineage { .. }
            | Request::Sessions { .. }
            | Request::StateList { .. }
            | Request::Outbox { .. }
            | Request::Records { .. }
            | Request::Audit { .. }
    )
}

/// Returns the route that carries the bytes themselves, for what names a file.
fn takes_bytes(question: &Request) -> Option<&'static str> {
    match question {
        Request::ComponentAdd { .. } => Some("POST /v1/components"),
        Request::ComponentCheck { .. } => Some("POST /v1/components?check=true"),
        Request::SolutionBind { .. } => Some("POST /v1/solutions"),
        Request::ArtifactPut { .. } => Some("POST /v1/artifacts"),
        Request::ArtifactGet { .. } => Some("GET /v1/artifacts/{digest}"),
        _ => None,
    }
}
