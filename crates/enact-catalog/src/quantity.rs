//! Quantities as people write them: `5s`, `200ms..30s`, `256MiB`.

use std::time::Duration;

/// Longest duration, a year and a day: a typing slip must not park work for ever.
pub const DURATION_MAX: Duration = enact_model::limits::DEADLINE_MAX;

/// Why a text is no quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Not a number with a unit.
    #[error("is not a duration")]
    Duration,
    /// Nothing, or less than the smallest unit kept.
    #[error("is shorter than a millisecond")]
    TooShort,
    /// More than [`DURATION_MAX`].
    #[error("is longer than a year")]
    TooLong,
    /// The second of two is below the first.
    #[error("ends before it begins")]
    Backwards,
    /// Not a number with a unit of size.
    #[error("is not a size")]
    Size,
    /// Nothing.
    #[error("is nothing")]
    Nothing,
}

impl QuantityError {
    /// Returns the way out.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Duration | Self::TooShort | Self::TooLong => "write a duration such as 200ms, 5s or 10m",
            Self::Backwards => "write the shorter pause first, such as 200ms..30s",
            Self::Size | Self::Nothing => "write a size such as 512KiB, 64MiB or 2GiB",
        }
    }
}

/// Reads a duration in milliseconds.
///
/// # Errors
/// Anything but a number with a unit, zero, less than a millisecond, more than a year.
pub fn duration_ms(text: &str) -> Result<u64, QuantityError> {
    let duration = humantime::parse_duration(text.trim()).map_err(|_| QuantityError::Duration)?;
    if duration < Duration::from_millis(1) {
        return Err(QuantityError::TooShort);
    }
    if duration > DURATION_MAX {
        return Err(QuantityError::TooLong);
    }
    u64::try_from(duration.as_millis()).map_err(|_| QuantityError::TooLong)
}

/// Reads `shortest..longest`, or one duration for both, in milliseconds.
///
/// # Errors
/// As [`duration_ms`], and a range that ends before it begins.
pub fn range_ms(text: &str) -> Result<(u64, u64), QuantityError> {
    let (least, most) = text.split_once("..").unwrap_or((text, text));
    let (least, most) = (duration_ms(least)?, duration_ms(most)?);
    if least > most { Err(QuantityError::Backwards) } else { Ok((least, most)) }
}

/// Reads a size in bytes; `KiB` is 1024 bytes and `KB` is 1000.
///
/// # Errors
/// Anything but a number with a unit, and zero.
pub fn size_bytes(text: &str) -> Result<u64, QuantityError> {
    const UNITS: [(&str, u64); 9] = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
        ("KB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("TB", 1_000_000_000_000),
        ("B", 1),
    ];
    let text = text.trim();
    let (number, unit) = UNITS
        .iter()
        .find_map(|(unit, bytes)| text.strip_suffix(unit).map(|number| (number.trim(), *bytes)))
        .ok_or(QuantityError::Size)?;
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || (number.contains('.') && (!digits(part) || part.len() > 3)) {
        return Err(QuantityError::Size);
    }
    let whole: u64 = whole.parse().map_err(|_| QuantityError::Size)?;
    let thousandths: u64 = if part.is_empty() { 0 } else { format!("{part:0<3}").parse().unwrap_or(0) };
    let bytes = whole.checked_mul(unit).ok_or(QuantityError::Size)?.saturating_add(unit * thousandths / 1_000);
    if bytes == 0 { Err(QuantityError::Nothing) } else { Ok(bytes) }
}

/// Prints a duration as a descriptor would write it.
pub fn print_ms(ms: u64) -> String {
    humantime::format_duration(Duration::from_millis(ms)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_unit_and_is_between_a_millisecond_and_a_year() {
        assert_eq!(duration_ms("5s"), Ok(5_000));
        assert_eq!(duration_ms("1h 30m"), Ok(5_400_000));
        assert_eq!(duration_ms("365d"), Ok(31_536_000_000));
        assert_eq!(duration_ms("0s"), Err(QuantityError::TooShort));
        assert_eq!(duration_ms("5us"), Err(QuantityError::TooShort));
        assert_eq!(duration_ms("2y"), Err(QuantityError::TooLong));
        for text in ["5", "soon", "-1s", ""] {
            assert_eq!(duration_ms(text), Err(QuantityError::Duration), "{text:?}");
        }
    }

    #[test]
    fn a_range_is_two_durations_the_shorter_first() {
        assert_eq!(range_ms("200ms..30s"), Ok((200, 30_000)));
        assert_eq!(range_ms("1s"), Ok((1_000, 1_000)));
        assert_eq!(range_ms("30s..1s"), Err(QuantityError::Backwards));
        assert_eq!(range_ms("1s..2s..3s"), Err(QuantityError::Duration));
    }

    #[test]
    fn a_size_has_a_unit() {
        assert_eq!(size_bytes("256MiB"), Ok(256 << 20));
        assert_eq!(size_bytes("1.5 GiB"), Ok((1 << 30) + (1 << 29)));
        assert_eq!(size_bytes("10KB"), Ok(10_000));
        assert_eq!(size_bytes("0B"), Err(QuantityError::Nothing));
        for text in ["256", "MiB", "-1MiB", "1.MiB", "99999999999TiB", "1e3B"] {
            assert_eq!(size_bytes(text), Err(QuantityError::Size), "{text:?}");
        }
    }
}
