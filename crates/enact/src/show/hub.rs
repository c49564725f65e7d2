//! How a hub is, and what its verifications found.

use enact_catalog::quantity;
use enact_runtime::api::{Backup, DoctorReport, SinkLag, Status, VerifyReport};

use crate::failure::Failure;
use crate::output::Output;
use crate::output::table::{Card, Cell, Look, Table};
use crate::output::text;

/// Shows how a hub is.
///
/// # Errors
/// Output that cannot be written.
pub fn status(status: &Status, out: &mut Output) -> Result<(), Failure> {
    if out.json {
        return out.document(status);
    }
    let mut card = Card::default();
    card.add("store", &status.store_id);
    card.add("hub", format!("release {}, process {}, epoch {}", status.release, status.pid, status.epoch));
    card.add("since", text::time(status.started_at));
    let state = match (&status.poisoned, status.draining) {
        (Some(why), _) => Cell::new(format!("refuses writes: {why}"), Look::Bad),
        (None, true) => Cell::new("ending: new work is refused", Look::Open),
        (None, false) => Cell::new("ready", Look::Good),
    };
    card.add("state", state);
    card.add("position", status.position);
    if let Some(trouble) = &status.tables {
        card.add("tables", Cell::new(text::one_line(trouble), Look::Bad));
    }
    let open = format!("{} open, {} queued, {} running", status.open, status.queued, status.running);
    card.add("executions", open);
    card.add("messages", format!("{} pending", status.pending_messages));
    for lag in status.sinks.iter().filter(|lag| lag.pending > 0 || lag.trouble.is_some()) {
        card.add("sink", sink(lag));
    }
    card.add("components", status.components);
    out.card(&card)
}

fn sink(lag: &SinkLag) -> Cell {
    let oldest = lag.oldest_ms.map(|ms| format!(", the oldest for {}", quantity::print_ms(ms))).unwrap_or_default();
    let said = format!("{}: {} pending{oldest}", lag.sink, lag.pending);
    match &lag.trouble {
        Some(trouble) => Cell::new(format!("{said}; {}", text::one_line(trouble)), Look::Bad),
        None => Cell::new(said, Look::Open),
    }
}

/// Shows what each sink still has to get.
///
/// # Errors
/// Output that cannot be written.
pub fn lag(sinks: &[SinkLag], out: &mut Output) -> Result<(), Failure> {
    if out.json {
        return out.document(&sinks);
    }
    let mut table = Table::new(&["sink", "pending", "oldest", "trouble"]);
    for lag in sinks {
        let oldest = lag.oldest_ms.map_or_else(|| "–".to_owned(), quantity::print_ms);
        let trouble = lag.trouble.as_deref().map(text::one_line).unwrap_or_default();
        table.row([(&lag.sink).into(), lag.pending.into(), oldest.into(), Cell::new(trouble, Look::Bad)]);
    }
    out.table(&table)
}

/// Shows what a verification found.
///
/// # Errors
/// [`Failure::Unsound`] if it found faults; output that cannot be written.
pub fn verified(report: &VerifyReport, out: &mut Output) -> Result<(), Failure> {
    if out.json {
        out.document(report)?;
    } else {
        let rows = if report.rows > 0 { format!(", {} rows compared", report.rows) } else { String::new() };
        let artifacts = match report.artifacts {
            0 => String::new(),
            count => format!(", {}", text::counted(count, "artifact")),
        };
        out.line(&format!("{} records from {} to {}{rows}{artifacts}", report.records, report.first, report.last))?;
        match report.chained {
            Some(first) if first > report.first => {
                let before = format!("those before {first} are older than the chain, and have checksums only");
                out.line(&Look::Open.paint(&before, out.colour))?;
            }
            _ => {}
        }
        if let Some(head) = &report.head {
            out.line(&format!("head {head}"))?;
        }
        for fault in &report.faults {
            out.line(&Look::Bad.paint(&format!("fault: {}", text::one_line(fault)), out.colour))?;
        }
        if report.faults.is_empty() {
            out.line(&Look::Good.paint("all of it is as it should be", out.colour))?;
        }
    }
    sound(report.faults.len())
}

/// Shows what a copy of a store holds.
///
/// # Errors
/// [`Failure::Unsound`] if the store had lost artifacts; output that cannot be written.
pub fn backup(backup: &Backup, out: &mut Output) -> Result<(), Failure> {
    if out.json {
        out.document(backup)?;
        return sound(backup.missing.len());
    }
    let (position, artifacts) = (backup.position, text::counted(backup.artifacts, "artifact"));
    let log = text::bytes(backup.log_bytes);
    out.line(&format!("everything up to record {position} of {}: {log} of log, {artifacts}", backup.taken_at))?;
    for fault in backup.missing.values() {
        out.line(&Look::Bad.paint(&format!("fault: {}", text::one_line(fault)), out.colour))?;
    }
    sound(backup.missing.len())
}

/// Shows what the doctor found.
///
/// # Errors
/// [`Failure::Unsound`] if it found problems; output that cannot be written.
pub fn doctor(report: &DoctorReport, out: &mut Output) -> Result<(), Failure> {
    if out.json {
        out.document(report)?;
    } else {
        for (name, check) in &report.checks {
            let (mark, look) = if check.problems.is_empty() { ("ok", Look::Good) } else { ("bad", Look::Bad) };
            let mark = look.paint(&format!("{mark:<4}"), out.colour);
            out.line(&format!("{mark} {name}: {}", text::one_line(&check.looked_at)))?;
            for problem in &check.problems {
                out.line(&format!("     {}", text::one_line(problem)))?;
            }
        }
    }
    sound(report.checks.values().map(|check| check.problems.len()).sum())
}

fn sound(problems: usize) -> Result<(), Failure> {
    if problems == 0 { Ok(()) } else { Err(Failure::Unsound { problems }) }
}
