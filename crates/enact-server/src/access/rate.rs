//! How often one caller may ask: a bucket that fills again with every second.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use enact_engine::conclude as code;

use crate::problem::Problem;

/// Callers that are known at once; beyond that the fullest buckets are forgotten.
const CALLERS_MAX: usize = 10_000;

/// The buckets of all callers.
#[derive(Debug, Default)]
pub(crate) struct Rate {
    buckets: Mutex<HashMap<String, (f64, Instant)>>,
}

impl Rate {
    /// Takes one question out of a caller's bucket, which holds those of one second; without a limit there is none.
    pub fn take(&self, caller: &str, per_second: Option<u32>) -> Result<(), Problem> {
        let Some(limit) = per_second else { return Ok(()) };
        let Some(wait_ms) = self.wait_ms(caller, f64::from(limit)) else { return Ok(()) };
        let text = format!("more than {limit} questions a second");
        Err(Problem::new(code::RATE_LIMITED, text).retry_after_ms(wait_ms))
    }

    fn wait_ms(&self, caller: &str, limit: f64) -> Option<u64> {
        let now = Instant::now();
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= CALLERS_MAX && !buckets.contains_key(caller) {
            buckets.retain(|_, (left, at)| *left + at.elapsed().as_secs_f64() * limit < limit);
        }
        let (left, at) = buckets.entry(caller.to_owned()).or_insert((limit, now));
        *left = (*left + now.duration_since(*at).as_secs_f64() * limit).min(limit);
        *at = now;
        if *left >= 1.0 {
            *left -= 1.0;
            return None;
        }
        Some(((1.0 - *left) / limit * 1_000.0).ceil() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_that_asks_too_often_waits_and_another_does_not() {
        let rate = Rate::default();
        assert!(rate.take("a", Some(2)).is_ok() && rate.take("a", Some(2)).is_ok());
        assert!(rate.take("a", Some(2)).is_err());
        assert!(rate.take("b", Some(2)).is_ok());
        assert!((1..=500).contains(&rate.wait_ms("a", 2.0).unwrap()));
        assert!(rate.take("a", None).is_ok());
    }
}
