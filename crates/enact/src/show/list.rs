//! Lists and the things that stand in them.

use enact_model::json::Json;
use enact_model::message::{Delivery, MessageRow};
use enact_model::reference::Reference;
use enact_model::table::SessionRow;
use enact_model::time::Timestamp;
use enact_runtime::api::{BulkReport, ComponentView, ExecutionView, IntentTypeView, Lineage, NotDone, Page, StateView};

use super::more;
use crate::failure::Failure;
use crate::output::Output;
use crate::output::table::{Card, Cell, Look, Table};
use crate::output::text;

type Shown = Result<(), Failure>;

/// Shows executions.
pub(super) fn executions(page: &Page<ExecutionView>, out: &mut Output) -> Shown {
    if out.json {
        return out.document(page);
    }
    let mut table = Table::new(&["execution", "operation", "state", ">tries", "accepted", "session", "note"]);
    for view in &page.items {
        let execution = &view.execution;
        let note = match view.outcome() {
            None => super::execution::waits_for(view).map(|what| format!("waits for {what}")),
            Some(outcome) => outcome.conclusion().map(|conclusion| conclusion.message.clone()),
        };
        table.row([
            execution.id.into(),
            (&execution.selector).into(),
            super::execution::word(view),
            execution.attempt.into(),
            text::time(execution.accepted_at).into(),
            (&execution.intent.session_id).into(),
            note.unwrap_or_default().into(),
        ]);
    }
    rows(&table, "no executions", page.next.as_ref(), "--cursor", out)
}

/// Shows what a command to many came to.
pub(super) fn bulk(report: &BulkReport, out: &mut Output) -> Shown {
    if out.json {
        return out.document(report);
    }
    let BulkReport { matched, done, more, not_done } = report;
    let rest = if *more { "; there are more, ask again" } else { "" };
    out.line(&format!("{done} of {matched} executions{rest}"))?;
    for NotDone { execution, why } in not_done {
        out.line(&format!("{execution}: {}", text::one_line(&why.message)))?;
    }
    Ok(())
}

/// Shows intent types.
pub(super) fn intent_types(types: &[IntentTypeView], out: &mut Output) -> Shown {
    if out.json {
        return out.document(types);
    }
    let mut table = Table::new(&["intent type", "operation", "kind", "summary"]);
    for view in types {
        let summary = view.summary.clone().unwrap_or_default();
        table.row([(&view.intent_type).into(), (&view.selector).into(), (&view.kind).into(), summary.into()]);
    }
    rows(&table, "no intent types; `enact component add` brings some", None, "", out)
}

/// Shows components.
pub(super) fn components(components: &[ComponentView], out: &mut Output) -> Shown {
    if out.json {
        return out.document(components);
    }
    let mut table = Table::new(&["component", "version", "shape", "state", "host", ">operations", ">open", "digest"]);
    for view in components {
        let look = if view.state == "active" { Look::Good } else { Look::Open };
        table.row([
            (&view.name).into(),
            (&view.version).into(),
            (&view.shape).into(),
            Cell::new(&view.state, look),
            (&view.host).into(),
            view.operations.len().into(),
            view.open_executions.into(),
            text::cut(&view.digest.to_string(), 20).into(),
        ]);
    }
    rows(&table, "no components; `enact component add` adds one", None, "", out)
}

/// Shows solutions.
pub(super) fn solutions(solutions: &[Json], out: &mut Output) -> Shown {
    let values: Vec<serde_json::Value> = solutions.iter().map(Json::to_value).collect();
    if out.json {
        return out.document(&values);
    }
    let mut table = Table::new(&["solution", "components", "intent types"]);
    let keys = |value: &serde_json::Value, field: &str| {
        let object = value.get(field).and_then(serde_json::Value::as_object);
        object.map(|object| object.keys().cloned().collect::<Vec<_>>().join(", ")).unwrap_or_default()
    };
    for value in &values {
        let name = value.get("name").and_then(serde_json::Value::as_str).unwrap_or_default();
        table.row([name.into(), keys(value, "components").into(), keys(value, "intents").into()]);
    }
    rows(&table, "no solutions; `enact solution bind` binds one", None, "", out)
}

/// Shows references.
pub(super) fn references(page: &Page<Reference>, out: &mut Output) -> Shown {
    if out.json {
        return out.document(page);
    }
    let mut table = Table::new(&["reference", "name", "media type", ">size", "made by", "registered"]);
    for reference in &page.items {
        table.row([
            reference.id.into(),
            (&reference.name).into(),
            (&reference.media_type).into(),
            reference.size.map(text::bytes).unwrap_or_default().into(),
            reference.made_by.map(|id| id.to_string()).unwrap_or_default().into(),
            text::time(reference.registered_at).into(),
        ]);
    }
    rows(&table, "no references", page.next.as_ref(), "--cursor", out)
}

