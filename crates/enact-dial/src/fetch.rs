//! One document of a server, asked for once.

use std::time::Duration;

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::{Request, StatusCode, header};

use crate::connect::Trust;
use crate::{Endpoint, http};

/// Asks for a document and reads all of it; no redirect is followed.
///
/// # Errors
/// In words: a server that cannot be reached or is not trusted, an answer other than 200, one above `most` bytes, or none within
/// `limit`.
pub async fn document(endpoint: &Endpoint, trust: &Trust, most: usize, limit: Duration) -> Result<Vec<u8>, String> {
    match tokio::time::timeout(limit, ask(endpoint, trust, most)).await {
        Ok(answer) => answer,
        Err(_) => Err(format!("{endpoint} gave no answer within {} ms", limit.as_millis())),
    }
}

async fn ask(endpoint: &Endpoint, trust: &Trust, most: usize) -> Result<Vec<u8>, String> {
    let request = Request::get(&endpoint.path)
        .header(header::HOST, endpoint.authority())
        .header(header::ACCEPT, "application/json")
        .header(header::USER_AGENT, http::USER_AGENT)
        .body(Empty::<Bytes>::new())
        .map_err(|error| format!("the request cannot be made: {error}"))?;
    // The connection goes on as long as its sender is there.
    let (answer, _sender) = http::ask(endpoint, trust, request).await?;
    if answer.status() != StatusCode::OK {
        return Err(format!("{endpoint} answered {}", answer.status()));
    }
    http::whole(answer.into_body(), most).await.map_err(|why| format!("{endpoint} {why}"))
}
