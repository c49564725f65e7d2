//! What a reconciler says about an attempt in doubt.

use serde_json::Value;

/// What became of an attempt, as a reconciler tells it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Finding<'a> {
    /// It completed with this output.
    Completed(&'a Value),
    /// It did not run.
    NotRun,
    /// It cannot be told.
    Unknown,
}

/// Reads the answer of a reconciler; one that says nothing it may say says that it cannot be told.
pub fn finding(answer: &Value) -> Finding<'_> {
    match (answer.get("status").and_then(Value::as_str), answer.get("output")) {
        (Some("completed"), Some(output)) => Finding::Completed(output),
        (Some("not_run"), _) => Finding::NotRun,
        _ => Finding::Unknown,
    }
}
