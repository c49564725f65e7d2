//! What goes wrong with the hub and its machine, and how the hub comes up again.

use enact_engine::command::{Command, CommandBody};
use enact_engine::effect::{Effect, pending_effects};
use enact_model::id::Lsn;
use enact_model::observation::FaultKind;
use enact_model::observation::Seen;
use enact_runtime::driver::Durable;
use enact_store::contract::View as _;
use enact_store::io::FailKind;

use super::World;
use super::hosts::{self, Report};
use super::hub::End;
use crate::violation::{Verdict, broken, hold};

/// Records before the last acknowledged one that a restart compares; every few restarts it compares all of them.
const COMPARED: u64 = 150;

impl World {
    /// Perhaps something breaks.
    pub(super) fn disturb(&mut self) -> Verdict {
        let weather = self.weather;
        if self.random.below(1_000) < weather.jumps {
            let ms = self.random.between(1, 7_200_000);
            match self.random.chance(60) {
                true => self.clock.jump_back(ms),
                false => self.clock.jump_forward(ms % 100_000),
            }
        }
        if self.random.below(1_000) < weather.ends {
            let end = match self.random.below(10) {
                0..5 => End::PowerLost,
                5..8 => End::Killed,
                _ => End::Closed,
            };
            return self.restart(end);
        }
        if self.random.below(1_000) < weather.disk && !self.hub.is_armed() {
            // Most often what leaves a part of a turn behind.
            let kind = match self.random.below(3) {
                0 => FailKind::Power,
                1 => FailKind::ShortWrite,
                _ => self.random.pick(&FailKind::ALL).copied().unwrap_or(FailKind::Sync),
            };
            self.hub.arm(self.random.between(1, 4), kind);
        }
        Ok(())
    }

    /// The tables are written behind, verified and shortened now and then.
    pub(super) fn keep_house(&mut self) -> Verdict {
        if self.hub.is_armed() {
            return Ok(());
        }
        match self.random.below(400) {
            0..40 => self.hub.flush(),
            40 => self.hub.verify_tables(),
            41..44 => {
                let view = self.hub.view()?;
                self.oracle.hold_tables(&view)
            }
            44..48 if self.weather.disk == 0 => {
                let before = Lsn(self.random.below(self.known.position.0 + 1));
                let first = self.hub.view()?.first_record();
                let kept = self.hub.retain_from(before)?;
                hold(kept <= before.plus(1).max(first), "retention drops only what is before its position", || {
                    format!("the log begins at {kept} after {before}, and began at {first}")
                })
            }
            _ => Ok(()),
        }
    }

    /// A turn has failed: nothing of it may be seen, and nothing more may be written.
    pub(super) fn restart_after_failure(&mut self) -> Verdict {
        let broke = self.hub.broke();
        hold(broke.is_some(), "a sound disk takes every commit", || format!("{:?} failed", self.uncertain))?;
        let view = self.hub.view()?;
        hold(view.position() == self.oracle.position(), "nothing that is not durable is served", || {
            format!("{} is served, {} is durable", view.position(), self.oracle.position())
        })?;
        if self.random.chance(30) {
            self.oracle.hold_tables(&view)?;
        }
        let probe = self.command(CommandBody::RefuseAccess {
            tenant: crate::cast::tenant(crate::cast::TENANTS[0]),
            execution: None,
            what: "a poisoned hub".to_owned(),
            role: None,
        });
        let refused = self.hub.driver()?.turn(&[probe]).is_err();
        hold(refused, "a hub whose log has failed takes no more writes", || "it took one".to_owned())?;
        let end = self.end_after(broke);
        self.restart(end)
    }

    /// After a loss of power there is nothing left to kill.
    fn end_after(&mut self, broke: Option<FailKind>) -> End {
        if broke == Some(FailKind::Power) || self.random.chance(50) { End::PowerLost } else { End::Killed }
    }

