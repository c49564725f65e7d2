//! Bundling: a schema and the files that it names become one document that needs nothing else.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::component::files::{FileError, Files, normal_name};
use crate::fault::Faults;
use crate::pointer::escape;
use crate::yaml::{Mark, Node, cut};

/// Most files that one schema may name, directly and through others.
pub const FILES_MAX: usize = 64;
/// Largest bundled schema, in bytes of JSON.
pub const BUNDLE_MAX_BYTES: usize = 1024 * 1024;

/// A schema that needs nothing else.
#[derive(Debug)]
pub struct Bundled {
    /// The schema.
    pub schema: Value,
    origins: Vec<Origin>,
}

/// Where a part of the bundle came from.
#[derive(Debug)]
struct Origin {
    prefix: String,
    file: Option<String>,
    node: Option<Node>,
}

impl Bundled {
    /// Returns the file and the place that a pointer into the bundle came from; no file means the descriptor.
    pub fn locate(&self, pointer: &str) -> (Option<&str>, Mark) {
        let origin = self
            .origins
            .iter()
            .filter(|origin| {
                pointer.strip_prefix(&origin.prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
            .max_by_key(|origin| origin.prefix.len());
        match origin {
            Some(origin) => {
                let rest = pointer.get(origin.prefix.len()..).unwrap_or_default();
                let mark = origin.node.as_ref().map_or(Mark::START, |node| node.mark_at(rest));
                (origin.file.as_deref(), mark)
            }
            None => (None, Mark::START),
        }
    }
}

/// Bundles the schema at a node. `None` means that it has faults of its own already.
pub fn bundle(node: &Node, files: &dyn Files, faults: &mut Faults) -> Option<Bundled> {
    let before = faults.count();
    let mut bundler = Bundler { files, faults, docs: BTreeMap::new(), waiting: Vec::new(), drafts: Vec::new() };
    let value = node.to_value();
    let root_file = only_ref(&value).and_then(|target| file_of(target)).and_then(|name| bundler.resolve(None, name));
    let mut origins = Vec::new();
    let mut root = match &root_file {
        Some(name) => {
            bundler.load(name, node, true)?;
            let doc = bundler.docs.get_mut(name)?;
            origins.push(Origin { prefix: String::new(), file: Some(name.clone()), node: doc.node.take() });
            std::mem::take(&mut doc.value)
        }
        None => {
            origins.push(Origin { prefix: String::new(), file: None, node: Some(node.clone()) });
            value
        }
    };
    bundler.document(&mut root, root_file.as_deref(), node);
    let mut defs = Map::new();
    while let Some(name) = bundler.waiting.pop() {
        let Some(doc) = bundler.docs.get_mut(&name) else { continue };
        let (mut value, key, place) = (std::mem::take(&mut doc.value), doc.key.clone(), doc.node.take());
        let mark = place.clone().unwrap_or_else(|| node.clone());
        bundler.document(&mut value, Some(&name), &mark);
        origins.push(Origin { prefix: format!("/$defs/{}", escape(&key)), file: Some(name), node: place });
        defs.insert(key, value);
    }
    if !defs.is_empty()
        && let Some(root) = root.as_object_mut()
    {
        let own = root.entry("$defs").or_insert_with(|| Value::Object(Map::new()));
        if let Some(own) = own.as_object_mut() {
            own.extend(defs);
        }
    }
    if root.to_string().len() > BUNDLE_MAX_BYTES {
        faults.add(node.mark, format!("the schema with its files is larger than {BUNDLE_MAX_BYTES} bytes"));
    }
    (faults.count() == before).then_some(Bundled { schema: root, origins })
}

/// Returns the target if the schema is nothing but one `$ref` to a whole file.
fn only_ref(value: &Value) -> Option<&str> {
    let entries = value.as_object()?;
    let target = entries.get("$ref")?.as_str()?;
    (entries.len() == 1 && !target.contains('#')).then_some(target)
}

/// Returns the file of a reference that is relative, nothing of one that is remote or local.
fn file_of(target: &str) -> Option<&str> {
    let path = target.split('#').next().unwrap_or_default();
    let scheme = path.split('/').next().unwrap_or_default();
    (!path.is_empty() && !scheme.contains(':') && !path.starts_with("//")).then_some(path)
}

struct Doc {
    value: Value,
    node: Option<Node>,
    /// Its name in `$defs`; empty for the root.
    key: String,
    is_root: bool,
}

struct Bundler<'a> {
    files: &'a dyn Files,
    faults: &'a mut Faults,
    docs: BTreeMap<String, Doc>,
    waiting: Vec<String>,
    drafts: Vec<String>,
}

impl Bundler<'_> {
    /// Rewrites every reference of one document.
    fn document(&mut self, value: &mut Value, file: Option<&str>, node: &Node) {
        if let Some(entries) = value.as_object_mut() {
            entries.remove("$id");
            if let Some(draft) = entries.get("$schema").and_then(Value::as_str) {
                let draft = draft.trim_end_matches('#').to_owned();
                if !self.drafts.contains(&draft) {
                    self.drafts.push(draft);
                }
                if self.drafts.len() > 1 {
                    let message = format!("the schema mixes drafts: {}", self.drafts.join(", "));
                    self.faults.push(file, node.mark_at("/$schema"), message, Some("use one draft".to_owned()));
                }
            }
        }
        self.schema(value, file, node, "");
    }

    fn schema(&mut self, value: &mut Value, file: Option<&str>, node: &Node, at: &str) {
        match value {
            Value::Array(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.schema(item, file, node, &format!("{at}/{index}"));
                }
            }
            Value::Object(entries) => {
                for (key, value) in entries.iter_mut() {
                    let here = format!("{at}/{}", escape(key));
                    match (key.as_str(), &mut *value) {
                        ("enum" | "const" | "default" | "examples", _) => {}
                        ("$ref", Value::String(target)) => self.reference(target, file, node.mark_at(&here)),
                        ("$dynamicRef" | "$recursiveRef", Value::String(target)) if !target.starts_with('#') => {
                            let message = format!("the {key} `{}` leaves its file", cut(target, 60));
                            self.faults.push(file, node.mark_at(&here), message, None);
                        }
                        ("$id", Value::String(_)) => {
                            let hint = Some("put it into a file of its own".to_owned());
                            let message = "an $id inside a schema is not supported".to_owned();
                            self.faults.push(file, node.mark_at(&here), message, hint);
                        }
                        (name, Value::Object(named)) if is_name_map(name) => {
                            for (name, value) in named.iter_mut() {
                                self.schema(value, file, node, &format!("{here}/{}", escape(name)));
                            }
                        }
                        (_, value) => self.schema(value, file, node, &here),
                    }
                }
            }
            _ => {}
        }
    }

