//! `enact component`: brings components in and takes them out.

use std::path::PathBuf;

use clap::Subcommand;
use enact_model::id::Name;
use enact_runtime::api::Request;

use super::desk::{Desk, absolute};
use super::inspect::InspectArgs;
use crate::door::Need;
use crate::failure::Failure;

/// Bring components in and take them out.
#[derive(Debug, Subcommand)]
pub enum ComponentCommand {
    /// Add a component from its folder or descriptor; the package is copied by digest
    #[command(
        after_help = "Examples:\n  enact component add ./content\n  enact component add ./content/component.yaml"
    )]
    Add {
        /// Folder with a component.yaml, or the descriptor itself
        path: PathBuf,
    },
    /// Check a component without adding it; every fault is reported at once
    #[command(after_help = "Example:\n  enact component check ./content")]
    Check {
        /// Folder with a component.yaml, or the descriptor itself
        path: PathBuf,
    },
    /// Look into jars and print a descriptor that calls them; needs no Java and no hub
    Inspect(InspectArgs),
    /// List components with their versions
    #[command(after_help = "Example:\n  enact component list --json")]
    List,
    /// Show everything that is known of a component
    #[command(
        after_help = "Examples:\n  enact component describe content\n  enact component describe content --version 1.0.0"
    )]
    Describe {
        /// Name of the component
        #[arg(value_name = "COMPONENT")]
        name: Name,
        /// One version instead of the active one
        #[arg(long)]
        version: Option<String>,
    },
    /// Take no new executions on a version; those it has are finished
    #[command(after_help = "Example:\n  enact component drain content 1.0.0 --reason 'replaced by 1.1.0'")]
    Drain(Version),
    /// Take a drained version out
    #[command(after_help = "Example:\n  enact component remove content 1.0.0")]
    Remove(Version),
}

/// One version of a component.
#[derive(Debug, clap::Args)]
pub struct Version {
    /// Name of the component
    #[arg(value_name = "COMPONENT")]
    name: Name,
    /// Its version
    version: String,
    /// Why; it stands in the log
    #[arg(long, default_value = "asked on the command line")]
    reason: String,
}

impl ComponentCommand {
    /// Carries the command out.
    ///
    /// # Errors
    /// What the hub refuses, with every fault of a descriptor.
    pub async fn carry_out(self, desk: &mut Desk) -> Result<(), Failure> {
        let (need, request) = match self {
            Self::Add { path } => (Need::Any, Request::ComponentAdd { path: absolute(&path)? }),
            Self::Check { path } => (Need::Any, Request::ComponentCheck { path: absolute(&path)? }),
            Self::Inspect(args) => return args.carry_out(&mut desk.out),
            Self::List => (Need::Existing, Request::Components),
            Self::Describe { name, version } => (Need::Existing, Request::ComponentDescribe { name, version }),
            Self::Drain(Version { name, version, reason }) => {
                (Need::Existing, Request::ComponentDrain { name, version, reason })
            }
            Self::Remove(Version { name, version, reason }) => {
                (Need::Existing, Request::ComponentRemove { name, version, reason })
            }
        };
        desk.ask_and_show(need, request).await
    }
}
