//! How long things took, sorted when somebody asks, and what they cost.

use std::time::Duration;

/// Times of one kind.
#[derive(Debug, Default)]
pub struct Latency(Vec<u32>);

impl Latency {
    /// Adds a time; one above an hour counts as an hour.
    pub fn add(&mut self, time: Duration) {
        self.0.push(u32::try_from(time.as_nanos() / 100).unwrap_or(u32::MAX));
    }
    /// Adds the times of another.
    pub fn merge(&mut self, other: Self) {
        self.0.extend(other.0);
    }
    /// Returns how many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }
    /// Returns the time in microseconds that `share` of all are below; zero where there are none.
    pub fn quantile_us(&mut self, share: f64) -> f64 {
        self.0.sort_unstable();
        let at = (self.0.len() as f64 * share) as usize;
        self.0.get(at.min(self.0.len().saturating_sub(1))).map_or(0.0, |time| f64::from(*time) / 10.0)
    }
}

/// Returns the processor time that this process has used, in seconds: on a busy machine it says more than the clock.
pub fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the name in brackets: user and system time are the 12th and 13th, in ticks of which Linux tells 100 a second.
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    after.split_ascii_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_a_time_that_was_measured_and_nothing_has_none() {
        let mut times = Latency::default();
        assert_eq!(times.quantile_us(0.5), 0.0);
        (1..=100).rev().for_each(|us| times.add(Duration::from_micros(us)));
        assert_eq!((times.quantile_us(0.5), times.quantile_us(0.99), times.quantile_us(1.0)), (51.0, 100.0, 100.0));
    }
}
