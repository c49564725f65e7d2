//! The process host: programs of the operating system, run once for each attempt or kept as workers.

mod answer;
mod capture;
mod envelope;
pub(crate) mod launch;
mod limit;
mod oneshot;
pub(crate) mod package;
pub(crate) mod prepare;
pub(crate) mod seal;
pub(crate) mod spawn;
mod sweep;
mod template;
pub(crate) mod version;
pub(crate) mod versions;
mod worker;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use enact_model::descriptor::{Component, ProcessShape, Shape};
use enact_model::digest::Digest;
use enact_model::id::{Epoch, Name};
use enact_model::observation::{Fault, FaultKind};
use enact_model::time::Timestamp;

use crate::contract::{
    ArtifactSource, BoxFuture, Call, CancelToken, ContextPort, Fingerprint, Host, HostObservation, HostStats,
};
use crate::ledger::{Ledger, LedgerError};
use crate::reap::{self, ReapReport};
use launch::{Launch, Program};
use sweep::Sweep;
use versions::Versions;

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
    pub scratch: PathBuf,
    pub packages: PathBuf,
    pub artifacts: Arc<dyn ArtifactSource>,
    pub path: OsString,
    ledger: Arc<Ledger>,
    nonces: AtomicU64,
}

impl Ground {
    /// Returns a name that no other instance of this store has.
    pub fn nonce(&self) -> String {
        format!("{}-{}", self.epoch, self.nonces.fetch_add(1, Ordering::Relaxed))
    }
}

/// The host of the shape `process`.
pub struct ProcessHost {
    ground: Arc<Ground>,
    versions: Versions,
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
        Ok((Self { ground: Arc::new(ground), versions: Versions::default() }, report))
    }

    /// What another host of processes stands on, so that one ledger and one reaping serve them all.
    pub(crate) fn ground(&self) -> Arc<Ground> {
        self.ground.clone()
    }
}

impl Host for ProcessHost {
    fn fingerprint(&self, component: &Component) -> Result<Fingerprint, Fault> {
        let shape = shape(component)?;
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
        let (ground, given) = (self.ground.clone(), component.clone());
        let launch = move || {
            let operations = given.operations().map(|(_, operation)| operation.clone());
            let program = Program::new(ground, shape(&given)?, operations)?;
            Ok(Arc::new(program) as Arc<dyn Launch>)
        };
        Box::pin(self.versions.start(self.ground.clone(), component, digest, launch))
    }

    fn probe<'a>(&'a self, name: &'a Name, version: &'a str) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(self.versions.probe(name, version))
    }

    fn invoke<'a>(
        &'a self,
        call: Call,
        port: Arc<dyn ContextPort>,
        cancel: CancelToken,
    ) -> BoxFuture<'a, HostObservation> {
        Box::pin(self.versions.invoke(Arc::new(call), port, cancel))
    }

    fn drain<'a>(&'a self, name: &'a Name, version: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(self.versions.drain(name, version))
    }

    fn stats(&self) -> Vec<HostStats> {
        self.versions.stats()
    }

    fn shutdown<'a>(&'a self) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            self.versions.shutdown().await;
            // Every instance was swept when it ended; here goes what one of them started in its last moment, and what
            // another host that stands on the same ground has not ended by now.
            Sweep::Hub(self.ground.store_id.clone(), self.ground.epoch.to_string()).finish().await;
        })
    }
}

fn shape(component: &Component) -> Result<&ProcessShape, Fault> {
    match &component.shape {
        Shape::Process(shape) => Ok(shape),
        other => Err(other_shape("process", other)),
    }
}

/// A component that was handed to the host of another shape.
pub(crate) fn other_shape(own: &str, shape: &Shape) -> Fault {
    FaultKind::StartFailed.fault(format!("the {own} host runs no {} components", shape.key()))
}

fn is_relative(word: &str) -> bool {
    word.contains('/') && !word.starts_with('/')
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from_system(SystemTime::now())
}
