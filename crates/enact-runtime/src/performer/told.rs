//! What an attempt is told of itself: its deadline and its context.

use std::time::Duration;

use enact_catalog::schema::CompiledOperation;
use enact_model::context::{AttemptFacts, ContextIds, ExecutionContext};
use enact_model::descriptor::Operation;
use enact_model::execution::Execution;
use enact_model::time::Timestamp;

use crate::trace::TraceContext;

fn deadline(execution: &Execution, operation_timeout: Duration, now: Timestamp) -> Timestamp {
    let attempt = execution.attempt_started_at.unwrap_or(now).plus(operation_timeout);
    execution.deadline_at.map_or(attempt, |total| total.min(attempt))
}

pub(super) fn budget(execution: &Execution, operation: &CompiledOperation, now: Timestamp) -> Duration {
    deadline(execution, operation.operation().timeout(), now).since(now).max(Duration::from_millis(1))
}

pub(super) fn context(
    execution: &Execution,
    operation: &Operation,
    share: f64,
) -> Result<ExecutionContext, enact_model::context::ContextMismatch> {
    let intent = &execution.intent;
    let facts = AttemptFacts {
        attempt: execution.attempt,
        deadline_at: deadline(execution, operation.timeout(), execution.accepted_at),
        idempotency_token: execution.id.to_string(),
        trace: TraceContext::of(execution, share).traceparent(execution.attempt),
    };
    ExecutionContext::new(execution.id, ContextIds::of(intent), intent, execution.selector.clone(), facts)
}