    /// Rewrites one reference so that it stays inside the bundle.
    fn reference(&mut self, target: &mut String, file: Option<&str>, mark: Mark) {
        let (path, fragment) = match target.split_once('#') {
            Some((path, fragment)) => (path.to_owned(), fragment.to_owned()),
            None => (target.clone(), String::new()),
        };
        let name = if path.is_empty() {
            file.map(str::to_owned)
        } else if file_of(target).is_none() {
            let hint = "keep the schema in a file beside the descriptor and refer to it by its relative path";
            let message = format!("the $ref `{}` is remote, and nothing is fetched", cut(target, 60));
            self.faults.push(file, mark, message, Some(hint.to_owned()));
            return;
        } else {
            match self.resolve(file, &path) {
                Some(name) => Some(name),
                None => {
                    let message = format!("the $ref `{}` leaves the folder of the descriptor", cut(target, 60));
                    self.faults.push(file, mark, message, None);
                    return;
                }
            }
        };
        let Some(name) = name else { return };
        if !self.docs.contains_key(&name) && self.load_at(&name, file, mark, false).is_none() {
            return;
        }
        let Some(doc) = self.docs.get(&name) else { return };
        let is_anchor = !fragment.is_empty() && !fragment.starts_with('/');
        if doc.is_root || is_anchor {
            *target = format!("#{fragment}");
        } else {
            *target = format!("#/$defs/{}{fragment}", doc.key);
        }
    }

    /// Resolves a relative path against the folder of the file that names it.
    fn resolve(&self, from: Option<&str>, path: &str) -> Option<String> {
        let folder = from.and_then(|from| from.rsplit_once('/')).map_or("", |(folder, _)| folder);
        normal_name(&if folder.is_empty() { path.to_owned() } else { format!("{folder}/{path}") })
    }

    fn load(&mut self, name: &str, node: &Node, is_root: bool) -> Option<()> {
        self.load_at(name, None, node.mark_at("/$ref"), is_root)
    }

    fn load_at(&mut self, name: &str, from: Option<&str>, mark: Mark, is_root: bool) -> Option<()> {
        if self.docs.len() >= FILES_MAX {
            self.faults.push(from, mark, format!("the schema names more than {FILES_MAX} files"), None);
            return None;
        }
        let bytes = match self.files.read(name) {
            Ok(bytes) => bytes,
            Err(error) => {
                let hint = matches!(error, FileError::Missing)
                    .then(|| "a $ref is relative to the file in which it stands".to_owned());
                self.faults.push(from, mark, format!("the schema file `{name}` {error}"), hint);
                return None;
            }
        };
        let (value, node) = self.parse(name, &bytes)?;
        let key = self.key(name);
        if !is_root {
            self.waiting.push(name.to_owned());
        }
        self.docs.insert(name.to_owned(), Doc { value, node, key, is_root });
        Some(())
    }

    /// Reads a schema file: JSON, or YAML by its ending.
    fn parse(&mut self, name: &str, bytes: &[u8]) -> Option<(Value, Option<Node>)> {
        let mut inner = Faults::new(name);
        let text = String::from_utf8_lossy(bytes);
        let node = crate::yaml::parse(&text, &mut inner);
        if name.ends_with(".yaml") || name.ends_with(".yml") {
            let found = inner.into_sorted();
            let clean = found.is_empty();
            for fault in found {
                let mark = Mark { line: fault.line, column: fault.column };
                self.faults.push(Some(name), mark, fault.message, fault.hint);
            }
            return if clean { node.map(|node| (node.to_value(), Some(node))) } else { None };
        }
        // The YAML tree of a JSON file only serves to find places.
        match enact_model::json::Json::parse(bytes) {
            Ok(json) => Some((json.to_value(), node)),
            Err(error) => {
                self.faults.push(
                    Some(name),
                    mark_of(bytes, error.offset),
                    format!("this is not JSON: {}", error.kind),
                    None,
                );
                None
            }
        }
    }

    /// Makes a name for `$defs` that needs no escapes and is not taken.
    fn key(&self, name: &str) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
        let mut key: String = format!("file:{name}").chars().map(plain).collect();
        while self.docs.values().any(|doc| doc.key == key) {
            key.push('_');
        }
        key
    }
}

/// Whether the values under this key are schemas by name, and the names no keywords.
pub(super) fn is_name_map(key: &str) -> bool {
    matches!(key, "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas" | "dependencies")
}

fn mark_of(bytes: &[u8], offset: usize) -> Mark {
    let before = bytes.get(..offset.min(bytes.len())).unwrap_or_default();
    let line = before.iter().filter(|&&b| b == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|&&b| b != b'\n').filter(|&&b| b & 0xC0 != 0x80).count() + 1;
    Mark { line: line as u32, column: column as u32 }
}
