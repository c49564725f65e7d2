//! The simulated world around one hub: time passes, hosts answer, sinks take, callers ask, and things break.

use std::collections::{BTreeMap, BTreeSet};

use enact_engine::command::{Command, CommandBody, DeliveryResult};
use enact_engine::effect::{Effect, follow};
use enact_engine::policy::Policy;
use enact_model::id::{ExecutionId, MessageId, SinkId, TenantId};
use enact_model::record::{Body, Record};
use enact_model::time::Timestamp;
use enact_runtime::driver::Turn;

use crate::coverage::Coverage;
use crate::invariants;
use crate::oracle::Oracle;
use crate::random::Random;
use crate::violation::{Verdict, hold};

pub mod clock;
mod disturb;
pub mod doors;
pub mod hosts;
pub mod hub;
pub mod ledger;
mod perform;
mod quiet;
pub mod relay;
pub mod sinks;
pub mod weather;

use clock::Clock;
use doors::{Doors, Known};
use hosts::{Calls, Report};
use hub::Hub;
use ledger::Ledger;
use sinks::Sinks;
use weather::Weather;

/// What will happen at some moment unless the hub goes down first.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "a world has few of them at once")]
enum Event {
    /// A host reports.
    Answer { tenant: TenantId, execution: ExecutionId, attempt: u32, report: Report, started: Timestamp },
    /// A sink has answered.
    Delivery { tenant: TenantId, message: MessageId, sink: SinkId, result: DeliveryResult },
}

/// The world.
pub struct World {
    random: Random,
    weather: Weather,
    clock: Clock,
    hub: Hub,
    doors: Doors,
    known: Known,
    calls: Calls,
    sinks: Sinks,
    /// What is on its way to a sink.
    sending: BTreeSet<(MessageId, SinkId)>,
    ledger: Ledger,
    oracle: Oracle,
    coverage: Coverage,
    events: BTreeMap<(u64, u64), Event>,
    sequence: u64,
    /// The effects that the records ask for and that are not done.
    live: BTreeSet<Effect>,
    /// The commands of the last turn, if nobody knows whether it is durable.
    uncertain: Vec<Command>,
    restarts: u64,
    trace: bool,
}

impl World {
    /// Makes a world with a hub that is up and knows the cast.
    ///
    /// # Errors
    /// When a rule did not hold.
    pub fn new(seed: u64, weather: Weather, trace: bool) -> Verdict<Self> {
        let mut random = Random::new(seed);
        let policy = policy(&mut random);
        let mut world = Self {
            hub: Hub::new(random.number(), policy.clone()),
            clock: Clock::new(),
            doors: Doors { flood: random.below(70), operators: random.between(20, 45) },
            known: Known::default(),
            calls: Calls::new(),
            sinks: Sinks::default(),
            sending: BTreeSet::new(),
            ledger: Ledger::default(),
            oracle: Oracle::new(policy),
            coverage: Coverage::default(),
            events: BTreeMap::new(),
            sequence: 0,
            live: BTreeSet::new(),
            uncertain: Vec::new(),
            restarts: 0,
            trace,
            random,
            weather,
        };
        world.bring_up()?;
        let mut commands = Vec::new();
        for name in ["shop", "desk"] {
            let (component, digest) = crate::cast::component(name, "1.0.0", false);
            commands.push(world.command(CommandBody::AddComponent { component, digest }));
        }
        world.turn(commands)?;
        Ok(world)
    }

    /// Lets one step pass: some time, some asks, what is due, and perhaps a mishap.
    ///
    /// # Errors
    /// When a rule did not hold.
    pub fn step(&mut self) -> Verdict {
        let longest = self.random.between(0, 150);
        self.pass_time(longest)?;
        self.disturb()?;
        let mut commands = self.due()?;
        for _ in 0..self.random.below(4) {
            let now = self.clock.hub();
            let body = self.doors.ask(&mut self.random, &mut self.known, now);
            let mut command = self.command(body);
            if self.random.chance(5) {
                command.time = self.clock.wall();
            }
            commands.push(command);
        }
        self.random.shuffle(&mut commands);
        if !commands.is_empty() {
            self.turn(commands)?;
        }
        self.relay()?;
        self.keep_house()
    }

