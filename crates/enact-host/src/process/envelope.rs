//! The envelope of effects as a handler writes it (DESIGN §5.4), read into the model's words.
//!
//! ```json
//! { "output": …,
//!   "state": [ {"scope": "session", "set": "key", "value": …, "ttl": "5m", "if_version": 3},
//!              {"scope": "session", "key": "key", "value": …},
//!              {"scope": "execution", "delete": "key", "if_version": 3},
//!              {"scope": "execution", "key": "key", "delete": true} ],
//!   "events": [ {"type", "key", "subject", "data"} ],
//!   "artifacts": [ {"name", "media_type", "path" | "base64"} ],
//!   "references": [ {"name", "uri", "digest", "media_type", "size"} ],
//!   "derived": [ {"from": […], "to": …} ] }
//! ```
//! `output` must be there, though it may be `null`. Anything else in it is refused: an effect that was misspelt must not
//! pass for one that was not wanted.

use enact_model::envelope::{
    ArtifactAsked, DerivedAsked, Envelope, EventAsked, ReferenceAsked, StateChange, StateScope,
};
use enact_model::json::Json;
use serde::{Deserialize, Deserializer};

/// An envelope that breaks its form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("failed to read the envelope of effects: {0}")]
pub(super) struct EnvelopeError(pub String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default, deserialize_with = "present")]
    output: Option<Json>,
    #[serde(default)]
    state: Vec<Entry>,
    #[serde(default)]
    events: Vec<EventAsked>,
    #[serde(default)]
    artifacts: Vec<ArtifactAsked>,
    #[serde(default)]
    references: Vec<ReferenceAsked>,
    #[serde(default)]
    derived: Vec<DerivedAsked>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    scope: StateScope,
    #[serde(default)]
    set: Option<String>,
    #[serde(default)]
    delete: Option<Delete>,
    #[serde(default)]
    key: Option<String>,
    #[serde(default, deserialize_with = "present")]
    value: Option<Json>,
    #[serde(default)]
    ttl: Option<String>,
    #[serde(default)]
    ttl_ms: Option<u64>,
    #[serde(default)]
    if_version: Option<u64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Delete {
    Flag(bool),
    Key(String),
}

/// `null` is a value; only what does not stand there is absent.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}

/// Reads the document of a handler with `returns: effects`.
pub(super) fn read(document: &Json) -> Result<(Json, Envelope), EnvelopeError> {
    let document: Document = document.to().map_err(|e| EnvelopeError(e.to_string()))?;
    let output = document.output.ok_or_else(|| EnvelopeError("it lacks output".to_owned()))?;
    let state = document
        .state
        .into_iter()
        .enumerate()
        .map(|(at, entry)| entry.read().map_err(|what| EnvelopeError(format!("state[{at}]: {what}"))));
    let state = state.collect::<Result<Vec<_>, _>>()?;
    for (at, asked) in document.artifacts.iter().enumerate() {
        if asked.name.trim().is_empty() {
            return Err(EnvelopeError(format!("artifacts[{at}]: its name is blank")));
        }
        if asked.path.is_some() == asked.base64.is_some() {
            return Err(EnvelopeError(format!("artifacts[{at}]: it must have either path or base64")));
        }
        if document.artifacts.iter().take(at).any(|before| before.name == asked.name) {
            return Err(EnvelopeError(format!("artifacts[{at}]: another one has the name {:?}", asked.name)));
        }
    }
    for (at, asked) in document.events.iter().enumerate() {
        if asked.event_type.trim().is_empty() {
            return Err(EnvelopeError(format!("events[{at}]: its type is blank")));
        }
    }
    let Document { events, artifacts, references, derived, .. } = document;
    Ok((output, Envelope { state, events, artifacts, references, derived }))
}

impl Entry {
    fn read(self) -> Result<StateChange, &'static str> {
        let (key, delete) = match (self.set, self.delete, self.key) {
            (Some(key), None, None) => (key, false),
            (None, Some(Delete::Key(key)), None) => (key, true),
            (None, Some(Delete::Flag(delete)), Some(key)) => (key, delete),
            (None, None, Some(key)) => (key, false),
            _ => return Err("it must name its key once, by set, by delete or by key"),
        };
        if key.is_empty() {
            return Err("its key is empty");
        }
        let ttl_ms = match (self.ttl, self.ttl_ms) {
            (None, ttl_ms) => ttl_ms,
            (Some(text), None) => {
                let ttl = humantime::parse_duration(&text).map_err(|_| "its ttl is no duration such as 90s")?;
                Some(u64::try_from(ttl.as_millis()).map_err(|_| "its ttl is too long")?)
            }
            (Some(_), Some(_)) => return Err("it has both ttl and ttl_ms"),
        };
        if delete && (self.value.is_some() || ttl_ms.is_some()) {
            return Err("a delete has neither value nor ttl");
        }
        match &self.value {
            None if !delete => return Err("it lacks value"),
            // The model says "absent" for a delete, and `null` reads as absent.
            Some(value) if value.as_str() == "null" => return Err("its value is null; delete the key instead"),
            _ => {}
        }
        Ok(StateChange { scope: self.scope, key, value: self.value, ttl_ms, if_version: self.if_version })
    }
}

