//! The command line: what may be typed, and what each command is handed to.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::command::{
    artifact, bench, client, component, config, execution, history, hub, intent, meta, outbox, reference, run, secret,
    serve, session, solution, state, store, token, wal,
};

/// Durable execution for code you cannot rewrite.
#[derive(Debug, Parser)]
#[command(
    name = "enact",
    version,
    propagate_version = false,
    max_term_width = 110,
    after_help = "Exit status: 0 done, 2 the command line is wrong, 10 fix the input, 11 try again now, 12 try again later, \
                  13 somebody has to look at it.\n\n\
                  Examples:\n  enact component add ./content\n  enact run content.files.ingest --input '{\"path\": \"a.pdf\"}'\n  \
                  enact execution list\n  enact serve"
)]
pub struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What holds for every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Global {
    /// Configuration file [default: $ENACT_CONFIG, ./enact.yaml, ~/.config/enact/enact.yaml]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder of the store [default: ~/.local/state/enact]
    #[arg(long, global = true, value_name = "FOLDER")]
    pub store: Option<String>,
    /// On whose behalf [default: default]
    #[arg(long, global = true, value_name = "NAME")]
    pub tenant: Option<String>,
    /// Who the log says did it [default: cli:<user>]
    #[arg(long, global = true, value_name = "NAME")]
    pub actor: Option<String>,
    /// Answer with one JSON document
    #[arg(long, global = true)]
    pub json: bool,
    /// Write nothing but the answer
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

impl Global {
    /// Returns the options that set a key of the configuration.
    pub fn flags(&self) -> BTreeMap<&'static str, String> {
        [("store", &self.store), ("tenant", &self.tenant), ("actor", &self.actor)]
            .into_iter()
            .filter_map(|(key, value)| value.clone().map(|value| (key, value)))
            .collect()
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
#[allow(missing_docs)]
pub enum Command {
    /// Run a hub that listens on the socket of its store, until it is told to end
    Serve(serve::ServeArgs),
    #[command(flatten)]
    Ask(Ask),
    /// Ask a hub on another machine, over HTTP
    ///
    /// Every command that asks a hub, with the same answers and the same exit statuses. Files that a command names are those of this
    /// machine: a component is packed and sent, an artifact comes and goes as bytes. Only the folder of `store backup` is one of the
    /// hub's machine. Tenant and role are those of the token; what is about the whole hub takes an admin's of tenant `default`.
    Client(client::ClientArgs),
    /// Make, list and take back tokens of callers over the network
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Keep secrets in an encrypted file
    #[command(subcommand)]
    Secret(secret::SecretCommand),
    /// See the configuration and where every value comes from
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Measure this machine for a few seconds with a program that does nothing
    Bench(bench::BenchArgs),
    /// Print the completions of a shell
    Completions(config::CompletionsArgs),
    /// Print the reference of the command line
    #[command(hide = true)]
    Docs,
}

/// What a hub is asked: the one that holds the store, or with `enact client` one on another machine.
#[derive(Debug, Subcommand)]
#[allow(missing_docs)]
pub enum Ask {
    /// Call an operation and wait for its output
    Run(run::RunArgs),
    /// Submit intents and see what became of them
    #[command(subcommand)]
    Intent(intent::IntentCommand),
    /// See and steer executions
    #[command(subcommand)]
    Execution(execution::ExecutionCommand),
    /// Bring components in and take them out
    #[command(subcommand)]
    Component(component::ComponentCommand),
    /// Put components to work together
    #[command(subcommand)]
    Solution(solution::SolutionCommand),
    /// Ask the hub or a component what it is and what it can do
    Meta(meta::MetaArgs),
    /// Put files into the artifact store and get them out
    #[command(subcommand)]
    Artifact(artifact::ArtifactCommand),
    /// See what there is, by reference
    #[command(subcommand)]
    Reference(reference::ReferenceCommand),
    /// See what a reference was made from and what was made from it
    Lineage(reference::LineageArgs),
    /// Open, see and close sessions
    #[command(subcommand)]
    Session(session::SessionCommand),
    /// See and set the state of sessions
    #[command(subcommand)]
    State(state::StateCommand),
    /// See messages and their deliveries
    #[command(subcommand)]
    Outbox(outbox::OutboxCommand),
    /// See and verify the write-ahead log
    #[command(subcommand)]
    Wal(wal::WalCommand),
    /// Copy a store, put a copy back, and verify either
    #[command(subcommand)]
    Store(store::StoreCommand),
    /// Drop old records
    #[command(subcommand)]
    History(history::HistoryCommand),
    /// Show how the hub is
    Status(hub::StatusArgs),
    /// Check that everything is as it should be
    Doctor(hub::DoctorArgs),
    /// End the hub that holds the store
    Stop(hub::StopArgs),
}

/// Returns the command line for tools that read it.
pub fn definition() -> clap::Command {
    Cli::command()
}
