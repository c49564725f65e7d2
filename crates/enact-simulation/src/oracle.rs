//! The oracle: a naive model of what a hub must do, driven by the same commands, that foretells every answer.
//!
//! It calls no code of the engine; commands, records and answers are words to it. A command is judged in three steps: its
//! answer is foretold from the model as it stands, its records are taken over one by one, each of which must be legal, and
//! then answer and outcome are held against what was foretold.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use enact_engine::command::{Answer, Command, CommandBody};
use enact_engine::policy::Policy;
use enact_model::digest::Digest;
use enact_model::id::{ExecutionId, IntentId, IntentType, Lsn, TenantId};
use enact_model::intent::Intent;
use enact_model::json::Json;
use enact_model::record::Record;
use enact_model::time::Timestamp;

use crate::violation::{Verdict, hold};

mod admission;
mod batch;
mod catalog;
pub mod data;
mod finish;
pub mod life;
pub mod log;
mod operators;
pub mod outbox;
mod queues;
mod take;
pub mod verdict;

use batch::Batch;
use catalog::Catalog;
use data::Data;
use life::Life;
use log::LogWatch;
use outbox::Outbox;
use queues::Queues;

/// How long after its deadline an execution may be open at most, in milliseconds of simulated time.
const DEADLINE_SLACK_MS: u64 = 1_000;

/// The answer that a command must get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foretold {
    /// A new execution.
    Accepted,
    /// The execution that was there before.
    Repeated(ExecutionId),
    /// A rejection that is logged.
    Rejected,
    /// The rejection that was logged before.
    RejectedAgain,
    /// It is not done, and nothing is logged.
    Refused,
    /// It is done.
    Done,
    /// There is nothing to say.
    Noted,
}

/// What became of an intent id.
#[derive(Debug, Clone)]
enum IntentFate {
    Accepted(ExecutionId, Arc<Intent>),
    Rejected(Digest),
}

/// The model.
pub struct Oracle {
    policy: Policy,
    now: Timestamp,
    log: LogWatch,
    lives: BTreeMap<ExecutionId, Life>,
    /// Executions that retention has dropped.
    dropped: BTreeSet<ExecutionId>,
    intents: BTreeMap<(TenantId, IntentId), IntentFate>,
    keys: BTreeMap<(TenantId, IntentType, String), ExecutionId>,
    rejections: BTreeMap<TenantId, (u64, u32)>,
    catalog: Catalog,
    data: Data,
    outbox: Outbox,
    queues: Queues,
    ids: BTreeSet<u128>,
    /// Parameters that are kept by reference.
    stored: BTreeMap<Digest, Json>,
    /// Since when an open execution is overdue, in milliseconds since the simulation began.
    overdue: BTreeMap<ExecutionId, u64>,
    acknowledged: BTreeSet<ExecutionId>,
}

