//! What every test stands on: a hub in a folder, components written into it, and questions with their answers.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use enact_model::conclusion::Conclusion;
use enact_model::id::{ExecutionId, TenantId};
use enact_model::intent::IntentDraft;
use enact_model::json::Json;
use enact_model::outcome::Outcome;
use enact_model::record::{Record, RecordFilter};
use enact_model::reference::Reference;
use enact_runtime::api::{Caller, DeliveryState, ExecutionView, Reach, Refusal, Request, Response, Role, VerifyReport};
use enact_runtime::hub::{Hub, HubConfig};
use enact_runtime::sink::FileSink;
use serde_json::Value;
use tempfile::TempDir;

use crate::puppet::Puppet;

/// Longest wait for anything that must happen.
pub const LIMIT: Duration = Duration::from_secs(30);

pub struct Bed {
    folder: TempDir,
    pub config: HubConfig,
    hub: Option<Arc<Hub>>,
}

/// A configuration that every test can afford: small segments, one sink of JSON lines that everything goes to.
pub fn config(folder: &Path) -> HubConfig {
    let mut config = HubConfig::new(folder.join("store"));
    config.embedded.segment_bytes = 256 * 1024;
    config.embedded.first_segment_bytes = 256 * 1024;
    config.embedded.flush_every = Duration::from_millis(20);
    let sink: enact_model::id::SinkId = "lines".parse().unwrap();
    config.sinks.insert(sink.clone(), Arc::new(FileSink::new(&folder.join("events.jsonl"))));
    config.policy.default_sinks = vec![sink];
    config.policy.delivery_backoff = (Duration::from_millis(20), Duration::from_millis(100));
    config
}

