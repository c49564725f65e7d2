//! What an instance leaves behind: descendants that outlived their parents, in its process group or out of it.
//!
//! The hub is the *subreaper* of everything it starts: a process whose parent ends becomes a child of the hub instead of
//! init's. So whoever outlives an instance is a child of the hub or a descendant of one, and only the hub's own children
//! need to be looked at, not every process of the machine. What carries the mark of an instance that is over is killed,
//! which hands its own children to the hub, and so on until there is nothing more.

use std::time::Duration;

use rustix::process::{Pid, WaitId, WaitIdOptions};

use crate::proc::{self, ProcessFacts};
use crate::reap::{self, ENV_EPOCH, ENV_HUB, ENV_INSTANCE};

/// How long an answer waits for what was killed; a busy system lets it die late.
const WAIT: Duration = Duration::from_millis(400);
/// How long it is looked for in all; what hangs in the kernel ends when that lets it.
const LIMIT: Duration = Duration::from_secs(10);
/// Pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Makes this process the one that inherits orphans.
pub(super) fn inherit_orphans() {
    if let Err(error) = rustix::process::set_child_subreaper(Some(rustix::process::getpid())) {
        tracing::warn!(%error, "a child that leaves its process group may outlive its attempt");
    }
}

/// Whose descendants are to be ended.
#[derive(Debug, Clone)]
pub(super) enum Sweep {
    /// Those of one instance, which was reaped: its process group and its name.
    Instance(Pid, String),
    /// Those of a hub of which nothing is left: its store and its epoch.
    Hub(String, String),
}

impl Sweep {
    /// Looks and kills until nothing is left; what does not end in time is looked after in the background.
    ///
    /// # Cancel safety
    /// It may be dropped; the background goes on.
    pub async fn finish(self) {
        let sweep = tokio::spawn(async move {
            let until = tokio::time::Instant::now() + LIMIT;
            while !self.pass() && tokio::time::Instant::now() < until {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        });
        let _ = tokio::time::timeout(WAIT, sweep).await;
    }

    /// Does the same and blocks.
    pub fn finish_here(self) {
        let until = std::time::Instant::now() + LIMIT;
        while !self.pass() && std::time::Instant::now() < until {
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Looks once, kills what is found and reaps what is dead; returns whether there was nothing.
    fn pass(&self) -> bool {
        let mut clean = true;
        if let Self::Instance(group, _) = self {
            // What is left in the group was killed with its leader, but takes a moment to die.
            clean = !reap_all(WaitId::Pgid(Some(*group)));
        }
        for pid in orphans() {
            let Ok(facts) = proc::facts(pid) else { continue };
            let marked = if facts.is_alive() { self.marks(pid) } else { Some(false) };
            if marked == Some(true) {
                reap::kill_exactly(&facts);
                clean = false;
            } else if marked.is_none() {
                clean = false;
            } else if let Some(pid) = Pid::from_raw(pid).filter(|_| !facts.is_alive() && is_nobodys(&facts)) {
                // It may have handed its children over after the list was made.
                reap_all(WaitId::Pid(pid));
                clean = false;
            }
        }
        clean
    }

    /// Returns whether a process carries the mark of what is swept, where that can be known.
    fn marks(&self, pid: i32) -> Option<bool> {
        Some(match self {
            Self::Instance(_, nonce) => {
                let [instance] = proc::environment(pid, [ENV_INSTANCE])?;
                instance.as_deref() == Some(nonce)
            }
            Self::Hub(store, epoch) => {
                let [of, at] = proc::environment(pid, [ENV_HUB, ENV_EPOCH])?;
                of.as_deref() == Some(store) && at.as_deref() == Some(epoch)
            }
        })
    }
}

/// Reaps every child that has ended; returns whether one is there that has not.
fn reap_all(id: WaitId<'_>) -> bool {
    loop {
        match rustix::process::waitid(id.clone(), WaitIdOptions::EXITED | WaitIdOptions::NOHANG) {
            Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}

/// Lists the children of the thread that inherits orphans: the first one of the process.
fn orphans() -> Vec<i32> {
    let own = std::process::id();
    match std::fs::read_to_string(format!("/proc/{own}/task/{own}/children")) {
        Ok(text) => text.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect(),
        // A kernel that does not tell.
        Err(_) => {
            let all = proc::all().unwrap_or_default();
            all.values().filter(|facts| i64::from(facts.parent) == i64::from(own)).map(|facts| facts.pid).collect()
        }
    }
}

/// Returns whether a child is certainly one that nobody else waits for: what the hub starts itself leads a group, or is
/// in the hub's own, and in both cases it is in the hub's session.
fn is_nobodys(facts: &ProcessFacts) -> bool {
    let own = proc::facts(std::process::id().cast_signed());
    own.is_ok_and(|own| facts.session != own.session || (facts.group != own.group && facts.group != facts.pid))
}
