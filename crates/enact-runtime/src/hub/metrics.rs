//! The figures of the hub at this moment: what was counted as it happened, and what is looked up in the durable tables now.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use enact_engine::conclude::own_name;
use enact_engine::view::rows;
use enact_host::contract::{HostState, HostStats};
use enact_model::conclusion::DetailCode;
use enact_model::id::{Lsn, SinkId, TenantId};
use enact_model::message::Delivery;
use enact_model::table::{KeyRange, Row, Table};
use enact_model::time::Timestamp;
use enact_store::contract::{Order, ReadError, View};

use super::Hub;
use crate::api::SinkLag;
use crate::driver::{Durable, read_execution};
use crate::metrics::{HUB, Sample, Samples, process};
use crate::witness::OTHER;

/// Most messages that are looked at for dead letters.
const MESSAGES_MAX: usize = 200_000;
/// How long a count of dead letters holds at least.
const COUNT_HOLDS: Duration = Duration::from_secs(60);
/// Every state of a component version, as the label says it.
const STATES: [&str; 8] =
    ["registered", "starting", "ready", "degraded", "backing_off", "failed", "draining", "stopped"];

/// Dead letters by sink, as they were counted last.
#[derive(Debug, Default)]
pub(super) struct DeadLetters(Mutex<Option<Count>>);

#[derive(Debug)]
struct Count {
    at: Instant,
    /// What [`crate::witness::Figures::dead_letters_changed`] stood at.
    changed: u64,
    by_sink: BTreeMap<SinkId, u64>,
}

impl Hub {
    /// Returns every figure of the hub, in the order of [`HUB`].
    ///
    /// # Errors
    /// When the tables cannot be read.
    pub async fn metrics(self: &Arc<Self>) -> Result<Vec<Sample>, ReadError> {
        let hub = Arc::clone(self);
        let gathered = tokio::task::spawn_blocking(move || hub.gather()).await;
        gathered.map_err(|error| ReadError::new("the figures of the hub", error))?
    }

    fn gather(&self) -> Result<Vec<Sample>, ReadError> {
        let mut samples = Samples::of(HUB);
        self.counted(&mut samples);
        self.open_work(&mut samples)?;
        self.log_and_tables(&mut samples);
        self.components_now(&mut samples);
        self.outbox_now(&mut samples)?;
        let (watchers, looks) = self.ring.witness().watchers().counts();
        let flag = |yes: bool| f64::from(u8::from(yes));
        for (name, value) in [
            ("enact_attempts_running", self.performer.running() as f64),
            ("enact_artifact_bytes_total", self.performer.artifacts().taken_in() as f64),
            ("enact_watchers", watchers as f64),
            ("enact_watcher_looks_total", looks as f64),
            ("enact_draining", flag(self.is_draining())),
            ("enact_poisoned", flag(self.ring.poisoned().is_some())),
            ("process_start_time_seconds", self.started_at.0 as f64 / 1e3),
        ] {
            samples.put(name, &[], value);
        }
        self.traces_now(&mut samples);
        samples.put("enact_build_info", &[env!("CARGO_PKG_VERSION")], 1.0);
        process::gather(&mut samples);
        Ok(samples.sorted())
    }

    /// What was counted as it was committed, denied or refused.
    fn counted(&self, samples: &mut Samples) {
        let figures = self.ring.witness().figures();
        for (place, of) in &figures.of_tenants {
            let tenant = figures.tenants.label(*place);
            samples.put("enact_intents_admitted_total", &[tenant], of.admitted as f64);
            samples.put("enact_denied_total", &[tenant], of.denied as f64);
            let mut rejected: BTreeMap<String, u64> = BTreeMap::new();
            for (code, count) in &of.rejected {
                *rejected.entry(reason(*code)).or_default() += count;
            }
            for (reason, count) in rejected {
                samples.put("enact_intents_rejected_total", &[tenant, &reason], count as f64);
            }
            for ((outcome, category), count) in &of.settled {
                let category = category.map_or_else(|| "none".to_owned(), |category| category.to_string());
                let labels = [tenant, outcome, category.as_str()];
                samples.put("enact_executions_settled_total", &labels, *count as f64);
            }
        }
        for (place, of) in &figures.of_components {
            let component = [figures.components.label(*place)];
            samples.histogram("enact_execution_start_seconds", &component, &of.start);
            samples.histogram("enact_attempt_seconds", &component, &of.attempt);
            samples.histogram("enact_execution_settle_seconds", &component, &of.settle);
            samples.histogram("enact_execution_seconds", &component, &of.whole);
        }
        samples.histogram("enact_commit_seconds", &[], &figures.commit_seconds);
        samples.histogram("enact_commit_commands", &[], &figures.commit_commands);
        samples.histogram("enact_commit_records", &[], &figures.commit_records);
        for ((sink, result), count) in &figures.deliveries {
            samples.put("enact_deliveries_total", &[sink.as_str(), result], *count as f64);
        }
    }

