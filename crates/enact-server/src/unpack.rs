//! Bodies that come packed: gzip of as many members as there are, and nothing else.

use std::io;

use async_compression::tokio::bufread::GzipDecoder;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use enact_engine::conclude as code;
use http_body_util::BodyExt as _;
use tokio_util::io::{ReaderStream, StreamReader};

use crate::problem::Problem;

/// Bytes that are unpacked at once.
const PIECE_BYTES: usize = 16 * 1024;

/// Unpacks the body of a request that says it is packed.
pub(crate) async fn unpack(request: Request, next: Next) -> Response {
    let transfer = codings(request.headers(), &header::TRANSFER_ENCODING);
    if transfer.iter().any(|coding| coding != "chunked") {
        let told = format!("the body is sent as {}, and only `chunked` is taken", transfer.join(", "));
        let problem = Problem::new(code::TRANSFER_UNSUPPORTED, told);
        return problem.hint("pack it with `Content-Encoding: gzip` instead").into_response();
    }
    let packed = codings(request.headers(), &header::CONTENT_ENCODING);
    match packed.as_slice() {
        [] => next.run(request).await,
        [one] if one == "gzip" || one == "x-gzip" => next.run(unpacked(request)).await,
        _ => {
            let told = format!("the body is packed in a way that is not known: {}", packed.join(", "));
            let problem = Problem::new(code::BODY_UNSUPPORTED, told);
            let mut answer = problem.hint("send it as it is, or with `Content-Encoding: gzip`").into_response();
            answer.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
            answer
        }
    }
}

/// Returns the codings that a header lists, the first applied first; they know no case.
fn codings(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let texts =
        headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase());
    let all: Vec<String> =
        texts.flat_map(|text| text.split(',').map(|coding| coding.trim().to_owned()).collect::<Vec<_>>()).collect();
    all.into_iter().filter(|coding| !coding.is_empty() && coding != "identity").collect()
}

fn unpacked(mut request: Request) -> Request {
    request.headers_mut().remove(header::CONTENT_ENCODING);
    request.headers_mut().remove(header::CONTENT_LENGTH);
    request.map(|body| {
        let packed = StreamReader::new(body.map_err(io::Error::other).into_data_stream());
        let mut decoder = GzipDecoder::new(packed);
        // RFC 1952: a file of gzip is a series of members, and what `cat a.gz b.gz` makes is one.
        decoder.multiple_members(true);
        Body::from_stream(ReaderStream::with_capacity(decoder, PIECE_BYTES))
    })
}
