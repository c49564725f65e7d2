//! Shows what a hub answers: a document with `--json`, otherwise tables and cards for people.

pub mod execution;
pub mod hub;
pub mod list;
pub mod record;

use enact_model::json::Json;
use enact_runtime::api::{Page, Response};
use serde_json::json;

use crate::failure::Failure;
use crate::output::Output;
use crate::output::text;

/// Shows an answer.
///
/// # Errors
/// A refusal as [`Failure::Refused`] or [`Failure::Rejected`]; problems that a verification or the doctor found; output
/// that cannot be written.
pub fn show(response: Response, out: &mut Output) -> Result<(), Failure> {
    match response {
        Response::Refused(refusal) => Err(Failure::Refused(refusal)),
        Response::Rejected(rejection) => Err(Failure::Rejected(rejection)),
        Response::Accepted { execution, repeated } => execution::accepted(&execution, repeated, out),
        Response::Intent(intent) => execution::intent(&intent, out),
        Response::Execution(view) => execution::card(&view, &[], out),
        Response::Executions(page) => list::executions(&page, out),
        Response::Bulk(report) => list::bulk(&report, out),
        Response::IntentTypes(types) => list::intent_types(&types, out),
        Response::Components(components) => list::components(&components, out),
        Response::Solutions(solutions) => list::solutions(&solutions, out),
        Response::References(page) => list::references(&page, out),
        Response::Reference(reference) => list::reference(&reference, out),
        Response::Lineage(lineage) => list::lineage(&lineage, out),
        Response::Session(session) => list::session(&session, out),
        Response::Sessions(page) => list::sessions(&page, out),
        Response::State(value) => list::state(&Page { items: vec![*value], next: None }, out),
        Response::States(page) => list::state(&page, out),
        Response::Outbox(page) => list::outbox(&page, out),
        Response::Records(page) => record::page(&page, out),
        Response::Audit(page) => record::audit(&page, out),
        Response::Described(json) => described(&json, out),
        Response::Done { message } if out.json => out.document(&json!({ "message": message })),
        Response::Done { message } => out.line(&crate::output::text::one_line(&message)),
        Response::Checked { component, version, digest, operations } if out.json => out.document(
            &json!({ "component": component, "version": version, "digest": digest, "operations": operations }),
        ),
        Response::Checked { component, version, digest, operations } => {
            let operations = text::counted(operations as u64, "operation");
            out.line(&format!("{component} {version}: {operations}, {digest}"))
        }
        Response::Backup(backup) => hub::backup(&backup, out),
        Response::Verified(report) => hub::verified(&report, out),
        Response::Doctor(report) => hub::doctor(&report, out),
        Response::Status(status) => hub::status(&status, out),
    }
}

fn described(json: &Json, out: &mut Output) -> Result<(), Failure> {
    out.document(&json.to_value())
}

/// Tells that a list goes on.
fn more(next: Option<&String>, option: &str, out: &mut Output) {
    if let Some(next) = next {
        out.note(&format!("more follow: {option} {next}"));
    }
}
