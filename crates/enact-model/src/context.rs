//! What a handler is told of its call.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::{ExecutionId, IntentId, Selector, SessionId, SolutionId, TenantId};
use crate::intent::Intent;
use crate::time::Timestamp;

/// What a handler is told of its call; it can only be made from the intent it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutionContext {
    execution_id: ExecutionId,
    intent_id: IntentId,
    tenant_id: TenantId,
    session_id: SessionId,
    solution_id: SolutionId,
    selector: Selector,
    metadata: BTreeMap<String, String>,
    created_at: Timestamp,
    attempt: u32,
    deadline_at: Timestamp,
    idempotency_token: String,
    trace: String,
}

/// The ids that a context is asked to carry, to be held against the intent's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextIds {
    /// The intent.
    pub intent_id: IntentId,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The session.
    pub session_id: SessionId,
    /// The solution.
    pub solution_id: SolutionId,
}

impl ContextIds {
    /// Returns those of an intent.
    pub fn of(intent: &Intent) -> Self {
        Self {
            intent_id: intent.intent_id,
            tenant_id: intent.tenant_id.clone(),
            session_id: intent.session_id.clone(),
            solution_id: intent.solution_id.clone(),
        }
    }
}

/// A context that would not belong to its intent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("failed to make a context: its {field} is {asked}, that of the intent is {intent}")]
pub struct ContextMismatch {
    /// The field that differs.
    pub field: &'static str,
    /// What was asked.
    pub asked: String,
    /// What the intent says.
    pub intent: String,
}

/// One attempt, as its context tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptFacts {
    /// The number, from 1.
    pub attempt: u32,
    /// When it must be over.
    pub deadline_at: Timestamp,
    /// The token that is the same for every attempt of one execution.
    pub idempotency_token: String,
    /// W3C trace context of the attempt.
    pub trace: String,
}

impl ExecutionContext {
    /// Makes the context of an attempt.
    ///
    /// # Errors
    /// An id that is not that of the intent.
    pub fn new(
        execution_id: ExecutionId,
        ids: ContextIds,
        intent: &Intent,
        selector: Selector,
        facts: AttemptFacts,
    ) -> Result<Self, ContextMismatch> {
        fn same<T: PartialEq + ToString>(field: &'static str, asked: &T, intent: &T) -> Result<(), ContextMismatch> {
            if asked == intent {
                return Ok(());
            }
            Err(ContextMismatch { field, asked: asked.to_string(), intent: intent.to_string() })
        }
        same("intent_id", &ids.intent_id, &intent.intent_id)?;
        same("tenant_id", &ids.tenant_id, &intent.tenant_id)?;
        same("session_id", &ids.session_id, &intent.session_id)?;
        same("solution_id", &ids.solution_id, &intent.solution_id)?;
        Ok(Self {
            execution_id,
            intent_id: ids.intent_id,
            tenant_id: ids.tenant_id,
            session_id: ids.session_id,
            solution_id: ids.solution_id,
            selector,
            metadata: intent.metadata.clone(),
            created_at: intent.created_at,
            attempt: facts.attempt,
            deadline_at: facts.deadline_at,
            idempotency_token: facts.idempotency_token,
            trace: facts.trace,
        })
    }

    /// The execution.
    pub fn execution_id(&self) -> ExecutionId {
        self.execution_id
    }
    /// The tenant.
    pub fn tenant_id(&self) -> &TenantId {
        &self.tenant_id
    }
    /// The session.
    pub fn session_id(&self) -> &SessionId {
        &self.session_id
    }
    /// The operation.
    pub fn selector(&self) -> &Selector {
        &self.selector
    }
    /// The number of the attempt, from 1.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }
    /// The token that is the same for every attempt.
    pub fn idempotency_token(&self) -> &str {
        &self.idempotency_token
    }
    /// W3C trace context of the attempt.
    pub fn trace(&self) -> &str {
        &self.trace
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Json;
    use crate::payload::Payload;

    fn intent() -> Intent {
        Intent {
            intent_id: IntentId::from_u128(1),
            intent_type: "shop.s.look".parse().unwrap(),
            tenant_id: "acme".parse().unwrap(),
            session_id: "s-1".parse().unwrap(),
            solution_id: "claims".parse().unwrap(),
            parameters: Payload::Inline(Json::parse("{}").unwrap()),
            metadata: [("k".to_owned(), "v".to_owned())].into(),
            created_at: Timestamp(5),
            idempotency_key: None,
            deadline_ms: None,
            start_after: None,
        }
    }

    fn make(change: impl FnOnce(&mut ContextIds)) -> Result<ExecutionContext, ContextMismatch> {
        let intent = intent();
        let mut ids = ContextIds::of(&intent);
        change(&mut ids);
        let facts = AttemptFacts {
            attempt: 2,
            deadline_at: Timestamp(9),
            idempotency_token: "token".to_owned(),
            trace: "00-1-2-01".to_owned(),
        };
        ExecutionContext::new(ExecutionId::from_u128(7), ids, &intent, "shop.s.look".parse().unwrap(), facts)
    }

    #[test]
    fn a_context_whose_ids_are_not_those_of_its_intent_cannot_be_made() {
        let field = |result: Result<ExecutionContext, ContextMismatch>| result.unwrap_err().field;
        assert_eq!(field(make(|ids| ids.intent_id = IntentId::from_u128(2))), "intent_id");
        assert_eq!(field(make(|ids| ids.tenant_id = "other".parse().unwrap())), "tenant_id");
        assert_eq!(field(make(|ids| ids.session_id = "s-2".parse().unwrap())), "session_id");
        assert_eq!(field(make(|ids| ids.solution_id = "other".parse().unwrap())), "solution_id");
    }

    #[test]
    fn a_context_tells_its_handler_of_the_attempt_and_reads_back() {
        let context = make(|_| ()).unwrap();
        assert_eq!((context.attempt(), context.idempotency_token(), context.trace()), (2, "token", "00-1-2-01"));
        let text = serde_json::to_string(&context).unwrap();
        assert_eq!(serde_json::from_str::<ExecutionContext>(&text).unwrap(), context);
        for part in [r#""deadline_at":9"#, r#""metadata":{"k":"v"}"#, r#""tenant_id":"acme""#] {
            assert!(text.contains(part), "{text}");
        }
    }
}
