//! The hub: opens a store, runs its ring, and answers what the doors ask.

mod access;
mod artifact;
mod audit;
mod bulk;
pub(crate) mod component;
mod data;
mod doctor;
mod execution;
mod follow;
mod log;
mod metrics;
mod open;
mod outbox;
mod page;
mod refusal;
mod session;
mod submit;
mod text;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use enact_engine::command::{Answer, CommandBody};
use enact_engine::policy::Policy;
use enact_host::contract::{Host, HostState, HostStats};
use enact_model::id::{ExecutionId, SinkId};
use enact_model::time::Timestamp;
use enact_store::contract::View;
use enact_store::embedded::{self, DiskStore};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::api::{Caller, Request, Response, Status};
use crate::driver::Decider;
use crate::performer::Performer;
use crate::probe::Probe;
use crate::ring::{Ring, RingError};
use crate::secret::SecretSource;
use crate::sink::Sink;
use crate::trace::Traces;

pub use artifact::{Bytes, Seen, Upload};
pub use follow::Watch;
pub use open::OpenError;

/// How long a shutdown waits for the collector of spans.
const FLUSH_LIMIT: Duration = Duration::from_secs(2);

/// How far the tables may be behind the log before that is told.
const BEHIND_MAX: Duration = Duration::from_secs(30);

/// Largest artifact that is put by hand if nobody says anything, in bytes.
const ARTIFACT_MAX_BYTES: u64 = 16 * 1024 * 1024 * 1024;

/// How a hub is set up; every value is checked before it comes here.
#[derive(Clone)]
pub struct HubConfig {
    /// The folder of the store.
    pub store: PathBuf,
    /// Limits of the rules.
    pub policy: Policy,
    /// Sinks by name.
    pub sinks: BTreeMap<SinkId, Arc<dyn Sink>>,
    /// Where the secrets of handlers are; none has none.
    pub secrets: Option<Arc<dyn SecretSource>>,
    /// Where spans go; none makes none.
    pub traces: Option<Traces>,
    /// Largest artifact that is put by hand, in bytes.
    pub artifact_max_bytes: u64,
    /// How long settled executions are kept; none for ever.
    pub history_keep: Option<Duration>,
    /// How long a shutdown waits for what runs.
    pub shutdown_grace: Duration,
    /// Java runtimes, or folders of them, that come before those that are found.
    pub java_homes: Vec<PathBuf>,
    /// What the doctor asks beside the hub itself, by the name of the check.
    pub probes: BTreeMap<String, Arc<dyn Probe>>,
    /// How the embedded store works.
    pub embedded: embedded::Config,
    /// Hosts in place of the built-in ones, by shape (for benchmarks and tests).
    pub hosts: BTreeMap<&'static str, Arc<dyn Host>>,
}

impl HubConfig {
    /// Sets up a hub with every default.
    pub fn new(store: impl Into<PathBuf>) -> Self {
        Self {
            store: store.into(),
            policy: Policy::default(),
            sinks: BTreeMap::new(),
            secrets: None,
            traces: None,
            artifact_max_bytes: ARTIFACT_MAX_BYTES,
            history_keep: None,
            shutdown_grace: Duration::from_secs(10),
            java_homes: Vec::new(),
            probes: BTreeMap::new(),
            embedded: embedded::Config::default(),
            hosts: BTreeMap::new(),
        }
    }
}

