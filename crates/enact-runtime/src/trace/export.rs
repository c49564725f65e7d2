//! Bringing spans to a collector: what is settled waits in a bounded queue, goes in batches, and is let go of, counted, when
//! the collector is away for too long. Nothing of the hub waits for it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use enact_model::id::{ExecutionId, TenantId};
use enact_store::contract::View;
use tokio::sync::{mpsc, oneshot};

use super::{Span, TraceContext, spans};
use crate::driver::read_execution;
use crate::sink::BoxFuture;

/// Settled executions that may wait to be exported.
const QUEUE_MAX: usize = 8_192;
/// Executions of one export.
const BATCH_MAX: usize = 256;
/// How long the first of a batch waits for others.
const GATHER: Duration = Duration::from_secs(1);
/// Longest time of one export.
const EXPORT_LIMIT: Duration = Duration::from_secs(10);
/// Tries of one batch, and the first pause between two of them; it doubles.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);
/// Between two lines of the log about a collector that is away.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// Where spans go.
#[derive(Clone)]
pub struct Traces {
    /// The collector.
    pub sink: Arc<dyn SpanSink>,
    /// The share of traces that are exported where the caller brought none, from 0 to 1.
    pub share: f64,
}

/// Why spans were not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// They never will be.
    #[error("the collector refuses spans: {0}")]
    Refused(String),
    /// They may be later.
    #[error("the collector takes no spans: {0}")]
    Unreachable(String),
}

/// A collector of spans.
pub trait SpanSink: Send + Sync {
    /// Brings spans there.
    fn export<'a>(&'a self, spans: Vec<Span>) -> BoxFuture<'a, Result<(), ExportError>>;
    /// Looks whether it can be reached, without a span; says what it looked at.
    ///
    /// # Errors
    /// What is in the way, for people.
    fn check<'a>(&'a self) -> BoxFuture<'a, Result<String, String>>;
}

/// Something for the exporter.
enum Job {
    Settled(TenantId, ExecutionId),
    Flush(oneshot::Sender<()>),
}

/// What became of settled executions, and what is wrong with the collector.
#[derive(Default)]
pub(crate) struct Counts {
    pub exported: AtomicU64,
    pub queue_full: AtomicU64,
    pub refused: AtomicU64,
    pub unreachable: AtomicU64,
    trouble: Mutex<Option<String>>,
}

impl Counts {
    /// Returns why the last export failed, if it did.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Where what was settled is told; it never waits.
#[derive(Clone)]
pub(crate) struct Settled {
    jobs: mpsc::Sender<Job>,
    pub(crate) counts: Arc<Counts>,
}

impl Settled {
    pub(crate) fn tell(&self, tenant: &TenantId, execution: ExecutionId) {
        if self.jobs.try_send(Job::Settled(tenant.clone(), execution)).is_err() {
            self.counts.queue_full.fetch_add(1, Ordering::Relaxed);
        }
    }
    /// Waits until what was told before is exported, or the time is over.
    pub(crate) async fn flush(&self, limit: Duration) {
        let (done, flushed) = oneshot::channel();
        let flush = async {
            if self.jobs.send(Job::Flush(done)).await.is_ok() {
                let _ = flushed.await;
            }
        };
        // What is not exported by then is lost, as it would be with the process.
        let _ = tokio::time::timeout(limit, flush).await;
    }
}

/// The task that exports.
pub(crate) struct Exporter<V> {
    traces: Traces,
    view: V,
    jobs: mpsc::Receiver<Job>,
    counts: Arc<Counts>,
    told: Option<Instant>,
}

impl<V: View> Exporter<V> {
    pub(crate) fn new(traces: Traces, view: V) -> (Self, Settled) {
        let (sender, jobs) = mpsc::channel(QUEUE_MAX);
        let counts = Arc::new(Counts::default());
        let exporter = Self { traces, view, jobs, counts: Arc::clone(&counts), told: None };
        (exporter, Settled { jobs: sender, counts })
    }

