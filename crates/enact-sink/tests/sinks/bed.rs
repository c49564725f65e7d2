//! A hub with one sink under test and a healthy file beside it, and a component that promises what it is asked to.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use enact_model::id::{SinkId, TenantId};
use enact_model::intent::IntentDraft;
use enact_model::json::Json;
use enact_model::message::{Delivery, MessageRow};
use enact_runtime::api::{Caller, DeliveryState, Reach, Request, Response, Role, SinkLag};
use enact_runtime::hub::{Hub, HubConfig};
use enact_runtime::sink::{FileSink, Sink};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Longest wait for anything that must happen.
pub const LIMIT: Duration = Duration::from_secs(60);

const SPEAKER: &str = r#"
component: speaker
version: 1.0.0
process: { command: [sh] }
services:
  s:
    say: { kind: query, call: { command: [echo, "1"] }, emits: [{ type: said, key: /key, data: /input }] }
    fail:
      kind: query
      call: { command: [sh, -c, "exit 3"] }
      emits: [said, { type: failed, on: failed, key: /key, data: { code: /failure/code } }]
"#;

pub struct Bed {
    folder: TempDir,
    config: HubConfig,
    hub: Option<Arc<Hub>>,
}

pub fn tested() -> SinkId {
    "tested".parse().unwrap()
}

impl Bed {
    /// Opens a hub that sends everything to the sink under test, and to a file.
    pub async fn open(sink: Arc<dyn Sink>, attempts: u32) -> Self {
        Self::open_with(sink, attempts, SPEAKER, |_| ()).await
    }
    /// Opens a hub with another component, and set up in other ways too.
    pub async fn open_with(
        sink: Arc<dyn Sink>,
        attempts: u32,
        component_yaml: &str,
        set: impl FnOnce(&mut HubConfig),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = HubConfig::new(folder.path().join("store"));
        let healthy: SinkId = "healthy".parse().unwrap();
        config.sinks.insert(tested(), sink);
        config.sinks.insert(healthy.clone(), Arc::new(FileSink::new(&folder.path().join("healthy.jsonl"))));
        config.policy.default_sinks = vec![tested(), healthy];
        config.policy.delivery_backoff = (Duration::from_millis(20), Duration::from_millis(200));
        config.policy.delivery_attempts = attempts;
        set(&mut config);
        let hub = Some(Hub::open(config.clone()).await.unwrap());
        let bed = Self { folder, config, hub };
        let component = bed.path("component");
        std::fs::create_dir(&component).unwrap();
        std::fs::write(component.join("component.yaml"), component_yaml).unwrap();
        let added = bed.ask("default", Request::ComponentAdd { path: component.display().to_string() }).await;
        assert!(matches!(added, Response::Done { .. }), "{added:?}");
        bed
    }
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
    pub async fn close(&mut self) {
        self.hub.take().unwrap().shutdown().await.unwrap();
    }
    /// Ends the hub and starts it again, with this sink in place of the one it had.
    pub async fn restart(&mut self, sink: Arc<dyn Sink>) {
        self.close().await;
        self.config.sinks.insert(tested(), sink);
        self.hub = Some(Hub::open(self.config.clone()).await.unwrap());
    }
    /// Ends the hub and starts it again, set up in another way.
    pub async fn restart_with(&mut self, set: impl FnOnce(&mut HubConfig)) {
        self.close().await;
        set(&mut self.config);
        self.hub = Some(Hub::open(self.config.clone()).await.unwrap());
    }
    pub fn hub(&self) -> &Arc<Hub> {
        self.hub.as_ref().unwrap()
    }
    pub async fn ask(&self, tenant: &str, request: Request) -> Response {
        let tenant: TenantId = tenant.parse().unwrap();
        let caller = Caller { reach: Reach::Hub, ..Caller::new(tenant, "test", Role::Admin) };
        self.hub.as_ref().unwrap().handle(&caller, request).await
    }
    /// Runs an operation to its end.
    pub async fn run(&self, tenant: &str, operation: &str, parameters: Value) {
        let draft = IntentDraft {
            intent_type: Some(operation.to_owned()),
            parameters: Some(Json::from(&parameters)),
            ..IntentDraft::default()
        };
        let request = Request::Submit { draft: Box::new(draft), wait_ms: LIMIT.as_millis() as u64 };
        match self.ask(tenant, request).await {
            Response::Accepted { execution, .. } if execution.outcome().is_some() => {}
            other => panic!("{other:?}"),
        }
    }
    /// Promises a message.
    pub async fn say(&self, tenant: &str, key: &str, n: usize) {
        self.run(tenant, "speaker.s.say", json!({ "key": key, "n": n })).await;
    }
    pub async fn outbox(&self, tenant: &str, state: Option<DeliveryState>) -> Vec<MessageRow> {
        match self.ask(tenant, Request::Outbox { state, limit: 1_000, before: None }).await {
            Response::Outbox(page) => page.items,
            other => panic!("{other:?}"),
        }
    }
    pub fn lag(&self) -> SinkLag {
        self.hub.as_ref().unwrap().outbox_lag().into_iter().find(|lag| lag.sink == tested()).unwrap()
    }
    /// Waits until nothing waits for the sink under test.
    pub async fn delivered(&self) {
        eventually("everything is delivered", async || self.lag().pending == 0).await;
    }
    /// Returns why a message is delayed or given up at the sink under test.
    pub async fn reason(&self) -> String {
        for row in self.outbox("default", None).await {
            match &row.deliveries[0] {
                Delivery::Pending { reason: Some(reason), .. } | Delivery::DeadLettered { reason, .. } => {
                    return reason.clone();
                }
                _ => {}
            }
        }
        String::new()
    }
    /// Returns what the healthy sink has.
    pub fn healthy(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path("healthy.jsonl")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Waits until something is so.
pub async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !is_so().await {
        assert!(Instant::now() < end, "it never came to be: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Returns the numbers of events by tenant and key, in their order, each id once as a consumer that dedupes has them.
pub fn numbers(events: &[Value]) -> BTreeMap<(String, String), Vec<u64>> {
    let mut seen = std::collections::BTreeSet::new();
    let mut by_key: BTreeMap<_, Vec<u64>> = BTreeMap::new();
    for event in events.iter().filter(|event| seen.insert(event["id"].as_str().unwrap().to_owned())) {
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        by_key
            .entry((text("enacttenant"), text("partitionkey")))
            .or_default()
            .push(event["data"]["n"].as_u64().unwrap());
    }
    by_key
}