/// A running hub.
pub struct Hub {
    ring: Arc<Ring<DiskStore>>,
    performer: Arc<Performer<DiskStore>>,
    config: HubConfig,
    store_id: String,
    epoch: u64,
    started_at: Timestamp,
    draining: AtomicBool,
    /// Who asked the hub to end, and why.
    end_asked: watch::Sender<Option<String>>,
    denials: access::Denials,
    /// One repetition of many at a time.
    bulk_retry: Semaphore,
    dead_letters: metrics::DeadLetters,
    thread: Mutex<Option<std::thread::JoinHandle<DiskStore>>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Hub {
    /// Answers a request. It never fails: what was not done is a [`Response::Refused`] with its conclusion.
    ///
    /// # Cancel safety
    /// What was sent to the ring is carried out even if nobody waits for the answer.
    pub async fn handle(&self, caller: &Caller, request: Request) -> Response {
        match self.answer(caller, request).await {
            Ok(response) => response,
            Err(refusal) => Response::Refused(refusal),
        }
    }

    async fn answer(&self, caller: &Caller, request: Request) -> refusal::Result<Response> {
        self.admit(caller, &request)?;
        text::check(&request)?;
        match request {
            Request::Submit { draft, wait_ms } => {
                let answer = self.submit(caller, *draft, wait_ms).await;
                answer.inspect_err(|refusal| self.ring.witness().refused(&caller.tenant, refusal.conclusion.code))
            }
            // In a place of its own: a future is moved with the room that its largest branch takes.
            other => Box::pin(self.answer_other(caller, other)).await,
        }
    }

    /// Answers what is no submit.
    async fn answer_other(&self, caller: &Caller, request: Request) -> refusal::Result<Response> {
        use Request as R;
        match request {
            R::Submit { .. } => Err(refusal::internal(&"a submit is answered elsewhere")),
            R::Intent { intent } => self.intent(caller, intent).await,
            R::IntentTypes { solution } => self.intent_types(solution.as_ref()),
            R::Execution { execution } => self.execution(caller, execution).await,
            R::Await { execution, wait_ms } => self.wait(caller, execution, wait_ms).await,
            R::Executions(filter) => self.executions(caller, filter).await,
            R::Cancel { execution, reason } => {
                let (tenant, role) = (caller.tenant.clone(), Some(caller.role.as_str()));
                self.operate(caller, CommandBody::Cancel { tenant, execution, reason, role }).await
            }
            R::Pause { execution, reason } => {
                let (tenant, role) = (caller.tenant.clone(), Some(caller.role.as_str()));
                self.operate(caller, CommandBody::Pause { tenant, execution, reason, role }).await
            }
            R::Resume { execution, reason } => {
                let (tenant, role) = (caller.tenant.clone(), Some(caller.role.as_str()));
                self.operate(caller, CommandBody::Resume { tenant, execution, reason, role }).await
            }
            R::Retry { execution, reason, confirm_may_have_run } => {
                self.refuse_while_draining()?;
                let tenant = caller.tenant.clone();
                self.operate(
                    caller,
                    CommandBody::Retry {
                        tenant,
                        execution,
                        reason,
                        confirm_may_have_run,
                        role: Some(caller.role.as_str()),
                    },
                )
                .await
            }
            R::Bulk(bulk) => self.bulk(caller, *bulk).await,
            R::ComponentAdd { path } => self.component_add(caller, path).await,
            R::ComponentCheck { path } => self.component_check(path).await,
            R::Components => Ok(self.components().await),
            R::ComponentDescribe { name, version } => self.component_describe(&name, version.as_deref()),
            R::Meta { name, question, parameters } => self.meta(&name, question, &parameters),
            R::ComponentDrain { name, version, reason } => self.component_drain(caller, name, version, reason).await,
            R::ComponentRemove { name, version, reason } => {
                self.operate(caller, CommandBody::RemoveComponent { name, version, reason }).await
            }
            R::SolutionBind { path } => self.solution_bind(caller, path).await,
            R::Solutions => Ok(self.solutions()),
            R::ArtifactPut { path, name, media_type } => self.artifact_put(caller, path, name, media_type).await,
            R::ArtifactGet { reference, target } => self.artifact_get(caller, reference, target).await,
            R::References(filter) => self.references(caller, filter).await,
            R::Reference { reference } => self.reference(caller, reference),
            R::Lineage { reference, direction, depth, limit } => {
                self.lineage(caller, reference, direction, depth, limit).await
            }
            R::SessionOpen { session, owner, ttl_ms } => self.session_open(caller, session, owner, ttl_ms).await,
            R::SessionUpgrade { session, owner } => self.session_upgrade(caller, session, owner).await,
            R::SessionClose { session, reason } => self.session_close(caller, session, reason).await,
            R::Session { session } => self.session(caller, &session),
            R::Sessions { limit, cursor } => self.sessions(caller, limit, cursor).await,
            R::StateGet { scope, owner, key } => self.state_get(caller, scope, &owner, &key),
            R::StateList { scope, owner, limit, cursor } => self.state_list(caller, scope, owner, limit, cursor).await,
            R::StateSet { session, key, value, if_version, ttl_ms } => {
                let tenant = caller.tenant.clone();
                let body = CommandBody::SetState { tenant, session, key, value, if_version, ttl_ms };
                self.operate(caller, body).await
            }
            R::Outbox { state, limit, before } => self.outbox(caller, state, limit, before).await,
            R::OutboxShow { message } => self.outbox_show(caller, message),
            R::Redeliver { message, sink, reason } => {
                let (tenant, role) = (caller.tenant.clone(), Some(caller.role.as_str()));
                self.operate(caller, CommandBody::Redeliver { tenant, message, sink, reason, role }).await
            }
            R::Audit { execution, after, limit } => self.audit(caller, execution, after, limit).await,
            R::Records { filter, limit } => self.records(caller, filter, limit).await,
            R::WalVerify { expect } => self.wal_verify(expect).await,
            R::WalReplay => self.wal_replay().await,
            R::StoreBackup { target } => self.store_backup(target.into()).await,
            R::StoreVerify => self.store_verify().await,
            R::HistoryDrop { older_than_ms, reason } => {
                self.history_drop(caller, Duration::from_millis(older_than_ms), reason).await
            }
            R::Doctor => self.doctor().await,
            R::Status => Ok(Response::Status(Box::new(self.status()))),
            R::Shutdown { reason } => {
                self.drain();
                self.end_asked.send_replace(Some(format!("{}: {reason}", caller.actor)));
                Ok(Response::Done { message: "the hub takes no new work and ends".to_owned() })
            }
        }
    }

    /// Waits until somebody asks the hub to end, and tells who and why. Who runs the hub ends it by [`Hub::shutdown`].
    pub async fn asked_to_end(&self) -> String {
        let mut asked = self.end_asked.subscribe();
        // The sender is the hub's own.
        let asked = asked.wait_for(Option::is_some).await;
        asked.ok().and_then(|reason| reason.clone()).unwrap_or_default()
    }

    /// Sends an operator's command and tells what it came to.
    async fn operate(&self, caller: &Caller, body: CommandBody) -> refusal::Result<Response> {
        match self.ask(caller, body).await? {
            Answer::Accepted(execution) => {
                let execution = Box::new(self.view_of(caller, execution).await?);
                Ok(Response::Accepted { execution, repeated: false })
            }
            Answer::Done(message) => Ok(Response::Done { message }),
            Answer::Refused(refused) => Err(refusal::from(*refused)),
            other => Ok(Response::Done { message: format!("{other:?}") }),
        }
    }

    async fn ask(&self, caller: &Caller, body: CommandBody) -> refusal::Result<Answer> {
        let actor: Arc<str> = caller.actor.as_str().into();
        self.ring.ask(&actor, body).await.map_err(refusal::of_ring)
    }

    fn refuse_while_draining(&self) -> refusal::Result<()> {
        if self.is_draining() { Err(refusal::draining()) } else { Ok(()) }
    }

    /// Takes no new work from now on.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }
    /// Returns whether new work is refused.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Lets an execution start although this hub gives out no slots, as one does that was opened for a single command.
    ///
    /// # Errors
    /// When the hub is ending.
    pub async fn call_for(&self, execution: ExecutionId) -> Result<(), RingError> {
        self.ring.rule(move |decider| decider.call_for(execution)).await?;
        self.ring.tell(&"engine".into(), CommandBody::Tick).await
    }

    /// Returns why the tables are not written behind, and since when, if they are not.
    fn tables_trouble(&self) -> Option<String> {
        let trouble = self.ring.view().trouble()?;
        Some(format!("not written behind since {}: {}", Timestamp::from_system(trouble.since), trouble.reason))
    }

    /// Returns why no work is taken, if there are reasons; nothing is counted for it.
    pub fn unready(&self) -> Vec<String> {
        let reasons = [
            self.ring.poisoned().map(|poisoned| format!("writes are refused: {poisoned}")),
            self.is_draining().then(|| "the hub is shutting down".to_owned()),
            self.tables_trouble().map(|trouble| format!("tables: {trouble}")),
        ];
        reasons.into_iter().flatten().collect()
    }

    /// Returns what is wrong although work is taken, without names.
    pub fn degraded(&self) -> Vec<String> {
        let sinks = self.config.sinks.keys().filter(|sink| self.performer.lines().of(sink).is_down()).count();
        let failed = |stats: &HostStats| matches!(stats.state, HostState::Failed(_));
        let stats = self.performer.hosts().values().flat_map(|host| host.stats());
        let circuits = stats.filter(failed).count();
        let late = self.tables_behind();
        let reasons = [
            (sinks > 0).then(|| format!("sinks that take nothing: {sinks}")),
            (circuits > 0).then(|| format!("component versions that take no calls: {circuits}")),
            (late > BEHIND_MAX).then(|| format!("tables are {} s behind the log", late.as_secs())),
        ];
        reasons.into_iter().flatten().collect()
    }

    /// Returns how the hub is.
    pub fn status(&self) -> Status {
        let (open, queued, pending) = self.counts();
        Status {
            store_id: self.store_id.clone(),
            release: env!("CARGO_PKG_VERSION").to_owned(),
            epoch: self.epoch,
            pid: std::process::id(),
            position: self.ring.view().position(),
            behind: self.ring.view().behind(),
            tables: self.tables_trouble(),
            started_at: self.started_at,
            open,
            queued,
            running: self.performer.running() as u64,
            pending_messages: pending,
            sinks: self.outbox_lag(),
            components: self.ring.catalog().entries().count() as u64,
            poisoned: self.ring.poisoned().map(|poisoned| poisoned.to_string()),
            draining: self.is_draining(),
        }
    }

    /// Ends the hub: new work is refused, what runs may finish within the grace, what does not waits durably for the next
    /// start, and the store is closed.
    ///
    /// # Errors
    /// When the store could not be closed cleanly; nothing that was acknowledged is lost then either.
    pub async fn shutdown(&self) -> Result<(), OpenError> {
        self.drain();
        // A ring that has ended starts nothing either.
        let _ = self.ring.rule(Decider::start_nothing_more).await;
        let end = tokio::time::Instant::now() + self.config.shutdown_grace;
        let mut position = self.ring.position();
        while self.performer.running() > 0 && tokio::time::Instant::now() < end {
            // Every commit and every passing tenth of a second is a reason to look again.
            let _ = tokio::time::timeout(Duration::from_millis(100), position.changed()).await;
        }
        if let Some(settled) = self.ring.witness().settled() {
            // Once this is answered, everything that was committed before has been told.
            let _ = self.ring.with_store(|_| ()).await;
            settled.flush(FLUSH_LIMIT).await;
        }
        self.ring.end().await;
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            task.abort();
            // It was aborted: that it ended so is no news.
            let _ = task.await;
        }
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let closed = tokio::task::spawn_blocking(move || match thread.map(std::thread::JoinHandle::join) {
            Some(Ok(store)) => store.close().map_err(OpenError::Close),
            Some(Err(_)) => Err(OpenError::Panicked),
            None => Ok(()),
        });
        for host in self.performer.hosts().values() {
            host.shutdown().await;
        }
        self.performer.end().await;
        closed.await.unwrap_or(Err(OpenError::Panicked))
    }
}

impl Drop for Hub {
    /// Lets the ring's thread end, as a kill would; who wants to know that the store is closed calls [`Hub::shutdown`].
    fn drop(&mut self) {
        self.ring.end_soon();
    }
}
