//! `enact bench`: a short figure through a hub of its own.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use enact_model::intent::IntentDraft;
use enact_model::json::Json;
use enact_runtime::api::{Caller, Request, Response};
use serde_json::json;
use tokio::task::JoinSet;

use super::desk::{Desk, absolute};
use super::run::duration;
use crate::door::Answers;
use crate::door::local::{Local, hub_config};
use crate::failure::{self, Failure};
use crate::output::Output;
use crate::output::table::Table;

/// The component that is measured: a program that ends at once.
const DESCRIPTOR: &str = "component: bench\nversion: 1.0.0\nprocess: { command: [\"true\"], mode: oneshot }\nservices:\n  \
                          program:\n    call:\n      kind: query\n      call: { stdin: empty, stdout: text }\n";
/// How long one execution may take before the measurement is given up, in milliseconds.
const WAIT_MS: u64 = 60_000;

/// Measure this machine for a few seconds with a program that does nothing, on a store of its own.
///
/// Every intent is admitted, logged, run as a process of its own, and settled, each step durable before the next. Where the
/// time goes: mostly into starting the process.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  enact bench\n  enact bench --time 10s --in-flight 64 --folder /var/lib --json")]
pub struct BenchArgs {
    /// How long
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    time: Duration,
    /// Intents at once
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1024))]
    in_flight: u32,
    /// Where the store is made, on the disk to be measured; it is removed afterwards
    #[arg(long, default_value = ".")]
    folder: std::path::PathBuf,
}

impl BenchArgs {
    /// Carries the command out.
    ///
    /// # Errors
    /// A folder or a hub that cannot be opened, an execution that does not complete.
    pub async fn carry_out(self, desk: &mut Desk) -> Result<(), Failure> {
        let folder = tempfile::Builder::new().prefix(".enact-bench-").tempdir_in(&self.folder);
        let folder = folder.map_err(Failure::file(&self.folder))?;
        let mut settings = desk.settings().clone();
        settings.store = folder.path().join("store");
        settings.sinks.iter_mut().for_each(|(name, path)| *path = folder.path().join(name.as_str()));
        let hub = Arc::new(Local::open(hub_config(&settings)).await?);
        let caller = desk.caller();
        let measured = match add(&hub, &caller, folder.path()).await {
            Ok(()) => measure(&hub, &caller, self.time, self.in_flight, &mut desk.out).await,
            Err(failure) => Err(failure),
        };
        hub.shutdown().await;
        show(measured?, self.in_flight, &mut desk.out)
    }
}

async fn add(hub: &Local, caller: &Caller, folder: &Path) -> Result<(), Failure> {
    let path = folder.join("component.yaml");
    std::fs::write(&path, DESCRIPTOR).map_err(Failure::file(&path))?;
    let path = absolute(folder)?;
    match hub.handle(caller.clone(), Request::ComponentAdd { path }).await {
        Response::Refused(refusal) => Err(Failure::Refused(refusal)),
        _ => Ok(()),
    }
}

struct Measured {
    took: Duration,
    each: Vec<Duration>,
}

async fn measure(
    hub: &Arc<Local>,
    caller: &Caller,
    time: Duration,
    in_flight: u32,
    out: &mut Output,
) -> Result<Measured, Failure> {
    out.note(&format!("{in_flight} in flight for {}", crate::output::text::duration(time)));
    // The first call starts what the later ones find.
    call(hub, caller).await?;
    let begin = Instant::now();
    let end = begin + time;
    let mut clients = JoinSet::new();
    for _ in 0..in_flight {
        let (hub, caller) = (Arc::clone(hub), caller.clone());
        clients.spawn(async move {
            let mut each = Vec::new();
            while Instant::now() < end {
                each.push(call(&hub, &caller).await?);
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

async fn call(hub: &Local, caller: &Caller) -> Result<Duration, Failure> {
    let begin = Instant::now();
    let draft = IntentDraft {
        intent_type: Some("bench.program.call".to_owned()),
        parameters: Some(Json::from(&json!({}))),
        ..IntentDraft::default()
    };
    match hub.handle(caller.clone(), Request::Submit { draft: Box::new(draft), wait_ms: WAIT_MS }).await {
        Response::Accepted { execution, .. } => match execution.outcome() {
            None => {
                Err(Failure::NotYet { execution: execution.execution.id, message: "an execution did not end".into() })
            }
            Some(outcome) => match failure::of_outcome(outcome) {
                None => Ok(begin.elapsed()),
                Some(conclusion) => {
                    Err(Failure::Settled { execution: execution.execution.id, conclusion: Box::new(conclusion) })
                }
            },
        },
        Response::Rejected(rejection) => Err(Failure::Rejected(rejection)),
        Response::Refused(refusal) => Err(Failure::Refused(refusal)),
        _ => Err(Failure::Unexpected),
    }
}

fn show(measured: Measured, in_flight: u32, out: &mut Output) -> Result<(), Failure> {
    let Measured { took, each } = measured;
    let at = |per_mille: usize| each.get((each.len() * per_mille / 1_000).min(each.len().saturating_sub(1)));
    let ms = |duration: Option<&Duration>| duration.map_or(0.0, |d| (d.as_secs_f64() * 1e5).round() / 100.0);
    let rate = (each.len() as f64 / took.as_secs_f64()).round();
    let rows = [
        ("process executions", rate, "1/s"),
        ("process execution, half under", ms(at(500)), "ms"),
        ("process execution, 99 of 100 under", ms(at(990)), "ms"),
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
