//! The wire between the hub and a worker (DESIGN §5.3): `u32` big-endian length, then one JSON object in UTF-8.
//!
//! Nothing here reads or writes anything; bytes come in and go out as slices, so that the same code serves the hub,
//! a worker in a test, and a fuzzer.

mod inbound;
mod outbound;

pub use inbound::{ErrorCode, FromWorker, HandlerError, OwnIds, decode};
pub use outbound::{ToWorker, Told};

/// The version of the protocol that `hello` must name.
pub const PROTOCOL: u32 = 1;

/// Bytes of the header.
pub const HEADER_BYTES: usize = 4;

/// Bytes that are no frame, or a frame that does not belong here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The header claims more than the limit; nothing was allocated for it.
    #[error("failed to read a frame: its header claims {claimed} bytes, the limit is {limit}")]
    TooLarge {
        /// What it claims.
        claimed: u64,
        /// The limit.
        limit: usize,
    },
    /// The body is no JSON object.
    #[error("failed to read a frame: {0}")]
    Garbage(String),
    /// The body is JSON but no frame that may stand here.
    #[error("failed to read a frame: {0}")]
    Protocol(String),
}

/// Cuts frames out of a stream of bytes, whatever pieces it comes in.
#[derive(Debug)]
pub struct FrameReader {
    buffer: Vec<u8>,
    /// Where in it the next frame begins.
    begins: usize,
    limit: usize,
}

impl FrameReader {
    /// Makes a reader that refuses frames above `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { buffer: Vec::new(), begins: 0, limit }
    }

    /// Takes bytes as they came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..std::mem::take(&mut self.begins));
        self.buffer.extend_from_slice(bytes);
    }

    /// Returns the body of the next whole frame, or `None` until more bytes have come.
    ///
    /// # Errors
    /// A header that claims more than the limit; it is refused as soon as it is there.
    pub fn next_frame(&mut self) -> Result<Option<&[u8]>, FrameError> {
        // What was taken is let go of here, because until now somebody may have looked at it.
        if self.begins == self.buffer.len() {
            self.begins = 0;
            self.buffer.clear();
            self.buffer.shrink_to(256 * 1024);
        }
        let held = self.buffer.get(self.begins..).unwrap_or_default();
        let Some((header, rest)) = held.split_first_chunk::<HEADER_BYTES>() else { return Ok(None) };
        let claimed = u32::from_be_bytes(*header) as usize;
        if claimed > self.limit {
            return Err(FrameError::TooLarge { claimed: claimed as u64, limit: self.limit });
        }
        if claimed == 0 {
            return Err(FrameError::Garbage("an empty body".to_owned()));
        }
        let body = rest.get(..claimed);
        if body.is_some() {
            self.begins += HEADER_BYTES + claimed;
        }
        Ok(body)
    }

    /// Returns how many bytes of an unfinished frame are held.
    pub fn unfinished(&self) -> usize {
        self.buffer.len() - self.begins
    }
}

/// Puts the header before a body.
///
/// # Errors
/// The body is above the limit.
pub fn encode(body: &[u8], limit: usize) -> Result<Vec<u8>, FrameError> {
    let mut frame = Vec::with_capacity(HEADER_BYTES + body.len());
    frame.extend_from_slice(&header(body.len(), limit)?);
    frame.extend_from_slice(body);
    Ok(frame)
}

