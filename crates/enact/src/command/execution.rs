//! `enact execution`: shows and steers executions.

use std::time::Duration;

use clap::{Args, Subcommand};
use enact_model::execution::Phase;
use enact_model::id::{ExecutionId, Lsn, SessionId};
use enact_model::record::{Body, Record, RecordFilter};
use enact_model::time::Timestamp;
use enact_runtime::api::{Bulk, BulkAction, ExecutionFilter, ExecutionView, Page, Request, Response};

use super::desk::Desk;
use super::run::duration;
use super::signal::Ends;
use super::wait;
use crate::door::Need;
use crate::failure::{self, Failure};
use crate::show;

/// Most records of one execution that are shown with it.
const RECORDS_MAX: u32 = 1_000;

/// See and steer executions.
#[derive(Debug, Subcommand)]
pub enum ExecutionCommand {
    /// List executions, newest first
    List(ListArgs),
    /// Show one: what it waits for, its attempts, its last conclusion, its records
    #[command(after_help = "Example:\n  enact execution show exe_01jd0000000000000000000000")]
    Show(One),
    /// Follow one, record by record, until it is settled; the exit status is that of its outcome
    #[command(after_help = "Examples:\n  enact execution watch exe_01jd0000000000000000000000\n  \
                            enact execution watch exe_01jd0000000000000000000000 --json | jq .body")]
    Watch(One),
    /// Show the records of one
    #[command(after_help = "Example:\n  enact execution records exe_01jd0000000000000000000000 --json")]
    Records(One),
    /// Show who did what to one and why, denials and redeliveries included, in the order of the log
    #[command(after_help = "Examples:\n  enact execution audit exe_01jd0000000000000000000000\n  \
                            enact execution audit exe_01jd0000000000000000000000 --json | jq '.items[] | {time, actor, deed, reason}'")]
    Audit(One),
    /// Print the output of one; the exit status is that of its outcome
    #[command(after_help = "Example:\n  enact execution outcome exe_01jd0000000000000000000000 --wait 30s")]
    Outcome {
        #[command(flatten)]
        one: One,
        /// Wait so long for it
        #[arg(long, value_name = "DURATION", value_parser = duration)]
        wait: Option<Duration>,
    },
    /// Ask one to stop
    #[command(after_help = "Example:\n  enact execution cancel exe_01jd0000000000000000000000 --reason 'wrong file'")]
    Cancel(Steer),
    /// Try a waiting one now, or a settled one again as a new execution
    #[command(after_help = "Examples:\n  enact execution retry exe_01jd0000000000000000000000\n  \
                            enact execution retry exe_01jd0000000000000000000000 --confirm-may-have-run --reason 'checked by hand'")]
    Retry {
        #[command(flatten)]
        steer: Steer,
        /// The last attempt may have run: run it again all the same
        #[arg(long)]
        confirm_may_have_run: bool,
    },
    /// Ask every open one that is described to stop
    #[command(after_help = "Example:\n  enact execution cancel-all --selector content --reason 'wrong folder'")]
    CancelAll(ManyArgs),
    /// Retry every one that is described and failed, was cancelled or waits
    #[command(
        after_help = "Example:\n  enact execution retry-all --outcome failed --text 'connection refused' --reason 'it is back'"
    )]
    RetryAll(ManyArgs),
    /// Hold one at its next boundary; its deadline goes on
    #[command(after_help = "Example:\n  enact execution pause exe_01jd0000000000000000000000 --reason 'maintenance'")]
    Pause(Steer),
    /// Let a paused one go on
    #[command(after_help = "Example:\n  enact execution resume exe_01jd0000000000000000000000")]
    Resume(Steer),
}

/// One execution.
#[derive(Debug, Args)]
pub struct One {
    /// Id of the execution
    #[arg(value_name = "EXECUTION")]
    id: ExecutionId,
}

/// One execution and why it is steered.
#[derive(Debug, Args)]
pub struct Steer {
    /// Id of the execution
    #[arg(value_name = "EXECUTION")]
    id: ExecutionId,
    /// Why; it stands in the log
    #[arg(long, default_value = "asked on the command line")]
    reason: String,
}

