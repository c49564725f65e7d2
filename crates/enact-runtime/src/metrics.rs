//! Figures of the hub: what each is called and means, and how its values are carried to whoever prints them.

pub mod process;
mod table;

use std::sync::Arc;

pub use table::{DOOR, HUB};

/// How a figure moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, and begins at zero with every start of the hub.
    Counter,
    /// It goes up and down.
    Gauge,
    /// How many values lay below each of some bounds, how many there were, and their sum.
    Histogram,
}

impl Kind {
    /// Returns the word for it, as Prometheus has it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One figure: its name, and what stands in its labels. No label holds an id, a payload or anything that a caller made up.
#[derive(Debug, PartialEq, Eq)]
pub struct Metric {
    /// Its name; the unit stands in it, and a counter ends with `_total`.
    pub name: &'static str,
    /// How it moves.
    pub kind: Kind,
    /// The unit of its values; empty for a plain number.
    pub unit: &'static str,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it means.
    pub meaning: &'static str,
}

/// A value of a figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Of which figure.
    pub metric: &'static Metric,
    /// The values of its labels, in the order of their names.
    pub labels: Vec<Arc<str>>,
    /// The value.
    pub value: Value,
}

/// What a figure stands at.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Of a counter or a gauge.
    Number(f64),
    /// Of a histogram.
    Histogram(Histogram),
}

/// Values counted by bounds.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    bounds: &'static [f64],
    /// One for each bound, and one for what lies above all of them.
    counts: Box<[u64]>,
    sum: f64,
}

impl Histogram {
    /// Makes an empty one; the bounds are in order.
    pub fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, counts: vec![0; bounds.len() + 1].into(), sum: 0.0 }
    }
    /// Takes a value in.
    pub fn note(&mut self, value: f64) {
        let at = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get_mut(at) {
            *count += 1;
        }
        self.sum += value;
    }
    /// Returns each bound with the number of values up to it.
    pub fn cumulated(&self) -> impl Iterator<Item = (f64, u64)> {
        let mut below = 0;
        self.bounds.iter().zip(&self.counts).map(move |(bound, count)| {
            below += count;
            (*bound, below)
        })
    }
    /// Returns the number of values.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
    /// Returns their sum.
    pub fn sum(&self) -> f64 {
        self.sum
    }
}

/// Samples of one table of figures, as they are gathered.
pub struct Samples {
    table: &'static [Metric],
    found: Vec<Sample>,
}

impl Samples {
    /// Begins to gather figures of a table.
    pub fn of(table: &'static [Metric]) -> Self {
        Self { table, found: Vec::new() }
    }
    /// Adds a number.
    ///
    /// # Panics
    /// When the table has no figure of that name with so many labels: that is a fault of this program.
    pub fn put(&mut self, name: &str, labels: &[&str], value: f64) {
        self.add(name, labels, Value::Number(value));
    }
    /// Adds a histogram.
    ///
    /// # Panics
    /// As [`Samples::put`].
    pub fn histogram(&mut self, name: &str, labels: &[&str], value: &Histogram) {
        self.add(name, labels, Value::Histogram(value.clone()));
    }
    fn add(&mut self, name: &str, labels: &[&str], value: Value) {
        let metric = self.table.iter().find(|metric| metric.name == name);
        let metric = metric.expect("a figure that is told stands in its table");
        assert_eq!(metric.labels.len(), labels.len(), "the labels of {name} are those of its table");
        self.found.push(Sample { metric, labels: labels.iter().map(|label| Arc::from(*label)).collect(), value });
    }
    /// Returns what was gathered, the values of one figure beside each other and in the order of the table.
    pub fn sorted(mut self) -> Vec<Sample> {
        let place = |sample: &Sample| self.table.iter().position(|metric| metric.name == sample.metric.name);
        self.found.sort_by_cached_key(|sample| (place(sample), sample.labels.clone()));
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_counts_up_to_its_bound_and_above_all_of_them_only_in_the_whole() {
        let mut histogram = Histogram::new(&[1.0, 2.0]);
        [0.5, 1.0, 1.5, 9.0].into_iter().for_each(|value| histogram.note(value));
        assert_eq!(histogram.cumulated().collect::<Vec<_>>(), [(1.0, 2), (2.0, 3)]);
        assert_eq!((histogram.count(), histogram.sum()), (4, 12.0));
    }

    #[test]
    fn names_follow_the_conventions_of_prometheus_and_stand_once() {
        let mut seen = std::collections::BTreeSet::new();
        for metric in HUB.iter().chain(DOOR) {
            assert!(seen.insert(metric.name), "{} stands twice", metric.name);
            assert_eq!(metric.name.ends_with("_total"), metric.kind == Kind::Counter, "{}", metric.name);
            let base = metric.name.trim_end_matches("_total");
            assert!(metric.unit.is_empty() || base.ends_with(&format!("_{}", metric.unit)), "{}", metric.name);
            assert!(metric.name.starts_with("enact_") || metric.name.starts_with("process_"), "{}", metric.name);
            assert!(metric.meaning.ends_with('.') && !metric.meaning.contains('|'), "{}", metric.name);
        }
    }
}
