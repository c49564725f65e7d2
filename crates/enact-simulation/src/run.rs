//! One simulation from a seed: what it came to, or what broke and the command that repeats it.

use std::fmt;

use crate::coverage::Coverage;
use crate::violation::Violation;
use crate::world::World;
use crate::world::weather::Weather;

/// What a simulation is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Decides everything.
    pub seed: u64,
    /// Steps before everything must come to its end.
    pub steps: u64,
    /// Whether every command and record is printed to standard error.
    pub trace: bool,
}

/// What a simulation came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The digest of every byte of the log on the disk.
    pub log: String,
    /// The digest of every record that ever was durable.
    pub records: u64,
    /// How many that were.
    pub position: u64,
    /// How many executions there were.
    pub executions: usize,
    /// How many runs of handlers.
    pub runs: usize,
    /// How often the hub was brought up.
    pub restarts: u64,
    /// What was seen of each kind of command.
    pub coverage: Coverage,
}

/// What broke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What was asked for.
    pub options: Options,
    /// The rule that did not hold.
    pub violation: Violation,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Options { seed, steps, .. } = self.options;
        writeln!(f, "{}", self.violation)?;
        write!(f, "repeat it with: cargo run -p enact-simulation -- --seed {seed} --steps {steps} --trace")
    }
}

impl std::error::Error for Failure {}

/// Runs a simulation to its end.
///
/// # Errors
/// The first rule that did not hold.
pub fn run(options: Options) -> Result<Report, Box<Failure>> {
    let fail = |violation| Box::new(Failure { options, violation });
    let mut world = World::new(options.seed, Weather::of(options.seed), options.trace).map_err(fail)?;
    for _ in 0..options.steps {
        world.step().map_err(fail)?;
    }
    world.come_to_rest().map_err(fail)?;
    world.hold_the_end().map_err(fail)?;
    Ok(report(&mut world))
}

/// Tells what a world has come to.
pub fn report(world: &mut World) -> Report {
    Report {
        log: world.hub().log_digest(),
        records: world.oracle().log().digest(),
        position: world.oracle().position().0,
        executions: world.oracle().executions(),
        runs: world.ledger().total(),
        restarts: world.restarts(),
        coverage: world.coverage().clone(),
    }
}
