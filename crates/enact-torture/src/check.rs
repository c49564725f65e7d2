//! What must hold after every start: outcomes, ledger, events, doctor, replay, and no process of a former hub.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use enact_cli::socket::client::Client;
use enact_model::observation::FaultKind;
use enact_model::outcome::Outcome;
use enact_model::record::RecordFilter;
use enact_runtime::api::{DeliveryState, ExecutionView, Request, Response};

use crate::hub::{LIMIT, ask};
use crate::load::Acknowledged;
use crate::{Broken, Result, doing};

/// How an execution was seen to end.
pub(crate) type Known = BTreeMap<String, String>;

fn broken<T>(what: String) -> Result<T> {
    Err(Broken(what))
}

/// Waits until it is settled; its outcome must be the one that was seen before.
pub(crate) async fn outcome(client: &mut Client, one: &Acknowledged, known: &mut Known) -> Result<ExecutionView> {
    let (execution, wait_ms) = (one.execution, LIMIT.as_millis() as u64);
    let view = match ask(client, Request::Await { execution, wait_ms }).await? {
        Response::Execution(view) => *view,
        other => return broken(format!("{execution} was acknowledged and is lost: {other:?}")),
    };
    let Some(outcome) = view.outcome() else {
        return broken(format!("{execution} has no outcome; it waits for {:?}", view.waits_for));
    };
    let text = serde_json::to_string(outcome).map_err(doing("write an outcome"))?;
    match known.insert(execution.to_string(), text.clone()) {
        Some(before) if before != text => broken(format!("{execution} ended as {before}, and then as {text}")),
        _ => Ok(view),
    }
}

/// Checks one execution against its records, and that its key still leads to it.
pub(crate) async fn one(client: &mut Client, one: &Acknowledged) -> Result<()> {
    let execution = one.execution;
    let filter = RecordFilter { execution: Some(execution), ..RecordFilter::default() };
    let Response::Records(page) = ask(client, Request::Records { filter, limit: 1_000 }).await? else {
        return broken(format!("the records of {execution} cannot be read"));
    };
    let settled = page.items.iter().filter(|record| record.body.kind() == "Settled").count();
    if settled != 1 {
        return broken(format!("{execution} is settled {settled} times"));
    }
    let again = Request::Submit { draft: Box::new(one.draft.clone()), wait_ms: 0 };
    match ask(client, again).await? {
        Response::Accepted { execution: found, repeated: true } if found.execution.id == execution => Ok(()),
        other => broken(format!("the key of {execution} leads to {other:?}")),
    }
}

/// Holds outcomes against the ledger and against the events.
pub(crate) fn ledger(folder: &Path, ended: &[(Acknowledged, ExecutionView)]) -> Result<()> {
    let text = std::fs::read_to_string(folder.join("ledger")).unwrap_or_default();
    let mut runs: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [execution, _attempt, token] = words.as_slice() else { return broken(format!("no line: {line:?}")) };
        runs.entry(execution).or_default().push(token);
    }
    let text = std::fs::read_to_string(folder.join("store/events.jsonl")).unwrap_or_default();
    let mut events: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in text.lines() {
        let event: serde_json::Value = serde_json::from_str(line).map_err(doing("read an event"))?;
        let field = |name: &str| event.get(name).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
        events.entry(field("enactexecution")).or_default().insert(field("id"));
    }
    for (one, view) in ended {
        let id = one.execution.to_string();
        let runs = runs.get(id.as_str()).map_or(&[][..], Vec::as_slice);
        let completed = matches!(view.outcome(), Some(Outcome::Completed { .. }));
        let may_have_run = view.outcome().is_some_and(Outcome::may_have_run);
        if one.once && runs.len() > 1 {
            return broken(format!("{id} may run once and ran {} times", runs.len()));
        }
        if completed && runs.is_empty() {
            return broken(format!("{id} is completed and never ran"));
        }
        if !completed && !may_have_run && !runs.is_empty() {
            return broken(format!("{id} ran, and its outcome says that it did not: {:?}", view.outcome()));
        }
        // A hub that dies between the fork and the line that names the process leaves an instance that nobody can name.
        let nameless = view.outcome().and_then(Outcome::conclusion).and_then(|conclusion| conclusion.kind)
            == Some(FaultKind::InstanceUnknown);
        if !one.once && !completed && !nameless {
            return broken(format!("{id} may run again and did not complete: {:?}", view.outcome()));
        }
        if runs.iter().any(|token| *token != id) {
            return broken(format!("{id} ran with other tokens: {runs:?}"));
        }
        let told = events.get(&id).map_or(0, BTreeSet::len);
        if told != usize::from(completed) {
            return broken(format!("{id} is {:?} and has {told} events", view.outcome().map(Outcome::word)));
        }
    }
    Ok(())
}

/// Waits until every message is delivered.
pub(crate) async fn delivered(client: &mut Client) -> Result<()> {
    let end = tokio::time::Instant::now() + LIMIT;
    loop {
        let pending = Request::Outbox { state: Some(DeliveryState::Pending), limit: 1, before: None };
        match ask(client, pending).await? {
            Response::Outbox(page) if page.items.is_empty() => return Ok(()),
            _ if tokio::time::Instant::now() > end => return broken("messages stay pending".to_owned()),
            _ => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
        }
    }
}

/// The doctor finds nothing.
pub(crate) async fn health(client: &mut Client) -> Result<()> {
    match ask(client, Request::Doctor).await? {
        Response::Doctor(report) => {
            let sick = |(name, check): &(&String, &enact_runtime::api::CheckReport)| {
                *name != "disk" && !check.problems.is_empty()
            };
            if let Some((name, check)) = report.checks.iter().find(sick) {
                return broken(format!("the doctor finds {name}: {:?}", check.problems));
            }
        }
        other => return broken(format!("the doctor says {other:?}")),
    }
    Ok(())
}

/// The log makes the tables.
pub(crate) async fn replays(client: &mut Client) -> Result<()> {
    match ask(client, Request::WalReplay).await? {
        Response::Verified(report) if report.faults.is_empty() => Ok(()),
        other => broken(format!("the log does not make the tables: {other:?}")),
    }
}

/// No process of a former epoch of this store is alive.
pub(crate) fn reaped(store_id: &str, epoch: u64) -> Result<()> {
    let (own, current) = (format!("ENACT_HUB={store_id}"), format!("ENACT_EPOCH={epoch}"));
    for entry in std::fs::read_dir("/proc").map_err(doing("list the processes"))?.flatten() {
        let Ok(environment) = std::fs::read(entry.path().join("environ")) else { continue };
        let environment = String::from_utf8_lossy(&environment).into_owned();
        let variables: Vec<&str> = environment.split('\0').collect();
        if variables.contains(&own.as_str()) && !variables.contains(&current.as_str()) {
            return broken(format!("{} of a former hub is alive", entry.path().display()));
        }
    }
    Ok(())
}
