//! `enact bench`: a short figure, of this machine through a hub of its own or of an operation through the hub that runs.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use enact_model::id::SinkId;
use enact_model::intent::IntentDraft;
use enact_model::json::Json;
use enact_runtime::api::{Caller, Request, Response};
use serde_json::json;
use tokio::task::JoinSet;

use super::desk::{Desk, absolute};
use super::input;
use super::run::duration;
use crate::config::sink::SinkSetup;
use crate::door::local::{Local, hub_config};
use crate::door::{Door, Need};
use crate::failure::{self, Failure};
use crate::output::Output;
use crate::output::table::Table;

/// The component that is measured: a program that ends at once.
const DESCRIPTOR: &str = "component: bench\nversion: 1.0.0\nprocess: { command: [\"true\"], mode: oneshot }\nservices:\n  \
                          program:\n    call:\n      kind: query\n      call: { stdin: empty, stdout: text }\n";
/// How long one execution may take before the measurement is given up, in milliseconds.
const WAIT_MS: u64 = 60_000;

/// The intent that calls it.
const INTENT_TYPE: &str = "bench.program.call";

/// Measure for a few seconds: this machine, or one operation of the hub that runs.
///
/// Without an operation, a program that does nothing is called on a store of its own. Every intent is admitted, logged, run as
/// a process of its own, and settled, each step durable before the next; most of the time goes into starting the process.
///
/// With an operation, the hub that runs is asked for it again and again. These are executions like all others: they stay in
/// its history, and what the operation does, it does each time.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  enact bench\n  enact bench --time 10s --in-flight 64 --folder /var/lib --json\n  \
                        enact bench pricing.quote.total --input @basket.json --calls 1000 --in-flight 1"
)]
pub struct BenchArgs {
    /// An operation of the hub that runs
    operation: Option<String>,
    /// Its parameters: JSON, @FILE, or - for standard input [default: {}]
    #[arg(long, short, value_name = "JSON", requires = "operation")]
    input: Option<String>,
    /// How long
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    time: Duration,
    /// How many calls, however long they take
    #[arg(long, value_name = "N", conflicts_with = "time", value_parser = clap::value_parser!(u64).range(1..))]
    calls: Option<u64>,
    /// Intents at once
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1024))]
    in_flight: u32,
    /// Where the store is made, on the disk to be measured; it is removed afterwards
    #[arg(long, default_value = ".", conflicts_with = "operation")]
    folder: std::path::PathBuf,
}

impl BenchArgs {
    /// Carries the command out.
    ///
    /// # Errors
    /// A folder or a hub that cannot be opened, no hub that runs, an execution that does not complete.
    pub async fn carry_out(self, desk: &mut Desk) -> Result<(), Failure> {
        let (intent_type, parameters) = match &self.operation {
            Some(operation) => (operation.clone(), input::read(self.input.as_deref())?),
            None => (INTENT_TYPE.to_owned(), Json::from(&json!({}))),
        };
        let load = Load {
            intent_type,
            parameters,
            caller: desk.caller(),
            time: self.calls.is_none().then_some(self.time),
            calls: AtomicU64::new(self.calls.unwrap_or(u64::MAX)),
        };
        let what = if self.operation.is_some() { load.intent_type.clone() } else { "process".to_owned() };
        let measured = match self.operation {
            Some(_) => {
                let door = Door::open(desk.settings(), Need::Running).await?;
                load.put_on(door, self.in_flight, &mut desk.out).await
            }
            None => {
                let folder = tempfile::Builder::new().prefix(".enact-bench-").tempdir_in(&self.folder);
                let folder = folder.map_err(Failure::file(&self.folder))?;
                let mut settings = desk.settings().clone();
                settings.store = folder.path().join("store");
                let aside = |(name, sink): (&SinkId, &mut SinkSetup)| {
                    *sink = SinkSetup::File(folder.path().join(name.as_str()))
                };
                settings.sinks.iter_mut().for_each(aside);
                let door = Door::Local(Local::open(hub_config(&settings)).await?);
                match add(&door, &load.caller, folder.path()).await {
                    Ok(()) => load.put_on(door, self.in_flight, &mut desk.out).await,
                    Err(failure) => {
                        door.close().await;
                        Err(failure)
                    }
                }
            }
        };
        show(&what, measured?, self.in_flight, &mut desk.out)
    }
}

