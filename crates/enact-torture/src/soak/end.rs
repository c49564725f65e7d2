//! When the load is over: what only the hub can still tell, what is left on the disk, and what the sinks have.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::account::{self, Event, Seen};
use super::redis::Redis;
use super::web::Asked;
use super::{Plan, Soak, clients, command, status};
use crate::hub::LIMIT;
use crate::{Broken, Result, check, doing};

/// Executions of the end of which the records are looked at.
const RECORDS_OF: usize = 200;

impl Soak<'_> {
    /// Asks the hub what only it can tell, once every call has its outcome; returns what does not agree.
    pub(super) async fn last_questions(&mut self, seen: &[Seen]) -> Result<Vec<String>> {
        let store = self.folder.join("store");
        let end = Instant::now() + LIMIT;
        let mut faults = Vec::new();
        loop {
            let pending = status(&store).await.map(|status| status.pending_messages);
            match pending {
                Some(0) => break,
                _ if Instant::now() > end => {
                    faults.push(format!("messages stay pending: {pending:?}"));
                    break;
                }
                _ => sleep(Duration::from_millis(100)).await,
            }
        }
        let mut client = self.hub.connect().await?.ok_or_else(|| Broken("the hub has died by itself".to_owned()))?;
        if let Err(Broken(what)) = check::health(&mut client).await {
            faults.push(what);
        }
        faults.extend(account::counters(seen, &clients::counters(&self.world).await?));
        for one in seen.iter().rev().take(RECORDS_OF) {
            faults.extend(self.settled_once(one).await?);
        }
        if self.plan.short_keep && self.plan.time > self.plan.keep * 3 {
            faults.extend(self.gone(seen).await?);
        }
        Ok(faults)
    }

    fn operator(&self, one: &Seen) -> String {
        let tenant = self.world.tenants.iter().find(|tenant| tenant.name == one.tenant);
        tenant.map(|tenant| tenant.operator.clone()).unwrap_or_default()
    }

    async fn settled_once(&self, one: &Seen) -> Result<Option<String>> {
        let (token, path) = (self.operator(one), format!("/v1/executions/{}/records?limit=1000", one.execution));
        let answer = self.world.web.ask(&Asked::get(&token, path)).await?;
        let view = self.world.web.ask(&Asked::get(&token, format!("/v1/executions/{}", one.execution))).await?;
        // It may be old enough to have gone.
        if self.plan.short_keep && (answer.status == 404 || view.status == 404) {
            return Ok(None);
        }
        let records = answer.json();
        let items = records.pointer("/items").and_then(|items| items.as_array()).cloned().unwrap_or_default();
        let settled = items.iter().filter(|record| record.to_string().contains(r#""Settled""#)).count();
        if settled != 1 {
            return Ok(Some(format!("{} is settled {settled} times: {}", one.execution, answer.said())));
        }
        let now = clients::end(&view.json());
        let same = now == one.end;
        Ok((!same).then(|| format!("{} ended as {:?}, and then as {now:?}", one.execution, one.end)))
    }

    /// The first executions are gone, or nothing is: then a flat memory would mean little.
    async fn gone(&self, seen: &[Seen]) -> Result<Option<String>> {
        let Some(first) = seen.first() else { return Ok(None) };
        let asked = format!("/v1/executions/{}", first.execution);
        let answer = self.world.web.ask(&Asked::get(&self.operator(first), asked)).await?;
        let keep = self.plan.keep;
        Ok((answer.status != 404).then(|| format!("{} is older than {keep:?} and still there", first.execution)))
    }
}

/// Verifies what is left on the disk.
pub(super) fn verified(plan: &Plan, folder: &Path) -> Result<Vec<String>> {
    let store = folder.join("store").display().to_string();
    let lines: [&[&str]; 3] = [&["wal", "verify"], &["wal", "replay", "--verify"], &["store", "verify", &store]];
    let found = lines.into_iter().map(|words| command(plan, folder, words));
    Ok(found.filter_map(|found| found.err().map(|Broken(what)| what)).collect())
}

/// Holds what calls have seen against the ledger and the sinks.
pub(super) fn agreed(folder: &Path, seen: &[Seen], redis: Option<&Redis>) -> Result<Vec<String>> {
    let ledger = std::fs::read_to_string(folder.join("ledger")).map_err(doing("read the ledger"))?;
    let runs = account::runs(&ledger).map_err(Broken)?;
    let file = std::fs::read_to_string(folder.join("events.jsonl")).map_err(doing("read the events"))?;
    let mut sinks = vec![("the file", file.lines().map(event).collect::<Result<Vec<_>>>()?)];
    if let Some(redis) = redis {
        let entries = redis.entries()?;
        let text = |entry: &BTreeMap<String, String>| entry.get("event").cloned().unwrap_or_default();
        sinks.push(("Redis", entries.iter().map(|entry| event(&text(entry))).collect::<Result<Vec<_>>>()?));
    }
    Ok(account::faults(seen, &runs, &sinks))
}

fn event(line: &str) -> Result<Event> {
    let event: serde_json::Value = serde_json::from_str(line).map_err(doing("read an event"))?;
    let field = |name: &str| event.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
    Ok(Event {
        id: field("id"),
        execution: field("enactexecution"),
        tenant: field("enacttenant"),
        key: field("partitionkey"),
        time: field("time"),
        count: event.pointer("/data/count").and_then(serde_json::Value::as_u64),
    })
}
