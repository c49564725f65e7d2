//! The doctor: is everything as it should be, and if not, what is the way out.

use std::path::PathBuf;
use std::sync::Arc;

use enact_engine::view::rows;
use enact_engine::wake;
use enact_host::jar::{JavaPlaces, Runtimes};
use enact_model::execution::{Phase, Wake};
use enact_model::id::{ExecutionId, MessageId, SinkId, TenantId};
use enact_model::message::Delivery;
use enact_model::table::{KeyRange, Row, Table};
use enact_model::time::Timestamp;
use enact_store::contract::{Order, ReadError, View};

use super::component::secret_names;
use super::{Hub, refusal};
use crate::api::{CheckReport, DoctorReport, Response, SinkLag};
use crate::driver::{Durable, read_execution};
use enact_catalog::catalog::State;

/// Free space below which a store is in danger, in bytes.
const FREE_MIN_BYTES: u64 = 256 * 1024 * 1024;
/// Most messages that are looked at for dead letters.
const MESSAGES_MAX: usize = 200_000;
/// How long a sink may take to say whether it can be reached.
const SINK_LIMIT: std::time::Duration = std::time::Duration::from_secs(10);
/// How long an attempt may be between the ring and a host before it counts as lost.
const ON_ITS_WAY: std::time::Duration = std::time::Duration::from_millis(500);

/// Messages that were given up.
#[derive(Default)]
struct DeadLetters {
    looked_at: usize,
    count: u64,
    oldest: Option<(Timestamp, MessageId, SinkId, String)>,
}

impl DeadLetters {
    fn count<V: View>(view: &V) -> Result<Self, ReadError> {
        let mut dead = Self::default();
        let mut range = KeyRange::table(Table::Message);
        while dead.looked_at < MESSAGES_MAX {
            let page = view.scan(&range, Order::Ascending, 1_000)?;
            let Some((last, _)) = page.last() else { break };
            range = range.after(last);
            dead.looked_at += page.len();
            page.iter().for_each(|(_, row)| dead.look(row));
        }
        Ok(dead)
    }
    fn look(&mut self, row: &Row) {
        let Row::Message(row) = row else { return };
        for (sink, delivery) in row.message.sinks.iter().zip(&row.deliveries) {
            let Delivery::DeadLettered { at, reason } = delivery else { continue };
            self.count += 1;
            if self.oldest.as_ref().is_none_or(|(oldest, ..)| at < oldest) {
                self.oldest = Some((*at, row.message.id, sink.clone(), reason.clone()));
            }
        }
    }
    fn problem(&self) -> Option<String> {
        let (at, message, sink, reason) = self.oldest.as_ref()?;
        Some(format!(
            "{} dead letters, the oldest {message} for the sink {sink} since {at}: {reason}; `enact outbox list --state dead` \
             shows them, `enact outbox redeliver {message} --reason …` sends one again",
            self.count
        ))
    }
}

impl Hub {
    pub(super) async fn doctor(&self) -> refusal::Result<Response> {
        let mut report = DoctorReport::default();
        report.checks.insert("log".to_owned(), self.check_log());
        report.checks.insert("tables".to_owned(), self.check_tables());
        report.checks.insert("executions".to_owned(), self.check_executions().await);
        report.checks.insert("components".to_owned(), self.check_components().await);
        report.checks.extend(self.check_runtimes().await);
        report.checks.insert("outbox".to_owned(), self.check_outbox().await);
        report.checks.insert("sinks".to_owned(), self.check_sinks().await);
        report.checks.extend(self.check_probes().await);
        report.checks.insert("disk".to_owned(), self.check_disk());
        report.checks.extend(self.check_traces().await);
        Ok(Response::Doctor(Box::new(report)))
    }

    fn check_log(&self) -> CheckReport {
        let looked_at = format!("position {}", self.ring.view().position());
        let problems = self
            .ring
            .poisoned()
            .map(|poisoned| format!("{poisoned}; free the disk or mend it, then start the hub again"));
        CheckReport { looked_at, problems: problems.into_iter().collect() }
    }

    /// The tables are a cache of the log: late ones lose nothing, but what is not written behind stays in memory.
    fn check_tables(&self) -> CheckReport {
        let way_out = "free the disk or mend it; if it stays so, restart the hub, which goes on from the log";
        let problems = self.tables_trouble().map(|trouble| format!("{trouble}; {way_out}"));
        CheckReport {
            looked_at: format!("{} records behind the log", self.ring.view().behind()),
            problems: problems.into_iter().collect(),
        }
    }

