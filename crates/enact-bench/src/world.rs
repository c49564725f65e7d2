//! A hub with a component that does nothing, and clients that ask it again and again.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use enact_host::contract::{BoxFuture, Call, CancelToken, ContextPort, Fingerprint, Host, HostObservation, HostStats};
use enact_model::descriptor::Component;
use enact_model::digest::Digest;
use enact_model::id::{Name, TenantId};
use enact_model::intent::IntentDraft;
use enact_model::json::Json;
use enact_model::observation::Fault;
use enact_model::time::Timestamp;
use enact_runtime::api::{Caller, Request, Response, Role};
use enact_runtime::hub::{Hub, HubConfig};

use crate::Failure;
use crate::latency::Latency;

/// Schemas on both sides, so that every intent and every output is judged.
pub const COMPONENT: &str = "\
component: nothing
version: 1.0.0
process: { command: [/bin/true], mode: worker }
services:
  nothing:
    add:
      kind: query
      input:
        type: object
        required: [account, cents]
        properties: { account: { type: string, maxLength: 40 }, cents: { type: integer, minimum: 0 } }
      output:
        type: object
        required: [cents]
        properties: { cents: { type: integer } }
      timeout: 30s
";
const INTENT_TYPE: &str = "nothing.nothing.add";
const PARAMETERS: &str = r#"{"account":"A-1029384756","cents":125000}"#;
const OUTPUT: &str = r#"{"cents":125000}"#;
/// Attempts at once: as many as the largest load has, so that no intent waits for a slot.
const RUNNING_MAX: u32 = 1_024;

/// A host in this process whose handler answers at once.
struct Nothing(Json);

impl Host for Nothing {
    fn fingerprint(&self, _: &Component) -> Result<Fingerprint, Fault> {
        Ok(Fingerprint { facts: Default::default() })
    }
    fn start<'a>(&'a self, _: Arc<Component>, _: Digest) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async { Ok(()) })
    }
    fn invoke<'a>(&'a self, _: Call, _: Arc<dyn ContextPort>, _: CancelToken) -> BoxFuture<'a, HostObservation> {
        let now = Timestamp::from_system(SystemTime::now());
        Box::pin(async move { HostObservation::replied(self.0.clone(), None, now, now) })
    }
    fn drain<'a>(&'a self, _: &'a Name, _: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }
    fn stats(&self) -> Vec<HostStats> {
        Vec::new()
    }
    fn shutdown<'a>(&'a self) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }
}

/// A hub and who asks it.
pub struct World {
    /// The hub.
    pub hub: Arc<Hub>,
    /// Who asks.
    pub caller: Caller,
}

impl World {
    /// Opens the store in a folder with the component that does nothing.
    pub async fn open(store: &Path) -> Result<Self, Failure> {
        Self::open_with(HubConfig::new(store)).await
    }
    /// Opens a hub that is set up so, but for its host.
    pub async fn open_with(mut config: HubConfig) -> Result<Self, Failure> {
        config.policy.running_max = RUNNING_MAX;
        config.hosts.insert("process", Arc::new(Nothing(Json::parse(OUTPUT)?)));
        let hub = Hub::open(config).await?;
        let caller = Caller::new(TenantId::default_tenant(), "bench", Role::Admin);
        Ok(Self { hub, caller })
    }
    /// Adds the component.
    pub async fn add_component(&self, store: &Path) -> Result<(), Failure> {
        self.add(store, COMPONENT).await
    }
    /// Adds a component, written into a folder.
    pub async fn add(&self, store: &Path, component: &str) -> Result<(), Failure> {
        let path = store.join("component.yaml");
        std::fs::write(&path, component)?;
        match self.hub.handle(&self.caller, Request::ComponentAdd { path: path.display().to_string() }).await {
            Response::Refused(refusal) => Err(format!("the component is refused: {refusal:?}").into()),
            _ => Ok(()),
        }
    }
    /// Submits an intent and waits until its execution is settled.
    pub async fn ask(hub: &Hub, caller: &Caller) -> Result<Response, Failure> {
        let draft = IntentDraft {
            intent_type: Some(INTENT_TYPE.to_owned()),
            parameters: Some(Json::parse(PARAMETERS)?),
            ..IntentDraft::default()
        };
        match hub.handle(caller, Request::Submit { draft: Box::new(draft), wait_ms: 30_000 }).await {
            Response::Accepted { execution, .. } if execution.output.is_none() => {
                Err(format!("an execution did not complete: {execution:?}").into())
            }
            accepted @ Response::Accepted { .. } => Ok(accepted),
            other => Err(format!("an intent was not accepted: {other:?}").into()),
        }
    }
    /// Lets clients ask, each as soon as it has its answer, until the end or until so many are settled.
    pub async fn load(&self, in_flight: u32, end: Instant, most: u64) -> Result<Latency, Failure> {
        let left = Arc::new(AtomicU64::new(most));
        let clients = (0..in_flight).map(|_| {
            let (hub, caller, left) = (Arc::clone(&self.hub), self.caller.clone(), Arc::clone(&left));
            tokio::spawn(async move {
                let mut times = Latency::default();
                let another = || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok();
                while Instant::now() < end && another() {
                    let begin = Instant::now();
                    Self::ask(&hub, &caller).await?;
                    times.add(begin.elapsed());
                }
                Ok::<_, Failure>(times)
            })
        });
        let mut times = Latency::default();
        for client in clients.collect::<Vec<_>>() {
            times.merge(client.await??);
        }
        Ok(times)
    }
    /// Waits until the tables on disk are where the log is; returns how many records they were behind and for how long.
    pub async fn catch_up(&self) -> (u64, Duration) {
        let begin = Instant::now();
        let behind = self.hub.status().behind;
        while self.hub.status().behind > 0 && begin.elapsed() < Duration::from_secs(60) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        (behind, begin.elapsed())
    }
}
