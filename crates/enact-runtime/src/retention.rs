//! Retention: what is over and old enough goes, first its rows, then the log segments nobody needs any more.

use std::sync::Arc;
use std::time::Duration;

use enact_engine::command::{Answer, CommandBody};
use enact_engine::view::rows;
use enact_model::execution::Phase;
use enact_model::id::{ExecutionId, Lsn, MessageId, TenantId};
use enact_model::table::{KeyRange, Row, Table};
use enact_store::contract::{Order, View};
use enact_store::crash;
use enact_store::embedded::DiskStore;

use crate::driver::{Durable, describe, replay};
use crate::ring::Ring;

/// Rows of one record of dropped history.
const BATCH: usize = 100;
/// Rows read at once.
const PAGE: usize = 200;

/// What was dropped.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Dropped {
    pub(crate) executions: u64,
    pub(crate) messages: u64,
    /// Executions that are old enough, but younger than idempotency keys live.
    pub(crate) young: u64,
    pub(crate) first: Lsn,
}

/// Drops, for all tenants, executions settled longer than `keep` ago (at least as long as idempotency keys live), messages of the
/// same age that are not pending, and the log segments that hold nothing else.
///
/// # Errors
/// What stood against it, for people; whatever was dropped until then stays dropped, nothing else is lost.
pub(crate) async fn drop_history(
    ring: &Arc<Ring<DiskStore>>,
    actor: &Arc<str>,
    keep: Duration,
    idempotency_keep: Duration,
    reason: &str,
) -> Result<Dropped, String> {
    let now = ring.now();
    let asked = |at: enact_model::time::Timestamp| now.since(at) >= keep;
    let keep = keep.max(idempotency_keep);
    let old = |at: enact_model::time::Timestamp| now.since(at) >= keep;
    let mut dropped = Dropped::default();
    let mut oldest_kept = oldest_open(ring);

    let mut executions: Vec<(TenantId, ExecutionId)> = Vec::new();
    let mut range = KeyRange::table(Table::Execution);
    loop {
        let page = ring.view().scan(&range, Order::Ascending, PAGE).map_err(|error| describe(&error))?;
        let Some((last, _)) = page.last() else { break };
        range = range.after(last);
        for (_, row) in page {
            let Row::Execution(row) = row else { continue };
            if row.phase == Phase::Settled && row.settled_at.is_some_and(old) {
                executions.push((row.tenant().clone(), row.id));
            } else {
                dropped.young += u64::from(row.phase == Phase::Settled && row.settled_at.is_some_and(asked));
                oldest_kept = oldest_kept.min(row.accepted_lsn);
            }
        }
    }
    let mut messages: Vec<(TenantId, MessageId)> = Vec::new();
    let mut range = KeyRange::table(Table::Message);
    loop {
        let page = ring.view().scan(&range, Order::Ascending, PAGE).map_err(|error| describe(&error))?;
        let Some((last, _)) = page.last() else { break };
        range = range.after(last);
        for (_, row) in page {
            let Row::Message(row) = row else { continue };
            if !row.is_pending() && old(row.message.time) {
                messages.push((row.message.tenant_id.clone(), row.message.id));
            } else {
                oldest_kept = oldest_kept.min(row.lsn);
            }
        }
    }
    let mut executions = executions.chunks(BATCH);
    let mut messages = messages.chunks(BATCH);
    loop {
        let (some, others) = (executions.next().unwrap_or_default(), messages.next().unwrap_or_default());
        if some.is_empty() && others.is_empty() {
            break;
        }
        let body = CommandBody::DropHistory {
            before: oldest_kept,
            reason: reason.to_owned(),
            executions: some.to_vec(),
            messages: others.to_vec(),
        };
        match ring.ask(actor, body).await.map_err(|error| error.to_string())? {
            Answer::Refused(refused) => return Err(refused.conclusion.to_string()),
            _ => {
                dropped.executions += some.len() as u64;
                dropped.messages += others.len() as u64;
            }
        }
    }
    // Somebody may have asked meanwhile that a message be sent again.
    let oldest_kept = oldest_kept.min(oldest_open(ring));
    crash::point("retention-before-base");
    let view = ring.view().clone();
    let extended = tokio::task::spawn_blocking(move || view.extend_base(oldest_kept, &mut replay)).await;
    let keep_from = extended.map_err(|error| error.to_string())?.map_err(|error| describe(&error))?;
    let body = CommandBody::NoteCheckpoint { position: Lsn(keep_from.0.saturating_sub(1)) };
    ring.ask(actor, body).await.map_err(|error| error.to_string())?;
    crash::point("retention-before-drop");
    let removed = ring.with_store(move |store| store.drop_before(keep_from)).await;
    crash::point("retention-after-drop");
    dropped.first = removed.map_err(|error| error.to_string())?.map_err(|error| describe(&error))?;
    Ok(dropped)
}

/// Returns the first record of anything that is open or not yet delivered, or of what comes next.
fn oldest_open(ring: &Arc<Ring<DiskStore>>) -> Lsn {
    let mut oldest = ring.view().position().plus(1);
    let durable = Durable(ring.view());
    for (key, _) in rows(&durable, KeyRange::table(Table::Pending)) {
        if let Some(lsn) = key.as_bytes().last_chunk::<8>() {
            oldest = oldest.min(Lsn(u64::from_be_bytes(*lsn)));
        }
    }
    oldest
}
