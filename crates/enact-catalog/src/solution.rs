//! Reads a solution descriptor as a whole; whether its components are there is judged by the catalog.

use std::collections::BTreeMap;

use enact_model::descriptor::Solution;
use enact_model::id::{IntentType, Name, Selector, SinkId, SolutionId};

use crate::fault::{DescriptorFault, Faults};
use crate::fields::{self, Fields};
use crate::near::did_you_mean;
use crate::yaml::{self, Mark, Node, cut};

pub(crate) const KEYS: [&str; 5] = ["solution", "components", "intents", "allow", "sinks"];
/// Most entries under one key.
const ENTRIES_MAX: usize = 1_000;

/// Reads a solution descriptor.
///
/// # Errors
/// Every fault at once, in the order of the file.
pub fn read_solution(text: &str, file_name: &str) -> Result<Solution, Vec<DescriptorFault>> {
    let mut faults = Faults::new(file_name);
    let solution = yaml::parse(text, &mut faults).and_then(|root| read(&root, &mut faults));
    match solution {
        Some(solution) if faults.is_empty() => Ok(solution),
        _ => Err(faults.into_sorted()),
    }
}

fn read(root: &Node, faults: &mut Faults) -> Option<Solution> {
    let fields = Fields::of(root, "a solution", &KEYS, faults)?;
    let name: Option<SolutionId> = match fields.get("solution") {
        Some(node) => fields::text(node, "solution", faults)
            .and_then(|text| fields::parsed(text, node.mark, "a solution", faults)),
        None => {
            fields.missing("solution", "the descriptor", "begin with `solution: name`", faults);
            None
        }
    };
    let components = components(&fields, faults);
    let intents = intents(&fields, &components, faults);
    let allow = allow(&fields, faults);
    let mut sinks: Vec<SinkId> = Vec::new();
    for (text, mark) in fields.words("sinks", faults).unwrap_or_default() {
        if let Some(sink) = fields::parsed::<SinkId>(&text, mark, "a sink", faults) {
            if sinks.contains(&sink) {
                faults.add(mark, format!("the sink `{sink}` is named twice"));
            } else {
                sinks.push(sink);
            }
        }
    }
    Some(Solution { name: name?, components, intents, allow, sinks })
}

/// Reads a mapping, bounded; an absent one is empty.
fn mapping<'a>(fields: &Fields<'a>, key: &str, faults: &mut Faults) -> Vec<&'a yaml::Entry> {
    let Some(map) = fields.get(key).and_then(|node| Fields::any(node, key, faults)) else { return Vec::new() };
    let entries: Vec<&yaml::Entry> = map.entries().collect();
    if entries.len() > ENTRIES_MAX {
        faults.add(map.mark(), format!("`{key}` has {} entries, more than {ENTRIES_MAX}", entries.len()));
        return Vec::new();
    }
    entries
}

fn components(fields: &Fields<'_>, faults: &mut Faults) -> BTreeMap<Name, String> {
    let mut components: BTreeMap<Name, String> = BTreeMap::new();
    for entry in mapping(fields, "components", faults) {
        let Some(name) = fields::parsed::<Name>(&entry.key, entry.mark, "a component", faults) else { continue };
        let Some(text) = entry.value.scalar() else {
            fields::wrong_type(&entry.value, &entry.key, "a version requirement", faults);
            // Known by name, so that no follow-on fault is made of it.
            components.insert(name, "*".to_owned());
            continue;
        };
        let requirement = requirement(text);
        if requirement.is_none() {
            let message = format!("{} is not a version requirement", entry.value.excerpt());
            faults.hint(entry.value.mark, message, "write 1.4.0 for that version, ^1 or >=1.2, <3 for a range");
        }
        let requirement = requirement.unwrap_or_else(|| "*".to_owned());
        if components.insert(name.clone(), requirement).is_some() {
            faults.add(entry.mark, format!("`{}` names the component `{name}` a second time", entry.key));
        }
    }
    components
}

