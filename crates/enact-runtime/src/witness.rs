//! Who sees every turn once it is durable: it counts, and it wakes those who watch an execution. It is no part of the ring's
//! threads: the task that tells what a turn came to lets it look.

mod figures;
mod watchers;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use enact_model::conclusion::DetailCode;
use enact_model::id::TenantId;
use enact_model::record::{Body, Record};
use enact_store::contract::View;

use crate::driver::read_execution;
pub(crate) use figures::{Figures, OTHER};
pub(crate) use watchers::{Watched, Watchers, Woken};

/// Sees what was committed.
pub struct Witness<V> {
    view: V,
    figures: Mutex<Figures>,
    watchers: Watchers,
}

impl<V: View> Witness<V> {
    pub(crate) fn of(view: V) -> Self {
        Self { view, figures: Mutex::default(), watchers: Watchers::default() }
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
        self.watchers.touch(records().filter_map(|record| touched(&record.body)));
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
