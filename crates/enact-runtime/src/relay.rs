//! The relay: one task for each sink brings pending messages there and marks them by commands of the ring.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use enact_engine::command::{CommandBody, DeliveryResult};
use enact_engine::view::View as _;
use enact_model::id::{MessageId, SinkId, TenantId};
use enact_model::message::{Delivery, MessageRow};
use enact_model::table::{Key, KeyRange, Row};
use enact_model::time::Timestamp;
use enact_store::contract::{Store, View};
use enact_store::crash;
use tokio::sync::Notify;

use crate::driver::Durable;
use crate::ring::Ring;
use crate::sink::Sink;

/// Messages of one delivery, each of another lane.
const LANES_MAX: usize = 256;
/// Longest sleep of a relay that knows of nothing to do: it looks by itself, should a call be lost.
const IDLE: Duration = Duration::from_secs(30);
/// Longest time that one delivery may take before it counts as failed.
const DELIVERY_LIMIT: Duration = Duration::from_secs(30);

/// Wakes the relays of the sinks.
#[derive(Debug, Default)]
pub(crate) struct Pokes(BTreeMap<SinkId, Arc<Notify>>);

impl Pokes {
    pub(crate) fn new<'a>(sinks: impl Iterator<Item = &'a SinkId>) -> Self {
        Self(sinks.map(|sink| (sink.clone(), Arc::new(Notify::new()))).collect())
    }
    pub(crate) fn poke(&self, sink: &SinkId) {
        if let Some(notify) = self.0.get(sink) {
            notify.notify_one();
        }
    }
    pub(crate) fn of(&self, sink: &SinkId) -> Arc<Notify> {
        self.0.get(sink).cloned().unwrap_or_default()
    }
}

/// What a sink has to get now, and when to look again.
struct Work {
    now: Vec<(TenantId, MessageId)>,
    later: Option<Timestamp>,
}

/// Looks for the first message of every lane: one message of a key is in flight at a time.
fn heads<V: View>(view: &V, sink: &SinkId, now: Timestamp) -> Work {
    let mut work = Work { now: Vec::new(), later: None };
    let mut range = KeyRange::pending(sink);
    let durable = Durable(view);
    while let Some((key, row)) = durable.first(&range) {
        if let Row::Pending(row) = row {
            if row.not_before <= now {
                work.now.push((row.tenant.clone(), row.message));
            } else {
                work.later = Some(work.later.map_or(row.not_before, |due| due.min(row.not_before)));
            }
        }
        if work.now.len() >= LANES_MAX {
            break;
        }
        range.from = match key.second_text() {
            Some(lane) => KeyRange::pending_of(sink, &lane).to,
            None => range.after(&key).from,
        };
    }
    work
}

fn rows<V: View>(view: &V, wanted: &[(TenantId, MessageId)]) -> Vec<Arc<MessageRow>> {
    let read = |(tenant, message): &(TenantId, MessageId)| match view.get(&Key::message(tenant, *message)) {
        Ok(Some(Row::Message(row))) => Some(row),
        Ok(_) => None,
        Err(error) => {
            tracing::error!(%message, %error, "a pending message cannot be read");
            None
        }
    };
    wanted.iter().filter_map(read).collect()
}

/// Says it once, when it happens: nobody tries again by itself.
fn tell_if_given_up<V: View>(view: &V, tenant: &TenantId, message: MessageId, sink: &SinkId) {
    let Ok(Some(Row::Message(row))) = view.get(&Key::message(tenant, message)) else { return };
    let at = row.message.sinks.iter().position(|known| known == sink);
    if let Some(Delivery::DeadLettered { reason, .. }) = at.and_then(|at| row.deliveries.get(at)) {
        tracing::warn!(%message, %sink, reason, "a message is given up; `enact outbox redeliver` sends it again");
    }
}

/// Brings messages to one sink until the ring ends. It finds what is pending by itself, after a restart as well.
pub(crate) async fn relay<S: Store + 'static>(
    ring: Arc<Ring<S>>,
    name: SinkId,
    sink: Arc<dyn Sink>,
    poke: Arc<Notify>,
) {
    let actor: Arc<str> = "relay".into();
    loop {
        let now = ring.now();
        let work = heads(ring.view(), &name, now);
        let messages = rows(ring.view(), &work.now);
        if messages.is_empty() {
            let pause = work.later.map_or(IDLE, |due| due.since(now).clamp(Duration::from_millis(1), IDLE));
            // A poke and the end of the pause both lead to another look.
            let _ = tokio::time::timeout(pause, poke.notified()).await;
            if ring.ended() {
                return;
            }
            continue;
        }
        crash::point("relay-before-send");
        let results = match tokio::time::timeout(DELIVERY_LIMIT, sink.deliver(messages.clone())).await {
            Ok(results) => results,
            Err(_) => {
                let reason = format!("no answer within {} s", DELIVERY_LIMIT.as_secs());
                vec![DeliveryResult::Failed { reason }; messages.len()]
            }
        };
        crash::point("relay-before-mark");
        let mut marks = tokio::task::JoinSet::new();
        for (row, result) in messages.into_iter().zip(results) {
            let (ring, actor) = (Arc::clone(&ring), Arc::clone(&actor));
            let (tenant, message, sink) = (row.message.tenant_id.clone(), row.message.id, name.clone());
            marks.spawn(async move {
                let failed = !matches!(result, DeliveryResult::Delivered);
                let body = CommandBody::Deliver { tenant: tenant.clone(), message, sink: sink.clone(), result };
                let marked = ring.ask(&actor, body).await.is_ok();
                if marked && failed {
                    tell_if_given_up(ring.view(), &tenant, message, &sink);
                }
                marked
            });
        }
        // What was sent and could not be marked is sent again after a restart, with the same id.
        if marks.join_all().await.contains(&false) {
            return;
        }
    }
}
