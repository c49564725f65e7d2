//! Signed tokens in compact form (RFC 7515): which algorithm, which key, and whether the signature is right.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Longest token that is looked at, in bytes.
const LONGEST: usize = 16 * 1024;

/// The algorithms that are taken. None and the symmetric ones are not among them, whatever a token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Es256,
    EdDsa,
}

impl Algorithm {
    /// Returns the algorithm of a name.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            "EdDSA" => Some(Self::EdDsa),
            _ => None,
        }
    }
}

/// A public key of an issuer, which belongs to one algorithm and is used for no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PublicKey {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl PublicKey {
    /// Returns the one algorithm that it is for.
    pub(super) fn algorithm(&self) -> Algorithm {
        match self {
            Self::Rsa { .. } => Algorithm::Rs256,
            Self::P256(_) => Algorithm::Es256,
            Self::Ed25519(_) => Algorithm::EdDsa,
        }
    }
}

/// A token that is made as one is; nothing that it says is proven.
pub(super) struct Jws<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) kid: Option<String>,
    /// What is signed.
    signed: &'a str,
    payload: &'a str,
    signature: Vec<u8>,
}

/// What counts of a header. Keys that a token brings along itself are not looked at.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
}

impl<'a> Jws<'a> {
    /// Takes a token apart.
    pub(super) fn read(text: &'a str) -> Result<Self, &'static str> {
        const MALFORMED: &str = "is no signed token in compact form";
        if text.len() > LONGEST {
            return Err("is longer than 16 KiB");
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(MALFORMED)?;
        let (header, payload) = signed.split_once('.').ok_or(MALFORMED)?;
        let bytes = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| MALFORMED);
        let header: Header = serde_json::from_slice(&bytes(header)?).map_err(|_| MALFORMED)?;
        let algorithm =
            Algorithm::named(&header.alg).ok_or("has an algorithm that is not taken: it is RS256, ES256 or EdDSA")?;
        if header.crit.is_some() {
            return Err("asks for extensions that are not known here");
        }
        Ok(Self { algorithm, kid: header.kid, signed, payload, signature: bytes(signature)? })
    }

    /// Tells whether it is signed with a key, by the algorithm of that key.
    pub(super) fn is_signed_with(&self, key: &PublicKey) -> bool {
        let with = |algorithm: &'static dyn VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(algorithm, key).verify(self.signed.as_bytes(), &self.signature).is_ok()
        };
        key.algorithm() == self.algorithm
            && match key {
                PublicKey::Rsa { n, e } => signature::RsaPublicKeyComponents { n, e }
                    .verify(&signature::RSA_PKCS1_2048_8192_SHA256, self.signed.as_bytes(), &self.signature)
                    .is_ok(),
                PublicKey::P256(point) => with(&signature::ECDSA_P256_SHA256_FIXED, point),
                PublicKey::Ed25519(point) => with(&signature::ED25519, point),
            }
    }

    /// Reads its claims; only what [`Jws::is_signed_with`] a key of the issuer may be believed.
    pub(super) fn claims(&self) -> Result<Map<String, Value>, &'static str> {
        let bytes = URL_SAFE_NO_PAD.decode(self.payload).map_err(|_| "has claims that cannot be read")?;
        serde_json::from_slice(&bytes).map_err(|_| "has claims that cannot be read")
    }
}
