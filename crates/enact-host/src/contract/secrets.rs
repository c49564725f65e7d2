//! The secrets of one call: given to its handler and to nobody else, and never printed.

use std::collections::BTreeMap;
use std::fmt;

/// What a handler is given of secrets, by the variable or key under which it looks for each. It prints as names alone.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(BTreeMap<String, String>);

impl Secrets {
    /// Takes what was resolved.
    pub fn new(given: BTreeMap<String, String>) -> Self {
        Self(given)
    }
    /// Returns whether there are none, as for most calls.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// Shows them, to be handed to the handler.
    pub(crate) fn reveal(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_printed_by_their_names_alone() {
        let secrets = Secrets::new([("KEY".to_owned(), "hunter2".to_owned())].into());
        assert_eq!(format!("{secrets:?}"), r#"{"KEY"}"#);
    }
}
