//! Prints how many durable intents per second the log, and the store above it, take: `cargo run --release --example append`.

use std::time::{Duration, Instant};

use enact_model::id::{Epoch, Lsn};
use enact_store::conformance::toy::{Dice, Model, apply};
use enact_store::contract::{Batch, Store, View};
use enact_store::embedded::{Config, DiskStore};
use enact_store::io::DiskIo;
use enact_store::log::{Log, LogConfig};

/// One intent is three durable commits of about six records in all.
const COMMITS: usize = 3;
const RECORDS: usize = 2;
const RECORD_BYTES: usize = 400;
const EACH: Duration = Duration::from_secs(3);

#[allow(clippy::print_stdout)]
fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let root = std::env::args().nth(1).map_or_else(std::env::temp_dir, Into::into);
    let dir = root.join(format!("enact-append-{}", std::process::id()));
    for in_flight in [1, 64, 512] {
        let (rate, p50_us) = log(&dir.join(format!("log-{in_flight}")), in_flight)?;
        println!("log    {in_flight:>4} in flight  {rate:>8.0} intents/s  p50 of a commit {p50_us:>6} us");
        let (rate, p50_us, lag) = store(&dir.join(format!("store-{in_flight}")), in_flight)?;
        println!(
            "store  {in_flight:>4} in flight  {rate:>8.0} intents/s  p50 of a commit {p50_us:>6} us  lag {lag} records"
        );
    }
    std::fs::remove_dir_all(&dir)?;
    Ok(())
}

type Measured<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn log(dir: &std::path::Path, in_flight: usize) -> Measured<(f64, u128)> {
    let (mut log, _) = Log::open(DiskIo, dir, LogConfig::default())?;
    let frame = vec![vec![b'x'; RECORD_BYTES]; RECORDS];
    let frames = vec![frame.as_slice(); in_flight];
    let (begin, mut times) = (Instant::now(), Vec::new());
    while begin.elapsed() < EACH {
        let at = Instant::now();
        log.append(Epoch(1), &frames)?;
        times.push(at.elapsed().as_micros());
    }
    Ok((rate(in_flight, times.len(), begin.elapsed()), p50(times)))
}

fn store(dir: &std::path::Path, in_flight: usize) -> Measured<(f64, u128, u64)> {
    let (mut store, _) = DiskStore::on_disk(dir, Config::default(), &mut apply)?;
    let (mut dice, mut model) = (Dice::new(1), Model::default());
    let template = (0..in_flight * RECORDS).flat_map(|_| model.batches(&mut dice)).collect::<Vec<Batch>>();
    let records =
        template.iter().flat_map(|batch| &batch.records).take(in_flight * RECORDS).cloned().collect::<Vec<_>>();
    let changes = template.into_iter().flat_map(|batch| batch.changes).collect::<Vec<_>>();
    let (begin, mut times) = (Instant::now(), Vec::new());
    while begin.elapsed() < EACH {
        let mut next: Lsn = store.position();
        let mut batches = Vec::with_capacity(in_flight);
        for n in 0..in_flight {
            let mut batch = Batch { records: records[n * RECORDS..][..RECORDS].to_vec(), changes: Vec::new() };
            for record in &mut batch.records {
                next = next.plus(1);
                record.lsn = next;
            }
            batch.changes.extend(changes.iter().skip(n * 2).take(4).cloned());
            batches.push(batch);
        }
        let at = Instant::now();
        store.commit(Epoch(1), store.position(), &batches)?;
        times.push(at.elapsed().as_micros());
    }
    let (elapsed, lag) = (begin.elapsed(), store.lag());
    assert_eq!(store.view().position(), store.position());
    store.close()?;
    Ok((rate(in_flight, times.len(), elapsed), p50(times), lag))
}

fn rate(in_flight: usize, commits: usize, elapsed: Duration) -> f64 {
    (in_flight * commits) as f64 / COMMITS as f64 / elapsed.as_secs_f64()
}

fn p50(mut times: Vec<u128>) -> u128 {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or(0)
}
