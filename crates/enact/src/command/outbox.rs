//! `enact outbox`: shows messages and their deliveries, and sends them again.

use clap::{Subcommand, ValueEnum};
use enact_model::id::{MessageId, SinkId};
use enact_runtime::api::{DeliveryState, Request, Response};

use super::desk::Desk;
use crate::door::Need;
use crate::failure::Failure;
use crate::show;

/// How far a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum State {
    /// Not yet there
    Pending,
    /// There
    Delivered,
    /// Given up
    Dead,
}

/// See messages and their deliveries.
#[derive(Debug, Subcommand)]
pub enum OutboxCommand {
    /// List messages, newest first
    #[command(after_help = "Examples:\n  enact outbox list --state dead\n  enact outbox list --limit 5 --json")]
    List {
        /// Only those with a delivery in this state
        #[arg(long)]
        state: Option<State>,
        /// Most to show
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// Only those before this one
        #[arg(long, value_name = "MESSAGE")]
        before: Option<MessageId>,
    },
    /// Show what each sink still has to get, how old it is, and why a sink is left in peace
    #[command(after_help = "Examples:\n  enact outbox lag\n  enact outbox lag --json")]
    Lag,
    /// Show one message as the CloudEvent that it is, with its deliveries
    #[command(after_help = "Example:\n  enact outbox show msg_01jd0000000000000000000000")]
    Show {
        /// Id of the message
        #[arg(value_name = "MESSAGE")]
        id: MessageId,
    },
    /// Send a message again under the same id
    #[command(
        after_help = "Example:\n  enact outbox redeliver msg_01jd0000000000000000000000 --sink audit --reason 'disk is back'"
    )]
    Redeliver {
        /// Id of the message
        #[arg(value_name = "MESSAGE")]
        id: MessageId,
        /// Only to this sink [default: all that gave it up]
        #[arg(long)]
        sink: Option<SinkId>,
        /// Why; it stands in the log
        #[arg(long, default_value = "asked on the command line")]
        reason: String,
    },
}

impl OutboxCommand {
    /// Carries the command out.
    ///
    /// # Errors
    /// What the hub refuses.
    pub async fn carry_out(self, desk: &mut Desk) -> Result<(), Failure> {
        match self {
            Self::List { state, limit, before } => {
                let state = state.map(|state| match state {
                    State::Pending => DeliveryState::Pending,
                    State::Delivered => DeliveryState::Delivered,
                    State::Dead => DeliveryState::Dead,
                });
                desk.ask_and_show(Need::Existing, Request::Outbox { state, limit, before }).await
            }
            Self::Lag => match desk.ask(Need::Existing, Request::Status).await? {
                Response::Status(status) => show::hub::lag(&status.sinks, &mut desk.out),
                other => show::show(other, &mut desk.out),
            },
            Self::Show { id } => match desk.ask(Need::Existing, Request::OutboxShow { message: id }).await? {
                Response::Outbox(page) if !desk.out.json => {
                    for row in &page.items {
                        desk.out.document(&row.message.cloud_event().to_value())?;
                    }
                    show::show(Response::Outbox(page), &mut desk.out)
                }
                other => show::show(other, &mut desk.out),
            },
            Self::Redeliver { id, sink, reason } => {
                desk.ask_and_show(Need::Existing, Request::Redeliver { message: id, sink, reason }).await
            }
        }
    }
}
