//! What `/proc` tells of processes: parent, group, session, start time, environment.

use std::collections::BTreeMap;
use std::io;

/// `PF_KTHREAD`.
const KERNEL_THREAD: u32 = 0x0020_0000;

/// One process, as `/proc/<pid>/stat` tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessFacts {
    /// Its id.
    pub pid: i32,
    /// Its state, such as `R` or `Z`.
    pub state: char,
    /// Its parent.
    pub parent: i32,
    /// Its process group.
    pub group: i32,
    /// Its session.
    pub session: i32,
    /// The kernel's flags of it.
    pub flags: u32,
    /// When it started, in clock ticks since boot; with the id it names a process.
    pub start: u64,
}

impl ProcessFacts {
    /// Returns whether it still runs; a zombie does not.
    pub fn is_alive(&self) -> bool {
        !matches!(self.state, 'Z' | 'X' | 'x')
    }
}

/// Reads the facts of one process.
///
/// # Errors
/// It is not there.
pub fn facts(pid: i32) -> io::Result<ProcessFacts> {
    let text = std::fs::read(format!("/proc/{pid}/stat"))?;
    parse(pid, &String::from_utf8_lossy(&text)).ok_or_else(|| io::Error::other("the stat file has another form"))
}

fn parse(pid: i32, text: &str) -> Option<ProcessFacts> {
    // The name stands in parentheses and may contain anything, parentheses included.
    let rest = text.get(text.rfind(')')? + 1..)?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    let session = fields.next()?.parse().ok()?;
    let flags = fields.nth(2)?.parse().ok()?;
    let start = fields.nth(12)?.parse().ok()?;
    Some(ProcessFacts { pid, state, parent, group, session, flags, start })
}

/// Reads the facts of every process.
///
/// # Errors
/// `/proc` cannot be read.
pub fn all() -> io::Result<BTreeMap<i32, ProcessFacts>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // It may end while we look.
        if let Ok(facts) = facts(pid) {
            found.insert(pid, facts);
        }
    }
    Ok(found)
}

/// Returns the time since boot in clock ticks, as start times are told.
pub fn ticks_since_boot() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let a_second = rustix::param::clock_ticks_per_second();
    now.tv_sec as u64 * a_second + now.tv_nsec as u64 * a_second / 1_000_000_000
}

/// Returns the processes that this one comes from: its parent, the parent of that, and so on.
pub fn ancestors() -> Vec<i32> {
    let parent = |pid: &i32| facts(*pid).ok().map(|facts| facts.parent).filter(|parent| *parent > 0);
    std::iter::successors(parent(&(std::process::id() as i32)), parent).collect()
}

/// What a process weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weight {
    /// Its threads.
    pub threads: u32,
    /// Its resident memory, in bytes.
    pub resident_bytes: u64,
}

/// Reads what a process weighs.
///
/// # Errors
/// It is not there.
pub fn weight(pid: u32) -> io::Result<Weight> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let number = |name: &str| {
        let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
        rest.split_ascii_whitespace().next()?.parse::<u64>().ok()
    };
    let threads = number("Threads:").and_then(|count| u32::try_from(count).ok());
    let threads = threads.ok_or_else(|| io::Error::other("the status file has another form"))?;
    // One that has ended has no memory any more.
    Ok(Weight { threads, resident_bytes: number("VmRSS:").unwrap_or(0) * 1024 })
}

/// Reads variables of a process's environment as it was at its exec, all absent if it may not be read; nothing while it
/// cannot be known: in the middle of an exec, and of an exit.
pub fn environment<const N: usize>(pid: i32, names: [&str; N]) -> Option<[Option<String>; N]> {
    let mut text = read(pid, "environ");
    if text.is_empty() {
        if is_passing(pid) {
            return None;
        }
        // It has none, or came through its exec after it was read.
        text = read(pid, "environ");
    }
    Some(names.map(|name| {
        text.split(|byte| *byte == 0)
            .find_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
            .map(|value| String::from_utf8_lossy(value).into_owned())
    }))
}

/// Returns whether a process is in the middle of its exec or its exit, and so has neither arguments nor environment.
/// The kernel wakes the parent of one that is started, and closes descriptors, before it has set these up; and it takes
/// them away from one that ends before its children get another parent.
fn is_passing(pid: i32) -> bool {
    // A kernel thread never has any.
    read(pid, "cmdline").is_empty() && facts(pid).is_ok_and(|facts| facts.flags & KERNEL_THREAD == 0)
}

fn read(pid: i32, name: &str) -> Vec<u8> {
    std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default()
}

/// Reads how many processes the kernel has killed for want of memory since boot.
pub fn oom_kills() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/vmstat").ok()?;
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_confuse_the_reader() {
        let line = "7 (a) b (c) S 1 2 3 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 777 1 1";
        let facts = parse(7, line).unwrap();
        assert_eq!((facts.parent, facts.group, facts.session), (1, 2, 3));
        assert_eq!((facts.flags, facts.start), (4_194_560, 777));
        assert!(facts.is_alive());
        assert_eq!(parse(7, "7 (a"), None);
    }

    #[test]
    fn this_process_finds_itself() {
        let pid = std::process::id() as i32;
        assert_eq!(all().unwrap().get(&pid).map(|found| found.start), Some(facts(pid).unwrap().start));
        assert!(oom_kills().is_some());
    }
}