async fn add(door: &Door, caller: &Caller, folder: &Path) -> Result<(), Failure> {
    let path = folder.join("component.yaml");
    std::fs::write(&path, DESCRIPTOR).map_err(Failure::file(&path))?;
    let path = absolute(folder)?;
    match door.ask(caller, Request::ComponentAdd { path }).await? {
        Response::Refused(refusal) => Err(Failure::Refused(refusal)),
        _ => Ok(()),
    }
}

/// What is asked, and how often.
struct Load {
    intent_type: String,
    parameters: Json,
    caller: Caller,
    time: Option<Duration>,
    /// Calls that are left.
    calls: AtomicU64,
}

struct Measured {
    took: Duration,
    each: Vec<Duration>,
}

impl Load {
    /// Puts it on a hub, and leaves the hub.
    async fn put_on(self, door: Door, in_flight: u32, out: &mut Output) -> Result<Measured, Failure> {
        let amount = match self.time {
            Some(time) => crate::output::text::duration(time),
            None => format!("{} calls", self.calls.load(Ordering::Relaxed)),
        };
        out.note(&format!("{in_flight} in flight for {amount}"));
        let (load, door) = (Arc::new(self), Arc::new(door));
        let measured = load.measure(&door, in_flight).await;
        // Every client has ended, so nobody else holds it.
        if let Some(door) = Arc::into_inner(door) {
            door.close().await;
        }
        measured
    }

    async fn measure(self: &Arc<Self>, door: &Arc<Door>, in_flight: u32) -> Result<Measured, Failure> {
        // The first call starts what the later ones find.
        self.call(door).await?;
        let begin = Instant::now();
        let end = self.time.map(|time| begin + time);
        let mut clients = JoinSet::new();
        for _ in 0..in_flight {
            let (load, door) = (Arc::clone(self), Arc::clone(door));
            clients.spawn(async move {
                let mut each = Vec::new();
                while end.is_none_or(|end| Instant::now() < end) && load.another() {
                    each.push(load.call(&door).await?);
                }
                Ok::<_, Failure>(each)
            });
        }
        let mut each = Vec::new();
        while let Some(client) = clients.join_next().await {
            each.extend(client.map_err(|_| Failure::Unexpected)??);
        }
        let took = begin.elapsed();
        each.sort_unstable();
        Ok(Measured { took, each })
    }

    fn another(&self) -> bool {
        self.calls.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }

    async fn call(&self, door: &Door) -> Result<Duration, Failure> {
        let begin = Instant::now();
        let draft = IntentDraft {
            intent_type: Some(self.intent_type.clone()),
            parameters: Some(self.parameters.clone()),
            ..IntentDraft::default()
        };
        match door.ask(&self.caller, Request::Submit { draft: Box::new(draft), wait_ms: WAIT_MS }).await? {
            Response::Accepted { execution, .. } => {
                let id = execution.execution.id;
                let Some(outcome) = execution.outcome() else {
                    return Err(Failure::NotYet { execution: id, message: "an execution did not end".into() });
                };
                match failure::of_outcome(outcome) {
                    None => Ok(begin.elapsed()),
                    Some(conclusion) => Err(Failure::Settled { execution: id, conclusion: Box::new(conclusion) }),
                }
            }
            Response::Rejected(rejection) => Err(Failure::Rejected(rejection)),
            Response::Refused(refusal) => Err(Failure::Refused(refusal)),
            _ => Err(Failure::Unexpected),
        }
    }
}

fn show(what: &str, measured: Measured, in_flight: u32, out: &mut Output) -> Result<(), Failure> {
    let Measured { took, each } = measured;
    let at = |per_mille: usize| each.get((each.len() * per_mille / 1_000).min(each.len().saturating_sub(1)));
    let ms = |duration: Option<&Duration>| duration.map_or(0.0, |d| (d.as_secs_f64() * 1e5).round() / 100.0);
    let rate = (each.len() as f64 / took.as_secs_f64()).round();
    let rows = [
        (format!("{what} executions"), rate, "1/s"),
        (format!("{what} execution, half under"), ms(at(500)), "ms"),
        (format!("{what} execution, 99 of 100 under"), ms(at(990)), "ms"),
    ];
    if out.json {
        let rows = rows
            .map(|(name, value, unit)| json!({ "name": name, "in_flight": in_flight, "value": value, "unit": unit }));
        return out.document(&rows);
    }
    let mut table = Table::new(&["measured", ">in flight", ">value", "unit"]);
    for (name, value, unit) in rows {
        table.row([name.into(), in_flight.into(), value.into(), unit.into()]);
    }
    out.table(&table)
}
