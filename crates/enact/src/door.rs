//! The one way to a hub: over the socket of the hub that holds the store, otherwise a hub in this process; or over HTTP one on
//! another machine.

pub mod local;
pub mod remote;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use enact_model::conclusion::{Conclusion, DetailCode};
use enact_model::id::ExecutionId;
use enact_model::record::Record;
use enact_model::taxonomy::{Category, Cause, Disposition, Interpretation, Responsibility, Symptom};
use enact_runtime::api::{Caller, Refusal, Request, Response};
use enact_store::io::{DiskIo, Io as _, LockError};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::config::Settings;
use crate::failure::Failure;
use crate::socket::client::{Client, ClientError};
use local::Local;
use remote::Remote;

/// How long a command waits for a store that another process holds without listening: a short command, or a hub that starts.
const HELD_LIMIT: Duration = Duration::from_secs(30);
/// How long it waits without a word.
const HELD_QUIET: Duration = Duration::from_secs(2);
/// Between two tries.
const HELD_PAUSE: Duration = Duration::from_millis(20);

/// What answers questions, whichever side of the socket it is on.
pub trait Answers: Send + Sync + 'static {
    /// Answers one question.
    fn handle(&self, caller: Caller, request: Request) -> impl Future<Output = Response> + Send;
    /// Returns the records of an execution from its first one, as they come, until it is settled.
    fn watch(
        &self,
        caller: Caller,
        execution: ExecutionId,
    ) -> impl Future<Output = Result<mpsc::Receiver<Record>, Box<Refusal>>> + Send;
}

/// What a command needs of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// A hub that runs in another process.
    Running,
    /// A store that is there.
    Existing,
    /// A store, which may be made.
    Any,
}

/// Why a hub could not be opened in this process.
#[derive(Debug, thiserror::Error)]
pub enum OpenFailure {
    /// There is no store.
    #[error("failed to open the store {}: there is none", .0.display())]
    Missing(PathBuf),
    /// Another process holds it and does not listen.
    #[error("failed to open the store {}: {held}", path.display())]
    Held {
        /// The store.
        path: PathBuf,
        /// By whom.
        held: LockError,
        /// Whether it was wanted for one command, which a hub could carry out as well.
        for_one: bool,
    },
    /// The store or the hub refused.
    #[error("{}", refused(path, &conclusion.message))]
    Refused {
        /// The store.
        path: PathBuf,
        /// What it means.
        conclusion: Box<Conclusion>,
    },
}

/// Names the store, unless the reason does.
fn refused(store: &Path, reason: &str) -> String {
    let prefix = format!("failed to open the store {}", store.display());
    if reason.starts_with(&prefix) { reason.to_owned() } else { format!("{prefix}: {reason}") }
}

/// Returns how the process that holds a store is ended, whether it listens or not.
fn way_to_end(held: &LockError) -> String {
    match held {
        LockError::Held { pid: Some(pid) } => format!("kill {pid}"),
        _ => "enact stop".to_owned(),
    }
}

/// Returns by whom a store is held that no hub listens for; a process that only opens it for a moment is waited for.
pub async fn held_in_silence(store: &Path) -> Option<OpenFailure> {
    let begin = Instant::now();
    loop {
        let lock = if is_store(store) { DiskIo.lock(&store.join("lock")) } else { return None };
        let Err(held @ LockError::Held { .. }) = lock else { return None };
        if begin.elapsed() >= HELD_QUIET {
            return Some(OpenFailure::Held { path: store.to_owned(), held, for_one: false });
        }
        tokio::time::sleep(HELD_PAUSE).await;
    }
}

impl OpenFailure {
    /// Returns what it means.
    pub fn conclusion(&self) -> Conclusion {
        let make = |symptom, cause, disposition| {
            let code = DetailCode {
                category: Category::Datastore,
                symptom,
                cause,
                interpretation: Interpretation::ConfigurationFailure,
                disposition,
                responsibility: Responsibility::SystemAdmin,
            };
            Conclusion::new(code, self.to_string())
        };
        match self {
            Self::Missing(_) => make(Symptom::NotFound, Cause::Relation, Disposition::FixInput)
                .hint("`enact component add` or `enact serve` makes one; --store names another folder"),
            Self::Held { for_one: true, .. } => make(Symptom::Unavailable, Cause::Conflict, Disposition::RetryLater)
                .hint("wait until it has ended, or start `enact serve` and ask as often as you like"),
            Self::Held { held, .. } => make(Symptom::Unavailable, Cause::Conflict, Disposition::RetryLater)
                .hint(format!("wait until it has ended, or end it with `{}`", way_to_end(held))),
            Self::Refused { conclusion, .. } => Conclusion { message: self.to_string(), ..(**conclusion).clone() },
        }
    }
}

