//! The write-ahead log as the doors see it: read by filter, verified, replayed against the tables, dropped by policy.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use enact_catalog::near::did_you_mean;
use enact_model::conclusion::Conclusion;
use enact_model::envelope::StateScope;
use enact_model::execution::Execution;
use enact_model::id::{ExecutionId, Lsn, SessionId, TenantId};
use enact_model::record::{Body, Record, RecordFilter};
use enact_store::contract::{ReadError, View};
use enact_store::log::ChainHead;

use super::page::{PAGE_MAX_BYTES, page_limit};
use super::{Hub, OpenError, artifact, refusal};
use crate::api::{Caller, Page, Refusal, Response, VerifyReport};
use crate::backup::{self, BackupError};
use crate::driver::{read_execution, replay};
use crate::named::Named;
use crate::retention::drop_history;
use enact_engine::conclude as code;

/// Records read at once while the log is searched backwards.
const CHUNK: u64 = 512;
/// Records looked at for one page before it is cut short, with a cursor to go on.
const LOOKED_AT_MAX: u64 = 200_000;
/// Differences that are told in words.
const TOLD_MAX: usize = 20;

impl Hub {
    pub(super) async fn records(&self, caller: &Caller, filter: RecordFilter, limit: u32) -> refusal::Result<Response> {
        let limit = page_limit(limit)?;
        let caller_tenant = caller.tenant.clone();
        // Whatever the filter says, a caller reads its own tenant.
        let filter = RecordFilter { tenant: Some(caller.tenant.clone()), ..filter };
        if let Some(unknown) = filter.kinds.iter().find(|kind| known_kind(kind).is_none()) {
            return Err(no_kind(unknown));
        }
        if let Some(execution) = filter.execution {
            self.row(caller, execution)?;
        }
        let view = self.ring.view().clone();
        let look = move || match (&filter.execution, &filter.session) {
            (Some(execution), _) => by_execution(&view, &filter, *execution, limit),
            (None, Some(session)) => {
                let mut sessions = Sessions { view: &view, tenant: &caller_tenant, known: BTreeMap::new() };
                by_position(&view, &filter, limit, |record| sessions.has(record, session))
            }
            (None, None) => by_position(&view, &filter, limit, |_| Ok(true)),
        };
        let page = tokio::task::spawn_blocking(look).await.map_err(|error| refusal::internal(&error))?;
        Ok(Response::Records(page.map_err(refusal::of_read)?))
    }

    pub(super) async fn store_backup(&self, target: PathBuf) -> refusal::Result<Response> {
        if !target.is_absolute() {
            let message = format!("the folder {} of the hub's machine is not absolute", target.display());
            let hint = "name it from the root of the hub's machine, such as /backup/enact";
            return Err(refusal::hinted(code::FILE_UNUSABLE, message, hint));
        }
        let (view, store, now) = (self.ring.view().clone(), self.config.store.clone(), self.ring.now());
        let taken = tokio::task::spawn_blocking(move || backup::take(&view, &store, &target, now)).await;
        let taken = taken.map_err(|error| refusal::internal(&error))?;
        taken.map(|backup| Response::Backup(Box::new(backup))).map_err(|error| match &error {
            BackupError::Taken(_) | BackupError::NoBackup(_) => {
                let hint = "name a folder that is not there yet";
                refusal::hinted(code::FILE_UNUSABLE, error.to_string(), hint)
            }
            BackupError::Artifacts(error) => artifact::ours(error),
            _ => refusal::of_store(&error),
        })
    }

