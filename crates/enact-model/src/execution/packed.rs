//! An execution as it is stored. Nearly every row is a settled execution, so its form is short and quickly made: numbers of
//! variable length, texts with their length first, and JSON for what few executions have. `docs/format.md` draws the bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Execution, Phase, Pin};
use crate::digest::Digest;
use crate::id::{ExecutionId, IntentId, Lsn, Selector};
use crate::intent::Intent;
use crate::json::Json;
use crate::outcome::Outcome;
use crate::payload::Payload;
use crate::time::Timestamp;

/// Appends the bytes of an execution.
pub(crate) fn write(execution: &Execution, out: &mut Vec<u8>) {
    // Every field by name, so that one that is added later cannot be forgotten.
    #[rustfmt::skip]
    let Execution {
        id, intent, selector, pin, phase, wake, attempt, accepted_at, accepted_lsn, attempt_started_at, deadline_at, gate,
        holds_gate, holds_hub, uncounted, stop, pause_requested, paused_until_due, may_have_run, retry_of, parent, last,
        outcome, settled_at, records,
    } = execution;
    let mut to = Writer(out);
    to.id(id.as_u128());
    to.intent(intent);
    for name in [&selector.component, &selector.service, &selector.operation] {
        to.text(name.as_str());
    }
    to.text(pin.name.as_str());
    to.text(&pin.version);
    to.0.extend_from_slice(pin.digest.as_bytes());
    to.0.push(*phase as u8);
    let flags = [holds_gate, holds_hub, pause_requested, may_have_run];
    to.0.push(flags.iter().rev().fold(0, |byte, flag| byte << 1 | u8::from(**flag)));
    to.number(u64::from(*attempt));
    to.number(u64::from(*uncounted));
    to.number(accepted_at.0);
    to.number(accepted_lsn.0);
    for time in [attempt_started_at, deadline_at, paused_until_due, settled_at] {
        to.time(*time);
    }
    for id in [retry_of, parent] {
        to.option(id.as_ref(), |to, id| to.id(id.as_u128()));
    }
    to.option(wake.as_ref(), Writer::json);
    to.option(gate.as_ref(), Writer::json);
    to.option(stop.as_ref(), Writer::json);
    to.option(last.as_ref(), Writer::json);
    match outcome.as_deref() {
        None => to.0.push(0),
        Some(Outcome::Completed { output: Payload::Inline(output), cancel_too_late: false }) => {
            to.0.push(1);
            to.text(output.as_str());
        }
        Some(other) => {
            to.0.push(2);
            to.json(other);
        }
    }
    to.number(records.len() as u64);
    records.iter().for_each(|lsn| to.number(lsn.0));
}

/// Reads the bytes of an execution; none if they are not that.
pub(crate) fn read(bytes: &[u8]) -> Option<Execution> {
    let mut from = Reader(bytes);
    let id = ExecutionId::from_u128(from.id()?);
    let intent = Arc::new(from.intent()?);
    let selector = Selector { component: from.parsed()?, service: from.parsed()?, operation: from.parsed()? };
    let pin = Pin { name: from.parsed()?, version: from.text()?.into(), digest: from.digest()? };
    let phase = from.byte()?;
    let phase = Phase::ALL.iter().copied().find(|known| *known as u8 == phase)?;
    let flags = from.byte()?;
    let flag = |bit: u8| flags & (1 << bit) != 0;
    let execution = Execution {
        id,
        intent,
        selector,
        pin,
        phase,
        holds_gate: flag(0),
        holds_hub: flag(1),
        pause_requested: flag(2),
        may_have_run: flag(3),
        attempt: from.number()?.try_into().ok()?,
        uncounted: from.number()?.try_into().ok()?,
        accepted_at: Timestamp(from.number()?),
        accepted_lsn: Lsn(from.number()?),
        attempt_started_at: from.time()?,
        deadline_at: from.time()?,
        paused_until_due: from.time()?,
        settled_at: from.time()?,
        retry_of: from.option(Reader::id)?.map(ExecutionId::from_u128),
        parent: from.option(Reader::id)?.map(ExecutionId::from_u128),
        wake: from.option(Reader::json)?,
        gate: from.option(Reader::json)?,
        stop: from.option(Reader::json)?,
        last: from.option(Reader::json)?,
        outcome: match from.byte()? {
            0 => None,
            1 => Some(Outcome::Completed { output: Payload::Inline(from.json()?), cancel_too_late: false }),
            _ => Some(from.json()?),
        }
        .map(Arc::new),
        records: from.list(|from| from.number().map(Lsn))?.into(),
    };
    from.0.is_empty().then_some(execution)
}

struct Writer<'a>(&'a mut Vec<u8>);

