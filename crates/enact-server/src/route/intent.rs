//! Intents: submitted with their ids as the answer, or called for their output.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::IntoResponse;
use enact_catalog::quantity::duration_ms;
use enact_engine::conclude as code;
use enact_model::intent::IntentDraft;
use enact_model::json::Json;
use enact_model::limits::TEXT_MAX_BYTES;
use enact_model::outcome::Outcome;
use enact_model::payload::Payload;
use enact_runtime::api::{ExecutionView, IntentView, Request, Response};
use serde::Deserialize;
use serde_json::json;

use super::{Answer, document, settled, unexpected, with_ids};
use crate::access::Asker;
use crate::body::{Asked, Document, Path, Value, named};
use crate::problem::Problem;
use crate::server::Door;

/// Longest wait for an outcome, in milliseconds; proxies on the way have shorter ones.
pub(super) const WAIT_MAX_MS: u64 = 10 * 60 * 1_000;
/// How long a call waits that does not say.
const CALL_WAIT_MS: u64 = 60 * 1_000;
/// Headers of the W3C's trace context, which go along as metadata.
const TRACE: [&str; 2] = ["traceparent", "tracestate"];

/// How long an answer may take.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wait {
    wait: Option<String>,
}

impl Wait {
    /// Returns it in milliseconds.
    pub fn ms(&self) -> Result<Option<u64>, Problem> {
        self.wait.as_deref().map(wait_ms).transpose()
    }
}

fn wait_ms(text: &str) -> Result<u64, Problem> {
    let unfit = |why: String| Problem::new(code::PARAMETERS_INVALID, format!("wait {text:?}: {why}"));
    match duration_ms(text) {
        Ok(ms) if ms <= WAIT_MAX_MS => Ok(ms),
        Ok(_) => Err(unfit("it is longer than 10m".to_owned()).hint("ask again, or follow /v1/executions/{id}/stream")),
        Err(error) => Err(unfit(error.to_string()).hint("use a duration such as 30s")),
    }
}

pub(super) async fn submit(
    State(door): State<Arc<Door>>,
    Asker(caller): Asker,
    Asked(wait): Asked<Wait>,
    headers: HeaderMap,
    document: Document<IntentDraft>,
) -> Answer {
    let wait_ms = wait.ms()?.unwrap_or(0);
    let mut draft = document.required()?;
    complete(&mut draft, &headers)?;
    match door.ask(&caller, Request::Submit { draft: Box::new(draft), wait_ms }).await? {
        Response::Accepted { execution, .. } if wait_ms > 0 => settled(&execution),
        Response::Accepted { execution, repeated } => Ok(accepted(&execution, repeated)),
        other => Err(unexpected(&format!("{other:?}"))),
    }
}

/// Answers with the ids, before the work is done.
fn accepted(view: &ExecutionView, repeated: bool) -> axum::response::Response {
    let execution = &view.execution;
    let ids = json!({
        "intent_id": execution.intent.intent_id,
        "execution_id": execution.id,
        "phase": execution.phase,
        "repeated": repeated,
    });
    with_ids(document(StatusCode::ACCEPTED, &ids), view)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CallQuery {
    wait: Option<String>,
    solution: Option<String>,
    session: Option<String>,
}

pub(super) async fn call(
    State(door): State<Arc<Door>>,
    Asker(caller): Asker,
    Path((component, service, operation)): Path<(String, String, String)>,
    Asked(asked): Asked<CallQuery>,
    headers: HeaderMap,
    parameters: Value,
) -> Answer {
    let wait_ms = asked.wait.as_deref().map(wait_ms).transpose()?.unwrap_or(CALL_WAIT_MS);
    let mut draft = IntentDraft {
        intent_type: Some(format!("{component}.{service}.{operation}")),
        session_id: asked.session,
        solution_id: asked.solution,
        parameters: Some(parameters.0.unwrap_or_else(|| Json::of(&json!({})))),
        ..IntentDraft::default()
    };
    complete(&mut draft, &headers)?;
    match door.ask(&caller, Request::Submit { draft: Box::new(draft), wait_ms }).await? {
        Response::Accepted { execution, .. } => output(&execution),
        other => Err(unexpected(&format!("{other:?}"))),
    }
}

/// Answers with the bare output of an execution.
fn output(view: &ExecutionView) -> Answer {
    match (view.outcome(), &view.output) {
        (Some(Outcome::Completed { .. }), Some(output)) => {
            let kind = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
            Ok(with_ids((StatusCode::OK, kind, output.as_str().to_owned()).into_response(), view))
        }
        (Some(Outcome::Completed { output: Payload::Stored { digest, size }, .. }), None) => {
            // Too large to be shown: it stays where it is, and the answer says where.
            let link = format!("/v1/executions/{}/outcome", view.execution.id);
            let kept = json!({ "digest": digest, "size": size, "outcome": link });
            Ok(with_ids(document(StatusCode::OK, &kept), view))
        }
        _ => settled(view),
    }
}

/// Takes what headers say into a draft.
fn complete(draft: &mut IntentDraft, headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name: &HeaderName| match headers.get(name).map(|value| value.to_str()) {
        None => Ok(None),
        Some(Ok(text)) => Ok(Some(text.to_owned())),
        Some(Err(_)) => Err(Problem::new(code::REQUEST_MALFORMED, format!("the header {name} is no plain text"))),
    };
    if headers.get_all("idempotency-key").iter().count() > 1 {
        return Err(Problem::new(code::INTENT_INVALID, "there are two headers Idempotency-Key"));
    }
    if let Some(key) = text(&HeaderName::from_static("idempotency-key"))? {
        if draft.idempotency_key.as_ref().is_some_and(|own| *own != key) {
            let both = "the header Idempotency-Key and the body name different keys";
            return Err(Problem::new(code::INTENT_INVALID, both));
        }
        draft.idempotency_key = Some(key);
    }
    // What does not fit of a trace is dropped, as its specification says: nobody's call fails for it.
    for name in TRACE {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(value) = value.filter(|value| value.len() <= TEXT_MAX_BYTES) {
            draft.metadata.entry(name.to_owned()).or_insert_with(|| value.to_owned());
        }
    }
    Ok(())
}

pub(super) async fn show(State(door): State<Arc<Door>>, Asker(caller): Asker, Path(id): Path<String>) -> Answer {
    let intent = named(&id, "id of an intent")?;
    match door.ask(&caller, Request::Intent { intent }).await? {
        Response::Intent(view) => Ok(match &*view {
            IntentView::Accepted(execution) => with_ids(document(StatusCode::OK, &*view), execution),
            IntentView::Rejected(_) => document(StatusCode::OK, &*view),
        }),
        other => Err(unexpected(&format!("{other:?}"))),
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TypesQuery {
    solution: Option<String>,
}

pub(super) async fn types(
    State(door): State<Arc<Door>>,
    Asker(caller): Asker,
    Asked(asked): Asked<TypesQuery>,
) -> Answer {
    let solution = asked.solution.as_deref().map(|text| named(text, "id of a solution")).transpose()?;
    match door.ask(&caller, Request::IntentTypes { solution }).await? {
        Response::IntentTypes(items) => Ok(document(StatusCode::OK, &json!({ "items": items }))),
        other => Err(unexpected(&format!("{other:?}"))),
    }
}
