//! When something is made to fail, and what: drawn before the run begins, so that a seed repeats it.

use std::time::Duration;

use crate::dice::Dice;

/// What is done to the hub or its surroundings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The hub gets SIGKILL.
    Kill,
    /// The hub gets SIGTERM and drains.
    Drain,
    /// Redis stops answering for some seconds.
    RedisHangs,
    /// Redis is killed and comes back some seconds later.
    RedisDies,
    /// Redis answers again.
    RedisBack,
}

/// How long Redis is away.
const AWAY: Duration = Duration::from_secs(4);
/// One in so many ends is a drain.
const DRAINS: u64 = 4;
/// The last quarter of a run that is longer than this has no trouble: one hub grows old, so that a slow leak shows.
const CALM_FROM: Duration = Duration::from_secs(1_200);

/// Returns what happens when, in order.
pub(super) fn schedule(time: Duration, every: Duration, dice: &mut Dice) -> Vec<(Duration, Trouble)> {
    let end = if time >= CALM_FROM { time * 3 / 4 } else { time.saturating_sub(every / 4) };
    let every_ms = (every.as_millis() as u64).max(1);
    let mut all = Vec::new();
    // Around every so often: from half of it to one and a half.
    let mut at = Duration::from_millis(every_ms / 2 + dice.below(every_ms / 2));
    while at < end {
        // The first one is a kill, however short the run.
        let what = if !all.is_empty() && dice.below(DRAINS) == 0 { Trouble::Drain } else { Trouble::Kill };
        all.push((at, what));
        at += Duration::from_millis(every_ms / 2 + dice.below(every_ms));
    }
    let mut at = Duration::from_millis(every_ms / 4 + dice.below(every_ms));
    while at < end {
        let what = if dice.below(2) == 0 { Trouble::RedisHangs } else { Trouble::RedisDies };
        all.extend([(at, what), (at + AWAY, Trouble::RedisBack)]);
        at += AWAY + Duration::from_millis(every_ms + dice.below(every_ms * 2));
    }
    all.sort_by_key(|(at, _)| *at);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_has_kills_and_drains_and_outages_and_ends_calm() {
        let (hour, every) = (Duration::from_secs(3_600), Duration::from_secs(120));
        let all = schedule(hour, every, &mut Dice(7));
        let of = |trouble| all.iter().filter(|(_, what)| *what == trouble).count();
        assert!(of(Trouble::Kill) >= 10 && of(Trouble::Drain) >= 2, "{all:?}");
        assert!(of(Trouble::RedisHangs) >= 2 && of(Trouble::RedisDies) >= 2, "{all:?}");
        assert!(all.iter().all(|(at, _)| *at < hour * 3 / 4 + AWAY) && all.is_sorted_by_key(|(at, _)| *at));
        assert_eq!(all, schedule(hour, every, &mut Dice(7)));
    }

    #[test]
    fn a_short_run_has_a_kill_whatever_the_seed() {
        for seed in 0..50 {
            let all = schedule(Duration::from_secs(20), Duration::from_secs(10), &mut Dice(seed));
            assert!(all.iter().any(|(_, what)| *what == Trouble::Kill), "{seed}: {all:?}");
        }
    }
}
