//! Limits on everything that grows, with their units and their reasons.

use std::time::Duration;

/// Largest parameters a door reads, in bytes; what is larger is uploaded first and travels as a reference.
pub const PARAMETERS_MAX_BYTES: usize = 16 * 1024 * 1024;
/// What to do with parameters that are larger.
pub const PARAMETERS_TOO_LARGE_HINT: &str =
    "put what is large into the artifact store (`enact artifact put`, POST /v1/artifacts) and name it by reference";
/// Largest payload that stands in a record, in bytes; a larger one becomes an artifact and a reference.
pub const INLINE_MAX_BYTES: usize = 64 * 1024;
/// Deepest nesting of JSON: a recursive reader must not run out of stack.
pub const JSON_MAX_DEPTH: usize = 64;
/// Largest frame between the hub and a child, in bytes; it is refused before it is allocated.
pub const FRAME_MAX_BYTES: usize = 16 * 1024 * 1024;
/// How much of a rejected intent's parameters is kept in the log, in bytes.
pub const REJECTED_EXCERPT_MAX_BYTES: usize = 4 * 1024;
/// How much of a child's standard error is kept as evidence, in bytes.
pub const LOG_TAIL_MAX_BYTES: usize = 8 * 1024;
/// How much output of a oneshot program is captured unless its descriptor says otherwise, in bytes.
pub const CAPTURE_MAX_BYTES: u64 = 64 * 1024 * 1024;
/// Deadline of an attempt whose operation names none.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest total deadline of an intent: a year and a day.
pub const DEADLINE_MAX: Duration = Duration::from_secs(366 * 24 * 3600);
/// How long an idempotency key lives at least.
pub const IDEMPOTENCY_KEEP: Duration = Duration::from_secs(24 * 3600);
/// Between a request to stop and the kill.
pub const STOP_GRACE: Duration = Duration::from_millis(250);
/// Between a request to stop and the hub's own answer for a host that does not give one.
pub const STOP_LIMIT: Duration = Duration::from_millis(800);
/// Entries of metadata on an intent, each at most 4 KiB.
pub const METADATA_MAX_ENTRIES: usize = 64;
/// Longest key of state, in bytes: it is part of the key of a row.
pub const STATE_KEY_MAX_BYTES: usize = 512;
/// Longest metadata value, idempotency key or reason, in bytes.
pub const TEXT_MAX_BYTES: usize = 4 * 1024;