    /// Exports until nobody is left who could tell it anything.
    pub(crate) async fn run(mut self) {
        while let Some(first) = self.jobs.recv().await {
            let mut batch = Vec::new();
            let mut flushed = None;
            let end = tokio::time::Instant::now() + GATHER;
            let mut next = Some(first);
            while let Some(job) = next.take() {
                match job {
                    Job::Settled(tenant, execution) => batch.push((tenant, execution)),
                    Job::Flush(done) => {
                        flushed = Some(done);
                        break;
                    }
                }
                if batch.len() < BATCH_MAX {
                    next = tokio::time::timeout_at(end, self.jobs.recv()).await.ok().flatten();
                }
            }
            self.export(batch, flushed.is_none()).await;
            // Whoever asked may have gone.
            flushed.map(|done| done.send(()));
        }
    }

    async fn export(&mut self, batch: Vec<(TenantId, ExecutionId)>, again: bool) {
        let (view, share) = (self.view.clone(), self.traces.share);
        let made = tokio::task::spawn_blocking(move || {
            let of = |(tenant, id): &(TenantId, ExecutionId)| spans_of(&view, tenant, *id, share);
            batch.iter().filter_map(of).collect::<Vec<_>>()
        });
        let Ok(made) = made.await else { return };
        let count = made.len() as u64;
        let spans: Vec<Span> = made.into_iter().flatten().collect();
        if spans.is_empty() {
            return;
        }
        let (mut tries, mut pause) = (0, PAUSE);
        loop {
            let silence = |_| Err(ExportError::Unreachable(format!("no answer within {} s", EXPORT_LIMIT.as_secs())));
            let exporting = self.traces.sink.export(spans.clone());
            let result = tokio::time::timeout(EXPORT_LIMIT, exporting).await.unwrap_or_else(silence);
            tries += 1;
            let counter = match &result {
                Ok(()) => &self.counts.exported,
                Err(ExportError::Refused(_)) => &self.counts.refused,
                Err(ExportError::Unreachable(_)) if again && tries < TRIES => {
                    self.note(result.err());
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                    continue;
                }
                Err(ExportError::Unreachable(_)) => &self.counts.unreachable,
            };
            counter.fetch_add(count, Ordering::Relaxed);
            self.note(result.err());
            return;
        }
    }

    /// Remembers what is wrong, and says so once a minute at most.
    fn note(&mut self, error: Option<ExportError>) {
        let text = error.map(|error| error.to_string());
        let due = self.told.is_none_or(|told| told.elapsed() >= TELL_EVERY);
        match &text {
            Some(reason) if due => {
                tracing::warn!(reason, "spans are not exported; executions are not affected");
                self.told = Some(Instant::now());
            }
            Some(_) => {}
            None if self.told.take().is_some() => tracing::info!("spans are exported again"),
            None => {}
        }
        *self.counts.trouble.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }
}

/// Reads an execution and makes its spans; none if its trace is not sampled, or retention was faster.
fn spans_of<V: View>(view: &V, tenant: &TenantId, id: ExecutionId, share: f64) -> Option<Vec<Span>> {
    let execution = read_execution(view, tenant, id).ok().flatten()?;
    let context = TraceContext::of(&execution, share);
    if !context.sampled {
        return None;
    }
    let mut positions = execution.records.clone();
    positions.sort_unstable();
    let records: Vec<_> = positions.into_iter().filter_map(|lsn| view.record(lsn).ok().flatten()).collect();
    Some(spans(&execution, &records, &context))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_into_the_queue_is_counted_and_waits_for_nobody() {
        let (jobs, mut held) = mpsc::channel(3);
        let settled = Settled { jobs, counts: Arc::default() };
        (0..10).for_each(|number| settled.tell(&TenantId::default_tenant(), ExecutionId::from_u128(number)));
        assert_eq!(settled.counts.queue_full.load(Ordering::Relaxed), 7);
        assert!((0..3).all(|_| held.try_recv().is_ok()) && held.try_recv().is_err());
    }
}
