//! The keys: each with its type, unit, default and meaning; the only list of them.

/// One key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name, with dots.
    pub name: &'static str,
    /// What its value is.
    pub type_name: &'static str,
    /// In which unit it is kept and shown by `--json`.
    pub unit: &'static str,
    /// The text that stands for it when nobody says anything; `{…}` is explained in the meaning.
    pub default: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// Whether it is a path.
    pub path: bool,
    /// Whether it is a list, with commas in its text.
    pub list: bool,
    /// Checks a text.
    pub check: fn(&str) -> Result<serde_json::Value, super::quantity::Unreadable>,
}

impl Key {
    /// Returns the variable of the environment that sets it.
    pub fn env_name(&self) -> String {
        env_name(self.name)
    }
}

/// Returns the variable of the environment that sets a key.
pub fn env_name(key: &str) -> String {
    format!("ENACT_{}", key.replace(['.', '-'], "_").to_ascii_uppercase())
}

/// The key under which sinks stand, each with its [fields](super::sink::FIELDS).
pub const SINKS: &str = "sinks";
