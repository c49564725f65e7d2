//! Typed reading of a mapping: unknown keys, wrong types and missing keys become faults, reading goes on.

use std::ops::RangeInclusive;

use crate::fault::Faults;
use crate::near::did_you_mean;
use crate::quantity;
use crate::yaml::{Entry, Kind, Mark, Node, cut};

/// A mapping that is being read.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a> {
    node: &'a Node,
    entries: &'a [Entry],
}

impl<'a> Fields<'a> {
    /// Takes a node as a mapping with these keys; every other key is a fault.
    pub fn of(node: &'a Node, what: &str, keys: &[&str], faults: &mut Faults) -> Option<Self> {
        let fields = Self::any(node, what, faults)?;
        for entry in fields.entries {
            if !keys.contains(&entry.key.as_str()) {
                unknown_key(entry, what, keys, faults);
            }
        }
        Some(fields)
    }

    /// Takes a node as a mapping with whatever keys.
    pub fn any(node: &'a Node, what: &str, faults: &mut Faults) -> Option<Self> {
        match &node.kind {
            Kind::Map(entries) => Some(Self { node, entries }),
            _ => {
                wrong_type(node, what, "a mapping", faults);
                None
            }
        }
    }

    /// Returns where the mapping begins.
    pub fn mark(&self) -> Mark {
        self.node.mark
    }
    /// Returns its entries; of a key that stands twice only the first.
    pub fn entries(&self) -> impl Iterator<Item = &'a Entry> + use<'a> {
        let entries = self.entries;
        entries.iter().enumerate().filter_map(move |(at, entry)| {
            let earlier = entries.get(..at).unwrap_or_default();
            (entries.len() > 1_000 || !earlier.iter().any(|other| other.key == entry.key)).then_some(entry)
        })
    }
    /// Returns the entry of a key.
    pub fn entry(&self, key: &str) -> Option<&'a Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }
    /// Returns the value of a key.
    pub fn get(&self, key: &str) -> Option<&'a Node> {
        self.entry(key).map(|entry| &entry.value)
    }
    /// Reads a text.
    pub fn text(&self, key: &str, faults: &mut Faults) -> Option<&'a str> {
        text(self.get(key)?, key, faults)
    }
    /// Reads `true` or `false`.
    pub fn flag(&self, key: &str, faults: &mut Faults) -> Option<bool> {
        let node = self.get(key)?;
        match node.kind {
            Kind::Bool(flag) => Some(flag),
            _ => {
                wrong_type(node, key, "true or false", faults);
                None
            }
        }
    }
    /// Reads a whole number within a range.
    pub fn whole(&self, key: &str, range: RangeInclusive<u64>, faults: &mut Faults) -> Option<u64> {
        let node = self.get(key)?;
        match &node.kind {
            Kind::Number(number, _) => match number.as_u64() {
                Some(number) if range.contains(&number) => return Some(number),
                _ => {
                    let (least, most) = (range.start(), range.end());
                    let message = format!("`{key}` is {}, which is not between {least} and {most}", node.excerpt());
                    faults.hint(node.mark, message, format!("write a whole number from {least} to {most}"));
                }
            },
            _ => wrong_type(node, key, "a whole number", faults),
        }
        None
    }
    /// Reads a duration in milliseconds.
    pub fn duration_ms(&self, key: &str, faults: &mut Faults) -> Option<u64> {
        self.quantity(key, quantity::duration_ms, faults)
    }
    /// Reads a size in bytes.
    pub fn size_bytes(&self, key: &str, range: RangeInclusive<u64>, faults: &mut Faults) -> Option<u64> {
        let bytes = self.quantity(key, quantity::size_bytes, faults)?;
        if range.contains(&bytes) {
            return Some(bytes);
        }
        let node = self.get(key)?;
        let message =
            format!("`{key}` is {}, which is not between {} and {} bytes", node.excerpt(), range.start(), range.end());
        faults.hint(node.mark, message, "write a size such as 256MiB");
        None
    }
    /// Reads a quantity by a function of [`quantity`].
    pub fn quantity<T>(
        &self,
        key: &str,
        read: impl Fn(&str) -> Result<T, quantity::QuantityError>,
        faults: &mut Faults,
    ) -> Option<T> {
        let node = self.get(key)?;
        let Some(text) = node.scalar() else {
            wrong_type(node, key, "a quantity", faults);
            return None;
        };
        read(text)
            .map_err(|error| faults.hint(node.mark, format!("`{key}`: {} {error}", node.excerpt()), error.hint()))
            .ok()
    }
    /// Reads a list.
    pub fn list(&self, key: &str, faults: &mut Faults) -> Option<&'a [Node]> {
        list(self.get(key)?, key, faults)
    }
    /// Reads a list of scalars as they were written.
    pub fn words(&self, key: &str, faults: &mut Faults) -> Option<Vec<(String, Mark)>> {
        let items = self.list(key, faults)?;
        let mut words = Vec::with_capacity(items.len());
        for item in items {
            match item.scalar() {
                Some(word) => words.push((word.to_owned(), item.mark)),
                None => wrong_type(item, key, "a list of words", faults),
            }
        }
        Some(words)
    }
    /// Reads a word out of a closed list.
    pub fn choice<T: Copy>(&self, key: &str, choices: &[(&str, T)], faults: &mut Faults) -> Option<T> {
        let node = self.get(key)?;
        choice(node, key, choices, faults)
    }
    /// Reports a key that must be there.
    pub fn missing(&self, key: &str, what: &str, hint: &str, faults: &mut Faults) {
        faults.hint(self.mark(), format!("`{key}` of {what} is missing"), hint);
    }
}

