//! Keys and ranges of keys: bytes whose order is the order of the values they are made of.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use super::Table;
use crate::envelope::StateScope;
use crate::id::{
    ExecutionId, IntentId, IntentType, Lsn, MessageId, Name, ReferenceId, SessionId, SinkId, SolutionId, TenantId,
};
use crate::time::Timestamp;

/// First byte of the tables that are not resident.
pub const FIRST_COLD_TAG: u8 = 32;

/// What a clock wakes an execution for; the order is that of the stored byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DueKind {
    /// Its start_after has come.
    Start = 1,
    /// Its next attempt is due.
    Retry = 2,
    /// Its total deadline has come.
    Deadline = 3,
    /// Nobody waits for its stopped attempt any more.
    GiveUp = 4,
}

/// Bytes of a key that need no memory of their own: two ids and a short name, as most keys have at most.
const FEW: usize = 46;

/// A key: the table's byte and parts whose order as bytes is their order as values.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Bytes);

/// The bytes of a key. Few of them have zeros behind them, so that two keys are compared in steps that are known beforehand.
#[derive(Clone, PartialEq, Eq)]
enum Bytes {
    Few(u8, [u8; FEW]),
    Many(Vec<u8>),
}

impl Ord for Key {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            // Zeros come first, so one that goes on behind the end of the other has only the length against it.
            (Bytes::Few(len, bytes), Bytes::Few(other_len, others)) => bytes.cmp(others).then(len.cmp(other_len)),
            _ => self.as_bytes().cmp(other.as_bytes()),
        }
    }
}

impl PartialOrd for Key {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Key {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.as_bytes());
    }
}

/// Builds the bytes of a key.
struct Parts(Bytes);

impl Parts {
    #[inline]
    fn of(table: Table) -> Self {
        Self(Bytes::Few(0, [0; FEW])).byte(table as u8)
    }
    #[inline]
    fn add(&mut self, part: &[u8]) {
        if let Bytes::Few(len, bytes) = &mut self.0
            && let Some(room) = bytes.get_mut(usize::from(*len)..usize::from(*len) + part.len())
        {
            room.copy_from_slice(part);
            *len += part.len() as u8;
        } else {
            self.add_to_many(part);
        }
    }
    #[cold]
    fn add_to_many(&mut self, part: &[u8]) {
        match &mut self.0 {
            Bytes::Few(len, bytes) => self.0 = Bytes::Many([&bytes[..usize::from(*len)], part].concat()),
            Bytes::Many(bytes) => bytes.extend_from_slice(part),
        }
    }
    /// Text ends with two zero bytes; a zero byte inside it is written as 0x00 0xff.
    #[inline]
    fn text(mut self, text: &str) -> Self {
        // Names are short: to look at each byte is quicker than to look for one.
        if text.bytes().all(|byte| byte != 0) {
            self.add(text.as_bytes());
        } else {
            text.bytes().for_each(|byte| self.add(if byte == 0 { &[0, 0xff] } else { std::slice::from_ref(&byte) }));
        }
        self.add(&[0, 0]);
        self
    }
    #[inline]
    fn id(mut self, id: u128) -> Self {
        self.add(&id.to_be_bytes());
        self
    }
    #[inline]
    fn number(mut self, number: u64) -> Self {
        self.add(&number.to_be_bytes());
        self
    }
    #[inline]
    fn byte(mut self, byte: u8) -> Self {
        self.add(&[byte]);
        self
    }
    #[inline]
    fn key(self) -> Key {
        Key(self.0)
    }
}

/// A range of keys, from the first that has a prefix to the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRange {
    /// The first key of the range, included.
    pub from: Key,
    /// The first key after the range.
    pub to: Key,
}

