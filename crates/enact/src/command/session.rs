//! `enact session`: opens, shows and closes sessions.

use std::time::Duration;

use clap::Subcommand;
use enact_model::id::SessionId;
use enact_runtime::api::Request;

use super::desk::Desk;
use super::run::duration;
use crate::door::Need;
use crate::failure::Failure;

/// Open, see and close sessions.
#[derive(Debug, Subcommand)]
pub enum SessionCommand {
    /// Open a session
    #[command(after_help = "Examples:\n  enact session open\n  enact session open s-4711 --owner ada --ttl 8h")]
    Open {
        /// Its id [default: a new one]
        #[arg(value_name = "SESSION")]
        id: Option<SessionId>,
        /// Whose it is [default: nobody's]
        #[arg(long)]
        owner: Option<String>,
        /// How long it lives [default: until it is closed]
        #[arg(long, value_name = "DURATION", value_parser = duration)]
        ttl: Option<Duration>,
    },
    /// Show a session
    #[command(after_help = "Example:\n  enact session show s-4711")]
    Show {
        /// Its id
        #[arg(value_name = "SESSION")]
        id: SessionId,
    },
    /// Give an anonymous session an owner; it keeps its id and its state
    #[command(after_help = "Example:\n  enact session upgrade s-4711 --owner ada")]
    Upgrade {
        /// Its id
        #[arg(value_name = "SESSION")]
        id: SessionId,
        /// Whose it is from now on
        #[arg(long)]
        owner: String,
    },
    /// Close a session
    #[command(after_help = "Example:\n  enact session close s-4711 --reason 'logged out'")]
    Close {
        /// Its id
        #[arg(value_name = "SESSION")]
        id: SessionId,
        /// Why; it stands in the log
        #[arg(long, default_value = "asked on the command line")]
        reason: String,
    },
    /// List sessions
    #[command(after_help = "Example:\n  enact session list --limit 10")]
    List {
        /// Most to show
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// Where the page before ended
        #[arg(long, value_name = "TEXT")]
        cursor: Option<String>,
    },
}

impl SessionCommand {
    /// Carries the command out.
    ///
    /// # Errors
    /// What the hub refuses.
    pub async fn carry_out(self, desk: &mut Desk) -> Result<(), Failure> {
        let (need, request) = match self {
            Self::Open { id, owner, ttl } => {
                let ttl_ms = ttl.map(|ttl| ttl.as_millis() as u64);
                (Need::Any, Request::SessionOpen { session: id, owner, ttl_ms })
            }
            Self::Show { id } => (Need::Existing, Request::Session { session: id }),
            Self::Upgrade { id, owner } => (Need::Existing, Request::SessionUpgrade { session: id, owner }),
            Self::Close { id, reason } => (Need::Existing, Request::SessionClose { session: id, reason }),
            Self::List { limit, cursor } => (Need::Existing, Request::Sessions { limit, cursor }),
        };
        desk.ask_and_show(need, request).await
    }
}
