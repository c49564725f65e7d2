//! What a host saw, with the bytes still in the attempt's scratch folder.

use std::fs::File;

use enact_model::descriptor::Pointer;
use enact_model::envelope::Envelope;
use enact_model::json::Json;
use enact_model::observation::Fault;
use enact_model::time::Timestamp;

use crate::scratch::Scratch;

/// What a host saw of one attempt. The scratch folder goes when this is dropped: move what is to be kept to the
/// artifact store first.
#[derive(Debug)]
pub struct HostObservation {
    /// The reply or the fault.
    pub seen: HostSeen,
    /// When the host began.
    pub started_at: Timestamp,
    /// When it was over.
    pub ended_at: Timestamp,
    /// The instance that ran it, such as `process 4711`.
    pub instance: Option<String>,
    /// Output that could not be used, or that came with a failure, to be kept as evidence. A reply has none: its output
    /// stands in it.
    pub raw_output: Option<ProducedFile>,
    /// The attempt's scratch folder.
    pub(crate) scratch: Option<Scratch>,
}

/// A reply or a fault.
#[derive(Debug)]
pub enum HostSeen {
    /// The handler gave its answer.
    Replied(HostReply),
    /// Something else happened.
    Fault(Fault),
}

/// What a handler answered, before its bytes are in the artifact store.
#[derive(Debug)]
pub struct HostReply {
    /// The output; `null` where the descriptor ignores it.
    pub output: Json,
    /// What it asks to be changed, if its operation `returns: effects`. Its artifacts carry neither path nor bytes any
    /// more: those are in `produced`, after the descriptor's own.
    pub envelope: Option<Envelope>,
    /// Bytes it produced, in the order of the descriptor's `produces`, then in that of the envelope's artifacts.
    pub produced: Vec<ProducedFile>,
}

/// Bytes that a handler left behind.
#[derive(Debug)]
pub struct ProducedFile {
    /// Its name.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// Where its bytes are.
    pub content: Content,
    /// Its size in bytes.
    pub size: u64,
    /// The references in the input that it is derived from.
    pub derived_from: Vec<Pointer>,
}

/// Where bytes are.
#[derive(Debug)]
pub enum Content {
    /// In memory, because they are few.
    Bytes(Vec<u8>),
    /// In a regular file beneath the scratch folder that was opened without following links, at its beginning.
    File(File),
}

impl Content {
    /// Returns the bytes as something to read from.
    pub fn into_reader(self) -> Box<dyn std::io::Read + Send> {
        match self {
            Self::Bytes(bytes) => Box::new(std::io::Cursor::new(bytes)),
            Self::File(file) => Box::new(file),
        }
    }
}

impl HostObservation {
    /// Makes the observation of an attempt that a host could not even begin, as the runtime sees it: a host that
    /// panicked, an artifact that is not there.
    pub fn fault(fault: Fault, started_at: Timestamp, ended_at: Timestamp) -> Self {
        Self { seen: HostSeen::Fault(fault), started_at, ended_at, instance: None, raw_output: None, scratch: None }
    }
    /// Makes the observation of a reply without files, for hosts that need no process (tests, the simulator).
    pub fn replied(output: Json, envelope: Option<Envelope>, started_at: Timestamp, ended_at: Timestamp) -> Self {
        let reply = HostReply { output, envelope, produced: Vec::new() };
        Self { seen: HostSeen::Replied(reply), started_at, ended_at, instance: None, raw_output: None, scratch: None }
    }
    /// Returns the fault, if it is one.
    pub fn as_fault(&self) -> Option<&Fault> {
        match &self.seen {
            HostSeen::Fault(fault) => Some(fault),
            HostSeen::Replied(_) => None,
        }
    }
}
