//! The ring, one turn at a time: decide each command over the working view, commit all of them at once, publish. No clock,
//! no thread, no channel: the simulator drives the same code.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use enact_catalog::catalog::{Catalog, State};
use enact_engine::command::{Answer, Command};
use enact_engine::decide::{World, decide};
use enact_engine::effect::{Effect, asked_by};
use enact_engine::policy::Policy;
use enact_engine::scratch::Overlay;
use enact_engine::view::{Need, View as EngineView};
use enact_model::execution::Execution;
use enact_model::id::{Epoch, ExecutionId, IntentId, Lsn, TenantId};
use enact_model::record::{Body, Record};
use enact_model::table::{ComponentState, IntentRow, Key, KeyRange, Row, Table};
use enact_model::time::Timestamp;
use enact_store::contract::{Batch, Cached, Order, ReadError, Store, View};

/// Rows read from the disk that are kept from one command of a turn to the next.
const LOADED_MAX: usize = 10_000;

/// The log refused a write; the partition serves reads and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("failed to write to the log: {reason}")]
pub struct Poisoned {
    /// What the store said.
    pub reason: Arc<str>,
}

/// What one turn came to; everything in it is durable.
#[derive(Debug, Default)]
pub struct Turn {
    /// One answer for each command, in their order.
    pub answers: Vec<Answer>,
    /// What is to be done now, in order.
    pub effects: Vec<Effect>,
    /// Executions that were settled.
    pub settled: Vec<ExecutionId>,
    /// The records that were made.
    pub records: Vec<Record>,
    /// Whether the catalog changed.
    pub catalog_changed: bool,
}

/// The owner of a partition: the store, the rules' limits and the catalog that follows from the tables.
pub struct Driver<S: Store> {
    store: S,
    view: S::View,
    policy: Policy,
    catalog: Arc<Catalog>,
    epoch: Epoch,
    last_time: Timestamp,
    poisoned: Option<Poisoned>,
}

impl<S: Store> Driver<S> {
    /// Takes a store in the epoch after its last one; the first command must be `OpenEpoch`.
    ///
    /// # Errors
    /// When the catalog or the last record cannot be read.
    pub fn new(store: S, policy: Policy) -> Result<Self, ReadError> {
        let view = store.view();
        let last = store.position();
        let last_time = if last == Lsn::ZERO { None } else { view.record(last)?.map(|record| record.time) };
        let epoch = Epoch(store.epoch().0 + 1);
        let catalog = Arc::new(catalog_of(&view));
        Ok(Self { store, view, policy, catalog, epoch, last_time: last_time.unwrap_or_default(), poisoned: None })
    }

    /// Returns the view of what is durable.
    pub fn view(&self) -> &S::View {
        &self.view
    }
    /// Returns the position up to which everything is published.
    pub fn view_position(&self) -> Lsn {
        self.view.position()
    }
    /// Returns the catalog as it is durable.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }
    /// Returns the epoch that this owner writes in.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }
    /// Returns the time of the last record.
    pub fn last_time(&self) -> Timestamp {
        self.last_time
    }
    /// Returns why writes are refused, if they are.
    pub fn poisoned(&self) -> Option<&Poisoned> {
        self.poisoned.as_ref()
    }
    /// Returns the store.
    pub fn store(&self) -> &S {
        &self.store
    }
    /// Returns the store for what only its owner may do, such as dropping segments.
    pub fn store_mut(&mut self) -> &mut S {
        &mut self.store
    }
    /// Starts no attempt from now on: what would start waits for a slot, and the next start of the hub gives it one.
    pub fn start_nothing_more(&mut self) {
        (self.policy.running_max, self.policy.called_for) = (0, None);
    }
    /// Starts this execution from now on whatever else runs.
    pub fn call_for(&mut self, execution: ExecutionId) {
        self.policy.called_for = Some(execution);
    }
    /// Ends the ownership.
    pub fn into_store(self) -> S {
        self.store
    }

    /// Returns when the next entry of the clock is due.
    pub fn next_due(&self) -> Option<Timestamp> {
        let mut due = None;
        self.view.visit(&KeyRange::table(Table::Due), &mut |key, _| {
            due = key.as_due().map(|(time, ..)| time);
            ControlFlow::Break(())
        });
        due
    }

