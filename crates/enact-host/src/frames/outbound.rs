//! What the hub says to a worker.

use std::collections::BTreeMap;
use std::path::PathBuf;

use enact_model::context::ExecutionContext;
use enact_model::json::Json;
use serde::{Serialize, Serializer};

use super::{FrameError, HEADER_BYTES, header};
use crate::contract::Secrets;

/// What most frames are shorter than, in bytes.
const FRAME_BYTES: usize = 1024;

/// A frame from the hub to a worker.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToWorker<'a> {
    /// The first frame after `hello`.
    Init {
        /// The component.
        component: &'a str,
        /// Its version.
        version: &'a str,
        /// What the descriptor's `config` says.
        config: Option<&'a Json>,
        /// Largest frame, in bytes.
        frame_max_bytes: usize,
        /// Most calls at once.
        calls_in_flight: u32,
        /// How long it may take to be ready.
        budget_ms: u64,
        /// What an earlier worker with the same program said that the next one need not find out again.
        #[serde(skip_serializing_if = "Option::is_none")]
        memory: Option<Json>,
    },
    /// A call; exactly one `ok` or `error` with its id must follow.
    Call {
        /// Its id on this wire.
        id: u64,
        /// The service.
        service: &'a str,
        /// The operation, by the name the worker knows.
        operation: &'a str,
        /// The parameters.
        argument: &'a Json,
        /// What the handler is told of its call; left out if the worker has said that its operation does not take it.
        #[serde(skip_serializing_if = "Option::is_none")]
        context: Option<Told<'a>>,
        /// How long it may take.
        budget_ms: u64,
        /// W3C trace context.
        trace: &'a str,
        /// A folder for this call alone, if its operation takes or makes files.
        #[serde(skip_serializing_if = "Option::is_none")]
        scratch: Option<PathBuf>,
        /// Referenced artifacts as read-only files, by the pointer that finds the reference in the argument.
        files: BTreeMap<&'a str, PathBuf>,
    },
    /// Asks that a call end.
    Cancel {
        /// The call.
        id: u64,
        /// `cancel` or `deadline`.
        reason: &'a str,
    },
    /// Asks for a sign of life.
    Ping {
        /// To be sent back.
        nonce: u64,
    },
    /// Asks for figures.
    Stats,
    /// No more calls will come; end when the last is answered.
    Drain,
    /// Answers a context request.
    ContextOk {
        /// The request.
        request: u64,
        /// The value; `null` where there is none.
        value: &'a Json,
        /// The version of a state value.
        #[serde(skip_serializing_if = "Option::is_none")]
        version: Option<u64>,
    },
    /// Refuses a context request.
    ContextError {
        /// The request.
        request: u64,
        /// Why, by a word: `refused`, `unavailable`, `invalid`.
        code: &'a str,
        /// Why, for people.
        message: &'a str,
    },
}

/// The context of a call and, within it as `secrets`, what the handler is given of them.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// What is told of every call.
    pub context: &'a ExecutionContext,
    /// The secrets; without any there is no such key.
    pub secrets: &'a Secrets,
}

impl Serialize for Told<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Whole<'a> {
            #[serde(flatten)]
            context: &'a ExecutionContext,
            secrets: &'a BTreeMap<String, String>,
        }
        if self.secrets.is_empty() {
            return self.context.serialize(serializer);
        }
        Whole { context: self.context, secrets: self.secrets.reveal() }.serialize(serializer)
    }
}

impl ToWorker<'_> {
    /// Returns the frame with its header.
    ///
    /// # Errors
    /// It is above the limit.
    pub fn encode(&self, limit: usize) -> Result<Vec<u8>, FrameError> {
        let mut frame = Vec::with_capacity(FRAME_BYTES);
        frame.extend_from_slice(&[0; HEADER_BYTES]);
        serde_json::to_writer(&mut frame, self).map_err(|e| FrameError::Protocol(e.to_string()))?;
        let header = header(frame.len() - HEADER_BYTES, limit)?;
        frame.splice(..HEADER_BYTES, header);
        Ok(frame)
    }
}