impl KeyRange {
    /// Returns whether a key is inside.
    pub fn contains(&self, key: &Key) -> bool {
        *key >= self.from && *key < self.to
    }
    /// Returns the part of the range that follows `key`.
    #[must_use]
    pub fn after(&self, key: &Key) -> Self {
        Self { from: Parts(key.0.clone()).byte(0).key(), to: self.to.clone() }
    }
    fn prefix(parts: Parts) -> Self {
        let from = parts.key();
        let mut end = from.as_bytes().to_vec();
        while let Some(last) = end.pop() {
            if last < 0xff {
                end.push(last + 1);
                break;
            }
        }
        Self { from, to: Key::from_bytes(&end) }
    }
    /// The whole of a table.
    pub fn table(table: Table) -> Self {
        Self::prefix(Parts::of(table))
    }
    /// All resident tables.
    pub fn resident() -> Self {
        Self { from: Key::from_bytes(&[0]), to: Key::from_bytes(&[FIRST_COLD_TAG]) }
    }
    /// Everything.
    pub fn all() -> Self {
        Self { from: Key::from_bytes(&[0]), to: Key::from_bytes(&[0xff]) }
    }
    /// The executions of a tenant.
    pub fn executions(tenant: &TenantId) -> Self {
        Self::prefix(Parts::of(Table::Execution).text(tenant.as_str()))
    }
    /// The open executions of a tenant.
    pub fn active(tenant: &TenantId) -> Self {
        Self::prefix(Parts::of(Table::Active).text(tenant.as_str()))
    }
    /// The executions of a session.
    pub fn session_executions(tenant: &TenantId, session: &SessionId) -> Self {
        Self::prefix(Parts::of(Table::SessionExecution).text(tenant.as_str()).text(session.as_str()))
    }
    /// The sessions of a tenant.
    pub fn sessions(tenant: &TenantId) -> Self {
        Self::prefix(Parts::of(Table::Session).text(tenant.as_str()))
    }
    /// The intents of a tenant.
    pub fn intents(tenant: &TenantId) -> Self {
        Self::prefix(Parts::of(Table::Intent).text(tenant.as_str()))
    }
    /// The state of one owner.
    pub fn state(tenant: &TenantId, scope: StateScope, owner: &str) -> Self {
        Self::prefix(Parts::of(Table::State).text(tenant.as_str()).byte(scope as u8).text(owner))
    }
    /// The references of a tenant.
    pub fn references(tenant: &TenantId) -> Self {
        Self::prefix(Parts::of(Table::Reference).text(tenant.as_str()))
    }
    /// What was made from a reference.
    pub fn made_into(tenant: &TenantId, from: ReferenceId) -> Self {
        Self::prefix(Parts::of(Table::MadeInto).text(tenant.as_str()).id(from.as_u128()))
    }
    /// What a reference was made from.
    pub fn made_from(tenant: &TenantId, to: ReferenceId) -> Self {
        Self::prefix(Parts::of(Table::MadeFrom).text(tenant.as_str()).id(to.as_u128()))
    }
    /// The messages of a tenant.
    pub fn messages(tenant: &TenantId) -> Self {
        Self::prefix(Parts::of(Table::Message).text(tenant.as_str()))
    }
    /// The versions of a component.
    pub fn versions(name: &Name) -> Self {
        Self::prefix(Parts::of(Table::Component).text(name.as_str()))
    }
    /// A queue, all tenants.
    pub fn queue(queue: &str) -> Self {
        Self::prefix(Parts::of(Table::Queue).text(queue))
    }
    /// One tenant's part of a queue.
    pub fn queue_of(queue: &str, tenant: &TenantId) -> Self {
        Self::prefix(Parts::of(Table::Queue).text(queue).text(tenant.as_str()))
    }
    /// A queue, from the first tenant after this one.
    pub fn queue_after(queue: &str, tenant: &TenantId) -> Self {
        Self { from: Self::queue_of(queue, tenant).to, to: Self::queue(queue).to }
    }
    /// What is due at `time` or before.
    pub fn due(time: Timestamp) -> Self {
        let from = Parts::of(Table::Due).key();
        Self { from, to: Parts::of(Table::Due).number(time.0.saturating_add(1)).key() }
    }
    /// What a sink still has to get.
    pub fn pending(sink: &SinkId) -> Self {
        Self::prefix(Parts::of(Table::Pending).text(sink.as_str()))
    }
    /// What a sink still has to get under one key.
    pub fn pending_of(sink: &SinkId, lane: &str) -> Self {
        Self::prefix(Parts::of(Table::Pending).text(sink.as_str()).text(lane))
    }
}

