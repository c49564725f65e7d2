//! A start with many settled executions behind it: how long it takes and what it holds, after a kill and after a clean end.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Failure;
use crate::options::Options;
use crate::report::Row;
use crate::world::World;

/// A fill ends here even if it is not done.
const FILL_LIMIT: Duration = Duration::from_secs(1_800);
const IN_FLIGHT: u32 = 512;

/// Measures starts of an empty store, of a full one and of one with a tenth of its history.
pub fn measure(options: &Options) -> Result<Vec<Row>, Failure> {
    let folder = tempfile::tempdir_in(&options.dir)?;
    let filled = |name: &str, executions: u64| {
        let store = folder.path().join(name);
        child(&["fill", &store.display().to_string(), &executions.to_string()])?;
        Ok::<_, Failure>((opened(&store)?, opened(&store)?))
    };
    let (_, nothing) = filled("empty", 1)?;
    let (_, tenth) = filled("tenth", options.settled / 10)?;
    let (killed, clean) = filled("full", options.settled)?;
    let mib = |opened: &Value| opened["resident_bytes"].as_f64().unwrap_or_default() / f64::from(1 << 20);
    let ms = |opened: &Value| opened["open_ms"].as_f64().unwrap_or_default();
    let second = 1_000.0;
    Ok(vec![
        Row::new("start empty", 0, ms(&nothing), "ms").beside(second),
        Row::new("start empty memory", 0, mib(&nothing), "MiB"),
        Row::new("settled before", IN_FLIGHT, options.settled as f64, "executions"),
        Row::new("start after kill", 0, ms(&killed), "ms").beside(second),
        Row::new("start", 0, ms(&clean), "ms").beside(second),
        Row::new("start memory", 0, mib(&clean), "MiB").beside(mib(&nothing)),
        // The target of both: no more than 1.5.
        Row::new("start of a tenth", 0, ms(&tenth), "ms"),
        Row::new("start, to that of a tenth", 0, ms(&clean), "ms").beside(ms(&tenth)),
        Row::new("start memory, to that of a tenth", 0, mib(&clean), "MiB").beside(mib(&tenth)),
    ])
}

fn opened(store: &Path) -> Result<Value, Failure> {
    Ok(serde_json::from_slice(&child(&["open", &store.display().to_string()])?)?)
}

/// A process of its own: what another measurement left in memory is not counted.
fn child(words: &[&str]) -> Result<Vec<u8>, Failure> {
    let output = Command::new(std::env::current_exe()?).args(words).stderr(std::process::Stdio::inherit()).output()?;
    // The one that fills a store kills itself.
    let killed = std::os::unix::process::ExitStatusExt::signal(&output.status) == Some(9);
    if output.status.success() || killed {
        Ok(output.stdout)
    } else {
        Err(format!("{words:?}: {}", output.status).into())
    }
}

/// Settles executions in a new store, then dies as a process does that is killed.
pub fn fill(store: &Path, executions: u64) -> Result<(), Failure> {
    std::fs::create_dir_all(store)?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let world = World::open(store).await?;
        world.add_component(store).await?;
        world.load(IN_FLIGHT, Instant::now() + FILL_LIMIT, executions).await?;
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)?;
        Ok(())
    })
}

/// Opens a store, tells how long that took and what it holds, and ends cleanly.
pub fn open(store: &Path) -> Result<Value, Failure> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let begin = Instant::now();
        let world = World::open(store).await?;
        let open_ms = begin.elapsed().as_secs_f64() * 1e3;
        let resident = enact_host::conformance::usage()?.memory;
        world.hub.shutdown().await?;
        Ok(json!({ "open_ms": open_ms, "resident_bytes": resident }))
    })
}
