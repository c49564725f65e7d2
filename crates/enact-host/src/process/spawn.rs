//! Starting a child and ending it: own process group, cleared environment, limits, ledger line, kill and reap.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use enact_model::id::ExecutionId;
use enact_model::observation::{Evidence, Fault, FaultKind, Reached};
use rustix::process::{Pid, PidfdFlags, Signal};
use tokio::net::unix::pipe;

use super::sweep::Sweep;
use super::{Ground, limit};
use crate::huge_pages;
use crate::ledger::Ledger;
use crate::proc;
use crate::reap::{ENV_EPOCH, ENV_HUB, ENV_INSTANCE};

/// What is to be started.
pub(crate) struct Plan {
    pub program: PathBuf,
    pub args: Vec<OsString>,
    pub folder: PathBuf,
    pub env: BTreeMap<String, OsString>,
    pub stdin: Stdio,
    pub stdout: Stdio,
    pub stderr: Stdio,
    pub memory_bytes: Option<u64>,
    pub label: String,
    pub execution: Option<ExecutionId>,
    /// The name of the instance, also in its environment.
    pub nonce: String,
}

/// A child that leads a process group of its own. Dropping it kills the group and reaps in the background.
#[derive(Debug)]
pub(crate) struct Group {
    child: Option<Child>,
    pid: Pid,
    /// The descriptor of the process, which becomes readable when it has ended.
    exit: pipe::Receiver,
    killed: AtomicBool,
    ledger: Arc<Ledger>,
    nonce: String,
    oom_kills: Option<u64>,
}

/// How a child ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended {
    pub status: ExitStatus,
    /// The kernel killed something for want of memory while it ran.
    pub oom: bool,
}

/// Starts a child. Blocks for the time of a fork and an exec; must be called within a runtime.
pub(crate) fn spawn(ground: &Ground, plan: Plan) -> Result<Group, Fault> {
    let unwritable =
        |e: io::Error| FaultKind::ScratchUnavailable.fault(format!("the ledger of instances cannot be written: {e}"));
    ground.ledger.spawning(&plan.nonce, &plan.label, plan.execution).map_err(unwritable)?;
    let mut words = limit::before(&plan.program, plan.memory_bytes).unwrap_or_default();
    words.push(plan.program.clone().into());
    let mut command = Command::new(words.first().map_or(plan.program.as_os_str(), |word| word.as_os_str()));
    command.args(words.iter().skip(1)).args(&plan.args).current_dir(&plan.folder).process_group(0).env_clear();
    command.env("PATH", &ground.path).env("LANG", "C.UTF-8").env("HOME", &plan.folder).env("TMPDIR", &plan.folder);
    command.envs(&plan.env);
    // Last: a descriptor must not be able to change what the reaper looks for.
    command.env(ENV_HUB, &ground.store_id).env(ENV_EPOCH, ground.epoch.to_string()).env(ENV_INSTANCE, &plan.nonce);
    command.stdin(plan.stdin).stdout(plan.stdout).stderr(plan.stderr);
    let oom_kills = proc::oom_kills();
    let child = huge_pages::kept(|| command.spawn());
    // The command holds the child's ends of pipes and socket; without this an end of file would never be seen.
    drop(command);
    let child = child.map_err(|error| {
        ground.ledger.gone(&plan.nonce);
        refused(&plan.program, &error)
    })?;
    let mut child = Unwatched(Some(child));
    let watched = child.watch(&plan.nonce, plan.memory_bytes, ground);
    let (pid, exit) = watched.map_err(|error| {
        child.end();
        ground.ledger.gone(&plan.nonce);
        // It ran for a moment.
        unwritable(error).reached(Reached::Unknown)
    })?;
    let child = child.0.take();
    let (ledger, nonce) = (ground.ledger.clone(), plan.nonce);
    Ok(Group { child, pid, exit, killed: AtomicBool::new(false), ledger, nonce, oom_kills })
}

/// A child between its start and its place in a group that is looked after.
struct Unwatched(Option<Child>);

impl Unwatched {
    fn watch(&self, nonce: &str, memory_bytes: Option<u64>, ground: &Ground) -> io::Result<(Pid, pipe::Receiver)> {
        let child = self.0.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let raw = i32::try_from(child.id()).map_err(io::Error::other)?;
        let pid = Pid::from_raw(raw).ok_or(io::ErrorKind::InvalidInput)?;
        limit::after(pid, memory_bytes)?;
        let start = proc::facts(raw)?.start;
        ground.ledger.spawned(nonce, raw, start)?;
        let fd = rustix::process::pidfd_open(pid, PidfdFlags::NONBLOCK)?;
        // All that is asked of it is readiness. `AsyncFd` would say so more plainly, but its constructors are unsafe or
        // deprecated; this one takes any descriptor that does not block.
        Ok((pid, pipe::Receiver::from_owned_fd_unchecked(fd)?))
    }

