//! What may be asked over HTTP: one list of routes, from which the router, the page in the docs and the tests are made.

mod artifact;
mod ask;
mod catalog;
mod execution;
mod health;
mod intent;
mod meta;
mod metrics;
mod outbox;
mod record;
mod reference;
mod session;
mod stream;
mod upload;

use std::sync::Arc;

use axum::Router;
use axum::http::{Extensions, HeaderMap, HeaderValue, StatusCode, Version, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};
use enact_engine::conclude as code;
use enact_model::conclusion::Conclusion;
use enact_model::outcome::Outcome;
use enact_runtime::api::{self, Caller, ExecutionView, Page, Request};
use serde::Serialize;
use serde_json::json;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, Predicate as _};

use crate::problem::Problem;
use crate::server::Door;
use crate::turn::Turn;
use crate::unpack::unpack;
use crate::{cursor, figures, guard};

/// One route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// Its method.
    pub method: &'static str,
    /// Its path; what stands in braces is the caller's.
    pub path: &'static str,
    /// What it does.
    pub summary: &'static str,
}

macro_rules! routes {
    ($($method:ident $path:literal $handler:path, $summary:literal;)+) => {
        /// Every route, in the order of the docs.
        pub const ROUTES: &[Route] =
            &[$(Route { method: stringify!($method), path: $path, summary: $summary }),+];

        fn routed() -> Router<Arc<Door>> {
            Router::new()$(.route($path, on(MethodFilter::$method, $handler)))+
        }
    };
}

routes! {
    POST "/v1/intents" intent::submit, "Submits an intent: 202 with its ids, or with `?wait=30s` its outcome.";
    GET "/v1/intents/{id}" intent::show, "What became of an intent: its execution, or why it was rejected.";
    GET "/v1/intent-types" intent::types, "The intent types that may be asked for; `?solution=`.";
    POST "/rest/v1/{component}/{service}/{operation}" intent::call, "Calls an operation with the body as its parameters and answers with its output; `?wait=` (60s), `?solution=`, `?session=`.";
    GET "/rest/v1/{component}/meta/{question}" meta::get, "What the hub (`enact`) or a component tells of itself: help, describe, components, services, operations, schema, tree or version; `?version=`, `?operation=`.";
    POST "/rest/v1/{component}/meta/{question}" meta::post, "The same, with `version` and `operation` in the body.";
    GET "/v1/executions" execution::list, "Executions, newest first: `?phase=`, `?open=true`, `?outcome=`, `?selector=`, `?session=`, `?intent_type=`, `?since=`, `?until=`, `?text=`, `?limit=`, `?cursor=`.";
    POST "/v1/executions/cancel" execution::cancel_all, "Cancels every open execution that passes a filter, with a reason.";
    POST "/v1/executions/retry" execution::retry_all, "Retries every execution that passes a filter, with a reason.";
    GET "/v1/executions/{id}" execution::show, "One execution, and why it waits; `?wait=30s` waits until it is settled.";
    GET "/v1/executions/{id}/outcome" execution::outcome, "Its outcome, whatever it is; 202 while it is open; `?wait=`.";
    GET "/v1/executions/{id}/records" record::of_execution, "What the log says of it, who did it included; `?kinds=`, `?limit=`, `?cursor=`.";
    GET "/v1/executions/{id}/audit" record::audit, "Who did what to it and why, denials and redeliveries included, in order; `?limit=`, `?cursor=`.";
    GET "/v1/executions/{id}/stream" stream::stream, "Its records as server-sent events, as they come; `Last-Event-ID` goes on after one.";
    POST "/v1/executions/{id}/cancel" execution::cancel, "Cancels it, with a reason.";
    POST "/v1/executions/{id}/retry" execution::retry, "Retries it, with a reason; what may have run takes `confirm_may_have_run`.";
    POST "/v1/executions/{id}/pause" execution::pause, "Pauses it at its next boundary, with a reason.";
    POST "/v1/executions/{id}/resume" execution::resume, "Lets it go on, with a reason.";
    GET "/v1/records" record::list, "The log of the caller's tenant: `?kinds=`, `?session=`, `?since=`, `?until=`, `?limit=`, `?cursor=`.";
    POST "/v1/sessions" session::open, "Opens a session: `session_id`, `owner`, `ttl`, each of which may be left out.";
    GET "/v1/sessions" session::list, "Sessions, those that the hub named newest first: `?limit=`, `?cursor=`.";
    GET "/v1/sessions/{id}" session::show, "One session.";
    PATCH "/v1/sessions/{id}" session::change, "Gives an anonymous session its `owner`, or ends one: `closed` with a reason.";
    GET "/v1/state/{session}" session::states, "The state of a session, by key: `?limit=`, `?cursor=`.";
    GET "/v1/state/{session}/{key}" session::state, "One value, with its version as `ETag`.";
    PUT "/v1/state/{session}/{key}" session::set_state, "Sets a value; `If-Match` compares the version first, `If-None-Match: *` makes what must not be there, `?ttl=`.";
    DELETE "/v1/state/{session}/{key}" session::delete_state, "Deletes a value; `If-Match` compares the version first.";
    GET "/v1/components" catalog::components, "Components, their versions and how their hosts are.";
    POST "/v1/components" upload::component, "Adds a component: the body is a tar of its descriptor and files; `?check=true` only checks it.";
    GET "/v1/components/{component}" catalog::component, "One component with its operations and schemas; `?version=`.";
    GET "/v1/solutions" catalog::solutions, "Solutions.";
    POST "/v1/solutions" upload::solution, "Binds a solution: the body is its YAML.";
    GET "/v1/outbox" outbox::list, "Messages, newest first: `?state=pending|delivered|dead`, `?limit=`, `?cursor=`.";
    GET "/v1/outbox/{id}" outbox::show, "One message and its deliveries.";
    POST "/v1/outbox/{id}/redeliver" outbox::redeliver, "Delivers a message again, under the same id: `sink` (all), `reason`.";
    GET "/v1/references" reference::list, "References, newest first: `?name=`, `?media_type=`, `?digest=`, `?made_by=`, `?limit=`, `?cursor=`.";
    GET "/v1/references/{id}" reference::show, "One reference.";
    GET "/v1/references/{id}/lineage" reference::lineage, "What it was made from and what was made from it: `?direction=up|down|both`, `?depth=`, `?limit=`.";
    POST "/v1/artifacts" artifact::put, "Takes the body in as an artifact: `?name=`; its media type is the `Content-Type`.";
    GET "/v1/artifacts/{digest}" artifact::get, "The bytes of an artifact, by digest or reference; ranges and conditions as HTTP has them.";
    POST "/v1/ask" ask::ask, "Any question of the command line, as it is asked over the socket; `enact client` uses it.";
    GET "/metrics" metrics::metrics, "Figures of the whole hub for Prometheus, as docs/metrics.md lists them: without a token on loopback, else with one of the role `metrics`, or `admin` of tenant `default`.";
    GET "/healthz" health::healthz, "200 while the hub runs; no credentials.";
    GET "/readyz" health::readyz, "200 while work should be sent here, with what is `degraded` all the same; 503 with the reasons while it should not: it is ending, its log refuses writes, or its tables are not written behind, which lasts until a restart if a disk was full; no credentials.";
}

