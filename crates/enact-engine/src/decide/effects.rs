//! What a handler returned and what its operation declares become records, all of it or nothing.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use enact_catalog::effects;
use enact_catalog::schema::Fits;
use enact_model::conclusion::Conclusion;
use enact_model::envelope::{EventAsked, ReferenceAsked, StateChange, StateScope};
use enact_model::execution::Execution;
use enact_model::id::{Lsn, MessageId, ReferenceId, SinkId, TenantId};
use enact_model::json::Json;
use enact_model::limits::{INLINE_MAX_BYTES, STATE_KEY_MAX_BYTES, TEXT_MAX_BYTES};
use enact_model::message::{EVENT_TYPE_RULE, Message, is_event_type};
use enact_model::observation::{Fault, FaultKind, Reply, StoredArtifact};
use enact_model::payload::Payload;
use enact_model::record::Body;
use enact_model::reference::{Provenance, Reference};
use enact_model::table::Key;
use serde_json::Value;

use super::session::Set;
use super::{World, refused};
use crate::apply::content_of;
use crate::command::{Answer, Command, Refused};
use crate::conclude as code;
use crate::scratch::Scratch;
use crate::view::{Need, Typed};

/// What a reply comes to.
pub(super) enum Completion {
    /// Its effects are recorded; this is the output.
    Done(Payload),
    /// None of them is.
    Refused(Box<Fault>),
}

/// Everything that is to be recorded with a completed outcome, checked before the first record is made.
#[derive(Default)]
struct Plan {
    references: Vec<Reference>,
    edges: Vec<(ReferenceId, ReferenceId)>,
    state: Vec<StateChange>,
    events: Vec<EventAsked>,
    /// What is wrong with a reference that is asked for.
    unfit: Option<Fault>,
    /// How names in an envelope's `derived` resolve.
    names: BTreeMap<String, ReferenceId>,
}

/// Checks a reply and records its effects. The output is looked into only if something is declared over it, or nobody has
/// judged it yet.
pub(super) fn complete(
    scratch: &mut Scratch<'_>,
    world: &World<'_>,
    command: &Command,
    execution: &Execution,
    reply: &Reply,
    (output, fits): (&impl Deref<Target = Value>, Option<&Fits>),
) -> Result<Completion, Need> {
    let Some(compiled) = world.operation(execution) else {
        return Ok(Completion::Refused(Box::new(FaultKind::HostGone.fault("the operation is no longer known"))));
    };
    let operation = compiled.operation();
    let are_declared = effects::are_declared(operation);
    let input = if are_declared { command.input(execution) } else { Value::Null };
    let mut plan = Plan::default();
    let mut ids = Ids::after(command, scratch);

    let mut artifacts = Vec::new();
    for artifact in &reply.artifacts {
        let reference = plan.artifact(scratch, &mut ids, execution, artifact)?;
        artifacts.push(reference.to_json().to_value());
    }
    let declared = match are_declared.then(|| effects::evaluate(operation, &input, output, &artifacts)).transpose() {
        Ok(declared) => declared.unwrap_or_default(),
        Err(fault) => return Ok(Completion::Refused(Box::new(FaultKind::EffectUnfit.fault(fault.to_string())))),
    };
    let made = declared.output.as_ref().map(Json::to_value);
    let faults = match fits.filter(|fits| made.is_none() && fits.is_of(&compiled)) {
        Some(_) => Vec::new(),
        None => compiled.validate_output(made.as_ref().unwrap_or_else(|| output)),
    };
    if !faults.is_empty() {
        let list: Vec<String> = faults.iter().map(ToString::to_string).collect();
        let fault = FaultKind::OutputInvalid.fault(format!("the output violates its schema: {}", list.join("; ")));
        return Ok(Completion::Refused(Box::new(fault)));
    }
    for derived in &declared.derived {
        let made = artifacts.get(derived.artifact).and_then(|value| value.get("id")).and_then(Value::as_str);
        let Some(to) = made.and_then(|id| id.parse().ok()) else { continue };
        plan.edges.extend(derived.from.iter().map(|from| (*from, to)));
    }
    plan.state.extend(declared.state);
    plan.events.extend(declared.events);
    if let Some(envelope) = &reply.envelope {
        plan.state.extend(envelope.state.iter().cloned());
        plan.events.extend(envelope.events.iter().cloned());
        for asked in &envelope.references {
            plan.reference(scratch, &mut ids, execution, asked)?;
        }
        for derived in &envelope.derived {
            let names = derived.from.iter().map(|from| (from, &derived.to));
            for (from, to) in names {
                match (plan.name(from), plan.name(to)) {
                    (Some(from), Some(to)) => plan.edges.push((from, to)),
                    (None, _) => return Ok(unregistered(from)),
                    (_, None) => return Ok(unregistered(to)),
                }
            }
        }
    }
    if let Some(made) = declared.output.as_ref().filter(|made| made.as_str().len() > INLINE_MAX_BYTES) {
        let message = format!("`result` makes {} bytes, more than {INLINE_MAX_BYTES}", made.as_str().len());
        return Ok(Completion::Refused(Box::new(FaultKind::EffectUnfit.fault(message))));
    }
    // By reference where the handler's own output was too large for a record.
    let final_output = declared.output.map_or_else(|| reply.output.clone(), Payload::Inline);
    let default_data = match &final_output {
        Payload::Inline(json) => json.clone(),
        Payload::Stored { digest, size } => Json::from(&serde_json::json!({ "digest": digest, "size": size })),
    };
    if let Some(fault) = plan.fault(scratch, execution)? {
        return Ok(Completion::Refused(Box::new(fault)));
    }
    plan.record(scratch, world, &mut ids, execution, &default_data)?;
    Ok(Completion::Done(final_output))
}

