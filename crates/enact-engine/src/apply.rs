//! How a record changes the tables. The code for a released record version is frozen; new behaviour is a new version.

mod catalog;
mod data;
mod execution;
mod outbox;

use std::borrow::Cow;
use std::sync::Arc;

use enact_model::id::TenantId;
use enact_model::json::Json;
use enact_model::record::{Body, Record};
use enact_model::table::{Change, IntentRow, Key, MetaRow, RejectionsRow, Row, SessionRow, StateRow};
use enact_model::time::Timestamp;

use crate::changes::Changes;
use crate::view::{Need, Typed, View};

pub(crate) use data::content_of;
pub(crate) use outbox::lane;

/// Returns what a record changes, each key once. It is deterministic: the same view and record give the same changes.
///
/// # Errors
/// A row it reads is not in memory.
pub fn apply(view: &dyn View, record: &Record) -> Result<Vec<Change>, Need> {
    let mut changes = Changes::over(view);
    make(&mut changes, record)?;
    Ok(changes.finish())
}

/// Returns whose rows a record changes.
fn tenant_of(record: &Record) -> Cow<'_, TenantId> {
    record.tenant.as_ref().map_or_else(|| Cow::Owned(TenantId::default_tenant()), Cow::Borrowed)
}

/// Adds what a record changes to what others have changed before it. After an error the changes are not to be used.
///
/// # Errors
/// A row it reads is not in memory.
pub(crate) fn make(changes: &mut Changes<'_>, record: &Record) -> Result<(), Need> {
    let tenant = &*tenant_of(record);
    match &record.body {
        Body::EpochOpened { store_id, release } => {
            let history_from = changes.meta_row(&Key::meta())?.map(|meta| meta.history_from).unwrap_or_default();
            let meta =
                MetaRow { store_id: store_id.clone(), epoch: record.epoch, release: release.clone(), history_from };
            changes.put(Key::meta(), Row::Meta(Arc::new(meta)));
        }
        Body::CheckpointTaken { .. } | Body::AccessRefused { .. } => {}
        Body::HistoryDropped { before, executions, messages, .. } => {
            data::drop_history(changes, *before, executions, messages)?;
        }
        Body::ComponentAdded { component, digest } => catalog::add(changes, record, component, *digest)?,
        Body::ComponentDraining { name, version, .. } => catalog::drain(changes, name, version)?,
        Body::ComponentRemoved { name, version, .. } => catalog::remove(changes, name, version)?,
        Body::SolutionBound { solution } => {
            changes.put(Key::solution(&solution.name), Row::Solution(Arc::clone(solution)));
        }
        Body::SessionOpened { session, owner, expires_at } => {
            let row = SessionRow {
                session_id: session.clone(),
                owner: owner.clone(),
                opened_at: record.time,
                expires_at: *expires_at,
                closed_at: None,
            };
            changes.put(Key::session(tenant, session), Row::Session(Arc::new(row)));
        }
        Body::SessionUpgraded { session, owner } => {
            let key = Key::session(tenant, session);
            if let Some(row) = changes.session_row(&key)? {
                let row = SessionRow { owner: Some(owner.clone()), ..(*row).clone() };
                changes.put(key, Row::Session(Arc::new(row)));
            }
        }
        Body::SessionClosed { session, .. } => {
            let key = Key::session(tenant, session);
            if let Some(row) = changes.session_row(&key)? {
                let row = SessionRow { closed_at: Some(record.time), ..(*row).clone() };
                changes.put(key, Row::Session(Arc::new(row)));
            }
        }
        Body::IntentRejected(rejection) => {
            let row = IntentRow::Rejected { rejection: rejection.clone(), at: record.time, lsn: record.lsn };
            changes.put(Key::intent(tenant, rejection.intent_id), Row::Intent(Arc::new(row)));
            let key = Key::rejections(tenant);
            let minute = record.time.0 / 60_000;
            let before = changes.rejections_row(&key)?.filter(|row| row.minute == minute).map_or(0, |row| row.count);
            changes.put(key, Row::Rejections(RejectionsRow { minute, count: before + 1 }));
        }
        Body::IntentAccepted(acceptance) => execution::accept(changes, record, acceptance)?,
        Body::AttemptStarted { execution, attempt, .. } => execution::start(changes, record, *execution, *attempt)?,
        Body::AttemptObserved { execution, .. } => execution::observe(changes, record, *execution)?,
        Body::LateObserved { execution, .. } => execution::note(changes, record, *execution)?,
        Body::RetryScheduled { execution, due, conclusion } => {
            execution::schedule(changes, record, *execution, *due, conclusion)?;
        }
        Body::Waited { execution, wake } => execution::wait(changes, record, *execution, wake)?,
        Body::StopRequested { execution, cause, reason, give_up_at, .. } => {
            execution::stop(changes, record, *execution, *cause, reason, *give_up_at)?;
        }
        Body::PauseRequested { execution, .. } => execution::pause(changes, record, *execution)?,
        Body::Resumed { execution, .. } => execution::resume(changes, record, *execution)?,
        Body::Settled { execution, outcome } => execution::settle(changes, record, *execution, outcome)?,
        Body::StateSet { scope, owner, key, value, version, expires_at } => {
            let row = StateRow { value: value.clone(), version: *version, expires_at: *expires_at };
            changes.put(Key::state(tenant, *scope, owner, key), Row::State(Arc::new(row)));
        }
        Body::StateDeleted { scope, owner, key } => {
            let key = Key::state(tenant, *scope, owner, key);
            // The version stays, so that no later value has one that somebody compares with.
            if let Some(row) = changes.state_row(&key)? {
                let row = StateRow { value: Json::null(), version: row.version, expires_at: Some(Timestamp(0)) };
                changes.put(key, Row::State(Arc::new(row)));
            }
        }
        Body::ReferenceRegistered { reference } => data::register(changes, reference),
        Body::ProvenanceAdded { edge } => data::connect(changes, edge),
        Body::MessageQueued { message } => outbox::queue(changes, record, message),
        Body::MessageDelivered { message, sink } => outbox::deliver(changes, record, tenant, *message, sink)?,
        Body::MessageDelayed { message, sink, not_before, reason } => {
            outbox::delay(changes, tenant, *message, sink, *not_before, reason)?;
        }
        Body::MessageDeadLettered { message, sink, reason } => {
            outbox::bury(changes, record, tenant, *message, sink, reason)?;
        }
        Body::MessageRequeued { message, sink, .. } => outbox::requeue(changes, record, tenant, *message, sink)?,
    }
    Ok(())
}
