//! What the hub and every component tell of themselves: queries of the service `meta`, which nobody has to write.
//!
//! They are answered from the catalog, change nothing and are not logged.

use std::collections::BTreeMap;

use enact_model::descriptor::{Component, OperationKind, Solution};
use enact_model::digest::Digest;
use enact_model::id::{IntentType, Name, Selector};
use enact_model::json::Json;
use serde::{Deserialize, Serialize};

use crate::catalog::Catalog;
use crate::component::component_digest;
use crate::describe::{ComponentDescription, OperationDescription, describe};

/// The service that the hub and every component have.
pub const SERVICE: &str = "meta";
/// The name by which the hub is asked.
pub const HUB: &str = "enact";

/// A query of the service `meta`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// In words: what it is, what it can do, and how it is called.
    Help,
    /// Everything about its operations: schemas, limits, what is promised about repetition.
    Describe,
    /// Its components with version and digest.
    Components,
    /// Its services with their operations.
    Services,
    /// Its operations, one line each.
    Operations,
    /// The JSON Schemas of parameters and output, by operation.
    Schema,
    /// Components, services and operations, one inside the other.
    Tree,
    /// Its version.
    Version,
}

impl Question {
    /// Every question.
    pub const ALL: [Self; 8] = [
        Self::Help,
        Self::Describe,
        Self::Components,
        Self::Services,
        Self::Operations,
        Self::Schema,
        Self::Tree,
        Self::Version,
    ];

    /// Returns the name of its operation.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Help => "help",
            Self::Describe => "describe",
            Self::Components => "components",
            Self::Services => "services",
            Self::Operations => "operations",
            Self::Schema => "schema",
            Self::Tree => "tree",
            Self::Version => "version",
        }
    }

    /// Finds the question of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|question| question.as_str() == name)
    }
}

/// Returns whom a selector of the service `meta` asks, and what.
pub fn of_selector(selector: &str) -> Option<(Name, Question)> {
    let (name, question) = parts(selector)?;
    Some((name, Question::named(question)?))
}

/// Splits a selector of the service `meta`, whatever it asks.
pub(crate) fn parts(selector: &str) -> Option<(Name, &str)> {
    let parts: Vec<&str> = selector.split('.').collect();
    let [name, SERVICE, question] = parts[..] else { return None };
    Some((name.parse().ok()?, question))
}

/// Lists the patterns of a solution's `allow` that are about the service `meta` alone, with their roles. They change nothing:
/// whoever may see what there is may ask it.
pub fn needless(solution: &Solution) -> Vec<(&str, &str)> {
    let patterns =
        solution.allow.iter().flat_map(|(role, patterns)| patterns.iter().map(|p| (role.as_str(), p.as_str())));
    patterns.filter(|(_, pattern)| pattern.split('.').nth(1) == Some(SERVICE)).collect()
}

/// What a question may say: one version of a component instead of the active one, one operation instead of all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Parameters {
    /// A version of the component that is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// An operation: its selector, or `service.operation` of the component that is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum Unknown {
    #[error("there is no component {name}{}", version.as_ref().map(|version| format!(" {version}")).unwrap_or_default())]
    Component { name: Name, version: Option<String>, near: Vec<String> },
    #[error("there is no operation {operation:?}")]
    Operation { operation: String, near: Vec<String> },
    #[error("the hub has no version {0:?} but its own")]
    Version(String),
}

impl Unknown {
    /// Returns the way out.
    pub fn hint(&self) -> String {
        match self {
            Self::Component { near, .. } | Self::Operation { near, .. } if !near.is_empty() => {
                format!("did you mean {}?", near.join(" or "))
            }
            Self::Component { .. } => "`enact component list` shows what there is".to_owned(),
            Self::Operation { .. } => "ask `meta.operations` for those that there are".to_owned(),
            Self::Version(_) => "leave it out, or ask a component".to_owned(),
        }
    }
}

/// Returns a component as it stands in the catalog: one version, or the active one.
///
/// # Errors
/// A component or a version that is not there, with the near names.
pub fn component<'a>(catalog: &'a Catalog, name: &Name, version: Option<&str>) -> Result<&'a Component, Unknown> {
    let entry = match version {
        Some(version) => catalog.entry(name, version),
        None => catalog.active(name),
    };
    entry.map(|entry| &**entry.component()).ok_or_else(|| {
        let known: Vec<&str> = catalog.entries().map(|entry| entry.component().name.as_str()).collect();
        let near = crate::near::near(name.as_str(), known);
        Unknown::Component { name: name.clone(), version: version.map(str::to_owned), near }
    })
}

