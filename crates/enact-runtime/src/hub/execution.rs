//! Executions and intents as the doors see them.

use std::sync::Arc;
use std::time::Duration;

use enact_catalog::near::did_you_mean;
use enact_engine::view::rows;
use enact_model::conclusion::Conclusion;
use enact_model::execution::{Execution, Phase};
use enact_model::id::{ExecutionId, IntentId, IntentType, Name, SolutionId};
use enact_model::limits;
use enact_model::outcome::Outcome;
use enact_model::payload::Payload;
use enact_model::table::{DueKind, IntentRow, Key, KeyRange, Row, Table};
use enact_store::contract::{Order, View};

use super::page::{self, Size, bad_cursor};
use super::{Hub, refusal};
use crate::api::{Caller, ExecutionFilter, ExecutionView, IntentTypeView, IntentView, Page, Response};
use crate::driver::{Durable, read_execution, read_intent};
use crate::performer::load_json;
use enact_engine::conclude as code;

/// Largest output that is loaded for a door, in bytes.
const OUTPUT_SHOWN_MAX: u64 = 1024 * 1024;

impl Hub {
    pub(super) async fn execution(&self, caller: &Caller, execution: ExecutionId) -> refusal::Result<Response> {
        Ok(Response::Execution(Box::new(self.view_of(caller, execution).await?)))
    }

    pub(super) async fn wait(
        &self,
        caller: &Caller,
        execution: ExecutionId,
        wait_ms: u64,
    ) -> refusal::Result<Response> {
        self.wait_settled(caller, execution, Duration::from_millis(wait_ms)).await?;
        self.execution(caller, execution).await
    }

    /// Waits until an execution is settled, at most so long.
    pub(super) async fn wait_settled(&self, caller: &Caller, id: ExecutionId, limit: Duration) -> refusal::Result<()> {
        let limit = limit.min(limits::DEADLINE_MAX);
        let settled = self.ring.settlement(id);
        let row = self.row(caller, id);
        if row.as_ref().is_ok_and(|row| row.is_open()) {
            // Whether it settled or the time is over, the caller looks again.
            let _ = tokio::time::timeout(limit, settled).await;
        } else {
            drop(settled);
        }
        self.ring.forget(id);
        row.map(|_| ())
    }

    /// Reads an execution of the caller's tenant.
    pub(super) fn row(&self, caller: &Caller, id: ExecutionId) -> refusal::Result<Arc<Execution>> {
        read_execution(self.ring.view(), &caller.tenant, id).map_err(refusal::of_read)?.ok_or_else(|| {
            let message = format!("tenant {} has no execution {id}", caller.tenant);
            let conclusion = Conclusion::new(code::EXECUTION_UNKNOWN, message);
            refusal::concluded(conclusion.hint("`enact execution list` shows what there is"))
        })
    }

    pub(super) async fn view_of(&self, caller: &Caller, id: ExecutionId) -> refusal::Result<ExecutionView> {
        self.shown(self.row(caller, id)?).await
    }

    /// Shows an execution, with its output if that is not large.
    pub(super) async fn shown(&self, execution: Arc<Execution>) -> refusal::Result<ExecutionView> {
        let output = match execution.outcome.as_deref() {
            Some(Outcome::Completed { output: Payload::Inline(json), .. }) => Some(json.clone()),
            Some(Outcome::Completed { output: Payload::Stored { digest, size }, .. }) if *size <= OUTPUT_SHOWN_MAX => {
                let (artifacts, digest) = (self.performer.artifacts().clone(), *digest);
                let loaded = tokio::task::spawn_blocking(move || load_json(&artifacts, &digest)).await;
                loaded.map_err(|error| refusal::internal(&error))?.ok()
            }
            _ => None,
        };
        let waits_for = enact_engine::wake::explain(&execution);
        Ok(ExecutionView { execution, output, waits_for })
    }

