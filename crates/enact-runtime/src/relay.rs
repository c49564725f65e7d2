//! The relay: one task for each sink brings pending messages there and marks them by commands of the ring.

mod circuit;
mod lanes;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use enact_engine::command::{CommandBody, DeliveryResult};
use enact_model::id::{MessageId, SinkId, TenantId};
use enact_model::message::Delivery;
use enact_model::table::{Key, Row};
use enact_store::contract::{Store, View};
use enact_store::crash;
use tokio::sync::Notify;
use tokio::task::{Id, JoinError, JoinSet};

use crate::ring::Ring;
use crate::sink::Sink;

pub(crate) use circuit::Trouble;
use circuit::{Circuit, Leave};
use lanes::{Head, Lanes};

/// Longest sleep of a relay that knows of nothing to do: it looks by itself, should a call be lost.
const IDLE: Duration = Duration::from_secs(30);
/// Longest time that one delivery may take before it counts as failed.
const DELIVERY_LIMIT: Duration = Duration::from_secs(30);
/// Most messages of a sink that were sent and are not yet marked: with more, the disk is what the sink has to wait for.
const UNMARKED_MAX: usize = 1_024;

/// What a hub and the relay of one sink tell each other.
#[derive(Debug, Default)]
pub(crate) struct Line {
    poke: Notify,
    trouble: Mutex<Option<Trouble>>,
}

impl Line {
    /// Returns what is wrong with the sink, if anything is.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
    /// Returns whether the sink is left in peace.
    pub(crate) fn is_down(&self) -> bool {
        self.trouble().is_some_and(|trouble| trouble.until.is_some())
    }
}

/// The lines to every relay.
#[derive(Debug, Default)]
pub(crate) struct Lines(BTreeMap<SinkId, Arc<Line>>);

impl Lines {
    pub(crate) fn new<'a>(sinks: impl Iterator<Item = &'a SinkId>) -> Self {
        Self(sinks.map(|sink| (sink.clone(), Arc::default())).collect())
    }
    pub(crate) fn poke(&self, sink: &SinkId) {
        if let Some(line) = self.0.get(sink) {
            line.poke.notify_one();
        }
    }
    pub(crate) fn of(&self, sink: &SinkId) -> Arc<Line> {
        self.0.get(sink).cloned().unwrap_or_default()
    }
}

/// A delivery that is under way.
type Sent = JoinSet<Vec<DeliveryResult>>;

/// Brings messages to one sink until the ring ends. It finds what is pending by itself, after a restart as well.
pub(crate) struct Relay<S: Store + 'static> {
    ring: Arc<Ring<S>>,
    name: SinkId,
    sink: Arc<dyn Sink>,
    line: Arc<Line>,
    lanes: Lanes,
    circuit: Circuit,
    sending: Sent,
    /// What each delivery has, so that one that panics is answered for.
    batches: HashMap<Id, Vec<Head>>,
    marking: JoinSet<(String, bool)>,
}

