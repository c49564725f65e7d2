//! What `component describe` shows: operations, schemas, limits, and what is promised about repetition.

use std::collections::BTreeMap;

use enact_model::descriptor::{Argument, Component, JavaCall, Operation, OperationKind, RetryOn, Shape, Stdin};
use enact_model::digest::Digest;
use enact_model::id::{IntentType, Name, SecretName, Selector};
use enact_model::json::Json;
use enact_model::limits;
use serde::Serialize;

use crate::component::component_digest;
use crate::quantity::print_ms;

/// One component, described.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ComponentDescription {
    /// Its name.
    pub name: Name,
    /// Its version.
    pub version: String,
    /// Its digest.
    pub digest: Digest,
    /// One line for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// How it is packaged.
    pub shape: &'static str,
    /// What is run.
    pub command: Vec<String>,
    /// The Java that it needs, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub java: Option<String>,
    /// The files of its package.
    pub files: Vec<String>,
    /// The secrets that its handlers are given: the variable, and the name of the secret.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// The folders that it takes files from.
    pub roots: Vec<String>,
    /// Its operations.
    pub operations: Vec<OperationDescription>,
}

/// One operation, described.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OperationDescription {
    /// Its address, and its first intent type.
    pub selector: Selector,
    /// Further intent types.
    pub handles: Vec<IntentType>,
    /// One line for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// Whether it changes anything.
    pub kind: OperationKind,
    /// How often it may run.
    pub repetition: Repetition,
    /// That, in words.
    pub promise: String,
    /// The deadline of one attempt, in milliseconds.
    pub timeout_ms: u64,
    /// How it is tried again, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<String>,
    /// How many run at once, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<String>,
    /// The operation that undoes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compensate: Option<Selector>,
    /// The operation that tells what became of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reconcile: Option<Selector>,
    /// The schema of the parameters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Json>,
    /// The schema of the output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Json>,
    /// The pointers at which the input names references.
    pub references: Vec<String>,
    /// The artifacts that it produces.
    pub produces: Vec<String>,
    /// The secrets that it is given beside those of the component.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// What is called in a jar, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls: Option<String>,
    /// The events that it promises.
    pub emits: Vec<String>,
    /// The state keys that it changes.
    pub state: Vec<String>,
    /// Most bytes of its standard output and of each artifact.
    pub output_max_bytes: u64,
}

/// How often a handler may run for one execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Repetition {
    /// A query: it may run again.
    MayRunAgain,
    /// An idempotent command: every attempt gets the same token.
    AtLeastOnceWithToken,
    /// Any other command: an attempt in doubt is reconciled.
    AtMostOnceReconciled,
    /// Any other command: an attempt in doubt is escalated.
    AtMostOnce,
}

impl Repetition {
    /// Tells what is promised of an operation.
    pub fn of(operation: &Operation) -> Self {
        match (operation.kind, operation.idempotent, &operation.reconcile) {
            (OperationKind::Query, ..) => Self::MayRunAgain,
            (OperationKind::Command, true, _) => Self::AtLeastOnceWithToken,
            (OperationKind::Command, false, Some(_)) => Self::AtMostOnceReconciled,
            (OperationKind::Command, false, None) => Self::AtMostOnce,
        }
    }
    /// Returns the promise in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::MayRunAgain => "may run again",
            Self::AtLeastOnceWithToken => "at least once with a token",
            Self::AtMostOnceReconciled => "at most once; an attempt in doubt is reconciled",
            Self::AtMostOnce => "at most once; an attempt in doubt is escalated",
        }
    }
}

/// Describes a component.
pub fn describe(component: &Component) -> ComponentDescription {
    let command = match &component.shape {
        Shape::Process(process) => process.command.clone(),
        // What follows the options of the JVM; which Java it is, is a matter of the machine.
        Shape::Jar(jar) => ["java", "-cp", &jar.paths.join(":")].map(str::to_owned).to_vec(),
    };
    ComponentDescription {
        name: component.name.clone(),
        version: component.version.clone(),
        digest: component_digest(component),
        summary: component.summary.clone(),
        shape: component.shape.key(),
        command,
        java: match &component.shape {
            Shape::Process(_) => None,
            Shape::Jar(jar) => Some(match &jar.jvm {
                None => jar.wants().to_string(),
                Some(name) => format!("{}, in the JVM {name} that it shares", jar.wants()),
            }),
        },
        files: component.shape.files().keys().cloned().collect(),
        secrets: secrets(&component.secrets),
        roots: component.shape.roots().iter().map(|(name, path)| format!("{name}: {}", path.display())).collect(),
        operations: component.operations().map(|(selector, operation)| of_operation(selector, operation)).collect(),
    }
}

