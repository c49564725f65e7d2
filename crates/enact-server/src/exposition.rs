//! Figures as text: the format of Prometheus (0.0.4), and OpenMetrics (1.0) for whoever asks for it.

use std::fmt::Write as _;

use enact_runtime::metrics::{Metric, Sample, Value};

/// In which of the two formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// What every scraper reads.
    Prometheus,
    /// What newer ones ask for.
    OpenMetrics,
}

impl Format {
    /// Returns the format that a scraper takes, by its header `Accept`.
    pub fn accepted(accept: &str) -> Self {
        let known = |one: &str| {
            let mut parts = one.split(';').map(str::trim);
            let of_type = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("application/openmetrics-text"));
            of_type && parts.all(|part| part.strip_prefix("q=").is_none_or(|q| q.parse().is_ok_and(|q: f32| q > 0.0)))
        };
        if accept.split(',').any(known) { Self::OpenMetrics } else { Self::Prometheus }
    }
    /// Returns the media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Writes samples, those of one figure beside each other.
pub fn write(samples: &[Sample], format: Format) -> String {
    let mut out = String::with_capacity(64 * 1024);
    let mut of = "";
    for sample in samples {
        if sample.metric.name != of {
            of = sample.metric.name;
            head(&mut out, sample.metric, format);
        }
        body(&mut out, sample);
    }
    if format == Format::OpenMetrics {
        out.push_str("# EOF\n");
    }
    out
}

fn head(out: &mut String, metric: &Metric, format: Format) {
    // OpenMetrics names a counter without what its samples end with.
    let name = match format {
        Format::Prometheus => metric.name,
        Format::OpenMetrics => metric.name.strip_suffix("_total").unwrap_or(metric.name),
    };
    let _ = writeln!(out, "# HELP {name} {}", metric.meaning);
    let _ = writeln!(out, "# TYPE {name} {}", metric.kind.word());
    if format == Format::OpenMetrics && !metric.unit.is_empty() {
        let _ = writeln!(out, "# UNIT {name} {}", metric.unit);
    }
}

fn body(out: &mut String, sample: &Sample) {
    let name = sample.metric.name;
    match &sample.value {
        Value::Number(value) => line(out, name, "", sample, None, *value),
        Value::Histogram(histogram) => {
            for (bound, count) in histogram.cumulated() {
                line(out, name, "_bucket", sample, Some(&number(bound)), count as f64);
            }
            line(out, name, "_bucket", sample, Some("+Inf"), histogram.count() as f64);
            line(out, name, "_sum", sample, None, histogram.sum());
            line(out, name, "_count", sample, None, histogram.count() as f64);
        }
    }
}

fn line(out: &mut String, name: &str, suffix: &str, sample: &Sample, le: Option<&str>, value: f64) {
    let _ = write!(out, "{name}{suffix}");
    let labels = sample.metric.labels.iter().copied().zip(sample.labels.iter().map(|label| &**label));
    for (at, (label, text)) in labels.chain(le.map(|le| ("le", le))).enumerate() {
        let _ = write!(out, "{}{label}=\"{}\"", if at == 0 { '{' } else { ',' }, Escaped(text));
    }
    if !sample.labels.is_empty() || le.is_some() {
        out.push('}');
    }
    let _ = writeln!(out, " {}", number(value));
}

/// A number as both formats have it; a bound of a bucket is a floating one.
fn number(value: f64) -> String {
    format!("{value:?}")
}

/// The text of a label.
struct Escaped<'a>(&'a str);

impl std::fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for c in self.0.chars() {
            match c {
                '\\' => f.write_str("\\\\")?,
                '"' => f.write_str("\\\"")?,
                '\n' => f.write_str("\\n")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Returns the table of figures as it stands in `docs/metrics.md`.
pub fn table(metrics: &[Metric]) -> String {
    let mut out = String::from("| name | type | unit | labels | meaning |\n|---|---|---|---|---|\n");
    for metric in metrics {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let labels = if labels.is_empty() { "–".to_owned() } else { labels.join(", ") };
        let unit = if metric.unit.is_empty() { "–" } else { metric.unit };
        let _ =
            writeln!(out, "| `{}` | {} | {unit} | {labels} | {} |", metric.name, metric.kind.word(), metric.meaning);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use enact_runtime::metrics::{Histogram, Kind, Samples};

    const TABLE: &[Metric] = &[
        Metric { name: "a_total", kind: Kind::Counter, unit: "", labels: &["of"], meaning: "A." },
        Metric { name: "b_seconds", kind: Kind::Histogram, unit: "seconds", labels: &[], meaning: "B." },
    ];

    fn samples() -> Vec<Sample> {
        let mut samples = Samples::of(TABLE);
        let mut histogram = Histogram::new(&[0.5, 1.0]);
        histogram.note(0.7);
        samples.histogram("b_seconds", &[], &histogram);
        samples.put("a_total", &["x\"y\\z\n"], 3.0);
        samples.sorted()
    }

    #[test]
    fn a_sample_is_a_line_below_what_its_figure_means() {
        let text = write(&samples(), Format::Prometheus);
        assert_eq!(
            text,
            "# HELP a_total A.\n# TYPE a_total counter\na_total{of=\"x\\\"y\\\\z\\n\"} 3.0\n\
             # HELP b_seconds B.\n# TYPE b_seconds histogram\nb_seconds_bucket{le=\"0.5\"} 0.0\n\
             b_seconds_bucket{le=\"1.0\"} 1.0\nb_seconds_bucket{le=\"+Inf\"} 1.0\nb_seconds_sum 0.7\nb_seconds_count 1.0\n"
        );
    }

    #[test]
    fn openmetrics_is_for_whoever_asks_for_it() {
        let text = write(&samples(), Format::OpenMetrics);
        assert!(text.contains("# TYPE a counter\na_total{") && text.contains("# UNIT b_seconds seconds\n"), "{text}");
        assert!(text.ends_with("# EOF\n"));
        for (accept, format) in [
            ("", Format::Prometheus),
            ("text/plain;version=0.0.4;q=0.5,*/*;q=0.1", Format::Prometheus),
            ("application/openmetrics-text;version=1.0.0;q=0.8,text/plain", Format::OpenMetrics),
            ("application/openmetrics-text;q=0,text/plain", Format::Prometheus),
        ] {
            assert_eq!(Format::accepted(accept), format, "{accept}");
        }
    }
}