impl Oracle {
    /// Begins with an empty hub that works under `policy`.
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            now: Timestamp::default(),
            log: LogWatch::default(),
            lives: BTreeMap::new(),
            dropped: BTreeSet::new(),
            intents: BTreeMap::new(),
            keys: BTreeMap::new(),
            rejections: BTreeMap::new(),
            catalog: Catalog::default(),
            data: Data::default(),
            outbox: Outbox::default(),
            queues: Queues::default(),
            ids: BTreeSet::new(),
            stored: BTreeMap::new(),
            overdue: BTreeMap::new(),
            acknowledged: BTreeSet::new(),
        }
    }
    /// Returns the position of the last record that is known to be durable.
    pub fn position(&self) -> Lsn {
        self.log.position()
    }
    /// Returns how many executions there have been.
    pub fn executions(&self) -> usize {
        self.lives.len() + self.dropped.len()
    }
    /// Returns an execution.
    pub fn life(&self, execution: ExecutionId) -> Option<&Life> {
        self.lives.get(&execution)
    }
    /// Returns the model of the log.
    pub fn log(&self) -> &LogWatch {
        &self.log
    }
    /// Returns the model of the outbox.
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Judges a turn that was acknowledged.
    ///
    /// # Errors
    /// When a rule did not hold.
    pub fn turn(&mut self, commands: &[Command], answers: &[Answer], records: &[Record]) -> Verdict {
        hold(answers.len() == commands.len(), "every command gets one answer", || {
            format!("{} commands got {}", commands.len(), answers.len())
        })?;
        self.judge_all(commands, Some(answers), records)
    }

    /// Judges what a restart found: everything that was acknowledged, and of the last turn, which nobody was told about, the
    /// first commands or all of them, each as a whole.
    ///
    /// # Errors
    /// When a rule did not hold.
    pub fn restart(&mut self, commands: &[Command], found: &[Record], last: Lsn) -> Verdict {
        let new = self.log.compare(found, last)?;
        self.overdue.clear();
        self.judge_all(commands, None, new)
    }

    fn judge_all(&mut self, commands: &[Command], answers: Option<&[Answer]>, records: &[Record]) -> Verdict {
        let mut rest = records;
        for (at, command) in commands.iter().enumerate() {
            // Every command of the simulation has an actor of its own, which its records name.
            let end = rest.iter().position(|record| record.actor != command.actor).unwrap_or(rest.len());
            let (own, others) = rest.split_at(end);
            rest = others;
            let answer = answers.and_then(|answers| answers.get(at));
            if answer.is_some() || !own.is_empty() {
                self.judge(command, answer, own)?;
            }
        }
        hold(rest.is_empty(), "every record belongs to a command, in the order of the commands", || {
            format!("{:?} belongs to none", rest.first())
        })
    }

    fn judge(&mut self, command: &Command, answer: Option<&Answer>, records: &[Record]) -> Verdict {
        self.now = command.time.max(self.log.time());
        self.data.at(self.now);
        if let CommandBody::Submit { intent, parameters, .. } = &command.body
            && let enact_model::payload::Payload::Stored { digest, .. } = &intent.parameters
        {
            self.stored.insert(*digest, parameters.clone());
        }
        let foretold = self.foretell(command);
        if let (CommandBody::Deliver { tenant, message, sink, .. }, Some(_)) = (&command.body, answer) {
            let pending = matches!(self.outbox.sent(tenant, *message, sink), Some(outbox::Sent::Pending(_)));
            hold(records.len() == usize::from(pending), "what a sink did is marked once, while it is pending", || {
                format!("{:?} left {records:?}", command.body)
            })?;
        }
        let mut batch = Batch::of(self, command);
        for record in records {
            hold(record.time == self.now, "every record of a command has its time", || format!("{record:?}"))?;
            self.log.append(record)?;
            self.take(&mut batch, record)?;
        }
        self.hold_batch(&batch, command)?;
        let Some(answer) = answer else { return Ok(()) };
        let silent = matches!(foretold, Foretold::Refused | Foretold::Repeated(_) | Foretold::RejectedAgain);
        hold(!silent || records.is_empty(), "what is not done leaves no record", || {
            format!("{:?} left {records:?}", command.body)
        })?;
        if let Answer::Accepted(execution) = answer {
            hold(batch.accepted.first() == Some(execution), "an accepted intent is an execution", || {
                format!("{execution} is none of {:?}", batch.accepted)
            })?;
            self.acknowledged.insert(*execution);
        }
        let as_foretold = match (foretold, answer) {
            (Foretold::Repeated(known), Answer::Repeated(execution)) => known == *execution,
            (Foretold::Rejected, Answer::Rejected(_)) => !records.is_empty(),
            (Foretold::Accepted, Answer::Accepted(_))
            | (Foretold::RejectedAgain, Answer::Rejected(_))
            | (Foretold::Refused, Answer::Refused(_))
            | (Foretold::Done, Answer::Done(_) | Answer::Session(_) | Answer::Reference(_))
            | (Foretold::Noted, Answer::Noted) => true,
            _ => false,
        };
        hold(as_foretold, "every answer is the one that the design foretells", || {
            format!("{foretold:?} became {answer:?} for {:?}", command.body)
        })
    }

    fn foretell(&self, command: &Command) -> Foretold {
        use CommandBody as C;
        let done = |done: bool| if done { Foretold::Done } else { Foretold::Refused };
        match &command.body {
            C::Submit { intent, parameters, .. } => self.foretell_submit(intent, parameters),
            C::Reject { intent_id, tenant, .. } => {
                let used = self.intents.contains_key(&(tenant.clone(), *intent_id));
                if used { Foretold::Refused } else { self.foretell_rejection(tenant) }
            }
            C::Cancel { tenant, execution, .. }
            | C::Pause { tenant, execution, .. }
            | C::Resume { tenant, execution, .. }
            | C::Retry { tenant, execution, .. } => self.foretell_operator(tenant, *execution, &command.body),
            C::AddComponent { component, digest } => done(!self.catalog.refuses_component(component, *digest)),
            C::BindSolution { solution } => done(!self.catalog.refuses_solution(solution)),
            C::DrainComponent { name, version, .. } => done(self.catalog.drains(name.as_str(), version)),
            C::RemoveComponent { name, version, .. } => {
                let uses = |life: &&Life| life.part.component() == name.as_str() && life.version == *version;
                let used = self.lives.values().filter(|life| life.is_open()).any(|life| uses(&life));
                let needed = self.catalog.needs(name.as_str(), version);
                done(self.catalog.knows(name.as_str(), version) && !used && !needed)
            }
            C::OpenSession { tenant, session, expires_at, .. } => done(session.as_ref().is_none_or(|session| {
                let ends = session.is_default() && expires_at.is_some();
                !ends && !self.data.sessions.contains_key(&(tenant.clone(), session.clone()))
            })),
            C::UpgradeSession { tenant, session, owner } => {
                let row = self.data.sessions.get(&(tenant.clone(), session.clone()));
                done(
                    row.is_some_and(|row| {
                        self.data.is_live(row) && row.owner.as_ref().is_none_or(|known| known == owner)
                    }),
                )
            }
            C::CloseSession { tenant, session, .. } => {
                let row = self.data.sessions.get(&(tenant.clone(), session.clone()));
                done(!session.is_default() && row.is_some_and(|row| self.data.is_live(row)))
            }
            C::SetState { tenant, session, key, if_version, .. } => {
                let open = self.data.admits(tenant, session);
                let key =
                    (tenant.clone(), enact_model::envelope::StateScope::Session, session.to_string(), key.clone());
                done(open && if_version.is_none_or(|expected| expected == self.data.version(&key)))
            }
            C::RegisterReference { reference } => {
                let content = data::content(reference.digest.map(|d| d.to_string()), reference.uri.as_deref());
                let same = self.data.same(&reference.tenant_id, &reference.name, &content);
                let by_id = self.data.references.get(&(reference.tenant_id.clone(), reference.id));
                let agrees = |known: &enact_model::reference::Reference| {
                    known.media_type == reference.media_type && known.uri == reference.uri
                };
                done(match (by_id, same) {
                    (Some(known), _) => {
                        let known_content = data::content(known.digest.map(|d| d.to_string()), known.uri.as_deref());
                        known.name == reference.name && known_content == content && agrees(known)
                    }
                    (None, Some(known)) => agrees(known),
                    (None, None) => true,
                })
            }
            C::Redeliver { tenant, message, sink, .. } => done(self.outbox.redelivers(tenant, *message, sink.as_ref())),
            C::DropHistory { .. } => Foretold::Done,
            C::OpenEpoch { .. }
            | C::Observe { .. }
            | C::Tick
            | C::Deliver { .. }
            | C::RefuseAccess { .. }
            | C::NoteCheckpoint { .. } => Foretold::Noted,
        }
    }

    /// Holds that nothing is open for long after its deadline. `mono` is the simulated time, `hub` the hub's.
    ///
    /// # Errors
    /// When something is.
    pub fn hold_deadlines(&mut self, mono: u64, hub: Timestamp) -> Verdict {
        let overdue: Vec<ExecutionId> = self
            .lives
            .iter()
            .filter(|(_, life)| life.is_open() && life.deadline_at.is_some_and(|at| at <= hub))
            .map(|(execution, _)| *execution)
            .collect();
        self.overdue.retain(|execution, _| overdue.contains(execution));
        for execution in overdue {
            let since = *self.overdue.entry(execution).or_insert(mono);
            hold(mono <= since + DEADLINE_SLACK_MS, "a deadline is kept within a second", || {
                format!("{execution} is open {} ms after it: {:?}", mono - since, self.lives.get(&execution))
            })?;
        }
        Ok(())
    }
}