fn secrets(named: &BTreeMap<String, SecretName>) -> Vec<String> {
    named.iter().map(|(key, name)| format!("{key}: {name}")).collect()
}

fn of_operation(selector: Selector, operation: &Operation) -> OperationDescription {
    let repetition = Repetition::of(operation);
    let retry = operation.retry.as_ref().map(|retry| {
        let on = match retry.on {
            RetryOn::Any => "",
            RetryOn::NotReached => ", only if the handler was not reached",
        };
        let (least, most) = (print_ms(retry.backoff_min_ms), print_ms(retry.backoff_max_ms));
        format!("{} attempts, pauses of {least} to {most}{on}", retry.attempts)
    });
    let concurrency = operation.concurrency.as_ref().map(|concurrency| match &concurrency.key {
        Some(key) => format!("{} at once for each {}", concurrency.limit, key.0),
        None => format!("{} at once", concurrency.limit),
    });
    OperationDescription {
        selector,
        handles: operation.handles.clone(),
        summary: operation.summary.clone(),
        kind: operation.kind,
        repetition,
        promise: repetition.words().to_owned(),
        timeout_ms: operation.timeout_ms,
        retry,
        concurrency,
        compensate: operation.compensate.clone(),
        reconcile: operation.reconcile.clone(),
        input: operation.input.clone(),
        output: operation.output.clone(),
        references: references(operation),
        produces: operation.produces.iter().map(|p| format!("{} ({})", p.artifact, p.media_type)).collect(),
        secrets: secrets(&operation.secrets),
        calls: operation.call.java.as_ref().map(java),
        emits: operation.emits.iter().map(|emit| emit.event_type.clone()).collect(),
        state: operation.state.iter().map(|effect| effect.key.clone()).collect(),
        output_max_bytes: operation.call.output_max_bytes.unwrap_or(limits::CAPTURE_MAX_BYTES),
    }
}

fn java(call: &JavaCall) -> String {
    match call {
        JavaCall::Run(main) => format!("{}.main(String[])", main.class),
        JavaCall::Method(method) => {
            let params = method.params.iter().flatten();
            let params: Vec<String> = params
                .map(|param| match &param.of {
                    Some(of) => format!("{}: {of}", param.name),
                    None => param.name.clone(),
                })
                .collect();
            let params = if method.params.is_some() { params.join(", ") } else { "…".to_owned() };
            format!("{}.{}({params})", method.class, method.method)
        }
    }
}

fn references(operation: &Operation) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let files = operation.call.args.iter().filter_map(|argument| match argument {
        Argument::File(pointer) => Some(pointer),
        _ => None,
    });
    let stdin = match &operation.call.stdin {
        Stdin::File(pointer) => Some(pointer),
        _ => None,
    };
    for pointer in files.chain(stdin).chain(operation.produces.iter().flat_map(|p| &p.derived_from)) {
        if !found.contains(&pointer.0) {
            found.push(pointer.0.clone());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::files::MemoryFiles;
    use crate::component::read_component;

    #[test]
    fn the_promise_about_repetition_follows_from_kind_idempotent_and_reconcile() {
        let text = "component: c\nversion: 1.0.0\nprocess: { command: [true] }\nservices:\n  s:\n    look: { kind: query }\n    \
                    put: { kind: command, idempotent: true }\n    pay: { kind: command, reconcile: look }\n    \
                    send: { kind: command, retry: { attempts: 3, on: not_reached }, serialize: true }\n";
        let description = describe(&read_component(text, "component.yaml", &MemoryFiles::default()).unwrap());
        let promises: Vec<(&str, &str)> = description
            .operations
            .iter()
            .map(|operation| (operation.selector.operation.as_str(), operation.promise.as_str()))
            .collect();
        let expected = [
            ("look", "may run again"),
            ("pay", "at most once; an attempt in doubt is reconciled"),
            ("put", "at least once with a token"),
            ("send", "at most once; an attempt in doubt is escalated"),
        ];
        assert_eq!(promises, expected);
        let send = description.operations.last().unwrap();
        assert_eq!(
            send.retry.as_deref(),
            Some("3 attempts, pauses of 200ms to 30s, only if the handler was not reached")
        );
        assert_eq!(send.concurrency.as_deref(), Some("1 at once"));
        assert_eq!(send.timeout_ms, 60_000);
    }
}
