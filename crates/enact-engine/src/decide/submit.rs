//! Submit: from an intent to an execution, to the one that was there before, or to a rejection with its reasons.

use std::borrow::Cow;
use std::sync::Arc;

use enact_catalog::catalog::{ResolveError, Resolved};
use enact_catalog::effects;
use enact_model::conclusion::{Conclusion, DetailCode};
use enact_model::digest::Digest;
use enact_model::execution::{Gate, Pin, Wake};
use enact_model::id::{ExecutionId, TenantId};
use enact_model::intent::{InputFault, Intent};
use enact_model::limits::REJECTED_EXCERPT_MAX_BYTES;
use enact_model::record::{Acceptance, Body, Rejection};
use enact_model::table::{IntentRow, Key};
use enact_model::time::Timestamp;
use serde_json::Value;

use super::session::ANOTHER_NAME;
use super::{World, refused};
use crate::command::{Answer, Command, CommandBody, Refused};
use crate::conclude as code;
use crate::scratch::Scratch;
use crate::slots;
use crate::view::{Need, Typed};

/// Most faults that a rejection keeps.
const REJECTED_FAULTS_MAX: usize = 32;
/// Most bytes of one fault's place, message and hint each, and of what the intent calls its type.
const REJECTED_TEXT_MAX_BYTES: usize = 512;
/// How long a caller is asked to wait when too much is open.
const OVERLOAD_PAUSE_MS: u64 = 1_000;

/// Why an intent is not admitted.
pub(super) struct Refusal {
    code: DetailCode,
    faults: Vec<InputFault>,
}

impl Refusal {
    fn one(code: DetailCode, fault: InputFault) -> Self {
        Self { code, faults: vec![fault] }
    }
    /// Bounds what the log keeps: faults quote what the caller sent, which may be large.
    fn cut(&self) -> Self {
        let short = |text: &String| cut(text, REJECTED_TEXT_MAX_BYTES);
        let fault = |fault: &InputFault| InputFault {
            at: short(&fault.at),
            message: short(&fault.message),
            hint: fault.hint.as_ref().map(short),
        };
        Self { code: self.code, faults: self.faults.iter().take(REJECTED_FAULTS_MAX).map(fault).collect() }
    }
    fn conclusion(&self) -> Conclusion {
        let message = match self.faults.as_slice() {
            [one] => one.to_string(),
            many => {
                let list: Vec<String> = many.iter().map(ToString::to_string).collect();
                format!("{} faults: {}", many.len(), list.join("; "))
            }
        };
        let mut conclusion = Conclusion::new(self.code, message);
        conclusion.hint = self.faults.iter().find_map(|fault| fault.hint.clone());
        conclusion
    }
    /// Answers a command that leaves no rejection in the log.
    pub(super) fn answer(self) -> Answer {
        let conclusion = self.conclusion();
        Answer::Refused(Box::new(Refused { conclusion, faults: self.faults, retry_after_ms: None }))
    }
}

pub(super) fn submit(scratch: &mut Scratch<'_>, world: &World<'_>, command: &Command) -> Result<Answer, Need> {
    let CommandBody::Submit { intent, parameters, named_here, suppressed, role } = &command.body else {
        return Ok(Answer::Noted);
    };
    if let Some(answer) = repeated(scratch, intent, *named_here)? {
        return Ok(answer);
    }
    let input = parameters.to_value();
    let resolved = match admit(scratch, world, intent)? {
        Ok(resolved) => unfit(scratch, intent, &resolved, &input)?.map_or(Ok(resolved), Err),
        Err(refusal) => Err(refusal),
    };
    match resolved {
        Err(refusal) => {
            let text = parameters.as_str();
            log_rejection(scratch, world, intent_name(intent), &refusal, text, *suppressed)
        }
        Ok(resolved) => {
            if let Some(answer) = overloaded(scratch, world, intent)? {
                return Ok(answer);
            }
            // One number for both, so that no row has to lead from one to the other.
            let id = match named_here {
                true => ExecutionId::from_u128(intent.intent_id.as_u128()),
                false => command.execution_id(0),
            };
            let gate = gate_of(&resolved, &input);
            let asked = Asked { role: *role, ..Asked::default() };
            accept(scratch, world, Admission { id, intent, resolved, gate, asked })?;
            Ok(Answer::Accepted(id))
        }
    }
}

