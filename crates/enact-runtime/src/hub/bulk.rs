//! A command to every execution that passes a filter: each is a command of its own, with the same actor and reason.

use std::collections::HashSet;

use enact_engine::command::{Answer, CommandBody};
use enact_model::execution::{Execution, Phase};
use enact_model::outcome::Outcome;

use super::execution::{known_outcome, passes};
use super::page::PAGE_MAX;
use super::{Hub, refusal};
use crate::api::{Bulk, BulkAction, BulkReport, Caller, ExecutionFilter, NotDone, Response};

/// Executions that are asked for at once.
const PAGE: u32 = 200;
/// Executions that were not done and are told by name.
const TOLD_MAX: usize = 100;

impl Hub {
    /// Carries a command out for every execution that passes the filter. What was retried already is left to its retry: whoever sends
    /// the same command again, or two at once, repeats nothing twice.
    pub(super) async fn bulk(&self, caller: &Caller, bulk: Bulk) -> refusal::Result<Response> {
        let Bulk { action, filter, reason, confirm_may_have_run } = bulk;
        filter.outcome.as_deref().map_or(Ok(()), known_outcome)?;
        let most = if filter.limit == 0 { PAGE_MAX } else { filter.limit.min(PAGE_MAX) };
        // One after the other, since each looks for the retries that the former has made.
        let _alone = match action {
            BulkAction::Retry => self.bulk_retry.acquire().await.ok(),
            BulkAction::Cancel => None,
        };
        let (mut wide, narrow) = parts(action, filter);
        let mut report = BulkReport::default();
        let mut retried = HashSet::new();
        loop {
            let Response::Executions(page) = self.executions(caller, wide.clone()).await? else {
                return Err(refusal::internal(&"a search was answered with something else"));
            };
            for found in page.items.iter().map(|view| &view.execution) {
                // A retry is newer than what it repeats, and the newest come first.
                retried.extend(found.retry_of);
                if !passes(&narrow, found) || !suits(action, found) || retried.contains(&found.id) {
                    continue;
                }
                if report.matched == u64::from(most) {
                    report.more = true;
                    return Ok(Response::Bulk(Box::new(report)));
                }
                report.matched += 1;
                match self.command_one(caller, action, found, &reason, confirm_may_have_run).await {
                    Ok(()) => report.done += 1,
                    Err(refused) if report.not_done.len() < TOLD_MAX => {
                        report.not_done.push(NotDone { execution: found.id, why: refused.conclusion });
                    }
                    Err(_) => {}
                }
            }
            match page.next {
                Some(next) => wide.cursor = Some(next),
                None => return Ok(Response::Bulk(Box::new(report))),
            }
        }
    }

    async fn command_one(
        &self,
        caller: &Caller,
        action: BulkAction,
        found: &Execution,
        reason: &str,
        confirm_may_have_run: bool,
    ) -> refusal::Result<()> {
        let (tenant, execution, reason) = (caller.tenant.clone(), found.id, reason.to_owned());
        let role = Some(caller.role.as_str());
        let body = match action {
            BulkAction::Cancel => CommandBody::Cancel { tenant, execution, reason, role },
            BulkAction::Retry => {
                self.refuse_while_draining()?;
                self.admit_operation(caller, &found.intent.solution_id, Some(&found.selector), Some(execution))?;
                CommandBody::Retry { tenant, execution, reason, confirm_may_have_run, role }
            }
        };
        match self.ask(caller, body).await? {
            Answer::Refused(refused) => Err(refusal::from(*refused)),
            _ => Ok(()),
        }
    }
}

/// Splits a filter into what is searched and what passes of that. A retry shares component, session and intent type with what it
/// repeats, and neither its time nor its end.
fn parts(action: BulkAction, filter: ExecutionFilter) -> (ExecutionFilter, ExecutionFilter) {
    let open = filter.open || action == BulkAction::Cancel;
    if action == BulkAction::Cancel {
        return (ExecutionFilter { limit: PAGE, open, ..filter }, ExecutionFilter::default());
    }
    let ExecutionFilter { phase, outcome, until, text, selector, session, intent_type, since, .. } = filter;
    let wide = ExecutionFilter { selector, session, intent_type, since, limit: PAGE, ..ExecutionFilter::default() };
    (wide, ExecutionFilter { phase, open, outcome, until, text, ..ExecutionFilter::default() })
}

/// Returns whether an action is meant for an execution that passes the filter: nothing that went well is done again.
fn suits(action: BulkAction, execution: &Execution) -> bool {
    match action {
        BulkAction::Cancel => execution.is_open(),
        BulkAction::Retry => match execution.outcome.as_deref() {
            Some(outcome) => matches!(outcome, Outcome::Failed { .. } | Outcome::Cancelled { .. }),
            None => execution.phase == Phase::Waiting,
        },
    }
}
