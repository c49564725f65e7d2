//! YAML as a tree that knows the line and column of every key and value, within limits of size, depth and count.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle, StrInput, Tag};
use serde_json::Value;

use crate::fault::Faults;

/// Largest text, in bytes: people write descriptors.
pub const TEXT_MAX_BYTES: usize = 1024 * 1024;
/// Deepest nesting: a recursive reader must not run out of stack.
pub const DEPTH_MAX: usize = enact_model::limits::JSON_MAX_DEPTH;
/// Most values in one text.
pub const NODES_MAX: usize = 100_000;

/// A place in a text; both count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

impl Mark {
    /// The beginning of a file.
    pub const START: Self = Self { line: 1, column: 1 };
}

/// One value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where it begins.
    pub mark: Mark,
    /// What it is.
    pub kind: Kind,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum Kind {
    Null,
    Bool(bool),
    /// A finite number, and its text as it was written.
    Number(serde_json::Number, String),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One key and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub mark: Mark,
    /// Its value.
    pub value: Node,
}

impl Node {
    /// Returns the value of a key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        match &self.kind {
            Kind::Map(entries) => entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value),
            _ => None,
        }
    }

    /// Returns what it is, for people.
    pub fn kind_name(&self) -> &'static str {
        match &self.kind {
            Kind::Null => "empty",
            Kind::Bool(_) => "true or false",
            Kind::Number(..) => "a number",
            Kind::Text(_) => "a text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a mapping",
        }
    }

    /// Returns a scalar as it was written.
    pub fn scalar(&self) -> Option<&str> {
        match &self.kind {
            Kind::Bool(true) => Some("true"),
            Kind::Bool(false) => Some("false"),
            Kind::Number(_, raw) => Some(raw),
            Kind::Text(text) => Some(text),
            Kind::Null | Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// Returns the value for a message: a scalar cut at 60 characters, otherwise what it is.
    pub fn excerpt(&self) -> String {
        self.scalar().map_or_else(|| self.kind_name().to_owned(), |text| format!("`{}`", cut(text, 60)))
    }

    /// Returns it as JSON.
    pub fn to_value(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(flag) => Value::Bool(*flag),
            Kind::Number(number, _) => Value::Number(number.clone()),
            Kind::Text(text) => Value::String(text.clone()),
            Kind::List(items) => Value::Array(items.iter().map(Self::to_value).collect()),
            Kind::Map(entries) => {
                Value::Object(entries.iter().map(|entry| (entry.key.clone(), entry.value.to_value())).collect())
            }
        }
    }

    /// Returns where a JSON pointer leads, or how far it leads.
    pub fn mark_at(&self, pointer: &str) -> Mark {
        let mut here = self;
        let mut mark = self.mark;
        for token in pointer.split('/').skip(1) {
            let token = token.replace("~1", "/").replace("~0", "~");
            match &here.kind {
                Kind::Map(entries) => match entries.iter().find(|entry| entry.key == token) {
                    Some(entry) => {
                        mark = entry.mark;
                        here = &entry.value;
                    }
                    None => break,
                },
                Kind::List(items) => match token.parse().ok().and_then(|at: usize| items.get(at)) {
                    Some(item) => {
                        mark = item.mark;
                        here = item;
                    }
                    None => break,
                },
                _ => break,
            }
        }
        mark
    }
}

/// Cuts a text at so many characters, and shows that it did.
pub fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
    }
}

/// Reads one document. Faults go to `faults`; `None` means that there is no tree to go on with.
pub fn parse(text: &str, faults: &mut Faults) -> Option<Node> {
    if text.len() > TEXT_MAX_BYTES {
        faults.add(Mark::START, format!("{} bytes are more than {TEXT_MAX_BYTES}", text.len()));
        return None;
    }
    let mut parser = Parser::new(StrInput::new(text));
    let mut tree = Tree { open: Vec::new(), root: None, nodes: 0, documents: 0 };
    while let Some(event) = parser.next_event() {
        match event {
            Ok((event, span)) => tree.take(event, mark_of(span.start), faults)?,
            Err(error) => {
                faults.add(mark_of(*error.marker()), format!("this is not YAML: {}", error.info()));
                return None;
            }
        }
    }
    if tree.root.is_none() {
        faults.hint(Mark::START, "the file is empty", "begin with `component: name` or `solution: name`");
    }
    tree.root
}

fn mark_of(marker: saphyr_parser::Marker) -> Mark {
    Mark { line: marker.line().max(1) as u32, column: marker.col() as u32 + 1 }
}

/// A list or a mapping that has not ended yet.
enum Open {
    List(Mark, Vec<Node>),
    Map { mark: Mark, entries: Vec<Entry>, seen: BTreeMap<String, u32>, key: Option<(String, Mark)> },
}

struct Tree {
    open: Vec<Open>,
    root: Option<Node>,
    nodes: usize,
    documents: usize,
}