/// Answers a question to the hub (`name` is [`HUB`]) or to a component.
///
/// # Errors
/// A component, a version or an operation that is not there.
pub fn answer(
    catalog: &Catalog,
    name: &Name,
    question: Question,
    parameters: &Parameters,
    release: &str,
) -> Result<Json, Unknown> {
    let (subject, mut components) = if name.as_str() == HUB {
        if let Some(version) = &parameters.version {
            return Err(Unknown::Version(version.clone()));
        }
        let mut names: Vec<&Name> = catalog.entries().map(|entry| &entry.component().name).collect();
        names.dedup();
        let active = names.into_iter().filter_map(|name| catalog.active(name));
        (Subject::Hub { release }, active.map(|entry| describe(entry.component())).collect())
    } else {
        let component = component(catalog, name, parameters.version.as_deref())?;
        (
            Subject::Component {
                name: &component.name,
                version: &component.version,
                digest: component_digest(component),
            },
            vec![describe(component)],
        )
    };
    if let Some(operation) = &parameters.operation {
        only(&mut components, name, operation)?;
    }
    Ok(told(&subject, question, components))
}

/// Who is asked.
enum Subject<'a> {
    Hub { release: &'a str },
    Component { name: &'a Name, version: &'a str, digest: Digest },
}

/// Leaves one operation of all.
fn only(components: &mut Vec<ComponentDescription>, name: &Name, wanted: &str) -> Result<(), Unknown> {
    let known: Vec<String> = components
        .iter()
        .flat_map(|component| &component.operations)
        .map(|operation| operation.selector.to_string())
        .collect();
    let within = format!("{name}.{wanted}");
    let is_it = |operation: &OperationDescription| {
        let selector = operation.selector.to_string();
        selector == wanted || selector == within
    };
    for component in components.iter_mut() {
        component.operations.retain(is_it);
    }
    components.retain(|component| !component.operations.is_empty());
    if components.is_empty() {
        let near = crate::near::near(wanted, known.iter().map(String::as_str));
        return Err(Unknown::Operation { operation: wanted.to_owned(), near });
    }
    Ok(())
}

/// One operation on one line.
#[derive(Serialize)]
struct Line<'a> {
    selector: &'a Selector,
    kind: OperationKind,
    promise: &'a str,
    #[serde(skip_serializing_if = "<[IntentType]>::is_empty")]
    handles: &'a [IntentType],
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'a str>,
}

/// The schemas of one operation.
#[derive(Serialize)]
struct Schemas<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<&'a Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'a Json>,
}

fn told(subject: &Subject<'_>, question: Question, components: Vec<ComponentDescription>) -> Json {
    use serde_json::json;
    let operations = || components.iter().flat_map(|component| &component.operations);
    match question {
        Question::Help => Json::of(&help(subject, &components)),
        Question::Describe => match (subject, components.as_slice()) {
            (Subject::Component { .. }, [one]) => Json::of(one),
            _ => Json::of(&json!({ "components": components })),
        },
        Question::Components => {
            let one = |component: &ComponentDescription| {
                json!({
                    "name": component.name, "version": component.version, "digest": component.digest,
                    "shape": component.shape, "summary": component.summary, "operations": component.operations.len(),
                })
            };
            Json::of(&json!({ "components": components.iter().map(one).collect::<Vec<_>>() }))
        }
        Question::Services => {
            let services = services(operations());
            let one = |((component, service), operations): (&(&Name, &Name), &Vec<&Name>)| json!({ "component": component, "service": service, "operations": operations });
            Json::of(&json!({ "services": services.iter().map(one).collect::<Vec<_>>() }))
        }
        Question::Operations => Json::of(&json!({ "operations": operations().map(line).collect::<Vec<_>>() })),
        Question::Schema => {
            let schemas: BTreeMap<String, Schemas<'_>> = operations()
                .map(|operation| {
                    let schemas = Schemas { input: operation.input.as_ref(), output: operation.output.as_ref() };
                    (operation.selector.to_string(), schemas)
                })
                .collect();
            Json::of(&schemas)
        }
        Question::Tree => {
            let mut tree: BTreeMap<&Name, BTreeMap<&Name, BTreeMap<&Name, &str>>> = BTreeMap::new();
            for operation in operations() {
                let Selector { component, service, operation: name } = &operation.selector;
                let summary = operation.summary.as_deref().unwrap_or_default();
                tree.entry(component).or_default().entry(service).or_default().insert(name, summary);
            }
            Json::of(&tree)
        }
        Question::Version => Json::of(&match subject {
            Subject::Hub { release } => json!({ "name": HUB, "version": release }),
            Subject::Component { name, version, digest } => {
                json!({ "name": name, "version": version, "digest": digest })
            }
        }),
    }
}