    /// Decides commands in order, each seeing what the ones before it did, and commits all of them with one sync.
    ///
    /// # Errors
    /// When the log refused: nothing of any of them is visible, and the partition takes no more writes.
    pub fn turn(&mut self, commands: &[Command]) -> Result<Turn, Poisoned> {
        if let Some(poisoned) = &self.poisoned {
            return Err(poisoned.clone());
        }
        let mut working = Working { view: &self.view, overlay: Overlay::default(), loaded: BTreeMap::new() };
        let mut catalog = Arc::clone(&self.catalog);
        let expected = self.store.position();
        let mut next = expected.plus(1);
        let mut last_time = self.last_time;
        let mut turn = Turn::default();
        let mut batches = Vec::with_capacity(commands.len());
        for command in commands {
            let mut command = Cow::Borrowed(command);
            if command.time < last_time {
                command.to_mut().time = last_time;
            }
            if working.loaded.len() > LOADED_MAX {
                working.loaded.clear();
            }
            if let Err(error) = working.prefetch(command.body.needs()) {
                return Err(poison(&mut self.poisoned, &error));
            }
            let world = World { policy: &self.policy, catalog: &catalog };
            let decision = loop {
                match decide(&working, &world, next, self.epoch, &command) {
                    Ok(decision) => break decision,
                    Err(need) => match working.load(need) {
                        Ok(()) => {}
                        Err(error) => return Err(poison(&mut self.poisoned, &error)),
                    },
                }
            };
            next = next.plus(decision.records.len() as u64);
            if let Some(last) = decision.records.last() {
                last_time = last.time;
            }
            for change in &decision.changes {
                working.overlay.put(change.clone());
            }
            for record in &decision.records {
                turn.effects.extend(asked_by(record));
                match &record.body {
                    Body::Settled { execution, .. } => turn.settled.push(*execution),
                    body if changes_catalog(body) => turn.catalog_changed = true,
                    _ => {}
                }
            }
            if turn.catalog_changed && decision.records.iter().any(|record| changes_catalog(&record.body)) {
                catalog = Arc::new(working.catalog());
            }
            turn.answers.push(decision.answer);
            if !decision.records.is_empty() {
                batches.push(Batch { records: decision.records, changes: decision.changes });
            }
        }
        if !batches.is_empty() {
            if let Err(error) = self.store.commit(self.epoch, expected, &batches) {
                return Err(poison(&mut self.poisoned, &error));
            }
            self.last_time = last_time;
            self.catalog = catalog;
        }
        turn.records = batches.into_iter().flat_map(|batch| batch.records).collect();
        Ok(turn)
    }
}

fn poison(poisoned: &mut Option<Poisoned>, error: &(dyn std::error::Error + 'static)) -> Poisoned {
    poisoned.insert(Poisoned { reason: describe(error).into() }).clone()
}

fn changes_catalog(body: &Body) -> bool {
    matches!(
        body,
        Body::ComponentAdded { .. }
            | Body::ComponentDraining { .. }
            | Body::ComponentRemoved { .. }
            | Body::SolutionBound { .. }
    )
}

/// Says an error with everything that led to it.
pub(crate) fn describe(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

/// The working view of a turn: what its commands have decided so far, over what is durable.
struct Working<'a, V: View> {
    view: &'a V,
    overlay: Overlay,
    /// Rows that were read from the disk for this turn; only this owner writes, so they cannot have changed since.
    loaded: BTreeMap<Key, Option<Row>>,
}

impl<V: View> Working<'_, V> {
    /// Loads those of the keys that are on disk alone: deciding would ask for them one after the other, and begin again
    /// each time.
    fn prefetch(&mut self, keys: Vec<Key>) -> Result<(), ReadError> {
        let missing = keys.into_iter().filter(|key| self.get(key).is_err()).collect();
        self.load(Need(missing))
    }

    fn load(&mut self, need: Need) -> Result<(), ReadError> {
        for key in need.0 {
            let row = self.view.get(&key)?;
            self.loaded.insert(key, row);
        }
        Ok(())
    }

    fn catalog(&self) -> Catalog {
        let components = enact_engine::view::rows(self, KeyRange::table(Table::Component)).map(|(_, row)| row);
        let solutions = enact_engine::view::rows(self, KeyRange::table(Table::Solution)).map(|(_, row)| row);
        build_catalog(components, solutions)
    }
}

impl<V: View> EngineView for Working<'_, V> {
    fn get(&self, key: &Key) -> Result<Option<Row>, Need> {
        if let Some(row) = self.overlay.get(key) {
            return Ok(row.clone());
        }
        match self.view.cached(key) {
            Cached::Row(row) => Ok(Some(row)),
            Cached::Absent => Ok(None),
            Cached::Unknown => match self.loaded.get(key) {
                Some(row) => Ok(row.clone()),
                None => Err(Need::key(key.clone())),
            },
        }
    }
    fn first(&self, range: &KeyRange) -> Option<(Key, Row)> {
        self.overlay.first(&Durable(self.view), range)
    }
}

