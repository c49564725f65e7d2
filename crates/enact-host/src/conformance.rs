//! One suite that every host must pass (claims H1–H9, C2, L5), whatever shape it drives.
//!
//! A shape brings a [`HostUnderTest`]: its host, and for each [`Probe`] the operation that misbehaves so, or the reason
//! why this shape cannot. What cannot be run is skipped, printed with its reason and counted, never passed over.

mod checks;
mod faults;
mod load;
mod measure;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use enact_model::context::{AttemptFacts, ContextIds, ExecutionContext};
use enact_model::descriptor::{
    Call as CallShape, Component, IDLE_MS, Operation, OperationKind, ProcessMode, ProcessShape, Returns, Shape, Stdin,
};
use enact_model::digest::Digest;
use enact_model::envelope::StateScope;
use enact_model::id::{ExecutionId, IntentId, Name, ReferenceId, Selector, SolutionId};
use enact_model::intent::Intent;
use enact_model::json::Json;
use enact_model::payload::Payload;
use enact_model::reference::Reference;
use enact_model::time::Timestamp;

use crate::contract::{BoxFuture, Call, ContextPort, Host, PortError, RefusedRequest, StateValue};

pub use measure::{Stalls, usage};

/// One way in which a handler behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names in the table of the handler say it")]
pub enum Probe {
    Echo,
    Sleep,
    TypedFailure,
    BadArgument,
    Unknown,
    Loop,
    Deaf,
    Cooperative,
    Exit,
    GuardedExit,
    Abort,
    Kill,
    Exhaust,
    Flood,
    BigReply,
    Header,
    Garbage,
    Half,
    TwoReplies,
    StrayReply,
    LateReply,
    Deep,
    BadEffects,
    SlowStart,
    FailingStart,
    SilentStart,
    RefusedStart,
    Ask,
}

/// An operation of a component.
#[derive(Debug, Clone)]
pub struct Target {
    /// The component.
    pub component: Arc<Component>,
    /// The digest of its package.
    pub digest: Digest,
    /// The service.
    pub service: Name,
    /// The operation.
    pub operation: Name,
}

/// A host, and the operations that misbehave in it.
pub trait HostUnderTest: Send + Sync {
    /// Its name, for the report.
    fn name(&self) -> &'static str;
    /// The host.
    fn host(&self) -> Arc<dyn Host>;
    /// The operation that behaves so; the same component for all but the starts, so that calls can be siblings.
    ///
    /// # Errors
    /// Why this shape cannot behave so.
    fn target(&self, probe: Probe) -> Result<Target, &'static str>;
    /// A healthy operation of another component.
    fn neighbour(&self) -> Target;
    /// Returns whether an instance, by its name in the observation, is still there.
    fn is_alive(&self, instance: &str) -> bool;
    /// Returns whether a call that asks its process to exit is held back, so that the calls beside it are answered.
    fn holds_exits(&self) -> bool {
        false
    }
    /// A part of the reason for which [`Probe::RefusedStart`] does not start.
    fn refusal(&self) -> &'static str {
        "no database"
    }
}

/// The claims that the suite proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "they are the ids of the ledger of claims")]
pub enum Claim {
    H1,
    H2,
    H3,
    H4,
    H5,
    H6,
    H7,
    H8,
    H9,
    L5,
    C2,
}

/// Something that a host did not do as it must.
#[derive(Debug, thiserror::Error)]
#[error("failed to meet the claim: {0}")]
pub struct Unmet(pub String);

/// What came of the checks of a claim.
#[derive(Debug, Default)]
pub struct Report {
    /// Checks that were met.
    pub met: Vec<&'static str>,
    /// Checks that this shape cannot run, with the reason.
    pub skipped: Vec<(&'static str, &'static str)>,
    /// Checks that were not met.
    pub unmet: Vec<(&'static str, Unmet)>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for check in &self.met {
            writeln!(f, "met      {check}")?;
        }
        for (check, reason) in &self.skipped {
            writeln!(f, "skipped  {check}: {reason}")?;
        }
        for (check, unmet) in &self.unmet {
            writeln!(f, "UNMET    {check}: {unmet}")?;
        }
        write!(f, "{} met, {} skipped, {} unmet", self.met.len(), self.skipped.len(), self.unmet.len())
    }
}

