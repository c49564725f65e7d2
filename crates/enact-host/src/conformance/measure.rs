//! Measuring the machine beside the host: how long it stalls everyone, and what this process uses.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Measures how late a thread of its own wakes up: the delay that the machine adds to everybody's time.
#[derive(Debug)]
pub struct Stalls {
    worst_us: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl Stalls {
    /// Begins to measure.
    pub fn measure() -> Self {
        let stalls = Self { worst_us: Arc::default(), stop: Arc::default() };
        let (worst, stop) = (stalls.worst_us.clone(), stalls.stop.clone());
        std::thread::spawn(move || {
            let step = Duration::from_millis(5);
            while !stop.load(Ordering::Relaxed) {
                let begun = Instant::now();
                std::thread::sleep(step);
                let late = begun.elapsed().saturating_sub(step);
                worst.fetch_max(u64::try_from(late.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
            }
        });
        stalls
    }
    /// Returns the longest delay so far.
    pub fn worst(&self) -> Duration {
        Duration::from_micros(self.worst_us.load(Ordering::Relaxed))
    }
}

impl Drop for Stalls {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// What this process uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Living processes that it is the parent of.
    pub children: usize,
    /// Zombies that it is the parent of.
    pub zombies: usize,
    /// Open descriptors.
    pub descriptors: usize,
    /// Threads.
    pub threads: usize,
    /// Resident memory in bytes.
    pub memory: u64,
    /// The most resident memory so far, in bytes.
    pub memory_peak: u64,
}

/// Reads what this process uses from `/proc/self`.
///
/// # Errors
/// `/proc` cannot be read.
pub fn usage() -> std::io::Result<Usage> {
    let own = i32::try_from(std::process::id()).map_err(std::io::Error::other)?;
    let all = crate::proc::all()?;
    let children: Vec<_> = all.values().filter(|facts| facts.parent == own).collect();
    let status = std::fs::read_to_string("/proc/self/status")?;
    let kilobytes = |name: &str| -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.split_ascii_whitespace().next()?.parse().ok()).unwrap_or(0)
    };
    Ok(Usage {
        children: children.iter().filter(|facts| facts.is_alive()).count(),
        zombies: children.iter().filter(|facts| !facts.is_alive()).count(),
        descriptors: std::fs::read_dir("/proc/self/fd")?.count(),
        threads: std::fs::read_dir("/proc/self/task")?.count(),
        memory: kilobytes("VmRSS:") * 1024,
        memory_peak: kilobytes("VmHWM:") * 1024,
    })
}
