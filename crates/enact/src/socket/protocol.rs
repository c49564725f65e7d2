//! What is said on the socket.

use enact_model::id::ExecutionId;
use enact_model::record::Record;
use enact_runtime::api::{Caller, Refusal, Request, Response};
use serde::{Deserialize, Serialize};

/// The version of the protocol; both sides must speak the same one.
pub const PROTOCOL: u32 = 1;

/// The release of this build.
pub const RELEASE: &str = env!("CARGO_PKG_VERSION");

/// The first frame of each side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The version of the protocol.
    pub protocol: u32,
    /// The release, for people.
    pub release: String,
    /// The process.
    pub pid: u32,
}

impl Hello {
    /// Says who we are.
    pub fn ours() -> Self {
        Self { protocol: PROTOCOL, release: RELEASE.to_owned(), pid: std::process::id() }
    }
}

/// What a client says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ToHub {
    /// The first frame.
    Hello(Hello),
    /// A question.
    Ask {
        /// Who asks.
        caller: Caller,
        /// What.
        request: Box<Request>,
    },
    /// The records of an execution, from the first to the last, as they come.
    Watch {
        /// Who asks.
        caller: Caller,
        /// The execution.
        execution: ExecutionId,
    },
}

/// What a hub says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromHub {
    /// The first frame.
    Hello(Hello),
    /// The answer to a question.
    Response(Box<Response>),
    /// A record of the execution that is watched.
    Record(Box<Record>),
    /// No more records follow.
    End,
    /// It was not done; the connection ends if it was about the connection.
    Refused(Box<Refusal>),
}