    /// Every open execution names the one thing it waits for, and something will bring it.
    async fn check_executions(&self) -> CheckReport {
        let view = self.ring.view();
        let mut problems = Vec::new();
        let mut lost: Vec<(TenantId, ExecutionId, u32)> = Vec::new();
        let mut count = 0_u64;
        for (key, _) in rows(&Durable(view), KeyRange::table(Table::Active)) {
            count += 1;
            let Some((tenant, id)) = key.as_active() else { continue };
            let execution = match read_execution(view, &tenant, id) {
                Ok(Some(execution)) => execution,
                Ok(None) => {
                    problems.push(format!("{id} is listed as open and has no row; run `enact wal replay --verify`"));
                    continue;
                }
                Err(error) => {
                    problems.push(format!("{id} cannot be read: {error}"));
                    continue;
                }
            };
            if !execution.is_open() {
                continue;
            }
            let problem = match wake::problem(&Durable(view), &execution) {
                Ok(problem) => problem,
                Err(need) => Some(format!("{id} cannot be checked: {need:?}")),
            };
            // It may have gone on since the list was read; only what is still so is a problem.
            let now = read_execution(view, &tenant, id).ok().flatten();
            if !now.is_some_and(|now| now.wake == execution.wake && now.attempt == execution.attempt) {
                continue;
            }
            if let Some(problem) = problem {
                problems.push(format!("{problem}; cancel it with `enact execution cancel {id}`"));
            } else if matches!(execution.wake, Some(Wake::Answer { .. })) && !self.performer.is_running(id) {
                lost.push((tenant, id, execution.attempt));
            }
        }
        self.wait_until_known(&mut lost).await;
        problems.extend(
            lost.iter().map(|(_, id, attempt)| {
                format!("{id} waits for attempt {attempt}, which no host has; restart the hub")
            }),
        );
        CheckReport { looked_at: format!("{count} open executions"), problems }
    }

    /// An attempt that no host has may be about to be handed to one, or its answer may be in the ring.
    async fn wait_until_known(&self, lost: &mut Vec<(TenantId, ExecutionId, u32)>) {
        if !lost.is_empty() {
            // What is in the ring now has been decided, committed and handed on after this, however much it is.
            let _ = self.ring.rule(|_| ()).await;
        }
        let end = tokio::time::Instant::now() + ON_ITS_WAY;
        let mut position = self.ring.position();
        loop {
            position.mark_unchanged();
            lost.retain(|(tenant, id, attempt)| {
                let row = read_execution(self.ring.view(), tenant, *id).ok().flatten();
                let same = row.is_some_and(|row| row.attempt == *attempt && row.phase == Phase::Running);
                same && !self.performer.is_running(*id)
            });
            let now = tokio::time::Instant::now();
            if lost.is_empty() || now >= end {
                return;
            }
            // A commit is a reason to look again, and so is a tenth of a second: handing over makes no record.
            let pause = (end - now).min(std::time::Duration::from_millis(100));
            let _ = tokio::time::timeout(pause, position.changed()).await;
        }
    }

    async fn check_components(&self) -> CheckReport {
        let catalog = self.ring.catalog();
        let missing = self.performer.secrets().missing(secret_names(&catalog)).await;
        let mut problems = Vec::new();
        let mut count = 0_u64;
        for entry in catalog.entries().filter(|entry| entry.state() != State::Removed) {
            count += 1;
            let component = entry.component();
            let label = format!("{} {}", component.name, component.version);
            match self.performer.hosts().get(component.shape.key()) {
                None => problems.push(format!("{label} has a shape that this build does not run")),
                Some(host) => {
                    if let Err(fault) = host.fingerprint(component) {
                        problems.push(format!("{label} cannot run here: {}", fault.message));
                    }
                }
            }
            let files = component.shape.files().iter();
            for (name, digest) in files.filter(|(_, digest)| !self.performer.artifacts().contains(digest)) {
                problems.push(format!("{label} misses its file {name} ({digest}); add it again from its folder"));
            }
            let names = component.secret_names().into_iter();
            for (name, why) in names.filter_map(|name| missing.get_key_value(name)) {
                problems.push(format!(
                    "{label} needs the secret {name}, which cannot be given: {why}; set it with `enact secret set {name}`, \
                     or say in `secrets.handlers` where it is"
                ));
            }
            for (_, operation) in component.operations() {
                for asked in operation.reconcile.iter().chain(&operation.compensate) {
                    if catalog.active(&asked.component).and_then(|entry| entry.operation(asked)).is_none() {
                        problems.push(format!("{label} names {asked}, which is not there; add its component"));
                    }
                }
            }
        }
        CheckReport { looked_at: format!("{count} component versions"), problems }
    }

    /// What runs components besides the hub itself; that there is none is a problem only of a component that needs it.
    async fn check_runtimes(&self) -> Option<(String, CheckReport)> {
        let host = self.performer.hosts().get("jar").cloned()?;
        let homes = self.config.java_homes.clone();
        let look = move || {
            let barren = |home: &PathBuf| {
                let here = JavaPlaces { homes: vec![home.clone()], ..JavaPlaces::default() };
                here.find() == Runtimes::default()
            };
            (host.runtimes(), homes.into_iter().filter(barren).collect::<Vec<_>>())
        };
        let (Runtimes { found, silent }, barren) = tokio::task::spawn_blocking(look).await.unwrap_or_default();
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        let looked_at = if found.is_empty() { "no Java on this machine".to_owned() } else { found.join(", ") };
        let mut problems = Vec::new();
        for home in silent {
            problems.push(format!(
                "the Java in {} gave no answer to `java -version`; mend it, or take it out of JAVA_HOME, PATH or `java.homes`",
                home.display()
            ));
        }
        for home in barren {
            problems.push(format!("`java.homes` names {}, where no Java is; correct enact.yaml", home.display()));
        }
        Some(("java".to_owned(), CheckReport { looked_at, problems }))
    }