    /// What is open and what is queued, by tenant.
    fn open_work(&self, samples: &mut Samples) -> Result<(), ReadError> {
        #[derive(Default)]
        struct Work {
            open: u64,
            bytes: u64,
            queued: u64,
            oldest: Option<Timestamp>,
        }
        let view = self.ring.view();
        let mut oldest: BTreeMap<TenantId, (Lsn, enact_model::id::ExecutionId, u64)> = BTreeMap::new();
        for (key, row) in rows(&Durable(view), KeyRange::table(Table::Queue)) {
            let (Some(Ok(tenant)), Row::Queue(row)) = (key.second_text().map(|text| text.parse()), row) else {
                continue;
            };
            let lsn = key.last_lsn().unwrap_or(Lsn::ZERO);
            let (first, execution, count) = oldest.entry(tenant).or_insert((lsn, row.execution, 0));
            *count += 1;
            if lsn < *first {
                (*first, *execution) = (lsn, row.execution);
            }
        }
        // Whoever has nothing open is told as well: a series that ends says less than one that is zero.
        let known = self.ring.witness().figures().tenants.all();
        let mut work: BTreeMap<String, Work> = known.into_iter().map(|name| (name, Work::default())).collect();
        let label = |tenant: &TenantId| {
            let mut figures = self.ring.witness().figures();
            let place = figures.tenants.place(tenant);
            figures.tenants.label(place).to_owned()
        };
        for (tenant, (_, execution, count)) in &oldest {
            let accepted = read_execution(view, tenant, *execution)?.map(|row| row.accepted_at);
            let work = work.entry(label(tenant)).or_default();
            work.queued += count;
            work.oldest = work.oldest.into_iter().chain(accepted).min();
        }
        for (key, row) in rows(&Durable(view), KeyRange::table(Table::Tally)) {
            let (Some(Ok(tenant)), Row::Tally(row)) = (key.first_text().map(|text| text.parse()), row) else {
                continue;
            };
            let work = work.entry(label(&tenant)).or_default();
            work.open += row.open;
            work.bytes += row.bytes;
        }
        let now = self.ring.now();
        for (tenant, work) in work {
            let age = work.oldest.map_or(0.0, |oldest| now.since(oldest).as_secs_f64());
            for (name, value) in [
                ("enact_executions_open", work.open as f64),
                ("enact_executions_open_bytes", work.bytes as f64),
                ("enact_executions_queued", work.queued as f64),
                ("enact_executions_queued_oldest_seconds", age),
            ] {
                samples.put(name, &[&tenant], value);
            }
        }
        Ok(())
    }

    fn log_and_tables(&self, samples: &mut Samples) {
        let view = self.ring.view();
        let (segments, bytes) = view.log_size();
        for (name, value) in [
            ("enact_log_position", view.position().0 as f64),
            ("enact_log_bytes", bytes as f64),
            ("enact_log_segments", segments as f64),
            ("enact_tables_behind_records", view.behind() as f64),
            ("enact_tables_behind_seconds", self.tables_behind().as_secs_f64()),
        ] {
            samples.put(name, &[], value);
        }
    }

    /// Returns the age of the oldest record that is not in the tables on disk.
    pub(super) fn tables_behind(&self) -> Duration {
        let view = self.ring.view();
        if view.behind() == 0 {
            return Duration::ZERO;
        }
        // It may be there by now, and then it is young.
        let first = view.record(view.flushed().plus(1)).ok().flatten();
        first.map_or(Duration::ZERO, |record| self.ring.now().since(record.time))
    }

    fn traces_now(&self, samples: &mut Samples) {
        use std::sync::atomic::{AtomicU64, Ordering};
        let counts = self.ring.witness().settled().map(|settled| &settled.counts);
        let read = |counter: Option<&AtomicU64>| counter.map_or(0.0, |counter| counter.load(Ordering::Relaxed) as f64);
        samples.put("enact_traces_exported_total", &[], read(counts.map(|counts| &counts.exported)));
        for (reason, counter) in [
            ("queue_full", counts.map(|counts| &counts.queue_full)),
            ("refused", counts.map(|counts| &counts.refused)),
            ("unreachable", counts.map(|counts| &counts.unreachable)),
        ] {
            samples.put("enact_traces_dropped_total", &[reason], read(counter));
        }
    }