/// Everything that an accepted intent becomes an execution with.
pub(super) struct Admission<'a> {
    pub id: ExecutionId,
    pub intent: &'a Arc<Intent>,
    pub resolved: Resolved,
    pub gate: Option<Gate>,
    pub asked: Asked,
}

/// What led to an execution beside its intent.
#[derive(Default)]
pub(super) struct Asked {
    pub retry_of: Option<ExecutionId>,
    pub reason: Option<String>,
    pub role: Option<&'static str>,
    pub parent: Option<ExecutionId>,
}

/// Returns the slots that an execution with this input competes for.
pub(super) fn gate_of(resolved: &Resolved, input: &Value) -> Option<Gate> {
    let operation = resolved.operation.operation();
    operation.concurrency.as_ref().map(|concurrency| {
        let name = match effects::concurrency_key(operation, input) {
            Some(key) => format!("{}#{key}", resolved.selector),
            None => resolved.selector.to_string(),
        };
        Gate { name, limit: concurrency.limit }
    })
}

/// Accepts an intent and starts it, or lets it wait for a slot or for its time.
pub(super) fn accept(scratch: &mut Scratch<'_>, world: &World<'_>, admission: Admission<'_>) -> Result<(), Need> {
    let Admission { id, intent, resolved, gate, asked: Asked { retry_of, reason, role, parent } } = admission;
    let now = scratch.now();
    let later = intent.start_after.filter(|start| *start > now);
    let queue = slots::queue_for(scratch, world, (id, parent), gate.as_ref(), false)?;
    let wake = match (later, queue) {
        (Some(due), _) => Wake::StartAfter { due },
        (None, Some(queue)) => Wake::Slot { queue },
        (None, None) => Wake::Answer { attempt: 1 },
    };
    let starts = matches!(wake, Wake::Answer { .. });
    let acceptance = Acceptance {
        execution: id,
        intent: Arc::clone(intent),
        selector: resolved.selector.clone(),
        pin: Pin {
            name: resolved.component.name.clone(),
            version: resolved.component.version.as_str().into(),
            digest: resolved.digest,
        },
        deadline_at: intent.deadline_ms.map(|ms| Timestamp(now.0.saturating_add(ms))),
        gate,
        retry_of,
        reason,
        role: role.map(Cow::Borrowed),
        parent,
        wake,
    };
    scratch.record(Some(&intent.tenant_id), None, Body::IntentAccepted(Box::new(acceptance)))?;
    if starts && let Some(execution) = scratch.execution(&intent.tenant_id, id)? {
        slots::start(scratch, world, execution)?;
    }
    Ok(())
}

/// Answers an intent that was accepted before, under its key or under its id.
fn repeated(scratch: &Scratch<'_>, intent: &Intent, named_here: bool) -> Result<Option<Answer>, Need> {
    let tenant = &intent.tenant_id;
    if let Some(key) = &intent.idempotency_key
        && let Some(row) = scratch.idempotency_row(&Key::idempotency(tenant, &intent.intent_type, key))?
        && row.fingerprint == intent.fingerprint()
    {
        return Ok(Some(Answer::Repeated(row.execution)));
    }
    if !named_here && let Some(row) = scratch.intent(tenant, intent.intent_id)? {
        return Ok(Some(match &*row {
            IntentRow::Accepted { execution, .. } => {
                let same = scratch.execution(tenant, *execution)?.is_some_and(|known| {
                    known.intent.intent_type == intent.intent_type && known.intent.fingerprint() == intent.fingerprint()
                });
                if same { Answer::Repeated(*execution) } else { taken(intent) }
            }
            IntentRow::Rejected { rejection, .. }
                if rejection.digest == digest_of(intent) && rejection.intent_type == intent.intent_type.as_str() =>
            {
                Answer::Rejected(rejection.clone())
            }
            IntentRow::Rejected { .. } => taken(intent),
        }));
    }
    Ok(None)
}

