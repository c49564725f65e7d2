//! The simulated relay: of what is pending at a sink it sends the first of every lane, and says what came of it.

use std::collections::BTreeSet;

use enact_model::id::{MessageId, SinkId, TenantId};
use enact_model::message::Message;
use enact_model::table::{Key, KeyRange, Row, Table};
use enact_model::time::Timestamp;
use enact_store::contract::{Order, View};

use crate::violation::{Verdict, broken};

/// One message that may be sent now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sending {
    /// Whose.
    pub tenant: TenantId,
    /// Which.
    pub message: MessageId,
    /// Where to.
    pub sink: SinkId,
}

/// Lists the first pending message of every lane of every sink, with the time before which it may not be sent.
///
/// # Errors
/// When the durable tables cannot be read, or name a lane that is none.
pub fn heads<V: View>(view: &V) -> Verdict<Vec<(Sending, Timestamp)>> {
    let rule = "what is pending can be read";
    let entries = view.scan(&KeyRange::table(Table::Pending), Order::Ascending, usize::MAX);
    let entries = entries.map_err(|error| broken(rule, format!("{error:?}")))?;
    let mut lanes = BTreeSet::new();
    let mut heads = Vec::new();
    for (key, row) in entries {
        let (Some(sink), Some(lane), Row::Pending(row)) = (key.first_text(), key.second_text(), row) else {
            return Err(broken(rule, format!("{key:?} is no place of a message")));
        };
        if !lanes.insert((sink.clone(), lane)) {
            continue;
        }
        let sink = sink.parse().map_err(|_| broken(rule, format!("{sink:?} is no sink")))?;
        heads.push((Sending { tenant: row.tenant.clone(), message: row.message, sink }, row.not_before));
    }
    Ok(heads)
}

/// Reads a message that is to be sent.
///
/// # Errors
/// When it is pending and not there.
pub fn message<V: View>(view: &V, sending: &Sending) -> Verdict<Message> {
    let row = view.get(&Key::message(&sending.tenant, sending.message));
    match row.map_err(|error| broken("what is pending can be read", format!("{error:?}")))? {
        Some(Row::Message(row)) => Ok(row.message.clone()),
        other => Err(broken("a pending message is there", format!("{sending:?} has {other:?}"))),
    }
}
