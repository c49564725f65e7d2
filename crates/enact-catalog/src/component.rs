//! Reads a component descriptor as a whole: either a valid component, or every fault with its place.

use std::collections::BTreeMap;

use enact_model::descriptor::{Component, Shape};
use enact_model::digest::Digest;
use enact_model::id::Name;
use enact_model::json::Json;

use crate::fault::{DescriptorFault, Faults};
use crate::fields::{self, Fields};
use crate::meta::{HUB, SERVICE};
use crate::yaml::{self, Mark, Node};

mod call;
mod declared;
pub mod files;
pub(crate) mod jar;
mod java;
mod operation;
mod relation;
mod secrets;
mod shape;

pub use files::{FileError, FileFacts, Files, JarFacts, JarLayout};
pub use jar::names_archive;

/// Most operations of one component.
pub const OPERATIONS_MAX: usize = 1_000;
/// Largest component as JSON, in bytes: it stands whole in one record.
pub const COMPONENT_MAX_BYTES: usize = 4 * 1024 * 1024;

/// The shapes of this build, by their keys.
pub const SHAPES: [&str; 2] = ["process", "jar"];
/// The shapes that DESIGN knows and this build does not.
const LATER_SHAPES: [&str; 5] = ["container", "http", "grpc", "wasm", "entity"];
/// The keys of a component other than its shape.
const KEYS: [&str; 5] = ["component", "version", "summary", "secrets", "services"];

/// Reads a component descriptor.
///
/// # Errors
/// Every fault at once, in the order of the file.
pub fn read_component(text: &str, file_name: &str, files: &dyn Files) -> Result<Component, Vec<DescriptorFault>> {
    let mut faults = Faults::new(file_name);
    let component = yaml::parse(text, &mut faults).and_then(|root| read(&root, files, &mut faults));
    match component {
        Some(component) if faults.is_empty() => Ok(component),
        _ => Err(faults.into_sorted()),
    }
}

/// Returns the digest of a component: that of its canonical JSON, the digests of its files among it.
pub fn component_digest(component: &Component) -> Digest {
    Digest::of(Json::of(component).as_str().as_bytes())
}

fn read(root: &Node, files: &dyn Files, faults: &mut Faults) -> Option<Component> {
    let fields = Fields::any(root, "a component", faults)?;
    check_keys(&fields, faults);
    let name: Option<Name> = match fields.get("component") {
        Some(node) => {
            let text = fields::text(node, "component", faults);
            text.and_then(|text| fields::parsed(text, node.mark, "a component", faults))
        }
        None => {
            fields.missing("component", "the descriptor", "begin with `component: name`", faults);
            None
        }
    };
    if let (Some(node), Some(HUB)) = (fields.get("component"), name.as_ref().map(Name::as_str)) {
        faults.hint(node.mark, format!("the name {HUB} is that of the hub"), "give the component another name");
    }
    let version = version(&fields, faults);
    let summary = fields.text("summary", faults).map(str::to_owned);
    let shape = shape(&fields, files, faults);
    let secrets = secrets::read(&fields, faults);
    let services = match fields.get("services") {
        Some(node) => services(node, name.as_ref(), shape.as_ref(), files, faults),
        None => {
            fields.missing("services", "the component", "name at least one service and one operation", faults);
            None
        }
    };
    if let (Some(node), Some(Shape::Process(shape)), Some(services)) = (fields.get("process"), &shape, &services) {
        let mut operations = services.values().flat_map(BTreeMap::values);
        if shape.command.is_empty() && node.get("command").is_none() && operations.any(|o| o.call.command.is_none()) {
            let message = "`command` of the process is missing, and not every operation has one of its own";
            faults.hint(node.mark, message, "name the program: `command: [java, -jar, tool.jar]`");
        }
    }
    let component = Component { name: name?, version: version?, summary, shape: shape?, secrets, services: services? };
    check_variables(&fields, &component, faults);
    let size = Json::of(&component).as_str().len();
    if size > COMPONENT_MAX_BYTES {
        faults.add(root.mark, format!("the component has {size} bytes of JSON, more than {COMPONENT_MAX_BYTES}"));
    }
    Some(component)
}

/// A variable is a secret or says what stands in the descriptor, and not both.
fn check_variables(fields: &Fields<'_>, component: &Component, faults: &mut Faults) {
    let operations = component.operations().flat_map(|(_, operation)| operation.secrets.keys());
    let mut keys: Vec<_> = component.secrets.keys().chain(operations).collect();
    keys.sort();
    keys.dedup();
    for key in keys.into_iter().filter(|key| component.shape.env().contains_key(*key)) {
        let mark = fields.get(component.shape.key()).map_or(fields.mark(), |node| node.mark);
        faults.hint(mark, format!("`{key}` stands in `env` and in `secrets`"), "leave it out of `env`");
    }
}

/// Reads the shape that the descriptor has.
fn shape(fields: &Fields<'_>, files: &dyn Files, faults: &mut Faults) -> Option<Shape> {
    if let Some(node) = fields.get("process") {
        return shape::read(node, files, faults).map(Shape::Process);
    }
    let node = fields.get("jar")?;
    jar::read(node, files, faults).map(Shape::Jar)
}

