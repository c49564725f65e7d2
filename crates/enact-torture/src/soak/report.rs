//! What a soak found: figures and verdicts, as a table or as JSON.

use std::fmt::Write as _;

use serde::Serialize;

use super::judge::{self, COUNT_SLACK, MEMORY_SLACK_MIB, Point, Verdict, median};
use super::sample::{Sample, quantile};

/// One figure.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// What was measured or judged.
    pub name: String,
    /// The figure; of a verdict 1 if it holds, 0 if it does not, -1 if the run was too short to say.
    pub value: f64,
    /// Its unit; of a verdict `holds`.
    pub unit: &'static str,
    /// The figures that a verdict rests on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
}

/// Everything that was found.
#[derive(Debug, Default, Clone)]
pub struct Report {
    /// The figures.
    pub rows: Vec<Row>,
    /// What was judged.
    pub verdicts: Vec<Verdict>,
    /// What this machine could not run, with the reason.
    pub skipped: Vec<String>,
}

impl Report {
    /// Whether nothing that was judged fails.
    pub fn holds(&self) -> bool {
        self.verdicts.iter().all(|verdict| verdict.holds != Some(false))
    }

    pub(super) fn row(&mut self, name: impl Into<String>, value: f64, unit: &'static str) {
        self.rows.push(Row { name: name.into(), value, unit, said: None });
    }

    /// Takes in what the samples say.
    pub(super) fn take(&mut self, samples: &[Sample]) {
        let points = |figure: fn(&Sample) -> f64| -> Vec<Point> {
            let there = samples.iter().filter(|sample| sample.held.resident_mib > 0.0);
            there.map(|sample| sample.point(figure(sample))).collect()
        };
        let calm = |figure: fn(&Sample) -> f64| -> Vec<Point> {
            let kept = samples.iter().filter(|sample| !sample.disturbed && sample.calls > 0);
            kept.map(|sample| sample.point(figure(sample))).collect()
        };
        let memory = points(|sample| sample.held.resident_mib);
        let (descriptors, threads) = (points(|s| s.held.descriptors), points(|s| s.held.threads));
        self.verdicts.extend([
            judge::flat_over_hubs("memory is flat over hubs (MiB)", &memory, MEMORY_SLACK_MIB),
            judge::flat_in_one_hub("memory is flat in one hub (MiB)", &memory, MEMORY_SLACK_MIB),
            judge::flat_over_hubs("descriptors are flat over hubs", &descriptors, COUNT_SLACK),
            judge::flat_in_one_hub("descriptors are flat in one hub", &descriptors, COUNT_SLACK),
            judge::flat_over_hubs("threads are flat over hubs", &threads, COUNT_SLACK),
            judge::flat_in_one_hub("threads are flat in one hub", &threads, COUNT_SLACK),
            judge::steady("p99 is steady", &calm(|sample| sample.p99_ms), &calm(|sample| sample.probe_ms)),
        ]);
        let most = |points: &[Point]| points.iter().fold(0.0, |most: f64, point| most.max(point.value));
        let mid = |points: &[Point]| median(points.iter().map(|point| point.value)).unwrap_or_default();
        let (p50, p99, probe) = (calm(|s| s.p50_ms), calm(|s| s.p99_ms), calm(|s| s.probe_ms));
        let (children, store) = (points(|s| s.held.children_mib), points(|s| s.store_mib));
        let lag: Vec<Point> = samples.iter().map(|sample| sample.point(sample.oldest_s)).collect();
        self.row("windows", samples.len() as f64, "windows");
        self.row("windows with a restart", samples.iter().filter(|sample| sample.disturbed).count() as f64, "windows");
        self.row("p50, median window", mid(&p50), "ms");
        self.row("p99, median window", mid(&p99), "ms");
        self.row("p99, worst window", most(&p99), "ms");
        self.row("p99, worst window with a restart", samples.iter().fold(0.0, |most: f64, s| most.max(s.p99_ms)), "ms");
        self.row("probe p99, median window", mid(&probe), "ms");
        self.row("memory of the hub, median", mid(&memory), "MiB");
        self.row("memory of the hub, most", most(&memory), "MiB");
        self.row("memory of children, median", mid(&children), "MiB");
        self.row("descriptors, most", most(&descriptors), "descriptors");
        self.row("threads, most", most(&threads), "threads");
        self.row("store, most", most(&store), "MiB");
        self.row("store, at the end", store.last().map_or(0.0, |point| point.value), "MiB");
        self.row("oldest pending message, most", most(&lag), "s");
        self.row("pending messages, most", samples.iter().map(|s| s.pending).max().unwrap_or(0) as f64, "messages");
    }

    /// Takes in how long something took each time, in milliseconds.
    pub(super) fn times(&mut self, name: &str, mut times_ms: Vec<f64>) {
        self.row(format!("{name}, how often"), times_ms.len() as f64, "times");
        self.row(format!("{name}, median"), quantile(&mut times_ms, 0.5), "ms");
        self.row(format!("{name}, longest"), quantile(&mut times_ms, 1.0), "ms");
    }

    /// Returns every figure and every verdict as JSON.
    pub fn json(&self) -> String {
        let verdicts = self.verdicts.iter().map(|verdict| Row {
            name: verdict.name.clone(),
            value: verdict.holds.map_or(-1.0, |holds| f64::from(u8::from(holds))),
            unit: "holds",
            said: Some(verdict.said.clone()),
        });
        let rows: Vec<Row> = self.rows.iter().cloned().chain(verdicts).collect();
        serde_json::to_string_pretty(&rows).unwrap_or_default()
    }

    /// Returns the same as a table for people.
    pub fn table(&self) -> String {
        let mut text = String::new();
        for Row { name, value, unit, .. } in &self.rows {
            let digits = if value.fract() == 0.0 { 0 } else { 1 };
            // Writing to a text cannot fail.
            let _ = writeln!(text, "{name:<36} {value:>12.digits$}  {unit}");
        }
        text.push('\n');
        for Verdict { name, holds, said } in &self.verdicts {
            let word = match holds {
                Some(true) => "yes",
                Some(false) => "NO",
                None => "too short",
            };
            let _ = writeln!(text, "{name:<36} {word:<10} {said}");
        }
        for skipped in &self.skipped {
            let _ = writeln!(text, "skipped: {skipped}");
        }
        text
    }
}
