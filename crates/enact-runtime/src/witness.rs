//! Who sees every turn once it is durable: it counts, and it wakes those who watch an execution. It is no part of the ring's
//! threads: the task that tells what a turn came to lets it look.

mod figures;
mod watchers;

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use enact_model::conclusion::DetailCode;
use enact_model::id::TenantId;
use enact_model::record::{Body, Record};
use enact_store::contract::View;

use crate::driver::read_execution;
use crate::trace::Settled;
pub(crate) use figures::{Figures, OTHER};
pub(crate) use watchers::{Watched, Watchers, Woken};

/// Sees what was committed.
pub struct Witness<V> {
    view: V,
    figures: Mutex<Figures>,
    watchers: Watchers,
    settled: OnceLock<Settled>,
}

impl<V: View> Witness<V> {
    pub(crate) fn of(view: V) -> Self {
        Self { view, figures: Mutex::default(), watchers: Watchers::default(), settled: OnceLock::new() }
    }

    /// Takes in the records of a turn, which are durable and visible.
    pub(crate) fn see(&self, frames: &[Vec<Record>], commands: usize, took: Duration) {
        if frames.is_empty() {
            return;
        }
        let records = || frames.iter().flatten();
        let mut figures = self.figures();
        figures.commit(commands, records().count(), took);
        for record in records() {
            figures.record(record, |tenant, execution| read_execution(&self.view, tenant, execution).ok().flatten());
        }
        drop(figures);
        if let Some(settled) = self.settled.get() {
            for record in records() {
                if let (Body::Settled { execution, .. }, Some(tenant)) = (&record.body, &record.tenant) {
                    settled.tell(tenant, *execution);
                }
            }
        }
        self.watchers.touch(records().filter_map(|record| touched(&record.body)));
    }

    /// Lets somebody be told of what is settled from now on.
    pub(crate) fn attach(&self, settled: Settled) {
        // A hub has one exporter; a second one is ignored.
        let _ = self.settled.set(settled);
    }
    /// Returns who is told of what is settled.
    pub(crate) fn settled(&self) -> Option<&Settled> {
        self.settled.get()
    }
    /// Counts a question that was denied.
    pub(crate) fn denied(&self, tenant: &TenantId) {
        self.figures().denied(tenant);
    }
    /// Counts an intent that was refused and left no record.
    pub(crate) fn refused(&self, tenant: &TenantId, code: DetailCode) {
        self.figures().rejected(tenant, code);
    }
    /// Returns what was counted.
    pub(crate) fn figures(&self) -> MutexGuard<'_, Figures> {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Returns who watches executions.
    pub(crate) fn watchers(&self) -> &Watchers {
        &self.watchers
    }
}

/// Returns the execution whose row a record has changed; effects stand in the batch of its outcome.
fn touched(body: &Body) -> Option<enact_model::id::ExecutionId> {
    if body.is_effect() { None } else { body.execution() }
}
