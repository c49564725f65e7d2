//! `enact config` and `enact completions`: what holds, where it comes from, and how to type it.

use clap::{Args, Subcommand};
use clap_complete::Shell;
use serde_json::json;

use super::desk::Desk;
use crate::config::settings::KEYS;
use crate::failure::Failure;
use crate::output::Output;
use crate::output::table::Table;

/// See the configuration and where every value comes from.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Show every value with its origin: default, file with line and column, variable or flag
    #[command(after_help = "Examples:\n  enact config show\n  ENACT_LIMITS_RUNNING=8 enact config show --json")]
    Show,
    /// List every key with its type, default, variable and meaning
    #[command(after_help = "Example:\n  enact config keys")]
    Keys,
}

impl ConfigCommand {
    /// Carries the command out.
    ///
    /// # Errors
    /// Output that cannot be written.
    pub fn carry_out(self, desk: &mut Desk) -> Result<(), Failure> {
        match self {
            Self::Show => show(desk),
            Self::Keys => keys(&mut desk.out),
        }
    }
}

fn show(desk: &mut Desk) -> Result<(), Failure> {
    let Desk { sheet, out, .. } = desk;
    if out.json {
        let values: serde_json::Map<String, serde_json::Value> = sheet
            .entries
            .iter()
            .map(|entry| (entry.key.clone(), json!({ "value": entry.value, "origin": entry.origin.to_string() })))
            .collect();
        return out.document(&json!({ "file": sheet.file, "values": values }));
    }
    let mut table = Table::new(&["key", "value", "origin"]);
    for entry in &sheet.entries {
        table.row([(&entry.key).into(), (&entry.text).into(), (&entry.origin).into()]);
    }
    out.table(&table)
}

fn keys(out: &mut Output) -> Result<(), Failure> {
    if out.json {
        let keys: Vec<serde_json::Value> = KEYS
            .iter()
            .map(|key| {
                json!({ "key": key.name, "type": key.type_name, "unit": key.unit, "default": key.default,
                        "variable": key.env_name(), "meaning": key.meaning })
            })
            .collect();
        return out.document(&keys);
    }
    let mut table = Table::new(&["key", "type", "default", "variable", "meaning"]);
    for key in KEYS {
        table.row([
            key.name.into(),
            key.type_name.into(),
            key.default.into(),
            key.env_name().into(),
            key.meaning.into(),
        ]);
    }
    out.table(&table)
}

/// Print the completions of a shell.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  enact completions bash > ~/.local/share/bash-completion/completions/enact\n  \
    enact completions zsh > ~/.zfunc/_enact")]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

impl CompletionsArgs {
    /// Carries the command out.
    ///
    /// # Errors
    /// Output that cannot be written.
    pub fn carry_out(self, out: &mut Output) -> Result<(), Failure> {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut crate::cli::definition(), "enact", &mut text);
        out.bytes(&text)
    }
}
