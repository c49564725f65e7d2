//! Decides commands over the working view: what is durable, and over it what was decided and may not be durable yet.

use std::borrow::Cow;
use std::sync::Arc;

use enact_catalog::catalog::Catalog;
use enact_engine::command::Command;
use enact_engine::decide::{World, decide};
use enact_engine::effect::ask;
use enact_engine::policy::Policy;
use enact_engine::view::View as EngineView;
use enact_model::id::{Epoch, ExecutionId, Lsn};
use enact_model::record::Body;
use enact_model::table::{KeyRange, Row, Table};
use enact_model::time::Timestamp;
use enact_store::contract::{ReadError, View};

use super::working::{Undurable, Working};
use super::{Durable, Poisoned, Turn, catalog_of};

/// What commands that were decided together come to; nobody may know of it before it is committed.
#[derive(Debug)]
pub struct Decided(Turn);

impl Decided {
    /// Takes in what was decided next, so that one sync makes both durable.
    pub fn join(&mut self, Self(later): Self) {
        let turn = &mut self.0;
        turn.answers.extend(later.answers);
        turn.effects.extend(later.effects);
        turn.settled.extend(later.settled);
        turn.batch.frames.extend(later.batch.frames);
        turn.batch.changes.extend(later.batch.changes);
        turn.catalog = later.catalog.or(turn.catalog.take());
        turn.position = later.position;
    }
    /// Returns what it comes to, for the one who has made it durable or is about to.
    pub(super) fn once_durable(self) -> Turn {
        self.0
    }
}

/// The one who decides.
pub struct Decider<V: View> {
    view: V,
    undurable: Undurable,
    policy: Policy,
    catalog: Arc<Catalog>,
    epoch: Epoch,
    next: Lsn,
    last_time: Timestamp,
    poisoned: Option<Poisoned>,
}

impl<V: View> Decider<V> {
    pub(super) fn new(view: V, policy: Policy, epoch: Epoch, next: Lsn, last_time: Timestamp) -> Self {
        let catalog = Arc::new(catalog_of(&Durable(&view)));
        Self { view, undurable: Undurable::default(), policy, catalog, epoch, next, last_time, poisoned: None }
    }
    /// Returns the view of what is durable.
    pub fn view(&self) -> &V {
        &self.view
    }
    /// Returns the catalog that the next command meets.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }
    /// Returns the time of the last record.
    pub fn last_time(&self) -> Timestamp {
        self.last_time
    }
    /// Returns why nothing is decided any more, if that is so.
    pub fn poisoned(&self) -> Option<&Poisoned> {
        self.poisoned.as_ref()
    }
    /// Decides nothing from now on, and forgets what was decided and did not become durable.
    pub fn poison(&mut self, poisoned: Poisoned) {
        self.undurable = Undurable::default();
        self.poisoned.get_or_insert(poisoned);
    }
    /// Starts no attempt from now on: what would start waits for a slot, and the next start of the hub gives it one.
    pub fn start_nothing_more(&mut self) {
        (self.policy.running_max, self.policy.called_for) = (0, None);
    }
    /// Starts this execution from now on whatever else runs.
    pub fn call_for(&mut self, execution: ExecutionId) {
        self.policy.called_for = Some(execution);
    }
    /// Returns when the next entry of the clock is due.
    pub fn next_due(&self) -> Option<Timestamp> {
        let (key, _) = self.undurable.over(Durable(&self.view)).first(&KeyRange::table(Table::Due))?;
        key.as_due().map(|(time, ..)| time)
    }

    /// Decides commands in order, each seeing what the ones before it did.
    ///
    /// # Errors
    /// When a commit has failed or a row cannot be read: nothing of any of them holds, and nothing more is decided.
    pub fn decide(&mut self, commands: &[Command]) -> Result<Decided, Poisoned> {
        if let Some(poisoned) = &self.poisoned {
            return Err(poisoned.clone());
        }
        self.undurable.settle(self.view.position());
        match self.answer(commands) {
            Ok(turn) => Ok(Decided(turn)),
            Err(error) => {
                let poisoned = Poisoned::by(&error);
                self.poison(poisoned.clone());
                Err(poisoned)
            }
        }
    }

    fn answer(&mut self, commands: &[Command]) -> Result<Turn, ReadError> {
        let mut working = Working::new(&self.view, &mut self.undurable, commands.len());
        let mut turn = Turn { answers: Vec::with_capacity(commands.len()), ..Turn::default() };
        for command in commands {
            let mut command = Cow::Borrowed(command);
            if command.time < self.last_time {
                command.to_mut().time = self.last_time;
            }
            working.tidy();
            let world = World { policy: &self.policy, catalog: &self.catalog };
            let decision = loop {
                match decide(&working, &world, self.next, self.epoch, &command) {
                    Ok(decision) => break decision,
                    // With what it asks for comes what it will ask for next.
                    Err(need) => working.load(need.0.into_iter().chain(command.body.needs()))?,
                }
            };
            turn.answers.push(decision.answer);
            let Some(last) = decision.records.last() else { continue };
            (self.next, self.last_time) = (last.lsn.plus(1), last.time);
            decision.records.iter().for_each(|record| ask(record, &mut turn.effects));
            turn.settled.extend(decision.changes.iter().filter_map(|change| match &change.row {
                Some(Row::Execution(execution)) if !execution.is_open() => Some(Arc::clone(execution)),
                _ => None,
            }));
            working.take(decision.changes);
            if decision.records.iter().any(|record| changes_catalog(&record.body)) {
                self.catalog = Arc::new(catalog_of(&working));
                turn.catalog = Some(Arc::clone(&self.catalog));
            }
            turn.batch.frames.push(decision.records);
        }
        turn.position = Lsn(self.next.0 - 1);
        turn.batch.changes = working.finish(turn.position);
        Ok(turn)
    }
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
