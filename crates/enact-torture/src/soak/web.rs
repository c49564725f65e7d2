//! The network door as a client sees it: kept connections, a token, and patience with a hub that is gone for a moment.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::{Broken, Result};

/// Longest time for one answer; the longest wait that is asked for is shorter.
const ANSWER_MAX: Duration = Duration::from_secs(40);
/// Longest time that something is asked for again and again.
pub(super) const PATIENCE: Duration = Duration::from_secs(90);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(50);

/// The hub, by its address; connections are kept until they break.
pub(super) struct Web {
    address: SocketAddr,
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
}

/// What is asked.
#[derive(Clone)]
pub(super) struct Asked<'a> {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) token: &'a str,
    /// Further headers.
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Option<Bytes>,
}

impl<'a> Asked<'a> {
    pub(super) fn get(token: &'a str, path: impl Into<String>) -> Self {
        Self { method: "GET", path: path.into(), token, headers: Vec::new(), body: None }
    }
    /// With a JSON document.
    pub(super) fn send(
        method: &'static str,
        token: &'a str,
        path: impl Into<String>,
        body: &serde_json::Value,
    ) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        Self { method, path: path.into(), token, headers, body: Some(Bytes::from(body.to_string())) }
    }
    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// What was answered.
pub(super) struct Answer {
    pub(super) status: u16,
    /// Of the header `Enact-Execution-Id`.
    pub(super) execution: Option<String>,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
    /// For people.
    pub(super) fn said(&self) -> String {
        let text = String::from_utf8_lossy(&self.body).chars().take(300).collect::<String>();
        format!("{} {text}", self.status)
    }
}

impl Web {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { address, idle: Mutex::default() }
    }

    /// Asks until there is an answer that is neither 429 nor 503.
    ///
    /// # Errors
    /// There is none for too long.
    pub(super) async fn ask(&self, asked: &Asked<'_>) -> Result<Answer> {
        let end = Instant::now() + PATIENCE;
        let mut last = String::from("no connection");
        while Instant::now() < end {
            match timeout(ANSWER_MAX, self.once(asked)).await {
                Ok(Some(answer)) if ![429, 503].contains(&answer.status) => return Ok(answer),
                Ok(Some(answer)) => last = answer.said(),
                Ok(None) => {}
                Err(_) => last = format!("no answer within {ANSWER_MAX:?}"),
            }
            sleep(PAUSE).await;
        }
        Err(Broken(format!("{} {} had no answer for {PATIENCE:?}: {last}", asked.method, asked.path)))
    }

    /// Asks once; none if the connection is refused or breaks.
    pub(super) async fn once(&self, asked: &Asked<'_>) -> Option<Answer> {
        let (response, sender) = self.open(asked).await?;
        let status = response.status().as_u16();
        let header = response.headers().get("enact-execution-id").and_then(|value| value.to_str().ok());
        let execution = header.map(str::to_owned);
        let body = response.into_body().collect().await.ok()?.to_bytes();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        Some(Answer { status, execution, body })
    }

    /// Asks once and leaves the body to be read, with the connection that it comes by.
    pub(super) async fn open(&self, asked: &Asked<'_>) -> Option<(Response<Incoming>, SendRequest<Full<Bytes>>)> {
        let kept = || self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut sender = loop {
            match kept() {
                Some(mut sender) => {
                    if sender.ready().await.is_ok() {
                        break sender;
                    }
                }
                None => {
                    let stream = TcpStream::connect(self.address).await.ok()?;
                    stream.set_nodelay(true).ok()?;
                    let (sender, connection) = handshake(TokioIo::new(stream)).await.ok()?;
                    tokio::spawn(connection);
                    break sender;
                }
            }
        };
        let request = Request::builder().method(asked.method).uri(&asked.path).header("host", self.address.to_string());
        let request = request.header("authorization", format!("Bearer {}", asked.token));
        let request = asked.headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        let request = request.body(Full::new(asked.body.clone().unwrap_or_default())).ok()?;
        Some((sender.send_request(request).await.ok()?, sender))
    }
}
