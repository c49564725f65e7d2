//! References and provenance: what there is and what it was made from; never the bytes.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::id::{ExecutionId, ReferenceId, TenantId};
use crate::intent::InputFault;
use crate::json::Json;
use crate::limits::TEXT_MAX_BYTES;
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

/// Longest name of a reference, in bytes.
const NAME_MAX_BYTES: usize = 255;
/// Longest media type, in bytes.
const MEDIA_TYPE_MAX_BYTES: usize = 256;

/// Returns whether a text is a media type such as `application/json`, with or without parameters.
pub fn is_media_type(text: &str) -> bool {
    let part =
        |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b));
    let bare = text.split(';').next().unwrap_or_default().trim();
    bare.split_once('/').is_some_and(|(kind, name)| part(kind) && part(name))
        && text.len() <= MEDIA_TYPE_MAX_BYTES
        && text.is_ascii()
}

impl Reference {
    /// Returns what is wrong with it by itself.
    pub fn faults(&self) -> Vec<InputFault> {
        let mut faults = Vec::new();
        if self.name.trim().is_empty() || self.name.len() > NAME_MAX_BYTES {
            let message = format!("{:?} is no name: it has 1 to {NAME_MAX_BYTES} bytes", self.name);
            faults.push(InputFault::new("name", message).hint("name it, such as report.pdf"));
        }
        if !is_media_type(&self.media_type) {
            let message = format!("{:?} is not a media type", self.media_type);
            faults.push(InputFault::new("media_type", message).hint("write one such as application/json"));
        }
        match &self.uri {
            Some(uri) if uri.trim().is_empty() || uri.len() > TEXT_MAX_BYTES => {
                let message = format!("{uri:?} is no address: it has 1 to {TEXT_MAX_BYTES} bytes");
                faults
                    .push(InputFault::new("uri", message).hint("say where it is, such as https://example.com/report"));
            }
            None if self.digest.is_none() => {
                let fault = InputFault::new("uri", "it has neither an address nor a digest");
                faults.push(fault.hint("say where it is, or put its bytes with `enact artifact put`"));
            }
            _ => {}
        }
        faults
    }

    /// Returns how it contradicts what is registered under the same name for the same content, if it does.
    pub fn contradiction(&self, known: &Self) -> Option<String> {
        let Self { name, media_type, .. } = self;
        if known.media_type != *media_type {
            return Some(format!(
                "{name} with this content is registered as {}, not as {media_type}",
                known.media_type
            ));
        }
        let place = |uri: &Option<String>| uri.clone().unwrap_or_else(|| "the artifact store".to_owned());
        let (there, here) = (place(&known.uri), place(&self.uri));
        (there != here).then(|| format!("{name} with this content is registered at {there}, not at {here}"))
    }

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
