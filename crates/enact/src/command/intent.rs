//! `enact intent`: submits intents and shows what became of them.

use std::time::Duration;

use clap::Subcommand;
use enact_model::id::{IntentId, SolutionId};
use enact_runtime::api::Request;

use super::desk::Desk;
use super::run::{DraftArgs, duration, submit_and_wait};
use crate::door::Need;
use crate::failure::Failure;

/// Submit intents and see what became of them.
#[derive(Debug, Subcommand)]
pub enum IntentCommand {
    /// Submit an intent; answers with the id of its execution as soon as it is in the log
    #[command(
        after_help = "Examples:\n  enact intent submit ingest_file --solution claims-intake --input @file.json\n  \
                            enact intent submit issue_quote --key order-4711 --wait 30s"
    )]
    Submit {
        /// Intent type
        #[arg(value_name = "TYPE")]
        intent_type: String,
        #[command(flatten)]
        draft: DraftArgs,
        /// Wait so long for the outcome
        #[arg(long, value_name = "DURATION", value_parser = duration)]
        wait: Option<Duration>,
    },
    /// Show what became of an intent: the execution, or why it was rejected
    #[command(after_help = "Example:\n  enact intent show int_01jd0000000000000000000000")]
    Show {
        /// Id of the intent
        #[arg(value_name = "INTENT")]
        id: IntentId,
    },
    /// List the intent types that may be asked for
    #[command(after_help = "Example:\n  enact intent types --solution claims-intake")]
    Types {
        /// Those of a solution too
        #[arg(long)]
        solution: Option<SolutionId>,
    },
}

impl IntentCommand {
    /// Carries the command out.
    ///
    /// # Errors
    /// What the hub refuses or rejects.
    pub async fn carry_out(self, desk: &mut Desk) -> Result<(), Failure> {
        match self {
            Self::Submit { intent_type, draft, wait } => submit_and_wait(draft, intent_type, wait, desk).await,
            Self::Show { id } => desk.ask_and_show(Need::Existing, Request::Intent { intent: id }).await,
            Self::Types { solution } => desk.ask_and_show(Need::Existing, Request::IntentTypes { solution }).await,
        }
    }
}
