//! The log's thread: it commits what was decided, in order, and lets everybody know what it came to.

use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use enact_catalog::catalog::Catalog;
use enact_engine::command::Answer;
use enact_engine::effect::Effect;
use enact_model::execution::Execution;
use enact_model::id::Lsn;
use enact_model::record::Record;
use enact_store::contract::{Store, View};
use enact_store::crash;
use tokio::sync::{mpsc, watch};

use super::{Asker, Errand, Perform, Reply, TURNS_TOGETHER_MAX, Waiters};
use crate::driver::{Decided, Poisoned, Turn, Writer};
use crate::witness::Witness;

/// What the ring's thread hands over.
pub(super) enum Step<S> {
    Commit { decided: Decided, askers: Vec<Asker> },
    Refuse { poisoned: Poisoned, askers: Vec<Asker> },
    Errand(Errand<S>),
    Reply(Reply),
}

pub(super) struct Committing<S: Store> {
    pub(super) writer: Writer<S>,
    pub(super) decided: Receiver<Step<S>>,
    pub(super) publish: watch::Sender<Lsn>,
    pub(super) tell: mpsc::Sender<Told>,
    pub(super) catalog: Arc<Mutex<Arc<Catalog>>>,
    pub(super) poisoned: Arc<Mutex<Option<Poisoned>>>,
}

impl<S: Store> Committing<S> {
    /// Commits until nothing more will be decided, and returns the store.
    pub(super) fn run(mut self) -> S {
        let mut next = None;
        while let Some(step) = next.take().or_else(|| self.decided.recv().ok()) {
            let told = match step {
                Step::Commit { mut decided, mut askers } => {
                    next = self.gather(&mut decided, &mut askers);
                    self.commit(decided, askers)
                }
                Step::Refuse { poisoned, askers } => self.refuse(poisoned, askers),
                Step::Errand(errand) => Told::Errand(errand(self.writer.store_mut())),
                Step::Reply(reply) => Told::Errand(reply),
            };
            // The runtime that would tell it is gone, and with it everybody who waits.
            let _ = self.tell.blocking_send(told);
        }
        self.writer.into_store()
    }

    /// Joins the turns that wait behind one, so that they share its sync; returns the step that is not one of them.
    fn gather(&self, decided: &mut Decided, askers: &mut Vec<Asker>) -> Option<Step<S>> {
        for _ in 1..TURNS_TOGETHER_MAX {
            match self.decided.try_recv() {
                Ok(Step::Commit { decided: later, askers: theirs }) => {
                    decided.join(later);
                    askers.extend(theirs);
                }
                other => return other.ok(),
            }
        }
        None
    }

    fn commit(&mut self, decided: Decided, askers: Vec<Asker>) -> Told {
        let begun = Instant::now();
        match self.writer.commit(decided) {
            Ok(Turn { answers, effects, settled, catalog, position, batch }) => {
                let took = begun.elapsed();
                if let Some(catalog) = catalog {
                    *self.catalog.lock().unwrap_or_else(PoisonError::into_inner) = catalog;
                }
                crash::point("ring-before-publish");
                // Nobody watching is no reason to stop.
                let _ = self.publish.send(position);
                Told::Turn { effects, answers, askers, settled, frames: batch.frames, took }
            }
            Err(poisoned) => self.refuse(poisoned, askers),
        }
    }

    fn refuse(&self, poisoned: Poisoned, askers: Vec<Asker>) -> Told {
        let mut held = self.poisoned.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_none() {
            tracing::error!(reason = %poisoned.reason, "the log refused a write; this hub serves reads only");
            *held = Some(poisoned.clone());
        }
        Told::Poisoned { poisoned, askers }
    }
}

/// What the log's thread has to tell.
pub(super) enum Told {
    Turn {
        effects: Vec<Effect>,
        answers: Vec<Answer>,
        askers: Vec<Asker>,
        settled: Vec<Arc<Execution>>,
        frames: Vec<Vec<Record>>,
        took: Duration,
    },
    Poisoned {
        poisoned: Poisoned,
        askers: Vec<Asker>,
    },
    Errand(Reply),
}

/// Gives effects, answers and settlements away until the ring has ended.
pub(super) async fn give_away<V: View>(
    mut told: mpsc::Receiver<Told>,
    mut perform: Perform,
    waiters: Arc<Waiters>,
    witness: Arc<Witness<V>>,
) {
    while let Some(told) = told.recv().await {
        match told {
            Told::Turn { effects, answers, askers, settled, frames, took } => {
                crash::point("ring-before-effects");
                if !effects.is_empty() {
                    perform(effects);
                }
                // Before the answers, so that no figure is older than what a caller knows.
                witness.see(&frames, answers.len(), took);
                crash::point("ring-before-answers");
                waiters.answer(askers, answers);
                if !settled.is_empty() {
                    waiters.tell(settled);
                }
            }
            Told::Poisoned { poisoned, askers } => {
                for asker in askers.into_iter().flatten() {
                    // A caller that went away needs no answer.
                    let _ = asker.answer.send(Err(poisoned.clone().into()));
                }
            }
            Told::Errand(reply) => reply(),
        }
    }
    witness.watchers().end();
}