    fn components_now(&self, samples: &mut Samples) {
        for stats in self.performer.hosts().values().flat_map(|host| host.stats()) {
            let HostStats { component, version, state, instances, .. } = &stats;
            let known = { self.ring.witness().figures().components.place(component) };
            let name = self.ring.witness().figures().components.label(known).to_owned();
            if name == OTHER {
                continue;
            }
            let labels = [name.as_str(), version.as_str()];
            let of = |state: &'static str| [labels[0], labels[1], state];
            let busy = instances.iter().filter(|instance| instance.in_flight > 0).count();
            samples.put("enact_component_instances", &of("busy"), busy as f64);
            samples.put("enact_component_instances", &of("ready"), (instances.len() - busy) as f64);
            for word in STATES {
                let is = f64::from(u8::from(word == state_word(state)));
                samples.put("enact_component_state", &of(word), is);
            }
            let open = f64::from(u8::from(matches!(state, HostState::Failed(_))));
            for (name, value) in [
                ("enact_component_circuit_open", open),
                ("enact_component_calls_total", stats.calls as f64),
                ("enact_component_faults_total", stats.faults as f64),
                ("enact_component_starts_total", stats.started as f64),
                ("enact_component_restarts_total", stats.recycled as f64),
                ("enact_component_start_failures_total", stats.start_failures as f64),
            ] {
                samples.put(name, &labels, value);
            }
        }
    }

    fn outbox_now(&self, samples: &mut Samples) -> Result<(), ReadError> {
        let mut dead = self.dead_letters()?;
        for SinkLag { sink, pending, oldest_ms, trouble } in self.outbox_lag() {
            let labels = [sink.as_str()];
            samples.put("enact_outbox_pending", &labels, pending as f64);
            samples.put("enact_outbox_oldest_seconds", &labels, oldest_ms.unwrap_or_default() as f64 / 1e3);
            samples.put("enact_sink_down", &labels, f64::from(u8::from(trouble.is_some())));
            samples.put("enact_outbox_dead_letters", &labels, dead.remove(&sink).unwrap_or_default() as f64);
        }
        for (sink, count) in dead {
            samples.put("enact_outbox_dead_letters", &[sink.as_str()], count as f64);
        }
        Ok(())
    }

    /// Counts dead letters anew if there may be others than the last time, and that was a while ago.
    fn dead_letters(&self) -> Result<BTreeMap<SinkId, u64>, ReadError> {
        let changed = self.ring.witness().figures().dead_letters_changed;
        let mut held = self.dead_letters.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = &*held
            && (count.changed == changed || count.at.elapsed() < COUNT_HOLDS)
        {
            return Ok(count.by_sink.clone());
        }
        let (mut counts, mut looked_at) = (BTreeMap::new(), 0);
        let mut range = KeyRange::table(Table::Message);
        while looked_at < MESSAGES_MAX {
            let page = self.ring.view().scan(&range, Order::Ascending, 1_000)?;
            let Some((last, _)) = page.last() else { break };
            range = range.after(last);
            looked_at += page.len();
            for (_, row) in &page {
                let Row::Message(row) = row else { continue };
                for (sink, delivery) in row.message.sinks.iter().zip(&row.deliveries) {
                    if matches!(delivery, Delivery::DeadLettered { .. }) {
                        *counts.entry(sink.clone()).or_default() += 1;
                    }
                }
            }
        }
        *held = Some(Count { at: Instant::now(), changed, by_sink: counts.clone() });
        Ok(counts)
    }
}

/// The name of a conclusion, of which there are few.
fn reason(code: DetailCode) -> String {
    own_name(code).map_or_else(|| OTHER.to_owned(), str::to_ascii_lowercase)
}

fn state_word(state: &HostState) -> &'static str {
    match state {
        HostState::Registered => "registered",
        HostState::Probing => "starting",
        HostState::Ready => "ready",
        HostState::Degraded(_) => "degraded",
        HostState::BackingOff { .. } => "backing_off",
        HostState::Failed(_) => "failed",
        HostState::Draining => "draining",
        HostState::Gone => "stopped",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_of_a_host_has_its_word_in_the_list() {
        let all = [
            HostState::Registered,
            HostState::Probing,
            HostState::Ready,
            HostState::Degraded(String::new()),
            HostState::BackingOff { until: Timestamp(0), reason: String::new() },
            HostState::Failed(String::new()),
            HostState::Draining,
            HostState::Gone,
        ];
        assert_eq!(all.map(|state| state_word(&state)), STATES);
    }
}