    pub(super) async fn executions(&self, caller: &Caller, filter: ExecutionFilter) -> refusal::Result<Response> {
        let size = Size::of(filter.limit)?;
        let filter = ExecutionFilter {
            selector: filter.selector.as_deref().map(canonical).transpose()?,
            intent_type: filter.intent_type.as_deref().map(canonical_type).transpose()?,
            ..filter
        };
        filter.outcome.as_deref().map_or(Ok(()), known_outcome)?;
        let before: Option<ExecutionId> = match &filter.cursor {
            Some(text) => Some(text.parse().map_err(|_| bad_cursor(text))?),
            None => None,
        };
        let view = self.ring.view().clone();
        let tenant = caller.tenant.clone();
        let look = move || {
            let open_only = filter.open || matches!(filter.phase, Some(phase) if phase != Phase::Settled);
            // Of the default session there is no index: its executions are found among all of them.
            let session = filter.session.as_ref().filter(|session| !session.is_default());
            let mut range = match (session, open_only) {
                (Some(session), _) => KeyRange::session_executions(&tenant, session),
                (None, true) => KeyRange::active(&tenant),
                (None, false) => KeyRange::executions(&tenant),
            };
            let key_of = |id| match (session, open_only) {
                (Some(session), _) => Key::session_execution(&tenant, session, id),
                (None, true) => Key::active(&tenant, id),
                (None, false) => Key::execution(&tenant, id),
            };
            if let Some(until) = filter.until {
                range.to = range.to.min(key_of(ExecutionId::from_parts(until.0, 0)));
            }
            if let Some(before) = before {
                range.to = range.to.min(key_of(before));
            }
            if let Some(since) = filter.since {
                range.from = range.from.max(key_of(ExecutionId::from_parts(since.0, 0)));
            }
            let scan = |range: &KeyRange, most| view.scan(range, Order::Descending, most);
            let (items, next) = page::take(range, &size, scan, |key, row| {
                let Some(id) = key.last_id().map(ExecutionId::from_u128) else { return Ok(None) };
                let execution = match row {
                    Row::Execution(row) => Some(row),
                    _ => read_execution(&view, &tenant, id)?,
                };
                Ok(execution.filter(|execution| passes(&filter, execution)).map(|execution| {
                    let waits_for = enact_engine::wake::explain(&execution);
                    ExecutionView { execution, output: None, waits_for }
                }))
            })?;
            let next = next.and_then(|key| key.last_id()).map(|id| ExecutionId::from_u128(id).to_string());
            Ok(Page { items, next })
        };
        let page = tokio::task::spawn_blocking(look).await.map_err(|error| refusal::internal(&error))?;
        Ok(Response::Executions(page.map_err(refusal::of_read)?))
    }

    pub(super) async fn intent(&self, caller: &Caller, intent: IntentId) -> refusal::Result<Response> {
        match read_intent(self.ring.view(), &caller.tenant, intent).map_err(refusal::of_read)? {
            Some(row) => Ok(Response::Intent(Box::new(match &*row {
                IntentRow::Accepted { execution, .. } => {
                    IntentView::Accepted(Box::new(self.view_of(caller, *execution).await?))
                }
                IntentRow::Rejected { rejection, .. } => IntentView::Rejected(rejection.clone()),
            }))),
            None => Err(refusal::new(code::NOT_FOUND, format!("tenant {} has no intent {intent}", caller.tenant))),
        }
    }