impl Tree {
    /// Takes one event; `None` means that reading cannot go on.
    fn take(&mut self, event: Event<'_>, mark: Mark, faults: &mut Faults) -> Option<()> {
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    faults.hint(mark, "a second document begins here", "write one descriptor in each file");
                    return None;
                }
            }
            Event::Alias(_) => {
                faults.hint(mark, "aliases are refused", "write the value out");
                self.put(Node { mark, kind: Kind::Null }, faults);
            }
            Event::Scalar(text, style, _, tag) => {
                self.count(mark, faults)?;
                let kind = scalar(&text, style, tag.as_deref(), mark, faults);
                if self.wants_key() {
                    self.key(text.into_owned(), mark, &kind, faults);
                } else {
                    self.put(Node { mark, kind }, faults);
                }
            }
            Event::SequenceStart(_, tag) => {
                self.enter(tag.as_deref(), mark, faults)?;
                self.open.push(Open::List(mark, Vec::new()));
            }
            Event::MappingStart(_, tag) => {
                self.enter(tag.as_deref(), mark, faults)?;
                self.open.push(Open::Map { mark, entries: Vec::new(), seen: BTreeMap::new(), key: None });
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List(mark, items)) => self.put(Node { mark, kind: Kind::List(items) }, faults),
                Some(Open::Map { mark, entries, .. }) => self.put(Node { mark, kind: Kind::Map(entries) }, faults),
                None => {}
            },
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Some(())
    }

    fn enter(&mut self, tag: Option<&Tag>, mark: Mark, faults: &mut Faults) -> Option<()> {
        self.count(mark, faults)?;
        if let Some(tag) = tag {
            refuse_tag(tag, mark, faults);
        }
        if self.wants_key() {
            faults.add(mark, "a key must be a text");
            return None;
        }
        if self.open.len() >= DEPTH_MAX {
            faults.add(mark, format!("it is nested deeper than {DEPTH_MAX} levels"));
            return None;
        }
        Some(())
    }

    fn count(&mut self, mark: Mark, faults: &mut Faults) -> Option<()> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            faults.add(mark, format!("it has more than {NODES_MAX} values"));
            return None;
        }
        Some(())
    }

    fn wants_key(&self) -> bool {
        matches!(self.open.last(), Some(Open::Map { key: None, .. }))
    }

    fn key(&mut self, text: String, mark: Mark, kind: &Kind, faults: &mut Faults) {
        if let Some(Open::Map { key, seen, .. }) = self.open.last_mut() {
            if *kind == Kind::Null {
                faults.add(mark, "a key must be a text; this one is empty");
            }
            if let Some(line) = seen.insert(text.clone(), mark.line) {
                faults.add(mark, format!("the key `{}` stands twice, first in line {line}", cut(&text, 60)));
            }
            *key = Some((text, mark));
        }
    }

    fn put(&mut self, node: Node, faults: &mut Faults) {
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List(_, items)) => items.push(node),
            Some(Open::Map { entries, key, .. }) => match key.take() {
                Some((key, mark)) => entries.push(Entry { key, mark, value: node }),
                None => faults.add(node.mark, "a key must be a text"),
            },
        }
    }
}

fn refuse_tag(tag: &Tag, mark: Mark, faults: &mut Faults) {
    faults.hint(mark, format!("the tag `{}{}` is refused", tag.handle, cut(&tag.suffix, 60)), "leave the tag out");
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>, mark: Mark, faults: &mut Faults) -> Kind {
    if let Some(tag) = tag {
        if tag.is_yaml_core_schema() && tag.suffix == "str" {
            return Kind::Text(text.to_owned());
        }
        refuse_tag(tag, mark, faults);
    }
    if style != ScalarStyle::Plain {
        return Kind::Text(text.to_owned());
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Kind::Null,
        "true" | "True" | "TRUE" => return Kind::Bool(true),
        "false" | "False" | "FALSE" => return Kind::Bool(false),
        _ => {}
    }
    let unsigned = text.trim_start_matches(['+', '-']);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN") {
        faults.add(mark, format!("`{text}` is not a finite number"));
        return Kind::Null;
    }
    match number(text) {
        Some(number) => Kind::Number(number, text.to_owned()),
        None => Kind::Text(text.to_owned()),
    }
}

/// Reads a number by the core schema of YAML 1.2.
fn number(text: &str) -> Option<serde_json::Number> {
    if let Some(hex) = text.strip_prefix("0x") {
        return u64::from_str_radix(hex, 16).ok().map(Into::into);
    }
    if let Some(octal) = text.strip_prefix("0o") {
        return u64::from_str_radix(octal, 8).ok().map(Into::into);
    }
    if !text.bytes().any(|b| b.is_ascii_digit()) || !text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b)) {
        return None;
    }
    if let Ok(whole) = text.parse::<i64>() {
        return Some(whole.into());
    }
    if let Ok(whole) = text.parse::<u64>() {
        return Some(whole.into());
    }
    text.parse().ok().and_then(serde_json::Number::from_f64)
}

#[cfg(test)]
mod tests;
