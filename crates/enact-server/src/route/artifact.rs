//! Artifacts as bytes: in as they come, out whole or in ranges, under the conditions of HTTP. A digest never changes what it
//! names, so it is a strong tag and may be kept for ever.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use enact_engine::conclude as code;
use enact_runtime::api::{self, ArtifactName};
use enact_runtime::hub;
use serde::Deserialize;
use tokio::sync::mpsc;

use super::{Answer, document, unexpected};
use crate::access::Asker;
use crate::body::{Asked, named, piece};
use crate::problem::Problem;
use crate::server::Door;

/// Bytes that are read at once.
const BLOCK: usize = 64 * 1024;
/// Blocks that wait for a slow reader.
const BLOCKS_AHEAD: usize = 4;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    name: Option<String>,
}

pub(super) async fn put(
    State(door): State<Arc<Door>>,
    Asker(caller): Asker,
    Asked(asked): Asked<Named>,
    request: Request,
) -> Answer {
    let Some(name) = asked.name else {
        let problem = Problem::new(code::PARAMETERS_INVALID, "an artifact needs a name");
        return Err(problem.hint("send it to /v1/artifacts?name=report.pdf"));
    };
    let media_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    // What a client says that says nothing.
    let media_type = media_type.filter(|text| !matches!(*text, "application/x-www-form-urlencoded" | ""));
    let mut upload = door.hub.upload(&caller, &name, media_type)?;
    let mut body = request.into_body();
    while let Some(bytes) = piece(&mut body).await? {
        let write = move || upload.write(&bytes).map(|()| upload);
        upload = tokio::task::spawn_blocking(write).await.map_err(|error| unexpected(&error))??;
    }
    match door.hub.keep(&caller, upload).await? {
        api::Response::Reference(reference) => {
            let mut response = document(StatusCode::CREATED, &reference);
            let location = format!("/v1/references/{}", reference.id);
            if let Ok(value) = HeaderValue::from_str(&location) {
                response.headers_mut().insert(header::LOCATION, value);
            }
            Ok(response)
        }
        other => Err(unexpected(&format!("{other:?}"))),
    }
}

