//! `enact wal`: shows and verifies the write-ahead log.

use clap::{Args, Subcommand};
use enact_model::id::{ExecutionId, Lsn, SessionId};
use enact_model::record::RecordFilter;
use enact_model::time::Timestamp;
use enact_runtime::api::{Request, Response, VerifyReport};
use enact_store::embedded::{self, FjallStorage};
use enact_store::log::ChainHead;

use super::desk::Desk;
use crate::door::{Need, OpenFailure, local};
use crate::failure::Failure;
use crate::show;
use crate::socket::client::ClientError;

/// See and verify the write-ahead log.
#[derive(Debug, Subcommand)]
pub enum WalCommand {
    /// Show the newest records, oldest of them first
    Show(ShowArgs),
    /// Verify every frame of the log and the chain through them, and print the head of the chain
    #[command(
        after_help = "Keep the head where nobody can change it who can change the store: it stands for every record up to it.\n\n\
        Examples:\n  enact wal verify\n  enact wal verify --json | jq -r .head > elsewhere/head\n  \
        enact wal verify --expect-head \"$(cat elsewhere/head)\""
    )]
    Verify {
        /// A head that was printed earlier: the log must still have it
        #[arg(long, value_name = "LSN:HASH")]
        expect_head: Option<ChainHead>,
    },
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
    /// Most to show
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
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
                    tenant: None,
                    kinds: args.kind,
                    execution: args.execution,
                    session: args.session,
                    since: args.since,
                    until: args.until,
                    before: args.before.map(Lsn),
                },
                limit: args.limit,
            },
            Self::Verify { expect_head } => return verify(desk, expect_head).await,
            Self::Replay { .. } => Request::WalReplay,
        };
        desk.ask_and_show(Need::Existing, request).await
    }
}

/// A damaged log keeps a hub from opening, so without one the frames are read from here.
async fn verify(desk: &mut Desk, expect: Option<ChainHead>) -> Result<(), Failure> {
    match desk.ask(Need::Running, Request::WalVerify { expect }).await {
        Err(Failure::Client(ClientError::NoHub)) => {}
        answer => return show::show(answer?, &mut desk.out),
    }
    let store = desk.settings().store.clone();
    if !store.join("log").exists() && !store.join("FORMAT").exists() {
        return Err(OpenFailure::Missing(store).into());
    }
    let found = embedded::verify_log(&enact_store::io::DiskIo, &FjallStorage::new(&store), &store, expect);
    let found = found.map_err(|error| local::refused(store, error.into()))?;
    let report = VerifyReport {
        records: found.records,
        first: found.first,
        last: found.last,
        rows: 0,
        artifacts: 0,
        head: found.head,
        chained: found.chained,
        faults: found.faults.iter().map(ToString::to_string).collect(),
    };
    show::show(Response::Verified(Box::new(report)), &mut desk.out)
}
