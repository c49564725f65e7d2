//! A host that does what a test says, in this process: it keeps the outside ledger, holds calls at a gate, and panics.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use enact_host::contract::{
    BoxFuture, Call, CancelToken, ContextPort, Fingerprint, Host, HostObservation, HostStats, StopKind,
};
use enact_model::descriptor::Component;
use enact_model::digest::Digest;
use enact_model::id::Name;
use enact_model::observation::{Fault, FaultKind};
use enact_model::time::Timestamp;
use enact_runtime::hub::HubConfig;
use tokio::sync::watch;

/// Operations whose names say what the puppet does with them.
pub const COMPONENT: &str = r#"
component: puppet
version: 1.0.0
process: { command: [sh] }
services:
  play:
    echo: { kind: query, call: { stdin: json } }
    once: { kind: command, call: { stdin: json } }
    again: { kind: command, idempotent: true, call: { stdin: json } }
    patient: { kind: command, idempotent: true, retry: { attempts: 5, backoff: 2s..2s }, call: { stdin: json } }
    eager: { kind: command, idempotent: true, retry: { attempts: 4, backoff: 40ms..1s }, call: { stdin: json } }
    asked: { kind: command, reconcile: tell, call: { stdin: json } }
    tell: { kind: query, call: { stdin: json } }
    stubborn: { kind: query, timeout: 300ms, call: { stdin: json } }
    serial: { kind: command, idempotent: true, concurrency: { limit: 1, key: /key }, call: { stdin: json } }
    three: { kind: command, idempotent: true, concurrency: { limit: 3 }, call: { stdin: json } }
    lasting: { kind: query, timeout: 300d, call: { stdin: json } }
    swift: { kind: command, timeout: 100ms, call: { stdin: json } }
    panics: { kind: query, call: { stdin: json } }
"#;

/// One line of the outside ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    pub operation: String,
    pub execution: String,
    pub attempt: u32,
    pub token: String,
    pub version: String,
    pub argument: serde_json::Value,
    pub at: std::time::Instant,
}

type Ask = Box<dyn Fn(Arc<dyn ContextPort>) -> BoxFuture<'static, ()> + Send + Sync>;

#[derive(Default)]
struct Stage {
    runs: Vec<Run>,
    /// Faults to answer with, by operation, before it succeeds.
    faults: BTreeMap<String, VecDeque<Fault>>,
    inside: BTreeMap<String, u32>,
    most_inside: BTreeMap<String, u32>,
    ask: Option<Arc<Ask>>,
}

pub struct Puppet {
    stage: Mutex<Stage>,
    gate: watch::Sender<bool>,
    /// Whether it can be started.
    starts: watch::Sender<bool>,
}

impl Puppet {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { stage: Mutex::default(), gate: watch::Sender::new(true), starts: watch::Sender::new(true) })
    }
    pub fn take_the_stage(self: &Arc<Self>, config: &mut HubConfig) {
        config.hosts.insert("process", Arc::clone(self) as Arc<dyn Host>);
        config.shutdown_grace = std::time::Duration::from_millis(300);
    }
    /// Calls that come now wait until the gate is open.
    pub fn shut(&self) {
        self.gate.send_replace(false);
    }
    pub fn open(&self) {
        self.gate.send_replace(true);
    }
    /// Starts take for ever, or no time.
    pub fn starts(&self, do_they: bool) {
        self.starts.send_replace(do_they);
    }
    pub fn runs(&self) -> Vec<Run> {
        self.stage.lock().unwrap().runs.clone()
    }
    pub fn runs_of(&self, execution: impl ToString) -> Vec<Run> {
        let execution = execution.to_string();
        self.runs().into_iter().filter(|run| run.execution == execution).collect()
    }
    /// Lets the next calls of an operation fail so.
    pub fn will_fail(&self, operation: &str, faults: impl IntoIterator<Item = Fault>) {
        self.stage.lock().unwrap().faults.entry(operation.to_owned()).or_default().extend(faults);
    }
    /// The most calls that were inside at once, by operation and by `/key` of the argument.
    pub fn most_inside(&self, place: &str) -> u32 {
        self.stage.lock().unwrap().most_inside.get(place).copied().unwrap_or_default()
    }
    /// Lets every call ask its port something first.
    pub fn will_ask(&self, ask: impl Fn(Arc<dyn ContextPort>) -> BoxFuture<'static, ()> + Send + Sync + 'static) {
        self.stage.lock().unwrap().ask = Some(Arc::new(Box::new(ask)));
    }

    fn enter<'a>(&'a self, call: &Call) -> Inside<'a> {
        let argument = call.argument.to_value();
        let operation = call.operation_name.to_string();
        let key = argument.get("key").map(|key| format!("{operation} {key}"));
        let places: Vec<String> = std::iter::once(operation.clone()).chain(key).collect();
        let mut stage = self.stage.lock().unwrap();
        stage.runs.push(Run {
            operation,
            execution: call.context.execution_id().to_string(),
            attempt: call.context.attempt(),
            token: call.context.idempotency_token().to_owned(),
            version: call.component.version.clone(),
            argument,
            at: std::time::Instant::now(),
        });
        for place in &places {
            let inside = stage.inside.entry(place.clone()).or_default();
            *inside += 1;
            let inside = *inside;
            let most = stage.most_inside.entry(place.clone()).or_default();
            *most = inside.max(*most);
        }
        Inside { puppet: self, places }
    }
}

/// A call that is inside, until it is over or given up.
struct Inside<'a> {
    puppet: &'a Puppet,
    places: Vec<String>,
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        let mut stage = self.puppet.stage.lock().unwrap();
        for place in &self.places {
            *stage.inside.entry(place.clone()).or_default() -= 1;
        }
    }
}

pub fn now() -> Timestamp {
    Timestamp::from_system(SystemTime::now())
}

impl Host for Puppet {
    fn fingerprint(&self, _: &Component) -> Result<Fingerprint, Fault> {
        Ok(Fingerprint { facts: BTreeMap::new() })
    }
    fn start<'a>(&'a self, _: Arc<Component>, _: Digest) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async {
            let _ = self.starts.subscribe().wait_for(|starts| *starts).await;
            Ok(())
        })
    }
    fn invoke<'a>(
        &'a self,
        call: Call,
        port: Arc<dyn ContextPort>,
        cancel: CancelToken,
    ) -> BoxFuture<'a, HostObservation> {
        Box::pin(async move {
            let started_at = now();
            let inside = self.enter(&call);
            let operation = call.operation_name.as_str();
            assert!(operation != "panics", "the puppet panics because it was asked to");
            if operation == "stubborn" {
                std::future::pending::<()>().await;
            }
            let ask = self.stage.lock().unwrap().ask.clone();
            if let Some(ask) = ask {
                ask(port).await;
            }
            let mut gate = self.gate.subscribe();
            let stopped = tokio::select! {
                _ = gate.wait_for(|open| *open) => None,
                stop = cancel.wait() => Some(match stop.kind {
                    StopKind::Cancel => FaultKind::Stopped,
                    StopKind::Deadline => FaultKind::DeadlineExceeded,
                }.fault("the puppet was stopped")),
                () = tokio::time::sleep(call.budget) => Some(FaultKind::DeadlineExceeded.fault("the budget is spent")),
            };
            let planned =
                self.stage.lock().unwrap().faults.get_mut(operation).and_then(std::collections::VecDeque::pop_front);
            drop(inside);
            match stopped.or(planned) {
                Some(fault) => HostObservation::fault(fault, started_at, now()),
                None => HostObservation::replied(call.argument.clone(), None, started_at, now()),
            }
        })
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
