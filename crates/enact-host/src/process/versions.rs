//! The component versions of one host, by name and version: what every host of processes does alike.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use enact_model::descriptor::Component;
use enact_model::digest::Digest;
use enact_model::id::Name;
use enact_model::observation::{Fault, FaultKind};

use super::Ground;
use super::launch::Launch;
use super::now;
use super::version::Version;
use crate::contract::{Call, CancelToken, ContextPort, HostObservation, HostStats};

/// The component versions that were started.
#[derive(Default)]
pub(crate) struct Versions(Mutex<BTreeMap<(Name, String), Arc<Version>>>);

impl Versions {
    fn get(&self, name: &Name, version: &str) -> Option<Arc<Version>> {
        let versions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        versions.get(&(name.clone(), version.to_owned())).cloned()
    }

    fn all(&self) -> Vec<Arc<Version>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Makes a component version callable; `launch` brings here what it needs, and may block.
    pub async fn start(
        &self,
        ground: Arc<Ground>,
        component: Arc<Component>,
        digest: Digest,
        launch: impl FnOnce() -> Result<Arc<dyn Launch>, Fault> + Send + 'static,
    ) -> Result<(), Fault> {
        let key = (component.name.clone(), component.version.clone());
        if let Some(version) = self.get(&key.0, &key.1)
            && version.digest == digest
            && version.takes_calls()
        {
            return Ok(());
        }
        let launched = tokio::task::spawn_blocking(launch).await;
        let launch = launched.map_err(|e| FaultKind::HostPanicked.fault(e.to_string()))??;
        let made = Arc::new(Version::new(ground, component, digest, launch));
        let mut versions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        versions.insert(key, made);
        Ok(())
    }

    pub async fn probe(&self, name: &Name, version: &str) -> Result<(), Fault> {
        match self.get(name, version) {
            Some(version) => version.probe().await,
            None => Err(FaultKind::HostGone.fault(format!("{name} {version} was not started here"))),
        }
    }

    pub async fn invoke(&self, call: Call, port: Arc<dyn ContextPort>, cancel: CancelToken) -> HostObservation {
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
        for version in self.0.get_mut().unwrap_or_else(PoisonError::into_inner).values() {
            version.close();
        }
    }
}
