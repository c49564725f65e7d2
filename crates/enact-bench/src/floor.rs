//! The floor: the same records through one writer that batches whatever is queued, one sync for each batch, and nothing else.
//! It encodes and appends them as the log does; beside it stands the disk alone, which gets their bytes ready-made.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use enact_model::id::Epoch;
use enact_model::record::Record;
use enact_store::io::DiskIo;
use enact_store::log::{Log, LogConfig};
use tokio::sync::{mpsc, oneshot};

use crate::Failure;
use crate::latency::{Latency, cpu_seconds};
use crate::report::Row;

/// The file is written round and round; it is made before, as the log makes its segments.
const FILE_BYTES: u64 = 64 << 20;
/// Commands of one batch at most, as in the ring.
const BATCH_MAX: usize = 1_024;

/// What one disk does with one load.
#[derive(Debug, Default)]
pub struct Floor {
    seconds: f64,
    cpu_seconds: f64,
    intents: Latency,
    commits: Latency,
}

/// The records of one commit.
pub type Commit = Arc<[Record]>;
type Append = (Commit, oneshot::Sender<()>);

/// Where a batch of commits goes.
trait Sink: Send + 'static {
    fn append(&mut self, batch: &[Append]) -> Result<(), Failure>;
}

/// The log of the store.
struct Bare(Log<DiskIo>);

impl Sink for Bare {
    fn append(&mut self, batch: &[Append]) -> Result<(), Failure> {
        let frames: Vec<Vec<_>> = batch.iter().map(|(commit, _)| commit.iter().map(Record::encode).collect()).collect();
        let frames: Vec<_> = frames.iter().map(Vec::as_slice).collect();
        self.0.append(Epoch(1), &frames)?;
        Ok(())
    }
}

/// A file that is written round and round, with as many bytes as the records have.
struct Disk {
    file: File,
    bytes: Vec<u8>,
    offset: u64,
}

impl Sink for Disk {
    fn append(&mut self, batch: &[Append]) -> Result<(), Failure> {
        let bytes = self.bytes.repeat(batch.len());
        if self.offset + bytes.len() as u64 > FILE_BYTES {
            self.offset = 0;
        }
        self.file.write_all_at(&bytes, self.offset)?;
        self.file.sync_data()?;
        self.offset += bytes.len() as u64;
        Ok(())
    }
}

/// Appends the records of `commits` one commit after the other for every intent, each durable before the next.
pub fn records(dir: &Path, commits: &[Commit], in_flight: u32, time: Duration) -> Result<Floor, Failure> {
    let folder = tempfile::tempdir_in(dir)?;
    let (log, _) = Log::open(DiskIo, folder.path(), LogConfig::default())?;
    measure(Bare(log), commits, in_flight, time)
}

/// Writes as many bytes as often.
pub fn bytes(dir: &Path, commits: &[Commit], in_flight: u32, time: Duration) -> Result<Floor, Failure> {
    let folder = tempfile::tempdir_in(dir)?;
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(folder.path().join("floor"))?;
    for at in 0..FILE_BYTES >> 20 {
        file.write_all_at(&[0; 1 << 20], at << 20)?;
    }
    file.sync_all()?;
    let encoded: usize = commits.iter().flat_map(|commit| commit.iter()).map(|record| record.encode().len()).sum();
    let bytes = vec![1; encoded / commits.len().max(1)];
    measure(Disk { file, bytes, offset: 0 }, commits, in_flight, time)
}

/// Returns the commits of an intent whose stages are committed one by one: three of six records each, which are those of the
/// two commits that it takes here, again and again.
pub fn stages(commits: &[Commit]) -> Vec<Commit> {
    let mut records = commits.iter().flat_map(|commit| commit.iter()).cycle().cloned();
    (0..3).map(|_| records.by_ref().take(6).collect()).collect()
}

fn measure(sink: impl Sink, commits: &[Commit], in_flight: u32, time: Duration) -> Result<Floor, Failure> {
    let (sender, receiver) = mpsc::channel::<Append>(4_096);
    let writer = std::thread::spawn(move || write(sink, receiver));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().build()?;
    let (begin, cpu) = (Instant::now(), cpu_seconds());
    let intents = runtime.block_on(async {
        let clients = (0..in_flight).map(|_| tokio::spawn(client(sender.clone(), commits.to_vec(), begin + time)));
        let mut intents = Latency::default();
        for client in clients.collect::<Vec<_>>() {
            intents.merge(client.await?);
        }
        Ok::<_, Failure>(intents)
    })?;
    let (seconds, cpu_seconds) = (begin.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    drop(sender);
    let commits = writer.join().map_err(|_| "the writer panicked")??;
    Ok(Floor { seconds, cpu_seconds, intents, commits })
}

async fn client(sender: mpsc::Sender<Append>, commits: Vec<Commit>, end: Instant) -> Latency {
    let mut times = Latency::default();
    while Instant::now() < end {
        let begin = Instant::now();
        for commit in &commits {
            let (done, durable) = oneshot::channel();
            if sender.send((Arc::clone(commit), done)).await.is_err() || durable.await.is_err() {
                return times;
            }
        }
        times.add(begin.elapsed());
    }
    times
}

fn write(mut sink: impl Sink, mut receiver: mpsc::Receiver<Append>) -> Result<Latency, Failure> {
    let mut times = Latency::default();
    let mut batch = Vec::new();
    while receiver.blocking_recv_many(&mut batch, BATCH_MAX) > 0 {
        let begin = Instant::now();
        sink.append(&batch)?;
        times.add(begin.elapsed());
        for (_, done) in batch.drain(..) {
            // A client that has ended needs no answer.
            let _ = done.send(());
        }
    }
    Ok(times)
}

impl Floor {
    /// Adds another stretch of the same load.
    pub fn merge(&mut self, other: Self) {
        self.seconds += other.seconds;
        self.cpu_seconds += other.cpu_seconds;
        self.intents.merge(other.intents);
        self.commits.merge(other.commits);
    }
    /// Returns intents per second.
    pub fn rate(&self) -> f64 {
        self.intents.count() as f64 / self.seconds
    }
    /// Returns the median time of an intent in microseconds.
    pub fn p50_us(&mut self) -> f64 {
        self.intents.quantile_us(0.5)
    }
    /// Returns the 99th percentile of an intent in microseconds.
    pub fn p99_us(&mut self) -> f64 {
        self.intents.quantile_us(0.99)
    }
    /// Returns the median time of a commit in microseconds.
    pub fn commit_us(&mut self) -> f64 {
        self.commits.quantile_us(0.5)
    }
    /// Returns the processor time of an intent in microseconds.
    pub fn cpu_us(&self) -> f64 {
        self.cpu_seconds * 1e6 / self.intents.count().max(1) as f64
    }
    /// Returns its figures.
    pub fn rows(&mut self, name: &str, in_flight: u32) -> Vec<Row> {
        let figures = [
            ("", self.rate(), "intents/s"),
            (" p50", self.p50_us(), "us"),
            (" p99", self.p99_us(), "us"),
            (" commit p50", self.commit_us(), "us"),
            (" commit p99", self.commits.quantile_us(0.99), "us"),
            (" cpu", self.cpu_us(), "us/intent"),
        ];
        figures.map(|(what, value, unit)| Row::new(format!("{name}{what}"), in_flight, value, unit)).into()
    }
}
