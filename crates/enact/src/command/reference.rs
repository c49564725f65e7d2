//! `enact reference` and `enact lineage`: what there is and what it was made from.

use clap::{Args, Subcommand, ValueEnum};
use enact_model::digest::Digest;
use enact_model::id::{ExecutionId, ReferenceId};
use enact_runtime::api::{Direction, ReferenceFilter, Request};

use super::desk::Desk;
use crate::door::Need;
use crate::failure::Failure;

/// See what there is, by reference.
#[derive(Debug, Subcommand)]
pub enum ReferenceCommand {
    /// List references
    #[command(after_help = "Example:\n  enact reference list --media-type application/pdf")]
    List {
        /// Only those of this name
        #[arg(long)]
        name: Option<String>,
        /// Only those of this media type
        #[arg(long)]
        media_type: Option<String>,
        /// Only those with this content
        #[arg(long)]
        digest: Option<Digest>,
        /// Only those that an execution made
        #[arg(long, value_name = "EXECUTION")]
        made_by: Option<ExecutionId>,
        /// Most to show
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// Go on where the last list ended
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Show one reference
    #[command(after_help = "Example:\n  enact reference show ref_01jd0000000000000000000000")]
    Show {
        /// Id of the reference
        #[arg(value_name = "REFERENCE")]
        id: ReferenceId,
    },
}

impl ReferenceCommand {
    /// Carries the command out.
    ///
    /// # Errors
    /// What the hub refuses.
    pub async fn carry_out(self, desk: &mut Desk) -> Result<(), Failure> {
        let request = match self {
            Self::List { name, media_type, digest, made_by, limit, cursor } => {
                Request::References(ReferenceFilter { name, media_type, digest, made_by, limit, cursor })
            }
            Self::Show { id } => Request::Reference { reference: id },
        };
        desk.ask_and_show(Need::Existing, request).await
    }
}

/// Which way along the edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Way {
    /// What it was made from
    Up,
    /// What was made from it
    Down,
    /// Both
    Both,
}

/// See what a reference was made from and what was made from it.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  enact lineage ref_01jd0000000000000000000000 --direction up --depth 3")]
pub struct LineageArgs {
    /// Id of the reference
    #[arg(value_name = "REFERENCE")]
    id: ReferenceId,
    /// Which way
    #[arg(long, default_value = "both")]
    direction: Way,
    /// How many edges away at most
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    depth: u32,
    /// Most references
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=10000))]
    limit: u32,
}

impl LineageArgs {
    /// Carries the command out.
    ///
    /// # Errors
    /// What the hub refuses.
    pub async fn carry_out(self, desk: &mut Desk) -> Result<(), Failure> {
        let direction = match self.direction {
            Way::Up => Direction::Up,
            Way::Down => Direction::Down,
            Way::Both => Direction::Both,
        };
        let request = Request::Lineage { reference: self.id, direction, depth: self.depth, limit: self.limit };
        desk.ask_and_show(Need::Existing, request).await
    }
}
