//! What a caller sends: JSON documents and queries, within limits of size and time, every fault with its value.

mod pieces;

use std::sync::Arc;
use std::time::Duration;

use axum::body::HttpBody as _;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::header;
use axum::http::request::Parts;
use enact_engine::conclude as code;
use enact_model::json::Json;
use serde::de::DeserializeOwned;

pub(crate) use self::pieces::Pieces;
use self::pieces::{slow, told};
use crate::problem::Problem;
use crate::server::Door;

/// Largest document, in bytes: parameters at their limit, escaped once, and what stands around them.
const DOCUMENT_MAX_BYTES: usize = 36 * 1024 * 1024;

/// A JSON object with known fields; none if nothing was sent.
pub(crate) struct Document<T>(pub Option<T>);

impl<T> Document<T> {
    /// Returns the document that must be there.
    pub fn required(self) -> Result<T, Problem> {
        self.0
            .ok_or_else(|| Problem::new(code::REQUEST_MALFORMED, "the body is empty, and a JSON document was expected"))
    }
}

impl<T: DeserializeOwned> FromRequest<Arc<Door>> for Document<T> {
    type Rejection = Problem;
    async fn from_request(request: Request, door: &Arc<Door>) -> Result<Self, Problem> {
        let Some(bytes) = bytes(request, door.config.body_limit).await? else { return Ok(Self(None)) };
        // A list of values in the order of the fields would be taken as one, too.
        if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
            return Err(Problem::new(code::REQUEST_MALFORMED, "the body does not fit: it is a list, not an object"));
        }
        let document = serde_json::from_slice(&bytes).map_err(|error| {
            let what = if error.is_data() { "does not fit" } else { "is no JSON" };
            Problem::new(code::REQUEST_MALFORMED, format!("the body {what}: {error}"))
        })?;
        Ok(Self(Some(document)))
    }
}

/// A JSON value of any kind; none if nothing was sent.
pub(crate) struct Value(pub Option<Json>);

impl FromRequest<Arc<Door>> for Value {
    type Rejection = Problem;
    async fn from_request(request: Request, door: &Arc<Door>) -> Result<Self, Problem> {
        let Some(bytes) = bytes(request, door.config.body_limit).await? else { return Ok(Self(None)) };
        let read = Json::parse(&bytes).map(|json| Self(Some(json)));
        read.map_err(|error| Problem::new(code::REQUEST_MALFORMED, format!("the body is no JSON: {error}")))
    }
}

/// Reads a body that says it is JSON.
async fn bytes(request: Request, limit: Duration) -> Result<Option<Vec<u8>>, Problem> {
    let is_json = request.headers().get(header::CONTENT_TYPE).map(|value| is_json(value.as_bytes()));
    if request.body().size_hint().lower() > DOCUMENT_MAX_BYTES as u64 {
        return Err(too_large());
    }
    let reading = axum::body::to_bytes(request.into_body(), DOCUMENT_MAX_BYTES);
    let bytes = match tokio::time::timeout(limit, reading).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(error)) => return Err(unread(&error)),
        Err(_) => return Err(slow(format!("the body did not come within {}", told(limit)))),
    };
    match is_json {
        _ if bytes.is_empty() => Ok(None),
        Some(true) => Ok(Some(bytes.into())),
        // A form of a page on another origin may send text, but not this.
        _ => {
            let problem = Problem::new(code::BODY_UNSUPPORTED, "the body is not said to be JSON");
            Err(problem.hint("send `Content-Type: application/json`"))
        }
    }
}

fn is_json(value: &[u8]) -> bool {
    let text = String::from_utf8_lossy(value).to_ascii_lowercase();
    let essence = text.split(';').next().unwrap_or_default().trim();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn too_large() -> Problem {
    let text = format!("the body is larger than {} MiB, unpacked", DOCUMENT_MAX_BYTES >> 20);
    let problem = Problem::new(code::BODY_TOO_LARGE, text);
    problem.hint("put large things to /v1/artifacts and name them by reference")
}

/// Says why a body could not be read: too large, or broken on its way.
pub(crate) fn unread(error: &axum::Error) -> Problem {
    let mut next: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = next {
        if error.to_string().contains("length limit exceeded") {
            return too_large();
        }
        next = error.source();
    }
    Problem::new(code::REQUEST_MALFORMED, format!("the body could not be read: {error}"))
}

/// A query whose every name is known.
pub(crate) struct Asked<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(asked)) => Ok(Self(asked)),
            Err(QueryRejection::FailedToDeserializeQueryString(error)) => {
                let error = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
                Err(unfit(parts.uri.query().unwrap_or_default(), &error))
            }
            Err(error) => Err(Problem::new(code::REQUEST_MALFORMED, error.to_string())),
        }
    }
}

/// Says what a query has that it may not. Of a parameter that is known the value is told; of any other the name alone, and
/// that only if it looks like one: who writes a token into an address does not find it in answers, and in the logs of proxies.
fn unfit(query: &str, error: &str) -> Problem {
    let unknown = error.split_once("unknown field `").map(|(_, rest)| match rest.rsplit_once("`, expected ") {
        Some((name, expected)) => (name, format!("expected {expected}")),
        None => (rest.trim_end_matches("`, there are no fields"), "and this route takes none".to_owned()),
    });
    if let Some((name, expected)) = unknown {
        let is_name =
            name.len() <= 32 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
        let name = if is_name { format!("{name:?}") } else { format!("of {} bytes", name.len()) };
        return Problem::new(
            code::PARAMETERS_INVALID,
            format!("the query has an unknown parameter {name}, {expected}"),
        );
    }
    let value = error.split_once(": ").and_then(|(known, _)| {
        query.split('&').filter_map(|pair| pair.split_once('=')).find(|(name, _)| *name == known)
    });
    let told = match value {
        Some((name, value)) => format!("the query's {name} {:?}", value.chars().take(120).collect::<String>()),
        None => "the query".to_owned(),
    };
    Problem::new(code::PARAMETERS_INVALID, format!("{told} does not fit: {error}"))
}

/// The parts of the path that are the caller's.
pub(crate) struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(named)) => Ok(Self(named)),
            Err(error) => {
                let code = if error.status().is_server_error() { code::INTERNAL } else { code::REQUEST_MALFORMED };
                Err(Problem::new(code, format!("the path does not fit: {}", error.body_text())))
            }
        }
    }
}

/// A part of the path.
pub(crate) fn named<T: std::str::FromStr>(text: &str, what: &str) -> Result<T, Problem>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error| {
        let text: String = text.chars().take(120).collect();
        Problem::new(code::PARAMETERS_INVALID, format!("{text:?} is no {what}: {error}"))
    })
}