/// List executions, newest first.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  enact execution list --state waiting\n  \
    enact execution list --outcome failed --selector content --since 2026-01-31T00:00:00Z\n  \
    enact execution list --text 'connection refused' --limit 5 --json")]
pub struct ListArgs {
    #[command(flatten)]
    which: Which,
    /// Most to show
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Go on where the last list ended
    #[arg(long)]
    cursor: Option<String>,
}

/// A command to many executions.
#[derive(Debug, Args)]
pub struct ManyArgs {
    #[command(flatten)]
    which: Which,
    /// Why; it stands in the log of each
    #[arg(long)]
    reason: String,
    /// Most to reach, the newest first
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Also what may have run and may not run again
    #[arg(long)]
    confirm_may_have_run: bool,
}

/// Which executions.
#[derive(Debug, Args)]
pub struct Which {
    /// Only those in this state: queued, running, waiting, stopping or settled
    #[arg(long, value_parser = phase)]
    state: Option<Phase>,
    /// Only those that ended so: completed, failed, cancelled, compensated or compensation_failed
    #[arg(long, value_parser = ["completed", "failed", "cancelled", "compensated", "compensation_failed"])]
    outcome: Option<String>,
    /// Only those that are not settled
    #[arg(long)]
    open: bool,
    /// Only those of a component, a service or an operation
    #[arg(long)]
    selector: Option<String>,
    /// Only those of a session
    #[arg(long)]
    session: Option<SessionId>,
    /// Only those that were submitted as this intent type
    #[arg(long, value_name = "TYPE")]
    intent_type: Option<String>,
    /// Accepted at this time (RFC 3339) or later
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Accepted before this time
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
    /// Part of the failure's message
    #[arg(long)]
    text: Option<String>,
}

#[derive(Debug, thiserror::Error)]
#[error("it must be queued, running, waiting, stopping or settled")]
struct NoPhase;

fn phase(text: &str) -> Result<Phase, NoPhase> {
    Phase::ALL.iter().copied().find(|phase| phase.word() == text).ok_or(NoPhase)
}

impl ExecutionCommand {
    /// Carries the command out.
    ///
    /// # Errors
    /// What the hub refuses; with `watch` and `outcome` an outcome other than completed.
    pub async fn carry_out(self, desk: &mut Desk) -> Result<(), Failure> {
        match self {
            Self::List(args) => desk.ask_and_show(Need::Existing, args.request()).await,
            Self::CancelAll(args) => desk.ask_and_show(Need::Existing, args.request(BulkAction::Cancel)).await,
            Self::RetryAll(args) => desk.ask_and_show(Need::Existing, args.request(BulkAction::Retry)).await,
            Self::Show(One { id }) => {
                let view = view(desk, id).await?;
                let records = records(desk, id).await?;
                show::execution::card(&view, &records, &mut desk.out)
            }
            Self::Watch(One { id }) => watch(desk, id).await,
            Self::Records(One { id }) => desk.ask_and_show(Need::Existing, records_of(id)).await,
            Self::Audit(One { id }) => audit(desk, id).await,
            Self::Outcome { one, wait } => outcome(desk, one.id, wait).await,
            Self::Cancel(Steer { id, reason }) => {
                desk.ask_and_show(Need::Existing, Request::Cancel { execution: id, reason }).await
            }
            Self::Retry { steer: Steer { id, reason }, confirm_may_have_run } => {
                desk.ask_and_show(Need::Existing, Request::Retry { execution: id, reason, confirm_may_have_run }).await
            }
            Self::Pause(Steer { id, reason }) => {
                desk.ask_and_show(Need::Existing, Request::Pause { execution: id, reason }).await
            }
            Self::Resume(Steer { id, reason }) => {
                desk.ask_and_show(Need::Existing, Request::Resume { execution: id, reason }).await
            }
        }
    }
}

