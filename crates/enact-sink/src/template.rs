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
    /// Fills it for a subject of NATS, in which a dot, a wildcard or a space has a meaning: a tenant is one word of it, and an
    /// event type keeps its dots and nothing else. What has a meaning stands there as `%` and two digits.
    pub(crate) fn fill_subject(&self, message: &Message) -> String {
        let tenant = escaped(message.tenant_id.as_str(), false);
        self.0.replace("{tenant}", &tenant).replace("{type}", &escaped(&message.event_type, true))
    }
    /// Returns the subject of NATS that takes in every subject which this fills to.
    pub(crate) fn wildcard(&self) -> String {
        let mut words = Vec::new();
        for word in self.0.split('.') {
            // An event type may be several words, so what is behind it cannot be said either.
            if word.contains("{type}") {
                words.push(">");
                break;
            }
            words.push(if word.contains("{tenant}") { "*" } else { word });
        }
        words.join(".")
    }
    /// Returns it with something that a message could have, to ask for.
    pub(crate) fn sample(&self) -> String {
        self.0.replace("{tenant}", "default").replace("{type}", "type")
    }
}

fn escaped(text: &str, dots: bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '*' | '>' | '%') || c.is_whitespace() || c.is_control() || (c == '.' && !dots) {
            let mut bytes = [0; 4];
            escaped.extend(c.encode_utf8(&mut bytes).bytes().map(|byte| format!("%{byte:02X}")));
        } else {
            escaped.push(c);
        }
    }
    escaped
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
