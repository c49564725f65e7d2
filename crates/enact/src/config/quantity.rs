//! Reads the text of one value: each type says what it takes, and what to write instead.

use std::path::PathBuf;

use enact_catalog::quantity as parse;
use enact_model::id::{SinkId, TenantId};
use serde_json::Value;

/// Why a text is not a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// What is wrong with it, completing "`text` …".
    pub reason: String,
    /// The way out.
    pub hint: Option<String>,
}

impl Unreadable {
    pub(super) fn new(reason: impl Into<String>, hint: &str) -> Self {
        Self { reason: reason.into(), hint: Some(hint.to_owned()) }
    }
}

impl From<parse::QuantityError> for Unreadable {
    fn from(error: parse::QuantityError) -> Self {
        Self::new(error.to_string(), error.hint())
    }
}

/// A type that a value can have.
pub trait Readable: Sized {
    /// Its name in the reference.
    const TYPE: &'static str;
    /// Its unit in the reference.
    const UNIT: &'static str = "";
    /// Whether the text is a path, to be made absolute before it is read.
    const PATH: bool = false;
    /// Whether it is a list, whose text has commas.
    const LIST: bool = false;
    /// Reads a text.
    ///
    /// # Errors
    /// A text that is none.
    fn read(text: &str) -> Result<Self, Unreadable>;
    /// Returns it as JSON, in its unit.
    fn to_value(&self) -> Value;
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum LogFormat {
    Human,
    Json,
}

/// A duration in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Millis(pub u64);
/// A duration in milliseconds, or none for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep(pub Option<u64>);
/// A size in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes(pub u64);
/// A number of things, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count(pub u32);
/// The first and the longest pause between tries, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Backoff {
    pub first_ms: u64,
    pub longest_ms: u64,
}
/// Names of sinks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkNames(pub Vec<SinkId>);
/// Paths; none of them may have a comma.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths(pub Vec<PathBuf>);
/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor(pub String);

impl Readable for PathBuf {
    const TYPE: &'static str = "path";
    const PATH: bool = true;
    fn read(text: &str) -> Result<Self, Unreadable> {
        match text.trim() {
            "" => Err(Unreadable::new("is empty", "write a path")),
            _ if text.contains('\0') => Err(Unreadable::new("has a zero byte in it", "write a path")),
            _ => Ok(Self::from(text)),
        }
    }
    fn to_value(&self) -> Value {
        self.to_string_lossy().into()
    }
}

impl Readable for TenantId {
    const TYPE: &'static str = "name";
    fn read(text: &str) -> Result<Self, Unreadable> {
        text.parse().map_err(|e: enact_model::id::ParseIdError| {
            Unreadable::new(format!("is no tenant: {}", e.reason), "write a name such as acme")
        })
    }
    fn to_value(&self) -> Value {
        self.as_str().into()
    }
}

impl Readable for Actor {
    const TYPE: &'static str = "text";
    fn read(text: &str) -> Result<Self, Unreadable> {
        if text.trim().is_empty() || text.len() > 128 || text.chars().any(char::is_control) {
            return Err(Unreadable::new(
                "is blank, longer than 128 bytes or not printable",
                "write a name such as cli:ada",
            ));
        }
        Ok(Self(text.to_owned()))
    }
    fn to_value(&self) -> Value {
        self.0.clone().into()
    }
}

impl LogLevel {
    const ALL: [(&'static str, Self); 5] = [
        ("error", Self::Error),
        ("warn", Self::Warn),
        ("info", Self::Info),
        ("debug", Self::Debug),
        ("trace", Self::Trace),
    ];
    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, level)| *level == self).map_or("info", |(word, _)| word)
    }
}

impl Readable for LogLevel {
    const TYPE: &'static str = "error, warn, info, debug or trace";
    fn read(text: &str) -> Result<Self, Unreadable> {
        one_of(text, &Self::ALL, "write error, warn, info, debug or trace")
    }
    fn to_value(&self) -> Value {
        self.word().into()
    }
}

