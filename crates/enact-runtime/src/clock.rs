//! The hub's clock: it follows the wall clock forwards and never goes back.

use std::sync::Mutex;
use std::time::{Instant, SystemTime};

use enact_model::time::Timestamp;

/// A clock that goes on when the wall clock jumps back: it then follows the monotonic clock until the wall has caught up.
#[derive(Debug)]
pub struct Clock(Mutex<(Timestamp, Instant)>);

impl Clock {
    /// Begins at the wall clock's time, or at `last` if that is later: the time of the last record.
    pub fn starting_after(last: Timestamp) -> Self {
        Self(Mutex::new((Timestamp::from_system(SystemTime::now()).max(last), Instant::now())))
    }

    /// Returns the time.
    pub fn now(&self) -> Timestamp {
        self.now_with(Timestamp::from_system(SystemTime::now()), Instant::now())
    }

    fn now_with(&self, wall: Timestamp, instant: Instant) -> Timestamp {
        let mut base = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let monotonic = base.0.plus(instant.saturating_duration_since(base.1));
        if wall > monotonic {
            *base = (wall, instant);
            return wall;
        }
        monotonic
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_wall_clock_that_jumps_back_an_hour_does_not_stop_the_time() {
        let hour = 3_600_000;
        let start = Instant::now();
        let clock = Clock(Mutex::new((Timestamp(10 * hour), start)));
        let later = start + Duration::from_secs(1);
        assert_eq!(clock.now_with(Timestamp(9 * hour), later), Timestamp(10 * hour + 1_000));
        assert_eq!(clock.now_with(Timestamp(11 * hour), later), Timestamp(11 * hour));
        assert_eq!(clock.now_with(Timestamp(10 * hour), later + Duration::from_millis(5)), Timestamp(11 * hour + 5));
    }

    #[test]
    fn it_begins_no_earlier_than_the_last_record() {
        let future = Timestamp(u64::MAX / 2);
        assert!(Clock::starting_after(future).now() >= future);
    }
}
