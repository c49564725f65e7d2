//! The door that a running handler has to its own execution: state, references and log, all of them read only.

use enact_model::envelope::StateScope;
use enact_model::id::ReferenceId;
use enact_model::json::Json;
use enact_model::reference::Reference;

use super::BoxFuture;

/// A value of the state surface and its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateValue {
    /// The value.
    pub value: Json,
    /// Its version, for `if_version`.
    pub version: u64,
}

/// Why a request of a handler got no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// The tables cannot be read now.
    #[error("failed to read: the hub cannot serve it now")]
    Unavailable,
    /// The attempt is over.
    #[error("failed to read: the attempt is over")]
    Over,
}

/// A request that named an id which is not the caller's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedRequest {
    /// The request, such as `state_get`.
    pub request: String,
    /// The field that was forged: `tenant_id`, `session_id`, `execution_id` or `call`.
    pub field: &'static str,
    /// What it named, cut at 128 characters.
    pub asked: String,
}

/// What a handler may ask for while it runs. The runtime binds it to one attempt: it carries no ids because it can
/// reach only its own execution, tenant and session.
pub trait ContextPort: Send + Sync {
    /// Reads one key of the session's or the execution's state.
    fn state_get(&self, scope: StateScope, key: String) -> BoxFuture<'_, Result<Option<StateValue>, PortError>>;
    /// Reads a reference of the own tenant.
    fn reference_get(&self, id: ReferenceId) -> BoxFuture<'_, Result<Option<Reference>, PortError>>;
    /// Reads the records of the own execution.
    fn log_get(&self) -> BoxFuture<'_, Result<Vec<Json>, PortError>>;
    /// Is told of a request that was refused because it named a foreign id; it is to be logged.
    fn refused(&self, what: RefusedRequest);
}