    /// The hub goes down and comes up again, perhaps more than once.
    pub(super) fn restart(&mut self, end: End) -> Verdict {
        let mut end = end;
        loop {
            if self.trace {
                eprintln!("the hub ends: {end:?}");
            }
            self.go_down(end)?;
            let broken_again = self.random.below(1_000) < self.weather.disk * 2;
            if broken_again {
                let kind = self.random.pick(&FailKind::ALL).copied().unwrap_or(FailKind::Power);
                self.hub.arm(self.random.between(1, 40), kind);
            }
            match self.try_bring_up()? {
                None => return Ok(()),
                broke => end = self.end_after(broke),
            }
        }
    }

    /// The hub ends, and with it everything that was on its way to it; what handlers did, they did.
    pub(super) fn go_down(&mut self, end: End) -> Verdict {
        self.hub.take_down(end, self.random.number())?;
        self.calls.clear();
        self.events.clear();
        self.sending.clear();
        Ok(())
    }

    /// Brings up a hub on a disk that is sound.
    ///
    /// # Errors
    /// When a rule did not hold.
    pub(super) fn bring_up(&mut self) -> Verdict {
        let broke = self.try_bring_up()?;
        hold(broke.is_none(), "a hub comes up on a sound disk", || format!("{broke:?}"))
    }

    /// Brings the hub up, or returns what has gone wrong with the disk meanwhile.
    fn try_bring_up(&mut self) -> Verdict<Option<FailKind>> {
        if let Err(reason) = self.hub.open() {
            let broke = self.hub.broke();
            return hold(broke.is_some(), "a hub comes up on a sound disk", || reason).map(|()| broke);
        }
        self.restarts += 1;
        let all = self.restarts.is_multiple_of(8);
        let acknowledged = self.oracle.position();
        let from = if all { 0 } else { acknowledged.0.saturating_sub(COMPARED) };
        let (view, last) = (self.hub.view()?, self.hub.position()?);
        let found = self.hub.records_from(Lsn(from).plus(1).max(view.first_record()));
        let found = match found {
            Ok(found) => found,
            Err(violation) => return self.hub.broke().map_or(Err(violation), |broke| Ok(Some(broke))),
        };
        let uncertain = std::mem::take(&mut self.uncertain);
        self.oracle.restart(&uncertain, &found, last)?;
        let new: Vec<_> = found.into_iter().filter(|record| record.lsn > acknowledged).collect();
        self.learn(&new);
        let last_time = self.hub.driver()?.decider().last_time();
        self.clock.restart(last_time);
        self.begin()
    }

    /// Opens the epoch and answers for every attempt that was at a host, or returns what has gone wrong with the disk.
    fn begin(&mut self) -> Verdict<Option<FailKind>> {
        let open = CommandBody::OpenEpoch { store_id: "simulated".to_owned(), release: "0".to_owned() };
        let open = self.command(open);
        let effects = pending_effects(&Durable(&self.hub.view()?));
        let effects = effects.map_err(|need| broken("pending effects can be read", format!("{need:?}")))?;
        let mut answers: Vec<Command> = Vec::new();
        for effect in effects {
            let (Effect::Invoke { tenant, execution, attempt } | Effect::Stop { tenant, execution, attempt }) = effect
            else {
                continue;
            };
            let kind = if self.random.chance(80) { FaultKind::HubRestarted } else { FaultKind::InstanceUnknown };
            let report = Report { seen: Seen::Fault(kind.fault("simulated")), output: None, raw: None };
            let observation = hosts::observation(&report, self.clock.hub(), self.clock.hub());
            let input = self.oracle.life(execution).filter(|life| life.intent.parameters.inline().is_none());
            let input = input.map(|life| life.input.clone());
            let (output, raw) = (None, None);
            let body = CommandBody::Observe { tenant, execution, attempt, observation, output, input, raw, fits: None };
            answers.push(self.command(body));
        }
        let mut commands = vec![open];
        commands.append(&mut answers);
        if self.try_turn(commands)? {
            return Ok(None);
        }
        let broke = self.hub.broke();
        hold(broke.is_some(), "a sound disk takes every commit", || "the first turn failed".to_owned())?;
        Ok(broke)
    }
}
