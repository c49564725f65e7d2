//! What every door may ask of a hub and what it answers: one closed list, the same over the socket and in process.

mod audit;

use std::collections::BTreeMap;
use std::sync::Arc;

use enact_catalog::meta::{self, Question};
use enact_model::conclusion::Conclusion;
use enact_model::digest::Digest;
use enact_model::envelope::StateScope;
use enact_model::execution::{Execution, Phase};
use enact_model::id::{
    ExecutionId, IntentId, Lsn, MessageId, Name, ReferenceId, SessionId, SinkId, SolutionId, TenantId,
};
use enact_model::intent::{InputFault, IntentDraft};
use enact_model::json::Json;
use enact_model::message::MessageRow;
use enact_model::outcome::Outcome;
use enact_model::record::{Record, RecordFilter, Rejection};
use enact_model::reference::{Provenance, Reference};
use enact_model::table::SessionRow;
use enact_model::time::Timestamp;
use enact_store::log::ChainHead;
use serde::{Deserialize, Serialize};

pub use crate::backup::Backup;
pub use audit::{AuditEntry, Deed};

/// Who asks. Tenant, role and reach come from the door's credentials, never from the request's body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// On whose behalf.
    pub tenant: TenantId,
    /// Who, such as `cli:root`.
    pub actor: String,
    /// What they may ask.
    pub role: Role,
    /// How far the role reaches. It is never sent: the door that knows the credentials says it.
    #[serde(skip)]
    pub reach: Reach,
}

impl Caller {
    /// Makes the caller of credentials: they reach the whole hub if they are of its own tenant, `default`, and otherwise their
    /// tenant alone. Who holds the store itself, as the owner of its socket does, has [`Reach::Hub`] with every tenant.
    pub fn new(tenant: TenantId, actor: impl Into<String>, role: Role) -> Self {
        let reach = if tenant == TenantId::default_tenant() { Reach::Hub } else { Reach::Tenant };
        Self { tenant, actor: actor.into(), role, reach }
    }
}

/// How far a role reaches, the least first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// What is the tenant's own, and what all tenants share to read, such as the catalog.
    #[default]
    Tenant,
    /// The whole hub: what is about all tenants, what changes the catalog, and files of its machine.
    Hub,
}

/// What a caller may ask, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Read the figures of the hub, and nothing else: what a scraper needs.
    Metrics,
    /// See what there is, and call what a solution lets viewers call.
    Viewer,
    /// Call operations, and steer what runs.
    Operator,
    /// Everything of the tenant, whatever a solution allows; with [`Reach::Hub`] everything of the hub: components, the log, its end.
    Admin,
}

impl Role {
    /// Every role, the least first.
    pub const ALL: [Self; 4] = [Self::Metrics, Self::Viewer, Self::Operator, Self::Admin];

    /// Returns its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("failed to read a role from {0:?}: it is metrics, viewer, operator or admin")]
pub struct ParseRoleError(String);

impl std::str::FromStr for Role {
    type Err = ParseRoleError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| ParseRoleError(text.to_owned()))
    }
}

