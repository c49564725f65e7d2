//! What figures over time mean: flat or growing, steady or rising. Pure, so that each verdict can be seen to fail.

/// Most growth of a figure that is flat, as a share of it.
const GROWTH_SHARE: f64 = 0.10;
/// Most growth of memory that is flat all the same, in MiB: what an allocator keeps is not exact.
pub(crate) const MEMORY_SLACK_MIB: f64 = 8.0;
/// Most growth of a count (descriptors, threads) that is flat all the same.
pub(crate) const COUNT_SLACK: f64 = 8.0;
/// The last third may take so many times what the middle third took.
const RISE_MAX: f64 = 1.5;
/// Fewer samples in a third say nothing.
const SAMPLES_MIN: usize = 5;
/// A hub younger than this still warms up, in seconds.
const WARM_S: f64 = 60.0;

/// A figure at a moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Point {
    /// Since the run began, in seconds.
    pub(crate) at_s: f64,
    /// Since the hub of that moment began, in seconds.
    pub(crate) age_s: f64,
    /// The figure.
    pub(crate) value: f64,
}

/// What is held of one thing.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// What must hold.
    pub name: String,
    /// Whether it does; none where the run was too short to say.
    pub holds: Option<bool>,
    /// The figures.
    pub said: String,
}

impl Verdict {
    pub(crate) fn new(name: &str, holds: Option<bool>, said: String) -> Self {
        Self { name: name.to_owned(), holds, said }
    }
}

/// Returns the middle of values; none where there are none.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_unstable_by(f64::total_cmp);
    let upper = values.get(values.len() / 2).copied()?;
    let lower = values.get(values.len().saturating_sub(1) / 2).copied()?;
    Some(f64::midpoint(lower, upper))
}

/// Returns the median of the slopes between all pairs, in units an hour: a few samples that are far off do not move it.
pub(crate) fn theil_sen(points: &[(f64, f64)]) -> Option<f64> {
    let pairs = points.iter().enumerate().flat_map(|(at, (x, y))| {
        points.iter().skip(at + 1).filter(move |(other, _)| other > x).map(move |(u, v)| (v - y) / (u - x) * 3_600.0)
    });
    median(pairs)
}

/// Splits what lies in the middle and the last third of a run.
fn thirds(points: &[Point]) -> (Vec<Point>, Vec<Point>) {
    let end = points.iter().fold(0.0, |end: f64, point| end.max(point.at_s));
    let rest = points.iter().copied().filter(|point| point.at_s > end / 3.0);
    rest.partition(|point| point.at_s <= end * 2.0 / 3.0)
}

/// Ages that are comparable have the same number: up to ten seconds, up to twenty, up to forty …
fn age_class(age_s: f64) -> u32 {
    (age_s / 10.0).max(1.0).log2().ceil() as u32
}

/// Judges whether a figure is the same in the last third of a run as in the middle one, at the same ages of the hub.
///
/// Memory of a hub depends on how long it has been up, so each sample is held against the median of its age first; ages that only one
/// of the thirds has seen are left out.
pub(crate) fn flat_over_hubs(name: &str, points: &[Point], slack: f64) -> Verdict {
    let (middle, last) = thirds(points);
    let of_class = |points: &[Point], class| points.iter().filter(|point| age_class(point.age_s) == class).count();
    let common = |point: &&Point| {
        let class = age_class(point.age_s);
        of_class(&middle, class) > 0 && of_class(&last, class) > 0
    };
    let usual = |class| {
        median(middle.iter().chain(&last).filter(|point| age_class(point.age_s) == class).map(|point| point.value))
    };
    let aged = |points: &[Point]| -> Vec<(f64, f64)> {
        let kept = points.iter().filter(common);
        kept.map(|point| (point.at_s, point.value - usual(age_class(point.age_s)).unwrap_or_default())).collect()
    };
    let (before, after) = (aged(&middle), aged(&last));
    if before.len() < SAMPLES_MIN || after.len() < SAMPLES_MIN {
        let said = format!("{} and {} samples of the same age: too few", before.len(), after.len());
        return Verdict::new(name, None, said);
    }
    let of = |some: &[(f64, f64)]| median(some.iter().map(|(_, value)| *value)).unwrap_or_default();
    let level = median(middle.iter().map(|point| point.value)).unwrap_or_default();
    let grown = of(&after) - of(&before);
    let all: Vec<(f64, f64)> = before.into_iter().chain(after).collect();
    let slope = theil_sen(&all).unwrap_or_default();
    let span_h = all.last().zip(all.first()).map_or(0.0, |(last, first)| (last.0 - first.0) / 3_600.0);
    let most = slack.max(level * GROWTH_SHARE);
    let said = format!(
        "median {level:.1}, {grown:+.1} from the middle third to the last at the same ages, {slope:+.1} an hour (at most {most:.1})"
    );
    Verdict::new(name, Some(grown <= most && slope * span_h <= most), said)
}

