//! What a worker says to the hub, read strictly: every field is checked before anything acts on it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use enact_model::envelope::StateScope;
use enact_model::id::ReferenceId;
use enact_model::json::{Json, JsonLimits};
use enact_model::limits::STATE_KEY_MAX_BYTES;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::FrameError;

/// A frame from a worker to the hub.
#[derive(Debug)]
pub enum FromWorker {
    /// The first frame: who is there.
    Hello {
        /// The version of the protocol.
        protocol: u32,
        /// What stands in `ENACT_INSTANCE`.
        nonce: String,
        /// A word about what runs it, for people.
        runtime: String,
    },
    /// It takes calls.
    Ready {
        /// The operations it knows; empty if it does not say.
        operations: Vec<String>,
        /// Those of them whose calls need not carry a context; the others have it always.
        without_context: Vec<String>,
        /// Of several components, those that it could not make, with the reasons.
        refused: BTreeMap<String, String>,
        /// What the next one with the same program need not find out again.
        memory: Option<Json>,
    },
    /// It cannot take calls.
    InitError {
        /// Why.
        message: String,
    },
    /// The answer to a call.
    Ok {
        /// The call.
        id: u64,
        /// The text of the output or of the envelope, not yet read as JSON with limits.
        output: Box<RawValue>,
    },
    /// The failure of a call.
    Error {
        /// The call.
        id: u64,
        /// What it says.
        error: HandlerError,
    },
    /// A sign of life.
    Pong {
        /// What the ping said.
        nonce: u64,
    },
    /// Figures, for people.
    Stats {
        /// Whatever the worker counts.
        figures: Json,
    },
    /// A line for the log.
    Log {
        /// The line.
        message: String,
    },
    /// Asks for a key of the own state.
    StateGet {
        /// To be sent back.
        request: u64,
        /// Whose ids it names.
        ids: OwnIds,
        /// Whose state.
        scope: StateScope,
        /// The key.
        key: String,
    },
    /// Asks for a reference of the own tenant.
    ReferenceGet {
        /// To be sent back.
        request: u64,
        /// Whose ids it names.
        ids: OwnIds,
        /// The reference.
        reference: ReferenceId,
    },
    /// Asks for the own records.
    LogGet {
        /// To be sent back.
        request: u64,
        /// Whose ids it names.
        ids: OwnIds,
    },
    /// Asks for something with a value that is none of those that may stand there; it is refused, and nobody else is harmed.
    Unfit {
        /// To be sent back.
        request: u64,
        /// Whose ids it names.
        ids: OwnIds,
        /// What it is called, such as `state_get`.
        name: &'static str,
        /// Which value it is and what may stand there.
        reason: String,
    },
    /// It is about to end.
    Exiting {
        /// The calls that brought it about.
        culprits: Vec<u64>,
        /// Why.
        message: String,
        /// Whether they have asked for it, so that the status of the process is theirs.
        asked: bool,
    },
}

/// The failure that a handler answered with.
#[derive(Debug, Clone)]
pub struct HandlerError {
    /// Which kind of failure.
    pub code: ErrorCode,
    /// One sentence.
    pub message: String,
    /// The type of the exception.
    pub exception: Option<String>,
    /// The stack of the exception.
    pub stack: Option<String>,
    /// A typed detail of the handler's own.
    pub detail: Option<Json>,
}

/// The kinds of failure that a handler may answer with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// It failed.
    Failed,
    /// The argument does not suit it.
    BadArgument,
    /// It does not know the operation.
    UnknownOperation,
    /// It stopped because it was asked to.
    Cancelled,
}

/// The ids that a context request names; a request needs to name none but its call, and may name only its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnIds {
    /// The call on this wire.
    pub call: Option<u64>,
    /// The tenant.
    pub tenant_id: Option<String>,
    /// The session.
    pub session_id: Option<String>,
    /// The execution.
    pub execution_id: Option<String>,
}

