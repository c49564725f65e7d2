//! What is to be done after records are durable.

use std::collections::BTreeSet;

use enact_model::execution::Phase;
use enact_model::id::{ExecutionId, MessageId, SinkId, TenantId};
use enact_model::record::{Body, Record};
use enact_model::table::{KeyRange, Row, Table};

use crate::view::{Need, View, open_executions, rows};

/// Something to do after the records that ask for it are durable.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Hand an attempt to its host.
    Invoke {
        /// Whose.
        tenant: TenantId,
        /// Which.
        execution: ExecutionId,
        /// The number of the attempt.
        attempt: u32,
    },
    /// Ask a host to stop an attempt.
    Stop {
        /// Whose.
        tenant: TenantId,
        /// Which.
        execution: ExecutionId,
        /// The number of the attempt.
        attempt: u32,
    },
    /// Send a message to a sink.
    Publish {
        /// Whose.
        tenant: TenantId,
        /// Which.
        message: MessageId,
        /// Where to.
        sink: SinkId,
    },
}

/// Returns everything that the tables say is still to be done; the one definition of it.
///
/// # Errors
/// A row it reads is not in memory.
pub fn pending_effects(view: &dyn View) -> Result<BTreeSet<Effect>, Need> {
    let mut effects = BTreeSet::new();
    for row in open_executions(view)? {
        let (tenant, execution, attempt) = (row.tenant().clone(), row.id, row.attempt);
        match row.phase {
            Phase::Running => effects.insert(Effect::Invoke { tenant, execution, attempt }),
            Phase::Stopping => effects.insert(Effect::Stop { tenant, execution, attempt }),
            Phase::Queued | Phase::Waiting | Phase::Settled => continue,
        };
    }
    for (key, row) in rows(view, KeyRange::table(Table::Pending)) {
        let Row::Pending(row) = row else { continue };
        let Some(sink) = key.first_text().and_then(|text| text.parse().ok()) else { continue };
        effects.insert(Effect::Publish { tenant: row.tenant.clone(), message: row.message, sink });
    }
    Ok(effects)
}

/// Follows the effects as records ask for them and as they are done: the live side of [`pending_effects`].
pub fn follow(outstanding: &mut BTreeSet<Effect>, record: &Record) {
    let tenant = record.tenant.clone().unwrap_or_else(TenantId::default_tenant);
    let drop_attempts = |outstanding: &mut BTreeSet<Effect>, id: ExecutionId| {
        outstanding.retain(|effect| match effect {
            Effect::Invoke { execution, .. } | Effect::Stop { execution, .. } => *execution != id,
            Effect::Publish { .. } => true,
        });
    };
    match &record.body {
        Body::AttemptObserved { execution, .. } | Body::Settled { execution, .. } => {
            drop_attempts(outstanding, *execution)
        }
        Body::MessageDelivered { message, sink } | Body::MessageDeadLettered { message, sink, .. } => {
            outstanding.remove(&Effect::Publish { tenant, message: *message, sink: sink.clone() });
        }
        Body::StopRequested { execution, .. } => {
            let running = outstanding.iter().find_map(|effect| match effect {
                Effect::Invoke { execution: id, attempt, .. } if id == execution => Some(*attempt),
                _ => None,
            });
            if let Some(attempt) = running {
                drop_attempts(outstanding, *execution);
                outstanding.insert(Effect::Stop { tenant, execution: *execution, attempt });
            }
        }
        _ => {
            let mut asked = Vec::new();
            ask(record, &mut asked);
            outstanding.extend(asked);
        }
    }
}

/// Adds the effects that one record asks for.
pub fn ask(record: &Record, effects: &mut Vec<Effect>) {
    let Some(tenant) = &record.tenant else { return };
    let publish = |message, sink: &SinkId| Effect::Publish { tenant: tenant.clone(), message, sink: sink.clone() };
    match &record.body {
        Body::AttemptStarted { execution, attempt, .. } => {
            effects.push(Effect::Invoke { tenant: tenant.clone(), execution: *execution, attempt: *attempt });
        }
        // A stop of an execution that is not at a host settles in the same batch; the performer finds nothing to stop.
        Body::StopRequested { execution, .. } => {
            effects.push(Effect::Stop { tenant: tenant.clone(), execution: *execution, attempt: 0 });
        }
        Body::MessageQueued { message } => {
            effects.extend(message.sinks.iter().map(|sink| publish(message.id, sink)));
        }
        Body::MessageRequeued { message, sink, .. } => effects.push(publish(*message, sink)),
        _ => {}
    }
}