pub(super) async fn get(
    State(door): State<Arc<Door>>,
    Asker(caller): Asker,
    Path(text): Path<String>,
    headers: HeaderMap,
) -> Answer {
    let name = match text.starts_with("ref_") {
        true => ArtifactName::Reference(named(&text, "id of a reference")?),
        false => ArtifactName::Digest(named(&text, "digest")?),
    };
    let mut bytes = door.hub.open_artifact(&caller, name).await?;
    let (size, tag) = (bytes.size(), format!("\"{}\"", bytes.digest));
    let matches = |name| headers.get(name).map(|value| tags(value, &tag));
    if matches(header::IF_MATCH) == Some(false) {
        return Err(Problem::of_http(StatusCode::PRECONDITION_FAILED, format!("the artifact is {tag}")));
    }
    let kept =
        [(header::ETAG, tag.clone()), (header::CACHE_CONTROL, "private, immutable, max-age=31536000".to_owned())];
    if matches(header::IF_NONE_MATCH) == Some(true) {
        return Ok((StatusCode::NOT_MODIFIED, kept).into_response());
    }
    let wanted = headers.get(header::RANGE).filter(|_| matches(header::IF_RANGE) != Some(false));
    let range = match wanted.map(|value| range(value, size)) {
        None | Some(Range::Whole) => None,
        Some(Range::Part(first, last)) => Some((first, last)),
        Some(Range::Outside) => {
            let content_range = [(header::CONTENT_RANGE, format!("bytes */{size}"))];
            let problem = Problem::of_http(StatusCode::RANGE_NOT_SATISFIABLE, format!("the artifact has {size} bytes"));
            return Ok((content_range, problem).into_response());
        }
    };
    let (first, length) = range.map_or((0, size), |(first, last)| (first, last - first + 1));
    let media_type = bytes.media_type.clone();
    bytes.seek(first).map_err(|error| unexpected(&error))?;
    let mut response = Response::new(Body::from_stream(blocks(bytes, length)));
    let put = response.headers_mut();
    for (name, text) in kept.into_iter().chain([
        (header::CONTENT_TYPE, media_type),
        (header::CONTENT_LENGTH, length.to_string()),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        // What somebody uploaded is no page of this hub's.
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::CONTENT_SECURITY_POLICY, "sandbox".to_owned()),
    ]) {
        let value = HeaderValue::from_str(&text);
        put.insert(name, value.unwrap_or(HeaderValue::from_static("application/octet-stream")));
    }
    if let Some((first, last)) = range {
        if let Ok(value) = HeaderValue::from_str(&format!("bytes {first}-{last}/{size}")) {
            put.insert(header::CONTENT_RANGE, value);
        }
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

fn tags(value: &HeaderValue, tag: &str) -> bool {
    let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
    text.split(',').map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/") == tag)
}

/// What a `Range` asks for.
#[derive(Debug, PartialEq, Eq)]
enum Range {
    /// Everything: it asks for several parts, or says something that is not known.
    Whole,
    /// From the first to the last of these bytes.
    Part(u64, u64),
    /// Bytes that are not there.
    Outside,
}

fn range(value: &HeaderValue, size: u64) -> Range {
    let text = value.to_str().unwrap_or_default();
    let Some((from, to)) = text.strip_prefix("bytes=").and_then(|list| list.split_once('-')) else {
        return Range::Whole;
    };
    let number = |text: &str| text.trim().parse::<u64>();
    match (from.trim(), to.trim()) {
        (_, to) if to.contains(',') => Range::Whole,
        ("", to) => match number(to) {
            Ok(0) => Range::Outside,
            Ok(_) if size == 0 => Range::Outside,
            Ok(count) => Range::Part(size.saturating_sub(count), size - 1),
            Err(_) => Range::Whole,
        },
        (from, to) => match (number(from), number(to)) {
            (Ok(first), _) if first >= size => Range::Outside,
            (Ok(first), Err(_)) if to.is_empty() => Range::Part(first, size - 1),
            (Ok(first), Ok(last)) if last >= first => Range::Part(first, last.min(size - 1)),
            _ => Range::Whole,
        },
    }
}

type Block = std::io::Result<Bytes>;

/// Reads so many bytes on a thread that may block, a few blocks ahead of the reader.
fn blocks(mut bytes: hub::Bytes, length: u64) -> Blocks {
    let (sender, blocks) = mpsc::channel(BLOCKS_AHEAD);
    tokio::task::spawn_blocking(move || {
        let mut left = length;
        while left > 0 {
            let mut block = vec![0; BLOCK.min(usize::try_from(left).unwrap_or(BLOCK))];
            let read = match bytes.read(&mut block) {
                Ok(0) => Err(std::io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    block.truncate(count);
                    left = left.saturating_sub(count as u64);
                    Ok(Bytes::from(block))
                }
                Err(error) => Err(error),
            };
            // Whoever reads has gone, or cannot be given more.
            if sender.blocking_send(read).is_err() {
                return;
            }
        }
    });
    Blocks(blocks)
}

struct Blocks(mpsc::Receiver<Block>);

impl futures_core::Stream for Blocks {
    type Item = Block;
    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Block>> {
        self.0.poll_recv(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_a_part_everything_or_outside() {
        for (text, size, expected) in [
            ("bytes=0-0", 10, Range::Part(0, 0)),
            ("bytes=2-", 10, Range::Part(2, 9)),
            ("bytes=2-99", 10, Range::Part(2, 9)),
            ("bytes=-3", 10, Range::Part(7, 9)),
            ("bytes=-99", 10, Range::Part(0, 9)),
            ("bytes=10-", 10, Range::Outside),
            ("bytes=-0", 10, Range::Outside),
            ("bytes=-1", 0, Range::Outside),
            ("bytes=0-", 0, Range::Outside),
            ("bytes=3-2", 10, Range::Whole),
            ("bytes=0-1,3-4", 10, Range::Whole),
            ("bytes=99999999999999999999-", 10, Range::Whole),
            ("lines=1-2", 10, Range::Whole),
        ] {
            assert_eq!(range(&HeaderValue::from_static(text), size), expected, "{text} of {size}");
        }
    }
}
