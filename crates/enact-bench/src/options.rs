//! What the command line asks for.

use std::path::PathBuf;
use std::time::Duration;

use crate::Failure;

/// The rows that can be asked for.
const ROWS: [&str; 13] = [
    "floor",
    "stages",
    "ring",
    "relay",
    "worker",
    "oneshot",
    "jar",
    "jar-start",
    "jar-many",
    "start",
    "idle",
    "streams",
    "http",
];

/// Intents at once, unless others are asked for.
const LOADS: [u32; 4] = [1, 8, 64, 512];

/// What a process of this program does.
pub enum Task {
    /// Measures and prints.
    Bench(Options),
    /// Is a worker that answers every call with its argument.
    Answer,
    /// Settles executions in a store, then dies without a word.
    Fill {
        /// The store.
        store: PathBuf,
        /// How many.
        executions: u64,
    },
    /// Opens a store and tells what that took.
    Open {
        /// The store.
        store: PathBuf,
    },
}

/// How to measure.
pub struct Options {
    /// Whether rows are printed as JSON.
    pub json: bool,
    /// Where the stores are made.
    pub dir: PathBuf,
    /// How many settled executions a start has behind it.
    pub settled: u64,
    /// The loads of `floor` and `ring`.
    pub in_flight: Vec<u32>,
    seconds: f64,
    rows: Vec<String>,
}

impl Options {
    /// Returns how long one load goes on.
    pub fn time(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }
    /// Tells whether a row is to be measured.
    pub fn wants(&self, row: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|wanted| wanted == row)
    }
}

impl Task {
    /// Reads the command line.
    ///
    /// # Errors
    /// A word that means nothing here.
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let (dir, in_flight, rows) = ("target".into(), Vec::new(), Vec::new());
        let mut options = Options { json: false, dir, settled: 100_000, in_flight, seconds: 10.0, rows };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--json" => options.json = true,
                "--full" => options.settled = 1_000_000,
                "--dir" => options.dir = value()?.into(),
                "--seconds" => {
                    options.seconds = value()?.parse()?;
                    if !(0.1..=3600.0).contains(&options.seconds) {
                        return Err("--seconds must be between 0.1 and 3600".into());
                    }
                }
                "--in-flight" => options.in_flight.push(value()?.parse()?),
                "--row" => {
                    let row = value()?;
                    if !ROWS.contains(&row.as_str()) {
                        return Err(format!("there is no row {row}; there are {}", ROWS.join(", ")).into());
                    }
                    options.rows.push(row);
                }
                "answer" => return Ok(Self::Answer),
                "fill" => return Ok(Self::Fill { store: value()?.into(), executions: value()?.parse()? }),
                "open" => return Ok(Self::Open { store: value()?.into() }),
                _ => return Err(format!("{word} means nothing here").into()),
            }
        }
        if options.in_flight.is_empty() {
            options.in_flight.extend(LOADS);
        }
        // A child has another working directory.
        std::fs::create_dir_all(&options.dir)?;
        options.dir = options.dir.canonicalize()?;
        Ok(Self::Bench(options))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Task, String> {
        Task::parse(text.split_whitespace().map(str::to_owned)).map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_row_that_is_asked_for_is_the_only_one_and_one_that_is_not_there_is_named() {
        let Ok(Task::Bench(options)) = parse("--row ring --in-flight 64 --dir /tmp") else { panic!("it is a bench") };
        assert!(options.wants("ring") && !options.wants("idle"));
        assert_eq!(options.in_flight, [64]);
        assert!(parse("--row rings").is_err_and(|failure| failure.contains("rings")));
        assert!(parse("--seconds 0").is_err());
    }
}