/// The way to a hub.
pub enum Door {
    /// The socket of the hub that holds the store.
    Socket(PathBuf),
    /// A hub in this process.
    Local(Local),
    /// A hub on another machine.
    Remote(Remote),
}

impl Door {
    /// Finds the hub that holds the store, or opens one.
    ///
    /// # Errors
    /// No hub where one must run, no store where one must be, a store that is held or cannot be opened.
    pub async fn open(settings: &Settings, need: Need) -> Result<Self, Failure> {
        let store = &settings.store;
        let begin = Instant::now();
        let mut told = false;
        loop {
            match Client::connect(store).await {
                Ok(_) => return Ok(Self::Socket(store.clone())),
                Err(ClientError::NoHub) if need == Need::Running => return Err(ClientError::NoHub.into()),
                Err(ClientError::NoHub) => {}
                Err(error) => return Err(error.into()),
            }
            if need == Need::Existing && !is_store(store) {
                return Err(OpenFailure::Missing(store.clone()).into());
            }
            match Local::for_one_command(settings).await {
                Ok(local) => return Ok(Self::Local(local)),
                Err(OpenFailure::Held { held, .. }) if begin.elapsed() < HELD_LIMIT => {
                    if !told && begin.elapsed() > HELD_QUIET {
                        told = true;
                        tracing::warn!(%held, "waiting for the store");
                    }
                    tokio::time::sleep(HELD_PAUSE).await;
                }
                Err(failure) => return Err(failure.into()),
            }
        }
    }

    /// Asks one question.
    ///
    /// # Errors
    /// A connection that broke. What the hub refuses is an answer.
    ///
    /// # Cancel safety
    /// The question may still be carried out.
    pub async fn ask(&self, caller: &Caller, request: Request) -> Result<Response, Failure> {
        match self {
            Self::Socket(store) => Ok(Client::connect(store).await?.ask(caller, request).await?),
            Self::Local(local) => Ok(local.handle(caller.clone(), request).await),
            Self::Remote(remote) => remote.ask(request).await,
        }
    }

    /// Lets an execution run that somebody waits for: a hub in this process starts nothing else.
    ///
    /// # Errors
    /// When the hub is ending.
    pub async fn call_for(&self, execution: ExecutionId) -> Result<(), Failure> {
        match self {
            Self::Socket(_) | Self::Remote(_) => Ok(()),
            Self::Local(local) => local.call_for(execution).await,
        }
    }

    /// Begins to watch an execution.
    ///
    /// # Errors
    /// A connection that broke, or a refusal.
    pub async fn watch(&self, caller: &Caller, execution: ExecutionId) -> Result<Watch, Failure> {
        match self {
            Self::Socket(store) => {
                let mut client = Client::connect(store).await?;
                client.watch(caller, execution).await?;
                Ok(Watch::Socket(Box::new(client)))
            }
            Self::Local(local) => {
                local.watch(caller.clone(), execution).await.map(Watch::Local).map_err(Failure::Refused)
            }
            Self::Remote(remote) => remote.watch(execution).await.map(|stream| Watch::Remote(Box::new(stream))),
        }
    }

    /// Returns whether the hub is in this process, and ends with it.
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Local(_))
    }

    /// Leaves the hub; one in this process is ended: what runs is finished within its grace, or waits durably.
    pub async fn close(self) {
        if let Self::Local(local) = self {
            local.deliver().await;
            local.shutdown().await;
        }
    }
}

/// The records of one execution, as they come.
pub enum Watch {
    /// From the socket.
    Socket(Box<Client>),
    /// From the hub in this process.
    Local(mpsc::Receiver<Record>),
    /// From a hub on another machine.
    Remote(Box<remote::Stream>),
}

impl Watch {
    /// Returns the next record, none after the last.
    ///
    /// # Errors
    /// A connection that broke, or a refusal.
    pub async fn next(&mut self) -> Result<Option<Record>, Failure> {
        match self {
            Self::Socket(client) => client.next_record().await.map_err(|error| match error {
                ClientError::Refused(refusal) => Failure::Refused(refusal),
                other => other.into(),
            }),
            Self::Local(records) => Ok(records.recv().await),
            Self::Remote(stream) => stream.next().await,
        }
    }
}

/// Returns the folder in which a store's tokens are kept.
pub fn tokens_folder(store: &Path) -> PathBuf {
    store.join("access")
}

fn is_store(store: &Path) -> bool {
    store.join("FORMAT").exists()
}