impl Bed {
    pub async fn open() -> Self {
        Self::with(|_, _| ()).await
    }
    /// Opens a hub whose only host is a puppet.
    pub async fn with_puppet() -> (Self, Arc<Puppet>) {
        let puppet = Puppet::new();
        let bed = Self::with(|config, _| puppet.take_the_stage(config)).await;
        bed.add(crate::puppet::COMPONENT).await;
        (bed, puppet)
    }
    pub async fn with(set: impl FnOnce(&mut HubConfig, &Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(folder.path());
        set(&mut config, folder.path());
        let hub = Some(Hub::open(config.clone()).await.unwrap());
        Self { folder, config, hub }
    }
    pub fn hub(&self) -> &Arc<Hub> {
        self.hub.as_ref().unwrap()
    }
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
    pub async fn close(&mut self) {
        if let Some(hub) = self.hub.take() {
            hub.shutdown().await.unwrap();
        }
    }
    /// Starts a hub that was closed, with the configuration as it is now.
    pub async fn start(&mut self) {
        assert!(self.hub.is_none());
        self.hub = Some(Hub::open(self.config.clone()).await.unwrap());
    }
    /// Forgets a hub that could not be closed.
    pub fn abandon(&mut self) {
        self.hub = None;
    }
    pub async fn restart(&mut self) {
        self.close().await;
        self.start().await;
    }

    pub async fn ask_as(&self, tenant: &str, request: Request) -> Response {
        self.hub().handle(&caller(tenant), request).await
    }
    pub async fn ask(&self, request: Request) -> Response {
        self.ask_as("default", request).await
    }
    /// Writes a component into a folder of its own and returns that.
    pub fn component(&self, yaml: &str) -> String {
        let number = std::fs::read_dir(self.folder.path()).unwrap().count();
        let folder = self.path(&format!("component-{number}"));
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("component.yaml"), yaml).unwrap();
        folder.display().to_string()
    }
    pub async fn add(&self, yaml: &str) {
        let answer = self.ask(Request::ComponentAdd { path: self.component(yaml) }).await;
        assert!(matches!(answer, Response::Done { .. }), "{answer:?}");
    }
    pub async fn submit_as(&self, tenant: &str, draft: IntentDraft, wait: Duration) -> Response {
        let wait_ms = wait.as_millis() as u64;
        self.ask_as(tenant, Request::Submit { draft: Box::new(draft), wait_ms }).await
    }
    /// Submits and does not wait; returns the execution.
    pub async fn begin(&self, draft: IntentDraft) -> ExecutionId {
        accepted(self.submit_as("default", draft, Duration::ZERO).await).execution.id
    }
    /// Submits and waits until it is settled.
    pub async fn run(&self, intent_type: &str, parameters: Value) -> ExecutionView {
        self.run_draft(draft(intent_type, parameters)).await
    }
    pub async fn run_draft(&self, draft: IntentDraft) -> ExecutionView {
        let view = accepted(self.submit_as("default", draft, LIMIT).await);
        assert!(view.outcome().is_some(), "{view:?} did not settle in time");
        view
    }
    /// Waits until an execution is settled.
    pub async fn settled(&self, execution: ExecutionId) -> ExecutionView {
        let wait_ms = LIMIT.as_millis() as u64;
        let view = execution_in(self.ask(Request::Await { execution, wait_ms }).await);
        assert!(view.outcome().is_some(), "{view:?} did not settle in time");
        view
    }
    pub async fn look(&self, execution: ExecutionId) -> ExecutionView {
        execution_in(self.ask(Request::Execution { execution }).await)
    }
    /// Waits until an execution looks as it is to look.
    pub async fn until(&self, execution: ExecutionId, looks: impl Fn(&ExecutionView) -> bool) -> ExecutionView {
        let end = Instant::now() + LIMIT;
        loop {
            let view = self.look(execution).await;
            if looks(&view) {
                return view;
            }
            assert!(Instant::now() < end, "it never came to be: {view:?}");
            pause().await;
        }
    }
    pub async fn records(&self, execution: ExecutionId) -> Vec<Record> {
        let filter = RecordFilter { execution: Some(execution), ..RecordFilter::default() };
        records_in(self.ask(Request::Records { filter, limit: 1_000 }).await)
    }
    pub async fn records_or_none(&self, execution: ExecutionId) -> Vec<Record> {
        let filter = RecordFilter { execution: Some(execution), ..RecordFilter::default() };
        match self.ask(Request::Records { filter, limit: 1_000 }).await {
            Response::Records(page) => page.items,
            _ => Vec::new(),
        }
    }
    /// Returns the epochs in which anything was promised, set or registered.
    pub async fn epochs_of_effects(&self) -> std::collections::BTreeSet<u64> {
        let records = records_in(self.ask(Request::Records { filter: RecordFilter::default(), limit: 1_000 }).await);
        records.iter().filter(|record| record.body.is_effect()).map(|record| record.epoch.0).collect()
    }
    pub async fn put(&self, name: &str, bytes: &[u8]) -> Reference {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        let path = path.display().to_string();
        match self.ask(Request::ArtifactPut { path, name: None, media_type: None }).await {
            Response::Reference(reference) => *reference,
            other => panic!("{other:?}"),
        }
    }
    /// Returns the lines of the sink.
    pub fn events(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path("events.jsonl")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
    pub async fn delivered(&self) {
        eventually("every message is delivered", async || {
            let asked = Request::Outbox { state: Some(DeliveryState::Pending), limit: 1, before: None };
            matches!(self.ask(asked).await, Response::Outbox(page) if page.items.is_empty())
        })
        .await;
    }
    pub async fn replay(&self) -> VerifyReport {
        match self.ask(Request::WalReplay).await {
            Response::Verified(report) => *report,
            other => panic!("{other:?}"),
        }
    }
    pub async fn problems(&self) -> Vec<String> {
        match self.ask(Request::Doctor).await {
            // How full the machine's own disk is, is not what is tested.
            Response::Doctor(report) => report
                .checks
                .into_iter()
                .filter(|(name, _)| name != "disk")
                .flat_map(|(name, check)| check.problems.into_iter().map(move |problem| format!("{name}: {problem}")))
                .collect(),
            other => panic!("{other:?}"),
        }
    }
    /// The doctor finds nothing, and the log makes the tables that are in use.
    pub async fn is_well(&self) {
        // Whether somebody outside can be reached is not the hub's own health.
        let own = self.problems().await.into_iter().filter(|problem| !problem.starts_with("sinks: "));
        assert_eq!(own.collect::<Vec<_>>(), Vec::<String>::new());
        assert_eq!(self.replay().await.faults, Vec::<String>::new());
    }
}

/// Returns every execution of the default tenant, page by page.
pub async fn accepted_ids(bed: &Bed) -> std::collections::BTreeSet<ExecutionId> {
    let (mut ids, mut cursor) = (std::collections::BTreeSet::new(), None);
    loop {
        let filter = enact_runtime::api::ExecutionFilter { limit: 100, cursor, ..Default::default() };
        let Response::Executions(page) = bed.ask(Request::Executions(filter)).await else { panic!() };
        ids.extend(page.items.iter().map(|view| view.execution.id));
        match page.next {
            Some(next) => cursor = Some(next),
            None => return ids,
        }
    }
}

/// Somebody of a tenant who holds the store, as over its socket.
pub fn caller(tenant: &str) -> Caller {
    Caller { reach: Reach::Hub, ..Caller::new(tenant.parse::<TenantId>().unwrap(), "test:somebody", Role::Admin) }
}

pub fn draft(intent_type: &str, parameters: Value) -> IntentDraft {
    let (intent_type, parameters) = (Some(intent_type.to_owned()), Some(Json::from(&parameters)));
    IntentDraft { intent_type, parameters, ..IntentDraft::default() }
}

pub fn accepted(response: Response) -> ExecutionView {
    match response {
        Response::Accepted { execution, .. } => *execution,
        other => panic!("{other:?}"),
    }
}

pub fn execution_in(response: Response) -> ExecutionView {
    match response {
        Response::Execution(view) => *view,
        other => panic!("{other:?}"),
    }
}

pub fn records_in(response: Response) -> Vec<Record> {
    match response {
        Response::Records(page) => page.items,
        other => panic!("{other:?}"),
    }
}

pub fn refusal(response: Response) -> Refusal {
    match response {
        Response::Refused(refusal) => *refusal,
        other => panic!("{other:?}"),
    }
}

pub fn output(view: &ExecutionView) -> Value {
    match (view.outcome(), &view.output) {
        (Some(Outcome::Completed { .. }), Some(output)) => output.to_value(),
        other => panic!("{other:?}"),
    }
}

pub fn failure(view: &ExecutionView) -> &Conclusion {
    match view.outcome() {
        Some(Outcome::Failed { conclusion, .. }) => conclusion,
        other => panic!("{other:?}"),
    }
}

pub fn kinds(records: &[Record]) -> Vec<&'static str> {
    records.iter().map(|record| record.body.kind()).collect()
}

