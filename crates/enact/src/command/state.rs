//! `enact state`: shows and sets the state of sessions, and shows that of executions.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use enact_model::envelope::StateScope;
use enact_model::id::SessionId;
use enact_runtime::api::{Request, Response};

use super::desk::Desk;
use super::input;
use super::run::duration;
use crate::door::Need;
use crate::failure::Failure;
use crate::show;

/// Whose state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scope {
    /// That of a session
    Session,
    /// That of an execution
    Execution,
}

/// Whose state.
#[derive(Debug, Args)]
pub struct Owner {
    /// Id of the session or of the execution
    owner: String,
    /// Which of the two
    #[arg(long, default_value = "session")]
    scope: Scope,
}

/// See and set the state of sessions.
#[derive(Debug, Subcommand)]
pub enum StateCommand {
    /// Print one value
    #[command(after_help = "Example:\n  enact state get s-4711 last_document")]
    Get {
        #[command(flatten)]
        owner: Owner,
        /// Key
        key: String,
    },
    /// List values
    #[command(after_help = "Examples:\n  enact state list s-4711\n  \
                            enact state list exe_01jd0000000000000000000000 --scope execution")]
    List {
        #[command(flatten)]
        owner: Owner,
        /// Most to show
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// Where the page before ended
        #[arg(long, value_name = "TEXT")]
        cursor: Option<String>,
    },
    /// Set a value of a session
    #[command(after_help = "Example:\n  enact state set s-4711 limit '{\"cents\": 500}' --if-version 3")]
    Set {
        /// Id of the session
        session: SessionId,
        /// Key
        key: String,
        /// Value: JSON, @FILE, or - for standard input
        value: String,
        #[command(flatten)]
        version: IfVersion,
        /// How long it lives
        #[arg(long, value_name = "DURATION", value_parser = duration)]
        ttl: Option<Duration>,
    },
    /// Delete a value of a session
    #[command(after_help = "Example:\n  enact state delete s-4711 limit")]
    Delete {
        /// Id of the session
        session: SessionId,
        /// Key
        key: String,
        #[command(flatten)]
        version: IfVersion,
    },
}

/// Compare and set.
#[derive(Debug, Args)]
pub struct IfVersion {
    /// Only if it has this version; 0 means that it is not there
    #[arg(long, value_name = "VERSION")]
    if_version: Option<u64>,
}

impl Owner {
    fn scope(&self) -> StateScope {
        match self.scope {
            Scope::Session => StateScope::Session,
            Scope::Execution => StateScope::Execution,
        }
    }
}

impl StateCommand {
    /// Carries the command out.
    ///
    /// # Errors
    /// What the hub refuses; a value that is no JSON.
    pub async fn carry_out(self, desk: &mut Desk) -> Result<(), Failure> {
        let request = match self {
            Self::Get { owner, key } => {
                let request = Request::StateGet { scope: owner.scope(), owner: owner.owner, key };
                return match desk.ask(Need::Existing, request).await? {
                    Response::State(one) if desk.out.json => desk.out.document(&one),
                    Response::State(one) => desk.out.document(&one.value.to_value()),
                    other => show::show(other, &mut desk.out),
                };
            }
            Self::List { owner, limit, cursor } => {
                Request::StateList { scope: owner.scope(), owner: owner.owner, limit, cursor }
            }
            Self::Set { session, key, value, version, ttl } => Request::StateSet {
                session,
                key,
                value: Some(input::read(Some(&value))?),
                if_version: version.if_version,
                ttl_ms: ttl.map(|ttl| ttl.as_millis() as u64),
            },
            Self::Delete { session, key, version } => {
                Request::StateSet { session, key, value: None, if_version: version.if_version, ttl_ms: None }
            }
        };
        desk.ask_and_show(Need::Existing, request).await
    }
}
