//! The simulated sinks: they take a message, fail, refuse it for good, or take it and lose the answer.

use std::collections::{BTreeMap, BTreeSet};

use enact_engine::command::DeliveryResult;
use enact_model::id::{MessageId, SinkId};
use enact_model::message::Message;

use crate::random::Random;

/// What one consumer got, in its order.
#[derive(Debug, Clone, Default)]
pub struct Consumer {
    /// Every receipt, repetitions among them.
    pub received: Vec<MessageId>,
    /// Each message once: what is left after the consumer has dropped what it knew.
    pub distinct: Vec<MessageId>,
    known: BTreeSet<MessageId>,
    down_until: u64,
}

/// The sinks by name.
#[derive(Debug, Clone, Default)]
pub struct Sinks(BTreeMap<SinkId, Consumer>);

impl Sinks {
    /// Sends a message and says what the sender sees of it.
    pub fn send(
        &mut self,
        random: &mut Random,
        rough: u64,
        mono: u64,
        sink: &SinkId,
        message: &Message,
    ) -> DeliveryResult {
        let consumer = self.0.entry(sink.clone()).or_default();
        if consumer.down_until > mono {
            return DeliveryResult::Failed { reason: "the sink is down".to_owned(), retry_after: None };
        }
        if !random.chance(rough) {
            consumer.take(message.id);
            return DeliveryResult::Delivered;
        }
        match random.below(10) {
            0..4 => DeliveryResult::Failed { reason: "the sink is busy".to_owned(), retry_after: None },
            4..6 => {
                consumer.take(message.id);
                DeliveryResult::Failed { reason: "the answer was lost".to_owned(), retry_after: None }
            }
            6..8 => DeliveryResult::Poison { reason: "the sink does not take such a message".to_owned() },
            _ => {
                consumer.down_until = mono + random.between(100, 6_000);
                DeliveryResult::Failed { reason: "the sink went down".to_owned(), retry_after: None }
            }
        }
    }
    /// Brings every sink up.
    pub fn mend(&mut self) {
        for consumer in self.0.values_mut() {
            consumer.down_until = 0;
        }
    }
    /// Returns what each consumer got.
    pub fn consumers(&self) -> impl Iterator<Item = (&SinkId, &Consumer)> {
        self.0.iter()
    }
}

impl Consumer {
    fn take(&mut self, message: MessageId) {
        self.received.push(message);
        if self.known.insert(message) {
            self.distinct.push(message);
        }
    }
}
