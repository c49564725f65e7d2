//! Who may ask what: the least role of each question, what a solution allows, and the log of what was denied.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use enact_catalog::solution::admits;
use enact_engine::command::CommandBody;
use enact_engine::conclude as code;
use enact_model::id::{ExecutionId, Selector, SolutionId, TenantId};

use super::{Hub, refusal};
use crate::api::{Caller, Refusal, Request, Role};

/// Most denials of one tenant that the log keeps each minute; others are only answered.
const LOGGED_PER_MINUTE: u32 = 60;

/// How many denials of each tenant were logged in which minute.
#[derive(Debug, Default)]
pub(super) struct Denials(Mutex<BTreeMap<TenantId, (u64, u32)>>);

impl Denials {
    /// Returns whether one more may be logged.
    fn take(&self, tenant: &TenantId, minute: u64) -> bool {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(tenant.clone()).or_default();
        if count.0 != minute {
            *count = (minute, 0);
        }
        count.1 += 1;
        count.1 <= LOGGED_PER_MINUTE
    }
}

/// Returns the least role that a question takes. What an intent takes is its solution's to say as well.
fn least_role(request: &Request) -> Role {
    use Request as R;
    match request {
        R::Submit { .. }
        | R::Intent { .. }
        | R::IntentTypes { .. }
        | R::Execution { .. }
        | R::Await { .. }
        | R::Executions(_)
        | R::Components
        | R::ComponentDescribe { .. }
        | R::Meta { .. }
        | R::Solutions
        | R::References(_)
        | R::Reference { .. }
        | R::Lineage { .. }
        | R::Session { .. }
        | R::Sessions { .. }
        | R::StateGet { .. }
        | R::StateList { .. }
        | R::Outbox { .. }
        | R::OutboxShow { .. }
        | R::Records { .. }
        | R::Audit { .. } => Role::Viewer,
        R::Cancel { .. }
        | R::Pause { .. }
        | R::Resume { .. }
        | R::Retry { .. }
        | R::Bulk(_)
        | R::SessionOpen { .. }
        | R::SessionUpgrade { .. }
        | R::SessionClose { .. }
        | R::StateSet { .. }
        | R::Redeliver { .. } => Role::Operator,
        // What names files of the hub's machine, what is about all tenants, and what changes the catalog.
        R::ArtifactPut { .. }
        | R::ArtifactGet { .. }
        | R::ComponentAdd { .. }
        | R::ComponentCheck { .. }
        | R::ComponentDrain { .. }
        | R::ComponentRemove { .. }
        | R::SolutionBind { .. }
        | R::WalVerify { .. }
        | R::WalReplay
        | R::StoreBackup { .. }
        | R::StoreVerify
        | R::HistoryDrop { .. }
        | R::Doctor
        | R::Status
        | R::Shutdown { .. } => Role::Admin,
    }
}

impl Hub {
    /// Refuses what the role of the caller does not cover, before anything is looked at or done. [`Hub::handle`] asks it by
    /// itself; a door that takes something in first asks it before.
    ///
    /// # Errors
    /// The refusal, which is logged.
    pub fn admit(&self, caller: &Caller, request: &Request) -> refusal::Result<()> {
        if caller.role < least_role(request) {
            return Err(self.deny_role(caller, execution_of(request), least_role(request), &name(request)));
        }
        match request {
            Request::Submit { draft, .. } => {
                let foreign = |other: &&str| !other.trim().is_empty() && *other != caller.tenant.as_str();
                if let Some(other) = draft.tenant_id.as_deref().filter(foreign) {
                    let other: String = other.chars().take(128).collect();
                    return Err(self.deny(caller, None, &format!("tenant_id {other:?} is not the caller's tenant")));
                }
                if caller.role == Role::Admin {
                    return Ok(());
                }
                let solution = draft.solution_id.as_deref().and_then(|text| text.parse().ok());
                let intent_type = draft.intent_type.as_deref().and_then(|text| text.parse().ok());
                let catalog = self.ring.catalog();
                let solution = solution.unwrap_or_else(SolutionId::default_solution);
                let selector =
                    intent_type.and_then(|it| catalog.resolve(&it, &solution).ok()).map(|found| found.selector);
                self.admit_operation(caller, &solution, selector.as_ref(), None)
            }
            Request::Retry { execution, .. } => {
                let row = self.row(caller, *execution)?;
                self.admit_operation(caller, &row.intent.solution_id, Some(&row.selector), Some(*execution))
            }
            _ => Ok(()),
        }
    }

