//! `enact wal`: shows and verifies the write-ahead log.

use clap::{Args, Subcommand};
use enact_model::id::{ExecutionId, Lsn, SessionId};
use enact_model::record::RecordFilter;
use enact_model::time::Timestamp;
use enact_runtime::api::Request;

use super::desk::Desk;
use crate::door::Need;
use crate::failure::Failure;

/// See and verify the write-ahead log.
#[derive(Debug, Subcommand)]
pub enum WalCommand {
    /// Show the newest records, oldest of them first
    Show(ShowArgs),
    /// Verify every frame of the log
    #[command(after_help = "Example:\n  enact wal verify")]
    Verify,
    /// Rebuild the tables from the log beside those in use and compare them; nothing is changed
    #[command(after_help = "Example:\n  enact wal replay --verify")]
    Replay {
        /// Compare and change nothing; there is no other way yet
        #[arg(long)]
        verify: bool,
    },
}

/// Show the newest records, oldest of them first.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  enact wal show --limit 20\n  \
    enact wal show --kind Settled --kind IntentRejected --since 2026-01-31T00:00:00Z --json")]
pub struct ShowArgs {
    /// Only records of this type; may be repeated
    #[arg(long, value_name = "RECORD")]
    kind: Vec<String>,
    /// Only those of an execution
    #[arg(long)]
    execution: Option<ExecutionId>,
    /// Only those of a session
    #[arg(long)]
    session: Option<SessionId>,
    /// At this time (RFC 3339) or later
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Before this time
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
    /// Only those before this position
    #[arg(long, value_name = "LSN")]
    before: Option<u64>,
    /// Those of every tenant and of nobody, instead of the tenant's only
    #[arg(long)]
    all_tenants: bool,
    /// Most to show
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10000))]
    limit: u32,
}

impl WalCommand {
    /// Carries the command out.
    ///
    /// # Errors
    /// What the hub refuses; faults that a verification found.
    pub async fn carry_out(self, desk: &mut Desk) -> Result<(), Failure> {
        let request = match self {
            Self::Show(args) => Request::Records {
                filter: RecordFilter {
                    tenant: (!args.all_tenants).then(|| desk.settings().tenant.clone()),
                    kinds: args.kind,
                    execution: args.execution,
                    session: args.session,
                    since: args.since,
                    until: args.until,
                    before: args.before.map(Lsn),
                },
                limit: args.limit,
            },
            Self::Verify => Request::WalVerify,
            Self::Replay { .. } => Request::WalReplay,
        };
        desk.ask_and_show(Need::Existing, request).await
    }
}
