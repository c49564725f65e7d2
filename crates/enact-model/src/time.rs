//! Times as the records carry them: whole milliseconds since 1970, given by the driver, never read here.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z; printed by RFC 3339, stored as a number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Reads a system time; times before 1970 become 0.
    pub fn from_system(time: SystemTime) -> Self {
        Self(time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64))
    }
    /// Returns the time `duration` later, or the last representable one.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }
    /// Returns how long after `earlier` this is, zero if it is not after.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // 9999-12-31 is the last day RFC 3339 can print.
        let clamped = self.0.min(253_402_300_799_999);
        humantime::format_rfc3339_millis(SystemTime::UNIX_EPOCH + Duration::from_millis(clamped)).fmt(f)
    }
}

/// Reads a time by RFC 3339, with `Z` or with an offset from it.
impl FromStr for Timestamp {
    type Err = humantime::TimestampError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Its letters know no case.
        let text = text.to_ascii_uppercase();
        let Some((local, offset_minutes)) = split_offset(&text) else {
            return humantime::parse_rfc3339_weak(&text).map(Self::from_system);
        };
        let local = Self::from_system(humantime::parse_rfc3339(&format!("{local}Z"))?);
        Ok(Self(local.0.saturating_add_signed(-offset_minutes * 60_000)))
    }
}

/// Takes an offset such as `+01:00` from the end of a time; returns it in minutes.
fn split_offset(text: &str) -> Option<(&str, i64)> {
    let (local, offset) = text.split_at_checked(text.len().checked_sub(6)?)?;
    let (sign, (hours, minutes)) = match offset.split_at_checked(1)? {
        ("+", rest) => (1, rest.split_once(':')?),
        ("-", rest) => (-1, rest.split_once(':')?),
        _ => return None,
    };
    let number = |digits: &str, most: i64| -> Option<i64> {
        let plain = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|number: &i64| plain && *number <= most)
    };
    Some((local, sign * (number(hours, 23)? * 60 + number(minutes, 59)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_with_every_offset_and_in_both_cases() {
        let noon = "2026-01-31T12:00:00.250Z".parse::<Timestamp>().unwrap();
        for same in [
            "2026-01-31T13:00:00.250+01:00",
            "2026-01-31t06:30:00.250-05:30",
            "2026-02-01T11:59:00.250+23:59",
            "2026-01-31T12:00:00.250-00:00",
            "2026-01-31t12:00:00.250z",
        ] {
            assert_eq!(same.parse(), Ok(noon), "{same}");
        }
        for none in [
            "2026-01-31T12:00:00+24:00",
            "2026-01-31T12:00:00+1:00",
            "2026-01-31T12:00:00++1:0",
            "2026-01-31+01:00",
            "+01:00",
            "é:00",
        ] {
            assert!(none.parse::<Timestamp>().is_err(), "{none}");
        }
        assert_eq!("1970-01-01T00:30:00+01:00".parse(), Ok(Timestamp(0)));
    }
}
