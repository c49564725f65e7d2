//! What the system says of this process.

use super::Samples;

/// Clock ticks in a second, as Linux counts them for programs.
const TICKS: f64 = 100.0;

/// Gathers memory, descriptors, threads and processor time; what this system does not tell is left out.
pub fn gather(samples: &mut Samples) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let rest = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        rest.split_ascii_whitespace().next()?.parse::<f64>().ok()
    };
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    for (name, value) in [
        ("process_resident_memory_bytes", field("VmRSS").map(|kib| kib * 1024.0)),
        ("process_threads", field("Threads")),
        ("process_open_fds", std::fs::read_dir("/proc/self/fd").ok().map(|entries| entries.count() as f64)),
        ("process_max_fds", limit.map(|limit| limit as f64)),
        ("process_cpu_seconds_total", processor_time()),
    ] {
        if let Some(value) = value {
            samples.put(name, &[], value);
        }
    }
}

fn processor_time() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program stands in parentheses and may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut ticks = rest.split_ascii_whitespace().skip(11).take(2).map(str::parse::<f64>);
    Some((ticks.next()?.ok()? + ticks.next()?.ok()?) / TICKS)
}
