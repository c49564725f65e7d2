//! What clients, troubles and samples of one soak share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::account::Seen;
use super::kind::Kind;
use super::web::Web;

/// A hub that has just come back does not count as one without a restart, for so long.
const SETTLES: Duration = Duration::from_secs(6);

/// A tenant and the token of its clients.
pub(super) struct Tenant {
    pub(super) name: &'static str,
    pub(super) operator: String,
}

/// The hub that runs at the moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Running {
    pub(super) pid: u32,
    pub(super) since: Instant,
    /// Whether it is about to go, or not yet back.
    pub(super) away: bool,
    /// Whether there was one before.
    pub(super) again: bool,
}

/// What is shared.
pub(super) struct World {
    pub(super) web: Web,
    pub(super) tenants: Vec<Tenant>,
    pub(super) seed: u64,
    python: bool,
    jar: bool,
    running: Mutex<Running>,
    /// Milliseconds of the calls that were answered in this window.
    times: Mutex<Vec<f64>>,
    seen: Mutex<Vec<Seen>>,
    faults: Mutex<Vec<String>>,
    acknowledged: AtomicU64,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    pub(super) fn new(web: Web, tenants: Vec<Tenant>, plan: &super::Plan, pid: u32) -> Self {
        let running = Mutex::new(Running { pid, since: Instant::now(), away: false, again: false });
        let (python, jar) = (plan.python, plan.jar.is_some());
        Self {
            web,
            tenants,
            seed: plan.seed,
            python,
            jar,
            running,
            times: Mutex::default(),
            seen: Mutex::default(),
            faults: Mutex::default(),
            acknowledged: AtomicU64::new(0),
        }
    }
    /// Returns the kind that a number stands for; what this machine cannot run is replaced by what it can.
    pub(super) fn kind(&self, number: u64) -> Kind {
        match Kind::of(number) {
            Kind::Price if !self.jar => Kind::Again,
            Kind::WorkOnce if !self.python => Kind::Once,
            Kind::WorkAgain | Kind::Count if !self.python => Kind::Again,
            kind => kind,
        }
    }
    pub(super) fn took(&self, time: Duration) {
        held(&self.times).push(time.as_secs_f64() * 1e3);
    }
    /// Takes the times of the window that ends now.
    pub(super) fn window(&self) -> Vec<f64> {
        std::mem::take(&mut *held(&self.times))
    }
    pub(super) fn heard(&self, seen: Seen) {
        held(&self.seen).push(seen);
    }
    pub(super) fn acknowledged(&self) {
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
    }
    pub(super) fn counted(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }
    pub(super) fn fault(&self, what: String) {
        held(&self.faults).push(what);
    }
    pub(super) fn faults(&self) -> Vec<String> {
        held(&self.faults).clone()
    }
    pub(super) fn seen(&self) -> Vec<Seen> {
        held(&self.seen).clone()
    }
    pub(super) fn running(&self) -> Running {
        *held(&self.running)
    }
    /// The hub is about to go.
    pub(super) fn goes(&self) {
        held(&self.running).away = true;
    }
    /// A hub has answered.
    pub(super) fn is_back(&self, pid: u32) {
        *held(&self.running) = Running { pid, since: Instant::now(), away: false, again: true };
    }
    /// Whether a hub was away at any time of the window that ends now, or had just come back.
    pub(super) fn disturbed(&self, window: Duration) -> bool {
        let running = self.running();
        running.away || (running.again && running.since.elapsed() < window + SETTLES)
    }
}
