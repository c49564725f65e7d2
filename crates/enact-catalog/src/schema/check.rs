//! Checks of a schema when a descriptor is read: every fault with its place, not only the first.

use serde_json::Value;

use super::bundle::{Bundled, is_name_map};
use super::{compile, cost, message, options};
use crate::fault::Faults;
use crate::near::did_you_mean;
use crate::pointer::{escape, tokens};
use crate::yaml::{Mark, cut};

/// The formats that are asserted.
const FORMATS: [&str; 17] = [
    "date",
    "date-time",
    "duration",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "iri",
    "iri-reference",
    "json-pointer",
    "regex",
    "relative-json-pointer",
    "time",
    "uri",
    "uri-reference",
    "uri-template",
    "uuid",
];

/// Checks a bundled schema as a whole.
pub fn check(bundled: &Bundled, faults: &mut Faults) {
    let before = faults.count();
    let schema = &bundled.schema;
    match jsonschema::meta::validator_for(schema) {
        Ok(meta) => {
            for error in meta.iter_errors(schema).take(super::FAULTS_MAX) {
                let (file, mark) = bundled.locate(&error.instance_path().to_string());
                faults.push(file, mark, format!("this is no valid JSON Schema: {}", message::text(&error)), None);
            }
        }
        Err(error) => {
            let (file, mark) = bundled.locate("/$schema");
            let hint = Some("leave `$schema` out for 2020-12".to_owned());
            faults.push(file, mark, format!("the draft of the schema is unknown: {}", message::text(&error)), hint);
        }
    }
    walk(schema, "", bundled, faults);
    if faults.count() == before
        && let Err(error) = compile(schema)
    {
        let (file, mark) = bundled.locate(&error.at);
        faults.push(file, mark, format!("the schema does not compile: {}", error.message), None);
    }
}

fn walk(value: &Value, at: &str, bundled: &Bundled, faults: &mut Faults) {
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(item, &format!("{at}/{index}"), bundled, faults);
            }
        }
        Value::Object(entries) => {
            for (key, value) in entries {
                let here = format!("{at}/{}", escape(key));
                match (key.as_str(), value) {
                    ("enum" | "const" | "default" | "examples", _) => {}
                    ("pattern", Value::String(text)) => pattern(text, &here, bundled, faults),
                    ("format", Value::String(name)) => format(name, &here, bundled, faults),
                    ("$ref", Value::String(target)) => local(target, &here, bundled, faults),
                    (name, Value::Object(named)) if is_name_map(name) => {
                        for (property, value) in named {
                            let inner = format!("{here}/{}", escape(property));
                            if name == "patternProperties" {
                                pattern(property, &inner, bundled, faults);
                            }
                            walk(value, &inner, bundled, faults);
                        }
                    }
                    _ => walk(value, &here, bundled, faults),
                }
            }
        }
        _ => {}
    }
}

fn pattern(text: &str, at: &str, bundled: &Bundled, faults: &mut Faults) {
    if options().build(&serde_json::json!({ "pattern": text })).is_err() {
        let (file, mark) = bundled.locate(at);
        let message = format!("the pattern `{}` cannot run in linear time or is no pattern", cut(text, 60));
        faults.push(file, mark, message, Some("leave out look-around and back-references".to_owned()));
    }
}

fn format(name: &str, at: &str, bundled: &Bundled, faults: &mut Faults) {
    if !options().is_known_format(jsonschema::Draft::Draft202012, name) {
        let (file, mark) = bundled.locate(at);
        let hint = did_you_mean(name, FORMATS).unwrap_or_else(|| format!("the formats are {}", FORMATS.join(", ")));
        faults.push(
            file,
            mark,
            format!("the format `{}` is unknown, so it cannot be asserted", cut(name, 60)),
            Some(hint),
        );
    }
}

/// Reports a `$ref` inside the bundle that leads nowhere.
fn local(target: &str, at: &str, bundled: &Bundled, faults: &mut Faults) {
    let Some(pointer) = target.strip_prefix('#').filter(|rest| rest.starts_with('/')) else { return };
    if bundled.schema.pointer(&cost::decoded(pointer)).is_some() {
        return;
    }
    let (file, mark) = bundled.locate(at);
    faults.push(file, mark, format!("the $ref `{}` leads nowhere", cut(target, 60)), None);
}

/// Returns the names that a schema declares where a pointer goes astray: `None` if it does not, or if nobody can tell.
///
/// Only plain objects with `properties` are judged; a schema with `$ref`, `allOf`, `patternProperties` and the like may
/// declare more than can be seen here.
pub fn stray(schema: &Value, pointer: &str) -> Option<(String, Vec<String>)> {
    let mut here = schema;
    for token in tokens(pointer) {
        let entries = here.as_object()?;
        let unclear =
            ["$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "if", "patternProperties", "additionalProperties"];
        if entries.iter().any(|(key, value)| unclear.contains(&key.as_str()) && *value != Value::Bool(false)) {
            return None;
        }
        let properties = entries.get("properties")?.as_object()?;
        match properties.get(token.as_ref()) {
            Some(next) => here = next,
            None => return Some((token.into_owned(), properties.keys().cloned().collect())),
        }
    }
    None
}

/// Reports a pointer that a schema cannot follow.
pub fn check_pointer(schema: Option<&Value>, pointer: &str, whole: &str, what: &str, mark: Mark, faults: &mut Faults) {
    let Some((name, known)) = schema.and_then(|schema| stray(schema, pointer)) else { return };
    let hint = did_you_mean(&name, known.iter().map(String::as_str))
        .unwrap_or_else(|| format!("declare it in the {what} schema, which knows {}", known.join(", ")));
    faults.hint(
        mark,
        format!("`{}` leads nowhere: the {what} schema has no property `{}`", cut(whole, 60), cut(&name, 60)),
        hint,
    );
}
