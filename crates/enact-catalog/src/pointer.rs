//! Pointers and templates: their syntax, and what they find in input, output, artifacts and failure.

use std::borrow::Cow;

use enact_model::descriptor::Pointer;
use enact_model::id::ReferenceId;
use serde_json::Value;

/// Longest pointer, in bytes.
pub const POINTER_MAX_BYTES: usize = 512;

/// Why a text is no pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PointerError {
    /// It does not begin with `/`.
    #[error("a JSON pointer begins with /")]
    NoSlash,
    /// `~` without 0 or 1.
    #[error("in a JSON pointer ~ is written ~0 and / inside a name ~1")]
    BadEscape,
    /// More than [`POINTER_MAX_BYTES`].
    #[error("a JSON pointer has at most 512 bytes")]
    TooLong,
    /// A brace without its counterpart.
    #[error("a pointer in a text is written {{/pointer}}, and every brace needs its counterpart")]
    BadBraces,
}

/// Reads a pointer.
///
/// # Errors
/// A text that does not begin with `/`, a `~` that is not `~0` or `~1`, more than 512 bytes.
pub fn read(text: &str) -> Result<Pointer, PointerError> {
    if !text.starts_with('/') {
        return Err(PointerError::NoSlash);
    }
    if text.len() > POINTER_MAX_BYTES {
        return Err(PointerError::TooLong);
    }
    let mut after = text.split('~').skip(1);
    if after.any(|rest| !rest.starts_with(['0', '1'])) {
        return Err(PointerError::BadEscape);
    }
    Ok(Pointer(text.to_owned()))
}

/// Splits a pointer into its names.
pub fn tokens(pointer: &str) -> impl Iterator<Item = Cow<'_, str>> {
    pointer.split('/').skip(1).map(|token| {
        if token.contains('~') { Cow::Owned(token.replace("~1", "/").replace("~0", "~")) } else { Cow::Borrowed(token) }
    })
}

/// Writes a name so that it can stand in a pointer.
pub fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Which source a pointer looks into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The input.
    Input,
    /// The output.
    Output,
    /// The references of the produced artifacts.
    Artifacts,
    /// The conclusion of a failed outcome.
    Failure,
}

/// Returns the source of a pointer and the rest of it.
pub fn source(pointer: &str) -> (Source, &str) {
    for (name, source) in [
        ("/input", Source::Input),
        ("/output", Source::Output),
        ("/artifacts", Source::Artifacts),
        ("/failure", Source::Failure),
    ] {
        if let Some(rest) = pointer.strip_prefix(name)
            && (rest.is_empty() || rest.starts_with('/'))
        {
            return (source, rest);
        }
    }
    (Source::Input, pointer)
}

/// What pointers look into.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// The input.
    pub input: &'a Value,
    /// The output, of a completed outcome.
    pub output: Option<&'a Value>,
    /// The references of the produced artifacts.
    pub artifacts: &'a [Value],
    /// The conclusion, of a failed outcome.
    pub failure: Option<&'a Value>,
}

impl<'a> Sources<'a> {
    /// Finds what a pointer leads to.
    pub fn find(&self, pointer: &str) -> Option<Cow<'a, Value>> {
        let (source, rest) = source(pointer);
        match source {
            Source::Input => walk(self.input, rest).map(Cow::Borrowed),
            Source::Output => walk(self.output?, rest).map(Cow::Borrowed),
            Source::Failure => walk(self.failure?, rest).map(Cow::Borrowed),
            Source::Artifacts if rest.is_empty() => Some(Cow::Owned(Value::Array(self.artifacts.to_vec()))),
            Source::Artifacts => {
                let (index, rest) = split_first(rest);
                walk(self.artifacts.get(index.parse::<usize>().ok()?)?, rest).map(Cow::Borrowed)
            }
        }
    }

    /// Fills a template; a pointer that leads nowhere gives `null`.
    pub fn fill(&self, template: &Value) -> Value {
        match template {
            Value::String(text) if text.starts_with("//") => {
                Value::String(text.get(1..).unwrap_or_default().to_owned())
            }
            Value::String(text) if text.starts_with('/') => {
                self.find(text).map_or(Value::Null, std::borrow::Cow::into_owned)
            }
            Value::Array(items) => items.iter().map(|item| self.fill(item)).collect(),
            Value::Object(entries) => {
                Value::Object(entries.iter().map(|(key, value)| (key.clone(), self.fill(value))).collect())
            }
            other => other.clone(),
        }
    }
}

fn split_first(pointer: &str) -> (&str, &str) {
    let body = pointer.strip_prefix('/').unwrap_or(pointer);
    body.find('/').map_or((body, ""), |at| body.split_at(at))
}