/// Every field that any frame may have; a raw value costs no recursion, however deep it is.
#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    #[serde(default)]
    protocol: Option<u32>,
    #[serde(default)]
    nonce: Option<serde_json::Value>,
    #[serde(default)]
    runtime: Option<String>,
    #[serde(default)]
    operations: Option<Vec<String>>,
    #[serde(default)]
    without_context: Option<Vec<String>>,
    #[serde(default, borrow, deserialize_with = "present")]
    memory: Option<&'a RawValue>,
    #[serde(default)]
    refused: Option<BTreeMap<String, String>>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    id: Option<u64>,
    #[serde(default, borrow, deserialize_with = "present")]
    output: Option<&'a RawValue>,
    #[serde(default)]
    code: Option<ErrorCode>,
    #[serde(default)]
    exception: Option<String>,
    #[serde(default)]
    stack: Option<String>,
    #[serde(default, borrow, deserialize_with = "present")]
    detail: Option<&'a RawValue>,
    #[serde(default, borrow, deserialize_with = "present")]
    figures: Option<&'a RawValue>,
    #[serde(default)]
    request: Option<u64>,
    #[serde(default)]
    call: Option<u64>,
    #[serde(default)]
    tenant_id: Option<String>,
    #[serde(default)]
    session_id: Option<String>,
    #[serde(default)]
    execution_id: Option<String>,
    #[serde(default)]
    scope: Option<String>,
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    reference: Option<String>,
    #[serde(default)]
    culprits: Option<Vec<u64>>,
    #[serde(default)]
    asked: Option<bool>,
}

/// `null` is a value; only what does not stand there is absent.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Reads the body of a frame.
///
/// # Errors
/// It is no JSON object, or no frame that a worker may send.
pub fn decode(body: &[u8]) -> Result<FromWorker, FrameError> {
    let text = std::str::from_utf8(body).map_err(|_| FrameError::Garbage("the body is not UTF-8".to_owned()))?;
    let wire: Wire<'_> = serde_json::from_str(text).map_err(|e| match e.classify() {
        serde_json::error::Category::Data if text.trim_start().starts_with('{') => {
            FrameError::Protocol(format!("the body is no frame: {e}"))
        }
        _ => FrameError::Garbage("the body is no JSON object".to_owned()),
    })?;
    let ids = OwnIds {
        call: wire.call,
        tenant_id: wire.tenant_id,
        session_id: wire.session_id,
        execution_id: wire.execution_id,
    };
    let kind = &*wire.r#type;
    let lacks = |field: &str| FrameError::Protocol(format!("the frame {kind} lacks {field}"));
    let json = |raw: Option<&RawValue>| raw.map(|raw| Json::parse_within(raw.get().as_bytes(), JsonLimits::default()));
    let id = || wire.id.ok_or_else(|| lacks("id"));
    let request = || wire.request.ok_or_else(|| lacks("request"));
    Ok(match kind {
        "hello" => FromWorker::Hello {
            protocol: wire.protocol.ok_or_else(|| lacks("protocol"))?,
            nonce: wire.nonce.and_then(|n| n.as_str().map(str::to_owned)).ok_or_else(|| lacks("nonce"))?,
            runtime: wire.runtime.unwrap_or_default(),
        },
        "ready" => FromWorker::Ready {
            operations: wire.operations.unwrap_or_default(),
            without_context: wire.without_context.unwrap_or_default(),
            refused: wire.refused.unwrap_or_default(),
            memory: json(wire.memory).and_then(Result::ok),
        },
        "init_error" => FromWorker::InitError { message: wire.message.unwrap_or_default() },
        "ok" => FromWorker::Ok { id: id()?, output: wire.output.ok_or_else(|| lacks("output"))?.to_owned() },
        "error" => FromWorker::Error {
            id: id()?,
            error: HandlerError {
                code: wire.code.unwrap_or(ErrorCode::Failed),
                message: wire.message.unwrap_or_default(),
                exception: wire.exception,
                stack: wire.stack,
                // A detail that is not acceptable JSON is evidence lost, not a reason to lose the failure itself.
                detail: json(wire.detail).and_then(Result::ok),
            },
        },
        "pong" => FromWorker::Pong { nonce: wire.nonce.and_then(|n| n.as_u64()).ok_or_else(|| lacks("nonce"))? },
        "stats" => FromWorker::Stats { figures: json(wire.figures).and_then(Result::ok).unwrap_or_else(Json::null) },
        "log" => FromWorker::Log { message: wire.message.unwrap_or_default() },
        "state_get" => {
            let (scope, key) = (wire.scope.ok_or_else(|| lacks("scope"))?, wire.key.ok_or_else(|| lacks("key"))?);
            state_get(request()?, ids, &scope, key)
        }
        "reference_get" => reference_get(request()?, ids, &wire.reference.ok_or_else(|| lacks("reference"))?),
        "log_get" => FromWorker::LogGet { request: request()?, ids },
        "exiting" => FromWorker::Exiting {
            culprits: wire.culprits.unwrap_or_default(),
            message: wire.message.unwrap_or_default(),
            asked: wire.asked.unwrap_or_default(),
        },
        other => {
            return Err(FrameError::Protocol(format!("no frame is called {:?}", shown(other))));
        }
    })
}

