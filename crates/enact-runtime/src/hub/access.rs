//! Who may ask what: the least role of each question and how far it must reach, what a solution allows, and the log of what
//! was denied.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use enact_catalog::solution::admits;
use enact_engine::command::CommandBody;
use enact_engine::conclude as code;
use enact_model::id::{ExecutionId, Selector, SolutionId, TenantId};

use super::{Hub, refusal};
use crate::api::{Caller, Reach, Refusal, Request, Role};

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

/// What a caller needs at least: a role, and how far it reaches.
type Least = (Role, Reach);

/// Returns what a question takes at least. What an intent takes is its solution's to say as well.
fn least(request: &Request) -> Least {
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
        | R::Audit { .. } => (Role::Viewer, Reach::Tenant),
        R::Cancel { .. }
        | R::Pause { .. }
        | R::Resume { .. }
        | R::Retry { .. }
        | R::Bulk(_)
        | R::SessionOpen { .. }
        | R::SessionUpgrade { .. }
        | R::SessionClose { .. }
        | R::StateSet { .. }
        | R::Redeliver { .. } => (Role::Operator, Reach::Tenant),
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
        | R::Shutdown { .. } => (Role::Admin, Reach::Hub),
    }
}

impl Hub {
    /// Refuses what the role of the caller, and how far it reaches, does not cover, before anything is looked at or done.
    /// [`Hub::handle`] asks it by itself; a door that takes something in first asks it before.
    ///
    /// # Errors
    /// The refusal, which is logged.
    pub fn admit(&self, caller: &Caller, request: &Request) -> refusal::Result<()> {
        self.covers(caller, execution_of(request), least(request), || name(request))?;
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
    /// When the role is neither [`Role::Metrics`], which is for nothing else, nor [`Role::Admin`] with [`Reach::Hub`].
    pub fn admit_to_figures(&self, caller: &Caller) -> Result<(), Box<Refusal>> {
        match caller.role {
            Role::Metrics => Ok(()),
            Role::Admin => {
                self.covers(caller, None, (Role::Admin, Reach::Hub), || "reading the figures of the hub".to_owned())
            }
            other => {
                let (metrics, admin) = (Role::Metrics, Role::Admin);
                let what = format!("the figures of the hub take the role {metrics} or {admin}, not {other}");
                Err(self.deny(caller, None, &what))
            }
        }
    }

    /// Refuses a role below the one that something of the caller's tenant takes.
    pub(super) fn require(&self, caller: &Caller, least: Role, what: &str) -> refusal::Result<()> {
        self.covers(caller, None, (least, Reach::Tenant), || what.to_owned())
    }

    /// Refuses who has less than something takes, which is named only then.
    fn covers(
        &self,
        caller: &Caller,
        of: Option<ExecutionId>,
        (role, reach): Least,
        what: impl FnOnce() -> String,
    ) -> refusal::Result<()> {
        let (own, tenant) = (caller.role, &caller.tenant);
        if own < role {
            return Err(self.deny(caller, of, &format!("{} takes the role {role}, not {own}", what())));
        }
        if caller.reach < reach {
            let ends = format!(
                "{} is about the whole hub, and the role {own} of tenant {tenant} ends with that tenant",
                what()
            );
            let hub = TenantId::default_tenant();
            let hint = format!(
                "this is about the whole hub: use a token of tenant {hub}, or the command line where the store is"
            );
            return Err(self.deny_hinted(caller, of, &ends, &hint));
        }
        Ok(())
    }

    /// Logs that something was denied and returns the refusal.
    fn deny(&self, caller: &Caller, execution: Option<ExecutionId>, what: &str) -> Box<Refusal> {
        let hint = "ask with credentials that may, or ask an administrator for the role";
        self.deny_hinted(caller, execution, what, hint)
    }

    fn deny_hinted(&self, caller: &Caller, execution: Option<ExecutionId>, what: &str, hint: &str) -> Box<Refusal> {
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
