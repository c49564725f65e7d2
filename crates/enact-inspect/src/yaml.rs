//! JSON values as YAML that people like to edit.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// Widest line of a value in one line, in characters.
const WIDTH: usize = 110;
/// Words that YAML, or an older one, does not take as text.
const WORDS: [&str; 12] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf", "~"];

/// Keys that a reader looks for first, in this order; the others follow by their names.
const FIRST: [&str; 10] =
    ["name", "type", "class", "run", "method", "params", "required", "properties", "items", "minimum"];

fn in_order(members: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut all: Vec<(&String, &Value)> = members.iter().collect();
    all.sort_by_key(|(key, _)| FIRST.iter().position(|first| first == key).unwrap_or(FIRST.len()));
    all
}

/// Writes a text as a scalar: as it is, or in quotes where it would mean something else.
pub fn scalar(text: &str) -> String {
    let plain = text.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_')
        && text.chars().all(|it| it.is_ascii_alphanumeric() || "_-./".contains(it))
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    if plain {
        return text.to_owned();
    }
    let mut out = String::from("\"");
    for it in text.chars() {
        match it {
            '"' | '\\' => out.extend(['\\', it]),
            ' '..='~' => out.push(it),
            _ if it.is_alphanumeric() => out.push(it),
            _ => drop(write!(out, "\\U{:08x}", u32::from(it))),
        }
    }
    out.push('"');
    out
}

/// Writes a text as a comment: in one line, whatever is in it.
pub fn comment(text: &str) -> String {
    text.chars().map(|it| if it.is_control() || it == '\u{2028}' || it == '\u{2029}' { ' ' } else { it }).collect()
}

/// Writes a value in one line.
pub fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(members) if members.is_empty() => "{}".to_owned(),
        Value::Object(members) => {
            let members = in_order(members).into_iter().map(|(key, value)| format!("{}: {}", scalar(key), flow(value)));
            format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// Writes a member of a mapping, in one line if it fits.
pub fn member(key: &str, value: &Value, indent: usize, out: &mut String) {
    let (key, space) = (scalar(key), " ".repeat(indent));
    let line = format!("{space}{key}: {}", flow(value));
    match value {
        Value::Object(members) if line.chars().count() > WIDTH && !members.is_empty() => {
            let _ = writeln!(out, "{space}{key}:");
            for (key, value) in in_order(members) {
                member(key, value, indent + 2, out);
            }
        }
        _ => drop(writeln!(out, "{line}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_would_mean_something_else_is_quoted() {
        for (text, written) in [
            ("plain-word", "plain-word"),
            ("no", "\"no\""),
            ("null", "\"null\""),
            ("True", "\"True\""),
            ("~", "\"~\""),
            ("1", "\"1\""),
            ("", "\"\""),
            ("List[com.acme.Item]", "\"List[com.acme.Item]\""),
            ("a\"b\\", "\"a\\\"b\\\\\""),
            ("a\n", "\"a\\U0000000a\""),
        ] {
            assert_eq!(scalar(text), written);
        }
        assert_eq!(comment("a\nb: c"), "a b: c");
    }

    #[test]
    fn a_long_value_is_written_in_lines() {
        let mut out = String::new();
        member("input", &json!({ "type": "object" }), 2, &mut out);
        let long: Value = (0..30).map(|number| (format!("k{number}"), json!([1, "a"]))).collect();
        member("long", &json!({ "p": long }), 0, &mut out);
        assert!(out.starts_with("  input: { type: object }\nlong:\n  p:\n    k0: [1, a]\n"), "{out}");
    }
}
