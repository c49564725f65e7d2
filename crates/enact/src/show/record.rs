//! Records of the log, each in one line.

use enact_model::observation::{Reached, Seen};
use enact_model::record::{Body, Record};
use enact_runtime::api::{AuditEntry, Deed, Page};

use crate::failure::Failure;
use crate::output::Output;
use crate::output::table::Table;
use crate::output::text;

/// Shows a page of records, oldest first.
///
/// # Errors
/// Output that cannot be written.
pub fn page(page: &Page<Record>, out: &mut Output) -> Result<(), Failure> {
    if out.json {
        return out.document(page);
    }
    let mut table = Table::new(&[">lsn", "time", "record", "tenant", "actor", "what"]);
    for record in &page.items {
        table.row([
            record.lsn.into(),
            text::time(record.time).into(),
            record.body.kind().into(),
            record.tenant.as_ref().map_or("", |tenant| tenant.as_str()).into(),
            record.actor.as_ref().into(),
            describe(&record.body).into(),
        ]);
    }
    out.table(&table)?;
    super::more(page.next.as_ref(), "--before", out);
    Ok(())
}

/// Shows who did what to an execution, oldest first.
///
/// # Errors
/// Output that cannot be written.
pub fn audit(page: &Page<AuditEntry>, out: &mut Output) -> Result<(), Failure> {
    if out.json {
        return out.document(page);
    }
    let mut table = Table::new(&[">lsn", "time", "actor", "role", "deed", "reason"]);
    for entry in &page.items {
        let deed = entry.deed.word().replace('_', " ");
        let deed = match &entry.deed {
            Deed::Submitted { retry_of: Some(of), .. } => format!("{deed} again after {of}"),
            Deed::Submitted { parent: Some(of), .. } => format!("{deed} to reconcile {of}"),
            Deed::Repeated { by: of } | Deed::ReconciledBy { child: of } => format!("{deed} {of}"),
            Deed::Redelivered { message, sink } => format!("{deed} {message} to {sink}"),
            Deed::Settled { outcome } => format!("{deed}: {outcome}"),
            _ => deed,
        };
        table.row([
            entry.lsn.into(),
            text::time(entry.time).into(),
            entry.actor.as_str().into(),
            entry.role.as_deref().unwrap_or_default().into(),
            deed.into(),
            text::one_line(entry.reason.as_deref().unwrap_or_default()).into(),
        ]);
    }
    out.table(&table)
}

/// Shows the records of one execution as its life.
///
/// # Errors
/// Output that cannot be written.
pub fn timeline(records: &[Record], out: &mut Output) -> Result<(), Failure> {
    let mut table = Table::new(&[">lsn", "time", "record", "actor", "what"]);
    for record in records {
        table.row([
            record.lsn.into(),
            text::clock(record.time).into(),
            record.body.kind().into(),
            record.actor.as_ref().into(),
            describe(&record.body).into(),
        ]);
    }
    out.table(&table)
}

/// Returns one record as one line.
pub fn line(record: &Record) -> String {
    let what = text::one_line(&describe(&record.body));
    format!("{}  {:<20} {what}", text::clock(record.time), record.body.kind()).trim_end().to_owned()
}

/// Returns what a record says, without payloads.
pub fn describe(body: &Body) -> String {
    match body {
        Body::EpochOpened { store_id, release } => format!("store {store_id}, release {release}"),
        Body::CheckpointTaken { position } => format!("at {position}"),
        Body::HistoryDropped { before, reason, .. } => format!("before {before}: {reason}"),
        Body::AccessRefused { what, .. } => what.clone(),
        Body::ComponentAdded { component, digest } => format!("{} {} {digest}", component.name, component.version),
        Body::ComponentDraining { name, version, reason } | Body::ComponentRemoved { name, version, reason } => {
            format!("{name} {version}: {reason}")
        }
        Body::SolutionBound { solution } => solution.name.to_string(),
        Body::SessionOpened { session, owner, .. } => {
            format!("{session}{}", owner.as_ref().map_or(String::new(), |owner| format!(" of {owner}")))
        }
        Body::SessionUpgraded { session, owner } => format!("{session} of {owner}"),
        Body::SessionClosed { session, reason } => format!("{session}: {reason}"),
        Body::IntentRejected(rejection) => {
            format!("{} {}: {}", rejection.intent_id, rejection.intent_type, rejection.conclusion.message)
        }
        Body::IntentAccepted(acceptance) => {
            format!(
                "{} {} on {} {}",
                acceptance.execution, acceptance.selector, acceptance.pin.name, acceptance.pin.version
            )
        }
        Body::AttemptStarted { attempt, deadline_at, .. } => {
            format!("attempt {attempt}, until {}", text::clock(*deadline_at))
        }
        Body::AttemptObserved { attempt, observation, .. } | Body::LateObserved { attempt, observation, .. } => {
            let seen = match &observation.seen {
                Seen::Replied(_) => "an answer".to_owned(),
                Seen::Fault(fault) => {
                    let reached = match fault.reached {
                        Reached::No => "not reached",
                        Reached::Unknown => "may have run",
                        Reached::Yes => "did run",
                    };
                    format!("{} ({reached})", fault.message)
                }
            };
            let took = text::duration(observation.ended_at.since(observation.started_at));
            format!("attempt {attempt}: {seen}, after {took}")
        }
        Body::RetryScheduled { due, conclusion, .. } => format!("at {} for {conclusion}", text::clock(*due)),
        Body::Waited { wake, .. } => serde_json::to_string(wake).unwrap_or_default(),
        Body::StopRequested { reason, .. } | Body::PauseRequested { reason, .. } | Body::Resumed { reason, .. } => {
            reason.clone()
        }
        Body::Settled { outcome, .. } => match outcome.conclusion() {
            Some(conclusion) => format!("{}: {conclusion}", outcome.word()),
            None => outcome.word().to_owned(),
        },
        Body::StateSet { owner, key, version, .. } => format!("{owner} {key}, version {version}"),
        Body::StateDeleted { owner, key, .. } => format!("{owner} {key}"),
        Body::ReferenceRegistered { reference } => {
            format!("{} {} {}", reference.id, reference.name, reference.media_type)
        }
        Body::ProvenanceAdded { edge } => format!("{} from {}", edge.to, edge.from),
        Body::MessageQueued { message } => {
            let sinks: Vec<&str> = message.sinks.iter().map(|sink| sink.as_str()).collect();
            format!("{} {} for {}", message.id, message.event_type, sinks.join(", "))
        }
        Body::MessageDelivered { message, sink } => format!("{message} to {sink}"),
        Body::MessageDelayed { message, sink, reason, .. }
        | Body::MessageDeadLettered { message, sink, reason }
        | Body::MessageRequeued { message, sink, reason, .. } => format!("{message} to {sink}: {reason}"),
    }
}
