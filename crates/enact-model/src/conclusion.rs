//! What an observation means; the only thing logic may branch on.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::observation::{Evidence, FaultKind};
use crate::taxonomy::{Category, Cause, Disposition, Interpretation, Responsibility, Symptom};

/// What an observation, a refusal or a decision of the engine means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conclusion {
    /// The six numbers in two digits each.
    pub code: DetailCode,
    /// The kind of fault it was drawn from, if a host saw one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<FaultKind>,
    /// One sentence for people.
    pub message: String,
    /// The way out, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Whether the handler may have run although no answer came.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_have_run: bool,
    /// What supports it.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub evidence: Box<Evidence>,
}

fn is_empty(evidence: &Evidence) -> bool {
    *evidence == Evidence::default()
}

impl Conclusion {
    /// Makes a conclusion without evidence.
    pub fn new(code: DetailCode, message: impl Into<String>) -> Self {
        Self { code, kind: None, message: message.into(), hint: None, may_have_run: false, evidence: Box::default() }
    }
    /// Adds the way out.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
    /// Returns what to do about it.
    pub fn disposition(&self) -> Disposition {
        self.code.disposition
    }
}

impl fmt::Display for Conclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.message, self.code)
    }
}

/// Category, symptom, cause, interpretation, disposition, responsibility: two digits each, in that order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub struct DetailCode {
    pub category: Category,
    pub symptom: Symptom,
    pub cause: Cause,
    pub interpretation: Interpretation,
    pub disposition: Disposition,
    pub responsibility: Responsibility,
}

impl fmt::Display for DetailCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:02}{:02}{:02}{:02}{:02}{:02}",
            self.category.number(),
            self.symptom.number(),
            self.cause.number(),
            self.interpretation.number(),
            self.disposition.number(),
            self.responsibility.number()
        )
    }
}

/// A text that is no detail code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("failed to read a detail code from {0:?}: it must be 12 digits of the numbered taxonomy")]
pub struct ParseDetailCodeError(String);

impl FromStr for DetailCode {
    type Err = ParseDetailCodeError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let slot = |at: usize| text.get(at * 2..at * 2 + 2).and_then(|digits| digits.parse::<u8>().ok());
        let read = || {
            (text.len() == 12).then_some(())?;
            Some(Self {
                category: Category::from_number(slot(0)?)?,
                symptom: Symptom::from_number(slot(1)?)?,
                cause: Cause::from_number(slot(2)?)?,
                interpretation: Interpretation::from_number(slot(3)?)?,
                disposition: Disposition::from_number(slot(4)?)?,
                responsibility: Responsibility::from_number(slot(5)?)?,
            })
        };
        read().ok_or_else(|| ParseDetailCodeError(text.to_owned()))
    }
}
impl Serialize for DetailCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for DetailCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