fn state_get(request: u64, ids: OwnIds, scope: &str, key: String) -> FromWorker {
    let unfit = |ids, reason| FromWorker::Unfit { request, ids, name: "state_get", reason };
    let scope = match scope {
        "session" => StateScope::Session,
        "execution" => StateScope::Execution,
        other => return unfit(ids, format!("the scope is `session` or `execution`, not {:?}", shown(other))),
    };
    if key.len() > STATE_KEY_MAX_BYTES {
        return unfit(ids, format!("the key has {} bytes, more than {STATE_KEY_MAX_BYTES}", key.len()));
    }
    FromWorker::StateGet { request, ids, scope, key }
}

fn reference_get(request: u64, ids: OwnIds, reference: &str) -> FromWorker {
    match reference.parse() {
        Ok(reference) => FromWorker::ReferenceGet { request, ids, reference },
        Err(_) => {
            let reason = format!("{:?} is no id of a reference; one begins with `ref_`", shown(reference));
            FromWorker::Unfit { request, ids, name: "reference_get", reason }
        }
    }
}

/// The beginning of a text that somebody else wrote.
fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_of_any_depth_is_carried_as_text_and_costs_no_recursion() {
        let deep = format!("{{\"type\":\"ok\",\"id\":7,\"output\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
        let FromWorker::Ok { id: 7, output } = decode(deep.as_bytes()).unwrap() else { panic!("another frame") };
        assert_eq!(output.get().len(), 20_000);
    }

    #[test]
    fn an_output_of_null_is_an_output() {
        let frame = decode(br#"{"type":"ok","id":1,"output":null}"#).unwrap();
        assert!(matches!(frame, FromWorker::Ok { id: 1, output } if output.get() == "null"));
    }

    #[test]
    fn what_is_no_frame_is_garbage_and_what_does_not_belong_breaks_the_protocol() {
        for text in ["", "hello", "[1]", "7", "{", "{\"type\":\"ok\"", "\u{0}\u{1}"] {
            assert!(matches!(decode(text.as_bytes()), Err(FrameError::Garbage(_))), "{text:?}");
        }
        assert!(matches!(decode(&[0xff, 0xfe]), Err(FrameError::Garbage(_))));
        for text in [
            "{}",
            r#"{"type":"unheard-of"}"#,
            r#"{"type":"ok","id":1}"#,
            r#"{"type":"ok","output":1}"#,
            r#"{"type":"ok","id":-1,"output":1}"#,
            r#"{"type":"error"}"#,
            r#"{"type":"state_get","request":1}"#,
            r#"{"type":"state_get","request":1,"scope":"session"}"#,
            r#"{"type":"state_get","request":1,"scope":["session"],"key":"k"}"#,
            r#"{"type":"state_get","scope":"bogus","key":"k"}"#,
            r#"{"type":"reference_get","request":1}"#,
            r#"{"type":"reference_get","request":1,"reference":7}"#,
        ] {
            assert!(matches!(decode(text.as_bytes()), Err(FrameError::Protocol(_))), "{text:?}");
        }
    }

    #[test]
    fn a_whole_request_whose_value_is_none_is_unfit_and_breaks_no_protocol() {
        let long = "k".repeat(STATE_KEY_MAX_BYTES + 1);
        for (text, name, word) in [
            (r#"{"type":"state_get","request":1,"scope":"bogus","key":"k"}"#.to_owned(), "state_get", "\"bogus\""),
            (format!(r#"{{"type":"state_get","request":1,"scope":"session","key":"{long}"}}"#), "state_get", "512"),
            (r#"{"type":"reference_get","request":1,"reference":"nope"}"#.to_owned(), "reference_get", "\"nope\""),
        ] {
            match decode(text.as_bytes()).unwrap() {
                FromWorker::Unfit { request: 1, name: seen, reason, .. } if seen == name => {
                    assert!(reason.contains(word), "{reason}");
                }
                other => panic!("{other:?}"),
            }
        }
        let longest = format!(r#"{{"type":"state_get","request":1,"scope":"session","key":"{}"}}"#, &long[1..]);
        assert!(matches!(decode(longest.as_bytes()), Ok(FromWorker::StateGet { .. })));
    }
}
