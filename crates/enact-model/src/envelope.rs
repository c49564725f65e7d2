//! The effects that a handler asks for (DESIGN §5.4): returned, never done.

use serde::{Deserialize, Serialize};

use crate::json::Json;

/// What a handler with `returns: effects` asks to be changed together with its outcome.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Envelope {
    /// Changes of session or execution state.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub state: Vec<StateChange>,
    /// Events to promise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<EventAsked>,
    /// Artifacts; their bytes are moved to the artifact store before the outcome is reported.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<ArtifactAsked>,
    /// References to things that are elsewhere.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<ReferenceAsked>,
    /// Provenance: what was made from what.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub derived: Vec<DerivedAsked>,
}

/// Whose state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateScope {
    /// The session of the intent.
    Session,
    /// The execution itself.
    Execution,
}

/// One change of state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateChange {
    /// Whose state.
    pub scope: StateScope,
    /// The key.
    pub key: String,
    /// The new value; absent means delete.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub value: Option<Json>,
    /// How long it lives, in milliseconds of command time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<u64>,
    /// The version it must have; 0 means it must not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_version: Option<u64>,
}

/// One event to promise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventAsked {
    /// The CloudEvents type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// What keeps order: messages of one key are delivered one after the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The CloudEvents subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The CloudEvents data.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub data: Option<Json>,
}

/// Reads a value that is there, `null` included: absent means something else.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}

/// One artifact that a handler produced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArtifactAsked {
    /// Its name.
    pub name: String,
    /// Its media type.
    #[serde(default = "octets")]
    pub media_type: String,
    /// Where it is, relative to the scratch folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Its bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
}

fn octets() -> String {
    "application/octet-stream".to_owned()
}

/// One reference to something elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferenceAsked {
    /// Its name, unique for its tenant together with the digest.
    pub name: String,
    /// Where it is.
    pub uri: String,
    /// Its digest, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<crate::digest::Digest>,
    /// Its media type.
    pub media_type: String,
    /// Its size in bytes, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

/// One statement of provenance; names are `artifact:<name>`, `reference:<name>` or a reference id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DerivedAsked {
    /// What it was made from.
    pub from: Vec<String>,
    /// What was made.
    pub to: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_null_that_is_set_is_not_a_delete() {
        let set = StateChange {
            scope: StateScope::Session,
            key: "k".into(),
            value: Some(Json::null()),
            ttl_ms: None,
            if_version: None,
        };
        let delete = StateChange { value: None, ..set.clone() };
        for change in [set, delete] {
            assert_eq!(Json::of(&change).to::<StateChange>().unwrap(), change);
        }
    }
}
