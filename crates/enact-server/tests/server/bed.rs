//! A hub with components of shell programs, and its door on a port of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use enact_model::record::RecordFilter;
use enact_runtime::api::{Caller, Reach, Request, Response, Role};
use enact_runtime::hub::{Hub, HubConfig};
use enact_runtime::sink::FileSink;
use enact_server::access::{NewToken, Tokens};
use enact_server::{Config, Server};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::http::{Answer, Ask};

/// Longest wait for anything that must happen.
pub const LIMIT: Duration = Duration::from_secs(30);

const COMPONENT: &str = r#"
component: text
version: 1.0.0
process: { command: [cat], mode: oneshot }
services:
  words:
    echo: { kind: query, call: { command: [cat] } }
    fail: { kind: query, call: { command: [sh, -c, "echo secret-evidence >&2; exit 3"], stdin: empty } }
    gate:
      kind: query
      timeout: 60s
      call: { command: [sh, -c, "while [ ! -e $GATE ]; do sleep 0.02; done; echo 1"], stdin: empty }
    large:
      kind: query
      call: { command: [sh, -c, "head -c 2000000 /dev/zero | tr '\\0' 7"], stdin: empty, stdout: text }
    typed:
      kind: query
      call: { command: [cat] }
      input: { type: object, properties: { n: { type: integer } }, required: [n], additionalProperties: false }
    keep:
      kind: command
      call: { command: [cat] }
      produces: [{ artifact: kept.json, from: stdout, media_type: application/json }]
      emits: [{ type: word.kept, on: completed, data: { n: 1 } }]
      state: [{ scope: session, set: last, value: 7 }]
"#;

pub struct Bed {
    folder: TempDir,
    hub_config: HubConfig,
    pub config: Config,
    hub: Option<Arc<Hub>>,
    serving: Option<(watch::Sender<bool>, JoinHandle<()>)>,
    live: Option<watch::Sender<enact_server::Live>>,
    pub address: SocketAddr,
}

impl Bed {
    pub async fn open() -> Self {
        Self::with(|_| ()).await
    }

    pub async fn with(set: impl FnOnce(&mut Config)) -> Self {
        Self::with_hub(|_| (), set).await
    }

    pub async fn with_hub(set_hub: impl FnOnce(&mut HubConfig), set: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("store");
        let mut hub_config = HubConfig::new(&store);
        hub_config.embedded.segment_bytes = 256 * 1024;
        hub_config.embedded.first_segment_bytes = 256 * 1024;
        let sink: enact_model::id::SinkId = "lines".parse().unwrap();
        hub_config.sinks.insert(sink.clone(), Arc::new(FileSink::new(&folder.path().join("events.jsonl"))));
        hub_config.policy.default_sinks = vec![sink];
        set_hub(&mut hub_config);
        let mut config = Config::new("127.0.0.1:0".parse().unwrap(), store.join("access"));
        set(&mut config);
        let address = config.listen;
        let mut bed = Self { folder, hub_config, config, hub: None, serving: None, live: None, address };
        bed.start().await;
        let text = COMPONENT.replace("$GATE", &bed.gate().display().to_string());
        bed.add("text", &text).await;
        bed
    }

    /// Starts hub and door, on the port of the first time.
    pub async fn start(&mut self) {
        let hub = Hub::open(self.hub_config.clone()).await.unwrap();
        let mut config = self.config.clone();
        if self.address.port() != 0 {
            config.listen = self.address;
        }
        let server = Server::bind(config).await.unwrap();
        self.address = server.address();
        self.live = Some(server.live());
        let (end, ended) = watch::channel(false);
        self.serving = Some((end, tokio::spawn(server.serve(Arc::clone(&hub), ended))));
        self.hub = Some(hub);
    }

    pub async fn stop(&mut self) {
        let (end, serving) = self.serving.take().unwrap();
        end.send(true).unwrap();
        serving.await.unwrap();
        self.hub.take().unwrap().shutdown().await.unwrap();
    }

    /// What changes while the door serves.
    pub fn live(&self) -> &watch::Sender<enact_server::Live> {
        self.live.as_ref().unwrap()
    }

    pub fn hub(&self) -> &Arc<Hub> {
        self.hub.as_ref().unwrap()
    }

    /// The folder of the hub.
    pub fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// What is waited for by the operation `gate`.
    pub fn gate(&self) -> PathBuf {
        self.folder.path().join("gate")
    }

    pub async fn ask(&self, ask: Ask) -> Answer {
        ask.to(self.address).await
    }
    pub async fn get(&self, path: &str) -> Answer {
        self.ask(Ask::new("GET", path)).await
    }
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask(Ask::new("POST", path).json(&body)).await
    }
    /// Submits and waits; returns the view.
    pub async fn run(&self, intent_type: &str, parameters: Value) -> Value {
        let draft = json!({ "intent_type": intent_type, "parameters": parameters });
        self.post("/v1/intents?wait=30s", draft).await.is(200).json()
    }
    /// Submits and does not wait; returns the id of the execution.
    pub async fn begin(&self, intent_type: &str, parameters: Value) -> String {
        let draft = json!({ "intent_type": intent_type, "parameters": parameters });
        let answer = self.post("/v1/intents", draft).await.is(202).json();
        answer["execution_id"].as_str().unwrap().to_owned()
    }

    /// Asks the hub itself, as who holds its store.
    pub async fn admin(&self, tenant: &str, request: Request) -> Response {
        let reach = Reach::Hub;
        let caller = Caller { tenant: tenant.parse().unwrap(), actor: "test".to_owned(), role: Role::Admin, reach };
        self.hub().handle(&caller, request).await
    }
    pub async fn add(&self, name: &str, yaml: &str) {
        let folder = self.folder.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("component.yaml"), yaml).unwrap();
        let answer = self.admin("default", Request::ComponentAdd { path: folder.display().to_string() }).await;
        assert!(matches!(answer, Response::Done { .. }), "{answer:?}");
    }
    pub async fn bind(&self, yaml: &str) {
        let path = self.folder.path().join("solution.yaml");
        std::fs::write(&path, yaml).unwrap();
        let answer = self.admin("default", Request::SolutionBind { path: path.display().to_string() }).await;
        assert!(matches!(answer, Response::Done { .. }), "{answer:?}");
    }

    pub fn tokens(&self) -> Tokens {
        Tokens::at(&self.config.tokens)
    }
    /// Makes a token of a tenant and returns its secret.
    pub fn token(&self, tenant: &str, role: Role) -> String {
        let new = NewToken {
            name: format!("{tenant}-{role}"),
            tenant: tenant.parse().unwrap(),
            role,
            expires_at: None,
            created_by: "test".to_owned(),
        };
        self.tokens().create(new).unwrap().1.reveal().to_owned()
    }

    /// What the log says was denied to a tenant, once it says so often.
    pub async fn denied(&self, tenant: &str, times: usize) -> Vec<String> {
        let begun = Instant::now();
        loop {
            let filter = RecordFilter { kinds: vec!["AccessRefused".to_owned()], ..RecordFilter::default() };
            let Response::Records(page) = self.admin(tenant, Request::Records { filter, limit: 100 }).await else {
                panic!("no records")
            };
            let found: Vec<String> = page.items.iter().map(|record| format!("{:?}", record.body)).collect();
            if found.len() >= times {
                return found;
            }
            assert!(begun.elapsed() < LIMIT, "{found:?}");
            tokio::task::yield_now().await;
        }
    }
}
