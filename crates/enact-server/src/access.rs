//! Who asks: tokens that a hub gave out, kept as digests, and callers on loopback without any.

mod oidc;
mod rate;
mod token;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use enact_engine::conclude as code;
use enact_model::conclusion::Conclusion;
use enact_model::time::Timestamp;
use enact_runtime::api::Caller;

pub use enact_dial::connect::Trust;
pub use oidc::{Oidc, OidcConfig, Pace};
pub use token::{NewToken, Secret, Token, TokenError, Tokens};

pub(crate) use oidc::Refused;
pub(crate) use rate::Rate;

use crate::problem::Problem;
use crate::server::Door;

/// The other side of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub SocketAddr);

/// Who asks, known by credentials.
pub(crate) struct Asker(pub Caller);

/// Who a caller without credentials is in the log; a token is `token:` and its name.
const ANONYMOUS: &str = "http:anonymous";

impl Asker {
    /// Returns whether there were no credentials, which is enough on loopback only.
    pub fn is_anonymous(&self) -> bool {
        self.0.actor == ANONYMOUS
    }
}

impl FromRequestParts<Arc<Door>> for Asker {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, door: &Arc<Door>) -> Result<Self, Problem> {
        let peer = parts.extensions.get::<Peer>().map(|peer| peer.0);
        let mut given = parts.headers.get_all(header::AUTHORIZATION).iter();
        let asker = match (given.next(), given.next()) {
            // Who stands between may have read the other one.
            (Some(_), Some(_)) => Err(unknown("there are two headers Authorization")),
            (Some(value), None) => by_token(door, value.as_bytes()).await,
            (None, _) => anonymous(door, peer),
        };
        let (caller, who) = match asker {
            Ok(known) => known,
            Err(problem) => {
                // Who guesses is slowed down by where they guess from.
                door.take_rate(&peer.map(|peer| peer.ip().to_string()).unwrap_or_default())?;
                return Err(problem);
            }
        };
        door.take_rate(&who)?;
        Ok(Self(caller))
    }
}

async fn by_token(door: &Door, given: &[u8]) -> Result<(Caller, String), Problem> {
    let text = std::str::from_utf8(given).unwrap_or_default();
    let (scheme, secret) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(unknown("the credentials are not a bearer token"));
    }
    if let Some(oidc) = door.oidc.as_ref().filter(|_| Oidc::is_meant(secret.trim())) {
        return oidc.caller(secret.trim()).await.map_err(|refused| of_issuer(&refused));
    }
    let token = door.tokens.find(secret.trim()).map_err(|error| {
        tracing::error!(%error, "tokens cannot be read");
        Problem::new(code::STORE_UNUSABLE, "the tokens of this hub cannot be read")
    })?;
    let Some(token) = token else { return Err(unknown("the token is not one of this hub")) };
    if token.revoked_at.is_some() {
        return Err(unknown("the token is revoked"));
    }
    if token.expires_at.is_some_and(|at| at <= Timestamp::from_system(std::time::SystemTime::now())) {
        return Err(unknown("the token has expired"));
    }
    let caller = Caller::new(token.tenant, format!("token:{}", token.name), token.role);
    Ok((caller, token.id))
}

fn of_issuer(refused: &Refused) -> Problem {
    match refused {
        Refused::Invalid(_) => unknown(&refused.to_string()),
        Refused::NoRole { .. } => Problem::new(code::ACCESS_DENIED, refused.to_string())
            .hint("let the issuer put a role into its tokens, or set http.oidc.roles_claim to where it stands"),
        Refused::Unavailable(unavailable) => Problem::new(code::ISSUER_UNREACHABLE, refused.to_string())
            .hint("try again; `enact doctor` tells whether the issuer answers")
            .retry_after_ms(unavailable.again.as_millis() as u64),
    }
}

fn anonymous(door: &Door, peer: Option<SocketAddr>) -> Result<(Caller, String), Problem> {
    let near = door.config.listen.ip().is_loopback() && peer.is_some_and(|peer| peer.ip().is_loopback());
    match door.live.borrow().anonymous.filter(|_| near) {
        Some(role) => {
            let tenant = door.config.anonymous_tenant.clone();
            Ok((Caller::new(tenant, ANONYMOUS, role), "anonymous".to_owned()))
        }
        None => Err(unknown("there are no credentials")),
    }
}

fn unknown(message: &str) -> Problem {
    let conclusion = Conclusion::new(code::AUTHENTICATION_REQUIRED, message);
    Problem::concluded(conclusion.hint("send `Authorization: Bearer TOKEN`; `enact token create` makes one"))
}