fn unregistered(name: &str) -> Completion {
    Completion::Refused(Box::new(
        FaultKind::EffectRefused.fault(format!("`derived` names {name}, which is not registered")),
    ))
}

/// Says why a text cannot be a key of state or of an event.
fn unfit_key(what: &str, key: &str, most: usize) -> Option<Fault> {
    let fits = (1..=most).contains(&key.len()) && !key.chars().any(char::is_control);
    let shown: String = key.chars().take(60).collect();
    let message = || format!("the key {shown:?} of {what} has not 1 to {most} bytes without control characters");
    (!fits).then(|| FaultKind::EnvelopeInvalid.fault(message()))
}

/// Ids for what a part of a command records. One command may settle several executions: the position of the next record
/// keeps their ids apart.
struct Ids<'a> {
    command: &'a Command,
    next: u64,
}

impl<'a> Ids<'a> {
    fn after(command: &'a Command, scratch: &Scratch<'_>) -> Self {
        Self { command, next: scratch.next().0 << 24 }
    }
    fn next(&mut self) -> u128 {
        self.next += 1;
        self.command.random(self.next)
    }
    fn reference(&mut self) -> ReferenceId {
        ReferenceId::from_parts(self.command.time.0, self.next())
    }
    fn message(&mut self) -> MessageId {
        MessageId::from_parts(self.command.time.0, self.next())
    }
}

impl Plan {
    /// Adds a reference unless the tenant has one for the same name and content.
    fn add(&mut self, scratch: &Scratch<'_>, reference: Reference) -> Result<Reference, Need> {
        if let Some(fault) = reference.faults().first() {
            self.refuse(FaultKind::EnvelopeInvalid, format!("reference {}", fault));
        }
        let same = |known: &&Reference| known.name == reference.name && content_of(known) == content_of(&reference);
        let known = match self.references.iter().find(same) {
            Some(known) => Some(known.clone()),
            None => registered(scratch, &reference)?,
        };
        if let Some(known) = known {
            if let Some(contradiction) = reference.contradiction(&known) {
                self.refuse(FaultKind::ReferenceConflict, contradiction);
            }
            return Ok(known);
        }
        self.references.push(reference.clone());
        Ok(reference)
    }

    fn artifact(
        &mut self,
        scratch: &Scratch<'_>,
        ids: &mut Ids<'_>,
        execution: &Execution,
        artifact: &StoredArtifact,
    ) -> Result<Reference, Need> {
        let reference = of_artifact(ids.reference(), execution, artifact, scratch);
        let reference = self.add(scratch, reference)?;
        self.names.insert(format!("artifact:{}", artifact.name), reference.id);
        Ok(reference)
    }

    fn reference(
        &mut self,
        scratch: &Scratch<'_>,
        ids: &mut Ids<'_>,
        execution: &Execution,
        asked: &ReferenceAsked,
    ) -> Result<(), Need> {
        let reference = Reference {
            id: ids.reference(),
            tenant_id: execution.tenant().clone(),
            name: asked.name.clone(),
            media_type: asked.media_type.clone(),
            digest: asked.digest,
            size: asked.size,
            uri: Some(asked.uri.clone()),
            made_by: Some(execution.id),
            registered_at: scratch.now(),
        };
        let reference = self.add(scratch, reference)?;
        self.names.insert(format!("reference:{}", asked.name), reference.id);
        Ok(())
    }

    /// Notes that all of it will be refused; the first reason counts.
    fn refuse(&mut self, kind: FaultKind, message: String) {
        self.unfit.get_or_insert_with(|| kind.fault(message));
    }

