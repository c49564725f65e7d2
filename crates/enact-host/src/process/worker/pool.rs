//! The workers of one component version: found, started on demand, replaced, drained.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use enact_model::observation::{Fault, FaultKind, Reached};
use enact_model::time::Timestamp;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::circuit::{Circuit, Permit};
use super::drive::Doom;
use super::instance::{Instance, OpenCall};
use super::start;
use crate::contract::{Call, ContextPort, HostState, InstanceStats};
use crate::frames::ToWorker;
use crate::process::launch::Kept;
use crate::process::version::Version;

/// How long a drained worker may take to end by itself.
pub(super) const DRAIN_WAIT: Duration = Duration::from_secs(1);
/// How long a kill is waited for.
const KILL_WAIT: Duration = Duration::from_secs(2);

/// The workers of one component version.
pub(in crate::process) struct Pool {
    kept: Kept,
    state: Mutex<State>,
    /// One waiter is told whenever there is room for a call.
    freed: Arc<Notify>,
    /// All waiters are told when a start has failed.
    failed: Notify,
}

#[derive(Default)]
struct State {
    instances: Vec<Arc<Instance>>,
    starting: usize,
    circuit: Circuit,
    /// Counts the starts that failed, so that a waiter knows whether one failed since it came.
    failures: u64,
    closed: bool,
}

impl State {
    /// Counts the instances that take calls, or would if they were not full.
    fn active(&self) -> usize {
        let takes = |instance: &&Arc<Instance>| {
            let calls = instance.calls();
            !calls.draining && calls.doom.is_none()
        };
        self.instances.iter().filter(takes).count()
    }
}

enum Found {
    Open(Arc<Instance>, OpenCall),
    Wait,
    WaitUntil(Instant),
}

impl Pool {
    pub fn new(kept: Kept) -> Self {
        Self { kept, state: Mutex::default(), freed: Arc::new(Notify::new()), failed: Notify::new() }
    }

