//! Tokens of an OIDC issuer: signed claims that name a tenant and roles of it.

mod claims;
mod jws;
mod keys;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use enact_dial::connect::Trust;
use enact_dial::{Endpoint, Invalid, http};
use enact_runtime::api::Caller;

use jws::Jws;
use keys::{Keys, Unavailable};

/// Which issuer's tokens hold, and where in them the tenant and the roles stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcConfig {
    /// The issuer, exactly as its tokens and its discovery document name it.
    pub issuer: String,
    /// What the tokens must be meant for.
    pub audience: String,
    /// The claim that names the tenant; with dots it goes into objects.
    pub tenant_claim: String,
    /// The claim that names the roles, a text or a list; with dots it goes into objects.
    pub roles_claim: String,
    /// Whose certificates it may show.
    pub trust: Trust,
    /// How the keys are kept.
    pub pace: Pace,
}

/// How the keys of an issuer are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Least time between two times that it is asked.
    pub pause: Duration,
    /// The age at which its keys are asked for again.
    pub fresh: Duration,
    /// How long its keys hold while it does not answer.
    pub keep: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        let hours = |hours: u64| Duration::from_secs(hours * 3_600);
        Self { pause: Duration::from_secs(30), fresh: hours(1), keep: hours(24) }
    }
}

impl OidcConfig {
    /// Reads where an issuer is: HTTPS, or HTTP on loopback.
    ///
    /// # Errors
    /// What is no such address.
    pub fn endpoint(text: &str) -> Result<Endpoint, Invalid> {
        let endpoint = Endpoint::parse(text, http::SCHEMES)?;
        let near = endpoint.host == "localhost"
            || endpoint.host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback());
        if endpoint.tls || near {
            Ok(endpoint)
        } else {
            Err(Invalid::new(
                "is neither HTTPS nor on loopback",
                "keys that anybody may change on their way prove nothing",
            ))
        }
    }
}

/// Why a token of the issuer does not hold; nothing of the token is repeated.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// It is no token, or none of this issuer, or not for this hub, or not for now.
    #[error("the token {0}")]
    Invalid(String),
    /// It holds, and gives no role.
    #[error("the token holds, and its claim {claim} names none of the roles viewer, operator and admin")]
    NoRole { claim: String },
    /// Nobody can tell: the issuer does not say which keys are its own.
    #[error("the token cannot be checked: the issuer does not answer: {}", .0.why)]
    Unavailable(#[from] Unavailable),
}

fn invalid(why: impl Into<String>) -> Refused {
    Refused::Invalid(why.into())
}

/// The tokens of an issuer.
pub struct Oidc {
    config: OidcConfig,
    keys: Arc<Keys>,
}

impl Oidc {
    /// Takes note of an issuer; it is asked once its first token comes.
    pub fn new(config: OidcConfig) -> Self {
        let keys = Arc::new(Keys::new(config.issuer.clone(), config.trust.clone(), config.pace));
        Self { config, keys }
    }

    /// Tells whether a text is made as a signed token is, which none of the hub's own is.
    pub(crate) fn is_meant(text: &str) -> bool {
        text.bytes().filter(|byte| *byte == b'.').count() == 2
    }

    /// Returns who the caller is by a token, and a name by which their questions are counted.
    pub(crate) async fn caller(&self, text: &str) -> Result<(Caller, String), Refused> {
        let jws = Jws::read(text).map_err(invalid)?;
        let keys = self.keys.for_token(jws.algorithm, jws.kid.as_deref()).await?;
        if keys.is_empty() {
            return Err(invalid("is signed with a key that the issuer does not have"));
        }
        if !keys.iter().any(|key| jws.is_signed_with(key)) {
            return Err(invalid("does not have the signature of its issuer"));
        }
        let claims = jws.claims().map_err(invalid)?;
        claims::caller(&claims, &self.config, SystemTime::now())
    }

    /// Asks the issuer for its keys and tells how many it has.
    ///
    /// # Errors
    /// In words: why it cannot be used.
    pub async fn check(&self) -> Result<String, String> {
        let count = keys::fetch(&self.config.issuer, &self.config.trust).await?.len();
        Ok(format!("issuer {} with {count} keys that are known here", self.config.issuer))
    }
}

impl std::fmt::Debug for Oidc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Oidc").field("config", &self.config).finish_non_exhaustive()
    }
}
