//! Ids and names: newtypes with a printable prefix, parsed at the door and carried as proof.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use ulid::Ulid;

/// An id or a name that does not have the form its type asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("failed to read {what} from {text:?}: {reason}")]
pub struct ParseIdError {
    /// What was to be read.
    pub what: &'static str,
    /// The text as it was given, cut at 100 characters.
    pub text: String,
    /// Why it was refused.
    pub reason: &'static str,
}

impl ParseIdError {
    fn new(what: &'static str, text: &str, reason: &'static str) -> Self {
        Self { what, text: text.chars().take(100).collect(), reason }
    }
}

/// Serialises as text, and prints as the same text; `with_text` gives it without a formatter in between, since every record
/// and row has a dozen of these.
macro_rules! text_serde {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.with_text(|text| serializer.serialize_str(text))
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.with_text(|text| f.write_str(text))
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            /// The printable prefix.
            pub const PREFIX: &'static str = $prefix;
            /// Makes an id from its number; the upper 48 bits are milliseconds since 1970.
            pub const fn from_u128(number: u128) -> Self {
                Self(number)
            }
            /// Makes an id from a time and 80 random bits.
            pub const fn from_parts(time_ms: u64, random: u128) -> Self {
                Self(Ulid::from_parts(time_ms, random).0)
            }
            /// Returns the number.
            pub const fn as_u128(self) -> u128 {
                self.0
            }
            /// Returns the milliseconds since 1970 at which it was made.
            pub const fn time_ms(self) -> u64 {
                (self.0 >> 80) as u64
            }
            fn with_text<T>(&self, take: impl FnOnce(&str) -> T) -> T {
                const PREFIX_LEN: usize = $prefix.len();
                let mut text = [0; PREFIX_LEN + ulid::ULID_LEN];
                let (prefix, body) = text.split_at_mut(PREFIX_LEN);
                prefix.copy_from_slice($prefix.as_bytes());
                let body: &mut [u8; ulid::ULID_LEN] = body.try_into().expect("the rest is a ULID long");
                Ulid(self.0).array_to_str(body).make_ascii_lowercase();
                take(str::from_utf8(&text).expect("a ULID is ASCII"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
        impl FromStr for $name {
            type Err = ParseIdError;
            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let what = stringify!($name);
                let body = text
                    .strip_prefix($prefix)
                    .ok_or(ParseIdError::new(what, text, concat!("it does not begin with ", $prefix)))?;
                Ulid::from_string(body)
                    .map(|id| Self(id.0))
                    .map_err(|_| ParseIdError::new(what, text, "26 characters of Crockford base 32 must follow the prefix"))
            }
        }
        text_serde!($name);
    };
}

id!(/// Names one intent.
    IntentId, "int_");
id!(/// Names one execution.
    ExecutionId, "exe_");
id!(/// Names one reference.
    ReferenceId, "ref_");
id!(/// Names one outbox message; it is also the CloudEvents id that consumers see.
    MessageId, "msg_");

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $check:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Returns the text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
            fn with_text<T>(&self, take: impl FnOnce(&str) -> T) -> T {
                take(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
        impl FromStr for $name {
            type Err = ParseIdError;
            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                $check(text).map(|text| Self((&*text).into())).map_err(|reason| ParseIdError::new(stringify!($name), text, reason))
            }
        }
        text_serde!($name);
    };
}

/// Longest name, in bytes: it stands in keys, paths and URLs.
pub const NAME_MAX: usize = 128;

fn label(text: &str) -> Result<Cow<'_, str>, &'static str> {
    if text.trim().is_empty() {
        return Err("it is blank");
    }
    if text.len() > NAME_MAX {
        return Err("it is longer than 128 bytes");
    }
    if !text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-:@".contains(&b)) {
        return Err("only letters, digits and . _ - : @ may stand in it");
    }
    Ok(Cow::Borrowed(text))
}

/// Longest name of a secret, in bytes.
pub const SECRET_NAME_MAX: usize = 64;

fn secret(text: &str) -> Result<Cow<'_, str>, &'static str> {
    if text.is_empty() {
        return Err("it is empty");
    }
    if text.len() > SECRET_NAME_MAX {
        return Err("it is longer than 64 bytes");
    }
    if !text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)) {
        return Err("only letters, digits and . - _ may stand in it");
    }
    Ok(Cow::Borrowed(text))
}

/// Returns whether a name is in its canonical form, as nearly every one is.
fn is_kebab(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    text.len() <= NAME_MAX
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(plain)
        && !text.ends_with('-')
        && !text.contains("--")
}

/// `createItem`, `create_item` and `create-item` are one name; kebab-case is the canonical one.
fn kebab(text: &str) -> Result<Cow<'_, str>, &'static str> {
    if is_kebab(text) {
        return Ok(Cow::Borrowed(text));
    }
    label(text)?;
    let mut out = String::with_capacity(text.len() + 4);
    let bytes = text.as_bytes();
    for (at, &byte) in bytes.iter().enumerate() {
        match byte {
            b'_' | b'-' => {
                if !out.ends_with('-') {
                    out.push('-');
                }
            }
            b'A'..=b'Z' => {
                let before = at.checked_sub(1).and_then(|i| bytes.get(i)).copied().unwrap_or(b'-');
                let starts_word = before.is_ascii_lowercase() || before.is_ascii_digit();
                let ends_acronym = before.is_ascii_uppercase() && bytes.get(at + 1).is_some_and(u8::is_ascii_lowercase);
                if (starts_word || ends_acronym) && !out.ends_with('-') {
                    out.push('-');
                }
                out.push(byte.to_ascii_lowercase() as char);
            }
            b'a'..=b'z' | b'0'..=b'9' => out.push(byte as char),
            _ => return Err("only letters, digits, - and _ may stand in it"),
        }
    }
    if !out.starts_with(|c: char| c.is_ascii_lowercase()) {
        return Err("it must begin with a letter");
    }
    if out.ends_with('-') {
        return Err("it must not end with - or _");
    }
    Ok(Cow::Owned(out))
}

