//! The only place that writes to standard output and standard error.

pub mod table;
pub mod text;

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use crate::failure::Failure;
use table::{Card, Table};

/// Width of a table where there is no terminal to ask, in characters: none is cut.
const UNLIMITED: usize = usize::MAX;

/// Where a command writes and how.
pub struct Output {
    stdout: Box<dyn Write + Send>,
    stderr: Box<dyn Write + Send>,
    /// One JSON document instead of text for people.
    pub json: bool,
    /// No notes.
    pub quiet: bool,
    /// Width of a table, in characters.
    pub width: usize,
    /// Whether standard output takes colours.
    pub colour: bool,
    /// Whether standard error is a terminal.
    pub progress: bool,
    drawn: bool,
}

impl Output {
    /// Writes to the standard streams.
    pub fn standard(json: bool, quiet: bool) -> Self {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let width = if terminal { terminal_width(&stdout) } else { UNLIMITED };
        let progress = io::stderr().is_terminal() && !quiet && !json;
        Self {
            stdout: Box::new(stdout),
            stderr: Box::new(io::stderr()),
            json,
            quiet,
            width,
            colour: terminal && !plain,
            progress,
            drawn: false,
        }
    }

    /// Writes text to standard output and a new line after it.
    ///
    /// # Errors
    /// [`Failure::PipeClosed`] when nobody reads any more.
    pub fn line(&mut self, text: &str) -> Result<(), Failure> {
        self.bytes(format!("{text}\n").as_bytes())
    }

    /// Writes bytes to standard output as they are.
    ///
    /// # Errors
    /// As [`Output::line`].
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.clear_progress();
        let wrote = self.stdout.write_all(bytes).and_then(|()| self.stdout.flush());
        wrote.map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::PipeClosed,
            _ => Failure::Output(error),
        })
    }

    /// Writes a value as one JSON document.
    ///
    /// # Errors
    /// As [`Output::line`].
    pub fn document<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value).map_err(|error| Failure::Output(error.into()))?;
        self.line(&text)
    }

    /// Writes a value as one line of JSON.
    ///
    /// # Errors
    /// As [`Output::line`].
    pub fn json_line<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        let text = serde_json::to_string(value).map_err(|error| Failure::Output(error.into()))?;
        self.line(&text)
    }

    /// Writes a table.
    ///
    /// # Errors
    /// As [`Output::line`].
    pub fn table(&mut self, table: &Table) -> Result<(), Failure> {
        let text = table.render(self.width, self.colour);
        self.bytes(text.as_bytes())
    }

    /// Writes labels and values.
    ///
    /// # Errors
    /// As [`Output::line`].
    pub fn card(&mut self, card: &Card) -> Result<(), Failure> {
        let text = card.render(self.colour);
        self.bytes(text.as_bytes())
    }

    /// Tells a person something beside the answer, on standard error.
    pub fn note(&mut self, text: &str) {
        if !self.quiet {
            self.complain(text);
        }
    }

    /// Tells a person what went wrong, on standard error.
    pub fn complain(&mut self, text: &str) {
        self.clear_progress();
        // Nobody is left to be told that standard error cannot be written.
        let _ = writeln!(self.stderr, "{text}");
    }

    /// Draws one line of progress over the last one, on a terminal only.
    pub fn draw_progress(&mut self, text: &str) {
        if self.progress {
            let width = if self.width == UNLIMITED { 80 } else { self.width };
            let _ = write!(self.stderr, "\r\x1b[2K{}", text::cut(text, width.saturating_sub(1)));
            let _ = self.stderr.flush();
            self.drawn = true;
        }
    }

    /// Takes the line of progress away.
    pub fn clear_progress(&mut self) {
        if std::mem::take(&mut self.drawn) {
            let _ = write!(self.stderr, "\r\x1b[2K");
            let _ = self.stderr.flush();
        }
    }
}

fn terminal_width(stdout: &io::Stdout) -> usize {
    let asked = rustix::termios::tcgetwinsize(stdout).map(|size| usize::from(size.ws_col)).unwrap_or(0);
    if asked >= 40 { asked } else { 100 }
}
