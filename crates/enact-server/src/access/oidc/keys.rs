//! The keys of an issuer: asked for when they are needed, kept, and asked for again, but not often.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use enact_dial::connect::Trust;
use enact_dial::{excerpt, fetch};
use serde::Deserialize;
use serde_json::Value;

use super::jws::{Algorithm, PublicKey};
use super::{OidcConfig, Pace};

/// Most bytes of a document of the issuer.
const DOCUMENT_MAX: usize = 1024 * 1024;
/// Longest time for one document.
const DOCUMENT_LIMIT: Duration = Duration::from_secs(5);
/// Most keys of an issuer.
const KEYS_MAX: usize = 100;
/// Where an issuer says where its keys are.
const DISCOVERY: &str = "/.well-known/openid-configuration";

/// A key and its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    kid: Option<String>,
    key: PublicKey,
}

/// The issuer does not answer, and what it said before does not help.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub(crate) struct Unavailable {
    /// Why.
    pub(crate) why: String,
    /// When it may be asked again.
    pub(crate) again: Duration,
}

/// What is known of an issuer.
#[derive(Default)]
struct State {
    keys: Vec<Known>,
    /// When it gave the keys.
    since: Option<Instant>,
    /// When it was asked last, and why that came to nothing.
    asked: Option<(Instant, Option<String>)>,
}

/// The keys of an issuer.
pub(super) struct Keys {
    issuer: String,
    trust: Trust,
    pace: Pace,
    state: Mutex<State>,
    /// Held by whoever asks: others wait for the answer instead of asking, too.
    asking: tokio::sync::Mutex<()>,
}

impl Keys {
    pub(super) fn new(issuer: String, trust: Trust, pace: Pace) -> Self {
        Self { issuer, trust, pace, state: Mutex::default(), asking: tokio::sync::Mutex::new(()) }
    }

    /// Returns the keys with which a token may be signed: that of its name, or without a name every one for its algorithm. The
    /// issuer is asked if there is none.
    pub(super) async fn for_token(
        self: &Arc<Self>,
        algorithm: Algorithm,
        kid: Option<&str>,
    ) -> Result<Vec<PublicKey>, Unavailable> {
        let found = self.find(algorithm, kid);
        if !found.is_empty() {
            if self.is_due() {
                // They hold on while the issuer is asked again.
                let keys = Arc::clone(self);
                tokio::spawn(async move { keys.ask().await });
            }
            return Ok(found);
        }
        // It goes on although whoever wanted it may go away.
        let keys = Arc::clone(self);
        let _ = tokio::spawn(async move { keys.ask().await }).await;
        let found = self.find(algorithm, kid);
        match self.trouble() {
            // It may be a new key of the issuer, or nobody's.
            Some(unavailable) if found.is_empty() => Err(unavailable),
            _ => Ok(found),
        }
    }

    fn find(&self, algorithm: Algorithm, kid: Option<&str>) -> Vec<PublicKey> {
        let state = self.state();
        let holds = state.since.is_some_and(|since| since.elapsed() < self.pace.keep);
        let fits = |known: &&Known| {
            holds && known.key.algorithm() == algorithm && (kid.is_none() || known.kid.as_deref() == kid)
        };
        state.keys.iter().filter(fits).map(|known| known.key.clone()).collect()
    }

    fn is_due(&self) -> bool {
        let state = self.state();
        state.since.is_none_or(|since| since.elapsed() >= self.pace.fresh) && self.may_ask(&state)
    }

    fn may_ask(&self, state: &State) -> bool {
        state.asked.as_ref().is_none_or(|(at, _)| at.elapsed() >= self.pace.pause)
    }

    fn trouble(&self) -> Option<Unavailable> {
        let state = self.state();
        let (at, why) = state.asked.as_ref()?;
        let again = self.pace.pause.saturating_sub(at.elapsed());
        Some(Unavailable { why: why.clone()?, again })
    }