/// Judges the keys of the descriptor: known ones, and exactly one shape.
fn check_keys(fields: &Fields<'_>, faults: &mut Faults) {
    let mut shapes: Vec<(&str, Mark)> = Vec::new();
    let known: Vec<&str> = KEYS.iter().chain(&SHAPES).copied().collect();
    for entry in fields.entries() {
        let key = entry.key.as_str();
        if SHAPES.contains(&key) {
            shapes.push((key, entry.mark));
        } else if LATER_SHAPES.contains(&key) {
            shapes.push((key, entry.mark));
            let message = format!("the shape `{key}` is not in this build yet");
            faults.hint(entry.mark, message, format!("the shapes of this build are: {}", SHAPES.join(", ")));
        } else if !KEYS.contains(&key) {
            fields::unknown_key(entry, "a component", &known, faults);
        }
    }
    if shapes.is_empty() {
        let hint = "say how it is packaged, such as `process: { command: [./program] }` or `jar: { path: app.jar }`";
        faults.hint(fields.mark(), "the shape is missing", hint);
    }
    if let Some((second, mark)) = shapes.get(1) {
        let first = shapes.first().map_or("", |(first, _)| first);
        faults.hint(
            *mark,
            format!("`{second}` is a second shape beside `{first}`"),
            "a component has exactly one shape",
        );
    }
}

fn version(fields: &Fields<'_>, faults: &mut Faults) -> Option<String> {
    let Some(node) = fields.get("version") else {
        fields.missing("version", "the component", "write three numbers, such as `version: 1.0.0`", faults);
        return None;
    };
    let Some(text) = node.scalar() else {
        fields::wrong_type(node, "version", "a version", faults);
        return None;
    };
    match semver::Version::parse(text) {
        Ok(version) if text.len() <= 64 => Some(version.to_string()),
        Ok(_) => {
            faults.add(node.mark, "the version is longer than 64 bytes");
            None
        }
        Err(error) => {
            let message = format!("{} is not a version by semver: {error}", node.excerpt());
            faults.hint(node.mark, message, "write three numbers, such as 1.4.0");
            None
        }
    }
}

type Services = BTreeMap<Name, BTreeMap<Name, enact_model::descriptor::Operation>>;

fn services(
    node: &Node,
    component: Option<&Name>,
    shape: Option<&Shape>,
    files: &dyn Files,
    faults: &mut Faults,
) -> Option<Services> {
    let services = Fields::any(node, "services", faults)?;
    let mut names = Names::new("service");
    let mut found: Vec<(Name, Name, Mark, &Node)> = Vec::new();
    for entry in services.entries() {
        let Some(service) = names.take(&entry.key, entry.mark, faults) else { continue };
        if service.as_str() == SERVICE {
            let message = format!("the service {SERVICE} is there already: every component tells of itself by it");
            faults.hint(entry.mark, message, "give the service another name");
        }
        let Some(operations) = Fields::any(&entry.value, &format!("the service {service}"), faults) else { continue };
        let mut names = Names::new("operation");
        let before = found.len();
        for entry in operations.entries() {
            if let Some(operation) = names.take(&entry.key, entry.mark, faults) {
                found.push((service.clone(), operation, entry.mark, &entry.value));
            }
        }
        if found.len() == before && operations.entries().next().is_none() {
            faults.add(entry.mark, format!("the service {service} has no operations"));
        }
    }
    if services.entries().next().is_none() {
        faults.add(node.mark, "there are no services");
    }
    if found.len() > OPERATIONS_MAX {
        faults.add(node.mark, format!("{} operations are more than {OPERATIONS_MAX}", found.len()));
        return None;
    }
    let mut drafts = Vec::with_capacity(found.len());
    for (service, name, mark, node) in &found {
        let place = operation::Place { component, service, name, mark: *mark, shape, files };
        drafts.extend(operation::read(node, &place, faults));
    }
    let known: Vec<(&Name, &Name)> = found.iter().map(|(service, name, ..)| (service, name)).collect();
    relation::check(component, &known, &drafts, faults);
    let mut services = Services::new();
    for draft in drafts {
        services.entry(draft.service).or_default().insert(draft.name, draft.body);
    }
    Some(services)
}

/// Names of one kind, told apart in their canonical form.
struct Names {
    what: &'static str,
    seen: BTreeMap<Name, (String, Mark)>,
}

impl Names {
    fn new(what: &'static str) -> Self {
        Self { what, seen: BTreeMap::new() }
    }

    fn take(&mut self, text: &str, mark: Mark, faults: &mut Faults) -> Option<Name> {
        let name: Name = fields::parsed(text, mark, self.what, faults)?;
        if let Some((first, place)) = self.seen.get(&name) {
            let message = format!(
                "`{text}` is the same {} name as `{first}` in line {}: both are `{name}`",
                self.what, place.line
            );
            faults.hint(mark, message, "give them different names");
            return None;
        }
        self.seen.insert(name.clone(), (text.to_owned(), mark));
        Some(name)
    }
}

/// Lists every key that is read, for the test that holds the documentation to it.
#[cfg(test)]
pub(crate) fn documented_keys() -> Vec<&'static str> {
    let mut keys: Vec<&str> = KEYS.to_vec();
    keys.extend(SHAPES);
    keys.extend(shape::KEYS);
    keys.extend(jar::KEYS);
    keys.extend(java::KEYS);
    keys.extend(operation::KEYS);
    keys.extend(call::KEYS);
    keys.extend(["attempts", "backoff", "limit", "key", "artifact", "from", "media_type", "derived_from"]);
    keys.extend(["type", "on", "data", "scope", "set", "delete", "value", "ttl"]);
    keys
}

#[cfg(test)]
mod tests;
