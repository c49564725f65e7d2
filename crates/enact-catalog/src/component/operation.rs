//! One operation: kind, schemas, limits, repetition, call and declared effects.

use enact_model::descriptor::{Concurrency, Operation, OperationKind, Retry, RetryOn, Returns, Shape};
use enact_model::id::{IntentType, Name, Selector};
use enact_model::json::Json;
use enact_model::limits;
use serde_json::Value;

use super::call::{self, Around, read_pointer};
use super::declared;
use super::files::Files;
use super::secrets;
use crate::fault::Faults;
use crate::fields::{self, Fields};
use crate::quantity;
use crate::schema::{bundle, check};
use crate::yaml::{Kind, Mark, Node, cut};

pub const KEYS: [&str; 19] = [
    "summary",
    "kind",
    "idempotent",
    "call",
    "secrets",
    "input",
    "output",
    "timeout",
    "retry",
    "concurrency",
    "serialize",
    "reconcile",
    "compensate",
    "handles",
    "returns",
    "produces",
    "result",
    "emits",
    "state",
];
/// Most intent types that one operation handles.
const HANDLES_MAX: usize = 100;

/// Where an operation stands and what is known around it.
pub struct Place<'a> {
    /// The component, if it has a name.
    pub component: Option<&'a Name>,
    /// The service.
    pub service: &'a Name,
    /// The operation.
    pub name: &'a Name,
    /// Its key.
    pub mark: Mark,
    /// The shape, if it could be read.
    pub shape: Option<&'a Shape>,
    /// The folder of the descriptor.
    pub files: &'a dyn Files,
}

/// An operation that is read, with the places that later checks need.
pub struct Draft {
    /// The service.
    pub service: Name,
    /// The operation.
    pub name: Name,
    /// What it is.
    pub body: Operation,
    /// The operation that undoes it.
    pub compensate: Option<(Selector, Mark)>,
    /// The operation that tells what became of it.
    pub reconcile: Option<(Selector, Mark)>,
    /// Further intent types.
    pub handles: Vec<(IntentType, Mark)>,
}

/// Reads one operation; what is faulty in it is left at its default.
pub fn read(node: &Node, place: &Place<'_>, faults: &mut Faults) -> Option<Draft> {
    let what = format!("{}.{}", place.service, place.name);
    let fields = Fields::of(node, &what, &KEYS, faults)?;
    let kinds = [("query", OperationKind::Query), ("command", OperationKind::Command)];
    let kind = fields.choice("kind", &kinds, faults);
    if fields.get("kind").is_none() {
        let hint = "say `kind: query` if it changes nothing of its own and may run again, otherwise `kind: command`";
        faults.hint(place.mark, format!("`kind` of {what} is missing"), hint);
    }
    let idempotent = fields.flag("idempotent", faults).unwrap_or(false);
    let input = schema(&fields, "input", place.files, faults);
    let output = schema(&fields, "output", place.files, faults);
    let around = Around { shape: place.shape, files: place.files, input: input.as_ref() };
    let compensate = relation(&fields, "compensate", kind, place, faults);
    let reconcile = relation(&fields, "reconcile", kind, place, faults);
    let handles = handles(&fields, faults);
    let returns = [("output", Returns::Output), ("effects", Returns::Effects)];
    let mut body = Operation {
        summary: fields.text("summary", faults).map(str::to_owned),
        kind: kind.unwrap_or(OperationKind::Command),
        idempotent,
        call: call::read(fields.get("call"), &around, place.mark, faults),
        secrets: secrets::read(&fields, faults),
        input: input.as_ref().map(Json::from),
        output: output.as_ref().map(Json::from),
        timeout_ms: fields.duration_ms("timeout", faults).unwrap_or(limits::DEFAULT_TIMEOUT.as_millis() as u64),
        retry: None,
        concurrency: concurrency(&fields, &around, faults),
        reconcile: reconcile.as_ref().map(|(selector, _)| selector.clone()),
        compensate: compensate.as_ref().map(|(selector, _)| selector.clone()),
        handles: handles.iter().map(|(intent_type, _)| intent_type.clone()).collect(),
        returns: fields.choice("returns", &returns, faults).unwrap_or_default(),
        produces: Vec::new(),
        result: None,
        emits: Vec::new(),
        state: Vec::new(),
    };
    body.retry = retry(&fields, kind.is_none() || body.may_run_again(), &what, faults);
    declared::read(
        &fields,
        &mut body,
        &declared::Schemas { input: input.as_ref(), output: output.as_ref() },
        place,
        faults,
    );
    Some(Draft { service: place.service.clone(), name: place.name.clone(), body, compensate, reconcile, handles })
}