/// Brings a requirement to its stored form: a bare version means exactly that version; a bare `1` or `1.4` is refused,
/// because people read it in two ways.
fn requirement(text: &str) -> Option<String> {
    let text = text.trim();
    if semver::Version::parse(text).is_ok() {
        return Some(format!("={text}"));
    }
    let ranged = text.split(',').all(|part| part.trim().starts_with(['^', '~', '=', '<', '>', '*']));
    if ranged && text.len() <= 100 { semver::VersionReq::parse(text).ok().map(|req| req.to_string()) } else { None }
}

fn intents(
    fields: &Fields<'_>,
    components: &BTreeMap<Name, String>,
    faults: &mut Faults,
) -> BTreeMap<IntentType, Selector> {
    let mut intents: BTreeMap<IntentType, Selector> = BTreeMap::new();
    for entry in mapping(fields, "intents", faults) {
        let intent_type: Option<IntentType> = fields::parsed(&entry.key, entry.mark, "an intent type", faults);
        let Some(text) = fields::text(&entry.value, &entry.key, faults) else { continue };
        let Some(selector) = selector(text, entry.value.mark, faults) else { continue };
        if !components.contains_key(&selector.component) {
            let hint = did_you_mean(selector.component.as_str(), components.keys().map(Name::as_str))
                .unwrap_or_else(|| format!("add it: `components: {{ {}: ^1 }}`", selector.component));
            let message = format!("`{selector}` belongs to a component that the solution does not name");
            faults.hint(entry.value.mark, message, hint);
        }
        if let Some(intent_type) = intent_type
            && intents.insert(intent_type.clone(), selector).is_some()
        {
            faults.add(entry.mark, format!("`{}` names the intent type `{intent_type}` a second time", entry.key));
        }
    }
    intents
}

fn selector(text: &str, mark: Mark, faults: &mut Faults) -> Option<Selector> {
    text.parse()
        .map_err(|error: enact_model::id::ParseIdError| {
            let message = format!("`{}` is not a selector: {}", cut(text, 60), error.reason);
            faults.hint(mark, message, "write component.service.operation");
        })
        .ok()
}

fn allow(fields: &Fields<'_>, faults: &mut Faults) -> BTreeMap<String, Vec<String>> {
    let mut allow = BTreeMap::new();
    for entry in mapping(fields, "allow", faults) {
        let role = &entry.key;
        if role.is_empty() || !role.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)) {
            faults.add(entry.mark, format!("`{}` is not a name for a role", cut(role, 60)));
        }
        let mut patterns = Vec::new();
        for item in fields::list(&entry.value, role, faults).unwrap_or_default() {
            let Some(text) = fields::text(item, role, faults) else { continue };
            match pattern(text) {
                Some(pattern) => patterns.push(pattern),
                None => {
                    let message = format!("`{}` is not a selector pattern", cut(text, 60));
                    faults.hint(item.mark, message, "write such as pricing.*, *.meta.* or pricing.quote.total");
                }
            }
        }
        allow.insert(role.clone(), patterns);
    }
    allow
}

/// Brings a pattern to its canonical form: up to three parts, each a name or `*`; a last `*` stands for all the rest.
fn pattern(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.split('.').collect();
    let open = parts.last() == Some(&"*");
    if parts.len() > 3 || (parts.len() < 3 && !open) {
        return None;
    }
    let part = |part: &&str| {
        if *part == "*" { Some("*".to_owned()) } else { part.parse::<Name>().ok().map(|n| n.to_string()) }
    };
    parts.iter().map(part).collect::<Option<Vec<_>>>().map(|parts| parts.join("."))
}

/// Returns whether a pattern of `allow` admits an operation.
pub fn admits(pattern: &str, selector: &Selector) -> bool {
    let names = [selector.component.as_str(), selector.service.as_str(), selector.operation.as_str()];
    let parts: Vec<&str> = pattern.split('.').collect();
    let open = parts.last() == Some(&"*");
    let fits = parts.iter().zip(names).all(|(part, name)| *part == "*" || *part == name);
    fits && (parts.len() == 3 || (parts.len() < 3 && open))
}

#[cfg(test)]
mod tests;
