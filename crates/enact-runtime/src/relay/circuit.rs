//! The circuit of a sink: when it takes nothing it is left in peace, and one message at a time finds out whether it is back.

use std::collections::BTreeSet;
use std::time::Duration;

use enact_engine::command::DeliveryResult;
use enact_engine::policy::backoff_ms;
use enact_model::id::MessageId;
use enact_model::time::Timestamp;

/// Different messages that fail one after the other before the sink itself counts as down; one that always fails is no reason.
const FAILED_MAX: usize = 5;

/// What may be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leave {
    /// Whatever is due.
    All,
    /// One message, to see whether the sink is back.
    One,
    /// Nothing until then.
    Not(Timestamp),
}

/// What is wrong with a sink: nothing was delivered since something failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// Since when.
    pub since: Timestamp,
    /// Until when it is left in peace, if it is.
    pub until: Option<Timestamp>,
    /// What it answered last.
    pub reason: String,
}

/// The circuit of one sink.
#[derive(Debug)]
pub(super) struct Circuit {
    backoff: (Duration, Duration),
    failed: BTreeSet<MessageId>,
    pauses: u32,
    trouble: Option<Trouble>,
}

impl Circuit {
    /// Makes one that is closed; its pauses are those of a delivery.
    pub(super) fn new(backoff: (Duration, Duration)) -> Self {
        Self { backoff, failed: BTreeSet::new(), pauses: 0, trouble: None }
    }
    /// Returns what may be sent.
    pub(super) fn leave(&self, now: Timestamp) -> Leave {
        match self.trouble.as_ref().and_then(|trouble| trouble.until) {
            None => Leave::All,
            Some(until) if until <= now => Leave::One,
            Some(until) => Leave::Not(until),
        }
    }
    /// Returns what is wrong, if anything is.
    pub(super) fn trouble(&self) -> Option<&Trouble> {
        self.trouble.as_ref()
    }
    /// Takes in what became of a message. A refusal is an answer: the sink is there.
    pub(super) fn note(&mut self, message: MessageId, result: &DeliveryResult, now: Timestamp) {
        let DeliveryResult::Failed { reason, retry_after } = result else {
            self.failed.clear();
            self.pauses = 0;
            self.trouble = None;
            return;
        };
        self.failed.insert(message);
        let trouble = self.trouble.get_or_insert_with(|| Trouble { since: now, until: None, reason: String::new() });
        trouble.reason.clone_from(reason);
        let asked = retry_after.map(|pause| now.plus(pause));
        match trouble.until {
            // It was under way when the circuit opened; only a longer pause that the sink asks for counts.
            Some(until) if until > now => trouble.until = asked.max(Some(until)),
            None if asked.is_none() && self.failed.len() < FAILED_MAX => {}
            _ => {
                self.pauses = self.pauses.saturating_add(1);
                let (first, longest) = self.backoff;
                let pause = backoff_ms(self.pauses, first.as_millis() as u64, longest.as_millis() as u64);
                trouble.until = asked.max(Some(now.plus(Duration::from_millis(pause))));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn failed(retry_after: Option<Duration>) -> DeliveryResult {
        DeliveryResult::Failed { reason: "down".to_owned(), retry_after }
    }
    fn id(number: u128) -> MessageId {
        MessageId::from_u128(number)
    }

    #[test]
    fn it_opens_after_five_different_messages_and_not_for_one_that_always_fails() {
        let (mut circuit, now) = (Circuit::new((SECOND, 8 * SECOND)), Timestamp(0));
        for _ in 0..100 {
            circuit.note(id(1), &failed(None), now);
        }
        assert_eq!(circuit.leave(now), Leave::All);
        assert_eq!(circuit.trouble().unwrap().until, None);
        (2..=5).for_each(|number| circuit.note(id(number), &failed(None), now));
        assert_eq!(circuit.leave(now), Leave::Not(now.plus(SECOND)));
    }

    #[test]
    fn an_answer_closes_it_and_begins_the_count_anew() {
        for answer in [DeliveryResult::Delivered, DeliveryResult::Poison { reason: "odd".to_owned() }] {
            let (mut circuit, now) = (Circuit::new((SECOND, 8 * SECOND)), Timestamp(0));
            (0..9).for_each(|number| circuit.note(id(number), &failed(None), now));
            circuit.note(id(10), &answer, now);
            assert_eq!((circuit.leave(now), circuit.trouble()), (Leave::All, None));
            (0..4).for_each(|number| circuit.note(id(number), &failed(None), now));
            assert_eq!(circuit.leave(now), Leave::All);
        }
    }

    #[test]
    fn while_it_is_open_one_message_after_each_pause_finds_out_and_the_pauses_grow() {
        let (mut circuit, mut now) = (Circuit::new((SECOND, 8 * SECOND)), Timestamp(0));
        (0..300).for_each(|number| circuit.note(id(number), &failed(None), now));
        let mut pauses = Vec::new();
        for _ in 0..6 {
            let Leave::Not(until) = circuit.leave(now) else { panic!("it is open") };
            pauses.push(until.since(now).as_secs());
            now = until;
            assert_eq!(circuit.leave(now), Leave::One);
            circuit.note(id(0), &failed(None), now);
        }
        assert_eq!(pauses, [1, 2, 4, 8, 8, 8]);
        assert_eq!(circuit.trouble().unwrap().since, Timestamp(0));
    }

    #[test]
    fn a_sink_that_asks_for_a_pause_gets_it_at_once() {
        let (mut circuit, now) = (Circuit::new((SECOND, 8 * SECOND)), Timestamp(0));
        circuit.note(id(1), &failed(Some(90 * SECOND)), now);
        assert_eq!(circuit.leave(now), Leave::Not(now.plus(90 * SECOND)));
        circuit.note(id(2), &failed(Some(120 * SECOND)), now);
        assert_eq!(circuit.leave(now), Leave::Not(now.plus(120 * SECOND)));
    }
}