impl Readable for LogFormat {
    const TYPE: &'static str = "human or json";
    fn read(text: &str) -> Result<Self, Unreadable> {
        one_of(text, &[("human", Self::Human), ("json", Self::Json)], "write human or json")
    }
    fn to_value(&self) -> Value {
        match self {
            Self::Human => "human".into(),
            Self::Json => "json".into(),
        }
    }
}

fn one_of<T: Copy>(text: &str, words: &[(&str, T)], hint: &str) -> Result<T, Unreadable> {
    let found = words.iter().find(|(word, _)| *word == text);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let meant = enact_catalog::near::did_you_mean(text, words.iter().map(|(word, _)| *word));
        Unreadable::new("is not one of them", &meant.unwrap_or_else(|| hint.to_owned()))
    })
}

impl Readable for Count {
    const TYPE: &'static str = "whole number";
    fn read(text: &str) -> Result<Self, Unreadable> {
        let digits = text.replace('_', "");
        match digits.parse::<u32>() {
            Ok(0) => Err(Unreadable::new("would let nothing through", "write at least 1")),
            Ok(count) => Ok(Self(count)),
            Err(_) => Err(Unreadable::new("is no whole number up to 4294967295", "write a number such as 10000")),
        }
    }
    fn to_value(&self) -> Value {
        self.0.into()
    }
}

impl Readable for Bytes {
    const TYPE: &'static str = "size";
    const UNIT: &'static str = "bytes";
    fn read(text: &str) -> Result<Self, Unreadable> {
        Ok(Self(parse::size_bytes(text)?))
    }
    fn to_value(&self) -> Value {
        self.0.into()
    }
}

impl Readable for Millis {
    const TYPE: &'static str = "duration";
    const UNIT: &'static str = "ms";
    fn read(text: &str) -> Result<Self, Unreadable> {
        Ok(Self(parse::duration_ms(text)?))
    }
    fn to_value(&self) -> Value {
        self.0.into()
    }
}

impl Readable for Keep {
    const TYPE: &'static str = "duration or forever";
    const UNIT: &'static str = "ms";
    fn read(text: &str) -> Result<Self, Unreadable> {
        if text.trim() == "forever" {
            return Ok(Self(None));
        }
        let ms = parse::duration_ms(text)
            .map_err(|error| Unreadable::new(error.to_string(), "write a duration such as 30d, or forever"))?;
        Ok(Self(Some(ms)))
    }
    fn to_value(&self) -> Value {
        self.0.map_or_else(|| "forever".into(), Value::from)
    }
}

impl Readable for Backoff {
    const TYPE: &'static str = "range of durations";
    const UNIT: &'static str = "ms";
    fn read(text: &str) -> Result<Self, Unreadable> {
        let (first_ms, longest_ms) = parse::range_ms(text)?;
        Ok(Self { first_ms, longest_ms })
    }
    fn to_value(&self) -> Value {
        serde_json::json!({ "first": self.first_ms, "longest": self.longest_ms })
    }
}

impl Readable for Paths {
    const TYPE: &'static str = "list of paths";
    const PATH: bool = true;
    const LIST: bool = true;
    fn read(text: &str) -> Result<Self, Unreadable> {
        text.split(',').filter(|path| !path.trim().is_empty()).map(PathBuf::read).collect::<Result<_, _>>().map(Self)
    }
    fn to_value(&self) -> Value {
        self.0.iter().map(PathBuf::to_value).collect()
    }
}

impl Readable for SinkNames {
    const TYPE: &'static str = "list of sinks";
    const LIST: bool = true;
    fn read(text: &str) -> Result<Self, Unreadable> {
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        let read = |name: &str| {
            name.parse().map_err(|e: enact_model::id::ParseIdError| {
                Unreadable::new(format!("names no sink: {name:?}: {}", e.reason), "write names such as [audit]")
            })
        };
        names.map(read).collect::<Result<_, _>>().map(Self)
    }
    fn to_value(&self) -> Value {
        self.0.iter().map(SinkId::as_str).collect()
    }
}