    pub(super) fn intent_types(&self, solution: Option<&SolutionId>) -> refusal::Result<Response> {
        let catalog = self.ring.catalog();
        let default = SolutionId::default_solution();
        let solution = solution.unwrap_or(&default);
        if let Some(near) = catalog.missing(solution) {
            let hint = match near.as_slice() {
                [] => "`enact solution list` shows what is bound".to_owned(),
                near => format!("did you mean {}?", near.join(" or ")),
            };
            return Err(refusal::hinted(code::SOLUTION_UNKNOWN, format!("there is no solution {solution}"), hint));
        }
        let own = catalog.solution(solution).into_iter().flat_map(|solution| solution.intents.keys());
        let mut types: Vec<_> = catalog.intent_types().map(|(intent_type, _)| intent_type).chain(own).collect();
        types.sort();
        types.dedup();
        let shown = types.into_iter().filter_map(|intent_type| {
            let resolved = catalog.resolve(intent_type, solution).ok()?;
            let operation = resolved.operation.operation();
            Some(IntentTypeView {
                intent_type: intent_type.to_string(),
                selector: resolved.selector.to_string(),
                summary: operation.summary.clone(),
                kind: format!("{:?}", operation.kind).to_lowercase(),
            })
        });
        Ok(Response::IntentTypes(shown.collect()))
    }

    /// Counts what is open, what of it is queued, and the messages that are not delivered.
    pub(super) fn counts(&self) -> (u64, u64, u64) {
        let view = Durable(self.ring.view());
        let count = |table| rows(&view, KeyRange::table(table)).count() as u64;
        let starts = |key: &Key| matches!(key.as_due(), Some((_, DueKind::Start, _, _)));
        let later = rows(&view, KeyRange::table(Table::Due)).filter(|(key, _)| starts(key)).count() as u64;
        (count(Table::Active), count(Table::Queue) + later, count(Table::Pending))
    }
}

/// Brings a part of a selector to the form in which selectors are kept.
fn canonical(asked: &str) -> refusal::Result<String> {
    let names: Result<Vec<String>, _> =
        asked.split('.').map(|part| part.parse().map(|name: Name| name.to_string())).collect();
    match names {
        Ok(names) if names.len() <= 3 => Ok(names.join(".")),
        _ => {
            let message = format!("{asked:?} is no component, component.service or component.service.operation");
            let hint = "`enact component list` shows what there is";
            Err(refusal::hinted(code::PARAMETERS_INVALID, message, hint))
        }
    }
}

/// Brings an intent type to the form in which it is kept, as a submission does.
fn canonical_type(asked: &str) -> refusal::Result<String> {
    asked.parse().map(|intent_type: IntentType| intent_type.to_string()).map_err(|error| {
        refusal::hinted(code::PARAMETERS_INVALID, error.to_string(), "`enact intent types` shows what there is")
    })
}

/// Refuses an outcome that there is not.
pub(super) fn known_outcome(asked: &str) -> refusal::Result<()> {
    if Outcome::WORDS.contains(&asked) {
        return Ok(());
    }
    let asked = enact_catalog::yaml::cut(asked, 60);
    let near = did_you_mean(&asked, Outcome::WORDS).map(|near| format!("{near} ")).unwrap_or_default();
    let hint = format!("{near}there are {}", Outcome::WORDS.join(", "));
    Err(refusal::hinted(code::PARAMETERS_INVALID, format!("there is no outcome {asked:?}"), hint))
}

/// Returns whether an execution has what a filter asks for.
pub(super) fn passes(filter: &ExecutionFilter, execution: &Execution) -> bool {
    let selector = execution.selector.to_string();
    filter.phase.is_none_or(|phase| execution.phase == phase)
        && (!filter.open || execution.is_open())
        && filter.until.is_none_or(|until| execution.id < ExecutionId::from_parts(until.0, 0))
        && filter.intent_type.as_ref().is_none_or(|asked| execution.intent.intent_type.to_string() == *asked)
        && filter.outcome.as_ref().is_none_or(|word| execution.outcome.as_ref().is_some_and(|o| o.word() == word))
        && filter.selector.as_ref().is_none_or(|asked| selector == *asked || selector.starts_with(&format!("{asked}.")))
        && filter.session.as_ref().is_none_or(|session| execution.intent.session_id == *session)
        && filter.text.as_ref().is_none_or(|text| {
            let conclusion =
                execution.outcome.as_ref().and_then(|outcome| outcome.conclusion()).or(execution.last.as_ref());
            conclusion.is_some_and(|conclusion| conclusion.message.contains(text.as_str()))
        })
}
