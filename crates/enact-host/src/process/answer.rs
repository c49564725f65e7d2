//! From what a handler gave to a reply: output, envelope, produced files, or the fault of what was wrong with it.

use enact_model::descriptor::{JavaCall, Operation, ProduceFrom, Returns, Stdout};
use enact_model::json::{Json, JsonFault, JsonLimits};
use enact_model::limits::{CAPTURE_MAX_BYTES, JSON_MAX_DEPTH, PARAMETERS_MAX_BYTES};
use enact_model::observation::{Fault, FaultKind};

use super::capture::Captured;
use super::envelope;
use super::template::Input;
use crate::contract::{Content, HostReply, ProducedFile};
use crate::scratch::{BeneathError, Scratch};

/// Largest JSON or text that becomes an output, in bytes, unless the descriptor allows less.
const OUTPUT_MAX_BYTES: u64 = PARAMETERS_MAX_BYTES as u64;

/// How much standard output of an operation is captured, in bytes; `None` if nobody wants it.
pub(super) fn capture_limit(operation: &Operation) -> Option<u64> {
    let produced = operation.produces.iter().any(|produce| produce.from == ProduceFrom::Stdout);
    let asked = operation.call.output_max_bytes;
    match (operation.call.stdout, operation.returns) {
        (Stdout::Ignore, Returns::Output) if !produced => None,
        (Stdout::Ignore, Returns::Output) => Some(asked.unwrap_or(CAPTURE_MAX_BYTES)),
        // It has to be held in memory to be read.
        _ => Some(asked.unwrap_or(OUTPUT_MAX_BYTES).min(OUTPUT_MAX_BYTES)),
    }
}

/// Where the answer of one attempt comes from.
pub(super) struct Answer<'a> {
    pub operation: &'a Operation,
    pub input: &'a Input<'a>,
    /// The scratch folder, if the attempt has one.
    pub scratch: Option<&'a Scratch>,
}

