//! Records of the outbox.

use std::sync::Arc;

use enact_model::id::{MessageId, SinkId, TenantId};
use enact_model::message::{Delivery, Message, MessageRow};
use enact_model::record::Record;
use enact_model::table::{Key, PendingRow, Row};
use enact_model::time::Timestamp;

use crate::changes::Changes;
use crate::view::{Need, Typed};

/// Returns the lane of a message: one for each tenant and key, one for each message without a key.
pub(crate) fn lane(message: &Message) -> String {
    match &message.key {
        Some(key) => format!("{}/{key}", message.tenant_id),
        None => format!("{}//{}", message.tenant_id, message.id),
    }
}

pub(super) fn queue(changes: &mut Changes<'_>, record: &Record, message: &Arc<Message>) {
    let pending = Delivery::Pending { tries: 0, not_before: record.time, reason: None };
    for sink in &message.sinks {
        let row =
            PendingRow { tenant: message.tenant_id.clone(), message: message.id, not_before: record.time, tries: 0 };
        changes.put(Key::pending(sink, &lane(message), record.lsn), Row::Pending(Arc::new(row)));
    }
    let deliveries = vec![pending; message.sinks.len()];
    let row = MessageRow { message: (**message).clone(), lsn: record.lsn, deliveries };
    changes.put(Key::message(&message.tenant_id, message.id), Row::Message(Arc::new(row)));
}

pub(super) fn deliver(
    changes: &mut Changes<'_>,
    record: &Record,
    tenant: &TenantId,
    message: MessageId,
    sink: &SinkId,
) -> Result<(), Need> {
    turn(changes, tenant, message, sink, |changes, row, delivery| {
        changes.remove(Key::pending(sink, &lane(&row.message), row.lsn));
        *delivery = Delivery::Delivered { at: record.time };
    })
}

pub(super) fn delay(
    changes: &mut Changes<'_>,
    tenant: &TenantId,
    message: MessageId,
    sink: &SinkId,
    not_before: Timestamp,
    reason: &str,
) -> Result<(), Need> {
    turn(changes, tenant, message, sink, |changes, row, delivery| {
        let tries = match delivery {
            Delivery::Pending { tries, .. } => *tries + 1,
            _ => 1,
        };
        let pending = PendingRow { tenant: tenant.clone(), message, not_before, tries };
        changes.put(Key::pending(sink, &lane(&row.message), row.lsn), Row::Pending(Arc::new(pending)));
        *delivery = Delivery::Pending { tries, not_before, reason: Some(reason.to_owned()) };
    })
}

pub(super) fn bury(
    changes: &mut Changes<'_>,
    record: &Record,
    tenant: &TenantId,
    message: MessageId,
    sink: &SinkId,
    reason: &str,
) -> Result<(), Need> {
    turn(changes, tenant, message, sink, |changes, row, delivery| {
        changes.remove(Key::pending(sink, &lane(&row.message), row.lsn));
        *delivery = Delivery::DeadLettered { at: record.time, reason: reason.to_owned() };
    })
}

pub(super) fn requeue(
    changes: &mut Changes<'_>,
    record: &Record,
    tenant: &TenantId,
    message: MessageId,
    sink: &SinkId,
) -> Result<(), Need> {
    turn(changes, tenant, message, sink, |changes, row, delivery| {
        let pending = PendingRow { tenant: tenant.clone(), message, not_before: record.time, tries: 0 };
        changes.put(Key::pending(sink, &lane(&row.message), row.lsn), Row::Pending(Arc::new(pending)));
        *delivery = Delivery::Pending { tries: 0, not_before: record.time, reason: None };
    })
}

fn turn(
    changes: &mut Changes<'_>,
    tenant: &TenantId,
    message: MessageId,
    sink: &SinkId,
    change: impl FnOnce(&mut Changes<'_>, &MessageRow, &mut Delivery),
) -> Result<(), Need> {
    let key = Key::message(tenant, message);
    let Some(row) = changes.message_row(&key)? else { return Ok(()) };
    let mut row = (*row).clone();
    let at = row.message.sinks.iter().position(|known| known == sink);
    if let Some(mut delivery) = at.and_then(|at| row.deliveries.get(at).cloned()) {
        change(changes, &row, &mut delivery);
        if let Some(slot) = at.and_then(|at| row.deliveries.get_mut(at)) {
            *slot = delivery;
        }
        changes.put(key, Row::Message(Arc::new(row)));
    }
    Ok(())
}