/// Returns the header of a body of so many bytes.
fn header(bytes: usize, limit: usize) -> Result<[u8; HEADER_BYTES], FrameError> {
    let length = u32::try_from(bytes).ok().filter(|_| bytes <= limit);
    length.map(u32::to_be_bytes).ok_or(FrameError::TooLarge { claimed: bytes as u64, limit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_whole_whatever_pieces_they_came_in() {
        let mut stream = Vec::new();
        for body in ["{}", "{\"a\":1}", "[1,2,3]"] {
            stream.extend(encode(body.as_bytes(), 100).unwrap());
        }
        for piece in 1..stream.len() {
            let mut reader = FrameReader::new(100);
            let mut bodies = Vec::new();
            for bytes in stream.chunks(piece) {
                reader.push(bytes);
                while let Some(body) = reader.next_frame().unwrap() {
                    bodies.push(String::from_utf8(body.to_vec()).unwrap());
                }
            }
            assert_eq!(bodies, ["{}", "{\"a\":1}", "[1,2,3]"], "pieces of {piece}");
            assert_eq!(reader.unfinished(), 0);
        }
    }

    #[test]
    fn a_header_that_claims_four_gigabytes_is_refused_before_anything_is_allocated() {
        let mut reader = FrameReader::new(1000);
        reader.push(&u32::MAX.to_be_bytes());
        assert_eq!(reader.next_frame(), Err(FrameError::TooLarge { claimed: u64::from(u32::MAX), limit: 1000 }));
        assert!(reader.buffer.capacity() < 100);
        assert!(matches!(encode(&[0; 1001], 1000), Err(FrameError::TooLarge { claimed: 1001, .. })));
    }

    #[test]
    fn the_documented_exchange_is_what_is_said_and_read() {
        let page = include_str!("../../../docs/descriptor.md");
        let (_, rest) = page.split_once("```frames\n").unwrap();
        let (exchange, tables) = rest.split_once("\n```").unwrap();
        let mut said = std::collections::BTreeSet::new();
        for line in exchange.lines() {
            if let Some(frame) = line.strip_prefix("← ") {
                decode(frame.as_bytes()).unwrap_or_else(|error| panic!("{error}: {frame}"));
            } else {
                let frame: serde_json::Value = serde_json::from_str(line.strip_prefix("→ ").unwrap()).unwrap();
                said.insert(frame["type"].as_str().unwrap().to_owned());
            }
        }
        assert_eq!(said.into_iter().collect::<Vec<_>>(), ["call", "cancel", "context_ok", "drain", "init"]);
        let (value, files) = (enact_model::json::Json::null(), Default::default());
        let init = ToWorker::Init {
            component: "pricing",
            version: "1.4.0",
            config: Some(&value),
            frame_max_bytes: 1,
            calls_in_flight: 4,
            budget_ms: 1,
            memory: None,
        };
        let call = crate::conformance::Target::oneshot("c", &["x"], "o");
        let call = crate::conformance::call_of(&call, value.clone(), std::time::Duration::ZERO);
        let call = ToWorker::Call {
            id: 1,
            service: "quote",
            operation: "total_price",
            argument: &value,
            context: Some(Told { context: &call.context, secrets: &call.secrets }),
            budget_ms: 1,
            trace: "",
            scratch: None,
            files,
        };
        let answer = ToWorker::ContextOk { request: 1, value: &value, version: Some(3) };
        for frame in [init, call, ToWorker::Cancel { id: 2, reason: "deadline" }, answer, ToWorker::Drain] {
            let body = frame.encode(100_000).unwrap().split_off(HEADER_BYTES);
            let frame: serde_json::Value = serde_json::from_slice(&body).unwrap();
            let named = |line: &&str| line.starts_with("→ ") && line.contains(&format!("\"type\": {}", frame["type"]));
            let shown = exchange.lines().find(named).unwrap().strip_prefix("→ ").unwrap();
            let shown: serde_json::Value = serde_json::from_str(shown).unwrap();
            let names = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
            assert_eq!(names(&shown), names(&frame));
        }
        for name in ["hello", "ready", "init_error", "ok", "error", "state_get", "reference_get", "log_get", "exiting"]
        {
            assert!(tables.contains(&format!("| `{name}` |")), "{name}");
        }
    }

    #[test]
    fn half_a_frame_is_no_frame() {
        let mut reader = FrameReader::new(1000);
        reader.push(&[0, 0, 0, 9, b'{']);
        assert_eq!(reader.next_frame(), Ok(None));
        assert_eq!(reader.unfinished(), 5);
    }
}
