//! Records of references, provenance and retention.

use std::sync::Arc;

use enact_model::id::{ExecutionId, Lsn, MessageId, TenantId};
use enact_model::reference::{Provenance, Reference};
use enact_model::table::{Key, MetaRow, Row};

use crate::changes::Changes;
use crate::view::{Need, Typed};

pub(super) fn register(changes: &mut Changes<'_>, reference: &Arc<Reference>) {
    let tenant = &reference.tenant_id;
    let content = Key::reference_content(tenant, &reference.name, &content_of(reference));
    changes.put(content, Row::ReferenceContent(Arc::new(reference.id)));
    changes.put(Key::reference(tenant, reference.id), Row::Reference(Arc::clone(reference)));
}

/// Returns what makes two references under one name the same.
pub(crate) fn content_of(reference: &Reference) -> String {
    match (&reference.digest, &reference.uri) {
        (Some(digest), _) => digest.to_string(),
        (None, Some(uri)) => uri.clone(),
        (None, None) => String::new(),
    }
}

pub(super) fn connect(changes: &mut Changes<'_>, edge: &Arc<Provenance>) {
    changes.put(Key::made_into(&edge.tenant_id, edge.from, edge.to), Row::MadeInto(Arc::clone(edge)));
    changes.put(Key::made_from(&edge.tenant_id, edge.to, edge.from), Row::MadeFrom(Arc::clone(edge)));
}

/// Drops the rows of settled executions and of messages that are no longer pending.
pub(super) fn drop_history(
    changes: &mut Changes<'_>,
    before: Lsn,
    executions: &[(TenantId, ExecutionId)],
    messages: &[(TenantId, MessageId)],
) -> Result<(), Need> {
    if let Some(meta) = changes.meta_row(&Key::meta())? {
        let history_from = meta.history_from.max(before);
        changes.put(Key::meta(), Row::Meta(Arc::new(MetaRow { history_from, ..(*meta).clone() })));
    }
    for (tenant, id) in executions {
        let Some(execution) = changes.execution(tenant, *id)? else { continue };
        let intent = &execution.intent;
        if !execution.has_number_of_intent() {
            changes.remove(Key::intent(tenant, intent.intent_id));
        }
        if !intent.session_id.is_default() {
            changes.remove(Key::session_execution(tenant, &intent.session_id, *id));
        }
        if let Some(key) = &intent.idempotency_key {
            let key = Key::idempotency(tenant, &intent.intent_type, key);
            if changes.idempotency_row(&key)?.is_some_and(|row| row.execution == *id) {
                changes.remove(key);
            }
        }
        changes.remove(Key::execution(tenant, *id));
    }
    for (tenant, id) in messages {
        changes.remove(Key::message(tenant, *id));
    }
    Ok(())
}
