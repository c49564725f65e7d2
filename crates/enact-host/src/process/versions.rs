//! The component versions of one host, by name and version: what every host of processes does alike.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use enact_model::descriptor::Component;
use enact_model::digest::Digest;
use enact_model::id::Name;
use enact_model::observation::{Fault, FaultKind};

use tokio::sync::OnceCell;

use super::Ground;
use super::launch::Launch;
use super::now;
use super::version::Version;
use crate::contract::{Call, CancelToken, ContextPort, HostObservation, HostStats};

/// The component versions that were started.
#[derive(Default)]
pub(crate) struct Versions(Mutex<Places>);

/// By name and version.
type Places = BTreeMap<Name, BTreeMap<String, Place>>;

/// Where a version is once it is made: of many who want it first, one makes it and the others wait for that one.
struct Place {
    digest: Digest,
    version: Arc<OnceCell<Arc<Version>>>,
}

impl Place {
    fn of(digest: Digest) -> Self {
        Self { digest, version: Arc::default() }
    }
    /// Returns whether it is, or will be, what is wanted.
    fn holds(&self, digest: Digest) -> bool {
        self.digest == digest && self.version.get().is_none_or(|version| version.takes_calls())
    }
}

impl Versions {
    fn lock(&self) -> MutexGuard<'_, Places> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, name: &Name, version: &str) -> Option<Arc<Version>> {
        self.lock().get(name)?.get(version)?.version.get().cloned()
    }

    fn all(&self) -> Vec<Arc<Version>> {
        self.lock().values().flat_map(BTreeMap::values).filter_map(|place| place.version.get().cloned()).collect()
    }

    /// Makes a component version callable; `launch` brings here what it needs, and may block.
    pub async fn start(
        &self,
        ground: Arc<Ground>,
        component: Arc<Component>,
        digest: Digest,
        launch: impl FnOnce() -> Result<Arc<dyn Launch>, Fault> + Send + 'static,
    ) -> Result<(), Fault> {
        let version = {
            let mut versions = self.lock();
            let versions = versions.entry(component.name.clone()).or_default();
            let place = versions.entry(component.version.clone()).or_insert_with(|| Place::of(digest));
            if !place.holds(digest) {
                *place = Place::of(digest);
            }
            Arc::clone(&place.version)
        };
        let make = || async {
            let launched = tokio::task::spawn_blocking(launch).await;
            let launch = launched.map_err(|e| FaultKind::HostPanicked.fault(e.to_string()))??;
            Ok(Arc::new(Version::new(ground, component, digest, launch)))
        };
        version.get_or_try_init(make).await.map(|_| ())
    }

    pub async fn probe(&self, name: &Name, version: &str) -> Result<(), Fault> {
        match self.get(name, version) {
            Some(version) => version.probe().await,
            None => Err(FaultKind::HostGone.fault(format!("{name} {version} was not started here"))),
        }
    }

    pub async fn invoke(&self, call: Arc<Call>, port: Arc<dyn ContextPort>, cancel: CancelToken) -> HostObservation {
        let version = self.get(&call.component.name, &call.component.version);
        match version.filter(|version| version.digest == call.digest) {
            Some(version) => version.invoke(call, port, cancel).await,
            None => {
                let text = format!("{} {} was not started here", call.component.name, call.component.version);
                HostObservation::fault(FaultKind::HostGone.fault(text), now(), now())
            }
        }
    }

    pub async fn drain(&self, name: &Name, version: &str) {
        if let Some(version) = self.get(name, version) {
            version.drain().await;
        }
    }

    pub fn stats(&self) -> Vec<HostStats> {
        self.all().iter().map(|version| version.stats()).collect()
    }

    pub async fn shutdown(&self) {
        for version in self.all() {
            version.shutdown().await;
        }
    }
}

impl Drop for Versions {
    /// Ends what is left; who wants to know that it is gone calls [`Versions::shutdown`] before.
    fn drop(&mut self) {
        for version in self.all() {
            version.close();
        }
    }
}