impl Answer<'_> {
    /// Reads what a oneshot program left.
    pub fn of_program(&self, captured: &Captured, exit: Option<i32>) -> Result<HostReply, Fault> {
        let text = || {
            let bytes = captured.bytes(PARAMETERS_MAX_BYTES).map_err(|e| super::package::scratch_fault(&e))?;
            bytes.ok_or_else(|| FaultKind::OutputTooLarge.fault("the output is too large to be read"))
        };
        let (output, envelope) = match (self.operation.returns, self.operation.call.stdout) {
            (Returns::Effects, _) => self.effects(&parse(&text()?, FaultKind::EnvelopeInvalid)?)?,
            (Returns::Output, Stdout::Json) => (parse(&text()?, FaultKind::OutputNotJson)?, None),
            (Returns::Output, Stdout::Text) => {
                let text = String::from_utf8(text()?)
                    .map_err(|_| FaultKind::OutputNotJson.fault("the output is not UTF-8 text"))?;
                (Json::of(&text), None)
            }
            (Returns::Output, Stdout::Ignore) => (Json::null(), None),
        };
        let output = match &self.operation.call.java {
            Some(JavaCall::Run(main)) if main.as_asked && envelope.is_none() => self.as_asked(&output, exit),
            _ => output,
        };
        self.finish(output, envelope, Some(captured))
    }

    /// Reads what a worker answered.
    pub fn of_worker(&self, text: &str) -> Result<HostReply, Fault> {
        let (output, envelope) = match self.operation.returns {
            Returns::Effects => self.effects(&parse(text.as_bytes(), FaultKind::EnvelopeInvalid)?)?,
            Returns::Output => (parse(text.as_bytes(), FaultKind::OutputNotJson)?, None),
        };
        self.finish(output, envelope, None)
    }

    /// The output of a main class that was given the arguments of the call: what it printed, and its status.
    fn as_asked(&self, stdout: &Json, exit: Option<i32>) -> Json {
        match self.operation.call.stdout {
            Stdout::Ignore => Json::of(&serde_json::json!({ "exit": exit })),
            _ => Json::of(&Ran { stdout, exit }),
        }
    }

    fn effects(&self, document: &Json) -> Result<(Json, Option<enact_model::envelope::Envelope>), Fault> {
        let (output, envelope) =
            envelope::read(document).map_err(|e| FaultKind::EnvelopeInvalid.fault(e.to_string()))?;
        Ok((output, Some(envelope)))
    }

    fn finish(
        &self,
        output: Json,
        mut envelope: Option<enact_model::envelope::Envelope>,
        captured: Option<&Captured>,
    ) -> Result<HostReply, Fault> {
        let mut produced = Vec::new();
        for produce in &self.operation.produces {
            let name = self.input.fill(&produce.artifact)?;
            let (content, size) = match (&produce.from, captured) {
                (ProduceFrom::File(path), _) => self.open(path)?,
                (ProduceFrom::Stdout, Some(captured)) => {
                    (captured.content().map_err(|e| super::package::scratch_fault(&e))?, captured.size())
                }
                (ProduceFrom::Stdout, None) => {
                    let bytes = output.as_str().as_bytes().to_vec();
                    let size = bytes.len() as u64;
                    (Content::Bytes(bytes), size)
                }
            };
            let (media_type, derived_from) = (produce.media_type.clone(), produce.derived_from.clone());
            produced.push(ProducedFile { name, media_type, content, size, derived_from });
        }
        for asked in envelope.iter_mut().flat_map(|envelope| &mut envelope.artifacts) {
            let (content, size) = match (asked.path.take(), asked.base64.take()) {
                (Some(path), _) => self.open(&path)?,
                (None, text) => {
                    let bytes = envelope::base64(text.as_deref().unwrap_or_default()).ok_or_else(|| {
                        FaultKind::EnvelopeInvalid.fault(format!("the bytes of {:?} are no base64", asked.name))
                    })?;
                    let size = bytes.len() as u64;
                    (Content::Bytes(bytes), size)
                }
            };
            let (name, media_type) = (asked.name.clone(), asked.media_type.clone());
            produced.push(ProducedFile { name, media_type, content, size, derived_from: Vec::new() });
        }
        Ok(HostReply { output, envelope, produced })
    }

    fn open(&self, path: &str) -> Result<(Content, u64), Fault> {
        let missing = || FaultKind::ProducedMissing.fault(format!("there is no folder in which {path:?} could be"));
        let (file, size) = self.scratch.ok_or_else(missing)?.open(path).map_err(|error| match &error {
            BeneathError::Escapes(_) | BeneathError::NotAFile(_) => FaultKind::PathEscapes.fault(error.to_string()),
            BeneathError::Missing(_) => FaultKind::ProducedMissing.fault(error.to_string()),
            BeneathError::Io { source, .. } => {
                let os_error = super::spawn::os_error(source);
                FaultKind::ProducedMissing.fault(error.to_string()).with(|e| e.os_error = Some(os_error))
            }
        })?;
        let limit = self.operation.call.output_max_bytes.unwrap_or(CAPTURE_MAX_BYTES);
        if size > limit {
            let text = format!("the file {path:?} has {size} bytes, the limit is {limit}");
            return Err(FaultKind::OutputTooLarge.fault(text));
        }
        Ok((Content::File(file), size))
    }
}

/// What a main class left.
#[derive(serde::Serialize)]
struct Ran<'a> {
    stdout: &'a Json,
    exit: Option<i32>,
}

fn parse(text: &[u8], kind: FaultKind) -> Result<Json, Fault> {
    let limits = JsonLimits { bytes: PARAMETERS_MAX_BYTES, depth: JSON_MAX_DEPTH };
    Json::parse_within(text, limits).map_err(|error| match error.kind {
        JsonFault::TooLarge(_) => FaultKind::OutputTooLarge.fault(error.to_string()),
        _ => kind.fault(error.to_string()),
    })
}
