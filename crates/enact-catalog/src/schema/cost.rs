//! Schemas that would never end, or not in time: how often one value is judged by way of `$ref`, `allOf` and the like.

use std::collections::BTreeMap;

use serde_json::Value;

use super::bundle::is_name_map;
use crate::pointer::escape;

/// Most subschemas that may judge one and the same value: more is a schema that doubles at every step.
pub const COST_MAX: u64 = 10_000;

/// Why a schema would not end in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CostError {
    /// It applies itself to the same value, for ever.
    #[error("the schema refers to itself without going into the value, so it never ends")]
    Endless,
    /// It applies more subschemas to one value than [`COST_MAX`].
    #[error("the schema applies more than 10000 subschemas to one value")]
    TooMany,
}

/// Judges every subschema; the first that would not end in time is returned with its pointer.
pub fn check(schema: &Value) -> Result<(), (String, CostError)> {
    let mut judge = Judge { root: schema, anchors: BTreeMap::new(), known: BTreeMap::new() };
    let mut places = Vec::new();
    judge.collect(schema, String::new(), &mut places);
    for place in places {
        judge.cost(&place).map_err(|error| (place, error))?;
    }
    Ok(())
}

struct Judge<'a> {
    root: &'a Value,
    /// Every `$anchor` and `$dynamicAnchor` with the places that carry it.
    anchors: BTreeMap<&'a str, Vec<String>>,
    /// What each place costs; `None` while it is being counted.
    known: BTreeMap<String, Option<u64>>,
}

impl<'a> Judge<'a> {
    /// Lists the places from which something is applied in place, and the anchors.
    fn collect(&mut self, value: &'a Value, at: String, places: &mut Vec<String>) {
        match value {
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.collect(item, format!("{at}/{index}"), places);
                }
            }
            Value::Object(entries) => {
                for key in ["$anchor", "$dynamicAnchor"] {
                    if let Some(Value::String(name)) = entries.get(key) {
                        self.anchors.entry(name).or_default().push(at.clone());
                    }
                }
                for (key, value) in entries {
                    let here = format!("{at}/{}", escape(key));
                    match value {
                        _ if matches!(key.as_str(), "enum" | "const" | "default" | "examples") => {}
                        Value::Object(named) if is_name_map(key) => {
                            for (name, value) in named {
                                self.collect(value, format!("{here}/{}", escape(name)), places);
                            }
                        }
                        _ => self.collect(value, here, places),
                    }
                }
                places.push(at);
            }
            _ => {}
        }
    }

    /// Counts the subschemas that judge a value when the one at `at` does.
    fn cost(&mut self, at: &str) -> Result<u64, CostError> {
        match self.known.get(at) {
            Some(Some(cost)) => return Ok(*cost),
            Some(None) => return Err(CostError::Endless),
            None => {}
        }
        let Some(Value::Object(entries)) = self.root.pointer(at) else { return Ok(1) };
        self.known.insert(at.to_owned(), None);
        let mut cost: u64 = 1;
        for (key, value) in entries {
            for inner in self.in_place(at, key, value) {
                cost = cost.saturating_add(self.cost(&inner)?);
            }
        }
        if cost > COST_MAX {
            return Err(CostError::TooMany);
        }
        self.known.insert(at.to_owned(), Some(cost));
        Ok(cost)
    }

    /// Lists what a keyword applies to the same value.
    fn in_place(&self, at: &str, key: &str, value: &Value) -> Vec<String> {
        let here = format!("{at}/{}", escape(key));
        match (key, value) {
            ("allOf" | "anyOf" | "oneOf", Value::Array(items)) => {
                (0..items.len()).map(|index| format!("{here}/{index}")).collect()
            }
            ("not" | "if" | "then" | "else", _) => vec![here],
            ("dependentSchemas" | "dependencies", Value::Object(named)) => {
                named.keys().map(|name| format!("{here}/{}", escape(name))).collect()
            }
            ("$ref" | "$dynamicRef" | "$recursiveRef", Value::String(target)) => {
                let target = decoded(target.strip_prefix('#').unwrap_or(target));
                if target.is_empty() || target.starts_with('/') {
                    vec![target]
                } else {
                    self.anchors.get(target.as_str()).cloned().unwrap_or_default()
                }
            }
            _ => Vec::new(),
        }
    }
}

/// Takes the percent escapes out of a fragment.
pub fn decoded(fragment: &str) -> String {
    if !fragment.contains('%') {
        return fragment.to_owned();
    }
    let mut bytes = Vec::with_capacity(fragment.len());
    let mut rest = fragment.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escaped = (first == b'%')
            .then(|| tail.get(..2))
            .flatten()
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match escaped {
            Some(byte) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_schema_that_goes_round_without_going_into_the_value_is_refused() {
        for schema in [
            json!({"$ref": "#"}),
            json!({"allOf": [{"$ref": "#"}]}),
            json!({"properties": {"a": {"not": {"$ref": "#/properties/a"}}}}),
            json!({"$defs": {"a": {"$ref": "#/$defs/b%20c"}, "b c": {"$ref": "#/$defs/a"}}}),
            json!({"$anchor": "me", "if": {"$ref": "#me"}}),
            json!({"$dynamicAnchor": "me", "anyOf": [{"$dynamicRef": "#me"}, true]}),
        ] {
            assert_eq!(check(&schema).unwrap_err().1, CostError::Endless, "{schema}");
        }
        let tree = json!({"$defs": {"t": {"properties": {"l": {"$ref": "#/$defs/t"}}}}, "$ref": "#/$defs/t"});
        assert_eq!(check(&tree), Ok(()), "going into the value ends with the value");
    }

    #[test]
    fn a_schema_that_doubles_at_every_step_is_refused() {
        let step = |n: usize| json!({"anyOf": [{"$ref": format!("#/$defs/a{}", n + 1)}, {"$ref": format!("#/$defs/a{}", n + 1)}]});
        let with = |steps: usize| {
            let defs: serde_json::Map<String, Value> = (0..steps).map(|n| (format!("a{n}"), step(n))).collect();
            check(&json!({"$defs": defs, "$ref": "#/$defs/a0"}))
        };
        assert_eq!(with(8), Ok(()));
        assert_eq!(with(40).unwrap_err().1, CostError::TooMany);
    }
}