impl Which {
    fn filter(self, limit: u32, cursor: Option<String>) -> ExecutionFilter {
        ExecutionFilter {
            phase: self.state,
            open: self.open,
            outcome: self.outcome,
            selector: self.selector,
            session: self.session,
            intent_type: self.intent_type,
            since: self.since,
            until: self.until,
            text: self.text,
            limit,
            cursor,
        }
    }
}

impl ListArgs {
    fn request(self) -> Request {
        Request::Executions(self.which.filter(self.limit, self.cursor))
    }
}

impl ManyArgs {
    fn request(self, action: BulkAction) -> Request {
        let Self { which, reason, limit, confirm_may_have_run } = self;
        Request::Bulk(Box::new(Bulk { action, filter: which.filter(limit, None), reason, confirm_may_have_run }))
    }
}

async fn view(desk: &mut Desk, execution: ExecutionId) -> Result<ExecutionView, Failure> {
    match desk.ask(Need::Existing, Request::Execution { execution }).await? {
        Response::Execution(view) => Ok(*view),
        Response::Refused(refusal) => Err(Failure::Refused(refusal)),
        _ => Err(Failure::Unexpected),
    }
}

fn records_of(execution: ExecutionId) -> Request {
    let filter = RecordFilter { execution: Some(execution), ..RecordFilter::default() };
    Request::Records { filter, limit: RECORDS_MAX }
}

async fn records(desk: &mut Desk, execution: ExecutionId) -> Result<Vec<Record>, Failure> {
    match desk.ask(Need::Existing, records_of(execution)).await? {
        Response::Records(page) => Ok(page.items),
        Response::Refused(refusal) => Err(Failure::Refused(refusal)),
        _ => Err(Failure::Unexpected),
    }
}

/// Reads the log to its end, however many answers that takes.
async fn audit(desk: &mut Desk, execution: ExecutionId) -> Result<(), Failure> {
    let (mut entries, mut after) = (Vec::new(), None);
    loop {
        let request = Request::Audit { execution, after, limit: RECORDS_MAX };
        let page = match desk.ask(Need::Existing, request).await? {
            Response::Audit(page) => page,
            Response::Refused(refusal) => return Err(Failure::Refused(refusal)),
            _ => return Err(Failure::Unexpected),
        };
        entries.extend(page.items);
        match page.next.map(|next| next.parse().map(Lsn)) {
            Some(Ok(next)) => after = Some(next),
            Some(Err(_)) => return Err(Failure::Unexpected),
            None => return show::record::audit(&Page { items: entries, next: None }, &mut desk.out),
        }
    }
}

async fn outcome(desk: &mut Desk, execution: ExecutionId, wait: Option<Duration>) -> Result<(), Failure> {
    let mut view = view(desk, execution).await?;
    if let Some(most) = wait.filter(|_| view.execution.is_open()) {
        view = wait::settled(desk, view, most).await?;
    }
    show::execution::outcome(&view, &mut desk.out)?;
    if view.execution.is_open() {
        let waits = show::execution::waits_for(&view).map(|what| format!(": it waits for {what}")).unwrap_or_default();
        return Err(Failure::NotYet { execution, message: format!("{execution} is not settled{waits}") });
    }
    Ok(())
}

async fn watch(desk: &mut Desk, execution: ExecutionId) -> Result<(), Failure> {
    let mut ends = Ends::listen()?;
    let caller = desk.caller();
    let door = desk.door(Need::Existing).await?;
    door.call_for(execution).await?;
    let mut watch = door.watch(&caller, execution).await?;
    let mut ended = None;
    loop {
        let record = tokio::select! {
            record = watch.next() => record?,
            signal = ends.next() => {
                return Err(wait::let_go(desk, execution, format!("let go of {execution} on {signal}")));
            }
        };
        let Some(record) = record else { break };
        if desk.out.json {
            desk.out.json_line(&record)?;
        } else {
            desk.out.line(&show::record::line(&record))?;
        }
        if let Body::Settled { execution: settled, outcome } = &record.body
            && *settled == execution
        {
            ended = failure::of_outcome(outcome);
        }
    }
    match ended {
        Some(conclusion) => Err(Failure::Settled { execution, conclusion: Box::new(conclusion) }),
        None => Ok(()),
    }
}
