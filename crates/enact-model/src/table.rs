//! The tables that records make: ordered keys and versioned rows, the same for every backend.

mod key;
mod row;

pub use key::{DueKind, FIRST_COLD_TAG, Key, KeyRange};
pub use row::{
    ComponentRow, ComponentState, DecodeRowError, IdempotencyRow, IntentRow, MetaRow, PendingRow, QueueRow,
    ROW_VERSION, RejectionsRow, Row, SessionRow, StateRow, TallyRow,
};

macro_rules! tables {
    ($($(#[$doc:meta])* $name:ident = $tag:literal),+ $(,)?) => {
        /// The tables; the number is the first byte of the key. Those below 32 are resident: all of their rows are in memory.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Table { $($(#[$doc])* $name = $tag),+ }
        impl Table {
            /// Every table.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];
            /// Returns the table with this first byte.
            pub fn from_tag(tag: u8) -> Option<Self> {
                Self::ALL.iter().copied().find(|table| *table as u8 == tag)
            }
        }
    };
}

tables! {
    /// () → the store's identity and its epoch.
    Meta = 1,
    /// name, version → a component version.
    Component = 2,
    /// name → a solution.
    Solution = 3,
    /// tenant, execution → (): every execution that is not settled.
    Active = 4,
    /// queue, tenant, lsn → the execution that waits for a slot.
    Queue = 5,
    /// queue → the tenant that was served last.
    Turn = 6,
    /// time, kind, tenant, execution → (): what a clock must wake.
    Due = 7,
    /// gate → how many slots are taken.
    Gate = 8,
    /// tenant (or nothing, for all) → what is open.
    Tally = 9,
    /// sink, key, lsn → the message that is to be delivered.
    Pending = 10,
    /// tenant → rejections of the current minute.
    Rejections = 11,

    /// tenant, execution → its life.
    Execution = 32,
    /// tenant, intent → what became of it, unless the execution with its number tells that.
    Intent = 33,
    /// tenant, type, key → the execution that has it.
    Idempotency = 34,
    /// tenant, session, execution → (): every execution of a session other than the default one.
    SessionExecution = 35,
    /// tenant, session → the session.
    Session = 36,
    /// tenant, scope, owner, key → a value of state.
    State = 37,
    /// tenant, reference → the reference.
    Reference = 38,
    /// tenant, name, content → the reference registered for it.
    ReferenceContent = 39,
    /// tenant, from, to → the edge.
    MadeInto = 40,
    /// tenant, to, from → the edge.
    MadeFrom = 41,
    /// tenant, message → the message and its deliveries.
    Message = 42,
}

/// One change of one table; no row means that the key is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The key.
    pub key: Key,
    /// The row it has now.
    pub row: Option<Row>,
}