    fn name(&self, name: &str) -> Option<ReferenceId> {
        self.names.get(name).copied().or_else(|| name.parse().ok())
    }

    /// Returns the first thing that stands against recording all of it.
    fn fault(&self, scratch: &Scratch<'_>, execution: &Execution) -> Result<Option<Fault>, Need> {
        let tenant = execution.tenant();
        if let Some(unfit) = &self.unfit {
            return Ok(Some(unfit.clone()));
        }
        if let Some(event) = self.events.iter().find(|event| !is_event_type(&event.event_type)) {
            let message = format!("{:?} is not an event type: {EVENT_TYPE_RULE}", event.event_type);
            return Ok(Some(FaultKind::EnvelopeInvalid.fault(message)));
        }
        let mut touched = std::collections::BTreeSet::new();
        for change in &self.state {
            let owner = owner_of(change.scope, execution);
            if !touched.insert((change.scope, &change.key)) {
                let message = format!("state {:?} is changed twice in one envelope", change.key);
                return Ok(Some(FaultKind::EnvelopeInvalid.fault(message)));
            }
            if let Some(unfit) = unfit_key("state", &change.key, STATE_KEY_MAX_BYTES) {
                return Ok(Some(unfit));
            }
            if change.value.as_ref().is_some_and(|value| value.as_str().len() > INLINE_MAX_BYTES) {
                let message = format!("the value of state {:?} is larger than {INLINE_MAX_BYTES} bytes", change.key);
                return Ok(Some(FaultKind::EffectUnfit.fault(message)));
            }
            if let Some(conflict) = set(change, &owner).fault(scratch, tenant)? {
                return Ok(Some(FaultKind::StateConflict.fault(conflict)));
            }
        }
        let mut keys = self.events.iter().filter_map(|event| event.key.as_deref());
        if let Some(unfit) = keys.find_map(|key| unfit_key("an event", key, TEXT_MAX_BYTES)) {
            return Ok(Some(unfit));
        }
        for (from, to) in &self.edges {
            for id in [from, to] {
                let new = self.references.iter().any(|reference| reference.id == *id);
                if !new && scratch.reference_row(&Key::reference(tenant, *id))?.is_none() {
                    let message = format!("provenance names {id}, which is not registered for tenant {tenant}");
                    return Ok(Some(FaultKind::EffectRefused.fault(message)));
                }
            }
        }
        let large =
            |event: &&EventAsked| event.data.as_ref().is_some_and(|data| data.as_str().len() > INLINE_MAX_BYTES);
        Ok(self.events.iter().find(large).map(|event| {
            let message = format!("the data of event {} is larger than {INLINE_MAX_BYTES} bytes", event.event_type);
            FaultKind::EffectUnfit.fault(message)
        }))
    }

    fn record(
        self,
        scratch: &mut Scratch<'_>,
        world: &World<'_>,
        ids: &mut Ids<'_>,
        execution: &Execution,
        default_data: &Json,
    ) -> Result<(), Need> {
        let tenant = execution.tenant();
        let cause = execution.records.last().copied();
        for reference in self.references {
            scratch.record(Some(tenant), cause, Body::ReferenceRegistered { reference: Arc::new(reference) })?;
        }
        for (from, to) in self.edges {
            let at = scratch.now();
            let edge = Provenance { tenant_id: tenant.clone(), from, to, made_by: execution.id, at };
            scratch.record(Some(tenant), cause, Body::ProvenanceAdded { edge: Arc::new(edge) })?;
        }
        for change in &self.state {
            set(change, &owner_of(change.scope, execution)).record(scratch, tenant, cause)?;
        }
        queue(scratch, world, ids, execution, self.events, default_data)
    }
}

fn set<'a>(change: &'a StateChange, owner: &'a str) -> Set<'a> {
    Set {
        scope: change.scope,
        owner,
        key: &change.key,
        value: change.value.as_ref(),
        if_version: change.if_version,
        ttl_ms: change.ttl_ms,
    }
}

fn owner_of(scope: StateScope, execution: &Execution) -> String {
    match scope {
        StateScope::Session => execution.intent.session_id.to_string(),
        StateScope::Execution => execution.id.to_string(),
    }
}

fn of_artifact(id: ReferenceId, execution: &Execution, artifact: &StoredArtifact, scratch: &Scratch<'_>) -> Reference {
    Reference {
        id,
        tenant_id: execution.tenant().clone(),
        name: artifact.name.clone(),
        media_type: artifact.media_type.clone(),
        digest: Some(artifact.digest),
        size: Some(artifact.size),
        uri: None,
        made_by: Some(execution.id),
        registered_at: scratch.now(),
    }
}

