//! The process host: programs of the operating system, run once for each attempt or kept as workers.

mod answer;
mod capture;
mod envelope;
mod limit;
mod oneshot;
mod package;
mod prepare;
mod spawn;
mod sweep;
mod template;
mod version;
mod worker;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use enact_model::descriptor::{Component, Shape};
use enact_model::digest::Digest;
use enact_model::id::{Epoch, Name};
use enact_model::observation::{Fault, FaultKind};
use enact_model::time::Timestamp;

use crate::contract::{
    ArtifactSource, BoxFuture, Call, CancelToken, ContextPort, Fingerprint, Host, HostObservation, HostStats,
};
use crate::ledger::{Ledger, LedgerError};
use crate::reap::{self, ReapReport};
use sweep::Sweep;
use version::Version;

/// What the process host is given.
pub struct ProcessConfig {
    /// Names the store; it stands in the environment of every child, so that the next hub finds what is left.
    pub store_id: String,
    /// The epoch of this hub.
    pub epoch: Epoch,
    /// A folder of the store's for scratch folders, packages and the ledger of instances.
    pub folder: PathBuf,
    /// Where packaged files and referenced artifacts come from.
    pub artifacts: Arc<dyn ArtifactSource>,
    /// `PATH` of the children, and where programs are looked up.
    pub path: OsString,
}

/// What every part of the host stands on.
pub(crate) struct Ground {
    store_id: String,
    epoch: Epoch,
    scratch: PathBuf,
    packages: PathBuf,
    artifacts: Arc<dyn ArtifactSource>,
    path: OsString,
    ledger: Arc<Ledger>,
    nonces: AtomicU64,
}

impl Ground {
    /// Returns a name that no other instance of this store has.
    fn nonce(&self) -> String {
        format!("{}-{}", self.epoch, self.nonces.fetch_add(1, Ordering::Relaxed))
    }
}

/// The host of the shape `process`.
pub struct ProcessHost {
    ground: Arc<Ground>,
    versions: Mutex<BTreeMap<(Name, String), Arc<Version>>>,
}

impl ProcessHost {
    /// Reaps what former incarnations of the hub left running, and only then makes a host: there is none that has not
    /// reaped. Blocks for at most some seconds.
    ///
    /// # Errors
    /// Another hub uses the folder, or it cannot be written.
    pub fn open(config: ProcessConfig) -> Result<(Self, ReapReport), LedgerError> {
        std::fs::create_dir_all(&config.folder)?;
        sweep::inherit_orphans();
        let (report, ledger) = reap::reap_and_begin(&config.folder, &config.store_id, config.epoch)?;
        let (scratch, packages) = (config.folder.join("scratch"), config.folder.join("packages"));
        for folder in [&scratch, &packages] {
            // Nobody uses what is there any more, except what could not be proven gone; that keeps what it has open.
            if folder.exists() {
                std::fs::remove_dir_all(folder)?;
            }
            std::fs::create_dir_all(folder)?;
        }
        let ground = Ground {
            store_id: config.store_id,
            epoch: config.epoch,
            scratch,
            packages,
            artifacts: config.artifacts,
            path: config.path,
            ledger: Arc::new(ledger),
            nonces: AtomicU64::new(1),
        };
        Ok((Self { ground: Arc::new(ground), versions: Mutex::new(BTreeMap::new()) }, report))
    }

    fn version(&self, name: &Name, version: &str) -> Option<Arc<Version>> {
        let versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        versions.get(&(name.clone(), version.to_owned())).cloned()
    }
}

impl Host for ProcessHost {
    fn fingerprint(&self, component: &Component) -> Result<Fingerprint, Fault> {
        let Shape::Process(shape) = &component.shape;
        let mut facts = BTreeMap::new();
        let own =
            component.operations().filter_map(|(selector, o)| Some((selector.to_string(), o.call.command.as_ref()?)));
        for (what, words) in std::iter::once(("program".to_owned(), &shape.command)).chain(own) {
            // A program of the package is checked when the package is here.
            let packaged = words.first().is_some_and(|w| shape.files.contains_key(w) || is_relative(w));
            if words.is_empty() && what == "program" && component.operations().all(|(_, o)| o.call.command.is_some()) {
                continue;
            }
            if packaged {
                facts.insert(what, words.first().cloned().unwrap_or_default());
                continue;
            }
            let (program, _) = package::command(words, &shape.files, None, &self.ground.path)?;
            facts.insert(what, program.display().to_string());
        }
        Ok(Fingerprint { facts })
    }

    fn start<'a>(&'a self, component: Arc<Component>, digest: Digest) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            let key = (component.name.clone(), component.version.clone());
            if let Some(version) = self.version(&component.name, &component.version)
                && version.digest == digest
                && version.takes_calls()
            {
                return Ok(());
            }
            let ground = self.ground.clone();
            let making = tokio::task::spawn_blocking(move || Version::new(ground, component, digest));
            let made = making.await.map_err(|e| FaultKind::HostPanicked.fault(e.to_string()))??;
            let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
            versions.insert(key, Arc::new(made));
            Ok(())
        })
    }

    fn probe<'a>(&'a self, name: &'a Name, version: &'a str) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            match self.version(name, version) {
                Some(version) => version.probe().await,
                None => Err(FaultKind::HostGone.fault(format!("{name} {version} was not started here"))),
            }
        })
    }

    fn invoke<'a>(
        &'a self,
        call: Call,
        port: Arc<dyn ContextPort>,
        cancel: CancelToken,
    ) -> BoxFuture<'a, HostObservation> {
        Box::pin(async move {
            let version = self.version(&call.component.name, &call.component.version);
            match version.filter(|version| version.digest == call.digest) {
                Some(version) => version.invoke(call, port, cancel).await,
                None => {
                    let text = format!("{} {} was not started here", call.component.name, call.component.version);
                    HostObservation::fault(FaultKind::HostGone.fault(text), now(), now())
                }
            }
        })
    }

    fn drain<'a>(&'a self, name: &'a Name, version: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if let Some(version) = self.version(name, version) {
                version.drain().await;
            }
        })
    }

    fn stats(&self) -> Vec<HostStats> {
        let versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        versions.values().map(|version| version.stats()).collect()
    }

    fn shutdown<'a>(&'a self) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let versions: Vec<_> =
                self.versions.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
            for version in versions {
                version.shutdown().await;
            }
            // Every instance was swept when it ended; here goes what one of them started in its last moment.
            Sweep::Hub(self.ground.store_id.clone(), self.ground.epoch.to_string()).finish().await;
        })
    }
}

impl Drop for ProcessHost {
    /// Ends what is left; who wants to know that it is gone calls [`Host::shutdown`] before.
    fn drop(&mut self) {
        for version in self.versions.get_mut().unwrap_or_else(PoisonError::into_inner).values() {
            version.close();
        }
    }
}

fn is_relative(word: &str) -> bool {
    word.contains('/') && !word.starts_with('/')
}

fn now() -> Timestamp {
    Timestamp::from_system(SystemTime::now())
}
