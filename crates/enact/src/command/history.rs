//! `enact history`: drops old records.

use std::time::Duration;

use clap::Subcommand;
use enact_runtime::api::Request;

use super::desk::Desk;
use super::run::duration;
use crate::door::Need;
use crate::failure::Failure;

/// Drop old records.
#[derive(Debug, Subcommand)]
pub enum HistoryCommand {
    /// Drop records of settled executions that are older than this, of every tenant of the hub
    ///
    /// What was settled less than `idempotency.keep` ago (24h or more) is kept whatever is asked: an intent that is sent again
    /// must find its execution. Whoever may use the hub's socket may do this.
    #[command(after_help = "Example:\n  enact history drop --older-than 90d --reason 'retention policy'")]
    Drop {
        /// How old they are at least
        #[arg(long, value_name = "DURATION", value_parser = duration)]
        older_than: Duration,
        /// Why; it stands in the log and may not be empty
        #[arg(long)]
        reason: String,
    },
}

impl HistoryCommand {
    /// Carries the command out.
    ///
    /// # Errors
    /// What the hub refuses.
    pub async fn carry_out(self, desk: &mut Desk) -> Result<(), Failure> {
        let Self::Drop { older_than, reason } = self;
        let request = Request::HistoryDrop { older_than_ms: older_than.as_millis() as u64, reason };
        desk.ask_and_show(Need::Existing, request).await
    }
}