    pub(super) async fn store_verify(&self) -> refusal::Result<Response> {
        let Response::Verified(log) = self.wal_verify(None).await? else { return Err(refusal::internal(&"no report")) };
        let Response::Verified(mut report) = self.wal_replay().await? else {
            return Err(refusal::internal(&"no report"));
        };
        let artifacts = self.performer.artifacts().clone();
        let view = self.ring.view().clone();
        // What is named is there before the record that names it.
        let read = move || -> refusal::Result<_> {
            let named = Named::by_rows(&view).map_err(refusal::of_read)?;
            let (count, broken) = artifacts.verify_all().map_err(|error| artifact::ours(&error))?;
            Ok((count, broken, named.missing(&artifacts)))
        };
        let read = tokio::task::spawn_blocking(read).await;
        let (count, broken, missing) = read.map_err(|error| refusal::internal(&error))??;
        report.artifacts = count;
        (report.head, report.chained) = (log.head, log.chained);
        report.faults.splice(0..0, log.faults);
        report.faults.extend(broken.iter().map(ToString::to_string).chain(missing.into_values()));
        Ok(Response::Verified(report))
    }

    pub(super) async fn wal_verify(&self, expect: Option<ChainHead>) -> refusal::Result<Response> {
        let (view, folder) = (self.ring.view().clone(), self.config.store.clone());
        let verify = move || view.verify_log(&enact_store::io::DiskIo, &folder.join("log"), expect);
        let report = tokio::task::spawn_blocking(verify).await.map_err(|error| refusal::internal(&error))?;
        let report = report.map_err(|error| refusal::concluded(OpenError::Store(error).conclusion()))?;
        Ok(Response::Verified(Box::new(VerifyReport {
            records: report.records,
            first: report.first,
            last: report.last,
            rows: 0,
            artifacts: 0,
            head: report.head,
            chained: report.chained,
            faults: report.faults.iter().map(ToString::to_string).collect(),
        })))
    }

    pub(super) async fn wal_replay(&self) -> refusal::Result<Response> {
        let view = self.ring.view().clone();
        let verify = tokio::task::spawn_blocking(move || view.verify_tables(&mut replay)).await;
        let report = verify.map_err(|error| refusal::internal(&error))?;
        let report = report.map_err(|error| refusal::of_store(&error))?;
        let mut faults: Vec<String> = report
            .differences
            .iter()
            .take(TOLD_MAX)
            .map(|found| match (&found.live, &found.rebuilt) {
                (Some(_), None) => format!("{:?} is in the tables, and the log does not make it", found.key),
                (None, Some(_)) => format!("{:?} is not in the tables, and the log makes it", found.key),
                _ => format!("{:?} is not in the tables what the log makes it", found.key),
            })
            .collect();
        if report.differing as usize > faults.len() {
            faults.push(format!("{} rows differ in all", report.differing));
        }
        let (first, last) = (report.from.plus(1), report.position);
        Ok(Response::Verified(Box::new(VerifyReport {
            records: report.records,
            first,
            last,
            rows: report.rows,
            faults,
            ..VerifyReport::default()
        })))
    }

    pub(super) async fn history_drop(
        &self,
        caller: &Caller,
        keep: Duration,
        reason: String,
    ) -> refusal::Result<Response> {
        let actor: Arc<str> = caller.actor.as_str().into();
        let idempotency_keep = self.config.policy.idempotency_keep;
        let dropped = drop_history(&self.ring, &actor, keep, idempotency_keep, &reason).await;
        let dropped = dropped.map_err(|error| refusal::new(code::STORE_UNUSABLE, error))?;
        let (executions, messages, first) = (dropped.executions, dropped.messages, dropped.first);
        let mut message = format!(
            "dropped {executions} executions and {messages} messages of all tenants; the log begins at {first}"
        );
        if dropped.young > 0 {
            let (young, hours) = (dropped.young, idempotency_keep.as_secs_f64() / 3_600.0);
            message.push_str(&format!(
                "; kept {young} executions that were settled less than {hours:.0} h ago: so long `idempotency.keep` knows their \
                 keys and intent ids"
            ));
        }
        Ok(Response::Done { message })
    }

