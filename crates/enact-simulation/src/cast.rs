//! Who plays: the components of the simulation, as facts that the oracle reads and as descriptors that the hub gets.

use std::sync::Arc;

use enact_catalog::component::component_digest;
use enact_model::descriptor::{Component, OperationKind, Solution};
use enact_model::digest::Digest;
use enact_model::id::{SinkId, TenantId};
use serde_json::{Value, json};

use OperationKind::{Command, Query};

/// One operation, as far as the rules look at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// `component.service.operation`.
    pub selector: &'static str,
    /// Query or command.
    pub kind: OperationKind,
    /// Whether it may run again with the same token.
    pub idempotent: bool,
    /// Attempts, shortest and longest pause in milliseconds; what it has if its descriptor is silent is [`SILENT`].
    pub retry: Option<(u32, u64, u64)>,
    /// Whether only what did not reach the handler is tried again.
    pub not_reached_only: bool,
    /// Deadline of an attempt in milliseconds.
    pub timeout_ms: u64,
    /// How many at once in versions 1.0.0, 1.1.0 and 2.0.0, and whether `/customer` tells them apart.
    pub gate: Option<([u32; 3], bool)>,
    /// The operation that finds out what became of an attempt in doubt.
    pub reconcile: Option<&'static str>,
    /// Whether its handler answers with an envelope of effects.
    pub envelope: bool,
    /// The event of a completed outcome, keyed by `/customer`.
    pub done: Option<&'static str>,
    /// The event of a failed outcome.
    pub failed: Option<&'static str>,
    /// The key of session state that is set to `/input/n`.
    pub sets: Option<&'static str>,
    /// Whether `/document` of its input is a reference.
    pub document: bool,
    /// A further intent type that reaches it.
    pub handles: Option<&'static str>,
}

/// Attempts and pauses of an operation without `retry`: only what was not reached is tried again.
pub const SILENT: (u32, u64, u64) = (3, 200, 30_000);

const PLAIN: Part = Part {
    selector: "",
    kind: Query,
    idempotent: false,
    retry: None,
    not_reached_only: false,
    timeout_ms: 2_000,
    gate: None,
    reconcile: None,
    envelope: false,
    done: None,
    failed: None,
    sets: None,
    document: false,
    handles: None,
};

/// Every operation of the cast.
pub const PARTS: &[Part] = &[
    Part { selector: "shop.main.look", retry: Some((3, 100, 1_000)), sets: Some("looked"), ..PLAIN },
    Part { selector: "shop.main.pay", kind: Command, done: Some("shop.paid"), failed: Some("shop.unpaid"), ..PLAIN },
    Part {
        selector: "shop.main.ship",
        kind: Command,
        retry: Some((4, 50, 400)),
        not_reached_only: true,
        reconcile: Some("shop.main.tell"),
        done: Some("shop.shipped"),
        failed: Some("shop.unshipped"),
        ..PLAIN
    },
    Part {
        selector: "shop.main.tell",
        retry: Some((2, 100, 100)),
        done: Some("shop.told"),
        failed: Some("shop.untold"),
        ..PLAIN
    },
    Part {
        selector: "shop.main.book",
        kind: Command,
        idempotent: true,
        retry: Some((5, 100, 2_000)),
        gate: Some(([2, 1, 3], true)),
        envelope: true,
        done: Some("shop.booked"),
        ..PLAIN
    },
    Part {
        selector: "shop.main.print",
        kind: Command,
        idempotent: true,
        timeout_ms: 700,
        gate: Some(([2, 1, 1], false)),
        done: Some("shop.printed"),
        failed: Some("shop.jammed"),
        ..PLAIN
    },
    Part { selector: "shop.main.read", document: true, ..PLAIN },
    Part { selector: "shop.main.sign", kind: Command, envelope: true, gate: Some(([1, 1, 1], true)), ..PLAIN },
    Part { selector: "desk.main.find", handles: Some("find-thing"), done: Some("desk.found"), ..PLAIN },
    Part { selector: "rival.main.find", handles: Some("find-thing"), ..PLAIN },
];

/// The versions that a component of the cast may have.
pub const VERSIONS: [&str; 3] = ["1.0.0", "1.1.0", "2.0.0"];
/// Its tenants.
pub const TENANTS: [&str; 3] = ["acme", "bolt", "cork"];
/// Where messages go whose solution names no sink.
pub const DEFAULT_SINK: &str = "main";
/// The schema that every output has.
const OUTPUT: &str = r#"{"type":"object","required":["ok"],"properties":{"ok":{"type":"boolean"}}}"#;
/// The schema that every input has; a reconciler's is another.
const INPUT: &str =
    r#"{"type":"object","required":["n"],"properties":{"n":{"type":"integer"},"customer":{"type":"string"}}}"#;