/// Why a check did not come to its end.
enum Halt {
    Skipped(&'static str),
    Unmet(Unmet),
}

impl From<Unmet> for Halt {
    fn from(unmet: Unmet) -> Self {
        Self::Unmet(unmet)
    }
}

/// Runs every check of one claim.
pub async fn run(under: &dyn HostUnderTest, claim: Claim) -> Report {
    let mut report = Report::default();
    for (name, check) in checks::of(claim) {
        match check(under).await {
            Ok(()) => report.met.push(name),
            Err(Halt::Skipped(reason)) => report.skipped.push((name, reason)),
            Err(Halt::Unmet(unmet)) => report.unmet.push((name, unmet)),
        }
    }
    report
}

impl Target {
    /// A component with one oneshot operation that reads its argument as JSON.
    pub fn oneshot(component: &str, command: &[&str], operation: &str) -> Self {
        let mut shape = process(command, ProcessMode::Oneshot);
        shape.start_timeout_ms = 1_000;
        Self::of(component, shape, &[operation], operation)
    }
    /// A component with one operation of a worker.
    pub fn worker(component: &str, command: &[&str], operation: &str, instances: u32, calls_in_flight: u32) -> Self {
        let shape = ProcessShape { instances, calls_in_flight, ..process(command, ProcessMode::Worker) };
        Self::of(component, shape, &[operation], operation)
    }
    /// A component of this shape with these operations, pointing at one of them.
    ///
    /// # Panics
    /// A name that is none.
    pub fn of(component: &str, shape: impl Into<Shape>, operations: &[&str], operation: &str) -> Self {
        let name = |text: &str| text.parse::<Name>().expect("the suite uses names");
        let operations = operations.iter().map(|text| (name(text), operation_named(text))).collect();
        let component = Component {
            name: name(component),
            version: "1.0.0".to_owned(),
            summary: None,
            shape: shape.into(),
            secrets: BTreeMap::new(),
            services: BTreeMap::from([(name("probe"), operations)]),
        };
        Self {
            digest: Digest::of(Json::of(&component).as_str().as_bytes()),
            component: Arc::new(component),
            service: name("probe"),
            operation: name(operation),
        }
    }
    /// The same component, another operation.
    ///
    /// # Panics
    /// A name that is none.
    pub fn at(&self, operation: &str) -> Self {
        Self { operation: operation.parse().expect("the suite uses names"), ..self.clone() }
    }
}

fn process(command: &[&str], mode: ProcessMode) -> ProcessShape {
    ProcessShape {
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        mode,
        env: BTreeMap::new(),
        files: BTreeMap::new(),
        roots: BTreeMap::new(),
        memory_bytes: Some(512 << 20),
        instances: 1,
        calls_in_flight: 1,
        start_timeout_ms: 5_000,
        idle_ms: IDLE_MS,
        config: None,
    }
}

fn operation_named(name: &str) -> Operation {
    let returns = if name == "bad-effects" { Returns::Effects } else { Returns::Output };
    Operation {
        summary: None,
        kind: OperationKind::Command,
        idempotent: false,
        call: CallShape { stdin: Stdin::Json, ..CallShape::default() },
        secrets: BTreeMap::new(),
        input: None,
        output: None,
        timeout_ms: 60_000,
        retry: None,
        concurrency: None,
        reconcile: None,
        compensate: None,
        handles: Vec::new(),
        returns,
        produces: Vec::new(),
        result: None,
        emits: Vec::new(),
        state: Vec::new(),
    }
}

/// Makes the call of an operation, in the tenant `acme` and the session `s-1`.
///
/// # Panics
/// Never: its ids are written here.
pub fn call_of(target: &Target, argument: Json, budget: Duration) -> Call {
    call_for("acme", target, argument, budget)
}

/// Makes the call of an operation in a tenant and the session `s-1`.
///
/// # Panics
/// A tenant that is none.
pub fn call_for(tenant: &str, target: &Target, argument: Json, budget: Duration) -> Call {
    let selector = Selector {
        component: target.component.name.clone(),
        service: target.service.clone(),
        operation: target.operation.clone(),
    };
    let intent = Intent {
        intent_id: IntentId::from_u128(7),
        intent_type: selector.intent_type(),
        tenant_id: tenant.parse().expect("a tenant"),
        session_id: "s-1".parse().expect("a session"),
        solution_id: SolutionId::default_solution(),
        parameters: Payload::Inline(argument.clone()),
        metadata: BTreeMap::new(),
        created_at: Timestamp(1),
        idempotency_key: None,
        deadline_ms: None,
        start_after: None,
    };
    let facts = AttemptFacts {
        attempt: 1,
        deadline_at: Timestamp(1),
        idempotency_token: "token-1".to_owned(),
        trace: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned(),
    };
    let context = ExecutionContext::new(ExecutionId::from_u128(11), ContextIds::of(&intent), &intent, selector, facts);
    Call {
        context: context.expect("the ids are those of the intent"),
        component: target.component.clone(),
        digest: target.digest,
        service: target.service.clone(),
        operation_name: target.operation.clone(),
        argument,
        secrets: crate::contract::Secrets::default(),
        files: BTreeMap::new(),
        budget,
    }
}

/// A port that has one key and keeps what was refused.
#[derive(Debug, Default)]
pub struct TestPort {
    /// What was refused.
    pub refused: std::sync::Mutex<Vec<RefusedRequest>>,
}

impl ContextPort for TestPort {
    fn state_get(&self, _: StateScope, key: String) -> BoxFuture<'_, Result<Option<StateValue>, PortError>> {
        Box::pin(async move { Ok((key == "known").then(|| StateValue { value: Json::of("value"), version: 4 })) })
    }
    fn reference_get(&self, _: ReferenceId) -> BoxFuture<'_, Result<Option<Reference>, PortError>> {
        Box::pin(async { Ok(None) })
    }
    fn log_get(&self) -> BoxFuture<'_, Result<Vec<Json>, PortError>> {
        Box::pin(async { Ok(vec![Json::of("accepted")]) })
    }
    fn refused(&self, what: RefusedRequest) {
        self.refused.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(what);
    }
}

/// A port for calls that ask nothing.
pub fn no_port() -> Arc<dyn ContextPort> {
    Arc::new(TestPort::default())
}
