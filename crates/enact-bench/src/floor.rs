//! The floor: the same bytes through a writer that batches whatever is queued, one write and one fdatasync for each batch.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

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

type Append = (Arc<[u8]>, oneshot::Sender<()>);

/// Appends `frames` one after the other for every intent, each durable before the next.
pub fn measure(dir: &Path, frames: &[Arc<[u8]>], in_flight: u32, time: Duration) -> Result<Floor, Failure> {
    let folder = tempfile::tempdir_in(dir)?;
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(folder.path().join("floor"))?;
    for at in 0..FILE_BYTES >> 20 {
        file.write_all_at(&[0; 1 << 20], at << 20)?;
    }
    file.sync_all()?;
    let (sender, receiver) = mpsc::channel::<Append>(4_096);
    let writer = std::thread::spawn(move || write(&file, receiver));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().build()?;
    let (begin, cpu) = (Instant::now(), cpu_seconds());
    let intents = runtime.block_on(async {
        let clients = (0..in_flight).map(|_| tokio::spawn(client(sender.clone(), frames.to_vec(), begin + time)));
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

async fn client(sender: mpsc::Sender<Append>, frames: Vec<Arc<[u8]>>, end: Instant) -> Latency {
    let mut times = Latency::default();
    while Instant::now() < end {
        let begin = Instant::now();
        for frame in &frames {
            let (done, durable) = oneshot::channel();
            if sender.send((Arc::clone(frame), done)).await.is_err() || durable.await.is_err() {
                return times;
            }
        }
        times.add(begin.elapsed());
    }
    times
}

fn write(file: &File, mut receiver: mpsc::Receiver<Append>) -> std::io::Result<Latency> {
    let (mut times, mut offset) = (Latency::default(), 0);
    let (mut buffer, mut waiting) = (Vec::new(), Vec::new());
    while let Some(first) = receiver.blocking_recv() {
        let mut next = Some(first);
        while let Some((bytes, done)) = next {
            buffer.extend_from_slice(&bytes);
            waiting.push(done);
            next = if waiting.len() < BATCH_MAX { receiver.try_recv().ok() } else { None };
        }
        if offset + buffer.len() as u64 > FILE_BYTES {
            offset = 0;
        }
        let begin = Instant::now();
        file.write_all_at(&buffer, offset)?;
        file.sync_data()?;
        times.add(begin.elapsed());
        offset += buffer.len() as u64;
        buffer.clear();
        for done in waiting.drain(..) {
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
    pub fn rows(&mut self, in_flight: u32) -> Vec<Row> {
        vec![
            Row::new("floor", in_flight, self.rate(), "intents/s"),
            Row::new("floor p50", in_flight, self.p50_us(), "us"),
            Row::new("floor p99", in_flight, self.p99_us(), "us"),
            Row::new("floor commit p50", in_flight, self.commit_us(), "us"),
            Row::new("floor commit p99", in_flight, self.commits.quantile_us(0.99), "us"),
            Row::new("floor cpu", in_flight, self.cpu_us(), "us/intent"),
        ]
    }
}
