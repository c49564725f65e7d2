//! Calls to servers over the network: where they are, TCP and TLS, and HTTP without redirects.
//!
//! Whoever calls out does it here, so that nobody calls an address that is link-local or trusts what the system does not.

pub mod connect;
pub mod endpoint;
pub mod fetch;
pub mod http;

pub use endpoint::Endpoint;

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
    /// Says what is wrong and the way out.
    pub fn new(reason: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { reason: reason.into(), hint: hint.into() }
    }
}

/// Cuts a text that somebody else wrote to one short line.
pub fn excerpt(text: &str) -> String {
    const LONGEST: usize = 200;
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST + 1).collect();
    let line = line.trim();
    if line.chars().count() > LONGEST { line.chars().take(LONGEST).chain(['…']).collect() } else { line.to_owned() }
}
