//! What is counted of what was committed, in bounded room: tenants and components beyond a limit share one label.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use enact_model::conclusion::DetailCode;
use enact_model::execution::Execution;
use enact_model::id::{ExecutionId, Name, SinkId, TenantId};
use enact_model::outcome::Outcome;
use enact_model::record::{Body, Record};
use enact_model::taxonomy::Category;
use enact_model::time::Timestamp;

use crate::driver::ByExecution;
use crate::metrics::Histogram;

/// Most tenants that have a label of their own.
const TENANTS_MAX: usize = 50;
/// Most components that have one.
const COMPONENTS_MAX: usize = 200;
/// The label of all others; no tenant and no component can be named so.
pub(crate) const OTHER: &str = "_other";

/// Bounds of what an execution takes, in seconds.
const LIFE_SECONDS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0];
/// Bounds of a commit, in seconds.
const COMMIT_SECONDS: &[f64] = &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0];
/// Bounds of what shares a commit.
const COMMIT_SIZES: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 4096.0];

/// Names with a label of their own, the first ones that were seen; the others share the last place.
pub(crate) struct Labels<K> {
    places: HashMap<K, usize, foldhash::fast::RandomState>,
    names: Vec<Arc<str>>,
    most: usize,
}

impl<K: Eq + Hash + Clone + std::fmt::Display> Labels<K> {
    fn up_to(most: usize) -> Self {
        Self { places: HashMap::default(), names: Vec::new(), most }
    }
    /// Returns the place of a name; the one after all others is shared.
    pub(crate) fn place(&mut self, name: &K) -> usize {
        if let Some(place) = self.places.get(name) {
            return *place;
        }
        if self.names.len() >= self.most {
            return self.most;
        }
        self.places.insert(name.clone(), self.names.len());
        self.names.push(name.to_string().into());
        self.names.len() - 1
    }
    /// Returns every name that has a label.
    pub(crate) fn all(&self) -> Vec<String> {
        self.names.iter().map(|name| name.to_string()).collect()
    }
    /// Returns the label of a place.
    pub(crate) fn label(&self, place: usize) -> &str {
        self.names.get(place).map_or(OTHER, |name| name)
    }
}

/// What was counted of one tenant.
#[derive(Debug, Default)]
pub(crate) struct OfTenant {
    pub admitted: u64,
    pub denied: u64,
    pub rejected: HashMap<DetailCode, u64>,
    pub settled: BTreeMap<(&'static str, Option<Category>), u64>,
}

/// What the executions of one component took.
pub(crate) struct OfComponent {
    pub start: Histogram,
    pub attempt: Histogram,
    pub settle: Histogram,
    pub whole: Histogram,
}

impl Default for OfComponent {
    fn default() -> Self {
        let empty = || Histogram::new(LIFE_SECONDS);
        Self { start: empty(), attempt: empty(), settle: empty(), whole: empty() }
    }
}

/// How far an open execution is.
#[derive(Debug, Clone, Copy)]
struct Life {
    component: usize,
    accepted_at: Timestamp,
    started_at: Option<Timestamp>,
    observed_at: Option<Timestamp>,
}

/// What was counted.
pub(crate) struct Figures {
    pub tenants: Labels<TenantId>,
    pub of_tenants: BTreeMap<usize, OfTenant>,
    pub components: Labels<Name>,
    pub of_components: BTreeMap<usize, OfComponent>,
    pub commit_seconds: Histogram,
    pub commit_commands: Histogram,
    pub commit_records: Histogram,
    pub deliveries: BTreeMap<(SinkId, &'static str), u64>,
    /// Grows with everything that may change the number of dead letters.
    pub dead_letters_changed: u64,
    /// Open executions only, so no more than the limits of admission allow.
    lives: ByExecution<Life>,
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            tenants: Labels::up_to(TENANTS_MAX),
            of_tenants: BTreeMap::new(),
            components: Labels::up_to(COMPONENTS_MAX),
            of_components: BTreeMap::new(),
            commit_seconds: Histogram::new(COMMIT_SECONDS),
            commit_commands: Histogram::new(COMMIT_SIZES),
            commit_records: Histogram::new(COMMIT_SIZES),
            deliveries: BTreeMap::new(),
            dead_letters_changed: 0,
            lives: ByExecution::default(),
        }
    }
}

impl Figures {
    pub(super) fn denied(&mut self, tenant: &TenantId) {
        self.tenant(tenant).denied += 1;
    }
    pub(super) fn rejected(&mut self, tenant: &TenantId, code: DetailCode) {
        *self.tenant(tenant).rejected.entry(code).or_default() += 1;
    }
    pub(super) fn commit(&mut self, commands: usize, records: usize, took: Duration) {
        self.commit_seconds.note(took.as_secs_f64());
        self.commit_commands.note(commands as f64);
        self.commit_records.note(records as f64);
    }

