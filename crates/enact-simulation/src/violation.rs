//! What the hub did and should not have done.

use std::fmt;

/// A rule that did not hold, with what was seen instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The rule, as one sentence of fact.
    pub rule: &'static str,
    /// What was seen.
    pub seen: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, but {}", self.rule, self.seen)
    }
}

impl std::error::Error for Violation {}

/// What a check comes to.
pub type Verdict<T = ()> = Result<T, Violation>;

/// Holds a rule: `seen` is asked only when it is broken.
///
/// # Errors
/// When it is.
pub fn hold(holds: bool, rule: &'static str, seen: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(Violation { rule, seen: seen() }) }
}

/// Makes the violation of a rule.
pub fn broken(rule: &'static str, seen: impl Into<String>) -> Violation {
    Violation { rule, seen: seen.into() }
}
