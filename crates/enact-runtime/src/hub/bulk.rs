//! A command to every execution that passes a filter: each is a command of its own, with the same actor and reason.

use enact_engine::command::{Answer, CommandBody};
use enact_model::execution::{Execution, Phase};
use enact_model::outcome::Outcome;

use super::execution::PAGE_MAX;
use super::{Hub, refusal};
use crate::api::{Bulk, BulkAction, BulkReport, Caller, ExecutionFilter, NotDone, Response};

/// Executions that are asked for at once.
const PAGE: u32 = 200;
/// Executions that were not done and are told by name.
const TOLD_MAX: usize = 100;

impl Hub {
    pub(super) async fn bulk(&self, caller: &Caller, bulk: Bulk) -> refusal::Result<Response> {
        let Bulk { action, filter, reason, confirm_may_have_run } = bulk;
        let most = if filter.limit == 0 { PAGE_MAX } else { filter.limit.min(PAGE_MAX) };
        let open = filter.open || action == BulkAction::Cancel;
        let mut filter = ExecutionFilter { limit: PAGE, open, ..filter };
        let mut report = BulkReport::default();
        loop {
            let Response::Executions(page) = self.executions(caller, filter.clone()).await? else {
                return Err(refusal::internal(&"a search was answered with something else"));
            };
            for found in page.items.iter().map(|view| &view.execution).filter(|found| suits(action, found)) {
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
                Some(next) => filter.cursor = Some(next),
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