    fn end(&mut self) {
        if let Some(mut child) = self.0.take() {
            if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                let _ = rustix::process::kill_process_group(pid, Signal::KILL);
            }
            let _ = child.wait();
        }
    }
}

impl Drop for Unwatched {
    fn drop(&mut self) {
        self.end();
    }
}

fn refused(program: &std::path::Path, error: &io::Error) -> Fault {
    let program = program.display();
    let fault =
        match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
            Some(rustix::io::Errno::NOENT) => FaultKind::ProgramMissing
                .fault(format!("the program {program}, or the interpreter it names, is not there")),
            Some(rustix::io::Errno::ACCESS | rustix::io::Errno::PERM) => {
                FaultKind::ProgramNotExecutable.fault(format!("the program {program} may not be executed"))
            }
            Some(rustix::io::Errno::NOEXEC) => FaultKind::ProgramNotExecutable
                .fault(format!("the program {program} has no form the system can execute")),
            Some(rustix::io::Errno::TOOBIG) => {
                FaultKind::TemplateUnfit.fault("the arguments are longer than the system allows; use standard input")
            }
            _ => FaultKind::StartFailed.fault(format!("the program {program} could not be started: {error}")),
        };
    fault.with(|e| e.os_error = Some(os_error(error)))
}

/// Returns the name of an error of the operating system, as far as it has one.
pub(crate) fn os_error(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => format!("{:?}: {error}", rustix::io::Errno::from_raw_os_error(number)),
        None => error.to_string(),
    }
}

impl Group {
    /// Returns the id of the child, which is also that of the group.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Waits until the child has ended; it is not yet reaped.
    ///
    /// # Cancel safety
    /// It may be dropped and called again.
    pub async fn exited(&self) {
        // A descriptor of a process becomes readable once and stays so; an error would mean there is no reactor left.
        let _ = self.exit.readable().await;
    }

    /// Sends a signal to the whole group.
    pub fn signal(&self, signal: Signal) {
        if self.child.is_some() {
            let _ = rustix::process::kill_process_group(self.pid, signal);
        }
    }

    /// Kills the whole group.
    pub fn kill(&self) {
        self.killed.store(true, Ordering::Relaxed);
        self.signal(Signal::KILL);
    }

    /// Waits for the end of the child, kills what is left of its group and what has left it, and reaps all of it.
    ///
    /// # Errors
    /// The child was reaped before.
    ///
    /// # Cancel safety
    /// It may be dropped; once the child was reaped it cannot be called again.
    pub async fn reap(&mut self) -> io::Result<Ended> {
        self.exited().await;
        // While the child is a zombie its number cannot be given out again, so this hits nobody else.
        self.signal(Signal::KILL);
        let mut child = self.child.take().ok_or(io::ErrorKind::NotFound)?;
        let status = child.wait()?;
        Sweep::Instance(self.pid, self.nonce.clone()).finish().await;
        self.ledger.gone(&self.nonce);
        let by_hub = self.killed.load(Ordering::Relaxed);
        let killed = status.signal() == Some(Signal::KILL.as_raw());
        let oom = killed && !by_hub && self.oom_kills < proc::oom_kills();
        Ok(Ended { status, oom })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
        let Some(mut child) = self.child.take() else { return };
        let (ledger, pid, nonce) = (self.ledger.clone(), self.pid, std::mem::take(&mut self.nonce));
        let reap = move || {
            let _ = child.wait();
            Sweep::Instance(pid, nonce.clone()).finish_here();
            ledger.gone(&nonce);
        };
        // It was killed, so this takes milliseconds; but not on a thread that drives others.
        match tokio::runtime::Handle::try_current() {
            Ok(handle) => drop(handle.spawn_blocking(reap)),
            Err(_) => drop(std::thread::Builder::new().name("reap".to_owned()).spawn(reap)),
        }
    }
}

impl Ended {
    /// Adds what is known of the end.
    pub fn evidence(&self, evidence: &mut Evidence) {
        evidence.exit_code = self.status.code();
        evidence.signal = self.status.signal();
    }
    /// Tells of it in words.
    pub fn words(&self) -> String {
        match (self.status.code(), self.status.signal()) {
            (Some(code), _) => format!("it ended with status {code}"),
            (None, Some(signal)) => format!("it was ended by signal {signal}"),
            (None, None) => "it ended".to_owned(),
        }
    }
}