/// Makes the router of a door.
pub(crate) fn router(door: Arc<Door>) -> Router {
    routed()
        .fallback(async || Problem::new(code::NOT_FOUND, "there is no such route").hint("docs/http.md lists them"))
        .method_not_allowed_fallback(async || {
            Problem::new(code::METHOD_UNSUPPORTED, "the route does not know this method")
        })
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&door), guard::guard))
        .layer(axum::middleware::from_fn(unpack))
        .layer(CompressionLayer::new().compress_when(DefaultPredicate::new().and(is_untagged)))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&door), figures::note))
        .with_state(door)
}

/// A strong tag is of these very bytes, and a part of them is asked for by it: packed, they would be others.
fn is_untagged(_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions) -> bool {
    !headers.contains_key(header::ETAG)
}

type Answer = Result<Response, Problem>;

impl Door {
    /// Asks the hub; what it refuses is apart.
    async fn ask_plainly(&self, caller: &Caller, request: Request) -> Result<api::Response, Box<api::Refusal>> {
        match self.hub.handle(caller, request).await {
            api::Response::Refused(refusal) => Err(refusal),
            other => Ok(other),
        }
    }

    /// Asks the hub; what it refuses or rejects is a problem.
    async fn ask(&self, caller: &Caller, request: Request) -> Result<api::Response, Problem> {
        match self.ask_plainly(caller, request).await? {
            api::Response::Rejected(rejection) => Err(Problem::of_rejection(*rejection)),
            other => Ok(other),
        }
    }
}

/// Answers with a document.
fn document<T: Serialize + ?Sized>(status: StatusCode, value: &T) -> Response {
    match serde_json::to_vec(value) {
        Ok(text) => {
            let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
            (status, headers, text).into_response()
        }
        Err(error) => unexpected(&error).into_response(),
    }
}

/// Answers with a part of a list, whose cursor belongs to its question; the turn is over once it is taken.
fn page<Q: Serialize, T: Serialize>(turn: Turn, question: &Q, page: Page<T>) -> Response {
    let next = page.next.map(|position| cursor::give(question, &position));
    document(StatusCode::OK, &Page { items: page.items, next }).map(|body| turn.keep(body))
}

fn unexpected(what: &dyn std::fmt::Display) -> Problem {
    Problem::new(code::INTERNAL, format!("the hub answered with something else: {what}"))
}

/// Answers with an execution whose outcome is wanted: its view if it is open or completed, otherwise a problem.
fn settled(view: &ExecutionView) -> Answer {
    let execution = &view.execution;
    let status = match view.outcome() {
        None => StatusCode::ACCEPTED,
        Some(Outcome::Completed { .. }) => StatusCode::OK,
        Some(other) => {
            let conclusion = other
                .conclusion()
                .cloned()
                .unwrap_or_else(|| Conclusion::new(code::PHASE_CONFLICT, format!("the execution is {}", other.word())));
            return Err(Problem::of_execution(conclusion, execution.id, execution.intent.intent_id));
        }
    };
    Ok(with_ids(document(status, view), view))
}

/// Says in the headers which execution an answer is of.
fn with_ids(mut response: Response, view: &ExecutionView) -> Response {
    let execution = &view.execution;
    let headers = response.headers_mut();
    for (name, text) in [
        ("location", format!("/v1/executions/{}", execution.id)),
        ("enact-execution-id", execution.id.to_string()),
        ("enact-intent-id", execution.intent.intent_id.to_string()),
    ] {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    }
    response
}

/// Answers that a command was carried out.
fn done(response: api::Response) -> Answer {
    match response {
        api::Response::Done { message } => Ok(document(StatusCode::OK, &json!({ "message": message }))),
        api::Response::Accepted { execution, .. } => {
            Ok(with_ids(document(StatusCode::ACCEPTED, &execution), &execution))
        }
        other => Err(unexpected(&format!("{other:?}"))),
    }
}
