//! The NATS sink: each message is published to a stream of JetStream, under its id, and waits for the receipt.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::context::{Context, ContextBuilder, PublishAckFuture, PublishError, PublishErrorKind};
use async_nats::{Client, ConnectError, ConnectErrorKind, ConnectOptions, HeaderMap, header};
use enact_dial::Endpoint;
use enact_dial::connect::{Trust, distrust};
use enact_model::message::{Message, MessageRow};
use enact_runtime::sink::{BoxFuture, DeliveryResult, Pace, Sink};
use tokio::sync::Mutex;

use crate::secret::Secret;
use crate::template::Template;
use crate::{Invalid, excerpt};

/// Longest time for a connection, and for a receipt.
const LIMIT: Duration = Duration::from_secs(5);
/// What the payload is, for readers.
const MEDIA_TYPE: &str = "application/cloudevents+json; charset=utf-8";

/// How a NATS sink is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NatsSetup {
    /// Where a server is; it names the others.
    pub endpoint: Endpoint,
    /// Who asks.
    pub login: Login,
    /// Whose certificates the server may show.
    pub trust: Trust,
    /// The subject that a message is published to.
    pub subject: Template,
    /// The stream that must be the one that takes it.
    pub stream: Option<String>,
}

/// How the server knows who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// It does not want to.
    Nobody,
    /// By a token.
    Token(Secret),
    /// By name and password.
    User {
        /// The name.
        name: String,
        /// The password.
        password: Secret,
    },
    /// By credentials, as `nsc` writes them.
    Credentials(Secret),
    /// By an nkey, whose seed it is.
    Nkey(Secret),
}

impl NatsSetup {
    /// The subject that is published to if nobody says anything.
    pub const SUBJECT: &str = "enact.events";

    /// Reads where a server is.
    ///
    /// # Errors
    /// What is no address of a NATS server, or has credentials in it.
    pub fn endpoint(text: &str) -> Result<Endpoint, Invalid> {
        Endpoint::parse(text, &[("nats", 4222, false), ("tls", 4222, true)])
    }

    /// Reads a subject.
    ///
    /// # Errors
    /// What could not be published to.
    pub fn subject(text: &str) -> Result<Template, Invalid> {
        let subject: Template = text.parse()?;
        let empty = text.split('.').any(str::is_empty);
        if empty || text.contains(['*', '>']) {
            return Err(Invalid::new(
                "is no subject that one could publish to",
                "write words with dots between them, such as enact.events",
            ));
        }
        Ok(subject)
    }
}

/// A stream of JetStream.
pub struct NatsSink {
    setup: NatsSetup,
    client: Mutex<Option<Client>>,
}

impl NatsSink {
    /// Sets one up; nothing is connected yet.
    pub fn new(setup: NatsSetup) -> Self {
        Self { setup, client: Mutex::default() }
    }

    async fn connect(&self) -> Result<Client, String> {
        let NatsSetup { endpoint, login, trust, .. } = &self.setup;
        let options = ConnectOptions::new().name("enact").connection_timeout(LIMIT).request_timeout(Some(LIMIT));
        let options = match login {
            Login::Nobody => options,
            Login::Token(token) => options.token(token.read()?),
            Login::User { name, password } => options.user_and_password(name.clone(), password.read()?),
            Login::Credentials(file) => options
                .credentials(&file.read()?)
                .map_err(|_| format!("{file} holds no credentials as `nsc` writes them"))?,
            Login::Nkey(seed) => options.nkey(seed.read()?),
        };
        // Read at each connection, so that an authority that was renewed holds for the next.
        trust.pem()?;
        let options = match trust {
            Trust::File(path) => options.add_root_certificates(path.clone()),
            Trust::System => options,
        };
        enact_dial::connect::settle_on_ring();
        let connecting = options.require_tls(endpoint.tls).connect(endpoint.to_string());
        match tokio::time::timeout(LIMIT, connecting).await {
            Ok(Ok(client)) => Ok(client),
            Ok(Err(error)) => Err(refused(endpoint, &error)),
            Err(_) => Err(format!("{endpoint} cannot be reached: no answer within {} s", LIMIT.as_secs())),
        }
    }

    /// Returns a connection that holds. The client's own way is to keep what is published while it has none; what is kept there
    /// would be sent long after the relay has given it another turn.
    async fn client(&self) -> Result<Client, String> {
        let mut held = self.client.lock().await;
        if let Some(client) = held.as_ref().filter(|client| client.connection_state() == State::Connected) {
            return Ok(client.clone());
        }
        *held = None;
        Ok(held.insert(self.connect().await?).clone())
    }

    async fn publish(&self, messages: &[Arc<MessageRow>]) -> Result<Vec<DeliveryResult>, String> {
        let context = context(self.client().await?);
        let mut receipts = Vec::with_capacity(messages.len());
        for row in messages {
            receipts.push(self.send(&context, &row.message).await);
        }
        let mut results = Vec::with_capacity(messages.len());
        for receipt in receipts {
            let receipt = match receipt {
                Ok(receipt) => receipt.await.map(|_| ()),
                Err(error) => Err(error),
            };
            results.push(receipt.map_or_else(|error| self.judge(&error), |()| DeliveryResult::Delivered));
        }
        Ok(results)
    }

    async fn send(&self, context: &Context, message: &Message) -> Result<PublishAckFuture, PublishError> {
        let mut headers = HeaderMap::new();
        headers.insert(header::NATS_MESSAGE_ID, message.id.to_string());
        headers.insert("content-type", MEDIA_TYPE);
        if let Some(stream) = &self.setup.stream {
            headers.insert(header::NATS_EXPECTED_STREAM, stream.as_str());
        }
        let event = message.cloud_event().as_str().to_owned();
        context.publish_with_headers(self.setup.subject.fill_subject(message), headers, event.into()).await
    }

