//! Small pieces of text for people: nothing that came from a component reaches a terminal as a control sequence.

use std::time::Duration;

use enact_model::time::Timestamp;

/// Returns the text with control characters shown instead of obeyed; tabs and line ends become spaces.
pub fn one_line(text: &str) -> String {
    text.chars()
        .flat_map(|c| match c {
            '\n' | '\r' | '\t' => vec![' '],
            c if c.is_control() => c.escape_default().collect(),
            c => vec![c],
        })
        .collect()
}

/// Returns the text with control characters shown instead of obeyed, line ends kept.
pub fn lines(text: &str) -> String {
    text.lines().map(one_line).collect::<Vec<_>>().join("\n")
}

/// Returns a count with its noun, such as `1 artifact` and `2 artifacts`.
pub fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// Cuts a text at so many characters, and shows that it did.
pub fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut out: String = text.chars().take(most.saturating_sub(1)).collect();
    out.push('…');
    out
}

/// Returns a time to the second.
pub fn time(time: Timestamp) -> String {
    let text = time.to_string();
    text.get(..19).map_or(text.clone(), |text| text.replace('T', " "))
}

/// Returns the time of day to the millisecond.
pub fn clock(time: Timestamp) -> String {
    time.to_string().get(11..23).unwrap_or_default().to_owned()
}

/// Returns a duration with its two largest units.
pub fn duration(duration: Duration) -> String {
    let duration = if duration >= Duration::from_secs(10) { Duration::from_secs(duration.as_secs()) } else { duration };
    let text = humantime::format_duration(Duration::from_millis(duration.as_millis() as u64)).to_string();
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

/// Returns a size with a unit.
pub fn bytes(size: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = size as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    let name = units.get(unit).copied().unwrap_or("B");
    if unit == 0 { format!("{size} {name}") } else { format!("{value:.1} {name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_sequence_is_shown_and_not_obeyed() {
        assert_eq!(one_line("a\x1b[31mb\nc"), "a\\u{1b}[31mb c");
        assert_eq!(lines("a\nb\x07"), "a\nb\\u{7}");
    }

    #[test]
    fn sizes_times_and_durations_are_short() {
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(12), "12 B");
        assert_eq!(time(Timestamp(0)), "1970-01-01 00:00:00");
        assert_eq!(clock(Timestamp(1)), "00:00:00.001");
        assert_eq!(duration(Duration::from_millis(90_061_001)), "1day 1h");
        assert_eq!(cut("abcdef", 4), "abc…");
    }
}
