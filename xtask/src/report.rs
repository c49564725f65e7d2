//! How tasks speak: stages with their times, skips with their reasons, tables, and the end.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::failure::{Failure, Outcome};

/// Prints a text.
pub fn say(text: impl AsRef<str>) {
    println!("{}", text.as_ref());
}

/// Turns the result of a task into the exit status of the process and prints why, if it failed.
pub fn end(result: Outcome<()>, status: u8) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say(format!("\nxtask {failure}"));
            ExitCode::from(status)
        }
    }
}

/// The stages of a task: what took how long, what failed, what was skipped and why.
#[derive(Debug, Default)]
pub struct Stages {
    done: Vec<(String, Duration, bool)>,
    skips: Vec<(String, String)>,
}

impl Stages {
    /// Runs a stage and keeps its time; a stage that fails ends the task.
    ///
    /// # Errors
    /// The failure of the stage.
    pub fn run<T>(&mut self, name: &str, stage: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        say(format!("\n── {name}"));
        let begin = Instant::now();
        let result = stage(self);
        self.done.push((name.to_owned(), begin.elapsed(), result.is_ok()));
        result
    }

    /// Notes that something was not run, and why.
    pub fn skip(&mut self, what: impl Into<String>, why: impl Into<String>) {
        let (what, why) = (what.into(), why.into());
        say(format!("skipped: {what} – {why}"));
        self.skips.push((what, why));
    }

    /// Returns how many things were skipped.
    pub fn skipped(&self) -> usize {
        self.skips.len()
    }

    /// Prints every stage with its time, every skip with its reason, and their counts.
    pub fn print(&self) {
        let mut rows: Vec<Vec<String>> = Vec::new();
        for (name, time, fine) in &self.done {
            rows.push(vec![name.clone(), seconds(*time), if *fine { "ok" } else { "FAILED" }.to_owned()]);
        }
        let all: Duration = self.done.iter().map(|(_, time, _)| *time).sum();
        rows.push(vec!["all stages".to_owned(), seconds(all), format!("{} skipped", self.skips.len())]);
        say(format!("\n{}", table(&["stage", "time", ""], &rows)));
        for (what, why) in &self.skips {
            say(format!("skipped: {what} – {why}"));
        }
    }
}

/// Writes a duration in seconds, with its unit.
pub fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// Lays out a table for a terminal: columns as wide as their widest cell.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (cell, width) in row.iter().zip(&mut widths) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut out = String::new();
        for (cell, width) in cells.zip(&widths) {
            out.push_str(cell);
            out.extend(std::iter::repeat_n(' ', width + 2 - cell.chars().count()));
        }
        out.trim_end().to_owned()
    };
    let mut lines = vec![line(&mut head.iter().copied())];
    lines.push(widths.iter().map(|width| "─".repeat(*width)).collect::<Vec<_>>().join("  "));
    lines.extend(rows.iter().map(|row| line(&mut row.iter().map(String::as_str))));
    lines.join("\n")
}

/// Says that something must be so, and fails the task if it is not.
///
/// # Errors
/// When it is not so.
pub fn must(fact: bool, what: impl FnOnce() -> String) -> Outcome<()> {
    if fact { Ok(()) } else { Err(Failure::to(format!("see that {}", what()))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let text = table(&["a", "bee"], &[vec!["long é".to_owned(), "1".to_owned()]]);
        assert_eq!(text, "a       bee\n──────  ───\nlong é  1");
    }

    #[test]
    fn a_stage_that_fails_is_kept_with_its_time() {
        let mut stages = Stages::default();
        let result: Outcome<()> = stages.run("breaks", |_| Err(Failure::to("stand")));
        assert!(result.is_err());
        assert_eq!(stages.done.len(), 1);
        assert!(!stages.done[0].2);
    }
}
