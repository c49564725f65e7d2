//! The request to do something, parsed from what a door was given; every fault of it is reported at once.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::time::Duration;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::digest::Digest;
use crate::id::{IntentId, IntentType, SessionId, SolutionId, TenantId};
use crate::json::Json;
use crate::limits;
use crate::payload::Payload;
use crate::time::Timestamp;

/// A request to do something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Its id.
    pub intent_id: IntentId,
    /// What it asks for.
    pub intent_type: IntentType,
    /// On whose behalf.
    pub tenant_id: TenantId,
    /// In which session.
    pub session_id: SessionId,
    /// In which solution.
    pub solution_id: SolutionId,
    /// The argument of the operation.
    pub parameters: Payload,
    /// Free text that goes along.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// What makes a repetition recognisable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// How long it may take in all, in milliseconds from admission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
    /// The earliest time at which it may start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_after: Option<Timestamp>,
}

/// An intent as a door got it: nothing is checked yet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)]
pub struct IntentDraft {
    pub intent_id: Option<String>,
    pub intent_type: Option<String>,
    pub tenant_id: Option<String>,
    pub session_id: Option<String>,
    pub solution_id: Option<String>,
    pub parameters: Option<Json>,
    #[serde(deserialize_with = "once_each")]
    pub metadata: BTreeMap<String, String>,
    pub created_at: Option<String>,
    pub idempotency_key: Option<String>,
    /// Such as `30s`.
    pub deadline: Option<String>,
    /// A time by RFC 3339, or a duration from now such as `10m`.
    pub start_after: Option<String>,
}

/// One fault of an intent, a descriptor or a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{at}: {message}")]
pub struct InputFault {
    /// The field or the JSON pointer.
    pub at: String,
    /// What is wrong, with the value.
    pub message: String,
    /// The way out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl InputFault {
    /// Makes a fault.
    pub fn new(at: impl Into<String>, message: impl Into<String>) -> Self {
        Self { at: at.into(), message: message.into(), hint: None }
    }
    /// Adds the way out.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// What a door fills in where a caller has left it out.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct LeftOut {
    pub intent_id: IntentId,
    pub tenant_id: TenantId,
    pub session_id: SessionId,
    pub solution_id: SolutionId,
    pub created_at: Timestamp,
}

impl IntentDraft {
    /// Checks every field and makes the intent of a draft that is complete.
    ///
    /// # Errors
    /// Every fault at once, one for each field.
    pub fn parse(&self, now: Timestamp) -> Result<Intent, Vec<InputFault>> {
        self.read(now, None)
    }

    /// Checks every field and makes the intent; the door fills in what the caller may leave out.
    ///
    /// # Errors
    /// As [`IntentDraft::parse`].
    pub fn parse_filled_in(&self, now: Timestamp, left_out: &LeftOut) -> Result<Intent, Vec<InputFault>> {
        self.read(now, Some(left_out))
    }

    fn read(&self, now: Timestamp, fill: Option<&LeftOut>) -> Result<Intent, Vec<InputFault>> {
        let mut faults = Vec::new();
        let intent_id = required("intent_id", self.intent_id.as_deref(), fill.map(|by| &by.intent_id), &mut faults);
        let intent_type = required("intent_type", self.intent_type.as_deref(), None, &mut faults);
        let tenant_id = required("tenant_id", self.tenant_id.as_deref(), fill.map(|by| &by.tenant_id), &mut faults);
        let session_id = required("session_id", self.session_id.as_deref(), fill.map(|by| &by.session_id), &mut faults);
        let solution_id =
            required("solution_id", self.solution_id.as_deref(), fill.map(|by| &by.solution_id), &mut faults);
        let parameters = self.parameters.clone();
        if parameters.is_none() {
            faults.push(
                InputFault::new("parameters", "it is missing").hint("send {} for an operation without parameters"),
            );
        }
        let created_at = match (&self.created_at, fill) {
            (None, Some(by)) => Some(by.created_at),
            (None, None) => {
                faults.push(InputFault::new("created_at", "it is missing"));
                None
            }
            (Some(text), _) => read_time(text, None).map_err(|m| faults.push(InputFault::new("created_at", m))).ok(),
        };
        let deadline_ms = self.deadline.as_deref().and_then(|text| {
            read_deadline(text)
                .map_err(|m| faults.push(InputFault::new("deadline", m).hint("use a duration such as 30s or 10m")))
                .ok()
        });
        let start_after = self.start_after.as_deref().and_then(|text| {
            read_time(text, Some(now)).map_err(|m| faults.push(InputFault::new("start_after", m))).ok()
        });
        if let Some(start) = start_after
            && start.since(now) > limits::DEADLINE_MAX
        {
            faults.push(InputFault::new("start_after", format!("{start} is more than a year away")));
        }
        if let Some(key) = &self.idempotency_key {
            check_text("idempotency_key", key, &mut faults);
        }
        if self.metadata.len() > limits::METADATA_MAX_ENTRIES {
            let count = self.metadata.len();
            faults.push(InputFault::new(
                "metadata",
                format!("{count} entries are more than {}", limits::METADATA_MAX_ENTRIES),
            ));
        }
        for (key, value) in &self.metadata {
            if key.trim().is_empty() || key.len() > crate::id::NAME_MAX {
                faults.push(InputFault::new("metadata", format!("the key {key:?} is blank or longer than 128 bytes")));
            }
            if value.len() > limits::TEXT_MAX_BYTES {
                faults.push(InputFault::new(format!("metadata.{key}"), "its value is longer than 4096 bytes"));
            }
        }
        match (intent_id, intent_type, tenant_id, session_id, solution_id, parameters, created_at) {
            (
                Some(intent_id),
                Some(intent_type),
                Some(tenant_id),
                Some(session_id),
                Some(solution_id),
                Some(parameters),
                Some(created_at),
            ) if faults.is_empty() => Ok(Intent {
                intent_id,
                intent_type,
                tenant_id,
                session_id,
                solution_id,
                parameters: Payload::Inline(parameters),
                metadata: self.metadata.clone(),
                created_at,
                idempotency_key: self.idempotency_key.clone(),
                deadline_ms,
                start_after,
            }),
            _ => Err(faults),
        }
    }
}

