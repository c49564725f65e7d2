//! Sinks: where messages go. A sink answers for each message; it never decides what that means.

mod file;

use std::sync::Arc;

pub use enact_host::contract::BoxFuture;
use enact_model::message::MessageRow;

pub use enact_engine::command::DeliveryResult;
pub use file::FileSink;

/// How much a sink takes at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Most messages of one delivery, each of another key.
    pub batch: usize,
    /// Most deliveries at once.
    pub at_once: usize,
}

/// Where messages go.
///
/// The relay gives it one message of a key at a time, and the next only once the one before has its mark. What it gives may
/// have been given before: after a kill, or when an answer came too late. The id of a message is then the same, and a sink
/// hands it on in the form by which its readers know a repetition.
pub trait Sink: Send + Sync {
    /// Says how much it takes at once.
    fn pace(&self) -> Pace;

    /// Delivers messages, each of another key, and answers for each of them in their order: `Delivered` only once whoever
    /// reads there can be sure of it, `Poison` if the same message can never go better, `Failed` otherwise. A pause that it
    /// names holds for the whole sink.
    ///
    /// # Cancel safety
    /// A delivery that is dropped may have happened.
    fn deliver<'a>(&'a self, messages: Vec<Arc<MessageRow>>) -> BoxFuture<'a, Vec<DeliveryResult>>;

    /// Looks whether it can be reached and would take messages, without sending one; says what it looked at.
    ///
    /// # Errors
    /// What is in the way, for people, with the way out.
    fn check<'a>(&'a self) -> BoxFuture<'a, Result<String, String>>;
}
