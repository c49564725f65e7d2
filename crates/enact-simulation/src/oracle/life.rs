//! The naive life of one execution: which record may follow which, written from DESIGN §3.

use enact_model::execution::{StopCause, Wake};
use enact_model::id::{ExecutionId, Lsn, TenantId};
use enact_model::intent::Intent;
use enact_model::json::Json;
use enact_model::observation::{Observation, Reached, Seen};
use enact_model::outcome::Outcome;
use enact_model::time::Timestamp;
use std::sync::Arc;

use crate::cast::Part;
use crate::violation::{Verdict, hold};

/// Where an execution stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// It may go on within this very command: just accepted, resumed, or nudged by a retry.
    Free,
    /// It stands in a queue.
    Queued(String),
    /// Its start time has not come.
    Delayed(Timestamp),
    /// An attempt is at a host.
    Running,
    /// That attempt was asked to stop; nobody waits for it beyond this time.
    Stopping(Timestamp),
    /// What its attempt came to is known; within this very command it goes on or ends.
    Judged,
    /// It waits for the time of its next attempt.
    Resting(Timestamp),
    /// It waits for the child that finds out whether it ran.
    Asking(ExecutionId),
    /// It waits to be resumed, and then for this time.
    Paused(Option<Timestamp>),
    /// It was asked to stop and is at no host: within this very command it ends.
    Ending,
    /// It is over.
    Settled,
}

/// One execution, as far as the rules look at it.
#[derive(Debug, Clone)]
pub struct Life {
    pub tenant: TenantId,
    pub intent: Arc<Intent>,
    pub input: Json,
    pub part: &'static Part,
    pub version: String,
    pub stage: Stage,
    pub attempt: u32,
    /// Attempts that were lost through no fault of the handler.
    pub lost: u32,
    pub deadline_at: Option<Timestamp>,
    pub gate: Option<(String, u32)>,
    pub pause_asked: bool,
    pub stop: Option<StopCause>,
    /// An attempt may have run: it was reached, or nobody knows.
    pub may_have_run: bool,
    pub parent: Option<ExecutionId>,
    pub accepted: Lsn,
    pub outcome: Option<Arc<Outcome>>,
    pub settled_at: Option<Timestamp>,
}

const LEGAL: &str = "only legal transitions stand in the log";

impl Life {
    /// Returns whether it is not settled.
    pub fn is_open(&self) -> bool {
        self.stage != Stage::Settled
    }
    /// Returns whether an attempt of it is at a host.
    pub fn is_at_host(&self) -> bool {
        matches!(self.stage, Stage::Running | Stage::Stopping(_))
    }
    /// Returns whether it holds a slot of its gate: at a host, or waiting for nothing but a slot of the hub.
    pub fn holds_gate(&self) -> bool {
        self.is_at_host() || matches!(&self.stage, Stage::Queued(queue) if queue == "*")
    }

    /// An attempt starts.
    pub fn start(&mut self, attempt: u32, now: Timestamp) -> Verdict {
        let may = match &self.stage {
            Stage::Free | Stage::Queued(_) => true,
            Stage::Delayed(due) | Stage::Resting(due) => *due <= now,
            _ => false,
        };
        hold(may, LEGAL, || format!("attempt {attempt} starts in {:?} at {now}", self.stage))?;
        hold(attempt == self.attempt + 1, "attempts are numbered from 1", || {
            format!("{attempt} follows {}", self.attempt)
        })?;
        hold(
            self.intent.start_after.is_none_or(|start| attempt > 1 || start <= now),
            "nothing starts before its start_after",
            || format!("{:?} starts at {now}", self.intent.start_after),
        )?;
        hold(self.deadline_at.is_none_or(|at| at > now), "nothing starts after its total deadline", || {
            format!("{:?} starts at {now}", self.deadline_at)
        })?;
        hold(
            self.part.may_run_again() || !self.may_have_run,
            "what may not run again is tried again only if it was certainly not reached",
            || format!("attempt {attempt} of {} starts", self.part.selector),
        )?;
        (self.attempt, self.stage) = (attempt, Stage::Running);
        Ok(())
    }

    /// The current attempt is answered.
    pub fn observe(&mut self, attempt: u32, observation: &Observation) -> Verdict {
        hold(self.is_at_host() && attempt == self.attempt, LEGAL, || {
            format!("attempt {attempt} is observed in {:?} of attempt {}", self.stage, self.attempt)
        })?;
        if let Seen::Fault(fault) = &observation.seen {
            self.may_have_run |= fault.reached != Reached::No;
        } else {
            self.may_have_run = true;
        }
        self.stage = Stage::Judged;
        Ok(())
    }