/// Reads a node as a text that is not blank.
pub fn text<'a>(node: &'a Node, what: &str, faults: &mut Faults) -> Option<&'a str> {
    match &node.kind {
        Kind::Text(text) if text.trim().is_empty() => {
            faults.add(node.mark, format!("`{what}` is blank"));
            None
        }
        Kind::Text(text) => Some(text),
        _ => {
            wrong_type(node, what, "a text", faults);
            None
        }
    }
}

/// Reads a node as a list.
pub fn list<'a>(node: &'a Node, what: &str, faults: &mut Faults) -> Option<&'a [Node]> {
    match &node.kind {
        Kind::List(items) => Some(items),
        _ => {
            wrong_type(node, what, "a list", faults);
            None
        }
    }
}

/// Reads a node as a word out of a closed list.
pub fn choice<T: Copy>(node: &Node, what: &str, choices: &[(&str, T)], faults: &mut Faults) -> Option<T> {
    let word = text(node, what, faults)?;
    if let Some((_, value)) = choices.iter().find(|(name, _)| *name == word) {
        return Some(*value);
    }
    let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
    let hint = did_you_mean(word, names.iter().copied()).unwrap_or_else(|| format!("say {}", names.join(" or ")));
    faults.hint(node.mark, format!("`{what}` is `{}`, which is not one of {}", cut(word, 60), names.join(", ")), hint);
    None
}

/// Parses a scalar into a name or an id.
pub fn parsed<T: std::str::FromStr<Err = enact_model::id::ParseIdError>>(
    text: &str,
    mark: Mark,
    what: &str,
    faults: &mut Faults,
) -> Option<T> {
    text.parse()
        .map_err(|error: enact_model::id::ParseIdError| {
            faults.add(mark, format!("`{}` is not a name for {what}: {}", cut(text, 60), error.reason));
        })
        .ok()
}

/// Reports a value of the wrong type.
pub fn wrong_type(node: &Node, what: &str, wanted: &str, faults: &mut Faults) {
    let is = match node.scalar() {
        Some(_) => format!("{} ({})", node.excerpt(), node.kind_name()),
        None => node.kind_name().to_owned(),
    };
    faults.add(node.mark, format!("`{what}` must be {wanted}; it is {is}"));
}

/// Reports an unknown key, with the near ones.
pub fn unknown_key(entry: &Entry, what: &str, keys: &[&str], faults: &mut Faults) {
    let hint = did_you_mean(&entry.key, keys.iter().copied())
        .unwrap_or_else(|| format!("the keys of {what} are {}", keys.join(", ")));
    faults.hint(entry.mark, format!("{what} has no key `{}`", cut(&entry.key, 60)), hint);
}
