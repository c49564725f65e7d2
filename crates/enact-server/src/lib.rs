//! The doors of a hub over the network: HTTP with JSON, server-sent events, artifacts as bytes. No rule lives here: what
//! is asked becomes a question to the hub, what it answers becomes a status and a document.

pub mod access;
mod body;
mod cursor;
pub mod exposition;
mod figures;
mod guard;
mod problem;
pub mod route;
mod server;
mod tls;

use std::net::SocketAddr;
use std::path::PathBuf;

use enact_model::id::TenantId;
use enact_runtime::api::Role;

use access::OidcConfig;

pub use server::{BindError, Server};
pub use tls::TlsError;

/// How the doors are set up; every value is checked before it comes here.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Certificate chain and key, both in PEM; none for plain HTTP.
    pub tls: Option<TlsFiles>,
    /// The issuer whose signed tokens hold beside those of the hub.
    pub oidc: Option<OidcConfig>,
    /// The folder in which tokens are kept.
    pub tokens: PathBuf,
    /// What may change while it serves.
    pub live: Live,
    /// The tenant of such a caller.
    pub anonymous_tenant: TenantId,
    /// Most connections at once.
    pub connections: usize,
}

impl Config {
    /// Sets up a door on an address, with every default.
    pub fn new(listen: SocketAddr, tokens: impl Into<PathBuf>) -> Self {
        Self {
            listen,
            tls: None,
            oidc: None,
            tokens: tokens.into(),
            live: Live::default(),
            anonymous_tenant: TenantId::default_tenant(),
            connections: 16_384,
        }
    }
}

/// What may change while a door serves, see [`Server::live`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    /// What a caller without credentials may ask, over loopback only; none wants credentials there too.
    pub anonymous: Option<Role>,
    /// Names under which the door is reached, beside those of loopback; none lets every name pass off loopback.
    pub hosts: Vec<String>,
    /// Origins of pages that may ask, such as `https://console.example.org`.
    pub origins: Vec<String>,
    /// Most questions of one caller in a second; none for no limit.
    pub requests_per_second: Option<u32>,
}

impl Default for Live {
    fn default() -> Self {
        Self { anonymous: Some(Role::Operator), hosts: Vec::new(), origins: Vec::new(), requests_per_second: None }
    }
}

/// Where a certificate and its key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, leaf first.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}