/// Shows one reference.
pub(super) fn reference(reference: &Reference, out: &mut Output) -> Shown {
    if out.json {
        return out.document(reference);
    }
    let mut card = Card::default();
    card.add("reference", reference.id);
    card.add("name", &reference.name);
    card.add("media type", &reference.media_type);
    card.add_if("digest", reference.digest);
    card.add_if("size", reference.size.map(text::bytes));
    card.add_if("uri", reference.uri.as_ref());
    card.add_if("made by", reference.made_by);
    card.add("registered", text::time(reference.registered_at));
    out.card(&card)
}

/// Shows what a reference comes from and leads to.
pub(super) fn lineage(lineage: &Lineage, out: &mut Output) -> Shown {
    if out.json {
        return out.document(lineage);
    }
    let mut table = Table::new(&[">distance", "reference", "name", "media type", "made from", "made by"]);
    for (distance, reference) in &lineage.nodes {
        let edges = lineage.edges.iter().filter(|edge| edge.to == reference.id);
        let from: Vec<String> = edges.map(|edge| edge.from.to_string()).collect();
        table.row([
            distance.into(),
            reference.id.into(),
            (&reference.name).into(),
            (&reference.media_type).into(),
            from.join(", ").into(),
            reference.made_by.map(|id| id.to_string()).unwrap_or_default().into(),
        ]);
    }
    out.table(&table)?;
    if !lineage.complete {
        let by = lineage.cut_by.as_deref().unwrap_or("a limit");
        out.note(&format!("something was left out by {}; ask for more with --depth or --limit", text::one_line(by)));
    }
    Ok(())
}

/// Shows one session.
pub(super) fn session(session: &SessionRow, out: &mut Output) -> Shown {
    if out.json {
        return out.document(session);
    }
    let mut card = Card::default();
    card.add("session", &session.session_id);
    card.add("owner", session.owner.as_deref().unwrap_or("nobody (anonymous)"));
    card.add("opened", text::time(session.opened_at));
    let ended = session.ended_at(Timestamp::from_system(std::time::SystemTime::now()));
    let expires = if ended.is_some() && ended == session.expires_at { "expired" } else { "expires" };
    card.add_if(expires, session.expires_at.map(text::time));
    card.add_if("closed", session.closed_at.map(text::time));
    let word = if ended.is_some() { Cell::new("ended", Look::Bad) } else { Cell::new("open", Look::Good) };
    card.add("state", word);
    out.card(&card)
}

/// Shows sessions.
pub(super) fn sessions(page: &Page<SessionRow>, out: &mut Output) -> Shown {
    if out.json {
        return out.document(page);
    }
    let mut table = Table::new(&["session", "owner", "opened", "expires", "closed"]);
    let when = |time: Option<Timestamp>| time.map(text::time).unwrap_or_default();
    for row in &page.items {
        table.row([
            (&row.session_id).into(),
            row.owner.clone().unwrap_or_default().into(),
            text::time(row.opened_at).into(),
            when(row.expires_at).into(),
            when(row.closed_at).into(),
        ]);
    }
    rows(&table, "no sessions", page.next.as_ref(), "--cursor", out)
}

/// Shows values of state.
pub(super) fn state(page: &Page<StateView>, out: &mut Output) -> Shown {
    if out.json {
        return out.document(page);
    }
    let mut table = Table::new(&["key", ">version", "expires", "value"]);
    for view in &page.items {
        table.row([
            (&view.key).into(),
            view.version.into(),
            view.expires_at.map(text::time).unwrap_or_default().into(),
            text::cut(view.value.as_str(), 400).into(),
        ]);
    }
    rows(&table, "no state", page.next.as_ref(), "--cursor", out)
}

/// Shows messages.
pub(super) fn outbox(page: &Page<MessageRow>, out: &mut Output) -> Shown {
    if out.json {
        return out.document(page);
    }
    let mut table = Table::new(&["message", "type", "key", "sink", "delivery", "note", "time"]);
    for row in &page.items {
        for (sink, delivery) in row.message.sinks.iter().zip(&row.deliveries) {
            let (word, note) = match delivery {
                Delivery::Pending { tries, reason, .. } => {
                    let tried = (*tries > 0).then(|| format!("{tries} tries"));
                    let note: Vec<String> = tried.into_iter().chain(reason.clone()).collect();
                    (Cell::new("pending", Look::Open), note.join(": "))
                }
                Delivery::Delivered { at } => (Cell::new("delivered", Look::Good), text::time(*at)),
                Delivery::DeadLettered { reason, .. } => (Cell::new("dead", Look::Bad), reason.clone()),
            };
            table.row([
                row.message.id.into(),
                (&row.message.event_type).into(),
                row.message.key.clone().unwrap_or_default().into(),
                sink.into(),
                word,
                note.into(),
                text::time(row.message.time).into(),
            ]);
        }
    }
    rows(&table, "no messages", page.next.as_ref(), "--before", out)
}

fn rows(table: &Table, nothing: &str, next: Option<&String>, option: &str, out: &mut Output) -> Shown {
    if table.is_empty() {
        out.note(nothing);
        return Ok(());
    }
    out.table(table)?;
    more(next, option, out);
    Ok(())
}
