//! Reaping what a former incarnation of the hub left running, before anything is issued again (H10).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use enact_model::id::{Epoch, ExecutionId};
use rustix::process::{Pid, PidfdFlags, Signal};

use crate::ledger::{Former, Ledger, LedgerError, Open};
use crate::proc::{self, ProcessFacts};

/// Names the store whose hub started a process.
pub const ENV_HUB: &str = "ENACT_HUB";
/// Tells in which epoch it was started.
pub const ENV_EPOCH: &str = "ENACT_EPOCH";
/// Names the instance.
pub const ENV_INSTANCE: &str = "ENACT_INSTANCE";

/// The parent of those whose parent is gone, unless one of their ancestors adopts them.
const INIT: i32 = 1;
/// How long the kill of everything may take.
const REAP_WAIT: Duration = Duration::from_secs(10);
/// How long processes in the middle of an exec are waited for; one that wiped its own arguments looks the same.
const EXEC_WAIT: Duration = Duration::from_secs(1);

/// What was found of former incarnations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReapReport {
    /// Processes that were killed and are gone.
    pub killed: Vec<i32>,
    /// Instances that could not be proven gone: their attempts stay in doubt.
    pub unknown: Vec<UnknownInstance>,
}

/// An instance that could not be proven gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownInstance {
    /// What it was for people: component and version.
    pub label: String,
    /// The execution it ran, where it ran only one.
    pub execution: Option<ExecutionId>,
    /// Its process, if it is known and does not die.
    pub pid: Option<i32>,
}

/// Kills every process that a former hub of this store left behind, waits until they are gone, and tells what could
/// not be known. Blocks for at most some seconds.
///
/// # Errors
/// Another hub holds the ledger in `root`, or it cannot be read or written.
pub fn reap_former(root: &Path, store_id: &str, current: Epoch) -> Result<ReapReport, LedgerError> {
    reap_and_begin(root, store_id, current).map(|(report, _)| report)
}

pub(crate) fn reap_and_begin(root: &Path, store_id: &str, current: Epoch) -> Result<(ReapReport, Ledger), LedgerError> {
    let former = Former::take(root)?;
    let mut search = Search { store_id, current, open: &former.open, nonces: BTreeSet::new() };
    let (killed, alive) = search.kill()?;
    let is_nameless = |nonce: &String, held: &Open| held.process.is_none() && !search.nonces.contains(nonce);
    // Nearly every start finds none, and need not look through all processes once more.
    let strangers = match former.open.iter().any(|(nonce, held)| is_nameless(nonce, held)) {
        true => strangers(former.ancestors.as_deref())?,
        false => None,
    };
    let mut remaining = BTreeMap::new();
    let mut report = ReapReport { killed, unknown: Vec::new() };
    for (nonce, held) in &former.open {
        let is_alive = held.process.is_some_and(|(pid, _)| alive.values().any(|facts| facts.group == pid));
        if is_alive || (is_nameless(nonce, held) && may_be_among(held, strangers.as_deref())) {
            let pid = held.process.map(|(pid, _)| pid);
            report.unknown.push(UnknownInstance { label: held.label.clone(), execution: held.execution, pid });
        }
        if is_alive {
            remaining.insert(nonce.clone(), held.clone());
        }
    }
    for facts in alive.values() {
        if !report.unknown.iter().any(|unknown| unknown.pid == Some(facts.group)) {
            let label = format!("process {}", facts.pid);
            report.unknown.push(UnknownInstance { label, execution: None, pid: Some(facts.pid) });
        }
    }
    let ledger = former.begin(current, &remaining)?;
    Ok((report, ledger))
}

/// Returns when the living processes started, in clock ticks since boot, that a former hub may have started: their parents are
/// gone, so that they have init for one, or who the hub came from. None if that is not known.
fn strangers(ancestors: Option<&[i32]>) -> Result<Option<Vec<u64>>, LedgerError> {
    let Some(ancestors) = ancestors else { return Ok(None) };
    let ours = proc::ancestors();
    let is_ours = |pid: i32| pid == std::process::id() as i32 || ours.contains(&pid);
    let left = |facts: &ProcessFacts| facts.parent == INIT || ancestors.contains(&facts.parent);
    let all = proc::all()?;
    let strangers = all.values().filter(|facts| facts.is_alive() && left(facts) && !is_ours(facts.pid));
    Ok(Some(strangers.map(|facts| facts.start).collect()))
}