impl Writer<'_> {
    fn intent(&mut self, intent: &Intent) {
        #[rustfmt::skip]
        let Intent {
            intent_id, intent_type, tenant_id, session_id, solution_id, parameters, metadata, created_at, idempotency_key,
            deadline_ms, start_after,
        } = intent;
        self.id(intent_id.as_u128());
        for name in [intent_type.as_str(), tenant_id.as_str(), session_id.as_str(), solution_id.as_str()] {
            self.text(name);
        }
        match parameters {
            Payload::Inline(json) => {
                self.0.push(0);
                self.text(json.as_str());
            }
            Payload::Stored { digest, size } => {
                self.0.push(1);
                self.0.extend_from_slice(digest.as_bytes());
                self.number(*size);
            }
        }
        self.number(metadata.len() as u64);
        for (key, value) in metadata {
            self.text(key);
            self.text(value);
        }
        self.number(created_at.0);
        self.option(idempotency_key.as_deref(), Self::text);
        self.option(*deadline_ms, Self::number);
        self.time(*start_after);
    }
    fn id(&mut self, id: u128) {
        self.0.extend_from_slice(&id.to_be_bytes());
    }
    /// Seven bits in each byte, the lowest first; the highest bit says that more follow.
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }
    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }
    fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.0.push(u8::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
    }
    fn time(&mut self, time: Option<Timestamp>) {
        self.option(time, |to, time| to.number(time.0));
    }
    fn json<T: Serialize>(&mut self, value: &T) {
        self.text(&serde_json::to_string(value).expect("the words of the model serialise"));
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn intent(&mut self) -> Option<Intent> {
        Some(Intent {
            intent_id: IntentId::from_u128(self.id()?),
            intent_type: self.parsed()?,
            tenant_id: self.parsed()?,
            session_id: self.parsed()?,
            solution_id: self.parsed()?,
            parameters: match self.byte()? {
                0 => Payload::Inline(self.json::<Json>()?),
                _ => Payload::Stored { digest: self.digest()?, size: self.number()? },
            },
            metadata: self
                .list(|from| Some((from.text()?.to_owned(), from.text()?.to_owned())))?
                .into_iter()
                .collect::<BTreeMap<_, _>>(),
            created_at: Timestamp(self.number()?),
            idempotency_key: self.option(Self::text)?.map(str::to_owned),
            deadline_ms: self.option(Self::number)?,
            start_after: self.time()?,
        })
    }
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }
    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }
    fn id(&mut self) -> Option<u128> {
        Some(u128::from_be_bytes(self.take(16)?.try_into().ok()?))
    }
    fn digest(&mut self) -> Option<Digest> {
        Some(Digest::from_bytes(self.take(32)?.try_into().ok()?))
    }
    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }
    fn text(&mut self) -> Option<&'a str> {
        let len = self.number()?.try_into().ok()?;
        str::from_utf8(self.take(len)?).ok()
    }
    fn parsed<T: std::str::FromStr>(&mut self) -> Option<T> {
        self.text()?.parse().ok()
    }
    fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        match self.byte()? {
            0 => Some(None),
            _ => read(self).map(Some),
        }
    }
    fn time(&mut self) -> Option<Option<Timestamp>> {
        self.option(|from| from.number().map(Timestamp))
    }
    fn list<T>(&mut self, mut read: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.number()?;
        (0..count).map(|_| read(self)).collect()
    }
    fn json<T: DeserializeOwned>(&mut self) -> Option<T> {
        serde_json::from_str(self.text()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::execution::{Gate, Stop, StopCause, Wake};

    fn plain() -> Execution {
        let digest = Digest::of(b"package");
        serde_json::from_value(serde_json::json!({
            "id": ExecutionId::from_u128(7), "phase": "settled", "wake": null, "attempt": 1, "accepted_at": 1_700_000_000_000_u64,
            "accepted_lsn": 300, "selector": "a.b.c", "records": [300, 301, 310, 311], "attempt_started_at": 5,
            "pin": { "name": "a", "version": "1.0.0", "digest": digest }, "settled_at": 9,
            "outcome": { "completed": { "output": { "inline": { "cents": 1.50 } } } },
            "intent": {
                "intent_id": IntentId::from_u128(7), "intent_type": "a.b.c", "tenant_id": "acme", "session_id": "s-1",
                "solution_id": "claims", "parameters": { "inline": { "x": [1, "ä"] } }, "created_at": 4,
            },
        }))
        .unwrap()
    }

    /// One with everything that an execution can have.
    fn full() -> Execution {
        let mut execution = plain();
        let intent = Arc::make_mut(&mut execution.intent);
        intent.parameters = Payload::Stored { digest: Digest::of(b"large"), size: u64::MAX };
        intent.metadata = [("k".to_owned(), "v".to_owned()), ("traceparent".to_owned(), String::new())].into();
        (intent.idempotency_key, intent.deadline_ms) = (Some("once".to_owned()), Some(0));
        intent.start_after = Some(Timestamp(u64::MAX));
        execution.phase = Phase::Stopping;
        execution.wake = Some(Wake::Stop { due: Timestamp(77) });
        execution.gate = Some(Gate { name: "a.b.c#1".to_owned(), limit: 3 });
        execution.stop = Some(Stop { cause: StopCause::Cancel, actor: "cli:root".to_owned(), reason: "no".to_owned() });
        (execution.holds_gate, execution.may_have_run) = (true, true);
        (execution.deadline_at, execution.paused_until_due) = (Some(Timestamp(1)), Some(Timestamp(128)));
        (execution.retry_of, execution.parent) = (Some(ExecutionId::from_u128(u128::MAX)), Some(execution.id));
        execution.uncounted = u32::MAX;
        execution.outcome = Some(Arc::new(Outcome::Cancelled { reason: "no".to_owned(), may_have_run: true }));
        execution
    }

    fn bytes(execution: &Execution) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(execution, &mut bytes);
        bytes
    }

    #[test]
    fn an_execution_reads_back_whatever_it_has() {
        for execution in [plain(), full(), Execution { outcome: None, records: Default::default(), ..plain() }] {
            assert_eq!(read(&bytes(&execution)).as_ref(), Some(&execution));
        }
        for phase in Phase::ALL {
            let execution = Execution { phase: *phase, ..plain() };
            assert_eq!(read(&bytes(&execution)), Some(execution));
        }
    }

    #[test]
    fn what_is_cut_short_or_too_long_is_no_execution() {
        for execution in [plain(), full()] {
            let mut bytes = bytes(&execution);
            for len in 0..bytes.len() {
                assert_eq!(read(&bytes[..len]), None, "{len} of {} bytes", bytes.len());
            }
            bytes.push(0);
            assert_eq!(read(&bytes), None);
        }
    }
}
