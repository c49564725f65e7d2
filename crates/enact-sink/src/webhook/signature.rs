//! Signatures by Standard Webhooks: HMAC-SHA256 over id, time and body, one for each secret, so that secrets can be renewed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

/// What a secret may begin with.
const PREFIX: &str = "whsec_";
/// Fewest bytes of a key: with less the signature could be guessed.
const KEY_MIN_BYTES: usize = 24;

/// A key to sign with.
pub(super) struct SigningKey(Vec<u8>);

impl SigningKey {
    /// Reads a secret of the form `whsec_` and base64.
    pub(super) fn parse(secret: &str) -> Result<Self, &'static str> {
        let text = secret.strip_prefix(PREFIX).ok_or("it does not begin with whsec_")?;
        let key = STANDARD.decode(text).map_err(|_| "what follows whsec_ is no base64")?;
        if key.len() < KEY_MIN_BYTES { Err("it is shorter than 24 bytes") } else { Ok(Self(key)) }
    }
}

/// Returns the value of `webhook-signature`.
pub(super) fn sign(keys: &[SigningKey], id: &str, seconds: u64, body: &[u8]) -> String {
    let one = |key: &SigningKey| {
        let mut mac = Hmac::<Sha256>::new_from_slice(&key.0).expect("a key of HMAC may have any length");
        mac.update(format!("{id}.{seconds}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    };
    keys.iter().map(one).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification.
    #[test]
    fn a_signature_is_that_of_the_specification_and_each_secret_has_one() {
        let key = || SigningKey::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = br#"{"test": 2432232314}"#;
        let one = sign(&[key()], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(one, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let two = sign(&[key(), key()], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(two, format!("{one} {one}"));
    }

    #[test]
    fn a_secret_that_is_none_is_refused() {
        for text in ["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_", "whsec_MfKQ", "whsec_§"] {
            assert!(SigningKey::parse(text).is_err(), "{text}");
        }
    }
}
