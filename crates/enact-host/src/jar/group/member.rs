//! Both ends of a shared JVM as the process host sees them: what starts it, and a component version that is called in it.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use enact_model::descriptor::Operation;
use enact_model::json::Json;
use enact_model::observation::{Fault, FaultKind};
use enact_model::time::Timestamp;

use super::super::launch::Jvm;
use super::{Entry, Group};
use crate::contract::{BoxFuture, Call, CancelToken, ContextPort, HostObservation, HostState, InstanceStats};
use crate::process::launch::{Feed, Kept, Launch, Shared, Words};
use crate::process::now;
use crate::process::prepare::Prepared;
use crate::process::version::{Counts, Version};

/// How the processes of a generation are started.
pub(super) struct Joint {
    pub jvm: Jvm,
    pub members: Vec<Arc<Entry>>,
    pub refused: Arc<Mutex<BTreeMap<String, String>>>,
    pub group: Weak<Group>,
}

impl Launch for Joint {
    fn kept(&self) -> Option<Kept> {
        self.jvm.kept()
    }
    fn is_kept(&self, _: &Operation) -> bool {
        true
    }
    fn instance(&self) -> Result<Words, Fault> {
        for member in &self.members {
            self.jvm.bring(&member.shape)?;
        }
        self.jvm.instance()
    }
    fn attempt(&self, operation: &Operation, argument: &Json, prepared: &Prepared) -> Result<(Words, Feed), Fault> {
        self.jvm.attempt(operation, argument, prepared)
    }
    fn memory_bytes(&self) -> Option<u64> {
        self.jvm.memory_bytes()
    }
    fn refused(&self, refused: &BTreeMap<String, String>) {
        refused.clone_into(&mut self.refused.lock().unwrap_or_else(PoisonError::into_inner));
    }
    fn started(&self, version: &Arc<Version>) {
        self.jvm.started(version);
        if let Some(group) = self.group.upgrade() {
            group.ready(version);
        }
    }
    fn exits(&self) {
        self.jvm.exits();
    }
    fn closer(&self, fault: Fault) -> Fault {
        self.jvm.closer(fault)
    }
}

/// A component version that shares a JVM; its main classes have one of their own for each attempt.
pub(in crate::jar) struct Member {
    pub(super) key: String,
    pub(super) entry: Arc<Entry>,
    pub(super) own: Jvm,
    pub(super) group: Arc<Group>,
}

impl Launch for Member {
    fn kept(&self) -> Option<Kept> {
        None
    }
    fn is_kept(&self, operation: &Operation) -> bool {
        self.own.is_kept(operation)
    }
    fn instance(&self) -> Result<Words, Fault> {
        self.own.instance()
    }
    fn attempt(&self, operation: &Operation, argument: &Json, prepared: &Prepared) -> Result<(Words, Feed), Fault> {
        self.own.attempt(operation, argument, prepared)
    }
    fn memory_bytes(&self) -> Option<u64> {
        self.own.memory_bytes()
    }
    fn closer(&self, fault: Fault) -> Fault {
        self.own.closer(fault)
    }
    fn shared(&self) -> Option<&dyn Shared> {
        Some(self)
    }
}

impl Shared for Member {
    fn invoke<'a>(
        &'a self,
        operation: &'a Operation,
        call: Arc<Call>,
        port: Arc<dyn ContextPort>,
        cancel: &'a CancelToken,
        started_at: Timestamp,
    ) -> BoxFuture<'a, HostObservation> {
        Box::pin(async move {
            let mut operation = operation.clone();
            operation.call.operation = Some(format!("{}/{}.{}", self.key, call.service, call.operation_name));
            loop {
                let version = match self.group.home(self) {
                    Ok(generation) => generation.version,
                    Err(fault) => return HostObservation::fault(fault, started_at, now()),
                };
                let _in_flight = version.enter();
                // One that was replaced in this moment takes none; its successor does.
                if version.takes_calls() {
                    version.counts.calls.fetch_add(1, Ordering::Relaxed);
                    return version.keep(Arc::new(operation), call, port, cancel, started_at).await;
                }
            }
        })
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(async move {
            let generation = self.group.home(self)?;
            generation.version.probe().await?;
            match generation.refused().get(&self.key) {
                Some(why) => Err(FaultKind::InitRefused.fault(why)),
                None => Ok(()),
            }
        })
    }

    fn leave(&self) {
        self.group.leave(self);
    }

    fn stats(&self) -> (HostState, Vec<InstanceStats>) {
        let state = self.group.state();
        let home = [&state.current, &state.next].into_iter().flatten().find(|generation| generation.has(self));
        home.map_or((HostState::Registered, Vec::new()), |home| {
            let stats = home.version.stats();
            (stats.state, stats.instances)
        })
    }

    fn counts(&self) -> &Counts {
        &self.group.counts
    }
}