impl Part {
    /// Finds an operation of the cast.
    pub fn of(selector: &str) -> Option<&'static Self> {
        PARTS.iter().find(|part| part.selector == selector)
    }
    /// Returns whether another attempt may follow one that may have run.
    pub fn may_run_again(&self) -> bool {
        self.kind == Query || self.idempotent
    }
    /// Returns the component's name.
    pub fn component(&self) -> &'static str {
        self.selector.split('.').next().unwrap_or_default()
    }
    /// Returns how many may run at once in a version.
    pub fn limit(&self, version: &str) -> Option<u32> {
        let (limits, _) = self.gate?;
        VERSIONS.iter().zip(limits).find(|(known, _)| **known == version).map(|(_, limit)| limit)
    }

    fn descriptor(&self, version: &str) -> Value {
        let mut emits = Vec::new();
        if let Some(event) = self.done {
            emits.push(json!({"event_type": event, "on": "completed", "key": "/customer"}));
        }
        if let Some(event) = self.failed {
            emits.push(json!({"event_type": event, "on": "failed", "key": "/customer"}));
        }
        let input = if self.selector == "shop.main.tell" { "{}" } else { INPUT };
        let mut call = json!({"stdin": "json"});
        if self.document {
            call = json!({"args": [{"file": "/document"}]});
        }
        let mut value = json!({
            "kind": self.kind, "idempotent": self.idempotent, "call": call, "timeout_ms": self.timeout_ms,
            "input": serde_json::from_str::<Value>(input).expect("the schema is JSON"),
            "returns": if self.envelope { "effects" } else { "output" },
            "emits": emits,
            "handles": self.handles.iter().collect::<Vec<_>>(),
        });
        let object = value.as_object_mut().expect("a descriptor is an object");
        if self.selector != "shop.main.tell" {
            object.insert("output".into(), serde_json::from_str(OUTPUT).expect("the schema is JSON"));
        }
        if let Some((attempts, min, max)) = self.retry {
            let on = if self.not_reached_only { "not_reached" } else { "any" };
            let retry = json!({"attempts": attempts, "backoff_min_ms": min, "backoff_max_ms": max, "on": on});
            object.insert("retry".into(), retry);
        }
        if let (Some(limit), Some((_, keyed))) = (self.limit(version), self.gate) {
            let key = keyed.then_some("/customer");
            object.insert("concurrency".into(), json!({"limit": limit, "key": key}));
        }
        if let Some(reconcile) = self.reconcile {
            object.insert("reconcile".into(), reconcile.into());
        }
        if let Some(key) = self.sets {
            let state = json!([{"scope": "session", "key": key, "value": "/input/n"}]);
            object.insert("state".into(), state);
        }
        value
    }
}

/// Makes a component version with its digest; `other` gives it another content under the same version.
///
/// # Panics
/// When the cast does not make a component: a fault of this file.
pub fn component(name: &str, version: &str, other: bool) -> (Arc<Component>, Digest) {
    let mut operations = serde_json::Map::new();
    for part in PARTS.iter().filter(|part| part.component() == name) {
        let operation = part.selector.rsplit('.').next().unwrap_or_default();
        operations.insert(operation.to_owned(), part.descriptor(version));
    }
    let value = json!({
        "name": name, "version": version, "summary": if other { "another content" } else { "of the cast" },
        "shape": {"process": {"command": ["./program"], "mode": "oneshot"}},
        "services": {"main": operations},
    });
    let component: Component = serde_json::from_value(value).expect("the cast makes a component");
    let digest = component_digest(&component);
    (Arc::new(component), digest)
}

/// Makes a solution; the third asks for a component that never exists.
///
/// # Panics
/// When the cast does not make a solution: a fault of this file.
pub fn solution(variant: u64) -> Arc<Solution> {
    let value = match variant {
        0 => json!({"name": "sales", "components": {"shop": "*", "desk": "*"}, "sinks": ["audit", "mail"],
            "intents": {"find-thing": "desk.main.find", "sell": "shop.main.pay"}}),
        1 => {
            json!({"name": "sales", "components": {"shop": "*"}, "sinks": ["audit"], "intents": {"sell": "shop.main.book"}})
        }
        2 => json!({"name": "lost", "components": {"ghost": "*"}, "intents": {"haunt": "ghost.main.none"}}),
        _ => json!({"name": "plain", "components": {"desk": "*"}, "intents": {}}),
    };
    Arc::new(serde_json::from_value(value).expect("the cast makes a solution"))
}

/// Reads a tenant's name.
///
/// # Panics
/// When it is none.
pub fn tenant(name: &str) -> TenantId {
    name.parse().expect("the cast's tenants have names")
}

/// Reads a sink's name.
///
/// # Panics
/// When it is none.
pub fn sink(name: &str) -> SinkId {
    name.parse().expect("the cast's sinks have names")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_component_of_the_cast_has_a_descriptor_that_the_model_reads() {
        for name in ["shop", "desk", "rival"] {
            for version in VERSIONS {
                let (component, digest) = component(name, version, false);
                assert_eq!(component.operations().count(), PARTS.iter().filter(|p| p.component() == name).count());
                assert_ne!(digest, super::component(name, version, true).1);
            }
        }
    }
}
