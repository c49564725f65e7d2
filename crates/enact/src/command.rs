//! The commands: each turns what was typed into a question for a hub and shows the answer.

pub mod artifact;
pub mod bench;
pub mod client;
pub mod component;
pub mod config;
pub mod desk;
pub mod execution;
pub mod history;
pub mod hub;
pub mod input;
pub mod inspect;
pub mod intent;
pub mod meta;
pub mod outbox;
pub mod reference;
pub mod reload;
pub mod run;
pub mod secret;
pub mod serve;
pub mod session;
pub mod signal;
pub mod solution;
pub mod state;
pub mod store;
pub mod token;
pub mod wait;
pub mod wal;

use crate::cli::{Ask, Command};
use crate::failure::Failure;
use desk::Desk;

/// Carries a command out.
///
/// # Errors
/// Why it did not end well.
pub async fn carry_out(command: Command, desk: &mut Desk) -> Result<(), Failure> {
    match command {
        Command::Serve(args) => args.carry_out(desk).await,
        Command::Ask(ask) => ask.carry_out(desk).await,
        Command::Client(args) => args.carry_out(desk).await,
        Command::Token(command) => command.carry_out(desk),
        Command::Secret(command) => command.carry_out(desk),
        Command::Config(command) => command.carry_out(desk),
        Command::Bench(args) => args.carry_out(desk).await,
        Command::Completions(args) => args.carry_out(&mut desk.out),
        Command::Docs => desk.out.bytes(crate::reference::page().as_bytes()),
    }
}

impl Ask {
    /// Carries a question out.
    ///
    /// # Errors
    /// What the hub refuses, and why it was not reached.
    pub async fn carry_out(self, desk: &mut Desk) -> Result<(), Failure> {
        match self {
            Self::Run(args) => args.carry_out(desk).await,
            Self::Intent(command) => command.carry_out(desk).await,
            Self::Execution(command) => command.carry_out(desk).await,
            Self::Component(command) => command.carry_out(desk).await,
            Self::Solution(command) => command.carry_out(desk).await,
            Self::Meta(args) => args.carry_out(desk).await,
            Self::Artifact(command) => command.carry_out(desk).await,
            Self::Reference(command) => command.carry_out(desk).await,
            Self::Lineage(args) => args.carry_out(desk).await,
            Self::Session(command) => command.carry_out(desk).await,
            Self::State(command) => command.carry_out(desk).await,
            Self::Outbox(command) => command.carry_out(desk).await,
            Self::Wal(command) => command.carry_out(desk).await,
            Self::Store(command) => command.carry_out(desk).await,
            Self::History(command) => command.carry_out(desk).await,
            Self::Status(args) => args.carry_out(desk).await,
            Self::Doctor(args) => args.carry_out(desk).await,
            Self::Stop(args) => args.carry_out(desk).await,
        }
    }
}