    /// Asks the issuer, unless it was asked a moment ago.
    async fn ask(&self) {
        let _one = self.asking.lock().await;
        {
            let mut state = self.state();
            if !self.may_ask(&state) {
                return;
            }
            state.asked = Some((Instant::now(), Some("it is being asked".to_owned())));
        }
        let fetched = fetch(&self.issuer, &self.trust).await;
        let mut state = self.state();
        let why = match fetched {
            Ok(keys) => {
                (state.keys, state.since) = (keys, Some(Instant::now()));
                None
            }
            Err(why) => {
                tracing::warn!(
                    issuer = self.issuer,
                    why,
                    kept = state.keys.len(),
                    "the keys of the issuer cannot be read"
                );
                Some(why)
            }
        };
        state.asked = Some((Instant::now(), why));
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What counts of a discovery document.
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

/// A key as RFC 7517 writes it.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// Asks an issuer where its keys are, and for them.
///
/// # Errors
/// In words: an issuer that does not answer, is another one, or has no key that is known here.
pub(super) async fn fetch(issuer: &str, trust: &Trust) -> Result<Vec<Known>, String> {
    let address = |text: &str| OidcConfig::endpoint(text).map_err(|invalid| format!("{} {invalid}", excerpt(text)));
    let discovery = address(&format!("{}{DISCOVERY}", issuer.trim_end_matches('/')))?;
    let document = fetch::document(&discovery, trust, DOCUMENT_MAX, DOCUMENT_LIMIT).await?;
    let document: Discovery = serde_json::from_slice(&document)
        .map_err(|error| format!("{discovery} says not where its keys are: {}", excerpt(&error.to_string())))?;
    if document.issuer != issuer {
        return Err(format!("{discovery} is another issuer, {}", excerpt(&document.issuer)));
    }
    let place = address(&document.jwks_uri)?;
    let document = fetch::document(&place, trust, DOCUMENT_MAX, DOCUMENT_LIMIT).await?;
    let set: KeySet = serde_json::from_slice(&document)
        .map_err(|error| format!("{place} gives no set of keys: {}", excerpt(&error.to_string())))?;
    let known: Vec<Known> = set.keys.iter().filter_map(known).take(KEYS_MAX).collect();
    if known.is_empty() {
        return Err(format!("{place} gives no key for RS256, ES256 or EdDSA"));
    }
    Ok(known)
}

/// Reads one key; those for other purposes and algorithms are left out.
fn known(value: &Value) -> Option<Known> {
    let jwk: Jwk = serde_json::from_value(value.clone()).ok()?;
    let bytes = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_ref()?).ok();
    let coordinate = |text: &Option<String>| bytes(text).filter(|bytes| bytes.len() == 32);
    let key = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", _) => PublicKey::Rsa { n: bytes(&jwk.n)?, e: bytes(&jwk.e)? },
        ("EC", Some("P-256")) => PublicKey::P256([vec![4], coordinate(&jwk.x)?, coordinate(&jwk.y)?].concat()),
        ("OKP", Some("Ed25519")) => PublicKey::Ed25519(coordinate(&jwk.x)?),
        _ => return None,
    };
    let signs = jwk.usage.is_none_or(|usage| usage == "sig");
    let suits = jwk.alg.is_none_or(|name| Algorithm::named(&name) == Some(key.algorithm()));
    (signs && suits).then_some(Known { kid: jwk.kid, key })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn keys_hold_for_a_while_without_their_issuer_and_then_no_more() {
        // Nobody listens there: the port is taken by nobody who answers.
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let issuer = format!("http://{}", taken.local_addr().unwrap());
        drop(taken);
        let keys = Arc::new(Keys::new(issuer, Trust::System, Pace { pause: Duration::ZERO, ..Pace::default() }));
        let key = PublicKey::Ed25519(vec![7; 32]);
        let aged = |hours: u64| {
            let mut state = keys.state();
            state.keys = vec![Known { kid: Some("a".into()), key: key.clone() }];
            state.since = Instant::now().checked_sub(Duration::from_secs(hours * 3_600));
        };
        for (hours, holds) in [(0, true), (2, true), (23, true), (24, false)] {
            aged(hours);
            let found = keys.for_token(Algorithm::EdDsa, Some("a")).await;
            assert_eq!(found.is_ok_and(|found| found == [key.clone()]), holds, "after {hours} h");
        }
        aged(0);
        assert!(keys.for_token(Algorithm::EdDsa, Some("b")).await.unwrap_err().why.contains("cannot be reached"));
    }
}
