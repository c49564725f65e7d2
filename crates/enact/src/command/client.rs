//! `enact client`: the same commands, for a hub on another machine.

use std::collections::BTreeMap;

use clap::Args;

use super::desk::Desk;
use crate::cli::Ask;
use crate::failure::Failure;

/// A command for a hub on another machine, and where that is.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    enact client --url https://hub.example.org --token file:token.txt execution list --state waiting\n  \
    export ENACT_CLIENT_URL=http://127.0.0.1:7400\n  \
    enact client component add ./content\n  \
    enact client run content.files.ingest --input '{\"path\": \"a.pdf\"}'")]
pub struct ClientArgs {
    /// Where the hub is [default: client.url]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Where the token is: env:NAME or file:PATH [default: client.token]
    #[arg(long, value_name = "WHERE")]
    token: Option<String>,
    /// Certificates to trust instead of those of the system, in PEM [default: client.ca]
    #[arg(long, value_name = "FILE")]
    ca: Option<String>,
    #[command(subcommand)]
    command: Ask,
}

impl ClientArgs {
    /// Returns the options that set a key of the configuration.
    pub fn flags(&self) -> BTreeMap<&'static str, String> {
        [("client.url", &self.url), ("client.token", &self.token), ("client.ca", &self.ca)]
            .into_iter()
            .filter_map(|(key, value)| value.clone().map(|value| (key, value)))
            .collect()
    }

    /// Carries the command out.
    ///
    /// # Errors
    /// As that command; a hub that is not reached.
    pub async fn carry_out(self, desk: &mut Desk) -> Result<(), Failure> {
        desk.ask_remote()?;
        self.command.carry_out(desk).await
    }
}
