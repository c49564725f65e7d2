//! The ledger of instances: what this incarnation of the hub has running, on disk before it runs (H10).
//!
//! How no gap is left between a hub that dies and the next one that reaps:
//!
//! 1. **Before the fork** a `spawn` line with a fresh nonce is written. If the hub dies after it and before the `pid`
//!    line, the next hub knows that something may have been started that it cannot name. It finds a process that
//!    carries the nonce, or looks for one that may be it: a child of a hub that is gone has init for its parent, or a
//!    process that the hub itself came from, and is no older than the line. Only if there is such a process (it may be
//!    anybody's), the instance is reported as *unknown*, and its attempt stays in doubt.
//! 2. **Between fork and exec** the child has neither marker nor ledger line, but it still holds every descriptor of
//!    the hub's, the lock of `instances.lock` among them: exec is what closes them. So whoever gets the lock knows that
//!    no such child is left, and the lock is taken before `/proc` is read.
//! 3. **After the exec** the child carries `ENACT_HUB`, `ENACT_EPOCH` and `ENACT_INSTANCE` in its environment, and so
//!    does everything it starts, whatever process group or session that is in. (The kernel shows an environment only a
//!    moment after it has closed the descriptors; a process in that moment is waited for.)
//! 4. **A descendant that changed its environment** is found by its process group or session, which stand in the
//!    `pid` line (the group's leader may be long dead), or by a parent that was found.
//!
//! Only a descendant that changed its environment *and* left group and session *and* whose parent is gone escapes;
//! that takes intent, and needs a container. Lines are not synced: what they tell of dies with the machine, whose boot
//! id stands in the first line.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use enact_model::id::{Epoch, ExecutionId};
use serde::{Deserialize, Serialize};

use crate::proc;

/// Above this size the ledger is written anew with what is still open, in bytes.
const COMPACT_BYTES: u64 = 1024 * 1024;
/// How long a start waits for the lock: children of the former hub between fork and exec hold it.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// One line.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Line {
    /// The hub that writes what follows, and the processes that it comes from: one of them, or init, is the parent of its
    /// children when it is gone.
    Hub {
        epoch: Epoch,
        boot: String,
        #[serde(default)]
        ancestors: Option<Vec<i32>>,
    },
    /// Something is about to be started, at this time in clock ticks since boot.
    Spawn {
        nonce: String,
        label: String,
        execution: Option<ExecutionId>,
        #[serde(default)]
        at: Option<u64>,
    },
    /// It runs.
    Pid { nonce: String, pid: i32, start: u64 },
    /// It was reaped, and its group with it.
    Gone { nonce: String },
}

/// An instance that was open when its hub ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Open {
    pub label: String,
    pub execution: Option<ExecutionId>,
    /// The process and its start time in clock ticks since boot, if the hub came to write it.
    pub process: Option<(i32, u64)>,
    /// When it was about to be started, in clock ticks since boot.
    pub at: Option<u64>,
}

/// A ledger that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Another hub lives, or a child of the former one is stuck before its exec.
    #[error("failed to lock the ledger of instances: another hub uses {0:?}, or a child of one is still starting")]
    Locked(PathBuf),
    /// It cannot be read or written.
    #[error("failed to use the ledger of instances")]
    Io(#[from] io::Error),
}

/// The ledger of the hub that runs now.
#[derive(Debug)]
pub(crate) struct Ledger {
    path: PathBuf,
    header: Line,
    state: Mutex<State>,
    /// Held as long as the hub lives, and by its children until their exec.
    _lock: File,
}

#[derive(Debug)]
struct State {
    file: File,
    written: u64,
    open: BTreeMap<String, Vec<Line>>,
}

/// What the former hub left: taken under the lock, before anything else.
pub(crate) struct Former {
    lock: File,
    path: PathBuf,
    /// Instances by nonce that were open; empty if the machine was started anew since.
    pub open: BTreeMap<String, Open>,
    /// The processes that the former hub came from, if it told.
    pub ancestors: Option<Vec<i32>>,
}

impl Former {
    /// Takes the lock in `root` and reads what was left there.
    ///
    /// # Errors
    /// The lock is held, or the ledger cannot be read.
    pub fn take(root: &Path) -> Result<Self, LedgerError> {
        let lock_path = root.join("instances.lock");
        let lock = File::options().create(true).truncate(false).write(true).open(&lock_path)?;
        let begun = Instant::now();
        while rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive).is_err() {
            if begun.elapsed() > LOCK_WAIT {
                return Err(LedgerError::Locked(lock_path));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let path = root.join("instances.log");
        let (open, ancestors) = match File::open(&path) {
            Ok(file) => read(file)?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => Default::default(),
            Err(e) => return Err(e.into()),
        };
        Ok(Self { lock, path, open, ancestors })
    }

    /// Begins the ledger of this hub; what could not be reaped stays in it, so that the next start looks again.
    ///
    /// # Errors
    /// The ledger cannot be written.
    pub fn begin(self, epoch: Epoch, remaining: &BTreeMap<String, Open>) -> io::Result<Ledger> {
        let header = Line::Hub { epoch, boot: boot_id()?, ancestors: Some(proc::ancestors()) };
        let mut open = BTreeMap::new();
        for (nonce, held) in remaining {
            let (label, execution, at) = (held.label.clone(), held.execution, held.at);
            let spawn = Line::Spawn { nonce: nonce.clone(), label, execution, at };
            let mut lines = vec![spawn];
            lines.extend(held.process.map(|(pid, start)| Line::Pid { nonce: nonce.clone(), pid, start }));
            open.insert(nonce.clone(), lines);
        }
        let (file, written) = rewrite(&self.path, &header, &open)?;
        Ok(Ledger { path: self.path, header, state: Mutex::new(State { file, written, open }), _lock: self.lock })
    }
}

impl Ledger {
    /// Writes that something is about to be started.
    ///
    /// # Errors
    /// The line cannot be written; then nothing may be started.
    pub fn spawning(&self, nonce: &str, label: &str, execution: Option<ExecutionId>) -> io::Result<()> {
        let at = Some(proc::ticks_since_boot());
        self.append(nonce, Line::Spawn { nonce: nonce.to_owned(), label: label.to_owned(), execution, at })
    }
    /// Writes which process it is.
    ///
    /// # Errors
    /// The line cannot be written; then the process must be killed.
    pub fn spawned(&self, nonce: &str, pid: i32, start: u64) -> io::Result<()> {
        self.append(nonce, Line::Pid { nonce: nonce.to_owned(), pid, start })
    }
    /// Writes that it was reaped. A line that is lost costs the next start a look at a process that is not there.
    pub fn gone(&self, nonce: &str) {
        if let Err(error) = self.append(nonce, Line::Gone { nonce: nonce.to_owned() }) {
            tracing::warn!(%error, nonce, "an instance is gone but the ledger could not be told");
        }
    }

