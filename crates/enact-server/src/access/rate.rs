//! How often one caller may ask: a bucket that fills again with every second.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use enact_engine::conclude as code;

use crate::problem::Problem;

/// Callers that are known at once; beyond that the fullest buckets are forgotten.
const CALLERS_MAX: usize = 10_000;

/// The buckets of all callers.
#[derive(Debug)]
pub(crate) struct Rate {
    per_second: Option<f64>,
    buckets: Mutex<HashMap<String, (f64, Instant)>>,
}

impl Rate {
    pub fn new(per_second: Option<u32>) -> Self {
        Self { per_second: per_second.map(f64::from), buckets: Mutex::default() }
    }

    /// Takes one question out of a caller's bucket, which holds those of one second.
    pub fn take(&self, caller: &str) -> Result<(), Problem> {
        let Some(wait_ms) = self.wait_ms(caller) else { return Ok(()) };
        let text = format!("more than {} questions a second", self.per_second.unwrap_or_default());
        Err(Problem::new(code::RATE_LIMITED, text).retry_after_ms(wait_ms))
    }

    fn wait_ms(&self, caller: &str) -> Option<u64> {
        let limit = self.per_second?;
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
        let rate = Rate::new(Some(2));
        assert!(rate.take("a").is_ok() && rate.take("a").is_ok());
        assert!(rate.take("a").is_err());
        assert!(rate.take("b").is_ok());
        assert!((1..=500).contains(&rate.wait_ms("a").unwrap()));
        assert!(Rate::new(None).take("a").is_ok());
    }
}