fn taken(intent: &Intent) -> Answer {
    let message = format!("the intent id {} was used for another intent", intent.intent_id);
    refused(Conclusion::new(code::KEY_CONFLICT, message).hint("leave intent_id out, or make a new one"))
}

fn digest_of(intent: &Intent) -> Digest {
    match &intent.parameters {
        enact_model::payload::Payload::Inline(json) => Digest::of(json.as_str().as_bytes()),
        enact_model::payload::Payload::Stored { digest, .. } => *digest,
    }
}

/// Checks everything that depends neither on load nor on the parameters.
pub(super) fn admit(
    scratch: &Scratch<'_>,
    world: &World<'_>,
    intent: &Intent,
) -> Result<Result<Resolved, Refusal>, Need> {
    let tenant = &intent.tenant_id;
    if let Some(key) = &intent.idempotency_key
        && let Some(row) = scratch.idempotency_row(&Key::idempotency(tenant, &intent.intent_type, key))?
        && row.fingerprint != intent.fingerprint()
    {
        let message = format!(
            "the key {key:?} belongs to execution {}, which has other parameters, session or solution",
            row.execution
        );
        let fault = InputFault::new("idempotency_key", message).hint("use a new key for a new request");
        return Ok(Err(Refusal::one(code::KEY_CONFLICT, fault)));
    }
    let resolved = match world.catalog.resolve(&intent.intent_type, &intent.solution_id) {
        Ok(resolved) => resolved,
        Err(error) => return Ok(Err(unresolved(&error))),
    };
    if let Some(session) = scratch.session_row(&Key::session(tenant, &intent.session_id))?
        && let Some(at) = session.ended_at(scratch.now())
    {
        let how = if session.closed_at.is_some() { "was closed" } else { "expired" };
        let message = format!("session {} {how} at {at}", intent.session_id);
        let fault = InputFault::new("session_id", message).hint(ANOTHER_NAME);
        return Ok(Err(Refusal::one(code::SESSION_ENDED, fault)));
    }
    Ok(Ok(resolved))
}

/// Returns what is wrong with the parameters.
pub(super) fn unfit(
    scratch: &Scratch<'_>,
    intent: &Intent,
    resolved: &Resolved,
    input: &Value,
) -> Result<Option<Refusal>, Need> {
    let tenant = &intent.tenant_id;
    let faults = resolved.operation.validate_input(input);
    if !faults.is_empty() {
        return Ok(Some(Refusal { code: code::PARAMETERS_INVALID, faults }));
    }
    for (pointer, id) in effects::referenced(resolved.operation.operation(), input) {
        if scratch.reference_row(&Key::reference(tenant, id))?.is_none() {
            let fault = InputFault::new(pointer.0, format!("tenant {tenant} has no reference {id}"))
                .hint("upload it with `enact artifact put`, or pass a reference from an earlier output");
            return Ok(Some(Refusal::one(code::REFERENCE_UNKNOWN, fault)));
        }
    }
    Ok(None)
}

fn unresolved(error: &ResolveError) -> Refusal {
    let (code, at) = match error {
        ResolveError::UnknownSolution { .. } => (code::SOLUTION_UNKNOWN, "solution_id"),
        ResolveError::Unknown { .. } | ResolveError::Told { .. } => (code::INTENT_TYPE_UNKNOWN, "intent_type"),
        ResolveError::Ambiguous { .. } => (code::INTENT_TYPE_AMBIGUOUS, "intent_type"),
        ResolveError::Draining { .. } => (code::COMPONENT_DRAINING, "intent_type"),
    };
    Refusal::one(code, InputFault::new(at, error.to_string()).hint(error.hint()))
}

