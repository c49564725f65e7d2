//! What the hub and its components tell of themselves.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use enact_catalog::meta::{Parameters, Question};
use enact_catalog::near::did_you_mean;
use enact_engine::conclude as code;
use enact_runtime::api::{Caller, Request, Response};

use super::{Answer, document, unexpected};
use crate::access::Asker;
use crate::body::{Asked, Document, Path, named};
use crate::problem::Problem;
use crate::server::Door;

pub(super) async fn get(
    State(door): State<Arc<Door>>,
    Asker(caller): Asker,
    Path((component, question)): Path<(String, String)>,
    Asked(parameters): Asked<Parameters>,
) -> Answer {
    answer(&door, &caller, &component, &question, parameters).await
}

pub(super) async fn post(
    State(door): State<Arc<Door>>,
    Asker(caller): Asker,
    Path((component, question)): Path<(String, String)>,
    Document(parameters): Document<Parameters>,
) -> Answer {
    answer(&door, &caller, &component, &question, parameters.unwrap_or_default()).await
}

async fn answer(door: &Door, caller: &Caller, component: &str, question: &str, parameters: Parameters) -> Answer {
    let name = named(component, "name of a component")?;
    let known = Question::ALL.map(Question::as_str);
    let question = Question::named(question).ok_or_else(|| {
        let question: String = question.chars().take(120).collect();
        let problem = Problem::new(code::NOT_FOUND, format!("meta has no operation {question:?}"));
        problem.hint(did_you_mean(&question, known).unwrap_or_else(|| format!("ask one of {}", known.join(", "))))
    })?;
    match door.ask(caller, Request::Meta { name, question, parameters }).await? {
        Response::Described(json) => Ok(document(StatusCode::OK, &json)),
        other => Err(unexpected(&format!("{other:?}"))),
    }
}