    /// Lets time pass, but not beyond the next moment at which something happens.
    fn pass_time(&mut self, longest: u64) -> Verdict {
        let now = self.clock.mono();
        let next = self.next_moment()?.unwrap_or(u64::MAX).max(now);
        self.clock.advance(longest.min(next - now));
        Ok(())
    }

    /// Returns the next moment at which something happens by itself.
    fn next_moment(&mut self) -> Verdict<Option<u64>> {
        let (mono, hub) = (self.clock.mono(), self.clock.hub());
        let mut next = self.events.keys().next().map(|(moment, _)| *moment);
        let due = self.hub.driver()?.decider().next_due().into_iter();
        let delayed = relay::heads(&self.hub.view()?)?;
        let delayed = delayed.iter().filter(|(head, _)| !self.sending.contains(&(head.message, head.sink.clone())));
        for at in due.chain(delayed.map(|(_, not_before)| *not_before)) {
            let moment = mono + at.0.saturating_sub(hub.0);
            next = Some(next.map_or(moment, |next| next.min(moment)));
        }
        Ok(next)
    }

    /// Lists what hosts and sinks have to say by now, and a tick if the clock has something.
    fn due(&mut self) -> Verdict<Vec<Command>> {
        let (mono, now) = (self.clock.mono(), self.clock.hub());
        let mut commands = Vec::new();
        while let Some(entry) = self.events.first_entry()
            && entry.key().0 <= mono
        {
            let event = entry.remove();
            let body = self.body_of(event, now);
            commands.push(self.command(body));
        }
        if self.hub.driver()?.decider().next_due().is_some_and(|due| due <= now) {
            commands.push(self.command(CommandBody::Tick));
        }
        Ok(commands)
    }

    fn body_of(&mut self, event: Event, now: Timestamp) -> CommandBody {
        match event {
            Event::Delivery { tenant, message, sink, result } => {
                self.sending.remove(&(message, sink.clone()));
                if self.random.chance(self.weather.rough / 8) {
                    // The same answer comes once more.
                    let (tenant, sink, result) = (tenant.clone(), sink.clone(), result.clone());
                    let ms = self.random.between(1, 60);
                    self.happens_after(ms, Event::Delivery { tenant, message, sink, result });
                }
                CommandBody::Deliver { tenant, message, sink, result }
            }
            Event::Answer { tenant, execution, attempt, report, started } => {
                if self.calls.get(&execution).is_some_and(|call| call.attempt == attempt) {
                    self.calls.remove(&execution);
                }
                let observation = hosts::observation(&report, started, now);
                let input = self.oracle.life(execution).filter(|life| life.intent.parameters.inline().is_none());
                let input = input.map(|life| life.input.clone());
                let Report { output, raw, .. } = report;
                CommandBody::Observe { tenant, execution, attempt, observation, output, input, raw, fits: None }
            }
        }
    }

    /// Makes a command with a time, a seed and an actor of its own.
    fn command(&mut self, body: CommandBody) -> Command {
        self.sequence += 1;
        let actor = format!("sim:{}", self.sequence).into();
        Command { time: self.clock.hub(), seed: self.random.wide(), actor, body }
    }

    fn happens_after(&mut self, ms: u64, event: Event) {
        self.sequence += 1;
        self.events.insert((self.clock.mono() + ms, self.sequence), event);
    }

    /// Lets the hub carry commands out; a hub that refuses for a good reason is restarted.
    ///
    /// # Errors
    /// When a rule did not hold.
    pub fn turn(&mut self, commands: Vec<Command>) -> Verdict {
        if self.try_turn(commands)? {
            return Ok(());
        }
        self.restart_after_failure()
    }

