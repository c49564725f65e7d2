//! The owner of a partition: commands are decided over the working view, what they come to is committed and published. No
//! clock, no thread, no channel: the simulator drives the same code.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use enact_catalog::catalog::{Catalog, State};
use enact_engine::command::{Answer, Command};
use enact_engine::effect::Effect;
use enact_engine::policy::Policy;
use enact_engine::view::{Need, View as EngineView};
use enact_model::execution::Execution;
use enact_model::id::{Epoch, ExecutionId, IntentId, Lsn, TenantId};
use enact_model::record::Record;
use enact_model::table::{ComponentState, IntentRow, Key, KeyRange, Row, Table};
use enact_store::contract::{Batch, Order, ReadError, Store, View};

mod decider;
mod working;

pub use decider::{Decided, Decider};

/// The log refused a write; the partition serves reads and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("failed to write to the log: {reason}")]
pub struct Poisoned {
    /// What the store said.
    pub reason: Arc<str>,
}

impl Poisoned {
    fn by(error: &(dyn std::error::Error + 'static)) -> Self {
        Self { reason: describe(error).into() }
    }
}

/// What commands that were decided together came to; everything in it is durable.
#[derive(Debug, Default)]
pub struct Turn {
    /// One answer for each command, in their order.
    pub answers: Vec<Answer>,
    /// What is to be done now, in order.
    pub effects: Vec<Effect>,
    /// Executions that were settled, as they are now.
    pub settled: Vec<Arc<Execution>>,
    /// The records that were made.
    pub batch: Batch,
    /// The catalog, if it changed.
    pub catalog: Option<Arc<Catalog>>,
    /// The position of the last record, be it of this turn or of one before.
    pub position: Lsn,
}

impl Turn {
    /// Returns the records that were made, in their order.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.batch.frames.iter().flatten()
    }
}

/// The owner of a partition: who decides, and who commits what was decided.
pub struct Driver<S: Store> {
    decider: Decider<S::View>,
    writer: Writer<S>,
}

/// The one who commits: everything in the order in which it was decided, and nothing after a commit has failed.
pub struct Writer<S> {
    store: S,
    epoch: Epoch,
    poisoned: Option<Poisoned>,
}

impl<S: Store> Writer<S> {
    /// Commits what was decided with one sync.
    ///
    /// # Errors
    /// When the log refuses, now or before: nothing of it is visible, and the partition takes no more writes.
    pub fn commit(&mut self, decided: Decided) -> Result<Turn, Poisoned> {
        if let Some(poisoned) = &self.poisoned {
            return Err(poisoned.clone());
        }
        let turn = decided.once_durable();
        if let Some(first) = turn.records().next() {
            let expected = Lsn(first.lsn.0 - 1);
            if let Err(error) = self.store.commit(self.epoch, expected, &turn.batch) {
                return Err(self.poisoned.insert(Poisoned::by(&error)).clone());
            }
        }
        Ok(turn)
    }
    /// Returns the store for what only its owner may do, such as dropping segments.
    pub fn store_mut(&mut self) -> &mut S {
        &mut self.store
    }
    /// Ends the ownership.
    pub fn into_store(self) -> S {
        self.store
    }
}

impl<S: Store> Driver<S> {
    /// Takes a store in the epoch after its last one; the first command must be `OpenEpoch`.
    ///
    /// # Errors
    /// When the last record cannot be read.
    pub fn new(store: S, policy: Policy) -> Result<Self, ReadError> {
        let (view, last, epoch) = (store.view(), store.position(), Epoch(store.epoch().0 + 1));
        let last_time = if last == Lsn::ZERO { None } else { view.record(last)?.map(|record| record.time) };
        let decider = Decider::new(view, policy, epoch, last.plus(1), last_time.unwrap_or_default());
        Ok(Self { decider, writer: Writer { store, epoch, poisoned: None } })
    }
    /// Parts the two, so that one can decide while the other commits what was decided before.
    pub fn split(self) -> (Decider<S::View>, Writer<S>) {
        (self.decider, self.writer)
    }

    /// Decides commands in order, each seeing what the ones before it did, and commits all of them with one sync.
    ///
    /// # Errors
    /// When the log refused: nothing of any of them is visible, and the partition takes no more writes.
    pub fn turn(&mut self, commands: &[Command]) -> Result<Turn, Poisoned> {
        let decided = self.decide(commands)?;
        self.commit(decided)
    }
    /// Decides commands over everything that was decided before, be it durable or not.
    ///
    /// # Errors
    /// As [`Decider::decide`].
    pub fn decide(&mut self, commands: &[Command]) -> Result<Decided, Poisoned> {
        self.decider.decide(commands)
    }
    /// Commits what was decided, in the same order.
    ///
    /// # Errors
    /// As [`Writer::commit`].
    pub fn commit(&mut self, decided: Decided) -> Result<Turn, Poisoned> {
        self.writer.commit(decided).inspect_err(|poisoned| self.decider.poison(poisoned.clone()))
    }

    /// Returns the view of what is durable.
    pub fn view(&self) -> &S::View {
        self.decider.view()
    }
    /// Returns who decides.
    pub fn decider(&self) -> &Decider<S::View> {
        &self.decider
    }
    /// Returns the epoch that this owner writes in.
    pub fn epoch(&self) -> Epoch {
        self.writer.epoch
    }
    /// Returns the store.
    pub fn store(&self) -> &S {
        &self.writer.store
    }
    /// Returns the store for what only its owner may do, such as dropping segments.
    pub fn store_mut(&mut self) -> &mut S {
        &mut self.writer.store
    }
    /// Ends the ownership.
    pub fn into_store(self) -> S {
        self.writer.store
    }
}

/// What is known of executions, by their ids: the hub makes them, so nobody can choose which of them meet in one place.
pub(crate) type ByExecution<T> = HashMap<ExecutionId, T, foldhash::fast::RandomState>;

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

/// Builds the catalog that tables make.
pub fn catalog_of(view: &(impl EngineView + ?Sized)) -> Catalog {
    let rows = |table| enact_engine::view::rows(view, KeyRange::table(table)).map(|(_, row)| row);
    let components = rows(Table::Component).filter_map(|row| match row {
        Row::Component(row) => Some((Arc::clone(&row.component), row.digest, state_of(row.state))),
        _ => None,
    });
    let solutions = rows(Table::Solution).filter_map(|row| match row {
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