impl<S: Store + 'static> Relay<S>
where
    S::View: Clone,
{
    pub(crate) fn new(
        ring: Arc<Ring<S>>,
        name: SinkId,
        sink: Arc<dyn Sink>,
        line: Arc<Line>,
        backoff: (Duration, Duration),
    ) -> Self {
        Self {
            lanes: Lanes::of(&name),
            circuit: Circuit::new(backoff),
            sending: JoinSet::new(),
            batches: HashMap::new(),
            marking: JoinSet::new(),
            ring,
            name,
            sink,
            line,
        }
    }

    pub(crate) async fn run(mut self) {
        loop {
            let pause = self.send_what_is_due();
            // A poke, the end of the pause, an answer and a mark all lead to another look.
            tokio::select! {
                Some(sent) = self.sending.join_next_with_id() => self.mark(sent),
                Some(marked) = self.marking.join_next() => {
                    // What was sent and could not be marked is sent again after a restart, with the same id.
                    let Ok((lane, true)) = marked else { return };
                    self.lanes.free(&lane);
                }
                () = self.line.poke.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
            if self.ring.ended() {
                return;
            }
        }
    }

    /// Begins as many deliveries as the sink takes; returns when to look again by itself.
    fn send_what_is_due(&mut self) -> Duration {
        let pace = self.sink.pace();
        let mut next = None;
        while self.sending.len() < pace.at_once && self.marking.len() < UNMARKED_MAX {
            let now = self.ring.now();
            let most = match self.circuit.leave(now) {
                Leave::All => pace.batch,
                Leave::One if self.sending.is_empty() => 1,
                Leave::One => break,
                Leave::Not(until) => {
                    next = Some(until);
                    break;
                }
            };
            let (heads, later) = self.lanes.take(self.ring.view(), &self.name, now, most);
            if heads.is_empty() {
                next = later;
                break;
            }
            let (sink, messages) =
                (Arc::clone(&self.sink), heads.iter().map(|head| Arc::clone(&head.message)).collect());
            crash::point("relay-before-send");
            let sending = self.sending.spawn(async move {
                let count = Vec::len(&messages);
                tokio::time::timeout(DELIVERY_LIMIT, sink.deliver(messages)).await.unwrap_or_else(|_| {
                    let reason = format!("no answer within {} s", DELIVERY_LIMIT.as_secs());
                    vec![DeliveryResult::Failed { reason, retry_after: None }; count]
                })
            });
            self.batches.insert(sending.id(), heads);
        }
        next.map_or(IDLE, |due| due.since(self.ring.now()).clamp(Duration::from_millis(1), IDLE))
    }

    /// Marks what became of a delivery. Its lanes are free once the marks are durable.
    fn mark(&mut self, sent: Result<(Id, Vec<DeliveryResult>), JoinError>) {
        crash::point("relay-before-mark");
        let (id, results, silence) = match sent {
            Ok((id, results)) => (id, results, "the sink did not say what became of it".to_owned()),
            Err(error) => (error.id(), Vec::new(), format!("the delivery ended early: {error}")),
        };
        let mut results = results.into_iter();
        let now = self.ring.now();
        let actor: Arc<str> = "relay".into();
        for Head { lane, message } in self.batches.remove(&id).unwrap_or_default() {
            let silent = || DeliveryResult::Failed { reason: silence.clone(), retry_after: None };
            let result = results.next().unwrap_or_else(silent);
            let message = &message.message;
            self.circuit.note(message.id, &result, now);
            let (ring, actor, sink) = (Arc::clone(&self.ring), Arc::clone(&actor), self.name.clone());
            let (tenant, message) = (message.tenant_id.clone(), message.id);
            self.marking.spawn(async move {
                let failed = !matches!(result, DeliveryResult::Delivered);
                let body = CommandBody::Deliver { tenant: tenant.clone(), message, sink: sink.clone(), result };
                let marked = ring.ask(&actor, body).await.is_ok();
                if marked && failed {
                    tell_if_given_up(ring.view(), &tenant, message, &sink);
                }
                (lane, marked)
            });
        }
        self.tell_of_trouble();
    }

    /// Says once that the sink is down, and once that it is back.
    fn tell_of_trouble(&self) {
        let trouble = self.circuit.trouble().cloned();
        let mut told = self.line.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let is_open = |trouble: &Option<Trouble>| trouble.as_ref().is_some_and(|trouble| trouble.until.is_some());
        match (is_open(&told), &trouble) {
            (false, Some(Trouble { reason, until: Some(_), .. })) => {
                tracing::warn!(sink = %self.name, reason, "a sink takes nothing; its messages wait");
            }
            (true, None) => tracing::info!(sink = %self.name, "a sink takes messages again"),
            _ => {}
        }
        *told = trouble;
    }
}

/// Says it once, when it happens: nobody tries again by itself.
fn tell_if_given_up<V: View>(view: &V, tenant: &TenantId, message: MessageId, sink: &SinkId) {
    let Ok(Some(Row::Message(row))) = view.get(&Key::message(tenant, message)) else { return };
    let at = row.message.sinks.iter().position(|known| known == sink);
    if let Some(Delivery::DeadLettered { reason, .. }) = at.and_then(|at| row.deliveries.get(at)) {
        tracing::warn!(%message, %sink, reason, "a message is given up; `enact outbox redeliver` sends it again");
    }
}