/// Judges whether a figure grows while one hub lives: the one that lived longest, once it is warm.
pub(crate) fn flat_in_one_hub(name: &str, points: &[Point], slack: f64) -> Verdict {
    let began = |point: &Point| (point.at_s - point.age_s).round() as i64;
    let oldest = points.iter().max_by(|a, b| a.age_s.total_cmp(&b.age_s));
    let kept: Vec<(f64, f64)> = oldest.map_or_else(Vec::new, |oldest| {
        let same = points.iter().filter(|point| (began(point) - began(oldest)).abs() <= 1);
        // Half of a short life is warm-up.
        same.filter(|point| point.age_s >= WARM_S.max(oldest.age_s / 3.0)).map(|p| (p.age_s, p.value)).collect()
    });
    let (Some(slope), true) = (theil_sen(&kept), kept.len() >= 3 * SAMPLES_MIN) else {
        return Verdict::new(name, None, format!("no hub lived long enough: {} samples of a warm one", kept.len()));
    };
    let span_h = kept.last().zip(kept.first()).map_or(0.0, |(last, first)| (last.0 - first.0) / 3_600.0);
    let level = median(kept.iter().map(|(_, value)| *value)).unwrap_or_default();
    let (most, grown) = (slack.max(level * GROWTH_SHARE), slope * span_h);
    let said = format!(
        "median {level:.1}, {slope:+.1} an hour, {grown:+.1} over {:.0} min of one hub (at most {most:.1})",
        span_h * 60.0
    );
    Verdict::new(name, Some(grown <= most), said)
}

/// Judges whether calls take as long in the last third as in the middle one; `calls` and `probe` are of the same windows.
///
/// It is steady if the times themselves are, or if the machine explains what they rose by: the probe rose as much.
pub(crate) fn steady(name: &str, calls: &[Point], probe: &[Point]) -> Verdict {
    let ((calls_middle, calls_last), (probe_middle, probe_last)) = (thirds(calls), thirds(probe));
    if calls_middle.len() < SAMPLES_MIN || calls_last.len() < SAMPLES_MIN {
        let said = format!("{} and {} windows without a restart: too few", calls_middle.len(), calls_last.len());
        return Verdict::new(name, None, said);
    }
    let of = |points: &[Point]| median(points.iter().map(|point| point.value)).unwrap_or_default();
    let (middle, last) = (of(&calls_middle), of(&calls_last));
    let (probe_middle, probe_last) = (of(&probe_middle), of(&probe_last));
    let ratio = |last: f64, middle: f64| if middle > 0.0 { last / middle } else { f64::INFINITY };
    let (raw, machine) = (ratio(last, middle), ratio(probe_last, probe_middle));
    let normalised = if machine.is_finite() && machine > 0.0 { raw / machine } else { raw };
    let said = format!(
        "{middle:.1} ms in the middle third, {last:.1} ms in the last: {raw:.2} times; the probe {machine:.2} times, \
         normalised {normalised:.2} (at most {RISE_MAX})"
    );
    Verdict::new(name, Some(raw <= RISE_MAX || normalised <= RISE_MAX), said)
}

#[cfg(test)]
mod tests;
