//! What a hub holds at a moment, as the system tells it, and what the disk alone takes in the same window.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use super::judge::Point;

/// What was seen in one window.
#[derive(Debug, Clone, Default)]
pub(super) struct Sample {
    pub(super) at_s: f64,
    pub(super) age_s: f64,
    /// Whether the hub was away in the window, or had just come back.
    pub(super) disturbed: bool,
    /// Calls that were answered.
    pub(super) calls: usize,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    /// Of an append of 4 KiB and its fdatasync, on the same disk.
    pub(super) probe_ms: f64,
    pub(super) held: Held,
    pub(super) store_mib: f64,
    /// Messages that a sink still has to get.
    pub(super) pending: u64,
    /// How long the oldest of them has waited, in seconds.
    pub(super) oldest_s: f64,
}

impl Sample {
    /// Returns one of its figures as a point.
    pub(super) fn point(&self, value: f64) -> Point {
        Point { at_s: self.at_s, age_s: self.age_s, value }
    }
}

/// What processes hold.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Held {
    pub(super) resident_mib: f64,
    /// Of all its children together.
    pub(super) children_mib: f64,
    pub(super) descriptors: f64,
    pub(super) threads: f64,
}

/// Returns what a process and its children hold; none if it is gone.
pub(super) fn held(pid: u32) -> Option<Held> {
    let mut parents: BTreeMap<u32, (u32, f64)> = BTreeMap::new();
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Ok(status) = fs::read_to_string(entry.path().join("status")) else { continue };
        parents.insert(pid, (field(&status, "PPid:").unwrap_or(0.0) as u32, field(&status, "VmRSS:").unwrap_or(0.0)));
    }
    let descends = |mut child: u32| {
        // No family is deeper than there are processes.
        for _ in 0..parents.len() {
            match parents.get(&child) {
                Some((parent, _)) if *parent == pid => return true,
                Some((parent, _)) => child = *parent,
                None => return false,
            }
        }
        false
    };
    let children = parents.iter().filter(|(child, _)| descends(**child)).map(|(_, (_, kib))| kib).sum::<f64>();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    Some(Held {
        resident_mib: field(&status, "VmRSS:")? / 1_024.0,
        children_mib: children / 1_024.0,
        descriptors: fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count() as f64,
        threads: field(&status, "Threads:")?,
    })
}

fn field(status: &str, name: &str) -> Option<f64> {
    status.lines().find_map(|line| line.strip_prefix(name))?.split_ascii_whitespace().next()?.parse().ok()
}

/// Returns how many MiB the files below a folder have.
pub(super) fn folder_mib(folder: &Path) -> f64 {
    fn bytes(folder: &Path) -> u64 {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        // What goes meanwhile has no size.
        let size = |entry: fs::DirEntry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => bytes(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        };
        entries.map(size).sum()
    }
    bytes(folder) as f64 / f64::from(1 << 20)
}

/// Appends 4 KiB and syncs them, so many times spread over a time; returns how long each took, in milliseconds.
pub(super) fn probe(folder: &Path, time: Duration, times: u32) -> std::io::Result<Vec<f64>> {
    let path = folder.join("probe");
    let mut file = fs::File::create(&path)?;
    let mut took = Vec::new();
    for _ in 0..times {
        let begin = Instant::now();
        file.write_all(&[7; 4_096])?;
        file.sync_data()?;
        took.push(begin.elapsed().as_secs_f64() * 1e3);
        std::thread::sleep((time / times).saturating_sub(begin.elapsed()));
    }
    fs::remove_file(path)?;
    Ok(took)
}

/// Returns the value that `share` of all are below; zero where there are none.
pub(super) fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let at = (values.len() as f64 * share) as usize;
    values.get(at.min(values.len().saturating_sub(1))).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_memory_threads_and_descriptors_and_its_children_are_apart() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let held = held(std::process::id()).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(held.resident_mib > 1.0 && held.threads >= 1.0 && held.descriptors >= 3.0, "{held:?}");
        assert!(held.children_mib > 0.0, "{held:?}");
    }

    #[test]
    fn what_lies_in_a_folder_is_counted_with_what_lies_below() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("below")).unwrap();
        fs::write(folder.path().join("below/a"), vec![0; 1 << 20]).unwrap();
        fs::write(folder.path().join("b"), vec![0; 1 << 20]).unwrap();
        let mib = folder_mib(folder.path());
        assert!((2.0..2.1).contains(&mib), "{mib}");
        assert_eq!(probe(folder.path(), Duration::ZERO, 3).unwrap().len(), 3);
    }
}
