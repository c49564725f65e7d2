//! The door that a running handler has to its own execution, tenant and session; there is no other way in.

use std::sync::Arc;

use enact_engine::command::CommandBody;
use enact_host::contract::{BoxFuture, ContextPort, PortError, RefusedRequest, StateValue};
use enact_model::envelope::StateScope;
use enact_model::execution::Execution;
use enact_model::id::ReferenceId;
use enact_model::json::Json;
use enact_model::reference::Reference;
use enact_model::table::{Key, Row};
use enact_store::contract::{Store, View};

use crate::driver::read_execution;
use crate::ring::Ring;

pub(crate) struct Port<S: Store> {
    pub(crate) ring: Arc<Ring<S>>,
    pub(crate) execution: Arc<Execution>,
}

impl<S: Store + 'static> Port<S> {
    fn get(&self, key: &Key) -> Result<Option<Row>, PortError> {
        self.ring.view().get(key).map_err(|_| PortError::Unavailable)
    }
}

impl<S: Store + 'static> ContextPort for Port<S> {
    fn state_get(&self, scope: StateScope, key: String) -> BoxFuture<'_, Result<Option<StateValue>, PortError>> {
        Box::pin(async move {
            let owner = match scope {
                StateScope::Session => self.execution.intent.session_id.to_string(),
                StateScope::Execution => self.execution.id.to_string(),
            };
            let now = self.ring.now();
            Ok(match self.get(&Key::state(self.execution.tenant(), scope, &owner, &key))? {
                Some(Row::State(row)) if row.lives(now) => {
                    Some(StateValue { value: row.value.clone(), version: row.version })
                }
                _ => None,
            })
        })
    }

    fn reference_get(&self, id: ReferenceId) -> BoxFuture<'_, Result<Option<Reference>, PortError>> {
        Box::pin(async move {
            Ok(match self.get(&Key::reference(self.execution.tenant(), id))? {
                Some(Row::Reference(row)) => Some((*row).clone()),
                _ => None,
            })
        })
    }

    fn log_get(&self) -> BoxFuture<'_, Result<Vec<Json>, PortError>> {
        Box::pin(async move {
            let view = self.ring.view();
            let execution = read_execution(view, self.execution.tenant(), self.execution.id);
            let Ok(Some(execution)) = execution else { return Err(PortError::Unavailable) };
            let read = |lsn| view.record(lsn).ok().flatten().map(|record| Json::of(&record));
            Ok(execution.records.iter().filter_map(|lsn| read(*lsn)).collect())
        })
    }

    fn refused(&self, what: RefusedRequest) {
        let ring = Arc::clone(&self.ring);
        let body = CommandBody::RefuseAccess {
            tenant: self.execution.tenant().clone(),
            execution: Some(self.execution.id),
            what: format!("{} with {} {}", what.request, what.field, what.asked),
            role: None,
        };
        tokio::spawn(async move {
            let actor: Arc<str> = "host".into();
            // A hub that is shutting down has told so already.
            let _ = ring.tell(&actor, body).await;
        });
    }
}
