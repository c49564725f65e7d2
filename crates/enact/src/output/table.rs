//! Tables and cards: aligned, cut to the terminal, coloured only where that is wanted.

use super::text;

/// How a piece of text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// As it is.
    Plain,
    /// It went well.
    Good,
    /// It went wrong.
    Bad,
    /// It is on its way.
    Open,
    /// It matters less.
    Faint,
}

impl Look {
    fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Good => Some("32"),
            Self::Bad => Some("31"),
            Self::Open => Some("33"),
            Self::Faint => Some("2"),
        }
    }
    /// Returns the text in this look.
    pub fn paint(self, text: &str, colour: bool) -> String {
        match self.code() {
            Some(code) if colour => format!("\x1b[{code}m{text}\x1b[0m"),
            _ => text.to_owned(),
        }
    }
}

/// One cell.
#[derive(Debug, Clone)]
pub struct Cell {
    text: String,
    look: Look,
}

impl Cell {
    /// A cell with a look.
    pub fn new(text: impl ToString, look: Look) -> Self {
        Self { text: text::one_line(&text.to_string()), look }
    }
}

impl<T: ToString> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text, Look::Plain)
    }
}

/// Rows under a heading.
#[derive(Debug, Clone, Default)]
pub struct Table {
    columns: Vec<(&'static str, bool)>,
    rows: Vec<Vec<Cell>>,
}

/// Narrowest a column is cut to, in characters.
const NARROWEST: usize = 8;

impl Table {
    /// Begins with the titles of its columns; one that begins with `>` is aligned to the right.
    pub fn new(titles: &[&'static str]) -> Self {
        let columns = titles.iter().map(|title| title.strip_prefix('>').map_or((*title, false), |title| (title, true)));
        Self { columns: columns.collect(), rows: Vec::new() }
    }
    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }
    /// Returns whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Returns the text; the widest columns are cut until it fits into `width`.
    pub fn render(&self, width: usize, colour: bool) -> String {
        let widths = self.widths(width);
        let mut out = String::new();
        let heading: Vec<Cell> =
            self.columns.iter().map(|(title, _)| Cell::new(title.to_uppercase(), Look::Faint)).collect();
        for row in std::iter::once(&heading).chain(&self.rows) {
            let mut line = String::new();
            for (at, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                let shown = text::cut(&cell.text, width);
                let pad = " ".repeat(width.saturating_sub(shown.chars().count()));
                let right = self.columns.get(at).is_some_and(|(_, right)| *right);
                let painted = cell.look.paint(&shown, colour);
                if at > 0 {
                    line.push_str("  ");
                }
                if right {
                    line.push_str(&pad);
                }
                line.push_str(&painted);
                if !right {
                    line.push_str(&pad);
                }
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }

    fn widths(&self, width: usize) -> Vec<usize> {
        let mut widths: Vec<usize> = self.columns.iter().map(|(title, _)| title.chars().count()).collect();
        for row in &self.rows {
            for (cell, width) in row.iter().zip(&mut widths) {
                *width = (*width).max(cell.text.chars().count());
            }
        }
        let gaps = 2 * widths.len().saturating_sub(1);
        while widths.iter().sum::<usize>().saturating_add(gaps) > width {
            match widths.iter_mut().max() {
                Some(widest) if *widest > NARROWEST => *widest -= 1,
                _ => break,
            }
        }
        widths
    }
}

/// Labels and values, one to a line.
#[derive(Debug, Clone, Default)]
pub struct Card {
    lines: Vec<(&'static str, Cell)>,
}

impl Card {
    /// Adds a line.
    pub fn add(&mut self, label: &'static str, value: impl Into<Cell>) {
        self.lines.push((label, value.into()));
    }
    /// Adds a line if there is a value.
    pub fn add_if(&mut self, label: &'static str, value: Option<impl Into<Cell>>) {
        if let Some(value) = value {
            self.add(label, value);
        }
    }
    /// Returns the text.
    pub fn render(&self, colour: bool) -> String {
        let width = self.lines.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
        let mut out = String::new();
        for (label, cell) in &self.lines {
            let label = Look::Faint.paint(&format!("{label:<width$}"), colour);
            out.push_str(format!("{label}  {}", cell.look.paint(&cell.text, colour)).trim_end());
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["name", ">size", "note"]);
        table.row(["a".into(), 5.into(), "x".repeat(30).into()]);
        table.row(["bcd".into(), 1000.into(), Cell::new("y\x1b", Look::Bad)]);
        table
    }

    #[test]
    fn columns_are_aligned_and_nothing_is_cut_without_a_terminal() {
        let text = table().render(usize::MAX, false);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "NAME  SIZE  NOTE");
        assert_eq!(lines[1], format!("a        5  {}", "x".repeat(30)));
        assert_eq!(lines[2], "bcd   1000  y\\u{1b}");
    }

    #[test]
    fn the_widest_column_is_cut_to_the_terminal() {
        let text = table().render(24, false);
        assert!(text.lines().all(|line| line.chars().count() <= 24), "{text}");
        assert!(text.contains("xxx…"), "{text}");
    }

    #[test]
    fn colours_are_only_there_when_they_are_wanted() {
        assert!(table().render(80, true).contains("\x1b[31m"));
        assert!(!table().render(80, false).contains('\x1b'));
    }
}
