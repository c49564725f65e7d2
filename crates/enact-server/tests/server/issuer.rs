//! An OIDC issuer of the test's own: real keys, a real server on loopback, tokens as it is told to make them.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use enact_server::access::{OidcConfig, Pace, Trust};
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A key for RS256 that is used for nothing else; `ring` makes none.
const RSA: &[u8] = include_bytes!("rsa-test-key.der");

fn coded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A key and its name.
pub enum Pair {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Pair {
    pub fn rsa() -> Self {
        Self::Rsa(RsaKeyPair::from_pkcs8(RSA).unwrap())
    }
    pub fn p256() -> Self {
        let (random, algorithm) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
        let made = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        Self::P256(EcdsaKeyPair::from_pkcs8(algorithm, made.as_ref(), &random).unwrap())
    }
    pub fn ed25519() -> Self {
        let made = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Ed25519(Ed25519KeyPair::from_pkcs8(made.as_ref()).unwrap())
    }
    pub fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RS256",
            Self::P256(_) => "ES256",
            Self::Ed25519(_) => "EdDSA",
        }
    }
    /// The public half as an issuer gives it.
    pub fn public(&self, kid: &str) -> Value {
        let mut jwk = match self {
            Self::Rsa(pair) => {
                let parts = PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({ "kty": "RSA", "n": coded(parts.n), "e": coded(parts.e) })
            }
            Self::P256(pair) => {
                let point = pair.public_key().as_ref();
                json!({ "kty": "EC", "crv": "P-256", "x": coded(&point[1..33]), "y": coded(&point[33..]) })
            }
            Self::Ed25519(pair) => json!({ "kty": "OKP", "crv": "Ed25519", "x": coded(pair.public_key()) }),
        };
        (jwk["kid"], jwk["use"]) = (json!(kid), json!("sig"));
        jwk
    }
    fn sign(&self, text: &str) -> Vec<u8> {
        let (random, text) = (SystemRandom::new(), text.as_bytes());
        match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, text, &mut signature).unwrap();
                signature
            }
            Self::P256(pair) => pair.sign(&random, text).unwrap().as_ref().to_vec(),
            Self::Ed25519(pair) => pair.sign(text).as_ref().to_vec(),
        }
    }
    /// Makes a token.
    pub fn token(&self, kid: &str, claims: &Value) -> String {
        self.token_with(&json!({ "alg": self.algorithm(), "kid": kid, "typ": "JWT" }), claims)
    }
    pub fn token_with(&self, header: &Value, claims: &Value) -> String {
        let signed = unsigned(header, claims);
        format!("{signed}.{}", coded(self.sign(&signed)))
    }
}

pub fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.{}", coded(header.to_string()), coded(claims.to_string()))
}

/// Seconds since 1970, so many from now.
pub fn seconds(from_now: i64) -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64 + from_now
}

/// What an issuer answers, to be changed while it runs.
#[derive(Default)]
pub struct Said {
    pub keys: Mutex<Vec<Value>>,
    /// Names itself or its keys otherwise.
    pub discovery: Mutex<Option<Value>>,
    /// How often its keys were asked for.
    pub asked: AtomicU32,
}

pub struct Issuer {
    pub said: Arc<Said>,
    pub address: SocketAddr,
    serving: Option<JoinHandle<()>>,
    /// With which certificate it speaks TLS, if it does.
    pub tls: Option<tokio_rustls::TlsAcceptor>,
    pub trust: Trust,
}

impl Issuer {
    /// One that speaks HTTPS, and whose keys are asked for with this trust.
    pub async fn over_tls(keys: Vec<Value>, tls: tokio_rustls::TlsAcceptor, trust: Trust) -> Self {
        let said = Arc::new(Said { keys: Mutex::new(keys), ..Said::default() });
        let address = ([127, 0, 0, 1], 0).into();
        let mut issuer = Self { said, address, serving: None, tls: Some(tls), trust };
        issuer.start().await;
        issuer
    }
    pub async fn open(keys: Vec<Value>) -> Self {
        let said = Arc::new(Said { keys: Mutex::new(keys), ..Said::default() });
        let (address, trust) = (([127, 0, 0, 1], 0).into(), Trust::System);
        let mut issuer = Self { said, address, serving: None, tls: None, trust };
        issuer.start().await;
        issuer
    }
    pub fn name(&self) -> String {
        match &self.tls {
            None => format!("http://{}", self.address),
            Some(_) => format!("https://localhost:{}", self.address.port()),
        }
    }
    /// Serves, on the port of the first time.
    pub async fn start(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.address = listener.local_addr().unwrap();
        let (name, said, keys) = (self.name(), Arc::clone(&self.said), Arc::clone(&self.said));
        let discovery = move || {
            let other = said.discovery.lock().unwrap().clone();
            let usual = json!({ "issuer": name, "jwks_uri": format!("{name}/keys") });
            std::future::ready(other.unwrap_or(usual).to_string())
        };
        let give = move || {
            keys.asked.fetch_add(1, Ordering::SeqCst);
            std::future::ready(json!({ "keys": *keys.keys.lock().unwrap() }).to_string())
        };
        let router =
            axum::Router::new().route("/.well-known/openid-configuration", get(discovery)).route("/keys", get(give));
        let tls = self.tls.clone();
        let serve = async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                let service = hyper_util::service::TowerToHyperService::new(router.clone());
                let http = hyper::server::conn::http1::Builder::new();
                match tls.clone() {
                    None => drop(tokio::spawn(http.serve_connection(hyper_util::rt::TokioIo::new(stream), service))),
                    Some(tls) => drop(tokio::spawn(async move {
                        let Ok(stream) = tls.accept(stream).await else { return };
                        let _ = http.serve_connection(hyper_util::rt::TokioIo::new(stream), service).await;
                    })),
                }
            }
        };
        self.serving = Some(tokio::spawn(serve));
    }
    /// Nobody answers at its address any more.
    pub async fn stop(&mut self) {
        let serving = self.serving.take().unwrap();
        serving.abort();
        let _ = serving.await;
    }
    pub fn asked(&self) -> u32 {
        self.said.asked.load(Ordering::SeqCst)
    }
    /// How a hub takes its tokens, with a pause between two questions.
    pub fn config(&self, pause: Duration) -> OidcConfig {
        OidcConfig {
            issuer: self.name(),
            audience: "enact".into(),
            tenant_claim: "org.tenant".into(),
            roles_claim: "roles".into(),
            trust: self.trust.clone(),
            pace: Pace { pause, ..Pace::default() },
        }
    }
    /// What its tokens claim if nobody says anything else.
    pub fn claims(&self) -> Value {
        json!({
            "iss": self.name(), "aud": "enact", "sub": "ann", "exp": seconds(600), "iat": seconds(0),
            "org": { "tenant": "acme" }, "roles": ["operator"],
        })
    }
}
