//! Who did what to an execution: what its tenant's log says, in order.

use std::borrow::Cow;
use std::collections::BTreeSet;

use enact_model::execution::{Execution, StopCause};
use enact_model::id::{ExecutionId, Lsn, MessageId, TenantId};
use enact_model::record::{Body, Record};
use enact_store::contract::{ReadError, View};

use super::log::positions_of;
use super::page::page_limit;
use super::{Hub, refusal};
use crate::api::{AuditEntry, Caller, Deed, Page, Response};

/// Records looked at for one page before it is cut short, with a cursor to go on.
const LOOKED_AT_MAX: usize = 200_000;

impl Hub {
    pub(super) async fn audit(
        &self,
        caller: &Caller,
        execution: ExecutionId,
        after: Option<Lsn>,
        limit: u32,
    ) -> refusal::Result<Response> {
        let limit = page_limit(limit)?;
        let (row, view) = (self.row(caller, execution)?, self.ring.view().clone());
        let tenant = caller.tenant.clone();
        let look = move || look(&view, &tenant, &row, after, limit);
        let page = tokio::task::spawn_blocking(look).await.map_err(|error| refusal::internal(&error))?;
        Ok(Response::Audit(page.map_err(refusal::of_read)?))
    }
}

/// Reads the log from the acceptance of an execution on: what others did to it, such as a denial or a redelivery, is not among the
/// records that its row names.
fn look<V: View>(
    view: &V,
    tenant: &TenantId,
    row: &Execution,
    after: Option<Lsn>,
    limit: usize,
) -> Result<Page<AuditEntry>, ReadError> {
    let begin = after.map_or(row.accepted_lsn, |after| after.plus(1)).max(row.accepted_lsn).max(view.first_record());
    let mut audit = Audit { of: row.id, paused: false, messages: BTreeSet::new() };
    for lsn in positions_of(view, row)?.into_iter().take_while(|lsn| *lsn < begin) {
        if let Some(record) = view.record(lsn)? {
            audit.read(&record);
        }
    }
    let mut items = Vec::new();
    for (looked_at, record) in (1..).zip(view.read_log(begin)) {
        let record = record?;
        let deed = if record.tenant.as_ref() == Some(tenant) { audit.read(&record) } else { None };
        let lsn = record.lsn;
        if let Some((deed, reason, role)) = deed {
            let (time, actor, tenant) = (record.time, record.actor.to_string(), tenant.clone());
            items.push(AuditEntry { lsn, time, actor, tenant, role, deed, reason });
        }
        if items.len() == limit || looked_at >= LOOKED_AT_MAX {
            let next = (lsn < view.position()).then(|| lsn.to_string());
            return Ok(Page { items, next });
        }
    }
    Ok(Page { items, next: None })
}

/// What is known while the log is read in order.
struct Audit {
    of: ExecutionId,
    /// A pause was asked for and not taken back: what resumes a paused one makes another due.
    paused: bool,
    messages: BTreeSet<MessageId>,
}

/// What was done, why, and with which role.
type Found = (Deed, Option<String>, Option<String>);

impl Audit {
    /// Returns what a record says that somebody did to the execution.
    fn read(&mut self, record: &Record) -> Option<Found> {
        let of = |execution: &ExecutionId| *execution == self.of;
        let said = |reason: &String| Some(reason.clone());
        let as_role = |role: &Option<Cow<'static, str>>| role.as_ref().map(ToString::to_string);
        let (deed, reason, role) = match &record.body {
            Body::IntentAccepted(acceptance) => {
                let (reason, role) = (acceptance.reason.clone(), acceptance.role.as_ref().map(ToString::to_string));
                let (retry_of, parent) = (acceptance.retry_of, acceptance.parent);
                let deed = match (retry_of, parent) {
                    _ if of(&acceptance.execution) => Deed::Submitted { retry_of, parent },
                    (Some(first), _) if of(&first) => Deed::Repeated { by: acceptance.execution },
                    (_, Some(parent)) if of(&parent) => Deed::ReconciledBy { child: acceptance.execution },
                    _ => return None,
                };
                return Some((deed, reason, role));
            }
            Body::StopRequested { execution, cause, reason, role, .. } if of(execution) => match cause {
                StopCause::Cancel => (Deed::Cancelled, said(reason), as_role(role)),
                StopCause::Deadline => (Deed::TimedOut, said(reason), None),
            },
            Body::PauseRequested { execution, reason, role } if of(execution) => {
                self.paused = true;
                (Deed::Paused, said(reason), as_role(role))
            }
            Body::Resumed { execution, reason, role } if of(execution) => {
                let paused = std::mem::take(&mut self.paused);
                (if paused { Deed::Resumed } else { Deed::MadeDue }, said(reason), as_role(role))
            }
            Body::AccessRefused { execution: Some(execution), what, role } if of(execution) => {
                (Deed::Denied, said(what), as_role(role))
            }
            Body::MessageQueued { message } if of(&message.execution_id) => {
                self.messages.insert(message.id);
                return None;
            }
            Body::MessageRequeued { message, sink, reason, role } if self.messages.contains(message) => {
                (Deed::Redelivered { message: *message, sink: sink.clone() }, said(reason), as_role(role))
            }
            Body::Settled { execution, outcome } if of(execution) => {
                let why = outcome.conclusion().map(|conclusion| conclusion.message.clone());
                (Deed::Settled { outcome: outcome.word().to_owned() }, why, None)
            }
            _ => return None,
        };
        Some((deed, reason, role))
    }
}
