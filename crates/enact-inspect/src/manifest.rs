//! `META-INF/MANIFEST.MF`.

use std::collections::BTreeMap;

/// The main section of a manifest.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Manifest {
    values: BTreeMap<String, String>,
}

impl Manifest {
    /// Reads the main section; a line that begins with a space continues the one before.
    pub fn read(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n").replace('\r', "\n");
        let mut lines: Vec<String> = Vec::new();
        for line in text.trim_start_matches('\u{feff}').lines() {
            match (line.strip_prefix(' '), lines.last_mut()) {
                (Some(more), Some(last)) => last.push_str(more),
                // The first empty line ends the main section.
                _ if line.trim().is_empty() => break,
                _ => lines.push(line.to_owned()),
            }
        }
        let pairs = lines.iter().filter_map(|line| line.split_once(':'));
        let values = pairs.map(|(key, value)| (key.trim().to_ascii_lowercase(), value.trim().to_owned())).collect();
        Self { values }
    }

    /// Returns a value that is not empty; keys differ not by case.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(&key.to_ascii_lowercase()).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Returns whether a value is `true`.
    pub fn is_true(&self, key: &str) -> bool {
        self.get(key).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_continued_and_sections_end_at_an_empty_line() {
        let manifest = Manifest::read(
            b"Manifest-Version: 1.0\r\nMain-Class: com.acme.\r\n Tool\r\n\r\nName: a\r\nMain-Class: no\r\n",
        );
        assert_eq!(manifest.get("main-class"), Some("com.acme.Tool"));
        assert_eq!(manifest.get("Name"), None);
        assert!(Manifest::read(b"Multi-Release: TRUE\n").is_true("Multi-Release"));
        assert_eq!(Manifest::read(&[0xff, 0, 1]), Manifest::default());
    }
}