impl Key {
    /// Wraps stored bytes.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut parts = Parts(Bytes::Few(0, [0; FEW]));
        parts.add(bytes);
        parts.key()
    }
    /// Returns the stored bytes.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Bytes::Few(len, bytes) => &bytes[..usize::from(*len)],
            Bytes::Many(bytes) => bytes,
        }
    }
    /// Returns the table, if the first byte names one.
    pub fn table(&self) -> Option<Table> {
        Table::from_tag(*self.as_bytes().first()?)
    }
    /// Returns whether the row is always in memory.
    pub fn resident(&self) -> bool {
        self.as_bytes().first().is_some_and(|&tag| tag < FIRST_COLD_TAG)
    }

    /// The store's identity.
    pub fn meta() -> Self {
        Parts::of(Table::Meta).key()
    }
    /// A component version.
    pub fn component(name: &Name, version: &str) -> Self {
        Parts::of(Table::Component).text(name.as_str()).text(version).key()
    }
    /// A solution.
    pub fn solution(name: &SolutionId) -> Self {
        Parts::of(Table::Solution).text(name.as_str()).key()
    }
    /// An open execution.
    pub fn active(tenant: &TenantId, execution: ExecutionId) -> Self {
        Parts::of(Table::Active).text(tenant.as_str()).id(execution.as_u128()).key()
    }
    /// A place in a queue.
    pub fn queue(queue: &str, tenant: &TenantId, lsn: Lsn) -> Self {
        Parts::of(Table::Queue).text(queue).text(tenant.as_str()).number(lsn.0).key()
    }
    /// Whose turn it was.
    pub fn turn(queue: &str) -> Self {
        Parts::of(Table::Turn).text(queue).key()
    }
    /// What a clock must wake.
    pub fn due(time: Timestamp, kind: DueKind, tenant: &TenantId, execution: ExecutionId) -> Self {
        Parts::of(Table::Due).number(time.0).byte(kind as u8).text(tenant.as_str()).id(execution.as_u128()).key()
    }
    /// The slots of a gate.
    pub fn gate(name: &str) -> Self {
        Parts::of(Table::Gate).text(name).key()
    }
    /// What a tenant has open.
    pub fn tally(tenant: &TenantId) -> Self {
        Parts::of(Table::Tally).text(tenant.as_str()).key()
    }
    /// What all tenants have open.
    pub fn tally_all() -> Self {
        Parts::of(Table::Tally).text("").key()
    }
    /// What a sink still has to get. Messages with a key share a lane; others have one of their own.
    pub fn pending(sink: &SinkId, lane: &str, lsn: Lsn) -> Self {
        Parts::of(Table::Pending).text(sink.as_str()).text(lane).number(lsn.0).key()
    }
    /// A tenant's rejections.
    pub fn rejections(tenant: &TenantId) -> Self {
        Parts::of(Table::Rejections).text(tenant.as_str()).key()
    }
    /// An execution.
    pub fn execution(tenant: &TenantId, execution: ExecutionId) -> Self {
        Parts::of(Table::Execution).text(tenant.as_str()).id(execution.as_u128()).key()
    }
    /// What became of an intent.
    pub fn intent(tenant: &TenantId, intent: IntentId) -> Self {
        Parts::of(Table::Intent).text(tenant.as_str()).id(intent.as_u128()).key()
    }
    /// An idempotency key.
    pub fn idempotency(tenant: &TenantId, intent_type: &IntentType, key: &str) -> Self {
        Parts::of(Table::Idempotency).text(tenant.as_str()).text(intent_type.as_str()).text(key).key()
    }
    /// An execution of a session.
    pub fn session_execution(tenant: &TenantId, session: &SessionId, execution: ExecutionId) -> Self {
        Parts::of(Table::SessionExecution).text(tenant.as_str()).text(session.as_str()).id(execution.as_u128()).key()
    }
    /// A session.
    pub fn session(tenant: &TenantId, session: &SessionId) -> Self {
        Parts::of(Table::Session).text(tenant.as_str()).text(session.as_str()).key()
    }
    /// A value of state.
    pub fn state(tenant: &TenantId, scope: StateScope, owner: &str, key: &str) -> Self {
        Parts::of(Table::State).text(tenant.as_str()).byte(scope as u8).text(owner).text(key).key()
    }
    /// A reference.
    pub fn reference(tenant: &TenantId, reference: ReferenceId) -> Self {
        Parts::of(Table::Reference).text(tenant.as_str()).id(reference.as_u128()).key()
    }
    /// The reference registered for a name and a content (a digest or an address).
    pub fn reference_content(tenant: &TenantId, name: &str, content: &str) -> Self {
        Parts::of(Table::ReferenceContent).text(tenant.as_str()).text(name).text(content).key()
    }
    /// An edge, by what it leads from.
    pub fn made_into(tenant: &TenantId, from: ReferenceId, to: ReferenceId) -> Self {
        Parts::of(Table::MadeInto).text(tenant.as_str()).id(from.as_u128()).id(to.as_u128()).key()
    }
    /// An edge, by what it leads to.
    pub fn made_from(tenant: &TenantId, to: ReferenceId, from: ReferenceId) -> Self {
        Parts::of(Table::MadeFrom).text(tenant.as_str()).id(to.as_u128()).id(from.as_u128()).key()
    }
    /// A message.
    pub fn message(tenant: &TenantId, message: MessageId) -> Self {
        Parts::of(Table::Message).text(tenant.as_str()).id(message.as_u128()).key()
    }

    /// Returns the last 16 bytes as an id's number, for the tables whose keys end with one.
    pub fn last_id(&self) -> Option<u128> {
        let bytes = self.as_bytes().get(self.as_bytes().len().checked_sub(16)?..)?;
        Some(u128::from_be_bytes(bytes.try_into().ok()?))
    }
    /// Returns the last 8 bytes as a position, for the tables whose keys end with one.
    pub fn last_lsn(&self) -> Option<Lsn> {
        let bytes = self.as_bytes().get(self.as_bytes().len().checked_sub(8)?..)?;
        Some(Lsn(u64::from_be_bytes(bytes.try_into().ok()?)))
    }
    /// Returns the first text part.
    pub fn first_text(&self) -> Option<String> {
        read_text(self.as_bytes().get(1..)?).map(|(text, _)| text)
    }
    /// Returns the text part that follows the first one.
    pub fn second_text(&self) -> Option<String> {
        let (_, rest) = read_text(self.as_bytes().get(1..)?)?;
        read_text(rest).map(|(text, _)| text)
    }
    /// Returns the last text part of a key of [`Table::State`]: the name of the state.
    pub fn state_name(&self) -> Option<String> {
        let (_, rest) = read_text(self.as_bytes().get(1..)?)?;
        let (_, rest) = read_text(rest.get(1..)?)?;
        read_text(rest).map(|(text, _)| text)
    }
    /// Returns the tenant and the execution of a key of [`Table::Active`].
    pub fn as_active(&self) -> Option<(TenantId, ExecutionId)> {
        (self.table() == Some(Table::Active)).then_some(())?;
        Some((self.first_text()?.parse().ok()?, ExecutionId::from_u128(self.last_id()?)))
    }
    /// Returns the time, the kind, the tenant and the execution of a key of [`Table::Due`].
    pub fn as_due(&self) -> Option<(Timestamp, DueKind, TenantId, ExecutionId)> {
        if self.table() != Some(Table::Due) {
            return None;
        }
        let time = u64::from_be_bytes(self.as_bytes().get(1..9)?.try_into().ok()?);
        let kind = match self.as_bytes().get(9)? {
            1 => DueKind::Start,
            2 => DueKind::Retry,
            3 => DueKind::Deadline,
            4 => DueKind::GiveUp,
            _ => return None,
        };
        let (tenant, _) = read_text(self.as_bytes().get(10..)?)?;
        Some((Timestamp(time), kind, tenant.parse().ok()?, ExecutionId::from_u128(self.last_id()?)))
    }
}

