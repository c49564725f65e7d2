//! The reference of the keys, as it stands in `docs/configuration.md`.

use std::fmt::Write as _;

use super::settings::KEYS;

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
    out.push_str(
        "| `sinks.<name>.file` | path | `audit`: `events.jsonl` in the folder of the store | – | `ENACT_SINKS_<NAME>_FILE` | \
         A file that messages are appended to as JSON lines. A file that has `sinks` replaces the default one. |\n",
    );
    out
}
