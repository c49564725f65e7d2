//! HTTP/1.1 to one endpoint: a connection that follows no redirect.

use http_body_util::BodyExt as _;
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

use crate::connect::{Trust, connect};
use crate::{Endpoint, excerpt};

/// Most bytes of an answer's head.
const HEAD_MAX_BYTES: usize = 64 * 1024;
/// Who asks.
pub const USER_AGENT: &str = concat!("enact/", env!("CARGO_PKG_VERSION"));
/// The schemes of HTTP, with the ports that they mean.
pub const SCHEMES: &[crate::endpoint::Scheme] = &[("https", 443, true), ("http", 80, false)];

/// Opens a connection. It ends with its sender.
///
/// # Errors
/// In words: no address, nobody there, a certificate that is not trusted.
pub async fn open<B>(endpoint: &Endpoint, trust: &Trust) -> Result<SendRequest<B>, String>
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (stream, _) = connect(endpoint, trust).await?;
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_MAX_BYTES);
    let opened = builder.handshake(TokioIo::new(stream)).await;
    let (sender, connection) = opened.map_err(|error| format!("{endpoint} does not speak HTTP: {error}"))?;
    // What goes wrong on it is told by the request.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

/// Sends a request over a connection of its own and returns the head of the answer, and the connection to be used again once
/// the body was read.
///
/// # Errors
/// In words, as [`open`], and a connection that ends without an answer.
pub async fn ask<B>(
    endpoint: &Endpoint,
    trust: &Trust,
    request: Request<B>,
) -> Result<(Response<Incoming>, SendRequest<B>), String>
where
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut sender = open(endpoint, trust).await?;
    let response = send(endpoint, &mut sender, request).await?;
    Ok((response, sender))
}

/// Sends a request over a connection and returns the head of the answer.
///
/// # Errors
/// In words: a connection that ends without an answer. What was asked for may have been done.
pub async fn send<B>(
    endpoint: &Endpoint,
    sender: &mut SendRequest<B>,
    request: Request<B>,
) -> Result<Response<Incoming>, String>
where
    B: Body + Send + 'static,
{
    let sent = sender.send_request(request).await;
    sent.map_err(|error| format!("{endpoint} gave no answer: {}", excerpt(&error.to_string())))
}

/// Reads all of a body.
///
/// # Errors
/// In words that complete "the server …": a body that breaks off, or one above `most` bytes.
pub async fn whole(mut body: Incoming, most: usize) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| format!("broke off its answer: {}", excerpt(&error.to_string())))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > most {
            return Err(format!("answered with more than {most} bytes"));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}