impl Intent {
    /// Returns the fingerprint that a repetition under the same key must have: the parameters as sent, session and
    /// solution, nothing else.
    pub fn fingerprint(&self) -> Digest {
        let parameters = match &self.parameters {
            Payload::Inline(json) => Digest::of(json.as_str().as_bytes()),
            Payload::Stored { digest, .. } => *digest,
        };
        Digest::of(format!("{parameters}\n{}\n{}", self.session_id, self.solution_id).as_bytes())
    }
}

fn required<T: std::str::FromStr<Err = crate::id::ParseIdError> + Clone>(
    field: &str,
    text: Option<&str>,
    left_out: Option<&T>,
    faults: &mut Vec<InputFault>,
) -> Option<T> {
    match text {
        None if left_out.is_some() => return left_out.cloned(),
        None => faults.push(InputFault::new(field, "it is missing")),
        Some(text) if text.trim().is_empty() => faults.push(InputFault::new(field, "it is blank")),
        Some(text) => match text.parse() {
            Ok(value) => return Some(value),
            Err(error) => faults.push(InputFault::new(field, error.to_string())),
        },
    }
    None
}

/// Reads texts by key; the same key twice is refused, as it is in parameters: which one was meant is not known.
fn once_each<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    struct Texts;
    impl<'de> Visitor<'de> for Texts {
        type Value = BTreeMap<String, String>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object of texts")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut texts = BTreeMap::new();
            while let Some((key, text)) = map.next_entry::<String, String>()? {
                match texts.entry(key) {
                    Entry::Vacant(vacant) => {
                        vacant.insert(text);
                    }
                    Entry::Occupied(there) => {
                        let key: String = there.key().chars().take(100).collect();
                        return Err(A::Error::custom(format_args!("the key {key:?} stands twice in one object")));
                    }
                }
            }
            Ok(texts)
        }
    }
    deserializer.deserialize_map(Texts)
}

fn check_text(field: &str, text: &str, faults: &mut Vec<InputFault>) {
    if text.trim().is_empty() {
        faults.push(InputFault::new(field, "it is blank"));
    } else if text.len() > limits::TEXT_MAX_BYTES {
        faults.push(InputFault::new(field, format!("it is longer than {} bytes", limits::TEXT_MAX_BYTES)));
    }
}

fn read_deadline(text: &str) -> Result<u64, String> {
    let duration = humantime::parse_duration(text).map_err(|e| format!("{text:?} is no duration: {e}"))?;
    if duration < Duration::from_millis(1) {
        return Err(format!("{text:?} leaves no time at all"));
    }
    if duration > limits::DEADLINE_MAX {
        return Err(format!("{text:?} is longer than a year"));
    }
    Ok(duration.as_millis() as u64)
}

