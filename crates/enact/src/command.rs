//! The commands: each turns what was typed into a question for a hub and shows the answer.

pub mod artifact;
pub mod bench;
pub mod component;
pub mod config;
pub mod desk;
pub mod execution;
pub mod history;
pub mod hub;
pub mod input;
pub mod inspect;
pub mod intent;
pub mod outbox;
pub mod reference;
pub mod run;
pub mod serve;
pub mod session;
pub mod signal;
pub mod solution;
pub mod state;
pub mod token;
pub mod wait;
pub mod wal;

use crate::cli::Command;
use crate::failure::Failure;
use desk::Desk;

/// Carries a command out.
///
/// # Errors
/// Why it did not end well.
pub async fn carry_out(command: Command, desk: &mut Desk) -> Result<(), Failure> {
    match command {
        Command::Serve(args) => args.carry_out(desk).await,
        Command::Run(args) => args.carry_out(desk).await,
        Command::Intent(command) => command.carry_out(desk).await,
        Command::Execution(command) => command.carry_out(desk).await,
        Command::Component(command) => command.carry_out(desk).await,
        Command::Solution(command) => command.carry_out(desk).await,
        Command::Artifact(command) => command.carry_out(desk).await,
        Command::Reference(command) => command.carry_out(desk).await,
        Command::Lineage(args) => args.carry_out(desk).await,
        Command::Session(command) => command.carry_out(desk).await,
        Command::State(command) => command.carry_out(desk).await,
        Command::Outbox(command) => command.carry_out(desk).await,
        Command::Token(command) => command.carry_out(desk),
        Command::Wal(command) => command.carry_out(desk).await,
        Command::History(command) => command.carry_out(desk).await,
        Command::Status(args) => args.carry_out(desk).await,
        Command::Doctor(args) => args.carry_out(desk).await,
        Command::Config(command) => command.carry_out(desk),
        Command::Bench(args) => args.carry_out(desk).await,
        Command::Stop(args) => args.carry_out(desk).await,
        Command::Completions(args) => args.carry_out(&mut desk.out),
        Command::Docs => desk.out.bytes(crate::reference::page().as_bytes()),
    }
}
