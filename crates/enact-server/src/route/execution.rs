//! Executions: seen, searched, waited for and steered, one by one or by filter.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use enact_model::execution::Phase;
use enact_model::id::ExecutionId;
use enact_model::time::Timestamp;
use enact_runtime::api::{Bulk, BulkAction, ExecutionFilter, ExecutionView, Request, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::intent::Wait;
use super::{Answer, document, done, page, unexpected, with_ids};
use crate::access::Asker;
use crate::body::{Asked, Document, Path, named};
use crate::cursor;
use crate::problem::Problem;
use crate::server::Door;

/// Which executions, as a query or as a document says it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Search {
    phase: Option<Phase>,
    open: bool,
    outcome: Option<String>,
    selector: Option<String>,
    session: Option<String>,
    intent_type: Option<String>,
    since: Option<String>,
    until: Option<String>,
    text: Option<String>,
}

impl Search {
    fn filter(&self) -> Result<ExecutionFilter, Problem> {
        Ok(ExecutionFilter {
            phase: self.phase,
            open: self.open,
            outcome: self.outcome.clone(),
            selector: self.selector.clone(),
            session: self.session.as_deref().map(|text| named(text, "id of a session")).transpose()?,
            intent_type: self.intent_type.clone(),
            since: self.since.as_deref().map(time).transpose()?,
            until: self.until.as_deref().map(time).transpose()?,
            text: self.text.clone(),
            limit: 0,
            cursor: None,
        })
    }
}

/// A time as RFC 3339 writes it.
pub(super) fn time(text: &str) -> Result<Timestamp, Problem> {
    named(text, "time by RFC 3339, such as 2026-01-31T12:00:00Z")
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    phase: Option<Phase>,
    #[serde(default)]
    open: bool,
    outcome: Option<String>,
    selector: Option<String>,
    session: Option<String>,
    intent_type: Option<String>,
    since: Option<String>,
    until: Option<String>,
    text: Option<String>,
    #[serde(default)]
    limit: u32,
    cursor: Option<String>,
}

pub(super) async fn list(
    State(door): State<Arc<Door>>,
    Asker(caller): Asker,
    Asked(asked): Asked<ListQuery>,
) -> Answer {
    let ListQuery { phase, open, outcome, selector, session, intent_type, since, until, text, limit, cursor } = asked;
    let search = Search { phase, open, outcome, selector, session, intent_type, since, until, text };
    let question = ("executions", &search);
    let cursor = cursor::take(&question, cursor.as_deref())?;
    let filter = ExecutionFilter { limit, cursor, ..search.filter()? };
    let turn = door.turns.take(&caller).await?;
    match door.ask(&caller, Request::Executions(filter)).await? {
        Response::Executions(found) => Ok(page(turn, &question, found)),
        other => Err(unexpected(&format!("{other:?}"))),
    }
}

async fn view(
    door: &Door,
    Asker(caller): &Asker,
    execution: ExecutionId,
    wait_ms: Option<u64>,
) -> Result<Box<ExecutionView>, Problem> {
    let request = match wait_ms {
        Some(wait_ms) => Request::Await { execution, wait_ms },
        None => Request::Execution { execution },
    };
    match door.ask(caller, request).await? {
        Response::Execution(view) => Ok(view),
        other => Err(unexpected(&format!("{other:?}"))),
    }
}

fn id(text: &str) -> Result<ExecutionId, Problem> {
    named(text, "id of an execution")
}

pub(super) async fn show(
    State(door): State<Arc<Door>>,
    asker: Asker,
    Path(text): Path<String>,
    Asked(wait): Asked<Wait>,
) -> Answer {
    let view = view(&door, &asker, id(&text)?, wait.ms()?).await?;
    Ok(with_ids(document(StatusCode::OK, &view), &view))
}

pub(super) async fn outcome(
    State(door): State<Arc<Door>>,
    asker: Asker,
    Path(text): Path<String>,
    Asked(wait): Asked<Wait>,
) -> Answer {
    let view = view(&door, &asker, id(&text)?, wait.ms()?).await?;
    let response = match view.outcome() {
        Some(outcome) => {
            let word = outcome.word();
            document(StatusCode::OK, &json!({ "word": word, "outcome": outcome, "output": view.output }))
        }
        None => document(StatusCode::ACCEPTED, &view),
    };
    Ok(with_ids(response, &view))
}

/// What an operator says with a command.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Said {
    /// The hub refuses a blank one, whichever door it comes through.
    reason: String,
    confirm_may_have_run: bool,
}

/// An operator's command, whose actor is known and whose reason must be said.
async fn steer(
    door: &Door,
    Asker(caller): &Asker,
    text: &str,
    said: Document<Said>,
    request: impl FnOnce(ExecutionId, Said) -> Request,
) -> Answer {
    let execution = id(text)?;
    done(door.ask(caller, request(execution, said.0.unwrap_or_default())).await?)
}

macro_rules! steering {
    ($($name:ident: $request:expr;)+) => {
        $(pub(super) async fn $name(
            State(door): State<Arc<Door>>,
            asker: Asker,
            Path(text): Path<String>,
            said: Document<Said>,
        ) -> Answer {
            steer(&door, &asker, &text, said, $request).await
        })+
    };
}

steering! {
    cancel: |execution, said| Request::Cancel { execution, reason: said.reason };
    pause: |execution, said| Request::Pause { execution, reason: said.reason };
    resume: |execution, said| Request::Resume { execution, reason: said.reason };
    retry: |execution, Said { reason, confirm_may_have_run }| {
        Request::Retry { execution, reason, confirm_may_have_run }
    };
}

/// A command to every execution that passes a filter.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ToAll {
    filter: Search,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    confirm_may_have_run: bool,
    #[serde(default)]
    limit: u32,
}

async fn bulk(door: &Door, Asker(caller): &Asker, document: Document<ToAll>, action: BulkAction) -> Answer {
    let ToAll { filter, reason, confirm_may_have_run, limit } = document.required()?;
    let filter = ExecutionFilter { limit, ..filter.filter()? };
    let bulk = Bulk { action, filter, reason, confirm_may_have_run };
    match door.ask(caller, Request::Bulk(Box::new(bulk))).await? {
        Response::Bulk(report) => Ok(super::document(StatusCode::OK, &report)),
        other => Err(unexpected(&format!("{other:?}"))),
    }
}

pub(super) async fn cancel_all(State(door): State<Arc<Door>>, asker: Asker, document: Document<ToAll>) -> Answer {
    bulk(&door, &asker, document, BulkAction::Cancel).await
}

pub(super) async fn retry_all(State(door): State<Arc<Door>>, asker: Asker, document: Document<ToAll>) -> Answer {
    bulk(&door, &asker, document, BulkAction::Retry).await
}
