//! Sinks over the network: webhook, Redis Streams, NATS JetStream.
//!
//! Each is a [`Sink`](enact_runtime::sink::Sink) of the hub and passes the same conformance suite as the file sink. They have a
//! room of their own because of what they carry: HTTP, TLS and the clients of two servers, which nobody else need compile.

mod dial;
pub mod endpoint;
pub mod nats;
pub mod redis;
pub mod secret;
pub mod template;
pub mod webhook;

/// Why the text of a setting is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Invalid {
    /// What is wrong with it, completing "`text` …".
    pub reason: String,
    /// The way out.
    pub hint: String,
}

impl Invalid {
    pub(crate) fn new(reason: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { reason: reason.into(), hint: hint.into() }
    }
}

/// Cuts a text that somebody else wrote to one short line.
pub(crate) fn excerpt(text: &str) -> String {
    const LONGEST: usize = 200;
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST + 1).collect();
    let line = line.trim();
    if line.chars().count() > LONGEST { line.chars().take(LONGEST).chain(['…']).collect() } else { line.to_owned() }
}
