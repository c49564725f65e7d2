//! Rows, as an aligned table or as JSON.

use std::fmt;

use serde::Serialize;

/// One figure.
#[derive(Debug, Serialize)]
pub struct Row {
    /// What was measured.
    pub name: String,
    /// Under how many intents or calls at once.
    pub in_flight: u32,
    /// The figure.
    pub value: f64,
    /// Its unit.
    pub unit: &'static str,
    /// Its ratio to the floor or to the target; none where there is nothing to hold it against.
    pub ratio: Option<f64>,
}

impl Row {
    /// Makes a row without a ratio.
    pub fn new(name: impl Into<String>, in_flight: u32, value: f64, unit: &'static str) -> Self {
        Self { name: name.into(), in_flight, value, unit, ratio: None }
    }
    /// Holds the figure against another.
    #[must_use]
    pub fn beside(mut self, floor: f64) -> Self {
        self.ratio = (floor > 0.0).then(|| self.value / floor);
        self
    }
}

/// Every figure of a run.
pub struct Report {
    json: bool,
    rows: Vec<Row>,
}

impl Report {
    /// Begins a report.
    pub fn new(json: bool) -> Self {
        Self { json, rows: Vec::new() }
    }
    /// Tells a person what is measured now.
    #[allow(clippy::print_stderr)]
    pub fn say(&self, what: &str) {
        eprintln!("measuring {what} …");
    }
    /// Adds rows.
    pub fn extend(&mut self, rows: impl IntoIterator<Item = Row>) {
        self.rows.extend(rows);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.json {
            return writeln!(f, "{}", serde_json::to_string_pretty(&self.rows).map_err(|_| fmt::Error)?);
        }
        writeln!(f, "{:<22} {:>9} {:>12}  {:<10} {:>6}", "name", "in flight", "value", "unit", "ratio")?;
        for row in &self.rows {
            let ratio = row.ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
            let digits = if row.value.abs() < 100.0 { 1 } else { 0 };
            let Row { name, in_flight, value, unit, .. } = row;
            writeln!(f, "{name:<22} {in_flight:>9} {value:>12.digits$}  {unit:<10} {ratio:>6}")?;
        }
        Ok(())
    }
}