    fn append(&self, nonce: &str, line: Line) -> io::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = serde_json::to_vec(&line)?;
        text.push(b'\n');
        if matches!(line, Line::Gone { .. }) {
            state.open.remove(nonce);
        } else {
            state.open.entry(nonce.to_owned()).or_default().push(line);
        }
        // One write, so that a kill of the hub leaves the whole line or none of it.
        state.file.write_all(&text)?;
        state.written += text.len() as u64;
        if state.written > COMPACT_BYTES {
            (state.file, state.written) = rewrite(&self.path, &self.header, &state.open)?;
        }
        Ok(())
    }
}

fn rewrite(path: &Path, header: &Line, open: &BTreeMap<String, Vec<Line>>) -> io::Result<(File, u64)> {
    let mut text = serde_json::to_vec(header)?;
    text.push(b'\n');
    for line in open.values().flatten() {
        serde_json::to_writer(&mut text, line)?;
        text.push(b'\n');
    }
    let temporary = path.with_extension("new");
    std::fs::write(&temporary, &text)?;
    std::fs::rename(&temporary, path)?;
    Ok((File::options().append(true).open(path)?, text.len() as u64))
}

/// What was open, by nonce, and what the hub came from.
type Left = (BTreeMap<String, Open>, Option<Vec<i32>>);

fn read(file: File) -> io::Result<Left> {
    let boot = boot_id()?;
    let mut open: BTreeMap<String, Open> = BTreeMap::new();
    let mut comes_from = None;
    for line in BufReader::new(file).split(b'\n') {
        // A line that does not parse is the torn end of a machine that lost power: its processes are gone too.
        let Ok(line) = serde_json::from_slice(&line?) else { continue };
        match line {
            Line::Hub { boot: former, .. } if former != boot => return Ok(Default::default()),
            Line::Hub { ancestors, .. } => comes_from = ancestors,
            Line::Spawn { nonce, label, execution, at } => {
                open.insert(nonce, Open { label, execution, process: None, at });
            }
            Line::Pid { nonce, pid, start } => {
                if let Some(held) = open.get_mut(&nonce) {
                    held.process = Some((pid, start));
                }
            }
            Line::Gone { nonce } => {
                open.remove(&nonce);
            }
        }
    }
    Ok((open, comes_from))
}

fn boot_id() -> io::Result<String> {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_open_is_read_back_and_what_is_gone_is_not() {
        let root = tempfile::tempdir().unwrap();
        let ledger = Former::take(root.path()).unwrap().begin(Epoch(1), &BTreeMap::new()).unwrap();
        for nonce in ["a", "b", "c"] {
            ledger.spawning(nonce, "x", None).unwrap();
        }
        ledger.spawned("b", 7, 70).unwrap();
        ledger.spawned("c", 8, 80).unwrap();
        ledger.gone("c");
        drop(ledger);
        let former = Former::take(root.path()).unwrap();
        let processes: Vec<_> = former.open.iter().map(|(nonce, held)| (nonce.as_str(), held.process)).collect();
        assert_eq!(processes, [("a", None), ("b", Some((7, 70)))]);
        // What could not be reaped is still there for the start after.
        let open = former.open.clone();
        drop(former.begin(Epoch(2), &open).unwrap());
        assert_eq!(Former::take(root.path()).unwrap().open, open);
    }

    #[test]
    fn the_ledger_does_not_grow_with_what_is_over() {
        let root = tempfile::tempdir().unwrap();
        let ledger = Former::take(root.path()).unwrap().begin(Epoch(1), &BTreeMap::new()).unwrap();
        ledger.spawning("kept", "x", None).unwrap();
        for at in 0..12_000 {
            let nonce = at.to_string();
            ledger.spawning(&nonce, "pricing 1.0.0", None).unwrap();
            ledger.spawned(&nonce, at, 1).unwrap();
            ledger.gone(&nonce);
        }
        drop(ledger);
        assert!(std::fs::metadata(root.path().join("instances.log")).unwrap().len() < COMPACT_BYTES + 1000);
        assert_eq!(Former::take(root.path()).unwrap().open.len(), 1);
    }
}
