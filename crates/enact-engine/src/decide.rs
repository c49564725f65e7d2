//! The only place where records are made: what a command comes to, given the tables as they are.

mod catalog;
mod due;
mod effects;
mod observe;
mod operate;
mod outbox;
mod session;
mod settle;
mod submit;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use enact_catalog::catalog::Catalog;
use enact_catalog::schema::CompiledOperation;
use enact_model::conclusion::{Conclusion, DetailCode};
use enact_model::execution::Execution;
use enact_model::id::{Epoch, Lsn};
use enact_model::limits;
use enact_model::record::{Body, Record};
use enact_model::table::Change;

use crate::command::{Answer, Command, CommandBody, Refused};
use crate::policy::Policy;
use crate::scratch::Scratch;
use crate::view::{Need, View};

/// What the rules know beside the tables: limits, and the catalog that follows from the component rows.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// Limits that an operator sets.
    pub policy: &'a Policy,
    /// What can be asked.
    pub catalog: &'a Catalog,
}

impl World<'_> {
    /// Returns the operation that an execution was pinned to.
    pub fn operation(&self, execution: &Execution) -> Option<Arc<CompiledOperation>> {
        self.catalog.operation(&execution.selector, &execution.pin.version).cloned()
    }
    /// Returns the deadline of one attempt of an execution.
    pub fn timeout(&self, execution: &Execution) -> Duration {
        self.operation(execution).map_or(limits::DEFAULT_TIMEOUT, |operation| operation.operation().timeout())
    }
}

/// What a command comes to.
#[derive(Debug)]
pub struct Decision {
    /// The facts, in order; they are one frame of the log.
    pub records: Vec<Record>,
    /// What they change.
    pub changes: Vec<Change>,
    /// What the caller is told once the records are durable.
    pub answer: Answer,
}

/// Decides a command. `next` is the position that its first record will have.
///
/// # Errors
/// Rows it reads are not in memory; nothing has happened.
pub fn decide(
    view: &dyn View,
    world: &World<'_>,
    next: Lsn,
    epoch: Epoch,
    command: &Command,
) -> Result<Decision, Need> {
    let mut scratch = Scratch::new(view, next, epoch, command.time, Arc::clone(&command.actor));
    let answer = answer(&mut scratch, world, command)?;
    if let Answer::Refused(refused) = answer {
        return Ok(Decision { records: Vec::new(), changes: Vec::new(), answer: Answer::Refused(refused) });
    }
    let (records, changes) = scratch.finish();
    Ok(Decision { records, changes, answer })
}

fn answer(scratch: &mut Scratch<'_>, world: &World<'_>, command: &Command) -> Result<Answer, Need> {
    use CommandBody as C;
    match &command.body {
        C::OpenEpoch { store_id, release } => {
            let body = Body::EpochOpened { store_id: store_id.clone(), release: release.clone() };
            note(scratch, body)
        }
        C::Submit { .. } => submit::submit(scratch, world, command),
        C::Reject { .. } => submit::reject(scratch, world, command),
        C::Observe { .. } => observe::observe(scratch, world, command),
        C::Tick => due::tick(scratch, world, command),
        C::Cancel { tenant, execution, reason, .. } => {
            operate::cancel(scratch, world, command, tenant, *execution, reason)
        }
        C::Pause { tenant, execution, reason, role } => {
            operate::pause(scratch, world, tenant, *execution, reason, *role)
        }
        C::Resume { tenant, execution, reason, .. } => {
            operate::resume(scratch, world, command, tenant, *execution, reason)
        }
        C::Retry { tenant, execution, reason, confirm_may_have_run, .. } => {
            operate::retry(scratch, world, command, tenant, *execution, reason, *confirm_may_have_run)
        }
        C::AddComponent { component, digest } => catalog::add(scratch, world, component, *digest),
        C::DrainComponent { name, version, reason } => catalog::drain(scratch, name, version, reason),
        C::RemoveComponent { name, version, reason } => catalog::remove(scratch, world, name, version, reason),
        C::BindSolution { solution } => catalog::bind(scratch, world, solution),
        C::OpenSession { tenant, session, owner, expires_at } => {
            session::open(scratch, command, tenant, session.as_ref(), owner.as_ref(), *expires_at)
        }
        C::UpgradeSession { tenant, session, owner } => session::upgrade(scratch, tenant, session, owner),
        C::CloseSession { tenant, session, reason } => session::close(scratch, tenant, session, reason),
        C::SetState { tenant, session, key, value, if_version, ttl_ms } => {
            session::set_state(scratch, tenant, session, key, value.as_ref(), *if_version, *ttl_ms)
        }
        C::RegisterReference { reference } => effects::register(scratch, command, reference),
        C::Deliver { tenant, message, sink, result } => {
            outbox::deliver(scratch, world, command, tenant, *message, sink, result)
        }
        C::Redeliver { tenant, message, sink, reason, role } => {
            outbox::redeliver(scratch, tenant, *message, sink.as_ref(), reason, *role)
        }
        C::RefuseAccess { tenant, execution, what, role } => {
            let (what, role) = (what.clone(), role.map(Cow::Borrowed));
            let body = Body::AccessRefused { execution: *execution, what, role };
            scratch.record(Some(tenant), None, body)?;
            Ok(Answer::Noted)
        }
        C::NoteCheckpoint { position } => note(scratch, Body::CheckpointTaken { position: *position }),
        C::DropHistory { before, reason, executions, messages } => {
            outbox::drop_history(scratch, world, *before, reason, executions, messages)
        }
    }
}

fn note(scratch: &mut Scratch<'_>, body: Body) -> Result<Answer, Need> {
    scratch.record(None, None, body)?;
    Ok(Answer::Noted)
}

/// Answers that a command was not carried out; nothing is logged.
fn refuse(code: DetailCode, message: impl Into<String>) -> Answer {
    refused(Conclusion::new(code, message))
}

fn refused(conclusion: Conclusion) -> Answer {
    Answer::Refused(Box::new(Refused { conclusion, faults: Vec::new(), retry_after_ms: None }))
}
