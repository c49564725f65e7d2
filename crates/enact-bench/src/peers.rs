//! What the hub is measured beside: Restate and DBOS, fetched by npm and pip into a folder of their own, each started on free
//! ports of loopback with every fsync on, and ended by its id.

mod dbos;
mod restate;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use tempfile::TempDir;

use crate::Failure;

/// Longest time for a server to listen.
const START_MAX: Duration = Duration::from_secs(90);

/// Longest time for a server to end when it is asked to.
const END_MAX: Duration = Duration::from_secs(10);

/// The folder that the peers are fetched into.
pub struct Peers {
    folder: TempDir,
}

/// A peer that runs; what it consists of ends with it, the last first.
pub struct Peer {
    /// Where it is asked.
    pub address: SocketAddr,
    /// What is asked for there.
    pub path: &'static str,
    parts: Vec<Part>,
}

/// A process of a peer.
struct Part(Child);

impl Drop for Part {
    fn drop(&mut self) {
        // By SIGTERM first: a server of PostgreSQL has children of its own. What it stored goes with its folder.
        let _ = rustix::process::kill_process(Pid::from_child(&self.0), Signal::TERM);
        let begin = Instant::now();
        while begin.elapsed() < END_MAX && matches!(self.0.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        while let Some(part) = self.parts.pop() {
            drop(part);
        }
    }
}

impl Peers {
    /// Makes the folder, on the disk that is measured; it is gone with this.
    pub fn open(dir: &Path) -> Result<Self, Failure> {
        Ok(Self { folder: tempfile::tempdir_in(dir)? })
    }

    /// Fetches a peer and starts it.
    ///
    /// # Errors
    /// It cannot be fetched or does not start: it is skipped then.
    pub fn start(&self, name: &str) -> Result<Peer, Failure> {
        let folder = self.folder.path();
        if !folder.join("venv").exists() {
            done(Command::new("python3").args(["-m", "venv"]).arg(folder.join("venv")))?;
        }
        match name {
            "restate" => restate::start(folder),
            _ => dbos::start(folder),
        }
    }
}

/// Fetches Python packages.
fn pip(folder: &Path, packages: &[&str]) -> Result<(), Failure> {
    let mut pip = Command::new(folder.join("venv/bin/pip"));
    done(pip.args(["install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"]).args(packages))
}

/// Runs a program to its end.
fn done(command: &mut Command) -> Result<(), Failure> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("{command:?} ended with {}: {}", output.status, said.lines().last().unwrap_or_default()).into())
}

/// Starts a program that stays, with a log of its own.
fn stay(command: &mut Command, log: PathBuf) -> Result<Part, Failure> {
    let log = std::fs::File::create(log)?;
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    Ok(Part(command.spawn().map_err(|error| format!("{command:?}: {error}"))?))
}

/// Returns an address whose port was free a moment ago.
fn free_address() -> Result<SocketAddr, Failure> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Waits until a part listens.
fn listens(part: &mut Part, address: SocketAddr) -> Result<(), Failure> {
    let begin = Instant::now();
    while TcpStream::connect(address).is_err() {
        if let Some(status) = part.0.try_wait()? {
            return Err(format!("it ended with {status} before it listened").into());
        }
        if begin.elapsed() > START_MAX {
            return Err(format!("it does not listen within {START_MAX:?}").into());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
