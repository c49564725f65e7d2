//! Declared effects, evaluated purely over input, output and artifacts; and what an input says before anything runs.

use std::collections::BTreeSet;

use enact_model::descriptor::{Argument, Emit, On, Operation, Pointer, Produce, Stdin, Stdout};
use enact_model::digest::Digest;
use enact_model::envelope::{EventAsked, StateChange};
use enact_model::id::ReferenceId;
use enact_model::json::Json;
use enact_model::limits;
use serde_json::{Value, json};

use crate::pointer::{Piece, Sources, pieces, reference, walk};

/// Longest artifact name, in bytes.
pub const ARTIFACT_NAME_MAX_BYTES: usize = 255;
/// Longest concurrency key that is kept as it is, in bytes; of a longer one the digest stands for it.
pub const GATE_KEY_MAX_BYTES: usize = 256;

/// What an operation declares to be changed together with its outcome.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Declared {
    /// The output in place of what the program answered; `None` leaves that one as it is, to the digit.
    pub output: Option<Json>,
    /// Changes of state.
    pub state: Vec<StateChange>,
    /// Events; one without data carries the output of a completed outcome, the conclusion of a failed one.
    pub events: Vec<EventAsked>,
    /// Which artifact was derived from which references.
    pub derived: Vec<Derived>,
}

/// What one artifact was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Derived {
    /// The artifact, by its place in `produces`.
    pub artifact: usize,
    /// The references.
    pub from: Vec<ReferenceId>,
}

/// An effect that cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("failed to evaluate the declared effect {effect}: {reason}")]
pub struct EffectFault {
    /// Which one, such as `emits[0].key`.
    pub effect: String,
    /// Why.
    pub reason: EffectReason,
}

/// Why an effect cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EffectReason {
    /// A key is a list or an object other than a reference.
    #[error("a key must be a text, a number or a reference")]
    KeyNotScalar,
    /// A key is longer than [`limits::TEXT_MAX_BYTES`].
    #[error("the key is longer than 4096 bytes")]
    KeyTooLong,
    /// A value that must stand in a record is larger than [`limits::INLINE_MAX_BYTES`].
    #[error("the value has {0} bytes, more than 65536; keep it as an artifact and name its reference")]
    TooLarge(usize),
    /// Fewer artifacts came than are declared.
    #[error("only {0} artifacts came")]
    ArtifactMissing(usize),
    /// An artifact's name is not one.
    #[error("an artifact needs a name of 1 to 255 bytes without a /")]
    BadName,
}

fn fault(effect: impl Into<String>, reason: EffectReason) -> EffectFault {
    EffectFault { effect: effect.into(), reason }
}

/// Tells whether an operation declares anything that is evaluated over input and output.
pub fn are_declared(operation: &Operation) -> bool {
    let Operation { produces, state, emits, result, .. } = operation;
    !produces.is_empty() || !state.is_empty() || !emits.is_empty() || result.is_some()
}

/// Tells whether an operation says where in its input references stand.
pub fn look_for_references(operation: &Operation) -> bool {
    let files = operation.call.args.iter().any(|argument| matches!(argument, Argument::File(_)));
    files || matches!(operation.call.stdin, Stdin::File(_)) || !operation.produces.is_empty()
}

/// Evaluates what an operation declares for a completed outcome.
///
/// `output` is what the program answered; `artifacts` are the references of what it produced, in the order of
/// `produces`. Events and state look into the output that results, which is also the one to be held against the schema.
///
/// # Errors
/// A key that is none, a value too large for a record, an artifact that did not come.
pub fn evaluate(
    operation: &Operation,
    input: &Value,
    output: &Value,
    artifacts: &[Value],
) -> Result<Declared, EffectFault> {
    if artifacts.len() < operation.produces.len() {
        return Err(fault(format!("produces[{}]", artifacts.len()), EffectReason::ArtifactMissing(artifacts.len())));
    }
    let printed = Sources { input, output: Some(output), artifacts, failure: None };
    let made = match &operation.result {
        Some(template) => Some(printed.fill(&template.0.to_value())),
        None if !operation.produces.is_empty() && operation.call.stdout == Stdout::Ignore => {
            Some(json!({ "artifacts": artifacts }))
        }
        None => None,
    };
    let sources = Sources { output: Some(made.as_ref().unwrap_or(output)), ..printed };
    let mut state = Vec::with_capacity(operation.state.len());
    for (at, effect) in operation.state.iter().enumerate() {
        let value = effect.value.as_ref().map(|template| Json::from(&sources.fill(&template.0.to_value())));
        if let Some(value) = &value {
            within(value, || format!("state[{at}].value"))?;
        }
        state.push(StateChange {
            scope: effect.scope,
            key: effect.key.clone(),
            value,
            ttl_ms: effect.ttl_ms,
            if_version: None,
        });
    }
    let events = events(operation, On::Completed, &sources)?;
    let derived = operation.produces.iter().enumerate().map(|(artifact, produce)| Derived {
        artifact,
        from: unique(produce.derived_from.iter().filter_map(|p| sources.find(&p.0).and_then(|v| reference(&v)))),
    });
    let derived = derived.filter(|derived| !derived.from.is_empty()).collect();
    Ok(Declared { output: made.as_ref().map(Json::from), state, events, derived })
}