/// What a door may ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Request {
    /// Submits an intent; waits for its outcome at most so long.
    Submit {
        draft: Box<IntentDraft>,
        wait_ms: u64,
    },
    /// What became of an intent.
    Intent {
        intent: IntentId,
    },
    /// The intent types that may be asked for.
    IntentTypes {
        solution: Option<SolutionId>,
    },
    /// One execution, with the reason why it waits.
    Execution {
        execution: ExecutionId,
    },
    /// Waits until an execution is settled, at most so long.
    Await {
        execution: ExecutionId,
        wait_ms: u64,
    },
    /// Executions, newest first.
    Executions(ExecutionFilter),
    Cancel {
        execution: ExecutionId,
        reason: String,
    },
    Pause {
        execution: ExecutionId,
        reason: String,
    },
    Resume {
        execution: ExecutionId,
        reason: String,
    },
    Retry {
        execution: ExecutionId,
        reason: String,
        confirm_may_have_run: bool,
    },
    /// A command to every execution that passes a filter.
    Bulk(Box<Bulk>),

    /// Adds a component from a folder or a descriptor on the hub's machine.
    ComponentAdd {
        path: String,
    },
    /// Checks one without adding it.
    ComponentCheck {
        path: String,
    },
    Components,
    ComponentDescribe {
        name: Name,
        version: Option<String>,
    },
    /// A query of the service `meta`, to the hub (`enact`) or to a component.
    Meta {
        name: Name,
        question: Question,
        parameters: meta::Parameters,
    },
    ComponentDrain {
        name: Name,
        version: String,
        reason: String,
    },
    ComponentRemove {
        name: Name,
        version: String,
        reason: String,
    },
    /// Binds a solution from a file on the hub's machine.
    SolutionBind {
        path: String,
    },
    Solutions,

    /// Puts a file of the hub's machine into the artifact store and registers a reference to it.
    ArtifactPut {
        path: String,
        name: Option<String>,
        media_type: Option<String>,
    },
    /// Writes an artifact, verified, to a file on the hub's machine.
    ArtifactGet {
        reference: ArtifactName,
        target: String,
    },
    References(ReferenceFilter),
    Reference {
        reference: ReferenceId,
    },
    Lineage {
        reference: ReferenceId,
        direction: Direction,
        depth: u32,
        limit: u32,
    },

    SessionOpen {
        session: Option<SessionId>,
        owner: Option<String>,
        ttl_ms: Option<u64>,
    },
    SessionUpgrade {
        session: SessionId,
        owner: String,
    },
    SessionClose {
        session: SessionId,
        reason: String,
    },
    Session {
        session: SessionId,
    },
    Sessions {
        limit: u32,
        #[serde(default)]
        cursor: Option<String>,
    },
    StateGet {
        scope: StateScope,
        owner: String,
        key: String,
    },
    StateList {
        scope: StateScope,
        owner: String,
        limit: u32,
        #[serde(default)]
        cursor: Option<String>,
    },
    /// Sets session state by hand; absent value deletes.
    StateSet {
        session: SessionId,
        key: String,
        value: Option<Json>,
        if_version: Option<u64>,
        ttl_ms: Option<u64>,
    },

    Outbox {
        state: Option<DeliveryState>,
        limit: u32,
        before: Option<MessageId>,
    },
    OutboxShow {
        message: MessageId,
    },
    Redeliver {
        message: MessageId,
        sink: Option<SinkId>,
        reason: String,
    },

    /// Records, the newest `limit` that pass the filter, in the order of the log.
    Records {
        filter: RecordFilter,
        limit: u32,
    },
    /// Who did what to an execution, in the order of the log, after a position.
    Audit {
        execution: ExecutionId,
        after: Option<Lsn>,
        limit: u32,
    },
    /// Verifies every frame of the log and the chain through them.
    WalVerify {
        /// A head that the log had, from wherever it was kept.
        #[serde(default)]
        expect: Option<ChainHead>,
    },
    /// Rebuilds the tables from the log and compares them with those in use.
    WalReplay,
    /// Copies the store to a folder of the hub's machine that is not there yet, or empty.
    StoreBackup {
        target: String,
    },
    /// Verifies everything: the log, the tables against it, and every artifact.
    StoreVerify,
    /// Drops the history of all tenants that is older than this, by the retention rules: it is an operator's.
    HistoryDrop {
        older_than_ms: u64,
        reason: String,
    },
    /// Checks that everything is as it should be.
    Doctor,
    Status,
    /// Stops the hub: what runs is finished or waits durably, new work is refused.
    Shutdown {
        reason: String,
    },
}

/// What a hub answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Response {
    /// An intent was admitted (or was already, under the same key); `execution.outcome` is there if it settled in time.
    Accepted {
        execution: Box<ExecutionView>,
        repeated: bool,
    },
    Rejected(Box<Rejection>),
    Intent(Box<IntentView>),
    IntentTypes(Vec<IntentTypeView>),
    Execution(Box<ExecutionView>),
    Executions(Page<ExecutionView>),
    Bulk(Box<BulkReport>),
    /// A command was carried out or noted; the execution as it stands.
    Done {
        message: String,
    },
    Checked {
        component: String,
        version: String,
        digest: Digest,
        operations: usize,
    },
    Components(Vec<ComponentView>),
    Described(Json),
    Solutions(Vec<Json>),
    References(Page<Reference>),
    Reference(Box<Reference>),
    Lineage(Box<Lineage>),
    Session(Box<SessionRow>),
    Sessions(Page<SessionRow>),
    State(Box<StateView>),
    States(Page<StateView>),
    Outbox(Page<MessageRow>),
    Records(Page<Record>),
    Audit(Page<AuditEntry>),
    Verified(Box<VerifyReport>),
    Backup(Box<Backup>),
    Doctor(Box<DoctorReport>),
    Status(Box<Status>),
    /// It was not done, and this is why.
    Refused(Box<Refusal>),
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    /// What it means; HTTP and exit status follow from it.
    pub conclusion: Conclusion,
    /// Every single fault, where there is more than one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<InputFault>,
    /// The execution it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<ExecutionId>,
    /// When to try again, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// A part of a list; `next` continues it, stable while writes go on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// What to ask for the next part; none at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// An execution as the doors show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExecutionView {
    /// The execution as it stands in its table.
    pub execution: Arc<Execution>,
    /// The output, loaded from the artifact store if it is there by reference and at most 1 MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Json>,
    /// Why it waits, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
}

impl ExecutionView {
    /// Returns how it ended, if it has.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.execution.outcome.as_deref()
    }
}

/// What became of an intent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntentView {
    /// It was admitted.
    Accepted(Box<ExecutionView>),
    /// It was not.
    Rejected(Box<Rejection>),
}

