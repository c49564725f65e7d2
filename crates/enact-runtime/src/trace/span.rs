//! The spans of one execution: one of its own and one for each attempt. No payload stands in them, nor a message that may
//! quote one.

use enact_model::execution::Execution;
use enact_model::observation::Seen;
use enact_model::record::{Body, Record};
use enact_model::time::Timestamp;

use super::TraceContext;

/// What a span is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Somebody asked the hub for something: an execution.
    Server,
    /// The hub asked somebody for something: an attempt.
    Client,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Value {
    Text(String),
    Number(i64),
}

/// A span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Its trace.
    pub trace: u128,
    /// Its id.
    pub id: u64,
    /// The span above it.
    pub parent: Option<u64>,
    /// What it is called: an operation, of which there are few.
    pub name: String,
    /// What it is about.
    pub kind: Kind,
    /// When it began.
    pub began: Timestamp,
    /// When it was over.
    pub ended: Timestamp,
    /// Whether it failed.
    pub failed: bool,
    /// What else is known.
    pub attributes: Vec<(&'static str, Value)>,
}

impl Span {
    fn text(&mut self, name: &'static str, value: impl ToString) {
        self.attributes.push((name, Value::Text(value.to_string())));
    }
}

/// Makes the spans of a settled execution of its row and its records, in the order of the log.
pub(crate) fn spans(execution: &Execution, records: &[Record], context: &TraceContext) -> Vec<Span> {
    let ended = execution.settled_at.unwrap_or(execution.accepted_at);
    let outcome = execution.outcome.as_deref();
    let code = outcome.and_then(|outcome| outcome.conclusion()).map(|conclusion| conclusion.code);
    let mut whole = Span {
        trace: context.trace,
        id: context.span(0),
        parent: context.parent,
        name: execution.selector.to_string(),
        kind: Kind::Server,
        began: execution.accepted_at,
        ended,
        failed: code.is_some(),
        attributes: Vec::new(),
    };
    whole.text("enact.execution.id", execution.id);
    whole.text("enact.intent.id", execution.intent.intent_id);
    whole.text("enact.selector", &execution.selector);
    whole.text("enact.tenant", execution.tenant());
    whole.text("enact.component", &execution.pin.name);
    whole.text("enact.component.version", &execution.pin.version);
    whole.text("enact.outcome", outcome.map_or("none", |outcome| outcome.word()));
    whole.attributes.push(("enact.attempts", Value::Number(execution.attempt.into())));
    if let Some(code) = code {
        whole.text("error.type", code);
    }
    let mut spans = vec![whole];
    let started = records.iter().enumerate().filter_map(|(at, record)| match &record.body {
        Body::AttemptStarted { attempt, .. } => {
            Some((*attempt, record.time, records.get(at + 1..).unwrap_or_default()))
        }
        _ => None,
    });
    spans.extend(started.map(|(number, began, after)| attempt(execution, (number, began), after, context)));
    spans
}

/// Makes the span of one attempt; one of which nothing was seen lasts until something else was decided.
fn attempt(execution: &Execution, (number, began): (u32, Timestamp), after: &[Record], context: &TraceContext) -> Span {
    let seen = after.iter().enumerate().find_map(|(at, record)| match &record.body {
        Body::AttemptObserved { attempt, observation, .. } if *attempt == number => Some((at, record, observation)),
        _ => None,
    });
    let decided = after.iter().skip(seen.map_or(0, |(at, ..)| at)).find_map(|record| match &record.body {
        Body::RetryScheduled { conclusion, .. } => Some((record.time, Some(conclusion.code))),
        Body::Settled { outcome, .. } => Some((record.time, outcome.conclusion().map(|conclusion| conclusion.code))),
        _ => None,
    });
    let fault = seen.and_then(|(_, _, observation)| match &observation.seen {
        Seen::Fault(fault) => Some(fault.kind),
        Seen::Replied(_) => None,
    });
    let code = decided.and_then(|(_, code)| code);
    let mut span = Span {
        trace: context.trace,
        id: context.span(number),
        parent: Some(context.span(0)),
        name: format!("{} attempt", execution.selector),
        kind: Kind::Client,
        began,
        ended: seen.map(|(_, record, _)| record.time).or(decided.map(|(time, _)| time)).unwrap_or(began),
        failed: fault.is_some() || code.is_some() || seen.is_none(),
        attributes: Vec::new(),
    };
    span.text("enact.execution.id", execution.id);
    span.text("enact.component", &execution.pin.name);
    span.attributes.push(("enact.attempt", Value::Number(number.into())));
    if let Some(instance) = seen.and_then(|(_, _, observation)| observation.instance.as_ref()) {
        span.text("enact.instance", instance);
    }
    match (code, fault) {
        (Some(code), _) => span.text("error.type", code),
        (None, Some(kind)) => span.text("error.type", format!("{kind:?}")),
        (None, None) if seen.is_none() => span.text("error.type", "unanswered"),
        (None, None) => {}
    }
    span
}