    /// Refuses an operation that the caller's role may not call in a solution. A solution that says nothing lets operators
    /// call everything; one that says something lets nobody but administrators call anything else.
    pub(super) fn admit_operation(
        &self,
        caller: &Caller,
        solution: &SolutionId,
        selector: Option<&Selector>,
        execution: Option<ExecutionId>,
    ) -> refusal::Result<()> {
        let catalog = self.ring.catalog();
        let allow = catalog.solution(solution).map(|solution| &solution.allow).filter(|allow| !allow.is_empty());
        let allowed = match (caller.role, allow, selector) {
            (Role::Admin, _, _) => true,
            (role, None, _) => role >= Role::Operator,
            // What it would be is unknown; the answer says that, and nothing runs.
            (role, Some(_), None) => role >= Role::Operator,
            (role, Some(allow), Some(selector)) => allow
                .iter()
                .filter(|(of, _)| of.parse::<Role>().is_ok_and(|of| of <= role))
                .any(|(_, patterns)| patterns.iter().any(|pattern| admits(pattern, selector))),
        };
        if allowed {
            return Ok(());
        }
        let what = selector.map_or_else(|| "an operation".to_owned(), ToString::to_string);
        let role = caller.role;
        Err(self.deny(caller, execution, &format!("solution {solution} does not let the role {role} call {what}")))
    }

    /// Refuses who may not see the figures of the whole hub: they are of all tenants, so they are no tenant's to see.
    ///
    /// # Errors
    /// When the role is neither [`Role::Metrics`] nor [`Role::Admin`].
    pub fn admit_to_figures(&self, caller: &Caller) -> Result<(), Box<Refusal>> {
        if matches!(caller.role, Role::Metrics | Role::Admin) {
            return Ok(());
        }
        let what =
            format!("the figures of the hub take the role {} or {}, not {}", Role::Metrics, Role::Admin, caller.role);
        Err(self.deny(caller, None, &what))
    }

    /// Refuses a role below the one that something takes.
    pub(super) fn require(&self, caller: &Caller, least: Role, what: &str) -> refusal::Result<()> {
        if caller.role < least { Err(self.deny_role(caller, None, least, what)) } else { Ok(()) }
    }

    fn deny_role(&self, caller: &Caller, of: Option<ExecutionId>, least: Role, what: &str) -> Box<Refusal> {
        self.deny(caller, of, &format!("{what} takes the role {least}, not {}", caller.role))
    }

    /// Logs that something was denied and returns the refusal.
    fn deny(&self, caller: &Caller, execution: Option<ExecutionId>, what: &str) -> Box<Refusal> {
        self.ring.witness().denied(&caller.tenant);
        if self.denials.take(&caller.tenant, self.ring.now().0 / 60_000) {
            let (ring, actor) = (self.ring.clone(), caller.actor.as_str().into());
            let (tenant, what, role) = (caller.tenant.clone(), what.to_owned(), Some(caller.role.as_str()));
            let body = CommandBody::RefuseAccess { tenant, execution, what, role };
            tokio::spawn(async move {
                // A hub that is ending has told so already.
                let _ = ring.tell(&actor, body).await;
            });
        }
        let hint = "ask with credentials that may, or ask an administrator for the role";
        refusal::hinted(code::ACCESS_DENIED, what, hint)
    }
}

fn execution_of(request: &Request) -> Option<ExecutionId> {
    match request {
        Request::Cancel { execution, .. }
        | Request::Pause { execution, .. }
        | Request::Resume { execution, .. }
        | Request::Retry { execution, .. } => Some(*execution),
        _ => None,
    }
}

/// Names a question by its kind, without what it holds.
fn name(request: &Request) -> String {
    let text = serde_json::to_value(request).ok();
    let name = text.as_ref().and_then(|value| match value {
        serde_json::Value::String(name) => Some(name.as_str()),
        serde_json::Value::Object(fields) => fields.keys().next().map(String::as_str),
        _ => None,
    });
    name.unwrap_or("this").replace('_', " ")
}