fn dotted(text: &str) -> Result<Cow<'_, str>, &'static str> {
    if text.len() < NAME_MAX && text.split('.').all(is_kebab) {
        return Ok(Cow::Borrowed(text));
    }
    let parts = text.split('.').map(kebab).collect::<Result<Vec<_>, _>>()?;
    if parts.iter().map(|part| part.len()).sum::<usize>() + parts.len() > NAME_MAX * 3 {
        return Err("it is too long");
    }
    Ok(Cow::Owned(parts.join(".")))
}

name!(/// Names a tenant.
    TenantId, label);
name!(/// Names a session.
    SessionId, label);
name!(/// Names a solution.
    SolutionId, kebab);
name!(/// Names a component, a service or an operation, in kebab-case.
    Name, kebab);
name!(/// Names a sink of the outbox.
    SinkId, kebab);
name!(/// Names a secret of the hub.
    SecretName, secret);
name!(/// Names what an intent asks for: a selector or a type that a component or a solution binds, in kebab-case.
    IntentType, dotted);

/// The name of the tenant, the session and the solution that are meant where none is named: one text for all of them.
fn default_name() -> Arc<str> {
    static DEFAULT: LazyLock<Arc<str>> = LazyLock::new(|| "default".into());
    Arc::clone(&DEFAULT)
}

impl TenantId {
    /// The tenant of a door that knows no credentials.
    pub fn default_tenant() -> Self {
        Self(default_name())
    }
}
impl SessionId {
    /// The session of an intent that names none.
    pub fn default_session() -> Self {
        Self(default_name())
    }
    /// Returns whether it is that session.
    pub fn is_default(&self) -> bool {
        self.as_str() == "default"
    }
}
impl SolutionId {
    /// The solution of an intent that names none.
    pub fn default_solution() -> Self {
        Self(default_name())
    }
}

/// Addresses one operation: `component.service.operation`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Selector {
    /// The component.
    pub component: Name,
    /// The service.
    pub service: Name,
    /// The operation.
    pub operation: Name,
}

impl Selector {
    /// Returns the intent type that every operation has by itself.
    pub fn intent_type(&self) -> IntentType {
        IntentType(self.to_string().into())
    }
    fn with_text<T>(&self, take: impl FnOnce(&str) -> T) -> T {
        take(&[self.component.as_str(), self.service.as_str(), self.operation.as_str()].join("."))
    }
}

impl fmt::Debug for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl FromStr for Selector {
    type Err = ParseIdError;
    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let mut parts = text.split('.');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(component), Some(service), Some(operation), None) => {
                Ok(Self { component: component.parse()?, service: service.parse()?, operation: operation.parse()? })
            }
            _ => Err(ParseIdError::new("Selector", text, "it must have the form component.service.operation")),
        }
    }
}
text_serde!(Selector);

/// The gap-free position of a record in its partition; the first record has 1, and 0 means "before everything".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lsn(pub u64);

impl Lsn {
    /// The position before the first record.
    pub const ZERO: Self = Self(0);
    /// Returns the position `count` records further on.
    #[must_use]
    pub const fn plus(self, count: u64) -> Self {
        Self(self.0 + count)
    }
}
impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The fencing number of a partition's owner; every start of a hub opens a higher one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_spellings_are_one_name() {
        for text in ["createItem", "create-item", "create_item", "CreateItem", "create__item"] {
            assert_eq!(text.parse::<Name>().unwrap().as_str(), "create-item", "{text}");
        }
        assert_eq!("parseHTTPHeader".parse::<Name>().unwrap().as_str(), "parse-http-header");
        assert_eq!("Content.Files.ingestFile".parse::<Selector>().unwrap().to_string(), "content.files.ingest-file");
    }

    #[test]
    fn a_name_that_is_none_is_refused_with_its_reason() {
        for text in ["", " ", "9lives", "a b", "trailing-", "ä", "a.b"] {
            assert!(text.parse::<Name>().is_err(), "{text:?}");
        }
        assert!("a.b".parse::<Selector>().is_err());
        assert!("a.b.c.d".parse::<Selector>().is_err());
    }

    #[test]
    fn an_id_prints_and_parses_with_its_prefix_and_sorts_by_time() {
        let early = ExecutionId::from_parts(1_000, u128::MAX >> 48);
        let late = ExecutionId::from_parts(1_001, 0);
        assert!(early < late && early.to_string() < late.to_string());
        assert_eq!(early.to_string().parse::<ExecutionId>().unwrap(), early);
        assert_eq!(late.time_ms(), 1_001);
        assert!(early.to_string().parse::<IntentId>().is_err());
    }
}
