//! Reads `enact.yaml` into key and text, each with its line and column.

use enact_catalog::near::did_you_mean;
use enact_catalog::yaml::{self, Kind, Mark, Node};

use super::fault::ConfigFault;
use super::key::SINKS;
use super::settings::KEYS;
use super::sink::FIELDS;
use super::source::{Origin, SourceFile};

/// One value of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The key, with dots.
    pub key: String,
    /// The text.
    pub text: String,
    /// Where it stands.
    pub origin: Origin,
}

/// What a file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileValues {
    /// The known keys.
    pub lines: Vec<Line>,
    /// Whether it has a key `sinks`, which then replaces the default sinks.
    pub names_sinks: bool,
}

/// Reads a file; its faults go to `faults`.
pub fn read(file: &SourceFile, faults: &mut Vec<ConfigFault>) -> FileValues {
    let mut values = FileValues::default();
    let nothing = |line: &str| matches!(line.trim(), "" | "---") || line.trim_start().starts_with('#');
    if file.text.lines().all(nothing) {
        return values;
    }
    let mut marks = enact_catalog::fault::Faults::new(file.path.to_string_lossy());
    let root = yaml::parse(&file.text, &mut marks);
    for fault in marks.into_sorted() {
        let origin = Origin::File { path: file.path.clone(), line: fault.line, column: fault.column };
        faults.push(ConfigFault { origin, key: None, message: fault.message, hint: fault.hint });
    }
    if let Some(root) = root {
        Walk { file, values: &mut values, faults }.section("", &root);
    }
    values
}

struct Walk<'a> {
    file: &'a SourceFile,
    values: &'a mut FileValues,
    faults: &'a mut Vec<ConfigFault>,
}

impl Walk<'_> {
    fn origin(&self, mark: Mark) -> Origin {
        Origin::File { path: self.file.path.clone(), line: mark.line, column: mark.column }
    }

    fn fault(&mut self, mark: Mark, key: &str, message: String, hint: Option<String>) {
        let origin = self.origin(mark);
        let key = (!key.is_empty()).then(|| key.to_owned());
        self.faults.push(ConfigFault { origin, key, message, hint });
    }

    fn section(&mut self, prefix: &str, node: &Node) {
        let Kind::Map(entries) = &node.kind else {
            let message = format!("a mapping was expected, not {}", node.excerpt());
            return self.fault(
                node.mark,
                prefix,
                message,
                Some("write keys and values, such as `log: { level: warn }`".into()),
            );
        };
        for entry in entries {
            let name = if prefix.is_empty() { entry.key.clone() } else { format!("{prefix}.{}", entry.key) };
            let below = format!("{name}.");
            if name == SINKS {
                self.values.names_sinks = true;
                self.sinks(&entry.value);
            } else if KEYS.iter().any(|key| key.name == name) {
                self.value(&name, &entry.value);
            } else if KEYS.iter().any(|key| key.name.starts_with(&below)) {
                self.section(&name, &entry.value);
            } else {
                let hint = did_you_mean(&name, names().iter().map(String::as_str));
                let hint = hint.or_else(|| Some("`enact config keys` lists every key".to_owned()));
                self.fault(entry.mark, &name, "no key has this name".to_owned(), hint);
            }
        }
    }

    fn value(&mut self, name: &str, node: &Node) {
        let text = match &node.kind {
            Kind::List(items) => items
                .iter()
                .map(|item| item.scalar().map(str::to_owned))
                .collect::<Option<Vec<_>>>()
                .map(|all| all.join(",")),
            _ => node.scalar().map(str::to_owned),
        };
        match text {
            Some(text) => {
                let origin = self.origin(node.mark);
                self.values.lines.push(Line { key: name.to_owned(), text, origin });
            }
            None => self.fault(node.mark, name, format!("a value was expected, not {}", node.excerpt()), None),
        }
    }

    fn sinks(&mut self, node: &Node) {
        let Kind::Map(sinks) = &node.kind else {
            let message = format!("a mapping was expected, not {}", node.excerpt());
            return self.fault(
                node.mark,
                SINKS,
                message,
                Some("write `sinks: { audit: { file: ./events.jsonl } }`".into()),
            );
        };
        for sink in sinks {
            let name = format!("{SINKS}.{}", sink.key);
            if let Err(error) = sink.key.parse::<enact_model::id::SinkId>() {
                self.fault(sink.mark, &name, format!("this is no name of a sink: {}", error.reason), None);
                continue;
            }
            let Kind::Map(fields) = &sink.value.kind else {
                let message = format!("a mapping was expected, not {}", sink.value.excerpt());
                self.fault(sink.mark, &name, message, Some("write `{ file: ./events.jsonl }`".into()));
                continue;
            };
            if fields.is_empty() {
                self.fault(
                    sink.mark,
                    &name,
                    "it says nothing".to_owned(),
                    Some("write `{ file: ./events.jsonl }`".into()),
                );
            }
            for field in fields {
                let name = format!("{name}.{}", field.key);
                let mut known = FIELDS.iter().map(|field| field.name);
                if known.clone().any(|known| known == field.key) {
                    self.value(&name, &field.value);
                } else {
                    let hint = did_you_mean(&field.key, known.by_ref());
                    let hint = hint.unwrap_or_else(|| "a sink has file, webhook, redis or nats".to_owned());
                    self.fault(field.mark, &name, "no key has this name".to_owned(), Some(hint));
                }
            }
        }
    }
}

/// Returns the names of keys and of the sections above them.
fn names() -> Vec<String> {
    let mut names: Vec<String> = vec![SINKS.to_owned()];
    for key in KEYS {
        names.push(key.name.to_owned());
        if let Some((section, _)) = key.name.split_once('.') {
            names.push(section.to_owned());
        }
    }
    names.sort();
    names.dedup();
    names
}