/// Returns the reference that a tenant has for the same name and content.
fn registered(scratch: &Scratch<'_>, reference: &Reference) -> Result<Option<Reference>, Need> {
    let tenant = &reference.tenant_id;
    let content = Key::reference_content(tenant, &reference.name, &content_of(reference));
    let Some(id) = scratch.reference_content_row(&content)? else { return Ok(None) };
    Ok(scratch.reference_row(&Key::reference(tenant, *id))?.map(|known| (*known).clone()))
}

/// Promises events to the sinks of the execution's solution.
fn queue(
    scratch: &mut Scratch<'_>,
    world: &World<'_>,
    ids: &mut Ids<'_>,
    execution: &Execution,
    events: Vec<EventAsked>,
    default_data: &Json,
) -> Result<(), Need> {
    if events.is_empty() {
        return Ok(());
    }
    let tenant = execution.tenant();
    let sinks = sinks_of(scratch, world, execution)?;
    let selector = &execution.selector;
    for event in events {
        let message = Message {
            id: ids.message(),
            tenant_id: tenant.clone(),
            execution_id: execution.id,
            event_type: event.event_type,
            source: format!("/enact/{}/{}/{}", selector.component, selector.service, selector.operation),
            subject: event.subject,
            key: event.key,
            time: scratch.now(),
            data: event.data.unwrap_or_else(|| default_data.clone()),
            sinks: sinks.clone(),
        };
        let cause = execution.records.last().copied();
        scratch.record(Some(tenant), cause, Body::MessageQueued { message: Arc::new(message) })?;
    }
    Ok(())
}

fn sinks_of(scratch: &Scratch<'_>, world: &World<'_>, execution: &Execution) -> Result<Vec<SinkId>, Need> {
    let solution = scratch.solution_row(&Key::solution(&execution.intent.solution_id))?;
    Ok(match solution {
        Some(solution) if !solution.sinks.is_empty() => solution.sinks.clone(),
        _ => world.policy.default_sinks.clone(),
    })
}

/// Promises the events that an operation declares for failure.
pub(super) fn emit_failed(
    scratch: &mut Scratch<'_>,
    world: &World<'_>,
    command: &Command,
    execution: &Execution,
    events: Vec<EventAsked>,
    default_data: &Json,
) -> Result<(), Need> {
    let mut ids = Ids::after(command, scratch);
    queue(scratch, world, &mut ids, execution, events, default_data)
}

/// Registers output that could not be used, so that a person can get at it.
pub(super) fn keep_raw(
    scratch: &mut Scratch<'_>,
    command: &Command,
    execution: &Execution,
    raw: &StoredArtifact,
) -> Result<(), Need> {
    let id = Ids::after(command, scratch).reference();
    let reference = of_artifact(id, execution, raw, scratch);
    if registered(scratch, &reference)?.is_none() {
        let cause: Option<Lsn> = execution.records.last().copied();
        let body = Body::ReferenceRegistered { reference: Arc::new(reference) };
        scratch.record(Some(execution.tenant()), cause, body)?;
    }
    Ok(())
}

/// Registers a reference on an operator's word: the same again is a no-op, the same id with other content a conflict.
pub(super) fn register(scratch: &mut Scratch<'_>, command: &Command, reference: &Reference) -> Result<Answer, Need> {
    let tenant: &TenantId = &reference.tenant_id;
    let faults = reference.faults();
    if !faults.is_empty() {
        let list: Vec<String> = faults.iter().map(ToString::to_string).collect();
        let mut conclusion = Conclusion::new(code::PARAMETERS_INVALID, list.join("; "));
        conclusion.hint = faults.iter().find_map(|fault| fault.hint.clone());
        return Ok(Answer::Refused(Box::new(Refused { conclusion, faults, retry_after_ms: None })));
    }
    if let Some(known) = scratch.reference_row(&Key::reference(tenant, reference.id))? {
        let same = known.name == reference.name
            && content_of(&known) == content_of(reference)
            && reference.contradiction(&known).is_none();
        if same {
            return Ok(Answer::Reference(known.id));
        }
        let message = format!("reference {} is registered with other content", reference.id);
        return Ok(refused(Conclusion::new(code::REFERENCE_CONFLICT, message).hint("register it under a new id")));
    }
    if let Some(known) = registered(scratch, reference)? {
        let Some(message) = reference.contradiction(&known) else { return Ok(Answer::Reference(known.id)) };
        return Ok(refused(Conclusion::new(code::REFERENCE_CONFLICT, message).hint("give it another name")));
    }
    let reference = Reference { registered_at: command.time, ..reference.clone() };
    let id = reference.id;
    scratch.record(Some(tenant), None, Body::ReferenceRegistered { reference: Arc::new(reference) })?;
    Ok(Answer::Reference(id))
}
