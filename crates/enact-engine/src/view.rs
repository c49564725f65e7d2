//! What the rules may read: rows that are in memory, and the names of those that are not.

use std::sync::Arc;

use enact_model::execution::Execution;
use enact_model::id::{ExecutionId, IntentId, TenantId};
use enact_model::table::{IntentRow, Key, KeyRange, Row, Table};

/// The keys that a rule needs and the view does not have in memory. The driver loads them and asks again; nothing has
/// happened in between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need(pub Vec<Key>);

impl Need {
    /// Needs one key.
    pub fn key(key: Key) -> Self {
        Self(vec![key])
    }
}

/// Reads every one of several things, or says all at once what must be loaded for them: one round, not one for each.
///
/// # Errors
/// The keys that are not in memory.
pub fn all<T>(reads: impl Iterator<Item = Result<T, Need>>) -> Result<Vec<T>, Need> {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for read in reads {
        match read {
            Ok(value) => found.push(value),
            Err(Need(keys)) => missing.extend(keys),
        }
    }
    if missing.is_empty() { Ok(found) } else { Err(Need(missing)) }
}

/// Reads every open execution.
///
/// # Errors
/// Those that are not in memory.
pub fn open_executions(view: &(impl View + ?Sized)) -> Result<Vec<Arc<Execution>>, Need> {
    let ids = rows(view, KeyRange::table(Table::Active)).filter_map(|(key, _)| key.as_active());
    Ok(all(ids.map(|(tenant, id)| view.execution(&tenant, id)))?.into_iter().flatten().collect())
}

/// Rows as the rules see them: never a disk, never a wait.
pub trait View {
    /// Returns the row of a key, or that there is none.
    ///
    /// # Errors
    /// The key is not in memory and must be loaded first.
    fn get(&self, key: &Key) -> Result<Option<Row>, Need>;

    /// Returns the first row of a range of a resident table.
    fn first(&self, range: &KeyRange) -> Option<(Key, Row)>;
}

/// Iterates over a range of a resident table, in order.
pub fn rows<'a, V: View + ?Sized>(view: &'a V, range: KeyRange) -> impl Iterator<Item = (Key, Row)> + 'a {
    let mut rest = Some(range);
    std::iter::from_fn(move || {
        let found = view.first(rest.as_ref()?);
        match &found {
            Some((key, _)) => rest = rest.as_ref().map(|range| range.after(key)),
            None => rest = None,
        }
        found
    })
}

/// Reads typed rows from a view; a row of the wrong type cannot be: its type follows from its key.
macro_rules! typed {
    ($($(#[$doc:meta])* $name:ident -> $variant:ident: $type:ty;)+) => {
        /// Typed reading of rows.
        pub trait Typed: View {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// The key is not in memory and must be loaded first.
                fn $name(&self, key: &Key) -> Result<Option<$type>, Need> {
                    Ok(self.get(key)?.and_then(|row| match row {
                        Row::$variant(row) => Some(row),
                        _ => None,
                    }))
                }
            )+

            /// Reads an execution.
            ///
            /// # Errors
            /// It is not in memory and must be loaded first.
            fn execution(&self, tenant: &TenantId, execution: ExecutionId) -> Result<Option<Arc<Execution>>, Need> {
                self.execution_row(&Key::execution(tenant, execution))
            }

            /// Reads what became of an intent.
            ///
            /// # Errors
            /// Rows that tell it are not in memory and must be loaded first.
            fn intent(&self, tenant: &TenantId, intent: IntentId) -> Result<Option<Arc<IntentRow>>, Need> {
                if let Some(row) = self.intent_row(&Key::intent(tenant, intent))? {
                    return Ok(Some(row));
                }
                let execution = self.execution(tenant, ExecutionId::from_u128(intent.as_u128()))?;
                Ok(execution.and_then(|execution| IntentRow::told_by(&execution)).map(Arc::new))
            }
        }
        impl<V: View + ?Sized> Typed for V {}
    };
}

typed! {
    /// Reads the store's identity.
    meta_row -> Meta: Arc<enact_model::table::MetaRow>;
    /// Reads a component version.
    component_row -> Component: Arc<enact_model::table::ComponentRow>;
    /// Reads a solution.
    solution_row -> Solution: Arc<enact_model::descriptor::Solution>;
    /// Reads whose turn it was.
    turn_row -> Turn: Arc<TenantId>;
    /// Reads how many slots are taken.
    gate_row -> Gate: u32;
    /// Reads what is open.
    tally_row -> Tally: enact_model::table::TallyRow;
    /// Reads a place in a queue.
    queue_row -> Queue: Arc<enact_model::table::QueueRow>;
    /// Reads what a sink still has to get.
    pending_row -> Pending: Arc<enact_model::table::PendingRow>;
    /// Reads the rejections of the current minute.
    rejections_row -> Rejections: enact_model::table::RejectionsRow;
    /// Reads an execution by its key.
    execution_row -> Execution: Arc<Execution>;
    /// Reads what became of an intent.
    intent_row -> Intent: Arc<IntentRow>;
    /// Reads who has an idempotency key.
    idempotency_row -> Idempotency: Arc<enact_model::table::IdempotencyRow>;
    /// Reads a session.
    session_row -> Session: Arc<enact_model::table::SessionRow>;
    /// Reads a value of state.
    state_row -> State: Arc<enact_model::table::StateRow>;
    /// Reads a reference.
    reference_row -> Reference: Arc<enact_model::reference::Reference>;
    /// Reads which reference has a content.
    reference_content_row -> ReferenceContent: Arc<enact_model::id::ReferenceId>;
    /// Reads an edge.
    made_into_row -> MadeInto: Arc<enact_model::reference::Provenance>;
    /// Reads a message.
    message_row -> Message: Arc<enact_model::message::MessageRow>;
}