/// Reads, bundles and checks a schema.
fn schema(fields: &Fields<'_>, key: &str, files: &dyn Files, faults: &mut Faults) -> Option<Value> {
    let node = fields.get(key)?;
    match &node.kind {
        Kind::Map(_) | Kind::Bool(_) => {}
        Kind::Text(text) => {
            let hint = format!("refer to a file with `{key}: {{ $ref: {} }}`", cut(text, 60));
            faults.hint(node.mark, format!("`{key}` must be a JSON Schema; it is {}", node.excerpt()), hint);
            return None;
        }
        _ => {
            fields::wrong_type(node, key, "a JSON Schema", faults);
            return None;
        }
    }
    let bundled = bundle::bundle(node, files, faults)?;
    let before = faults.count();
    check::check(&bundled, faults);
    (faults.count() == before).then_some(bundled.schema)
}

fn retry(fields: &Fields<'_>, may_run_again: bool, what: &str, faults: &mut Faults) -> Option<Retry> {
    let entry = fields.entry("retry")?;
    let retry = Fields::of(&entry.value, "retry", &["attempts", "backoff", "on"], faults)?;
    if retry.get("attempts").is_none() {
        retry.missing("attempts", "retry", "say how many attempts in all, such as `attempts: 5`", faults);
    }
    let attempts = retry.whole("attempts", 1..=1_000, faults);
    let backoff = retry.quantity("backoff", quantity::range_ms, faults);
    let (backoff_min_ms, backoff_max_ms) = backoff.unwrap_or((200, 30_000));
    let on = retry.choice("on", &[("any", RetryOn::Any), ("not_reached", RetryOn::NotReached)], faults);
    if !may_run_again && on.unwrap_or(RetryOn::Any) == RetryOn::Any {
        let hint = "say `on: not_reached`, or `idempotent: true` if the program honours the idempotency token";
        faults.hint(entry.mark, format!("{what} runs at most once, so it must not be tried again"), hint);
    }
    let on = on.unwrap_or(if may_run_again { RetryOn::Any } else { RetryOn::NotReached });
    Some(Retry { attempts: attempts.unwrap_or(1) as u32, backoff_min_ms, backoff_max_ms, on })
}

fn concurrency(fields: &Fields<'_>, around: &Around<'_>, faults: &mut Faults) -> Option<Concurrency> {
    let serialize = fields.flag("serialize", faults);
    let Some(entry) = fields.entry("concurrency") else {
        return serialize.unwrap_or(false).then_some(Concurrency { limit: 1, key: None });
    };
    if let Some(other) = fields.entry("serialize") {
        faults.hint(
            other.mark,
            "`serialize` stands beside `concurrency`",
            "`serialize: true` is `concurrency: { limit: 1 }`",
        );
    }
    let map = Fields::of(&entry.value, "concurrency", &["limit", "key"], faults)?;
    if map.get("limit").is_none() {
        map.missing("limit", "concurrency", "say how many at once, such as `limit: 8`", faults);
    }
    let limit = map.whole("limit", 1..=100_000, faults).unwrap_or(1) as u32;
    let key = map.get("key").and_then(|node| {
        let pointer = read_pointer(node, "key", faults)?;
        check::check_pointer(around.input, &pointer.0, &pointer.0, "input", node.mark, faults);
        Some(pointer)
    });
    Some(Concurrency { limit, key })
}

/// Reads `compensate` or `reconcile`: `operation`, `service.operation` or `component.service.operation`.
fn relation(
    fields: &Fields<'_>,
    key: &str,
    kind: Option<OperationKind>,
    place: &Place<'_>,
    faults: &mut Faults,
) -> Option<(Selector, Mark)> {
    let entry = fields.entry(key)?;
    if kind == Some(OperationKind::Query) {
        let message = format!("`{key}` means nothing for a query, which changes nothing");
        faults.hint(entry.mark, message, "leave it out, or say `kind: command`");
    }
    let text = fields.text(key, faults)?;
    let mark = entry.value.mark;
    let full = match (text.split('.').count(), place.component) {
        (1, Some(component)) => format!("{component}.{}.{text}", place.service),
        (2, Some(component)) => format!("{component}.{text}"),
        (3, _) => text.to_owned(),
        (1 | 2, None) => return None,
        _ => {
            let hint = "write operation, service.operation or component.service.operation";
            faults.hint(mark, format!("`{key}`: `{}` is not an operation", cut(text, 60)), hint);
            return None;
        }
    };
    fields::parsed(&full, mark, "an operation", faults).map(|selector| (selector, mark))
}

fn handles(fields: &Fields<'_>, faults: &mut Faults) -> Vec<(IntentType, Mark)> {
    let mut handles: Vec<(IntentType, Mark)> = Vec::new();
    for (text, mark) in fields.words("handles", faults).unwrap_or_default() {
        let Some(intent_type) = fields::parsed::<IntentType>(&text, mark, "an intent type", faults) else { continue };
        if handles.iter().any(|(other, _)| *other == intent_type) {
            faults.add(mark, format!("the intent type `{intent_type}` is named twice"));
        } else {
            handles.push((intent_type, mark));
        }
    }
    if handles.len() > HANDLES_MAX {
        faults.add(fields.mark(), format!("{} intent types are more than {HANDLES_MAX}", handles.len()));
    }
    handles
}
