//! A JSON answer of the command line, read by pointers.

use serde_json::Value;

/// A JSON answer.
#[derive(Debug, Clone)]
pub struct Answer(Value);

impl Answer {
    /// Reads an answer.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok().map(Self)
    }
    /// Returns the execution in it, wherever it stands: the object with an output and the row of the tables.
    pub fn view(&self) -> Option<Self> {
        fn find(value: &Value) -> Option<&Value> {
            if value.pointer("/execution/id").is_some() && value.pointer("/execution/phase").is_some() {
                return Some(value);
            }
            match value {
                Value::Object(parts) => parts.values().find_map(find),
                _ => None,
            }
        }
        find(&self.0).cloned().map(Self)
    }
    /// Returns the id of the execution in it, or nothing.
    pub fn execution_id(&self) -> String {
        self.view().map(|view| view.text("/execution/id")).unwrap_or_default()
    }
    /// Returns the part at a pointer.
    pub fn at(&self, pointer: &str) -> Option<Self> {
        self.0.pointer(pointer).cloned().map(Self)
    }
    /// Returns the text at a pointer, or nothing.
    pub fn text(&self, pointer: &str) -> String {
        self.0.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    }
    /// Returns the number at a pointer.
    pub fn number(&self, pointer: &str) -> Option<u64> {
        self.0.pointer(pointer).and_then(Value::as_u64)
    }
    /// Returns whether there is `true` at a pointer.
    pub fn is_true(&self, pointer: &str) -> bool {
        self.0.pointer(pointer).and_then(Value::as_bool).unwrap_or(false)
    }
    /// Returns the list at a pointer.
    pub fn list(&self, pointer: &str) -> Vec<Self> {
        self.0
            .pointer(pointer)
            .and_then(Value::as_array)
            .map(|all| all.iter().cloned().map(Self).collect())
            .unwrap_or_default()
    }
    /// Returns the word for how an execution ended, or for where it stands; `self` is an execution of the tables.
    pub fn outcome_word(&self) -> String {
        let outcome = match self.0.pointer("/outcome") {
            Some(Value::Object(outcome)) => outcome.keys().next().cloned(),
            Some(Value::String(word)) => Some(word.clone()),
            _ => None,
        };
        outcome.unwrap_or_else(|| self.text("/phase"))
    }
    /// Returns the answer as text.
    pub fn compact(&self) -> String {
        self.0.to_string()
    }
}
