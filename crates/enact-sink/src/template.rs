//! Where in a sink a message goes: a text in which `{tenant}` and `{type}` stand for those of the message.

use std::fmt;
use std::str::FromStr;

use enact_model::message::Message;

use crate::Invalid;

/// A text with places that a message fills.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(String);

impl Template {
    /// Fills it.
    pub(crate) fn fill(&self, message: &Message) -> String {
        if self.0.contains('{') {
            self.0.replace("{tenant}", message.tenant_id.as_str()).replace("{type}", &message.event_type)
        } else {
            self.0.clone()
        }
    }
    /// Returns it with something that a message could have, to ask for.
    pub(crate) fn sample(&self) -> String {
        self.0.replace("{tenant}", "default").replace("{type}", "type")
    }
}

impl FromStr for Template {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let plain = text.replace("{tenant}", "").replace("{type}", "");
        if text.is_empty() || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(Invalid::new("is empty or has spaces in it", "write a name such as enact.events"));
        }
        if plain.contains(['{', '}']) {
            return Err(Invalid::new("has a place that nothing fills", "there are {tenant} and {type}"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