    /// Returns what is kept.
    pub(super) fn kept(&self) -> &Kept {
        &self.kept
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what is told of room for a call.
    pub(super) fn freed(&self) -> Arc<Notify> {
        self.freed.clone()
    }

    /// Counts the starts that have failed; whoever waits for an instance takes it along from before it asked for one.
    pub(super) fn failures(&self) -> u64 {
        self.state().failures
    }

    /// Opens a call on the instance with the fewest, and starts one if that can help; `None` while all are full.
    ///
    /// # Errors
    /// As [`Pool::acquire`].
    pub(super) fn acquire_now(
        self: &Arc<Self>,
        version: &Arc<Version>,
        before: u64,
        call: &Arc<Call>,
        port: &Arc<dyn ContextPort>,
    ) -> Result<Option<(Arc<Instance>, OpenCall)>, Fault> {
        Ok(match self.look(version, before, call, port)? {
            Found::Open(instance, open) => Some((instance, open)),
            Found::Wait | Found::WaitUntil(_) => None,
        })
    }

    /// Does the same, and waits while all are full.
    ///
    /// # Errors
    /// A start failed since `before`, the circuit is open, or the pool is closed.
    ///
    /// # Cancel safety
    /// It may be dropped; a start that it began goes on.
    pub(super) async fn acquire(
        self: &Arc<Self>,
        version: &Arc<Version>,
        before: u64,
        call: &Arc<Call>,
        port: &Arc<dyn ContextPort>,
    ) -> Result<(Arc<Instance>, OpenCall), Fault> {
        loop {
            let failed = self.failed.notified();
            tokio::pin!(failed);
            failed.as_mut().enable();
            let until = match self.look(version, before, call, port)? {
                Found::Open(instance, open) => return Ok((instance, open)),
                Found::Wait => None,
                Found::WaitUntil(until) => Some(until),
            };
            tokio::select! {
                () = self.freed.notified() => {}
                () = &mut failed => {}
                () = tokio::time::sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => {}
            }
        }
    }

    /// Starts an instance if none is there, and keeps it for the first call.
    ///
    /// # Errors
    /// The start failed, or the pool is closed.
    ///
    /// # Cancel safety
    /// It may be dropped; the start goes on.
    pub(in crate::process) async fn probe(self: &Arc<Self>, version: &Arc<Version>) -> Result<(), Fault> {
        {
            let mut state = self.state();
            if state.closed {
                return Err(FaultKind::HostGone.fault(format!("{} is gone", version.label())));
            }
            if !state.instances.is_empty() {
                return Ok(());
            }
            state.starting += 1;
        }
        let started = tokio::spawn(start_one(self.clone(), version.clone())).await;
        started.map_err(|e| FaultKind::HostPanicked.fault(e.to_string()))?
    }

    fn look(
        self: &Arc<Self>,
        version: &Arc<Version>,
        before: u64,
        call: &Arc<Call>,
        port: &Arc<dyn ContextPort>,
    ) -> Result<Found, Fault> {
        let mut state = self.state();
        if state.closed {
            return Err(FaultKind::HostGone.fault(format!("{} is gone", version.label())));
        }
        let mut busy = false;
        let opened = loop {
            let free = state.instances.iter().filter_map(|i| Some((i.load(self.kept.calls_max)?, i)));
            let Some((load, instance)) = free.min_by_key(|(load, _)| *load) else { break None };
            busy = load > 0;
            // One that was condemned in between takes no more and is not found again.
            if let Some(open) = instance.open(self.kept.calls_max, call, port) {
                break Some((instance.clone(), open));
            }
        };
        // Another instance is worth its start if the best one is busy already.
        let wanted = opened.is_none() || busy;
        if !wanted && let Some((instance, open)) = opened {
            return Ok(Found::Open(instance, open));
        }
        let permit = state.circuit.permit(Instant::now());
        let probing = state.circuit.reason().is_some() && state.starting > 0;
        let room = state.active() + state.starting < self.kept.instances_max as usize;
        let may_start = wanted && room && !probing;
        if may_start && permit == Permit::Now {
            state.starting += 1;
            tokio::spawn(start_one(self.clone(), version.clone()));
        }
        if let Some((instance, open)) = opened {
            return Ok(Found::Open(instance, open));
        }
        if state.failures > before
            && let Some(fault) = state.circuit.reason()
        {
            return Err(fault.clone());
        }
        // With an instance that is only busy, room will come.
        if !state.instances.is_empty() || state.starting > 0 {
            return Ok(Found::Wait);
        }
        match permit {
            Permit::Now => Ok(Found::Wait),
            Permit::At(until) => Ok(Found::WaitUntil(until)),
            Permit::Open(until) => {
                let reason = state.circuit.reason();
                let why = reason.map_or_else(String::new, |fault| fault.message.clone());
                let evidence = reason.map(|fault| fault.evidence.clone()).unwrap_or_default();
                let seconds = until.saturating_duration_since(Instant::now()).as_secs_f32();
                let text = format!("{} takes no calls for {seconds:.1} s: {why}", version.label());
                Err(FaultKind::CircuitOpen.fault(text).with(|e| *e = evidence))
            }
        }
    }

    /// Takes an instance out of those that take calls; it is gone.
    pub(super) fn remove(self: &Arc<Self>, version: &Arc<Version>, instance: &Arc<Instance>) {
        self.state().instances.retain(|held| !Arc::ptr_eq(held, instance));
        // Somebody has to start the next one.
        self.freed.notify_one();
        // One that ended before it was given a call would only do so again.
        if instance.calls().last > 0 {
            self.tend(version);
        }
    }

    /// Starts an instance if fewer are there than are to be kept.
    pub(super) fn tend(self: &Arc<Self>, version: &Arc<Version>) {
        let mut state = self.state();
        let enough = state.active() + state.starting >= self.kept.warm as usize;
        if !state.closed && !enough && state.circuit.permit(Instant::now()) == Permit::Now {
            state.starting += 1;
            tokio::spawn(start_one(self.clone(), version.clone()));
        }
    }

    /// Takes an instance without calls out of those that take them, unless it has to stay.
    pub(super) fn retire(&self, instance: &Instance) -> bool {
        let state = self.state();
        state.active() > self.kept.stay as usize && instance.retire()
    }

    /// Claims the start of an instance that is to replace another, or tells when to ask again; `None` if the pool is
    /// closed.
    pub(super) fn claim_replacement(&self) -> Option<Option<Instant>> {
        let mut state = self.state();
        if state.closed {
            return None;
        }
        Some(match state.circuit.permit(Instant::now()) {
            Permit::Now => {
                state.starting += 1;
                None
            }
            Permit::At(until) | Permit::Open(until) => Some(until),
        })
    }

    /// Lets no more calls in and ends every instance, by itself if it can.
    pub(in crate::process) async fn drain(&self) {
        let instances = {
            let mut state = self.state();
            state.closed = true;
            state.instances.clone()
        };
        self.failed.notify_waiters();
        for instance in &instances {
            instance.calls().draining = true;
            instance.tell(&ToWorker::Drain);
        }
        let ended = async {
            for instance in &instances {
                instance.over().await;
            }
        };
        if timeout(DRAIN_WAIT, ended).await.is_err() {
            for instance in &instances {
                instance.condemn(Doom::Closed);
            }
        }
        let reaped = async {
            for instance in &instances {
                instance.over().await;
            }
        };
        if timeout(KILL_WAIT, reaped).await.is_err() {
            tracing::warn!("a worker was killed but is not gone yet");
        }
    }

    /// Ends every instance now, without waiting.
    pub(in crate::process) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        for instance in &state.instances {
            instance.condemn(Doom::Closed);
        }
    }