    async fn check_outbox(&self) -> CheckReport {
        let mut problems = Vec::new();
        let lag = self.outbox_lag();
        for SinkLag { sink, pending, .. } in lag.iter().filter(|lag| !self.config.sinks.contains_key(&lag.sink)) {
            problems.push(format!(
                "{pending} messages wait for the sink {sink}, which is not configured; add it to enact.yaml"
            ));
        }
        let count: u64 = lag.iter().map(|lag| lag.pending).sum();
        let mut looked_at = format!("{count} pending messages");
        let view = self.ring.view().clone();
        match tokio::task::spawn_blocking(move || DeadLetters::count(&view)).await {
            Ok(Ok(dead)) => {
                looked_at.push_str(&format!(", {} messages looked at for dead letters", dead.looked_at));
                problems.extend(dead.problem());
            }
            Ok(Err(error)) => problems.push(format!("dead letters cannot be counted: {error}")),
            Err(error) => problems.push(format!("dead letters cannot be counted: {error}")),
        }
        CheckReport { looked_at, problems }
    }

    /// What the doors need of others.
    async fn check_probes(&self) -> Vec<(String, CheckReport)> {
        let mut found = Vec::new();
        for (name, probe) in &self.config.probes {
            let silence = |_| Err(format!("it does not answer within {} s", SINK_LIMIT.as_secs()));
            let report = match tokio::time::timeout(SINK_LIMIT, probe.check()).await.unwrap_or_else(silence) {
                Ok(looked_at) => CheckReport { looked_at, problems: Vec::new() },
                Err(problem) => {
                    CheckReport { looked_at: "it does not answer as it must".to_owned(), problems: vec![problem] }
                }
            };
            found.push((name.clone(), report));
        }
        found
    }

    /// Whether each sink can be reached and would take messages.
    async fn check_sinks(&self) -> CheckReport {
        let mut checks = tokio::task::JoinSet::new();
        for (name, sink) in &self.config.sinks {
            let (name, sink) = (name.clone(), Arc::clone(sink));
            checks.spawn(async move {
                let silence = |_| Err(format!("it does not answer within {} s", SINK_LIMIT.as_secs()));
                (name, tokio::time::timeout(SINK_LIMIT, sink.check()).await.unwrap_or_else(silence))
            });
        }
        let mut found = checks.join_all().await;
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut report = CheckReport::default();
        let mut looked_at = Vec::new();
        for (name, result) in found {
            match result {
                Ok(what) => looked_at.push(format!("{name} ({what})")),
                Err(problem) => report.problems.push(format!("the sink {name}: {problem}")),
            }
        }
        report.looked_at =
            if looked_at.is_empty() { "none that can be reached".to_owned() } else { looked_at.join(", ") };
        report
    }

    /// Whether the collector of spans can be reached and takes them; none where there is no collector.
    async fn check_traces(&self) -> Option<(String, CheckReport)> {
        let traces = self.config.traces.as_ref()?;
        let silence = |_| Err(format!("it does not answer within {} s", SINK_LIMIT.as_secs()));
        let checked = tokio::time::timeout(SINK_LIMIT, traces.sink.check()).await.unwrap_or_else(silence);
        let trouble = self.ring.witness().settled().and_then(|settled| settled.counts.trouble());
        let way_out = "mend it or `telemetry.otlp.endpoint`; executions are not affected, their spans are let go of";
        let problems = checked.as_ref().err().into_iter().chain(&trouble);
        let problems = problems.map(|problem| format!("the collector of spans: {problem}; {way_out}")).collect();
        let looked_at = checked.unwrap_or_else(|_| "a collector that cannot be reached".to_owned());
        Some(("traces".to_owned(), CheckReport { looked_at, problems }))
    }

    fn check_disk(&self) -> CheckReport {
        match rustix::fs::statvfs(&self.config.store) {
            Ok(stat) => {
                let free = stat.f_bavail.saturating_mul(stat.f_frsize);
                let tight = free < FREE_MIN_BYTES;
                let problem =
                    tight.then(|| format!("only {} MiB are free; the log refuses writes when none are", free >> 20));
                let looked_at = format!("{} MiB free in {}", free >> 20, self.config.store.display());
                CheckReport { looked_at, problems: problem.into_iter().collect() }
            }
            Err(error) => CheckReport {
                looked_at: self.config.store.display().to_string(),
                problems: vec![format!("its file system cannot be asked: {error}")],
            },
        }
    }
}
