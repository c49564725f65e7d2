//! Opening a hub: the store, the former hub's remains, the epoch, then the ring and its tasks.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use enact_catalog::catalog::State;
use enact_engine::conclude as code;
use enact_host::contract::Host;
use enact_host::jar::{JarConfig, JarHost, JavaPlaces};
use enact_host::process::{ProcessConfig, ProcessHost};
use enact_host::reap::ReapReport;
use enact_model::conclusion::Conclusion;
use enact_model::id::IntentId;
use enact_model::table::{Key, Row};
use enact_store::artifacts::{self, Artifacts};
use enact_store::contract::{ReadError, Store, View};
use enact_store::embedded::{self, DiskStore, ReplayError};
use tokio::sync::{Semaphore, watch};

use super::{Hub, HubConfig};
use crate::clock::Clock;
use crate::driver::{Driver, Poisoned, describe, replay};
use crate::performer::{Performer, Source};
use crate::recover::{self, RecoverError};
use crate::relay::{Lines, Relay};
use crate::ring::{Ring, random_seed};
use crate::secret::SecretDesk;
use crate::trace::Exporter;

/// Why a hub cannot be opened or closed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] embedded::OpenError),
    /// The artifact store cannot be opened.
    #[error(transparent)]
    Artifacts(#[from] artifacts::Error),
    /// The tables cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// What a former hub left running cannot be found out or ended.
    #[error("failed to end what a former hub left running: {0}")]
    Reap(String),
    /// What the jar host needs in the store cannot be written.
    #[error("failed to set up the jar host")]
    Jar(#[source] std::io::Error),
    /// The log refused the first record.
    #[error(transparent)]
    Poisoned(#[from] Poisoned),
    /// What the former hub left open cannot be taken over.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// The system refused a thread or random bits.
    #[error("failed to start the ring")]
    Thread(#[from] std::io::Error),
    /// The store could not be closed cleanly; what was acknowledged is durable all the same.
    #[error("failed to close the store cleanly: {0}")]
    Close(ReplayError),
    /// A thread of the hub panicked.
    #[error("failed to end the ring: its thread panicked")]
    Panicked,
    /// The configuration names a default sink that is not configured.
    #[error("failed to set up the outbox: the default sink {0} is not configured")]
    UnknownSink(String),
}

impl OpenError {
    /// Returns what it means; exit status follows from it.
    pub fn conclusion(&self) -> Conclusion {
        let code = match self {
            Self::Store(embedded::OpenError::Log(enact_store::log::Error::Corrupt(_))) | Self::Read(_) => {
                code::STORE_CORRUPTED
            }
            Self::Store(_) | Self::Artifacts(_) | Self::Close(_) | Self::Reap(_) | Self::Jar(_) => code::STORE_UNUSABLE,
            Self::Poisoned(_) | Self::Recover(RecoverError::Poisoned(_)) => code::STORE_POISONED,
            Self::Recover(RecoverError::Row(_)) => code::STORE_CORRUPTED,
            Self::UnknownSink(_) => code::CONFIGURATION_INVALID,
            Self::Thread(_) | Self::Panicked => code::INTERNAL,
        };
        let mut conclusion = Conclusion::new(code, describe(self));
        let hint = match self {
            Self::Store(error) => error.hint(),
            Self::Artifacts(artifacts::Error::ReadOnly { .. }) => Some(embedded::READ_ONLY_HINT),
            Self::Jar(error) if embedded::is_read_only(error) => Some(embedded::READ_ONLY_HINT),
            _ => None,
        };
        conclusion.hint = hint.map(str::to_owned);
        conclusion
    }
}

/// What is opened before the ring turns; all of it blocks.
struct Ground {
    driver: Driver<DiskStore>,
    artifacts: Artifacts,
    hosts: BTreeMap<&'static str, Arc<dyn Host>>,
    clock: Arc<Clock>,
    store_id: String,
    effects: std::collections::BTreeSet<enact_engine::effect::Effect>,
}

impl Hub {
    /// Opens the store and everything on it, ends what a former hub left, and starts the ring.
    ///
    /// # Errors
    /// When the store is held by another hub, damaged or of a newer format, or the disk refuses.
    pub async fn open(config: HubConfig) -> Result<Arc<Self>, OpenError> {
        if let Some(unknown) = config.policy.default_sinks.iter().find(|sink| !config.sinks.contains_key(*sink)) {
            return Err(OpenError::UnknownSink(unknown.to_string()));
        }
        let runtime = tokio::runtime::Handle::current();
        let given = config.clone();
        let opening = runtime.clone();
        let ground = tokio::task::spawn_blocking(move || {
            // Hosts may start tasks of their own.
            let _entered = opening.enter();
            open(&given)
        });
        let ground = ground.await.map_err(|_| OpenError::Panicked)??;
        let epoch = ground.driver.epoch().0;
        let lines = Lines::new(config.sinks.keys());
        let share = config.traces.as_ref().map_or(1.0, |traces| traces.share);
        let secrets = SecretDesk::new(config.secrets.clone());
        let performer = Performer::new(ground.hosts, ground.artifacts, lines, runtime.clone(), share, secrets);
        let performing = Arc::clone(&performer);
        let perform = Box::new(move |effects| performing.perform(effects));
        let started_at = ground.clock.now();
        let (ring, thread) = Ring::start(ground.driver, ground.clock, &runtime, perform)?;
        performer.attach(Arc::clone(&ring));
        performer.perform(ground.effects.into_iter().collect());
        let mut tasks = Vec::new();
        if let Some(traces) = config.traces.clone() {
            let (exporter, settled) = Exporter::new(traces, ring.view().clone());
            ring.witness().attach(settled);
            tasks.push(tokio::spawn(exporter.run()));
        }
        for (name, sink) in &config.sinks {
            let (line, sink, backoff) = (performer.lines().of(name), Arc::clone(sink), config.policy.delivery_backoff);
            let relay = Relay::new(Arc::clone(&ring), name.clone(), sink, line, backoff);
            tasks.push(tokio::spawn(relay.run()));
        }
        let hub = Arc::new(Self {
            ring,
            performer,
            config,
            store_id: ground.store_id,
            epoch,
            started_at,
            draining: AtomicBool::new(false),
            end_asked: watch::Sender::new(None),
            denials: super::access::Denials::default(),
            bulk_retry: Semaphore::new(1),
            dead_letters: super::metrics::DeadLetters::default(),
            thread: Mutex::new(Some(thread)),
            tasks: Mutex::new(tasks),
        });
        for entry in hub.ring.catalog().entries().filter(|entry| entry.state() == State::Draining) {
            hub.drain_when_idle(entry.component().name.clone(), entry.component().version.clone());
        }
        if let Some(keep) = hub.config.history_keep {
            let task = tokio::spawn(Self::drop_history_daily(Arc::downgrade(&hub), keep));
            hub.tasks.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(task);
        }
        Ok(hub)
    }
}

fn open(config: &HubConfig) -> Result<Ground, OpenError> {
    let (store, opened) = DiskStore::on_disk(&config.store, config.embedded.clone(), &mut replay)?;
    if let Some(cut) = &opened.cut {
        tracing::warn!(?cut, "a torn tail, never acknowledged, was cut from the log");
    }
    if let Some(reason) = &opened.rebuilt {
        tracing::warn!(reason, "the tables were made anew from the log");
    }
    tracing::info!(position = opened.position.0, replayed = opened.replayed, "the store is open");
    let seed = random_seed()?;
    let store_id = match store.view().get(&Key::meta())? {
        Some(Row::Meta(meta)) => meta.store_id.clone(),
        _ => IntentId::from_parts(Clock::starting_after(Default::default()).now().0, seed)
            .to_string()
            .replacen("int_", "sto_", 1),
    };
    let mut driver = Driver::new(store, config.policy.clone())?;
    let clock = Arc::new(Clock::starting_after(driver.decider().last_time()));
    let artifacts = Artifacts::open(&config.store.join("artifacts"))?;
    let mut hosts = config.hosts.clone();
    let mut reaped = ReapReport::default();
    if !hosts.contains_key("process") {
        let process = ProcessConfig {
            store_id: store_id.clone(),
            epoch: driver.epoch(),
            folder: config.store.join("process"),
            artifacts: Arc::new(Source(artifacts.clone())),
            path: std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into()),
        };
        let (host, report) = ProcessHost::open(process).map_err(|error| OpenError::Reap(describe(&error)))?;
        if !report.killed.is_empty() {
            tracing::warn!(count = report.killed.len(), "processes of the former hub were ended");
        }
        if !hosts.contains_key("jar") {
            let jar = JarConfig {
                folder: config.store.join("java"),
                java: java_places(config.java_homes.clone()),
                archives: true,
            };
            hosts.insert("jar", Arc::new(JarHost::beside(&host, jar).map_err(OpenError::Jar)?));
        }
        hosts.insert("process", Arc::new(host));
        reaped = report;
    }
    recover::open_epoch(&mut driver, &store_id, clock.now(), seed)?;
    let effects = recover::answer_for_former(&mut driver, &reaped, clock.now(), seed)?;
    Ok(Ground { driver, artifacts, hosts, clock, store_id, effects })
}

/// Where people put Java runtimes.
fn java_places(homes: Vec<PathBuf>) -> JavaPlaces {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let own = [".sdkman/candidates/java", ".jdks"];
    let own = home.iter().flat_map(|home| own.map(|name| home.join(name)));
    JavaPlaces {
        homes,
        home: std::env::var_os("JAVA_HOME").filter(|home| !home.is_empty()).map(PathBuf::from),
        path: std::env::var_os("PATH").unwrap_or_default(),
        folders: ["/usr/lib/jvm", "/opt/java"].map(PathBuf::from).into_iter().chain(own).collect(),
    }
}
