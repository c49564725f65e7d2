//! What a schema says about a value, in our words: the value is named but never echoed beyond 100 characters.

use enact_model::intent::InputFault;
use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use serde_json::Value;

use crate::near::did_you_mean;
use crate::yaml::cut;

/// Most characters of a value in a message.
const ECHO_MAX: usize = 100;
/// Most characters of a message.
const MESSAGE_MAX: usize = 400;

/// Turns one error into a fault at its JSON pointer, or at `whole`.
pub fn fault(error: &ValidationError<'_>, whole: &str) -> InputFault {
    let pointer = error.instance_path().to_string();
    let at = if pointer.is_empty() { whole.to_owned() } else { cut(&pointer, 200) };
    let fault = InputFault::new(at, text(error));
    match hint(error) {
        Some(hint) => fault.hint(hint),
        None => fault,
    }
}

/// Says what is wrong.
pub fn text(error: &ValidationError<'_>) -> String {
    let value = excerpt(error.instance());
    let text = match error.kind() {
        Kind::Type { kind } => format!("{value} is not {}", types(kind)),
        Kind::Required { property } => format!("the property {} is missing", excerpt(property)),
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            let names: Vec<String> = unexpected.iter().take(5).map(|name| format!("{:?}", cut(name, 18))).collect();
            let more = if unexpected.len() > 5 { " and more" } else { "" };
            format!("the schema allows no property {}{more}", names.join(", "))
        }
        Kind::UnevaluatedItems { .. } => format!("{value} has items that the schema does not allow"),
        Kind::PropertyNames { error } => format!("a property name is refused: {}", text(error)),
        Kind::Enum { options } => format!("{value} is not one of {}", cut(&options.to_string(), 150)),
        Kind::Constant { expected_value } => format!("{value} is not {}", cut(&expected_value.to_string(), 150)),
        Kind::Format { format } => format!("{value} is not of the format {format}"),
        Kind::Pattern { pattern } => format!("{value} does not match the pattern {}", cut(pattern, 150)),
        Kind::FalseSchema => format!("the schema allows nothing here, and {value} stands here"),
        Kind::Referencing(error) => format!("a $ref leads nowhere: {error}"),
        _ => error.masked_with(value).to_string(),
    };
    cut(&text, MESSAGE_MAX)
}

fn hint(error: &ValidationError<'_>) -> Option<String> {
    match error.kind() {
        Kind::AdditionalProperties { .. } => Some("leave it out, or let the schema allow it".to_owned()),
        Kind::Enum { options } => {
            let given = error.instance().as_str()?;
            did_you_mean(given, options.as_array()?.iter().filter_map(Value::as_str))
        }
        Kind::Required { property } => {
            let wanted = property.as_str()?;
            let present = error.instance();
            let names = present.as_object()?.keys().take(200).map(String::as_str);
            let near = crate::near::near(wanted, names);
            near.first().map(|name| format!("is {:?} meant to be it?", cut(name, 60)))
        }
        _ => None,
    }
}

fn types(kind: &TypeKind) -> String {
    let one = |name: &str| match name {
        "null" => "null".to_owned(),
        "array" | "integer" | "object" => format!("an {name}"),
        _ => format!("a {name}"),
    };
    match kind {
        TypeKind::Single(single) => one(single.as_str()),
        TypeKind::Multiple(set) => set.iter().map(|kind| one(kind.as_str())).collect::<Vec<_>>().join(" or "),
    }
}

/// Prints a value, cut; what is large is not printed whole first.
pub fn excerpt(value: &Value) -> String {
    match value {
        Value::String(text) => {
            let short: String = text.chars().take(ECHO_MAX).collect();
            if short.len() < text.len() { format!("{}…", cut_quoted(&short)) } else { cut_quoted(&short) }
        }
        Value::Array(items) if items.len() > 10 => format!("an array of {} items", items.len()),
        Value::Object(entries) if entries.len() > 5 => format!("an object of {} properties", entries.len()),
        Value::Array(items) if items.iter().any(is_nested) => format!("an array of {} items", items.len()),
        Value::Object(entries) if entries.values().any(is_nested) => {
            format!("an object of {} properties", entries.len())
        }
        Value::Array(_) | Value::Object(_) => cut(&value.to_string(), ECHO_MAX - 1),
        other => other.to_string(),
    }
}

fn cut_quoted(text: &str) -> String {
    cut(&Value::from(text).to_string(), ECHO_MAX - 1)
}

/// Whether printing it could cost more than the message is worth.
fn is_nested(value: &Value) -> bool {
    match value {
        Value::Array(_) | Value::Object(_) => true,
        Value::String(text) => text.len() > ECHO_MAX,
        _ => false,
    }
}