    /// Takes in a record. `look` finds an execution that was accepted before this start of the hub.
    pub(super) fn record(&mut self, record: &Record, look: impl Fn(&TenantId, ExecutionId) -> Option<Arc<Execution>>) {
        let Some(tenant) = &record.tenant else {
            self.dead_letters_changed += u64::from(matches!(record.body, Body::HistoryDropped { .. }));
            return;
        };
        match &record.body {
            Body::IntentAccepted(acceptance) => {
                self.tenant(tenant).admitted += 1;
                let component = self.components.place(&acceptance.pin.name);
                let life = Life { component, accepted_at: record.time, started_at: None, observed_at: None };
                self.lives.insert(acceptance.execution, life);
            }
            Body::IntentRejected(rejection) => self.rejected(tenant, rejection.conclusion.code),
            Body::AttemptStarted { execution, attempt, .. } => {
                let Some(life) = self.life(tenant, *execution, look) else { return };
                life.started_at = Some(record.time);
                let (component, waited) = (life.component, record.time.since(life.accepted_at));
                if *attempt == 1 {
                    self.component(component).start.note(waited.as_secs_f64());
                }
            }
            Body::AttemptObserved { execution, .. } => {
                let Some(life) = self.life(tenant, *execution, look) else { return };
                life.observed_at = Some(record.time);
                let (component, started) = (life.component, life.started_at.take());
                if let Some(started) = started {
                    self.component(component).attempt.note(record.time.since(started).as_secs_f64());
                }
            }
            Body::Settled { execution, outcome } => {
                *self.tenant(tenant).settled.entry(ending(outcome)).or_default() += 1;
                let Some(life) = self.life(tenant, *execution, look).copied() else { return };
                self.lives.remove(execution);
                let figures = self.component(life.component);
                figures.whole.note(record.time.since(life.accepted_at).as_secs_f64());
                if let Some(observed) = life.observed_at {
                    figures.settle.note(record.time.since(observed).as_secs_f64());
                }
            }
            Body::MessageDelivered { sink, .. } => self.delivery(sink, "delivered"),
            Body::MessageDelayed { sink, .. } => self.delivery(sink, "delayed"),
            Body::MessageDeadLettered { sink, .. } => self.delivery(sink, "dead_letter"),
            Body::MessageRequeued { sink, .. } => self.delivery(sink, "requeued"),
            _ => {}
        }
    }

    /// Returns how many executions it follows.
    #[cfg(test)]
    pub(super) fn following(&self) -> usize {
        self.lives.len()
    }

    fn delivery(&mut self, sink: &SinkId, result: &'static str) {
        *self.deliveries.entry((sink.clone(), result)).or_default() += 1;
        self.dead_letters_changed += u64::from(matches!(result, "dead_letter" | "requeued"));
    }
    fn tenant(&mut self, tenant: &TenantId) -> &mut OfTenant {
        let place = self.tenants.place(tenant);
        self.of_tenants.entry(place).or_default()
    }
    fn component(&mut self, place: usize) -> &mut OfComponent {
        self.of_components.entry(place).or_default()
    }
    fn life(
        &mut self,
        tenant: &TenantId,
        execution: ExecutionId,
        look: impl Fn(&TenantId, ExecutionId) -> Option<Arc<Execution>>,
    ) -> Option<&mut Life> {
        use std::collections::hash_map::Entry;
        match self.lives.entry(execution) {
            Entry::Occupied(held) => Some(held.into_mut()),
            Entry::Vacant(room) => {
                let row = look(tenant, execution)?;
                let component = self.components.place(&row.pin.name);
                let started_at = row.attempt_started_at;
                let life = Life { component, accepted_at: row.accepted_at, started_at, observed_at: None };
                Some(room.insert(life))
            }
        }
    }
}

/// How an execution ended, in words that are few.
fn ending(outcome: &Outcome) -> (&'static str, Option<Category>) {
    (outcome.word(), outcome.conclusion().map(|conclusion| conclusion.code.category))
}

#[cfg(test)]
mod tests {
    use super::*;
    use enact_model::id::{Epoch, Lsn};
    use enact_model::payload::Payload;

    fn record(tenant: &str, time: u64, body: Body) -> Record {
        let tenant = Some(tenant.parse().unwrap());
        let (lsn, epoch) = (Lsn(1), Epoch(1));
        Record { version: 1, lsn, epoch, time: Timestamp(time), actor: "test".into(), tenant, cause: None, body }
    }
    fn settled(execution: ExecutionId) -> Body {
        let output = Payload::Inline(enact_model::json::Json::null());
        Body::Settled { execution, outcome: Arc::new(Outcome::Completed { output, cancel_too_late: false }) }
    }

    #[test]
    fn the_tenants_beyond_the_limit_share_one_label_and_no_count_goes_back() {
        let mut figures = Figures::default();
        for number in 0..TENANTS_MAX * 10 {
            let body = settled(ExecutionId::from_u128(number as u128));
            figures.record(&record(&format!("tenant-{}", 999 - number), 1, body), |_, _| None);
        }
        assert_eq!(figures.of_tenants.len(), TENANTS_MAX + 1);
        let count = |place: usize| figures.of_tenants[&place].settled.values().sum::<u64>();
        assert_eq!((count(0), figures.tenants.label(0)), (1, "tenant-999"));
        assert_eq!((count(TENANTS_MAX), figures.tenants.label(TENANTS_MAX)), (TENANTS_MAX as u64 * 9, OTHER));
        assert!(OTHER.parse::<Name>().is_err(), "a component can have the name of the others");
        assert_eq!(figures.following(), 0);
    }

    #[test]
    fn an_execution_that_was_accepted_before_the_start_of_the_hub_is_looked_for_once() {
        let (mut figures, id) = (Figures::default(), ExecutionId::from_u128(7));
        let looks = std::cell::Cell::new(0);
        let look = |_: &TenantId, _: ExecutionId| {
            looks.set(looks.get() + 1);
            None
        };
        figures.record(&record("t", 5, Body::Resumed { execution: id, reason: String::new(), role: None }), look);
        assert_eq!(looks.get(), 0);
        figures.record(&record("t", 5, settled(id)), look);
        assert_eq!((looks.get(), figures.following()), (1, 0));
    }
}
