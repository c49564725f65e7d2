//! Faults of a descriptor: where, what, and the way out; all of them at once.

use enact_model::intent::InputFault;
use serde::Serialize;

use crate::yaml::Mark;

/// Most faults reported of one descriptor; more would help nobody.
pub const FAULTS_MAX: usize = 200;

/// One fault of a descriptor.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, thiserror::Error)]
#[error("{file}:{line}:{column}: {message}")]
pub struct DescriptorFault {
    /// The file, as the caller named it.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// What is wrong, with the value.
    pub message: String,
    /// The way out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl From<DescriptorFault> for InputFault {
    fn from(fault: DescriptorFault) -> Self {
        let at = format!("{}:{}:{}", fault.file, fault.line, fault.column);
        Self { at, message: fault.message, hint: fault.hint }
    }
}

/// The faults found so far in one descriptor and the files that it names.
#[derive(Debug)]
pub struct Faults {
    file: String,
    found: Vec<DescriptorFault>,
}

impl Faults {
    /// Begins with none.
    pub fn new(file: impl Into<String>) -> Self {
        Self { file: file.into(), found: Vec::new() }
    }
    /// Adds one.
    pub fn add(&mut self, mark: Mark, message: impl Into<String>) {
        self.push(None, mark, message.into(), None);
    }
    /// Adds one with the way out.
    pub fn hint(&mut self, mark: Mark, message: impl Into<String>, hint: impl Into<String>) {
        self.push(None, mark, message.into(), Some(hint.into()));
    }
    /// Adds one that may lie in another file and may have a way out.
    pub fn push(&mut self, file: Option<&str>, mark: Mark, message: String, hint: Option<String>) {
        if self.found.len() < FAULTS_MAX {
            let file = file.unwrap_or(&self.file).to_owned();
            self.found.push(DescriptorFault { file, line: mark.line, column: mark.column, message, hint });
        }
    }
    /// Returns how many there are.
    pub fn count(&self) -> usize {
        self.found.len()
    }
    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }
    /// Returns them in the order of the file, each once.
    pub fn into_sorted(mut self) -> Vec<DescriptorFault> {
        self.found.sort();
        self.found.dedup();
        self.found
    }
}