/// The durable view as the rules read it: a row that is not in memory is read at once.
pub struct Durable<'a, V: View>(pub &'a V);

impl<V: View> EngineView for Durable<'_, V> {
    fn get(&self, key: &Key) -> Result<Option<Row>, Need> {
        self.0.get(key).map_err(|_| Need::key(key.clone()))
    }
    fn first(&self, range: &KeyRange) -> Option<(Key, Row)> {
        let mut found = None;
        self.0.visit(range, &mut |key, row| {
            found = Some((key.clone(), row.clone()));
            ControlFlow::Break(())
        });
        found
    }
}

/// Builds the catalog that the durable tables make.
pub fn catalog_of<V: View>(view: &V) -> Catalog {
    let rows = |table| {
        enact_engine::view::rows(&Durable(view), KeyRange::table(table)).map(|(_, row)| row).collect::<Vec<_>>()
    };
    build_catalog(rows(Table::Component).into_iter(), rows(Table::Solution).into_iter())
}

fn build_catalog(components: impl Iterator<Item = Row>, solutions: impl Iterator<Item = Row>) -> Catalog {
    let components = components.filter_map(|row| match row {
        Row::Component(row) => Some((Arc::clone(&row.component), row.digest, state_of(row.state))),
        _ => None,
    });
    let solutions = solutions.filter_map(|row| match row {
        Row::Solution(row) => Some(row),
        _ => None,
    });
    Catalog::from_parts(components, solutions)
}

fn state_of(state: ComponentState) -> State {
    match state {
        ComponentState::Active => State::Active,
        ComponentState::Draining => State::Draining,
        ComponentState::Removed => State::Removed,
    }
}

/// Reads an execution from the durable view.
///
/// # Errors
/// When the disk or the bytes on it fail.
pub fn read_execution<V: View>(
    view: &V,
    tenant: &TenantId,
    execution: ExecutionId,
) -> Result<Option<Arc<Execution>>, ReadError> {
    Ok(match view.get(&Key::execution(tenant, execution))? {
        Some(Row::Execution(row)) => Some(row),
        _ => None,
    })
}

/// Reads what became of an intent from the durable view.
///
/// # Errors
/// When the disk or the bytes on it fail.
pub fn read_intent<V: View>(
    view: &V,
    tenant: &TenantId,
    intent: IntentId,
) -> Result<Option<Arc<IntentRow>>, ReadError> {
    if let Some(Row::Intent(row)) = view.get(&Key::intent(tenant, intent))? {
        return Ok(Some(row));
    }
    let execution = read_execution(view, tenant, ExecutionId::from_u128(intent.as_u128()))?;
    Ok(execution.and_then(|execution| IntentRow::told_by(&execution)).map(Arc::new))
}

/// Applies a record during a replay: the same `apply` as everywhere, over the tables that the replay has made so far.
///
/// # Errors
/// When a row cannot be read.
pub fn replay(
    view: &dyn enact_store::contract::ReplayView,
    record: &Record,
) -> Result<Vec<enact_model::table::Change>, enact_store::contract::Source> {
    struct Replaying<'a> {
        view: &'a dyn enact_store::contract::ReplayView,
        failed: std::cell::RefCell<Option<ReadError>>,
    }
    impl EngineView for Replaying<'_> {
        fn get(&self, key: &Key) -> Result<Option<Row>, Need> {
            self.view.get(key).map_err(|error| {
                *self.failed.borrow_mut() = Some(error);
                Need::key(key.clone())
            })
        }
        fn first(&self, range: &KeyRange) -> Option<(Key, Row)> {
            match self.view.scan(range, Order::Ascending, 1) {
                Ok(rows) => rows.into_iter().next(),
                Err(error) => {
                    *self.failed.borrow_mut() = Some(error);
                    None
                }
            }
        }
    }
    let replaying = Replaying { view, failed: std::cell::RefCell::new(None) };
    let changes = enact_engine::apply::apply(&replaying, record);
    match (changes, replaying.failed.into_inner()) {
        (_, Some(error)) => Err(Box::new(error)),
        (Ok(changes), None) => Ok(changes),
        (Err(need), None) => Err(format!("a row is missing: {need:?}").into()),
    }
}