fn line(operation: &OperationDescription) -> Line<'_> {
    Line {
        selector: &operation.selector,
        kind: operation.kind,
        promise: &operation.promise,
        handles: &operation.handles,
        summary: operation.summary.as_deref(),
    }
}

fn services<'a>(
    operations: impl Iterator<Item = &'a OperationDescription>,
) -> BTreeMap<(&'a Name, &'a Name), Vec<&'a Name>> {
    let mut services: BTreeMap<_, Vec<&Name>> = BTreeMap::new();
    for OperationDescription { selector, .. } in operations {
        services.entry((&selector.component, &selector.service)).or_default().push(&selector.operation);
    }
    services
}

/// What a person reads, line by line.
#[derive(Serialize)]
struct Help {
    text: String,
}

fn help(subject: &Subject<'_>, components: &[ComponentDescription]) -> Help {
    let (name, mut text) = match subject {
        Subject::Hub { release } => (HUB, format!("{HUB} {release}: durable execution for code you cannot rewrite\n")),
        Subject::Component { name, version, .. } => {
            let summary = components.iter().find_map(|component| component.summary.as_deref());
            let summary = summary.map(|summary| format!(": {summary}")).unwrap_or_default();
            (name.as_str(), format!("{name} {version}{summary}\n"))
        }
    };
    for operation in components.iter().flat_map(|component| &component.operations) {
        let summary = operation.summary.as_deref().map(|summary| format!("  {summary}")).unwrap_or_default();
        text.push_str(&format!("\n  {}{summary} ({})", operation.selector, operation.promise));
    }
    let example = components.iter().flat_map(|component| &component.operations).next();
    if let Some(Selector { component, service, operation }) = example.map(|operation| &operation.selector) {
        text.push_str(&format!(
            "\n\nCall one:\n  enact run {component}.{service}.{operation} --input '{{…}}'\n  \
             POST /rest/v1/{component}/{service}/{operation}"
        ));
    }
    let all = Question::ALL.map(Question::as_str).join("|");
    text.push_str(&format!(
        "\n\nAsk more:\n  enact run {name}.{SERVICE}.({all})\n  GET /rest/v1/{name}/{SERVICE}/({all})\n"
    ));
    Help { text }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;
    use crate::component::files::MemoryFiles;
    use crate::component::read_component;

    fn catalog() -> Catalog {
        let text = "component: pricing\nversion: 1.4.0\nsummary: what things cost\nprocess: { command: [x] }\nservices:\n  \
                    quote:\n    total: { kind: query, summary: adds up, handles: [add_up], input: { type: object }, output: { type: number } }\n    \
                    issue: { kind: command }\n";
        let older = text.replace("1.4.0", "1.3.0").replace("issue", "issue_old");
        [older, text.to_owned()].iter().fold(Catalog::default(), |catalog, text| {
            let component = Arc::new(read_component(text, "component.yaml", &MemoryFiles::default()).unwrap());
            catalog.with_added(Arc::clone(&component), component_digest(&component))
        })
    }

    fn ask(name: &str, question: Question, parameters: &Value) -> Result<Value, Unknown> {
        let parameters = serde_json::from_value(parameters.clone()).unwrap();
        answer(&catalog(), &name.parse().unwrap(), question, &parameters, "9.9.9").map(|json| json.to_value())
    }

    #[test]
    fn every_question_is_answered_by_the_hub_and_by_a_component() {
        for name in [HUB, "pricing"] {
            let told = |question| ask(name, question, &json!({})).unwrap();
            assert_eq!(told(Question::Tree), json!({ "pricing": { "quote": { "issue": "", "total": "adds up" } } }));
            assert_eq!(
                told(Question::Services),
                json!({ "services": [{ "component": "pricing", "service": "quote", "operations": ["issue", "total"] }] })
            );
            assert_eq!(told(Question::Components)["components"][0]["version"], "1.4.0");
            assert_eq!(told(Question::Operations)["operations"][1]["handles"], json!(["add-up"]));
            assert_eq!(told(Question::Schema)["pricing.quote.total"]["output"], json!({ "type": "number" }));
            let help = told(Question::Help)["text"].as_str().unwrap().to_owned();
            assert!(help.contains("pricing.quote.total  adds up (may run again)"), "{help}");
            assert!(help.contains(&format!("GET /rest/v1/{name}/meta/")), "{help}");
        }
        assert_eq!(ask(HUB, Question::Version, &json!({})).unwrap(), json!({ "name": "enact", "version": "9.9.9" }));
        assert_eq!(ask("pricing", Question::Version, &json!({})).unwrap()["version"], "1.4.0");
        assert_eq!(ask(HUB, Question::Describe, &json!({})).unwrap()["components"][0]["name"], "pricing");
        assert_eq!(ask("pricing", Question::Describe, &json!({})).unwrap()["name"], "pricing");
    }

    #[test]
    fn one_version_and_one_operation_can_be_asked_for() {
        let old = ask("pricing", Question::Tree, &json!({ "version": "1.3.0" })).unwrap();
        assert_eq!(old, json!({ "pricing": { "quote": { "issue-old": "", "total": "adds up" } } }));
        for operation in ["pricing.quote.total", "quote.total"] {
            let schema = ask("pricing", Question::Schema, &json!({ "operation": operation })).unwrap();
            assert_eq!(schema.as_object().unwrap().keys().collect::<Vec<_>>(), ["pricing.quote.total"]);
        }
    }

    #[test]
    fn what_is_not_there_is_named_with_what_is_near() {
        let hint = |name, parameters| {
            let unknown = ask(name, Question::Describe, &parameters).unwrap_err();
            format!("{unknown}: {}", unknown.hint())
        };
        assert_eq!(hint("pricng", json!({})), "there is no component pricng: did you mean pricing?");
        assert_eq!(
            hint("pricing", json!({ "version": "9" })),
            "there is no component pricing 9: did you mean pricing?"
        );
        assert_eq!(
            hint("pricing", json!({ "operation": "quote.totl" })),
            "there is no operation \"quote.totl\": did you mean pricing.quote.total?"
        );
        assert!(hint(HUB, json!({ "version": "1" })).starts_with("the hub has no version \"1\""));
    }

    #[test]
    fn the_names_of_meta_are_kept_free() {
        let faults = |text: &str| read_component(text, "component.yaml", &MemoryFiles::default()).unwrap_err();
        let found = faults(
            "component: enact\nversion: 1.0.0\nprocess: { command: [x] }\nservices: { meta: { help: { kind: query } } }\n",
        );
        let messages: Vec<&str> = found.iter().map(|fault| fault.message.as_str()).collect();
        assert_eq!(messages.len(), 2, "{messages:?}");
        assert!(messages[0].contains("that of the hub") && messages[1].contains("there already"), "{messages:?}");
        for (at, question) in Question::ALL.into_iter().enumerate() {
            assert_eq!(Question::named(question.as_str()), Some(Question::ALL[at]));
        }
        assert_eq!(Question::named("halp"), None);
    }

    #[test]
    fn an_intent_of_its_names_is_told_where_it_is_answered() {
        let told = |intent_type: &str| {
            let solution = enact_model::id::SolutionId::default_solution();
            let error = catalog().resolve(&intent_type.parse().unwrap(), &solution).unwrap_err();
            format!("{error}: {}", error.hint())
        };
        for name in [HUB, "pricing"] {
            for question in Question::ALL.map(Question::as_str) {
                let told = told(&format!("{name}.meta.{question}"));
                assert!(told.contains("without an intent"), "{told}");
                assert!(told.contains(&format!("`GET /rest/v1/{name}/meta/{question}`")), "{told}");
                assert!(told.contains(&format!("`enact run {name}.meta.{question}`")), "{told}");
            }
        }
        for slip in ["pricing.meta.tre", "pricng.meta.tree"] {
            let told = told(slip);
            assert!(told.contains("it is unknown: did you mean ") && told.contains("pricing.meta.tree"), "{told}");
        }
    }

    #[test]
    fn a_pattern_that_is_about_meta_alone_is_told_from_one_that_is_not() {
        let text = "solution: s\nallow: { viewer: [\"*.meta.*\", pricing.meta.help, \"*\", \"pricing.*\"], operator: [\"meta.*\"] }\n";
        let solution = crate::solution::read_solution(text, "solution.yaml").unwrap();
        assert_eq!(needless(&solution), [("viewer", "*.meta.*"), ("viewer", "pricing.meta.help")]);
    }
}
