//! The webhook sink: each message is a signed POST, and an answer of 2xx is the receipt.

mod answer;
mod signature;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use enact_dial::connect::{self, Trust};
use enact_dial::http::{self, USER_AGENT};
use enact_dial::{Endpoint, Invalid};
use enact_model::message::{Message, MessageRow};
use enact_runtime::sink::{BoxFuture, DeliveryResult, Pace, Sink};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::SendRequest;
use hyper::{Request, header};

use crate::secret::Secret;
use signature::{SigningKey, sign};

/// Most bytes of an answer's body that are read.
const BODY_MAX_BYTES: usize = 16 * 1024;
/// Longest time for an answer's body once its status is there: the status is what counts.
const BODY_LIMIT: Duration = Duration::from_secs(1);
/// What the body of a request is.
const MEDIA_TYPE: &str = "application/cloudevents+json; charset=utf-8";

/// How a webhook is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookSetup {
    /// Where it is.
    pub endpoint: Endpoint,
    /// Whose certificate it must have.
    pub trust: Trust,
    /// What its messages are signed with; one signature for each, none at all without one.
    pub secrets: Vec<Secret>,
    /// Longest time from the connection to the head of the answer.
    pub timeout: Duration,
    /// Most requests at once.
    pub at_once: usize,
}

impl WebhookSetup {
    /// The time that an endpoint has if nobody says anything.
    pub const TIMEOUT: Duration = Duration::from_secs(10);
    /// The longest time that one can have; a delivery as a whole has a little more.
    pub const TIMEOUT_MAX: Duration = Duration::from_secs(25);
    /// As many requests at once if nobody says anything.
    pub const AT_ONCE: usize = 16;

    /// Reads where a webhook is.
    ///
    /// # Errors
    /// What is no address of HTTP, has credentials in it, or is link-local.
    pub fn endpoint(text: &str) -> Result<Endpoint, Invalid> {
        let endpoint = Endpoint::parse(text, http::SCHEMES)?;
        match endpoint.host.parse() {
            Ok(address) if connect::is_link_local(address) => {
                Err(Invalid::new("is link-local", "a webhook is never called there; name another host"))
            }
            _ => Ok(endpoint),
        }
    }
}

type Connection = SendRequest<Full<Bytes>>;

/// A webhook.
pub struct WebhookSink {
    setup: WebhookSetup,
    idle: Mutex<Vec<Connection>>,
}

impl WebhookSink {
    /// Sets one up; nothing is connected yet.
    pub fn new(setup: WebhookSetup) -> Self {
        Self { setup, idle: Mutex::default() }
    }

    async fn post(&self, message: &Message) -> Result<DeliveryResult, String> {
        let body = Bytes::from(message.cloud_event().as_str().to_owned());
        let keys = self.setup.secrets.iter().map(|secret| {
            let text = secret.read()?;
            SigningKey::parse(&text).map_err(|why| format!("{secret} holds no secret of a webhook: {why}"))
        });
        let keys = keys.collect::<Result<Vec<_>, String>>()?;
        let request = || self.request(message, &keys, body.clone());
        let (response, connection) = match self.kept() {
            Some(mut kept) => match kept.send_request(request()?).await {
                Ok(response) => (response, kept),
                // The other side closed it meanwhile, which is no answer; the same id makes it safe to send once more.
                Err(_) => http::ask(&self.setup.endpoint, &self.setup.trust, request()?).await?,
            },
            None => http::ask(&self.setup.endpoint, &self.setup.trust, request()?).await?,
        };
        let (head, rest) = response.into_parts();
        // It is read so that the connection can be kept; nothing of it is repeated anywhere.
        let (_, whole) = beginning(rest).await;
        if whole {
            self.keep(connection);
        }
        Ok(answer::judge(head.status, &head.headers, SystemTime::now()))
    }

    fn request(&self, message: &Message, keys: &[SigningKey], body: Bytes) -> Result<Request<Full<Bytes>>, String> {
        let endpoint = &self.setup.endpoint;
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let id = message.id.to_string();
        let mut request = Request::post(&endpoint.path)
            .header(header::HOST, endpoint.authority())
            .header(header::CONTENT_TYPE, MEDIA_TYPE)
            .header(header::USER_AGENT, USER_AGENT)
            .header("webhook-id", &id)
            .header("webhook-timestamp", seconds);
        if !keys.is_empty() {
            request = request.header("webhook-signature", sign(keys, &id, seconds, &body));
        }
        request.body(Full::new(body)).map_err(|error| format!("the request cannot be made: {error}"))
    }

    /// Takes a connection that is still there.
    fn kept(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|connection| !connection.is_closed());
        let ready = idle.iter().rposition(Connection::is_ready)?;
        Some(idle.swap_remove(ready))
    }
    fn keep(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < self.setup.at_once {
            idle.push(connection);
        }
    }
}

/// Reads the beginning of a body; tells whether that was all of it. One that goes on and on, or drips, is left alone.
pub(crate) async fn beginning(mut body: Incoming) -> (Vec<u8>, bool) {
    let mut said = Vec::new();
    let read = async {
        while let Some(frame) = body.frame().await {
            match frame.map(|frame| frame.into_data()) {
                Ok(Ok(data)) if said.len() + data.len() <= BODY_MAX_BYTES => said.extend_from_slice(&data),
                Ok(Err(_)) => {}
                _ => return false,
            }
        }
        true
    };
    let whole = tokio::time::timeout(BODY_LIMIT, read).await.unwrap_or(false);
    (said, whole)
}

impl Sink for WebhookSink {
    fn pace(&self) -> Pace {
        Pace { batch: 1, at_once: self.setup.at_once }
    }

    fn deliver<'a>(&'a self, messages: Vec<Arc<MessageRow>>) -> BoxFuture<'a, Vec<DeliveryResult>> {
        Box::pin(async move {
            let mut results = Vec::with_capacity(messages.len());
            for row in &messages {
                let limit = self.setup.timeout + BODY_LIMIT;
                let result = match tokio::time::timeout(limit, self.post(&row.message)).await {
                    Ok(Ok(result)) => result,
                    Ok(Err(reason)) => DeliveryResult::Failed { reason, retry_after: None },
                    Err(_) => {
                        let reason = format!(
                            "{} gave no answer within {} ms",
                            self.setup.endpoint,
                            self.setup.timeout.as_millis()
                        );
                        DeliveryResult::Failed { reason, retry_after: None }
                    }
                };
                results.push(result);
            }
            results
        })
    }

    /// It is connected to and asked nothing: a request would be a message.
    fn check<'a>(&'a self) -> BoxFuture<'a, Result<String, String>> {
        Box::pin(async move {
            for secret in &self.setup.secrets {
                SigningKey::parse(&secret.read()?)
                    .map_err(|why| format!("{secret} holds no secret of a webhook: {why}"))?;
            }
            let (_, address) = connect::connect(&self.setup.endpoint, &self.setup.trust).await?;
            Ok(format!("webhook {} at {address}", self.setup.endpoint))
        })
    }
}

impl fmt::Debug for WebhookSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookSink").field("setup", &self.setup).finish_non_exhaustive()
    }
}
