//! Where two processes run that talk to each other: on one core a wake-up is a switch, on two it goes through the other's sleep.

use std::fmt;
use std::process::{Command, Stdio};

use crate::Failure;

/// Every placement, in the order of the rows.
pub const PLACEMENTS: [Placement; 3] = [Placement::Free, Placement::OneCore, Placement::TwoCores];

/// Where this process and its peer run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// Where the scheduler puts them, which may be one core in one run and two in the next.
    Free,
    /// Both on the first core.
    OneCore,
    /// This process on the first core, its peer on the second; the same as one core where there is no other.
    TwoCores,
}

impl Placement {
    /// Puts every thread of this process and of a peer in their places.
    ///
    /// # Errors
    /// There is no `taskset`, or one of the processes is gone.
    pub fn apply(self, peer: u32) -> Result<(), Failure> {
        let last = std::fs::read_to_string("/sys/devices/system/cpu/online")?;
        let last: u32 = last.trim().rsplit(['-', ',']).next().unwrap_or_default().parse()?;
        let all = format!("0-{last}");
        let second = last.min(1).to_string();
        let (ours, theirs) = match self {
            Self::Free => (all.as_str(), all.as_str()),
            Self::OneCore => ("0", "0"),
            Self::TwoCores => ("0", second.as_str()),
        };
        put(std::process::id(), ours)?;
        put(peer, theirs)
    }
}

fn put(pid: u32, cores: &str) -> Result<(), Failure> {
    let mut taskset = Command::new("taskset");
    taskset.args(["--all-tasks", "--cpu-list", "--pid", cores, &pid.to_string()]);
    if taskset.stdout(Stdio::null()).status()?.success() {
        return Ok(());
    }
    Err(format!("process {pid} cannot be put on the cores {cores}").into())
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Free => "",
            Self::OneCore => ", one core",
            Self::TwoCores => ", two cores",
        })
    }
}
