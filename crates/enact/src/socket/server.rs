//! The listening side: binds, takes connections within a limit, and ends with the hub.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::address::{Address, SOCKET_NAME};
use super::connection;
use crate::door::Answers;

/// Most connections at once; each may hold a frame in memory.
pub const CONNECTIONS_MAX: usize = 256;
/// Between binding under another name and taking the real one.
const TEMPORARY_NAME: &str = "hub.sock.new";

/// Why the socket could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("failed to listen on {}: {source}", path.display())]
pub struct BindError {
    /// The path of the socket.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// A bound socket.
#[derive(Debug)]
pub struct Server {
    listener: UnixListener,
    path: PathBuf,
}

impl Server {
    /// Binds the socket of a store. Whoever calls this holds the store, so that a socket that is there is a dead hub's and is
    /// replaced in one step.
    ///
    /// # Errors
    /// What the system says.
    pub fn bind(store: &Path) -> Result<Self, BindError> {
        let path = store.join(SOCKET_NAME);
        let listener = bind_and_rename(store, &path).map_err(|source| BindError { path: path.clone(), source })?;
        Ok(Self { listener, path })
    }

    /// Returns where it listens.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Serves until `end` is true, then waits a moment for answers that are on their way, and takes the socket away.
    pub async fn serve<H: Answers>(self, hub: Arc<H>, mut end: watch::Receiver<bool>) {
        let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = ended(&mut end) => break,
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let hub = Arc::clone(&hub);
                        match Arc::clone(&slots).try_acquire_owned() {
                            Ok(slot) => connections.spawn(async move {
                                connection::serve(stream, hub.as_ref()).await;
                                drop(slot);
                            }),
                            Err(_) => connections.spawn(connection::refuse(stream)),
                        };
                    }
                    Err(error) => {
                        // Out of descriptors, most likely: others must be closed first.
                        tracing::warn!(%error, "failed to take a connection");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
            }
        }
        let _ = std::fs::remove_file(&self.path);
        drop(self.listener);
        let rest = async { while connections.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(Duration::from_millis(300), rest).await;
    }
}

/// Waits until serving is to end; also if nobody is left to say so.
async fn ended(end: &mut watch::Receiver<bool>) {
    while !*end.borrow_and_update() {
        if end.changed().await.is_err() {
            return;
        }
    }
}

fn bind_and_rename(store: &Path, path: &Path) -> io::Result<UnixListener> {
    let address = Address::of(store, TEMPORARY_NAME)?;
    match std::fs::remove_file(store.join(TEMPORARY_NAME)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(address.path())?;
    // Nobody knows the temporary name; under the real one the socket is never open to others.
    std::fs::set_permissions(store.join(TEMPORARY_NAME), std::fs::Permissions::from_mode(0o600))?;
    std::fs::rename(store.join(TEMPORARY_NAME), path)?;
    Ok(listener)
}
