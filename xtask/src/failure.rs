//! Why a task did not reach its end, and what one can do about it.

use std::fmt;

/// Why a task did not reach its end; the text completes "failed to …".
#[derive(Debug)]
pub struct Failure {
    message: String,
    hint: Option<String>,
}

/// The result of every task and of every part of one.
pub type Outcome<T> = Result<T, Failure>;

impl Failure {
    /// Makes a failure; the text completes "failed to …".
    pub fn to(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }
    /// Adds the way out.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed to {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

/// Gives an I/O error its place.
pub trait Place<T> {
    /// Names what was being done; the text completes "failed to …".
    ///
    /// # Errors
    /// The error, with its place.
    fn doing(self, what: impl FnOnce() -> String) -> Outcome<T>;
}

impl<T, E: fmt::Display> Place<T> for Result<T, E> {
    fn doing(self, what: impl FnOnce() -> String) -> Outcome<T> {
        self.map_err(|error| Failure::to(format!("{}: {error}", what())))
    }
}
