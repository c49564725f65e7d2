//! The doors of a hub over the network: HTTP with JSON, server-sent events, artifacts as bytes. No rule lives here: what
//! is asked becomes a question to the hub, what it answers becomes a status and a document.

pub mod access;
mod body;
mod connection;
mod cursor;
pub mod exposition;
mod figures;
mod guard;
mod line;
mod problem;
pub mod route;
mod server;
mod tls;
mod turn;
mod unpack;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use enact_model::id::TenantId;
use enact_runtime::api::Role;

use access::OidcConfig;

pub use server::{BindError, Server};
pub use tls::{TlsError, Validity};

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
    /// How long a connection may take to its first request, its handshake apart, and every request to the end of its headers.
    pub hello_limit: Duration,
    /// How long a client may take nothing of what it is sent.
    pub stall_limit: Duration,
    /// How long a document may take to come, and how long an upload may bring nothing.
    pub body_limit: Duration,
    /// Largest package of a component, in bytes, as it comes and unpacked.
    pub package_max_bytes: u64,
    /// How long a connection may have no request open before it is closed, also one of HTTP/2 that answers pings.
    pub idle_limit: Duration,
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
            hello_limit: Duration::from_secs(10),
            stall_limit: Duration::from_secs(30),
            body_limit: Duration::from_secs(30),
            package_max_bytes: 4 * 1024 * 1024 * 1024,
            idle_limit: Duration::from_secs(300),
        }
    }
}

impl Config {
    /// Returns a public name under which a proxy on this machine would let everybody in as a caller on loopback, if there is one.
    pub fn trusts_its_proxy(&self) -> Option<&str> {
        let near = self.listen.ip().is_loopback() && self.live.anonymous.is_some();
        let public = self.live.hosts.iter().map(String::as_str).find(|name| !guard::is_loopback(name));
        public.filter(|_| near)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_name_on_loopback_without_credentials_is_told() {
        let told = |listen: &str, anonymous, hosts: &[&str]| {
            let mut config = Config::new(listen.parse().expect("an address"), "tokens");
            config.live.anonymous = anonymous;
            config.live.hosts = hosts.iter().map(|&name| name.to_owned()).collect();
            config.trusts_its_proxy().map(str::to_owned)
        };
        let (near, operator) = ("127.0.0.1:7400", Some(Role::Operator));
        assert_eq!(told(near, operator, &["LOCALHOST", "hub.example"]).as_deref(), Some("hub.example"));
        assert_eq!(told(near, operator, &["localhost", "[::1]"]), None);
        assert_eq!(told(near, None, &["hub.example"]), None);
        assert_eq!(told("192.0.2.1:7400", operator, &["hub.example"]), None);
    }
}