/// One intent type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct IntentTypeView {
    pub intent_type: String,
    pub selector: String,
    pub summary: Option<String>,
    pub kind: String,
}

/// Which executions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct ExecutionFilter {
    pub phase: Option<Phase>,
    /// Only those that are not settled.
    pub open: bool,
    /// `completed`, `failed`, `cancelled`, …
    pub outcome: Option<String>,
    /// `component`, `component.service` or a whole selector.
    pub selector: Option<String>,
    pub session: Option<SessionId>,
    /// As it was submitted.
    pub intent_type: Option<String>,
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    /// Part of the failure's message.
    pub text: Option<String>,
    pub limit: u32,
    /// From `Page::next`.
    pub cursor: Option<String>,
}

/// A command to every execution that passes a filter, at most 1,000 of them, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Bulk {
    pub action: BulkAction,
    /// `limit` counts executions; a cursor is not needed.
    pub filter: ExecutionFilter,
    pub reason: String,
    pub confirm_may_have_run: bool,
}

/// What is done to each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BulkAction {
    /// What is open is cancelled.
    Cancel,
    /// What failed, was cancelled or waits is retried.
    Retry,
}

/// What a command to many came to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BulkReport {
    /// Executions that the command was meant for.
    pub matched: u64,
    /// Those of them that it was given to.
    pub done: u64,
    /// Whether there are more than were asked for.
    pub more: bool,
    /// Those that refused it, at most 100.
    pub not_done: Vec<NotDone>,
}

/// One execution that refused a command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct NotDone {
    pub execution: ExecutionId,
    pub why: Conclusion,
}

/// Which references.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct ReferenceFilter {
    pub name: Option<String>,
    pub media_type: Option<String>,
    pub digest: Option<Digest>,
    pub made_by: Option<ExecutionId>,
    pub limit: u32,
    pub cursor: Option<String>,
}

/// How an artifact is named: by a reference of the tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArtifactName {
    /// By its reference.
    Reference(ReferenceId),
    /// By its digest, if the tenant has a reference with it.
    Digest(Digest),
}

/// Which way along the edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// What it was made from.
    Up,
    /// What was made from it.
    Down,
    /// Both.
    Both,
}

/// What a reference comes from and leads to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lineage {
    /// The references, nearest first, with their distance.
    pub nodes: Vec<(u32, Reference)>,
    /// The edges between them.
    pub edges: Vec<Provenance>,
    /// Whether nothing was left out.
    pub complete: bool,
    /// Why something was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_by: Option<String>,
}

/// One component version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct ComponentView {
    pub name: Name,
    pub version: String,
    pub digest: Digest,
    pub shape: String,
    /// active, draining or removed.
    pub state: String,
    /// What its host says of it: ready, backing off, failed…
    pub host: String,
    pub operations: Vec<String>,
    pub open_executions: u64,
}

/// One value of state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct StateView {
    pub key: String,
    pub value: Json,
    pub version: u64,
    pub expires_at: Option<Timestamp>,
}

/// How far a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum DeliveryState {
    Pending,
    Delivered,
    Dead,
}

/// What a verification of the log or of the tables found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct VerifyReport {
    pub records: u64,
    pub first: Lsn,
    pub last: Lsn,
    /// Rows compared (replay only).
    pub rows: u64,
    /// Artifacts whose bytes are what their digests say (of a whole store only).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub artifacts: u64,
    /// The last frame of the log and its chain value as `LSN:HASH`, to be kept elsewhere (log only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<ChainHead>,
    /// The first record that the chain covers; none where it covers nothing (log only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chained: Option<Lsn>,
    /// Every fault, with its position.
    pub faults: Vec<String>,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// What the doctor found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoctorReport {
    /// Each check by name: what it looked at, and every problem with its way out.
    pub checks: BTreeMap<String, CheckReport>,
}

/// One check of the doctor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct CheckReport {
    pub looked_at: String,
    pub problems: Vec<String>,
}

/// What a sink still has to get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinkLag {
    /// The sink.
    pub sink: SinkId,
    /// Messages that wait for it.
    pub pending: u64,
    /// How long the oldest of them has waited, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_ms: Option<u64>,
    /// Why nothing is delivered, since when, and until when it is left in peace; or that it is not configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// How a hub is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Status {
    pub store_id: String,
    pub release: String,
    pub epoch: u64,
    pub pid: u32,
    pub position: Lsn,
    /// Records by which the tables on disk are behind the log.
    #[serde(default)]
    pub behind: u64,
    /// Why the tables are not written behind, if they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tables: Option<String>,
    pub started_at: Timestamp,
    pub open: u64,
    pub queued: u64,
    pub running: u64,
    pub pending_messages: u64,
    /// What each sink still has to get.
    #[serde(default)]
    pub sinks: Vec<SinkLag>,
    pub components: u64,
    /// Why writes are refused, if they are.
    pub poisoned: Option<String>,
    pub draining: bool,
}