    /// Drops what is older than the policy says, at the start and once an hour.
    pub(super) async fn drop_history_daily(hub: Weak<Self>, keep: Duration) {
        let actor: Arc<str> = "retention".into();
        loop {
            let Some(hub) = hub.upgrade() else { return };
            let idempotency_keep = hub.config.policy.idempotency_keep;
            if let Err(error) = drop_history(&hub.ring, &actor, keep, idempotency_keep, "retention").await {
                tracing::warn!(error, "history could not be dropped");
            }
            drop(hub);
            tokio::time::sleep(Duration::from_secs(3_600)).await;
        }
    }
}

/// Returns the name of a record type, whatever its case.
fn known_kind(asked: &str) -> Option<&'static str> {
    Body::KINDS.iter().copied().find(|kind| kind.eq_ignore_ascii_case(asked))
}

fn no_kind(asked: &str) -> Box<Refusal> {
    let conclusion = Conclusion::new(code::PARAMETERS_INVALID, format!("there is no record {asked}"));
    let near = did_you_mean(asked, Body::KINDS.iter().copied()).map(|near| format!("{near} "));
    let known = format!("{}there are {}", near.unwrap_or_default(), Body::KINDS.join(", "));
    refusal::concluded(conclusion.hint(known))
}

/// Which session an execution belongs to, read once for each.
struct Sessions<'a, V> {
    view: &'a V,
    tenant: &'a TenantId,
    known: BTreeMap<ExecutionId, Option<SessionId>>,
}

impl<V: View> Sessions<'_, V> {
    /// Returns whether a record is one of a session: it names the session, its state, or one of its executions.
    fn has(&mut self, record: &Record, session: &SessionId) -> Result<bool, ReadError> {
        Ok(match &record.body {
            Body::SessionOpened { session: named, .. }
            | Body::SessionUpgraded { session: named, .. }
            | Body::SessionClosed { session: named, .. } => named == session,
            Body::StateSet { scope: StateScope::Session, owner, .. }
            | Body::StateDeleted { scope: StateScope::Session, owner, .. } => owner == session.as_str(),
            Body::StateSet { owner, .. } | Body::StateDeleted { owner, .. } => match owner.parse() {
                Ok(execution) => self.of(execution)?.as_ref() == Some(session),
                Err(_) => false,
            },
            body => match body.execution() {
                Some(execution) => self.of(execution)?.as_ref() == Some(session),
                None => false,
            },
        })
    }
    fn of(&mut self, execution: ExecutionId) -> Result<&Option<SessionId>, ReadError> {
        Ok(match self.known.entry(execution) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let row = read_execution(self.view, self.tenant, execution)?;
                unknown.insert(row.map(|row| row.intent.session_id.clone()))
            }
        })
    }
}

fn passes(filter: &RecordFilter, record: &Record) -> bool {
    (record.tenant.is_none() || record.tenant == filter.tenant)
        && (filter.kinds.is_empty() || filter.kinds.iter().any(|kind| kind.eq_ignore_ascii_case(record.body.kind())))
        && filter.since.is_none_or(|since| record.time >= since)
        && filter.until.is_none_or(|until| record.time < until)
        && filter.before.is_none_or(|before| record.lsn < before)
}

/// What a tenant may see of a record that is nobody's.
fn own_part(mut record: Record, filter: &RecordFilter) -> Record {
    if let Body::HistoryDropped { executions, messages, .. } = &mut record.body {
        executions.retain(|(tenant, _)| Some(tenant) == filter.tenant.as_ref());
        messages.retain(|(tenant, _)| Some(tenant) == filter.tenant.as_ref());
    }
    record
}

