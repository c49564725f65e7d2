//! The reference of the keys, as it stands in `docs/configuration.md`.

use std::fmt::Write as _;

use super::settings::KEYS;
use super::sink::{FIELDS, Field};

/// Returns the table of every key: type, default, unit, variable, meaning.
pub fn table() -> String {
    let mut out =
        String::from("| key | type | default | unit in `--json` | variable | meaning |\n|---|---|---|---|---|---|\n");
    for key in KEYS {
        let default = if key.default.is_empty() { "none".to_owned() } else { format!("`{}`", key.default) };
        let unit = if key.unit.is_empty() { "–" } else { key.unit };
        let _ = writeln!(
            out,
            "| `{}` | {} | {default} | {unit} | `{}` | {} |",
            key.name,
            key.type_name,
            key.env_name(),
            key.meaning
        );
    }
    for field in FIELDS {
        let unit = if field.unit.is_empty() { "–" } else { field.unit };
        let Field { name, type_name, default, meaning, .. } = field;
        let variable = format!("ENACT_SINKS_<NAME>_{}", name.to_ascii_uppercase());
        let _ =
            writeln!(out, "| `sinks.<name>.{name}` | {type_name} | {default} | {unit} | `{variable}` | {meaning} |");
    }
    out
}