    /// Lets the hub carry commands out, or tells that its log refuses.
    fn try_turn(&mut self, commands: Vec<Command>) -> Verdict<bool> {
        if self.trace {
            for command in &commands {
                eprintln!("{} {} {:?}", command.time, command.actor, command.body);
            }
        }
        // Some are decided while the ones before them are still on their way to the disk.
        let ahead = if self.random.chance(40) { self.random.below(commands.len() as u64) as usize } else { 0 };
        let (first, second) = commands.split_at(commands.len() - ahead);
        let together = self.random.chance(50);
        let driver = self.hub.driver()?;
        let decided = match (driver.decide(first), driver.decide(second)) {
            // They share a sync.
            (Ok(mut decided), Ok(later)) if together => {
                decided.join(later);
                vec![(commands.as_slice(), Ok(decided))]
            }
            (decided, later) => vec![(first, decided), (second, later)],
        };
        for (commands, decided) in decided {
            let committed = match decided {
                Ok(decided) => self.hub.driver()?.commit(decided),
                Err(poisoned) => Err(poisoned),
            };
            match committed {
                Ok(turn) => self.committed(commands, turn)?,
                Err(poisoned) => {
                    if self.trace {
                        eprintln!("  {poisoned}");
                    }
                    self.uncertain.extend_from_slice(commands);
                }
            }
        }
        if !self.uncertain.is_empty() {
            return Ok(false);
        }
        // Only now: an answer that is decided and not committed yet is on its way.
        self.hold_invariants()?;
        Ok(true)
    }

    fn committed(&mut self, commands: &[Command], turn: Turn) -> Verdict {
        let records = turn.batch.frames.concat();
        if self.trace {
            for record in &records {
                eprintln!("  {} {} {:?}", record.lsn, record.actor, record.body);
            }
        }
        self.oracle.turn(commands, &turn.answers, &records)?;
        for (command, answer) in commands.iter().zip(&turn.answers) {
            let own: Vec<&Record> = records.iter().filter(|record| record.actor == command.actor).collect();
            self.coverage.note(command, answer, &own);
        }
        self.learn(&records);
        let position = self.hub.position()?;
        hold(position == self.oracle.position(), "a turn is durable when it is answered", || {
            format!("the store stands at {position}, the answers at {}", self.oracle.position())
        })?;
        self.perform(&turn.effects)
    }

    /// Callers and the relay learn what records say.
    fn learn(&mut self, records: &[Record]) {
        for record in records {
            follow(&mut self.live, record);
            let Some(tenant) = record.tenant.clone() else { continue };
            match &record.body {
                Body::IntentAccepted(acceptance) => self.known.executions.push((tenant, acceptance.execution)),
                Body::MessageQueued { message } => {
                    self.known.messages.push((tenant, message.id, message.sinks.clone()));
                }
                Body::ReferenceRegistered { reference } => self.known.references.push((tenant, reference.id)),
                Body::SessionOpened { session, .. } => self.known.sessions.push((tenant, session.clone())),
                _ => {}
            }
            self.known.position = record.lsn;
        }
    }

    fn hold_invariants(&mut self) -> Verdict {
        let view = self.hub.view()?;
        invariants::hold_effects(&view, &self.live)?;
        invariants::hold_wakes(&view, |execution| self.calls.contains_key(&execution))?;
        self.oracle.hold_deadlines(self.clock.mono(), self.clock.hub())
    }

    /// Returns what has been seen of each kind of command.
    pub fn coverage(&self) -> &Coverage {
        &self.coverage
    }
    /// Returns the oracle.
    pub fn oracle(&self) -> &Oracle {
        &self.oracle
    }
    /// Returns the outside ledger.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }
    /// Returns how often the hub was brought up again.
    pub fn restarts(&self) -> u64 {
        self.restarts
    }
    /// Returns the hub.
    pub fn hub(&mut self) -> &mut Hub {
        &mut self.hub
    }
}

/// Small limits, so that all of them are met.
fn policy(random: &mut Random) -> Policy {
    Policy {
        open_max: random.between(15, 40),
        open_max_per_tenant: random.between(10, 25),
        queued_bytes_max: random.between(700, 3_000),
        queued_bytes_max_per_tenant: random.between(500, 2_000),
        running_max: random.between(2, 6) as u32,
        called_for: None,
        rejections_per_minute: random.between(2, 8) as u32,
        idempotency_keep: std::time::Duration::from_millis(random.between(0, 4_000)),
        default_sinks: vec![crate::cast::sink(crate::cast::DEFAULT_SINK)],
        delivery_attempts: 4,
        delivery_backoff: (std::time::Duration::from_millis(50), std::time::Duration::from_millis(1_000)),
    }
}