/// Waits for a condition.
pub async fn eventually(what: &str, holds: impl AsyncFn() -> bool) {
    let end = Instant::now() + LIMIT;
    while !holds().await {
        assert!(Instant::now() < end, "it never came to be that {what}");
        pause().await;
    }
}

/// Lets others go on before the next look.
pub async fn pause() {
    tokio::time::sleep(Duration::from_millis(2)).await;
}

/// Measures how late the machine itself wakes a sleeper, so that a promise in time is held against the hub and not
/// against the neighbours.
pub struct Lateness(tokio::task::JoinHandle<()>, Arc<std::sync::atomic::AtomicU64>);

impl Lateness {
    pub fn measure() -> Self {
        let worst = Arc::new(std::sync::atomic::AtomicU64::new(0));
        let seen = Arc::clone(&worst);
        let task = tokio::spawn(async move {
            loop {
                let (began, nap) = (Instant::now(), Duration::from_millis(10));
                tokio::time::sleep(nap).await;
                let late = began.elapsed().saturating_sub(nap).as_millis() as u64;
                seen.fetch_max(late, std::sync::atomic::Ordering::Relaxed);
            }
        });
        Self(task, worst)
    }
    pub fn worst(&self) -> Duration {
        Duration::from_millis(self.1.load(std::sync::atomic::Ordering::Relaxed))
    }
}

impl Drop for Lateness {
    fn drop(&mut self) {
        self.0.abort();
    }
}