/// Decodes standard base64 with padding; line breaks are allowed, anything else is not.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count, mut padding, mut digits) = (0u32, 0u32, 0usize, 0usize);
    for byte in text.bytes().filter(|b| !matches!(b, b'\n' | b'\r')) {
        digits += 1;
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                padding += 1;
                continue;
            }
            _ => return None,
        };
        if padding > 0 {
            return None;
        }
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    (digits % 4 == 0 && padding <= 2 && bits == 0 && count < 6).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(Json, Envelope), EnvelopeError> {
        read(&Json::parse(text).unwrap())
    }

    #[test]
    fn every_documented_form_of_a_state_entry_is_read() {
        let (output, envelope) = check(
            r#"{"output":null,"state":[
                {"scope":"session","set":"a","value":1.10,"ttl":"2m","if_version":3},
                {"scope":"session","key":"b","value":[]},
                {"scope":"execution","delete":"c","if_version":0},
                {"scope":"execution","key":"d","delete":true}]}"#,
        )
        .unwrap();
        assert_eq!(output, Json::null());
        let seen: Vec<_> =
            envelope.state.iter().map(|s| (s.key.as_str(), s.value.as_ref().map(Json::as_str), s.ttl_ms)).collect();
        assert_eq!(
            seen,
            [("a", Some("1.10"), Some(120_000)), ("b", Some("[]"), None), ("c", None, None), ("d", None, None)]
        );
        assert_eq!(envelope.state[2].if_version, Some(0));
    }

    #[test]
    fn a_misspelt_or_incomplete_envelope_is_refused() {
        for text in [
            "{}",
            "7",
            r#"{"output":1,"stat":[]}"#,
            r#"{"output":1,"state":{}}"#,
            r#"{"output":1,"state":[{"scope":"tenant","set":"a","value":1}]}"#,
            r#"{"output":1,"state":[{"scope":"session","set":"a"}]}"#,
            r#"{"output":1,"state":[{"scope":"session","set":"a","value":null}]}"#,
            r#"{"output":1,"state":[{"scope":"session","set":"a","delete":"b","value":1}]}"#,
            r#"{"output":1,"state":[{"scope":"session","delete":"a","value":1}]}"#,
            r#"{"output":1,"state":[{"scope":"session","set":"a","value":1,"ttl":"soon"}]}"#,
            r#"{"output":1,"state":[{"scope":"session","set":"a","value":1,"if_version":-1}]}"#,
            r#"{"output":1,"events":[{"key":"a"}]}"#,
            r#"{"output":1,"events":[{"type":" "}]}"#,
            r#"{"output":1,"artifacts":[{"name":"a"}]}"#,
            r#"{"output":1,"artifacts":[{"name":"a","path":"x","base64":""}]}"#,
            r#"{"output":1,"artifacts":[{"name":"a","path":"x"},{"name":"a","path":"y"}]}"#,
            r#"{"output":1,"references":[{"name":"a"}]}"#,
            r#"{"output":1,"derived":[{"to":"a"}]}"#,
        ] {
            assert!(check(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_documented_envelope_is_read() {
        let page = include_str!("../../../../docs/descriptor.md");
        let (_, rest) = page.split_once("```json envelope\n").unwrap();
        let (output, envelope) = check(rest.split_once("\n```").unwrap().0).unwrap();
        assert_eq!(output.as_str(), r#"{"pages":2}"#);
        let counts = (envelope.state.len(), envelope.events.len(), envelope.artifacts.len());
        assert_eq!((counts, envelope.references.len(), envelope.derived.len()), ((2, 1, 2), 1, 1));
    }

    #[test]
    fn base64_is_decoded_strictly() {
        assert_eq!(base64("aGVsbG8=").as_deref(), Some(&b"hello"[..]));
        assert_eq!(base64("aGVs\nbG8h").as_deref(), Some(&b"hello!"[..]));
        assert_eq!(base64("").as_deref(), Some(&b""[..]));
        for text in ["aGVsbG8", "a===", "aGV$", "aGVsbG9=", "=aGV", "a"] {
            assert_eq!(base64(text), None, "{text}");
        }
    }
}
