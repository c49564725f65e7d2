//! The ring's thread: it takes whatever has queued up, decides it, and hands it to the log.

use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use enact_engine::command::{Command, CommandBody};
use enact_model::time::Timestamp;
use enact_store::contract::Store;
use tokio::sync::mpsc::{self, error::TryRecvError};

use super::committing::Step;
use super::{Asker, Errand, Input, TURN};
use crate::clock::Clock;
use crate::driver::{Decider, Poisoned};

/// Longest sleep of the ring while nothing is due.
const IDLE: Duration = Duration::from_secs(3_600);

pub(super) struct Deciding<S: Store> {
    pub(super) decider: Decider<S::View>,
    pub(super) receiver: mpsc::Receiver<Input<S>>,
    pub(super) commit: SyncSender<Step<S>>,
    pub(super) poisoned: Arc<Mutex<Option<Poisoned>>>,
    pub(super) clock: Arc<Clock>,
    pub(super) seed: u128,
    pub(super) taken: u64,
    /// Room for the commands of a turn, from the last one.
    pub(super) room: Vec<Command>,
}

/// What a turn has taken from the queue.
struct Turn<S: Store> {
    now: Timestamp,
    commands: Vec<Command>,
    askers: Vec<Asker>,
    /// What was taken last, if it was no command: it is done after the commands that were sent before it.
    last: Option<Last<S>>,
}

enum Last<S: Store> {
    Rule(Errand<Decider<S::View>>),
    Store(Errand<S>),
    End,
}

impl<S: Store> Deciding<S> {
    /// Decides until the ring is ended, or nobody is left who could send it anything.
    pub(super) fn run(mut self, timer: &tokio::runtime::Runtime) {
        loop {
            let Ok(first) = self.wait(timer) else { return };
            let commands = std::mem::take(&mut self.room);
            let mut turn = Turn { now: self.clock.now(), commands, askers: Vec::new(), last: None };
            let mut next = first;
            let most = self.receiver.len().clamp(TURN.0, TURN.1);
            while let Some(input) = next.take() {
                self.take(&mut turn, input);
                if turn.last.is_none() && turn.commands.len() < most {
                    next = self.receiver.try_recv().ok();
                }
            }
            // An errand may be the one that ends all starts: what is due waits until it was run.
            if turn.last.is_none() && self.decider.next_due().is_some_and(|due| due <= turn.now) {
                self.push(&mut turn, &"timer".into(), CommandBody::Tick, None);
            }
            if !turn.commands.is_empty() {
                self.decide(&turn.commands, turn.askers);
                turn.commands.clear();
            }
            self.room = turn.commands;
            match turn.last {
                None => {}
                Some(Last::Rule(errand)) => {
                    let reply = errand(&mut self.decider);
                    self.hand_over(Step::Reply(reply));
                }
                Some(Last::Store(errand)) => self.hand_over(Step::Errand(errand)),
                Some(Last::End) => return,
            }
        }
    }

    /// Waits for the next input, or until something is due; fails when nobody is left who could send one.
    fn wait(&mut self, timer: &tokio::runtime::Runtime) -> Result<Option<Input<S>>, TryRecvError> {
        match self.receiver.try_recv() {
            Ok(input) => return Ok(Some(input)),
            Err(TryRecvError::Disconnected) => return Err(TryRecvError::Disconnected),
            Err(TryRecvError::Empty) => {}
        }
        let pause = match self.decider.next_due() {
            Some(due) if self.decider.poisoned().is_none() => due.since(self.clock.now()).min(IDLE),
            _ => IDLE,
        };
        if pause.is_zero() {
            return Ok(None);
        }
        match timer.block_on(async { tokio::time::timeout(pause, self.receiver.recv()).await }) {
            Ok(Some(input)) => Ok(Some(input)),
            Ok(None) => Err(TryRecvError::Disconnected),
            Err(_) => Ok(None),
        }
    }

    fn take(&mut self, turn: &mut Turn<S>, input: Input<S>) {
        match input {
            Input::Command { actor, body, reply } => self.push(turn, &actor, body, reply),
            Input::Commands { actor, bodies } => {
                bodies.into_iter().for_each(|body| self.push(turn, &actor, body, None));
            }
            Input::Rule(errand) => turn.last = Some(Last::Rule(errand)),
            Input::Store(errand) => turn.last = Some(Last::Store(errand)),
            Input::End => turn.last = Some(Last::End),
        }
    }

    fn push(&mut self, turn: &mut Turn<S>, actor: &Arc<str>, body: CommandBody, asker: Asker) {
        let seed = self.seed.wrapping_add(u128::from(self.taken));
        self.taken += 1;
        turn.commands.push(Command { time: turn.now, seed, actor: Arc::clone(actor), body });
        turn.askers.push(asker);
    }

    fn decide(&mut self, commands: &[Command], askers: Vec<Asker>) {
        // What was decided behind a commit that failed is refused by the log's thread; from here on nothing is decided.
        if let Some(poisoned) = &*self.poisoned.lock().unwrap_or_else(PoisonError::into_inner) {
            self.decider.poison(poisoned.clone());
        }
        let step = match self.decider.decide(commands) {
            Ok(decided) => Step::Commit { decided, askers },
            Err(poisoned) => Step::Refuse { poisoned, askers },
        };
        self.hand_over(step);
    }

    fn hand_over(&self, step: Step<S>) {
        // The other thread takes steps for as long as this one lives; if it has panicked, nobody is answered any more.
        let _ = self.commit.send(step);
    }
}
