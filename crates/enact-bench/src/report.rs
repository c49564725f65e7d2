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
    /// The figure; none if it was not measured.
    pub value: Option<f64>,
    /// Its unit.
    pub unit: &'static str,
    /// Its ratio to the floor or to the target; none where there is nothing to hold it against.
    pub ratio: Option<f64>,
    /// Why it was not measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
}

impl Row {
    /// Makes a row without a ratio.
    pub fn new(name: impl Into<String>, in_flight: u32, value: f64, unit: &'static str) -> Self {
        Self { name: name.into(), in_flight, value: Some(value), unit, ratio: None, skipped: None }
    }
    /// Makes the row of what was not measured, which says why.
    pub fn skipped(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self { name: name.into(), in_flight: 0, value: None, unit: "", ratio: None, skipped: Some(why.into()) }
    }
    /// Holds the figure against another.
    #[must_use]
    pub fn beside(mut self, floor: f64) -> Self {
        self.ratio = self.value.filter(|_| floor > 0.0).map(|value| value / floor);
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
            let Row { name, in_flight, value, unit, skipped, .. } = row;
            match (value, skipped) {
                (Some(value), _) => {
                    let digits = if value.abs() < 100.0 { 1 } else { 0 };
                    writeln!(f, "{name:<22} {in_flight:>9} {value:>12.digits$}  {unit:<10} {ratio:>6}")?;
                }
                (None, why) => writeln!(f, "{name:<22} skipped: {}", why.as_deref().unwrap_or("it was not measured"))?,
            }
        }
        Ok(())
    }
}
