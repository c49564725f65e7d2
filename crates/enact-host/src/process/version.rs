//! One component version in the process host: its package, its counters, its calls in flight, its end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use enact_model::descriptor::{Component, Operation};
use enact_model::digest::Digest;
use enact_model::id::Name;
use enact_model::observation::{Fault, FaultKind};
use enact_model::time::Timestamp;
use tokio::sync::{Notify, watch};

use super::launch::Launch;
use super::worker::Pool;
use super::{Ground, now, oneshot};
use crate::contract::{
    Call, CancelSource, CancelToken, ContextPort, HostObservation, HostState, HostStats, InstanceStats, Stop, StopKind,
};

/// A component version that was started.
pub(crate) struct Version {
    pub ground: Arc<Ground>,
    pub component: Arc<Component>,
    pub digest: Digest,
    pub launch: Arc<dyn Launch>,
    pub counts: Arc<Counts>,
    operations: BTreeMap<Name, BTreeMap<Name, Arc<Operation>>>,
    /// The processes that are kept, if any are.
    pool: Option<Arc<Pool>>,
    phase: watch::Sender<Phase>,
    /// Calls in flight, by count.
    in_flight: AtomicU32,
    /// Whoever drains is told when none is.
    idle: Notify,
    running: std::sync::Mutex<Vec<InstanceStats>>,
    stop_all: (CancelSource, CancelToken),
}

/// What was counted since the start.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub calls: AtomicU64,
    pub faults: AtomicU64,
    pub started: AtomicU64,
    pub recycled: AtomicU64,
    pub start_failures: AtomicU64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    Draining,
    Gone,
}

/// Holds a call's place in the count of calls in flight.
pub(crate) struct InFlight<'a>(&'a Version);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        if self.0.in_flight.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.idle.notify_waiters();
        }
    }
}

impl Version {
    /// Takes what was brought here.
    pub fn new(ground: Arc<Ground>, component: Arc<Component>, digest: Digest, launch: Arc<dyn Launch>) -> Self {
        let pool = launch.kept().map(|kept| Arc::new(Pool::new(kept)));
        Self {
            ground,
            digest,
            launch,
            operations: component.services.iter().map(|(name, service)| (name.clone(), shared(service))).collect(),
            pool,
            counts: Arc::default(),
            phase: watch::channel(Phase::Open).0,
            in_flight: AtomicU32::new(0),
            idle: Notify::new(),
            running: std::sync::Mutex::default(),
            stop_all: CancelSource::new(),
            component,
        }
    }

    /// Returns its name and version, for people.
    pub fn label(&self) -> String {
        format!("{} {}", self.component.name, self.component.version)
    }

    /// Returns whether it takes calls.
    pub fn takes_calls(&self) -> bool {
        *self.phase.borrow() == Phase::Open
    }

    /// Is cancelled when everything is to end at once.
    pub fn stopped(&self) -> &CancelToken {
        &self.stop_all.1
    }

    /// Runs one attempt.
    pub async fn invoke(
        self: &Arc<Self>,
        call: Arc<Call>,
        port: Arc<dyn ContextPort>,
        cancel: CancelToken,
    ) -> HostObservation {
        let started_at = now();
        let _in_flight = self.enter();
        self.counts.calls.fetch_add(1, Ordering::Relaxed);
        let observation = match self.admit(&call, &cancel) {
            Ok(operation) if !self.launch.is_kept(&operation) => {
                // Apart, since what it holds would be moved with every call of a process that is kept.
                Box::pin(oneshot::run(self, &operation, call, &cancel, started_at)).await
            }
            Ok(operation) => match self.launch.shared() {
                Some(shared) => shared.invoke(&operation, call, port, &cancel, started_at).await,
                None => self.keep(operation, call, port, &cancel, started_at).await,
            },
            Err(fault) => HostObservation::fault(fault, started_at, now()),
        };
        if observation.as_fault().is_some() {
            self.counts.faults.fetch_add(1, Ordering::Relaxed);
        }
        observation
    }