    /// Tells how the workers do.
    pub(in crate::process) fn stats(&self) -> (HostState, Vec<InstanceStats>) {
        let state = self.state();
        let instances: Vec<_> = state
            .instances
            .iter()
            .map(|instance| InstanceStats {
                pid: instance.pid(),
                in_flight: u32::try_from(instance.calls().open.len()).unwrap_or(u32::MAX),
                since: instance.since(),
            })
            .collect();
        let reason = state.circuit.reason().map(|fault| fault.message.clone());
        let host_state = match (reason, state.circuit.permit(Instant::now())) {
            (Some(reason), _) if !instances.is_empty() => HostState::Degraded(reason),
            (Some(reason), Permit::Open(_)) => HostState::Failed(reason),
            (Some(reason), Permit::At(until)) => HostState::BackingOff { until: wall(until), reason },
            (Some(_), Permit::Now) | (None, _) if state.starting > 0 && instances.is_empty() => HostState::Probing,
            // The pause is over: the next call starts an instance.
            (Some(reason), Permit::Now) => HostState::Degraded(reason),
            (None, _) if instances.is_empty() => HostState::Registered,
            (None, _) => HostState::Ready,
        };
        (host_state, instances)
    }
}

fn wall(at: Instant) -> Timestamp {
    crate::process::now().plus(at.saturating_duration_since(Instant::now()))
}

pub(super) async fn start_one(pool: Arc<Pool>, version: Arc<Version>) -> Result<(), Fault> {
    use std::sync::atomic::Ordering;
    let started = start::start(&pool, &version).await;
    let mut state = pool.state();
    state.starting -= 1;
    match started {
        Ok(instance) => {
            version.counts.started.fetch_add(1, Ordering::Relaxed);
            state.circuit.succeeded();
            if state.closed {
                instance.condemn(Doom::Closed);
            }
            // It may have ended already; then its driver has not found it here and it must not be kept.
            if !instance.is_over() {
                state.instances.push(instance);
            }
            drop(state);
            version.launch.started(&version);
            pool.tend(&version);
            for _ in 0..pool.kept.calls_max {
                pool.freed.notify_one();
            }
            Ok(())
        }
        Err(fault) => {
            tracing::warn!(component = %version.component.name, version = %version.component.version,
                kind = ?fault.kind, reason = %fault.message, "a worker did not start");
            version.counts.start_failures.fetch_add(1, Ordering::Relaxed);
            let fault = fault.reached(Reached::No);
            state.circuit.failed(Instant::now(), fault.clone());
            state.failures += 1;
            drop(state);
            pool.failed.notify_waiters();
            pool.freed.notify_one();
            Err(fault)
        }
    }
}
