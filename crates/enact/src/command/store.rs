//! `enact store`: copies a store while a hub goes on, puts a copy back, and verifies either.

use std::path::PathBuf;

use clap::Subcommand;
use enact_runtime::api::{Request, Response};
use enact_runtime::backup;

use super::desk::{Desk, absolute, as_text};
use crate::door::{Need, OpenFailure};
use crate::failure::Failure;
use crate::show;
use crate::socket::client::ClientError;

/// Copy a store, put a copy back, and verify either.
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Copy the store to a folder; a hub that runs goes on meanwhile
    ///
    /// The copy has every record that is durable now, what was made before the oldest of them, every artifact (verified on the way) and
    /// the tokens; it has its name only when it is whole. With `enact client` the folder is one of the hub's machine, not of this one, and
    /// is named from its root.
    #[command(after_help = "Examples:\n  enact store backup /backup/enact-2026-01-31\n  \
                            enact client store backup /backup/on/the/machine/of/the/hub")]
    Backup {
        /// Folder on the hub's machine that is not there yet
        target: PathBuf,
    },
    /// Put a backup back where no store is; it is verified first
    ///
    /// Stop the hub from which it was taken: both would go on with the same work. An attempt that ran when the backup was taken is in doubt.
    #[command(after_help = "Example:\n  enact store restore /backup/enact-2026-01-31 --store /var/lib/enact")]
    Restore {
        /// Folder of the backup
        backup: PathBuf,
    },
    /// Verify everything: every frame of the log, the tables against it, every artifact
    ///
    /// A store that no hub holds, and a backup, are read where they lie and not changed; their tables are not compared.
    #[command(after_help = "Examples:\n  enact store verify\n  enact store verify /backup/enact-2026-01-31")]
    Verify {
        /// Folder of a backup or a store [default: the store]
        folder: Option<PathBuf>,
    },
}

impl StoreCommand {
    /// Carries the command out.
    ///
    /// # Errors
    /// What the hub refuses; folders that cannot be used; faults that a verification found.
    pub async fn carry_out(self, desk: &mut Desk) -> Result<(), Failure> {
        match self {
            Self::Backup { target } => {
                // A folder of another machine is named as it is called there; nothing here can complete its name.
                let target = if desk.is_remote() { as_text(target)? } else { absolute(&target)? };
                desk.ask_and_show(Need::Existing, Request::StoreBackup { target }).await
            }
            Self::Restore { backup } if desk.is_remote() => {
                Err(Failure::NotRemote { what: format!("putting {} back", backup.display()) })
            }
            Self::Restore { backup } => {
                let store = desk.settings().store.clone();
                let restored = tokio::task::spawn_blocking(move || backup::restore(&backup, &store)).await;
                let restored = restored.map_err(|_| Failure::Unexpected)??;
                show::show(Response::Backup(Box::new(restored)), &mut desk.out)
            }
            Self::Verify { folder: None } => match desk.ask(Need::Running, Request::StoreVerify).await {
                Err(Failure::Client(ClientError::NoHub)) => {
                    let store = desk.settings().store.clone();
                    verify(desk, store).await
                }
                answer => show::show(answer?, &mut desk.out),
            },
            Self::Verify { folder: Some(folder) } if desk.is_remote() => {
                Err(Failure::NotRemote { what: format!("verifying {}", folder.display()) })
            }
            Self::Verify { folder: Some(folder) } => verify(desk, folder).await,
        }
    }
}

async fn verify(desk: &mut Desk, folder: PathBuf) -> Result<(), Failure> {
    if !folder.join("FORMAT").exists() {
        return Err(OpenFailure::Missing(folder).into());
    }
    let report = tokio::task::spawn_blocking(move || backup::verify(&folder)).await;
    let report = report.map_err(|_| Failure::Unexpected)??;
    show::show(Response::Verified(Box::new(report)), &mut desk.out)
}