/// Evaluates the events that an operation declares for a failed outcome; `/failure` names the conclusion.
///
/// # Errors
/// As [`evaluate`].
pub fn evaluate_failed(operation: &Operation, input: &Value, failure: &Value) -> Result<Vec<EventAsked>, EffectFault> {
    let sources = Sources { input, output: None, artifacts: &[], failure: Some(failure) };
    events(operation, On::Failed, &sources)
}

fn events(operation: &Operation, on: On, sources: &Sources<'_>) -> Result<Vec<EventAsked>, EffectFault> {
    let wanted = operation.emits.iter().enumerate().filter(|(_, emit)| emit.on == on);
    wanted.map(|(at, emit)| event(at, emit, sources)).collect()
}

fn event(at: usize, emit: &Emit, sources: &Sources<'_>) -> Result<EventAsked, EffectFault> {
    let data = emit.data.as_ref().map(|template| Json::from(&sources.fill(&template.0.to_value())));
    if let Some(data) = &data {
        within(data, || format!("emits[{at}].data"))?;
    }
    let key = match &emit.key {
        Some(pointer) => key_text(pointer, sources).map_err(|reason| fault(format!("emits[{at}].key"), reason))?,
        None => None,
    };
    Ok(EventAsked { event_type: emit.event_type.clone(), key, subject: None, data })
}

/// Returns the text of an event's key; what is missing or null gives none.
fn key_text(pointer: &Pointer, sources: &Sources<'_>) -> Result<Option<String>, EffectReason> {
    let Some(value) = sources.find(&pointer.0) else { return Ok(None) };
    let text = match (value.as_ref(), reference(&value)) {
        (_, Some(id)) => id.to_string(),
        (Value::Null, _) => return Ok(None),
        (Value::String(text), _) => text.clone(),
        (Value::Number(_) | Value::Bool(_), _) => value.to_string(),
        (Value::Array(_) | Value::Object(_), _) => return Err(EffectReason::KeyNotScalar),
    };
    if text.len() > limits::TEXT_MAX_BYTES { Err(EffectReason::KeyTooLong) } else { Ok(Some(text)) }
}

fn within(json: &Json, effect: impl FnOnce() -> String) -> Result<(), EffectFault> {
    match json.as_str().len() {
        size if size > limits::INLINE_MAX_BYTES => Err(fault(effect(), EffectReason::TooLarge(size))),
        _ => Ok(()),
    }
}

fn unique(ids: impl Iterator<Item = ReferenceId>) -> Vec<ReferenceId> {
    let mut seen = BTreeSet::new();
    ids.filter(|id| seen.insert(*id)).collect()
}

/// Lists the references that an input names: for `file` arguments, a file on standard input, and `derived_from`.
pub fn referenced(operation: &Operation, input: &Value) -> Vec<(Pointer, ReferenceId)> {
    let mut pointers: Vec<(&Pointer, bool)> = Vec::new();
    for argument in &operation.call.args {
        if let Argument::File(pointer) = argument {
            pointers.push((pointer, true));
        }
    }
    if let Stdin::File(pointer) = &operation.call.stdin {
        pointers.push((pointer, true));
    }
    pointers.extend(operation.produces.iter().flat_map(|produce| &produce.derived_from).map(|p| (p, false)));
    let sources = Sources { input, output: None, artifacts: &[], failure: None };
    let mut found: Vec<(Pointer, ReferenceId)> = Vec::new();
    for (pointer, plain) in pointers {
        let value =
            if plain { walk(input, &pointer.0).cloned() } else { sources.find(&pointer.0).map(|v| v.into_owned()) };
        if let Some(id) = value.as_ref().and_then(reference)
            && !found.iter().any(|(other, known)| other == pointer && *known == id)
        {
            found.push((pointer.clone(), id));
        }
    }
    found
}

/// Returns the text that tells apart what runs side by side under `concurrency.key`; `None` without such a key.
///
/// It is the canonical JSON of what stands there, `null` if nothing does, and its digest if it is long.
pub fn concurrency_key(operation: &Operation, input: &Value) -> Option<String> {
    let pointer = operation.concurrency.as_ref()?.key.as_ref()?;
    let text = walk(input, &pointer.0).map_or_else(|| "null".to_owned(), Value::to_string);
    Some(if text.len() > GATE_KEY_MAX_BYTES { Digest::of(text.as_bytes()).to_string() } else { text })
}

/// Returns the name of a produced artifact, its `{/pointer}` parts replaced.
///
/// # Errors
/// A part that is missing or no scalar, a name with a `/` or of more than 255 bytes.
pub fn artifact_name(produce: &Produce, input: &Value) -> Result<String, EffectFault> {
    let bad = || fault(format!("produces.{}", produce.artifact), EffectReason::BadName);
    let sources = Sources { input, output: None, artifacts: &[], failure: None };
    let mut name = String::new();
    for piece in pieces(&produce.artifact).map_err(|_| bad())? {
        match piece {
            Piece::Text(text) => name.push_str(text),
            Piece::At(pointer) => name.push_str(&key_text(&pointer, &sources).ok().flatten().ok_or_else(bad)?),
        }
    }
    let plain = !name.contains(['/', '\0']) && !matches!(name.as_str(), "" | "." | "..");
    if plain && name.len() <= ARTIFACT_NAME_MAX_BYTES { Ok(name) } else { Err(bad()) }
}

#[cfg(test)]
mod tests;
