//! Messages of the outbox: promises to the outside, made with the outcome and kept once for each sink.

use serde::{Deserialize, Serialize};

use crate::id::{ExecutionId, Lsn, MessageId, SinkId, TenantId};
use crate::json::Json;
use crate::time::Timestamp;

/// Longest type of an event, in bytes.
const EVENT_TYPE_MAX_BYTES: usize = 256;
/// What the type of an event may be, for people.
pub const EVENT_TYPE_RULE: &str = "only letters, digits and . _ - : / may stand in it";

/// Returns whether a text is the type of an event.
pub fn is_event_type(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:/".contains(&byte);
    !text.is_empty() && text.len() <= EVENT_TYPE_MAX_BYTES && text.bytes().all(plain)
}

/// One promise to the outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Its id; the same in every delivery.
    pub id: MessageId,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// The execution that promised it.
    pub execution_id: ExecutionId,
    /// The CloudEvents type.
    pub event_type: String,
    /// The CloudEvents source: `/enact/<component>/<service>/<operation>`.
    pub source: String,
    /// The CloudEvents subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What keeps order; messages without one have no order among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The CloudEvents time.
    pub time: Timestamp,
    /// The CloudEvents data.
    pub data: Json,
    /// Where it goes, fixed at commit.
    pub sinks: Vec<SinkId>,
}

impl Message {
    /// Returns the message as a CloudEvents 1.0 JSON event.
    pub fn cloud_event(&self) -> Json {
        let mut value = serde_json::json!({
            "specversion": "1.0",
            "id": self.id,
            "source": self.source,
            "type": self.event_type,
            "time": self.time.to_string(),
            "datacontenttype": "application/json",
            "enacttenant": self.tenant_id,
            "enactexecution": self.execution_id,
            "data": self.data.to_value(),
        });
        if let Some(object) = value.as_object_mut() {
            for (name, text) in [("subject", &self.subject), ("partitionkey", &self.key)] {
                if let Some(text) = text.as_deref().and_then(attribute) {
                    object.insert(name.into(), text.into());
                }
            }
        }
        Json::from(&value)
    }
}

/// Returns a text as the value of an attribute: CloudEvents know no empty one, no control character and no character that is none.
fn attribute(text: &str) -> Option<String> {
    let is_none = |c: char| matches!(u32::from(c), 0xfdd0..=0xfdef) || u32::from(c) & 0xfffe == 0xfffe;
    let plain = text.chars().map(|c| if c.is_control() || is_none(c) { char::REPLACEMENT_CHARACTER } else { c });
    Some(plain.collect()).filter(|text: &String| !text.is_empty())
}

/// What became of one message at one sink.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// Not yet sent, or not yet known to have arrived.
    Pending {
        /// Tries so far.
        tries: u32,
        /// Not before this time.
        not_before: Timestamp,
        /// Why the last try failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// It arrived.
    Delivered {
        /// When.
        at: Timestamp,
    },
    /// It was given up.
    DeadLettered {
        /// When.
        at: Timestamp,
        /// Why.
        reason: String,
    },
}

/// A message and what became of it at each of its sinks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageRow {
    /// The message.
    pub message: Message,
    /// Where it stands in the log; it gives the order within a key.
    pub lsn: Lsn,
    /// One for each of the message's sinks, in their order.
    pub deliveries: Vec<Delivery>,
}

impl MessageRow {
    /// Returns whether any sink still waits for it.
    pub fn is_pending(&self) -> bool {
        self.deliveries.iter().any(|delivery| matches!(delivery, Delivery::Pending { .. }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_is_what_the_specification_allows_or_is_left_out() {
        assert_eq!(attribute(""), None);
        assert_eq!(attribute("order 7 – ü").as_deref(), Some("order 7 – ü"));
        assert_eq!(
            attribute("a\nb\u{7f}\u{85}\u{fdd0}\u{1ffff}").as_deref(),
            Some("a\u{fffd}b\u{fffd}\u{fffd}\u{fffd}\u{fffd}")
        );
    }
}