    /// Counts a call before anybody looks whether it may begin: whoever drains sets the phase first and then waits for the
    /// count.
    pub fn enter(&self) -> InFlight<'_> {
        self.in_flight.fetch_add(1, Ordering::AcqRel);
        InFlight(self)
    }

    /// Runs one attempt in a process that is kept.
    pub async fn keep(
        self: &Arc<Self>,
        operation: Arc<Operation>,
        call: Arc<Call>,
        port: Arc<dyn ContextPort>,
        cancel: &CancelToken,
        started_at: Timestamp,
    ) -> HostObservation {
        match &self.pool {
            Some(pool) => pool.invoke(self, operation, call, port, cancel, started_at).await,
            None => {
                let text = format!("{} keeps no process", self.label());
                HostObservation::fault(FaultKind::HostGone.fault(text), started_at, now())
            }
        }
    }

    /// Starts a worker if none is there. A oneshot program is not run without a call.
    pub async fn probe(self: &Arc<Self>) -> Result<(), Fault> {
        match (self.launch.shared(), &self.pool) {
            (Some(shared), _) => shared.probe().await,
            (None, Some(pool)) => pool.probe(self).await,
            (None, None) => Ok(()),
        }
    }

    fn admit(&self, call: &Call, cancel: &CancelToken) -> Result<Arc<Operation>, Fault> {
        if !self.takes_calls() {
            return Err(FaultKind::HostGone.fault(format!("{} is being drained or is gone", self.label())));
        }
        if let Some(stop) = cancel.stopped() {
            return Err(not_begun(stop.kind));
        }
        if call.budget.is_zero() {
            return Err(not_begun(StopKind::Deadline));
        }
        let operation = self.operations.get(&call.service).and_then(|service| service.get(&call.operation_name));
        operation.cloned().ok_or_else(|| {
            let text = format!("{} has no operation {}.{}", self.label(), call.service, call.operation_name);
            FaultKind::UnknownOperation.fault(text)
        })
    }

    /// Lists a oneshot program among what runs, until the guard is dropped.
    pub fn list(self: &Arc<Self>, pid: u32) -> Listed {
        self.counts.started.fetch_add(1, Ordering::Relaxed);
        let mut running = self.running.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        running.push(InstanceStats { pid, in_flight: 1, since: now() });
        Listed { version: self.clone(), pid }
    }

    /// Lets the calls finish and ends the workers.
    pub async fn drain(&self) {
        self.phase.send_if_modified(|phase| {
            let open = *phase == Phase::Open;
            if open {
                *phase = Phase::Draining;
            }
            open
        });
        loop {
            let idle = self.idle.notified();
            if self.in_flight.load(Ordering::Acquire) == 0 {
                break;
            }
            idle.await;
        }
        if let Some(pool) = &self.pool {
            pool.drain().await;
        }
        if let Some(shared) = self.launch.shared() {
            shared.leave();
        }
        self.phase.send_replace(Phase::Gone);
    }

    /// Stops the calls and ends everything.
    pub async fn shutdown(&self) {
        self.phase.send_replace(Phase::Draining);
        self.stop_all.0.stop(Stop { kind: StopKind::Cancel, grace: enact_model::limits::STOP_GRACE });
        self.drain().await;
    }

    /// Ends everything without waiting.
    pub fn close(&self) {
        self.phase.send_replace(Phase::Draining);
        self.stop_all.0.stop(Stop { kind: StopKind::Cancel, grace: std::time::Duration::ZERO });
        if let Some(pool) = &self.pool {
            pool.close();
        }
    }

    /// Tells how it does.
    pub fn stats(&self) -> HostStats {
        let running = self.running.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        let shared = self.launch.shared();
        let kept = shared.map(|shared| shared.stats()).or_else(|| self.pool.as_ref().map(|pool| pool.stats()));
        let (state, instances) = match kept {
            Some((state, mut kept)) => {
                kept.extend(running);
                (state, kept)
            }
            None if self.counts.calls.load(Ordering::Relaxed) == 0 => (HostState::Registered, running),
            None => (HostState::Ready, running),
        };
        let state = match *self.phase.borrow() {
            Phase::Open => state,
            Phase::Draining => HostState::Draining,
            Phase::Gone => HostState::Gone,
        };
        let counted = |of: fn(&Counts) -> &AtomicU64| {
            let shared = shared.map_or(0, |shared| of(shared.counts()).load(Ordering::Relaxed));
            of(&self.counts).load(Ordering::Relaxed) + shared
        };
        HostStats {
            component: self.component.name.clone(),
            version: self.component.version.clone(),
            digest: self.digest,
            state,
            instances,
            calls: self.counts.calls.load(Ordering::Relaxed),
            faults: self.counts.faults.load(Ordering::Relaxed),
            started: counted(|counts| &counts.started),
            recycled: counted(|counts| &counts.recycled),
            start_failures: counted(|counts| &counts.start_failures),
        }
    }
}

fn shared(service: &BTreeMap<Name, Operation>) -> BTreeMap<Name, Arc<Operation>> {
    service.iter().map(|(name, operation)| (name.clone(), Arc::new(operation.clone()))).collect()
}

/// A oneshot program in the list of what runs.
pub(crate) struct Listed {
    version: Arc<Version>,
    pid: u32,
}

impl Drop for Listed {
    fn drop(&mut self) {
        let mut running = self.version.running.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        running.retain(|instance| instance.pid != self.pid);
    }
}

/// A call that was stopped before its handler was reached.
pub(crate) fn not_begun(kind: StopKind) -> Fault {
    kind.not_begun()
}

/// A call that was stopped.
pub(super) fn stopped(kind: StopKind, when: &str) -> Fault {
    kind.fault(when)
}

/// An observation without a reply.
pub(super) fn failed(fault: Fault, started_at: Timestamp, instance: Option<String>) -> HostObservation {
    HostObservation { instance, ..HostObservation::fault(fault, started_at, now()) }
}