fn read_text(bytes: &[u8]) -> Option<(String, &[u8])> {
    let mut out = Vec::new();
    let mut at = 0;
    loop {
        match (bytes.get(at)?, bytes.get(at + 1)) {
            (0, Some(0)) => return Some((String::from_utf8(out).ok()?, bytes.get(at + 2..)?)),
            (0, Some(0xff)) => {
                out.push(0);
                at += 2;
            }
            (0, _) => return None,
            (&byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.table() {
            Some(table) => write!(f, "{table:?}:{}", self.as_bytes().get(1..).unwrap_or_default().escape_ascii()),
            None => write!(f, "{}", self.as_bytes().escape_ascii()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_keys_is_the_order_of_their_parts() {
        let tenant = |text: &str| text.parse::<TenantId>().unwrap();
        let exe = ExecutionId::from_u128;
        let mut keys = [
            Key::execution(&tenant("a"), exe(2)),
            Key::execution(&tenant("a"), exe(1)),
            Key::execution(&tenant("aa"), exe(0)),
            Key::execution(&tenant("a-b"), exe(0)),
        ];
        keys.sort();
        let ids: Vec<_> = keys.iter().map(|key| (key.first_text().unwrap(), key.last_id().unwrap())).collect();
        let expected: Vec<_> = [("a", 1), ("a", 2), ("a-b", 0), ("aa", 0)].map(|(t, i)| (t.to_owned(), i)).into();
        assert_eq!(ids, expected);
        let range = KeyRange::executions(&tenant("a"));
        assert_eq!(keys.iter().filter(|key| **key >= range.from && **key < range.to).count(), 2);
    }

    #[test]
    fn a_zero_byte_in_a_text_cannot_forge_a_part() {
        let tenant = TenantId::default_tenant();
        let kind: IntentType = "x".parse().unwrap();
        let a = Key::idempotency(&tenant, &kind, "a\0\0b");
        let b = Key::idempotency(&tenant, &kind, "a");
        assert!(a != b && !a.as_bytes().starts_with(b.as_bytes()));
    }

    #[test]
    fn a_due_key_reads_back() {
        let key = Key::due(Timestamp(77), DueKind::GiveUp, &TenantId::default_tenant(), ExecutionId::from_u128(9));
        let read = key.as_due().unwrap();
        assert_eq!(read, (Timestamp(77), DueKind::GiveUp, TenantId::default_tenant(), ExecutionId::from_u128(9)));
        let range = KeyRange::due(Timestamp(77));
        assert!(range.from < key && key < range.to);
        assert!(KeyRange::due(Timestamp(76)).to <= key);
    }
}
