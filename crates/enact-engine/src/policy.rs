//! Limits that an operator sets, as plain data.

use std::time::Duration;

use enact_model::id::{ExecutionId, SinkId};
use enact_model::limits;

/// Limits that an operator sets.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Open executions of all tenants.
    pub open_max: u64,
    /// Open executions of one tenant.
    pub open_max_per_tenant: u64,
    /// Bytes of parameters of open executions, in all.
    pub queued_bytes_max: u64,
    /// Bytes of parameters of one tenant's open executions.
    pub queued_bytes_max_per_tenant: u64,
    /// Attempts at hosts at once.
    pub running_max: u32,
    /// The execution that starts whatever runs: a hub of one command gives out no slots but to what the command waits for.
    pub called_for: Option<ExecutionId>,
    /// Logged rejections of one tenant in one minute.
    pub rejections_per_minute: u32,
    /// How long an idempotency key lives at least.
    pub idempotency_keep: Duration,
    /// Where messages go whose solution names no sinks.
    pub default_sinks: Vec<SinkId>,
    /// Tries of one delivery before it is a dead letter.
    pub delivery_attempts: u32,
    /// First and longest pause between tries of a delivery.
    pub delivery_backoff: (Duration, Duration),
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            open_max: 10_000,
            // One tenant alone cannot keep the others out.
            open_max_per_tenant: 8_000,
            queued_bytes_max: 256 * 1024 * 1024,
            queued_bytes_max_per_tenant: 128 * 1024 * 1024,
            running_max: 256,
            called_for: None,
            rejections_per_minute: 60,
            idempotency_keep: limits::IDEMPOTENCY_KEEP,
            default_sinks: Vec::new(),
            delivery_attempts: 10,
            delivery_backoff: (Duration::from_millis(200), Duration::from_secs(60)),
        }
    }
}

/// Returns the pause before try number `tries + 1`: doubling from the first pause to the longest.
pub fn backoff_ms(tries: u32, first_ms: u64, longest_ms: u64) -> u64 {
    let doublings = tries.saturating_sub(1).min(32);
    first_ms.saturating_mul(1 << doublings).min(longest_ms.max(first_ms))
}

/// Takes up to a quarter off a pause, by random bits that come with the command, so that retries do not march in step.
pub fn jitter_ms(pause_ms: u64, random: u64) -> u64 {
    pause_ms - random % (pause_ms / 4 + 1)
}

/// Returns the pause after loss number `losses + 1` of a call with its instance, from a millisecond to twice as long each time:
/// anywhere within it, so that of those that were lost together the one that ends instances is alone sooner or later.
pub fn apart_ms(losses: u32, random: u64) -> u64 {
    1 + random % backoff_ms(losses, 1_000, 10_000)
}
