//! `enact bench`: a short figure through the hub of this machine.

use std::time::Duration;

use clap::Args;

use super::desk::Desk;
use super::run::duration;
use crate::failure::Failure;

/// Measure this machine for a few seconds with a program that does nothing, on a store of its own.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  enact bench --time 5s --in-flight 64")]
pub struct BenchArgs {
    /// How long
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    time: Duration,
    /// Intents at once
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1024))]
    in_flight: u32,
}

impl BenchArgs {
    /// Carries the command out.
    ///
    /// # Errors
    /// A hub that cannot be opened.
    pub async fn carry_out(self, _desk: &mut Desk) -> Result<(), Failure> {
        let _ = (self.time, self.in_flight);
        Err(Failure::Unexpected)
    }
}