/// Returns whether an instance that was announced and carries its name nowhere may be one of these; without them it ended, or was
/// never started.
fn may_be_among(held: &Open, strangers: Option<&[u64]>) -> bool {
    match (held.at, strangers) {
        (Some(at), Some(strangers)) => strangers.iter().any(|start| *start >= at),
        _ => true,
    }
}

struct Search<'a> {
    store_id: &'a str,
    current: Epoch,
    open: &'a BTreeMap<String, Open>,
    /// Instances of which a process was found.
    nonces: BTreeSet<String>,
}

impl ReapReport {
    /// Returns the instance that may still run an attempt of this execution. A worker that the former hub had not even seen start
    /// was given none.
    pub fn may_still_run(&self, execution: ExecutionId) -> Option<&UnknownInstance> {
        self.unknown.iter().find(|instance| match instance.execution {
            Some(known) => known == execution,
            None => instance.pid.is_some(),
        })
    }
}

impl Search<'_> {
    /// Kills until a look at `/proc` finds nothing more; returns what was killed and what would not die.
    fn kill(&mut self) -> Result<(Vec<i32>, BTreeMap<i32, ProcessFacts>), LedgerError> {
        let begun = Instant::now();
        let mut killed = BTreeSet::new();
        loop {
            let (found, unsettled) = self.find()?;
            let settled = !unsettled || begun.elapsed() > EXEC_WAIT;
            if (found.is_empty() && settled) || begun.elapsed() > REAP_WAIT {
                let alive: BTreeMap<_, _> = found.into_iter().collect();
                let gone = killed.into_iter().filter(|pid| !alive.contains_key(pid)).collect();
                return Ok((gone, alive));
            }
            for (pid, facts) in &found {
                kill_exactly(facts);
                killed.insert(*pid);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Finds every living process of a former incarnation: by its environment, by group or session of one that was
    /// found or stands in the ledger, and by a parent that was found. Tells too whether there is a process of which the
    /// environment cannot be known yet.
    fn find(&mut self) -> Result<(BTreeMap<i32, ProcessFacts>, bool), LedgerError> {
        let all = proc::all()?;
        let own = std::process::id() as i32;
        let mut found = BTreeMap::new();
        let mut leaders = BTreeSet::new();
        let mut unsettled = false;
        for facts in all.values() {
            let Some([hub, epoch, instance]) = proc::environment(facts.pid, [ENV_HUB, ENV_EPOCH, ENV_INSTANCE]) else {
                unsettled |= facts.is_alive();
                continue;
            };
            // Any other epoch: a store that was restored from a copy may count lower than its former hub.
            if hub.as_deref() == Some(self.store_id) && epoch.is_some_and(|e| e != self.current.0.to_string()) {
                self.nonces.extend(instance);
                found.insert(facts.pid, facts.clone());
                leaders.insert(facts.pid);
            }
        }
        for (pid, start) in self.open.values().filter_map(|held| held.process) {
            // A process id is not given out again while a group of that number exists. So a leader with another start
            // time is a stranger, and members without a leader are ours if none of them is older than the leader was.
            let stranger = all.get(&pid).is_some_and(|facts| facts.start != start);
            let older = all.values().any(|facts| facts.group == pid && facts.start < start);
            if !stranger && !older {
                leaders.insert(pid);
            }
        }
        loop {
            let before = found.len();
            for facts in all.values() {
                let related = leaders.contains(&facts.group)
                    || leaders.contains(&facts.session)
                    || found.contains_key(&facts.parent);
                if related && !found.contains_key(&facts.pid) {
                    found.insert(facts.pid, facts.clone());
                }
            }
            if found.len() == before {
                break;
            }
        }
        // Never ourselves, and nothing that a hub may have been started by: a shell that was itself started by a former
        // hub's child would be one.
        let mut ancestor = own;
        while ancestor > 0 && found.remove(&ancestor).is_some() {
            ancestor = all.get(&ancestor).map_or(0, |facts| facts.parent);
        }
        found.retain(|_, facts| facts.is_alive());
        Ok((found, unsettled))
    }
}

/// Kills the process that these facts name and no other that has its id by now.
pub(crate) fn kill_exactly(facts: &ProcessFacts) {
    let Some(pid) = Pid::from_raw(facts.pid) else { return };
    let Ok(fd) = rustix::process::pidfd_open(pid, PidfdFlags::empty()) else { return };
    // The descriptor holds one process; if the start time is still the one that was seen, it is that process.
    if proc::facts(facts.pid).is_ok_and(|now| now.start == facts.start) {
        let _ = rustix::process::pidfd_send_signal(&fd, Signal::KILL);
    }
}
