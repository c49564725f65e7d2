//! The hub in process: intents through the real ring, judged and settled, beside what the disk alone would do.

use std::path::Path;
use std::time::{Duration, Instant};

use enact_model::id::Lsn;
use enact_model::record::RecordFilter;
use enact_runtime::api::{Request, Response};

use crate::Failure;
use crate::floor::{Commit, Floor};
use crate::latency::{Latency, cpu_seconds};
use crate::report::Row;
use crate::world::World;

/// How long the hub runs before its figures count: schemas are compiled, the allocator and the files are warm.
const WARM_UP: Duration = Duration::from_millis(500);

/// What the hub did with one load.
pub struct Load {
    seconds: f64,
    cpu_seconds: f64,
    intents: Latency,
    behind: u64,
    caught_up: Duration,
    resident: u64,
}

/// Puts one load on a hub with a store of its own.
pub fn measure(dir: &Path, in_flight: u32, time: Duration) -> Result<Load, Failure> {
    let store = tempfile::tempdir_in(dir)?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let world = World::open(store.path()).await?;
        world.add_component(store.path()).await?;
        world.load(in_flight, Instant::now() + WARM_UP, u64::MAX).await?;
        let (begin, cpu) = (Instant::now(), cpu_seconds());
        let intents = world.load(in_flight, begin + time, u64::MAX).await?;
        let (seconds, cpu_seconds) = (begin.elapsed().as_secs_f64(), cpu_seconds() - cpu);
        let (behind, caught_up) = world.catch_up().await;
        let resident = enact_host::conformance::usage()?.memory;
        world.hub.shutdown().await?;
        Ok(Load { seconds, cpu_seconds, intents, behind, caught_up, resident })
    })
}

/// Returns the records that one intent makes, one entry for each commit.
pub fn commits(dir: &Path) -> Result<Vec<Commit>, Failure> {
    let store = tempfile::tempdir_in(dir)?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let world = World::open(store.path()).await?;
        world.add_component(store.path()).await?;
        let Response::Accepted { execution, .. } = World::ask(&world.hub, &world.caller).await? else {
            return Err("an intent was not accepted".into());
        };
        let filter = RecordFilter { execution: Some(execution.execution.id), ..RecordFilter::default() };
        let records = match world.hub.handle(&world.caller, Request::Records { filter, limit: 100 }).await {
            Response::Records(page) => page.items,
            other => return Err(format!("the records of an intent are not told: {other:?}").into()),
        };
        world.hub.shutdown().await?;
        let mut records = records;
        records.sort_by_key(|record| record.lsn);
        // The command of a commit has one actor: the client's records, then the host's.
        let commits = records.chunk_by(|a, b| a.actor == b.actor && b.lsn == Lsn(a.lsn.0 + 1));
        let commits: Vec<Commit> = commits.map(Into::into).collect();
        if commits.len() != 2 {
            return Err(format!("an intent is {} commits where 2 were expected", commits.len()).into());
        }
        Ok(commits)
    })
}

impl Load {
    /// Returns its rate beside that of another floor.
    pub fn beside(&self, in_flight: u32, floor: &Floor) -> Row {
        Row::new("ring by stages", in_flight, self.rate(), "intents/s").beside(floor.rate())
    }
    fn rate(&self) -> f64 {
        self.intents.count() as f64 / self.seconds
    }
    /// Returns the figures beside those of the floor.
    pub fn rows(mut self, in_flight: u32, floor: &mut Floor) -> Vec<Row> {
        let p50_us = self.intents.quantile_us(0.5);
        let p99_us = self.intents.quantile_us(0.99);
        let mut rows = vec![
            Row::new("ring", in_flight, self.rate(), "intents/s").beside(floor.rate()),
            Row::new("ring p50", in_flight, p50_us, "us").beside(floor.p50_us()),
            Row::new("ring p99", in_flight, p99_us, "us").beside(floor.p99_us()),
        ];
        let cpu_us = self.cpu_seconds * 1e6 / self.intents.count().max(1) as f64;
        rows.push(Row::new("ring cpu", in_flight, cpu_us, "us/intent").beside(floor.cpu_us()));
        if in_flight == 1 {
            // The target: no more than three.
            rows.push(
                Row::new("ring p50 over floor", in_flight, p50_us - floor.p50_us(), "us").beside(floor.commit_us()),
            );
        }
        rows.push(Row::new("ring behind", in_flight, self.behind as f64, "records"));
        // The target is a second.
        rows.push(Row::new("ring catch-up", in_flight, self.caught_up.as_secs_f64() * 1e3, "ms").beside(1_000.0));
        rows.push(Row::new("ring memory", in_flight, self.resident as f64 / f64::from(1 << 20), "MiB"));
        rows
    }
}
