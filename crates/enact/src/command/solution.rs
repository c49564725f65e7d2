//! `enact solution`: puts components to work together.

use std::path::PathBuf;

use clap::Subcommand;
use enact_runtime::api::Request;

use super::desk::{Desk, absolute};
use crate::door::Need;
use crate::failure::Failure;

/// Put components to work together.
#[derive(Debug, Subcommand)]
pub enum SolutionCommand {
    /// Bind a solution from its file; a later one of the same name takes its place
    #[command(after_help = "Example:\n  enact solution bind ./claims-intake.yaml")]
    Bind {
        /// The file
        path: PathBuf,
    },
    /// List solutions
    #[command(after_help = "Example:\n  enact solution list --json")]
    List,
}

impl SolutionCommand {
    /// Carries the command out.
    ///
    /// # Errors
    /// What the hub refuses, with every fault of the file.
    pub async fn carry_out(self, desk: &mut Desk) -> Result<(), Failure> {
        match self {
            Self::Bind { path } => {
                let path = absolute(&path)?;
                desk.ask_and_show(Need::Any, Request::SolutionBind { path }).await
            }
            Self::List => desk.ask_and_show(Need::Existing, Request::Solutions).await,
        }
    }
}