    /// An answer is late.
    pub fn late(&self, attempt: u32) -> Verdict {
        hold(!(self.is_at_host() && attempt == self.attempt), "an answer is late only if nobody waits for it", || {
            format!("attempt {attempt} is late in {:?} of attempt {}", self.stage, self.attempt)
        })
    }

    /// Its next attempt has a time.
    pub fn rest(&mut self, due: Timestamp) -> Verdict {
        hold(matches!(self.stage, Stage::Judged | Stage::Asking(_)), LEGAL, || {
            format!("a retry is scheduled in {:?}", self.stage)
        })?;
        hold(self.stop.is_none(), LEGAL, || "a retry is scheduled after a stop".to_owned())?;
        if matches!(self.stage, Stage::Asking(_)) {
            self.may_have_run = false;
        }
        self.stage = Stage::Resting(due);
        Ok(())
    }

    /// It waits for something.
    pub fn wait(&mut self, wake: &Wake, now: Timestamp) -> Verdict {
        let next = match (&self.stage, wake) {
            (Stage::Free, Wake::Slot { queue }) => Stage::Queued(queue.clone()),
            (Stage::Delayed(due) | Stage::Resting(due), Wake::Slot { queue }) if *due <= now => {
                Stage::Queued(queue.clone())
            }
            (Stage::Queued(gate), Wake::Slot { queue }) if gate != "*" && queue == "*" => Stage::Queued(queue.clone()),
            (Stage::Free, Wake::StartAfter { due }) if self.attempt == 0 => Stage::Delayed(*due),
            (Stage::Free, Wake::Retry { due }) if self.attempt > 0 => Stage::Resting(*due),
            (Stage::Judged, Wake::Reconcile { child }) => Stage::Asking(*child),
            (Stage::Queued(_), Wake::Resume) => Stage::Paused(None),
            (Stage::Delayed(due) | Stage::Resting(due), Wake::Resume) => Stage::Paused(Some(*due)),
            _ => Stage::Settled,
        };
        hold(next != Stage::Settled, LEGAL, || format!("{wake:?} follows {:?} at {now}", self.stage))?;
        hold(*wake != Wake::Resume || self.pause_asked, LEGAL, || "it pauses unasked".to_owned())?;
        self.pause_asked &= *wake != Wake::Resume;
        self.stage = next;
        Ok(())
    }

    /// It is asked to stop.
    pub fn stop(&mut self, cause: StopCause, give_up_at: Timestamp, now: Timestamp) -> Verdict {
        hold(self.stop.is_none() && self.is_open(), LEGAL, || format!("a stop is asked for in {:?}", self.stage))?;
        let come = cause == StopCause::Cancel || self.deadline_at.is_some_and(|at| at <= now);
        hold(come, "a deadline stops only when it has come", || format!("{:?} stops at {now}", self.deadline_at))?;
        self.stop = Some(cause);
        self.pause_asked = false;
        self.stage = if self.stage == Stage::Running { Stage::Stopping(give_up_at) } else { Stage::Ending };
        Ok(())
    }

    /// It is to pause at its next boundary.
    pub fn pause(&mut self) -> Verdict {
        let may = matches!(
            self.stage,
            Stage::Queued(_) | Stage::Delayed(_) | Stage::Resting(_) | Stage::Running | Stage::Asking(_)
        );
        hold(may, LEGAL, || format!("a pause is asked for in {:?}", self.stage))?;
        self.pause_asked = true;
        Ok(())
    }

    /// It goes on.
    pub fn resume(&mut self, retried: bool) -> Verdict {
        let resting = retried && matches!(self.stage, Stage::Resting(_));
        let paused = matches!(self.stage, Stage::Paused(_));
        hold(resting || paused || self.pause_asked, LEGAL, || format!("it is resumed in {:?}", self.stage))?;
        if resting || paused {
            self.stage = Stage::Free;
        }
        self.pause_asked = false;
        Ok(())
    }

    /// It is over.
    pub fn settle(&mut self, outcome: &Arc<Outcome>, now: Timestamp) -> Verdict {
        hold(self.is_open(), "the first settlement wins", || format!("it is settled again as {}", outcome.word()))?;
        let may = match self.stage {
            Stage::Judged | Stage::Ending | Stage::Asking(_) => true,
            Stage::Stopping(give_up_at) => give_up_at <= now,
            _ => false,
        };
        hold(may, LEGAL, || format!("it is settled in {:?}", self.stage))?;
        self.stage = Stage::Settled;
        (self.outcome, self.settled_at) = (Some(Arc::clone(outcome)), Some(now));
        Ok(())
    }
}
