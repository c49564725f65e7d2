//! The end of a simulation: nothing breaks any more, and everything must come to its end.

use enact_engine::command::CommandBody;
use enact_model::execution::Wake;

use super::World;
use super::hub::End;
use super::weather::Weather;
use crate::invariants;
use crate::violation::{Verdict, broken, hold};

/// Steps after which what is still open is taken to be stuck.
const STEPS_MAX: u64 = 5_000;

impl World {
    /// Lets everything come to its end.
    ///
    /// # Errors
    /// When a rule did not hold, or something is stuck.
    pub fn come_to_rest(&mut self) -> Verdict {
        self.weather = Weather::CALM;
        self.hub.broke();
        self.sinks.mend();
        for _ in 0..STEPS_MAX {
            let view = self.hub.view()?;
            let open = invariants::open(&view)?;
            let mut commands = self.due()?;
            for execution in &open {
                if execution.wake == Some(Wake::Resume) {
                    let (tenant, execution) = (execution.tenant().clone(), execution.id);
                    let reason = "the end of the simulation".to_owned();
                    commands.push(self.command(CommandBody::Resume { tenant, execution, reason, role: None }));
                }
            }
            if commands.is_empty() {
                self.relay()?;
                match self.next_moment()? {
                    Some(moment) => self.clock.advance_to(moment),
                    None if open.is_empty() => return Ok(()),
                    None => {
                        return Err(broken("every open execution is woken by something", format!("{open:?} is not")));
                    }
                }
                continue;
            }
            self.turn(commands)?;
        }
        let open = invariants::open(&self.hub.view()?)?;
        Err(broken("everything comes to its end", format!("{} are open: {open:?}", open.len())))
    }

    /// Takes the hub down and holds what it finds when it comes up.
    ///
    /// # Errors
    /// When a rule did not hold.
    pub fn hold_a_restart(&mut self, end: End) -> Verdict {
        self.restart(end)?;
        self.oracle.hold_tables(&self.hub.view()?)
    }

    /// Holds everything that can be held only when all is quiet, before and after a last loss of power.
    ///
    /// # Errors
    /// When a rule did not hold.
    pub fn hold_the_end(&mut self) -> Verdict {
        self.oracle.hold_quiet(&self.ledger)?;
        self.oracle.outbox().hold_receipts(self.sinks.consumers())?;
        self.oracle.hold_tables(&self.hub.view()?)?;
        self.hub.verify_tables()?;
        self.restart(End::PowerLost)?;
        let open = invariants::open(&self.hub.view()?)?;
        hold(open.is_empty(), "what was settled stays settled", || format!("{open:?} is open again"))?;
        self.oracle.hold_tables(&self.hub.view()?)?;
        self.hub.verify_tables()
    }
}
