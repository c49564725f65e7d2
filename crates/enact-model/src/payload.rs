//! Bytes or a reference: what is above the limit travels as a reference with a digest.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::json::Json;
use crate::limits::INLINE_MAX_BYTES;

/// Parameters or an output, by value or by reference into the artifact store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Payload {
    /// The value itself, at most [`crate::limits::INLINE_MAX_BYTES`].
    Inline(Json),
    /// Canonical JSON in the artifact store.
    Stored {
        /// Its digest.
        digest: Digest,
        /// Its size in bytes.
        size: u64,
    },
}

impl Payload {
    /// Makes a payload: by value as far as a record may hold it, else by reference. It stores nothing.
    pub fn of(json: Json) -> Self {
        match json.as_str().len() {
            size if size > INLINE_MAX_BYTES => {
                Self::Stored { digest: Digest::of(json.as_str().as_bytes()), size: size as u64 }
            }
            _ => Self::Inline(json),
        }
    }
    /// Returns the value if it is here.
    pub fn inline(&self) -> Option<&Json> {
        match self {
            Self::Inline(json) => Some(json),
            Self::Stored { .. } => None,
        }
    }
    /// Returns its size in bytes.
    pub fn size(&self) -> u64 {
        match self {
            Self::Inline(json) => json.as_str().len() as u64,
            Self::Stored { size, .. } => *size,
        }
    }
}