    fn judge(&self, error: &PublishError) -> DeliveryResult {
        let subject = self.setup.subject.wildcard();
        let reason = match error.kind() {
            PublishErrorKind::StreamNotFound => format!(
                "no stream takes the subject {subject}; make one (`nats stream add EVENTS --subjects {}`), and look \
                 whether JetStream is on",
                in_a_shell(&subject)
            ),
            PublishErrorKind::MaxPayloadExceeded => {
                return DeliveryResult::Poison {
                    reason: format!("it is larger than the server takes: {}", excerpt(&error.to_string())),
                };
            }
            PublishErrorKind::TimedOut => format!(
                "no receipt within {} s; the server is down, or this user may not publish to {subject}",
                LIMIT.as_secs()
            ),
            _ => format!("the stream did not take it: {}", excerpt(&error.to_string())),
        };
        DeliveryResult::Failed { reason, retry_after: None }
    }

    async fn look(&self) -> Result<String, String> {
        let client = self.connect().await?;
        let endpoint = &self.setup.endpoint;
        let release = client.server_info().version;
        let subject = self.setup.subject.sample();
        match context(client).stream_by_subject(&subject).await {
            Ok(stream) => match &self.setup.stream {
                Some(wanted) if *wanted != stream => {
                    Err(format!("the stream {stream} takes the subject {subject}, not {wanted}"))
                }
                _ => Ok(format!("{endpoint}, release {release}, stream {stream}")),
            },
            Err(error) => Err(format!(
                "{endpoint} has no stream for the subject {subject} ({}); make one: `nats stream add EVENTS --subjects {}`",
                excerpt(&error.to_string()),
                in_a_shell(&self.setup.subject.wildcard())
            )),
        }
    }
}

/// Quotes what a shell would take for a pattern or a redirection.
fn in_a_shell(subject: &str) -> String {
    if subject.contains(['*', '>']) { format!("'{subject}'") } else { subject.to_owned() }
}

fn context(client: Client) -> Context {
    ContextBuilder::new().timeout(LIMIT).ack_timeout(LIMIT).build(client)
}

fn refused(endpoint: &Endpoint, error: &ConnectError) -> String {
    match error.kind() {
        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
            format!("{endpoint} does not let this user in; look at token, user, nkey or credentials of the sink")
        }
        kind => match distrust(&error.to_string()) {
            Some(why) => format!("{endpoint} is not trusted: {}; look at `ca` of the sink", excerpt(&why)),
            None if kind == ConnectErrorKind::Tls => {
                format!("{endpoint} is not trusted: {}; look at `ca` of the sink", excerpt(&error.to_string()))
            }
            None => format!("{endpoint} cannot be reached: {}", excerpt(&error.to_string())),
        },
    }
}

impl Sink for NatsSink {
    /// Receipts are waited for together.
    fn pace(&self) -> Pace {
        Pace { batch: 256, at_once: 2 }
    }

    fn deliver<'a>(&'a self, messages: Vec<Arc<MessageRow>>) -> BoxFuture<'a, Vec<DeliveryResult>> {
        Box::pin(async move {
            self.publish(&messages)
                .await
                .unwrap_or_else(|reason| vec![DeliveryResult::Failed { reason, retry_after: None }; messages.len()])
        })
    }

    fn check<'a>(&'a self) -> BoxFuture<'a, Result<String, String>> {
        Box::pin(self.look())
    }
}

impl fmt::Debug for NatsSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsSink").field("setup", &self.setup).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(template: &str, tenant: &str, event_type: &str) -> String {
        let message = Message {
            id: enact_model::id::MessageId::from_u128(1),
            tenant_id: tenant.parse().unwrap(),
            execution_id: enact_model::id::ExecutionId::from_u128(1),
            event_type: event_type.to_owned(),
            source: "/enact/a/b/c".to_owned(),
            subject: None,
            key: None,
            time: enact_model::time::Timestamp(0),
            data: enact_model::json::Json::from(&serde_json::json!({})),
            sinks: Vec::new(),
        };
        NatsSetup::subject(template).unwrap().fill_subject(&message)
    }

    #[test]
    fn a_tenant_is_one_word_of_a_subject_whatever_is_in_its_name() {
        let of = |tenant: &str, event_type: &str| filled("enact.{tenant}.{type}", tenant, event_type);
        assert_eq!(of("a", "order.placed"), "enact.a.order.placed");
        // Who listens to `enact.a.>` hears nothing of the tenant `a.order`.
        assert_eq!(of("a.order", "placed"), "enact.a%2Eorder.placed");
        assert_eq!(of("a", "to * > % all"), "enact.a.to%20%2A%20%3E%20%25%20all");
    }

    #[test]
    fn the_stream_that_is_to_be_made_takes_every_subject_that_is_filled() {
        for (template, wildcard) in [
            ("enact.events", "enact.events"),
            ("enact.{tenant}.{type}", "enact.*.>"),
            ("enact.x-{tenant}.all", "enact.*.all"),
            ("enact.{type}.{tenant}", "enact.>"),
        ] {
            assert_eq!(NatsSetup::subject(template).unwrap().wildcard(), wildcard);
        }
    }

    #[test]
    fn a_subject_is_one_that_can_be_published_to() {
        assert!(NatsSetup::subject("enact.{tenant}.{type}").is_ok());
        for text in ["enact.*", "enact.>", "enact..events", ".x", "a b", "enact.{component}", ""] {
            assert!(NatsSetup::subject(text).is_err(), "{text}");
        }
    }
}