/// Refuses what is over the limits; nothing is logged.
pub(super) fn overloaded(scratch: &Scratch<'_>, world: &World<'_>, intent: &Intent) -> Result<Option<Answer>, Need> {
    let all = scratch.tally_row(&Key::tally_all())?.unwrap_or_default();
    let own = scratch.tally_row(&Key::tally(&intent.tenant_id))?.unwrap_or_default();
    let policy = world.policy;
    let size = intent.parameters.size();
    let message = if all.open >= policy.open_max {
        format!("{} executions are open, the limit is {}", all.open, policy.open_max)
    } else if own.open >= policy.open_max_per_tenant {
        let limit = policy.open_max_per_tenant;
        format!("{} executions of tenant {} are open, the limit is {limit}", own.open, intent.tenant_id)
    } else if all.bytes.saturating_add(size) > policy.queued_bytes_max {
        format!("{} bytes of parameters are open, the limit is {}", all.bytes, policy.queued_bytes_max)
    } else if own.bytes.saturating_add(size) > policy.queued_bytes_max_per_tenant {
        let (bytes, limit) = (own.bytes, policy.queued_bytes_max_per_tenant);
        format!("{bytes} bytes of parameters of tenant {} are open, the limit is {limit}", intent.tenant_id)
    } else {
        return Ok(None);
    };
    let conclusion = Conclusion::new(code::OVERLOADED, message).hint("try again later");
    let retry_after_ms = Some(OVERLOAD_PAUSE_MS);
    Ok(Some(Answer::Refused(Box::new(Refused { conclusion, faults: Vec::new(), retry_after_ms }))))
}

type IntentName<'a> = (enact_model::id::IntentId, &'a TenantId, String);

fn intent_name(intent: &Intent) -> IntentName<'_> {
    (intent.intent_id, &intent.tenant_id, intent.intent_type.to_string())
}

/// Logs an intent that did not even parse.
pub(super) fn reject(scratch: &mut Scratch<'_>, world: &World<'_>, command: &Command) -> Result<Answer, Need> {
    let CommandBody::Reject { intent_id, tenant, intent_type, faults, parameters, suppressed } = &command.body else {
        return Ok(Answer::Noted);
    };
    if scratch.intent(tenant, *intent_id)?.is_some() {
        return Ok(super::refuse(code::KEY_CONFLICT, format!("the intent id {intent_id} was used before")));
    }
    let refusal = Refusal { code: code::INTENT_INVALID, faults: faults.clone() };
    log_rejection(scratch, world, (*intent_id, tenant, intent_type.clone()), &refusal, parameters, *suppressed)
}

fn log_rejection(
    scratch: &mut Scratch<'_>,
    world: &World<'_>,
    (intent_id, tenant, intent_type): IntentName<'_>,
    refusal: &Refusal,
    parameters: &str,
    suppressed: u64,
) -> Result<Answer, Need> {
    let refusal = refusal.cut();
    let conclusion = refusal.conclusion();
    let minute = scratch.now().0 / 60_000;
    let logged =
        scratch.rejections_row(&Key::rejections(tenant))?.filter(|row| row.minute == minute).map_or(0, |row| row.count);
    if logged >= world.policy.rejections_per_minute {
        // The caller still learns what was wrong; only the record is left out, and counted.
        let retry_after_ms = Some(60_000 - scratch.now().0 % 60_000);
        let mut limited = conclusion;
        limited.code = code::REJECTIONS_LIMITED;
        limited.hint = Some(format!("more than {logged} rejections in one minute: mend the caller"));
        let faults = refusal.faults;
        return Ok(Answer::Refused(Box::new(Refused { conclusion: limited, faults, retry_after_ms })));
    }
    let rejection = Rejection {
        intent_id,
        tenant_id: tenant.clone(),
        intent_type: cut(&intent_type, REJECTED_TEXT_MAX_BYTES),
        faults: refusal.faults,
        conclusion,
        digest: Digest::of(parameters.as_bytes()),
        excerpt: cut(parameters, REJECTED_EXCERPT_MAX_BYTES),
        suppressed,
    };
    scratch.record(Some(tenant), None, Body::IntentRejected(Box::new(rejection.clone())))?;
    Ok(Answer::Rejected(Box::new(rejection)))
}

/// Cuts a text at a character boundary.
fn cut(text: &str, max_bytes: usize) -> String {
    let mut end = max_bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}
