//! The naive outbox: which messages there are, what became of each at each sink, and what consumers must have got.

use std::collections::BTreeMap;

use enact_model::id::{Lsn, MessageId, SinkId, TenantId};
use enact_model::message::Message;
use enact_model::record::Body;

use super::log::at;
use crate::violation::{Verdict, hold};
use crate::world::sinks::Consumer;

/// What became of a message at a sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// It is still to be delivered, after so many tries.
    Pending(u32),
    /// It arrived.
    Delivered,
    /// It was given up.
    Dead,
}

/// A message with its sinks.
#[derive(Debug, Clone)]
pub struct Promise {
    pub tenant: TenantId,
    pub key: Option<String>,
    pub lsn: Lsn,
    pub sinks: BTreeMap<SinkId, Sent>,
    /// It was given up or repeated at some time: its place in the order of its key is no longer what it was.
    pub out_of_turn: bool,
}

/// Every message that has not been dropped.
#[derive(Debug, Clone, Default)]
pub struct Outbox {
    pub promises: BTreeMap<MessageId, Promise>,
    /// Messages that retention has dropped.
    dropped: BTreeMap<MessageId, Promise>,
}

impl Outbox {
    /// Takes a promise over.
    ///
    /// # Errors
    /// When its id is another's.
    pub fn promise(&mut self, message: &Message, lsn: Lsn) -> Verdict {
        let promise = Promise {
            tenant: message.tenant_id.clone(),
            key: message.key.clone(),
            lsn,
            sinks: message.sinks.iter().map(|sink| (sink.clone(), Sent::Pending(0))).collect(),
            out_of_turn: false,
        };
        let before = self.promises.insert(message.id, promise);
        hold(before.is_none(), "every message has an id of its own", || format!("{} is there twice", message.id))
    }

    /// Returns what became of a message at a sink.
    pub fn sent(&self, tenant: &TenantId, message: MessageId, sink: &SinkId) -> Option<Sent> {
        self.promises.get(&message).filter(|promise| promise.tenant == *tenant)?.sinks.get(sink).copied()
    }

    /// Returns whether a message may be sent again: a dead letter, or what has arrived if its sink is named.
    pub fn redelivers(&self, tenant: &TenantId, message: MessageId, sink: Option<&SinkId>) -> bool {
        let Some(promise) = self.promises.get(&message).filter(|promise| promise.tenant == *tenant) else {
            return false;
        };
        promise.sinks.iter().any(|(known, sent)| match sink {
            Some(sink) => sink == known && matches!(sent, Sent::Delivered | Sent::Dead),
            None => *sent == Sent::Dead,
        })
    }

    /// Takes over what became of a message; `tries_max` is after how many tries it is given up.
    ///
    /// # Errors
    /// When that cannot become of it.
    pub fn take(&mut self, body: &Body, tries_max: u32) -> Verdict {
        let (Body::MessageDelivered { message, sink }
        | Body::MessageDelayed { message, sink, .. }
        | Body::MessageDeadLettered { message, sink, .. }
        | Body::MessageRequeued { message, sink, .. }) = body
        else {
            return Ok(());
        };
        let rule = "a message is pending until it is delivered or given up";
        let promise = self.promises.get_mut(message);
        let known = promise.and_then(|promise| Some((promise.sinks.get_mut(sink)?, &mut promise.out_of_turn)));
        let Some((sent, out_of_turn)) = known else {
            return hold(false, rule, || format!("{body:?} is of no message"));
        };
        let legal = matches!(sent, Sent::Pending(_)) != matches!(body, Body::MessageRequeued { .. });
        hold(legal, rule, || format!("{body:?} follows {sent:?}"))?;
        *sent = match (body, *sent) {
            (Body::MessageDelivered { .. }, _) => Sent::Delivered,
            (Body::MessageDeadLettered { .. }, _) => {
                *out_of_turn = true;
                Sent::Dead
            }
            (Body::MessageDelayed { .. }, Sent::Pending(tries)) => {
                hold(tries + 1 < tries_max, "a message is given up after its last try", || format!("{body:?}"))?;
                Sent::Pending(tries + 1)
            }
            _ => {
                *out_of_turn = true;
                Sent::Pending(0)
            }
        };
        Ok(())
    }

    /// Retention drops a message.
    ///
    /// # Errors
    /// When it is still pending.
    pub fn drop(&mut self, message: MessageId) -> Verdict {
        let Some(promise) = self.promises.remove(&message) else { return Ok(()) };
        let pending = promise.sinks.values().any(|sent| matches!(sent, Sent::Pending(_)));
        hold(!pending, "retention never drops what is not yet published", || format!("{message} is dropped"))?;
        self.dropped.insert(message, promise);
        Ok(())
    }

    /// Holds what consumers got against what was promised.
    ///
    /// # Errors
    /// When a message is missing, was never promised, or came out of the order of its key.
    pub fn hold_receipts<'a>(&self, consumers: impl Iterator<Item = (&'a SinkId, &'a Consumer)>) -> Verdict {
        let consumers: BTreeMap<&SinkId, &Consumer> = consumers.collect();
        let everything = || self.promises.iter().chain(&self.dropped);
        for (message, promise) in everything() {
            for (sink, sent) in &promise.sinks {
                let got = consumers.get(sink).is_some_and(|consumer| consumer.distinct.contains(message));
                hold(*sent != Sent::Delivered || got, "what is marked as delivered has arrived", || {
                    format!("{sink} never got {message}")
                })?;
            }
        }
        for (sink, consumer) in consumers {
            let mut last: BTreeMap<(&TenantId, &str), Lsn> = BTreeMap::new();
            for message in &consumer.distinct {
                let promise = self.promises.get(message).or_else(|| self.dropped.get(message));
                let promise =
                    promise.ok_or_else(|| at("a sink gets only what was promised", format!("{sink} got {message}")))?;
                hold(promise.sinks.contains_key(sink), "a message goes only to its own sinks", || {
                    format!("{sink} got {message}")
                })?;
                let (Some(key), false) = (&promise.key, promise.out_of_turn) else { continue };
                let before = last.insert((&promise.tenant, key), promise.lsn).unwrap_or_default();
                hold(before < promise.lsn, "messages of one key arrive in their order", || {
                    format!("{sink} got {message} of {} after one of {before}", promise.lsn)
                })?;
            }
        }
        Ok(())
    }
}
