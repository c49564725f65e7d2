//! Artifacts as bytes: in as they come, out whole or in ranges, under the conditions of HTTP. A digest never changes what it
//! names, so it is a strong tag and may be kept for ever.

mod blocks;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use enact_engine::conclude as code;
use enact_runtime::api::{self, ArtifactName};
use serde::Deserialize;

use self::blocks::Blocks;
use super::{Answer, document, unexpected};
use crate::access::Asker;
use crate::body::{Asked, Path, Pieces, named};
use crate::problem::Problem;
use crate::server::Door;

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
    let mut pieces = Pieces::of(request.into_body(), upload.most(), door.config.body_limit)?;
    while let Some(bytes) = pieces.next().await? {
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
    method: Method,
    headers: HeaderMap,
) -> Answer {
    let name = match text.starts_with("ref_") {
        true => ArtifactName::Reference(named(&text, "id of a reference")?),
        false => ArtifactName::Digest(named(&text, "digest")?),
    };
    let seen = door.hub.see_artifact(&caller, name.clone()).await?;
    let (size, tag) = (seen.size, format!("\"{}\"", seen.digest));
    if headers.get(header::IF_MATCH).is_some_and(|value| !tags(value, &tag, Compare::Strongly)) {
        return Err(Problem::new(code::PRECONDITION_FAILED, format!("the artifact is {tag}")));
    }
    let kept =
        [(header::ETAG, tag.clone()), (header::CACHE_CONTROL, "private, immutable, max-age=31536000".to_owned())];
    if headers.get(header::IF_NONE_MATCH).is_some_and(|value| tags(value, &tag, Compare::Weakly)) {
        return Ok((StatusCode::NOT_MODIFIED, kept).into_response());
    }
    let wanted = headers.get(header::RANGE).filter(|_| {
        // One tag, and the very same: a part of something else is of no use.
        headers.get(header::IF_RANGE).is_none_or(|value| value.as_bytes() == tag.as_bytes())
    });
    let range = match wanted.map(|value| range(value, size)) {
        None | Some(Range::Whole) => None,
        Some(Range::Part(first, last)) => Some((first, last)),
        Some(Range::Outside) => {
            let content_range = [(header::CONTENT_RANGE, format!("bytes */{size}"))];
            let problem = Problem::new(code::RANGE_OUTSIDE, format!("the artifact has {size} bytes"));
            return Ok((content_range, problem).into_response());
        }
    };
    let (first, length) = range.map_or((0, size), |(first, last)| (first, last - first + 1));
    let media_type = seen.media_type;
    // Who wants the head alone has it without a byte being read.
    let body = match method {
        Method::HEAD => Body::empty(),
        _ => {
            let mut bytes = door.hub.open_artifact(&caller, name, length == size).await?;
            bytes.seek(first).map_err(|error| unexpected(&error))?;
            Body::from_stream(Blocks::new(bytes, length, door.config.stall_limit))
        }
    };
    let mut response = Response::new(body);
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

/// How tags are compared (RFC 9110, 8.8.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compare {
    /// A weak one is never the same.
    Strongly,
    /// A weak one is as good as its strong one.
    Weakly,
}

fn tags(value: &HeaderValue, tag: &str, compare: Compare) -> bool {
    let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
    let plain = |one: &str| match compare {
        Compare::Strongly => one == tag,
        Compare::Weakly => one.strip_prefix("W/").unwrap_or(one) == tag,
    };
    text.split(',').map(str::trim).any(|one| one == "*" || plain(one))
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
    // What is no digit, a sign for one, makes it no range.
    let number = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => text.parse::<u64>().ok(),
        false => None,
    };
    match (from.trim(), to.trim()) {
        (_, to) if to.contains(',') => Range::Whole,
        ("", to) => match number(to) {
            Some(0) => Range::Outside,
            Some(_) if size == 0 => Range::Outside,
            Some(count) => Range::Part(size.saturating_sub(count), size - 1),
            None => Range::Whole,
        },
        (from, to) => match (number(from), number(to)) {
            (Some(first), _) if first >= size => Range::Outside,
            (Some(first), None) if to.is_empty() => Range::Part(first, size - 1),
            (Some(first), Some(last)) if last >= first => Range::Part(first, last.min(size - 1)),
            _ => Range::Whole,
        },
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
            ("bytes=0-+5", 10, Range::Whole),
            ("bytes=+0-5", 10, Range::Whole),
            ("bytes=-+5", 10, Range::Whole),
            ("bytes=0-x", 10, Range::Whole),
        ] {
            assert_eq!(range(&HeaderValue::from_static(text), size), expected, "{text} of {size}");
        }
    }
}