/// Finds what a plain pointer leads to in one value. `/id` of a bare reference text is the text itself.
pub fn walk<'a>(value: &'a Value, pointer: &str) -> Option<&'a Value> {
    let mut here = value;
    for token in tokens(pointer) {
        here = match here {
            Value::Object(entries) => entries.get(token.as_ref())?,
            Value::Array(items) => items.get(index(&token)?)?,
            Value::String(text) if token == "id" && text.parse::<ReferenceId>().is_ok() => here,
            _ => return None,
        };
    }
    Some(here)
}

fn index(token: &str) -> Option<usize> {
    if token.len() > 1 && token.starts_with('0') { None } else { token.parse().ok() }
}

/// Returns the reference that a value names: `ref_…`, or an object whose `id` is one.
pub fn reference(value: &Value) -> Option<ReferenceId> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Object(entries) => entries.get("id")?.as_str()?.parse().ok(),
        _ => None,
    }
}

/// Checks a template and hands every pointer in it, with its place in the template, to `each`.
pub fn template_pointers(template: &Value, at: &str, each: &mut dyn FnMut(&str, Result<Pointer, PointerError>)) {
    match template {
        Value::String(text) if text.starts_with('/') && !text.starts_with("//") => each(at, read(text)),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                template_pointers(item, &format!("{at}/{index}"), each);
            }
        }
        Value::Object(entries) => {
            for (key, value) in entries {
                template_pointers(value, &format!("{at}/{}", escape(key)), each);
            }
        }
        _ => {}
    }
}

/// One piece of a text in which `{/pointer}` is replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece<'a> {
    /// The text itself.
    Text(&'a str),
    /// What stands at a pointer.
    At(Pointer),
}

/// Splits a text such as `{/name}.json` into its pieces.
///
/// # Errors
/// A brace without its counterpart, and what is no pointer between them.
pub fn pieces(text: &str) -> Result<Vec<Piece<'_>>, PointerError> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, tail) = rest.split_at(at);
        let (inside, after) =
            tail.strip_prefix('{').and_then(|tail| tail.split_once('}')).ok_or(PointerError::BadBraces)?;
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        pieces.push(Piece::At(read(inside)?));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pointer_looks_into_its_source_and_otherwise_into_the_input() {
        let (input, output) = (json!({"document": {"id": "x"}, "a/b": [1, 2]}), json!({"cents": 5}));
        let artifacts = [json!({"id": "ref_a"})];
        let sources = Sources { input: &input, output: Some(&output), artifacts: &artifacts, failure: None };
        let find = |pointer: &str| sources.find(pointer).map(Cow::into_owned);
        assert_eq!(find("/document/id"), Some(json!("x")));
        assert_eq!(find("/input/a~1b/1"), Some(json!(2)));
        assert_eq!(find("/output/cents"), Some(json!(5)));
        assert_eq!(find("/artifacts/0/id"), Some(json!("ref_a")));
        assert_eq!(find("/artifacts"), Some(json!([{"id": "ref_a"}])));
        for nowhere in ["/artifacts/1", "/artifacts/x", "/failure", "/outputs", "/a~1b/01", "/document/id/x"] {
            assert_eq!(find(nowhere), None, "{nowhere}");
        }
    }

    #[test]
    fn a_template_replaces_pointers_keeps_doubled_slashes_and_gives_null_for_nothing() {
        let input = json!({"n": 1});
        let sources = Sources { input: &input, output: None, artifacts: &[], failure: None };
        let filled = sources.fill(&json!({"a": "/n", "b": ["//n", "n", "/gone"], "c": 7}));
        assert_eq!(filled, json!({"a": 1, "b": ["/n", "n", null], "c": 7}));
    }

    #[test]
    fn a_bare_reference_text_has_an_id() {
        let id = ReferenceId::from_parts(1, 1).to_string();
        let value = json!({"document": id});
        assert_eq!(walk(&value, "/document/id"), Some(&json!(id)));
        assert_eq!(walk(&value, "/document/name"), None);
        assert_eq!(reference(&json!({"id": id, "name": "x"})), id.parse().ok());
        assert_eq!(reference(&json!({"id": 5})), None);
    }

    #[test]
    fn what_is_no_pointer_is_refused() {
        assert_eq!(read("name"), Err(PointerError::NoSlash));
        assert_eq!(read("/a~2"), Err(PointerError::BadEscape));
        assert_eq!(read("/a~"), Err(PointerError::BadEscape));
        assert!(read("/a~0~1").is_ok());
        assert_eq!(pieces("{/a}-x{/b}").unwrap().len(), 3);
        for text in ["{/a", "a}", "}{", "{a}"] {
            assert!(pieces(text).is_err(), "{text}");
        }
    }
}
