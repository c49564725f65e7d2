//! References and provenance: what there is and what it was made from; never the bytes.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::id::{ExecutionId, ReferenceId, TenantId};
use crate::json::Json;
use crate::time::Timestamp;

/// One entry of the data brain: something that exists, by digest or by address, never its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// Its id.
    pub id: ReferenceId,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// Its name; with the digest or the address it tells references apart.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// Its digest; absent for what is elsewhere and was never read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Its size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Where it is, if it is not in the artifact store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// The execution that made it, unless it was uploaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_by: Option<ExecutionId>,
    /// When it was registered.
    pub registered_at: Timestamp,
}

impl Reference {
    /// Returns the value by which outputs and events name it.
    pub fn to_json(&self) -> Json {
        let mut value = serde_json::json!({ "id": self.id, "name": self.name, "media_type": self.media_type });
        if let Some(object) = value.as_object_mut() {
            if let Some(digest) = &self.digest {
                object.insert("digest".into(), digest.to_string().into());
            }
            if let Some(size) = self.size {
                object.insert("size".into(), size.into());
            }
            if let Some(uri) = &self.uri {
                object.insert("uri".into(), uri.clone().into());
            }
        }
        Json::from(&value)
    }
}

/// One statement of provenance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// Whose it is.
    pub tenant_id: TenantId,
    /// What it was made from.
    pub from: ReferenceId,
    /// What was made.
    pub to: ReferenceId,
    /// The execution that made it.
    pub made_by: ExecutionId,
    /// When that was settled.
    pub at: Timestamp,
}