/// Searches backwards from the newest record that may pass.
fn by_position<V: View>(
    view: &V,
    filter: &RecordFilter,
    limit: usize,
    mut belongs: impl FnMut(&Record) -> Result<bool, ReadError>,
) -> Result<Page<Record>, ReadError> {
    let mut end = filter.before.unwrap_or_else(|| view.position().plus(1)).min(view.position().plus(1));
    if let Some(until) = filter.until {
        end = end.min(first_at(view, until)?);
    }
    let first = view.first_record().max(Lsn(1));
    let (mut items, mut bytes, mut looked_at, mut next) = (Vec::new(), 0, 0, None);
    'chunks: while end > first {
        let from = Lsn(end.0.saturating_sub(CHUNK)).max(first);
        let records = view.read_log(from).take((end.0 - from.0) as usize).collect::<Result<Vec<_>, _>>()?;
        end = from;
        for record in records.into_iter().rev() {
            looked_at += 1;
            if filter.since.is_some_and(|since| record.time < since) {
                break 'chunks;
            }
            let lsn = record.lsn;
            if passes(filter, &record) && belongs(&record)? {
                let record = own_part(record, filter);
                bytes += record.encode().len();
                items.push(record);
            }
            if items.len() == limit || bytes >= PAGE_MAX_BYTES || looked_at >= LOOKED_AT_MAX {
                next = (lsn > first).then(|| lsn.to_string());
                break 'chunks;
            }
        }
    }
    items.reverse();
    Ok(Page { items, next })
}

/// Returns the position of the first record at or after a time: times never go back, so halving finds it.
fn first_at<V: View>(view: &V, time: enact_model::time::Timestamp) -> Result<Lsn, ReadError> {
    let (mut low, mut high) = (view.first_record().max(Lsn(1)), view.position().plus(1));
    while low < high {
        let middle = Lsn(low.0 + (high.0 - low.0) / 2);
        match view.record(middle)? {
            Some(record) if record.time < time => low = middle.plus(1),
            _ => high = middle,
        }
    }
    Ok(low)
}

/// Returns a position and those before it that hold the effects of the same outcome: they stand right before it and name
/// as their cause one of the execution's own records.
fn effects_before<V: View>(view: &V, lsn: Lsn, own: &[Lsn]) -> Result<Vec<Lsn>, ReadError> {
    let mut found = vec![lsn];
    if !matches!(view.record(lsn)?, Some(Record { body: Body::Settled { .. }, .. })) {
        return Ok(found);
    }
    let mut before = lsn;
    while before > view.first_record() {
        before = Lsn(before.0 - 1);
        let Some(record) = view.record(before)? else { break };
        if !record.body.is_effect() || record.cause.is_none_or(|cause| own.binary_search(&cause).is_err()) {
            break;
        }
        found.push(before);
    }
    Ok(found)
}

/// Reads the records that the row of an execution names, and the effects of its outcome.
/// Returns where the records of an execution stand, its effects included, in order.
pub(super) fn positions_of<V: View>(view: &V, row: &Execution) -> Result<Vec<Lsn>, ReadError> {
    let mut positions = row.records.clone();
    positions.sort_unstable();
    let effects = positions.iter().map(|lsn| effects_before(view, *lsn, &positions));
    let mut all: Vec<Lsn> = effects.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    all.sort_unstable();
    Ok(all)
}

fn by_execution<V: View>(
    view: &V,
    filter: &RecordFilter,
    execution: ExecutionId,
    limit: usize,
) -> Result<Page<Record>, ReadError> {
    let Some(tenant) = &filter.tenant else { return Ok(Page { items: Vec::new(), next: None }) };
    let row = read_execution(view, tenant, execution)?;
    let row = row.filter(|row| filter.session.as_ref().is_none_or(|session| row.intent.session_id == *session));
    let positions = row.map_or(Ok(Vec::new()), |row| positions_of(view, &row))?;
    let (mut items, mut bytes, mut next) = (Vec::new(), 0, None);
    for lsn in positions.into_iter().rev() {
        if filter.before.is_some_and(|before| lsn >= before) {
            continue;
        }
        let Some(record) = view.record(lsn)? else { continue };
        if passes(filter, &record) {
            if items.len() == limit || bytes >= PAGE_MAX_BYTES {
                next = items.last().map(|record: &Record| record.lsn.to_string());
                break;
            }
            bytes += record.encode().len();
            items.push(record);
        }
    }
    items.reverse();
    Ok(Page { items, next })
}
