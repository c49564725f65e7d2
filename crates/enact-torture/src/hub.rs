//! The hub as a child process: started, asked over its socket, killed.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use enact_cli::socket::client::Client;
use enact_runtime::api::{Caller, Request, Response, Role};
use tokio::process::{Child, Command};

use crate::{BE_THE_HUB, Broken, Result, doing};

/// Longest wait for a hub to be ready, to answer or to die.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// A hub that runs, or has died by itself.
pub(crate) struct Hub {
    child: Child,
    store: PathBuf,
}

/// Who asks.
pub(crate) fn caller() -> Result<Caller> {
    let tenant = "default".parse().map_err(doing("name the tenant"))?;
    Ok(Caller::new(tenant, "torture", Role::Admin))
}

impl Hub {
    /// Starts a hub; `crash` is what `ENACT_CRASH` says to it. It may be dead already when this returns.
    pub(crate) fn start(program: &Path, folder: &Path, crash: Option<&str>) -> Result<Self> {
        Self::start_on(program, folder, crash, 0)
    }

    /// The same, listening for HTTP on a port of loopback, or on any if it is 0.
    pub(crate) fn start_on(program: &Path, folder: &Path, crash: Option<&str>, port: u16) -> Result<Self> {
        let store = folder.join("store");
        let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("hub.log"));
        let mut command = Command::new(program);
        command
            .args(["serve", "--store"])
            .arg(&store)
            .env(BE_THE_HUB, "1")
            .env("ENACT_HTTP_LISTEN", format!("127.0.0.1:{port}"))
            .current_dir(folder);
        command.env("ENACT_CONFIG", folder.join("enact.yaml")).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log.map_err(doing("open the log of the hub"))?);
        if let Some(crash) = crash {
            command.env("ENACT_CRASH", crash);
        }
        Ok(Self { child: command.spawn().map_err(doing("start the hub"))?, store })
    }

    /// Returns its process; none once it is known to be dead.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until it has ended by itself; returns how.
    ///
    /// # Cancel safety
    /// It may be dropped at any time.
    pub(crate) async fn ended(&mut self) -> String {
        self.child.wait().await.map_or_else(|error| error.to_string(), |status| status.to_string())
    }

    /// Asks it to end as an operator does, with SIGTERM.
    pub(crate) fn terminate(&self) -> Result<()> {
        let pid = self.child.id().and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed()));
        let pid = pid.ok_or_else(|| Broken("the hub has died by itself".to_owned()))?;
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).map_err(doing("signal the hub"))
    }

    /// Connects as soon as it listens; none if it has died.
    pub(crate) async fn connect(&mut self) -> Result<Option<Client>> {
        let end = tokio::time::Instant::now() + LIMIT;
        loop {
            if let Ok(client) = Client::connect(&self.store).await
                && Some(client.hub.pid) == self.child.id()
            {
                return Ok(Some(client));
            }
            if self.child.try_wait().map_err(doing("look after the hub"))?.is_some() {
                return Ok(None);
            }
            if tokio::time::Instant::now() > end {
                return Err(Broken(format!("the hub was not ready within {LIMIT:?}")));
            }
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }

    /// Waits until it has died by itself, at most so long; then kills it. Returns how it ended.
    pub(crate) async fn die(&mut self, patience: Duration) -> Result<ExitStatus> {
        if tokio::time::timeout(patience, self.child.wait()).await.is_err() {
            self.child.start_kill().map_err(doing("kill the hub"))?;
        }
        self.child.wait().await.map_err(doing("bury the hub"))
    }
}

/// Asks a hub that is expected to live.
pub(crate) async fn ask(client: &mut Client, request: Request) -> Result<Response> {
    let asked = format!("{request:?}").chars().take(200).collect::<String>();
    match tokio::time::timeout(LIMIT, client.ask(&caller()?, request)).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(error)) => Err(Broken(format!("the hub gave no answer to {asked}: {error}"))),
        Err(_) => Err(Broken(format!("the hub gave no answer to {asked} within {LIMIT:?}"))),
    }
}