fn read_time(text: &str, now: Option<Timestamp>) -> Result<Timestamp, String> {
    if let (Some(now), Ok(duration)) = (now, humantime::parse_duration(text)) {
        return Ok(now.plus(duration));
    }
    text.parse().map_err(|error| match error {
        humantime::TimestampError::OutOfRange if text.get(..4).is_some_and(|year| year < "1970") => {
            format!("{text:?} is too early: times begin with 1970")
        }
        _ => format!("{text:?} is no time by RFC 3339, such as 2026-01-31T12:00:00Z"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_before_the_first_one_is_told_from_what_is_none() {
        for early in ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z"] {
            let told = read_time(early, None).unwrap_err();
            assert!(told.contains("too early") && told.contains("1970"), "{told}");
        }
        for none in ["2026-13-01T00:00:00Z", "0001", "soon", "", "é"] {
            let told = read_time(none, None).unwrap_err();
            assert!(told.contains("RFC 3339"), "{told}");
        }
        assert_eq!(read_time("1970-01-01T00:00:01Z", None), Ok(Timestamp(1_000)));
    }

    fn draft() -> IntentDraft {
        IntentDraft {
            intent_id: Some(IntentId::from_parts(5, 7).to_string()),
            intent_type: Some("issue_quote".into()),
            tenant_id: Some("acme".into()),
            session_id: Some("s-1".into()),
            solution_id: Some("claims-intake".into()),
            parameters: Some(Json::parse(r#"{"b":1.50,"a":[]}"#).unwrap()),
            metadata: [("k".to_owned(), "v".to_owned())].into(),
            created_at: Some("2026-01-31T12:00:00Z".into()),
            idempotency_key: Some("once".into()),
            deadline: Some("30s".into()),
            start_after: Some("10m".into()),
        }
    }

    #[test]
    fn a_complete_draft_becomes_an_intent_with_every_field() {
        let intent = draft().parse(Timestamp(1_000)).unwrap();
        assert_eq!(intent.intent_type.as_str(), "issue-quote");
        assert_eq!(intent.deadline_ms, Some(30_000));
        assert_eq!(intent.start_after, Some(Timestamp(601_000)));
        let text = serde_json::to_string(&intent).unwrap();
        let again: Intent = serde_json::from_str(&text).unwrap();
        assert_eq!(again, intent);
        assert_eq!(serde_json::to_string(&again).unwrap(), text);
        assert!(text.contains(r#"{"a":[],"b":1.50}"#), "{text}");
    }

    #[test]
    fn every_missing_and_every_blank_field_is_named_and_all_at_once() {
        let fields = ["intent_id", "intent_type", "tenant_id", "session_id", "solution_id", "parameters", "created_at"];
        let faults = IntentDraft::default().parse(Timestamp(0)).unwrap_err();
        assert_eq!(faults.iter().map(|f| f.at.as_str()).collect::<Vec<_>>(), fields);
        let blank = |text: &mut Option<String>| *text = Some("  ".into());
        let mut all = draft();
        for field in [
            &mut all.intent_id,
            &mut all.intent_type,
            &mut all.tenant_id,
            &mut all.session_id,
            &mut all.solution_id,
            &mut all.idempotency_key,
        ] {
            blank(field);
        }
        let faults = all.parse(Timestamp(0)).unwrap_err();
        assert_eq!(faults.len(), 6);
        assert!(faults.iter().all(|fault| fault.message.contains("blank")), "{faults:?}");
    }

    #[test]
    fn a_deadline_of_zero_and_one_beyond_a_year_are_refused_and_a_year_is_fine() {
        for (text, fine) in [("0s", false), ("365d", true), ("3y", false), ("soon", false), ("-1s", false)] {
            let result = IntentDraft { deadline: Some(text.into()), ..draft() }.parse(Timestamp(0));
            assert_eq!(result.is_ok(), fine, "{text}: {result:?}");
        }
    }

    #[test]
    fn the_fingerprint_sees_parameters_session_and_solution_and_nothing_else() {
        let base = draft().parse(Timestamp(0)).unwrap();
        let same = IntentDraft {
            intent_id: Some(IntentId::from_parts(9, 9).to_string()),
            metadata: BTreeMap::new(),
            ..draft()
        };
        assert_eq!(same.parse(Timestamp(5)).unwrap().fingerprint(), base.fingerprint());
        for other in [
            IntentDraft { parameters: Some(Json::parse("{}").unwrap()), ..draft() },
            IntentDraft { session_id: Some("s-2".into()), ..draft() },
            IntentDraft { solution_id: Some("other".into()), ..draft() },
        ] {
            assert_ne!(other.parse(Timestamp(0)).unwrap().fingerprint(), base.fingerprint());
        }
    }
}
