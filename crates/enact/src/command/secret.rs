//! `enact secret`: keeps secrets in an encrypted file, which sinks name as `secret:NAME` and components by NAME.

use std::io::{self, Read as _};
use std::time::SystemTime;

use clap::Subcommand;
use enact_model::time::Timestamp;
use enact_sink::vault::{SECRET_MAX_BYTES, Vault};
use serde_json::json;

use super::desk::Desk;
use crate::failure::Failure;
use crate::output::table::Table;
use crate::output::text;

/// Keep secrets in an encrypted file, which sinks name as `secret:NAME` and components by NAME.
#[derive(Debug, Subcommand)]
pub enum SecretCommand {
    /// Make the key of `secrets.key_file`; keep a copy of it where the file of secrets is not
    #[command(after_help = "Example:\n  enact secret init")]
    Init,
    /// Set a secret, in place of one that has the name; it is read from standard input
    #[command(after_help = "Examples:\n  enact secret set hook < hook.txt\n  \
                            openssl rand -base64 32 | sed s/^/whsec_/ | enact secret set hook")]
    Set {
        /// What it is called; sinks name it as secret:NAME, components as NAME
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// List secrets by name, without what they are
    #[command(after_help = "Example:\n  enact secret list --json")]
    List,
    /// Remove a secret
    #[command(after_help = "Example:\n  enact secret remove hook")]
    Remove {
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
    },
}

impl SecretCommand {
    /// Carries the command out.
    ///
    /// # Errors
    /// No file of secrets, no key or another one, a name or a secret that is none, a file that cannot be read or written.
    pub fn carry_out(self, desk: &mut Desk) -> Result<(), Failure> {
        let vault = desk.settings().vault().ok_or(Failure::NoVault)?;
        match self {
            Self::Init => {
                let path = vault.init()?.display().to_string();
                if desk.out.json {
                    return desk.out.document(&json!({ "key_file": path, "file": vault.file }));
                }
                desk.out.line(&format!("{path} has the key of {}", vault.file.display()))?;
                desk.out.note("keep a copy of it elsewhere: without it the secrets are gone");
                Ok(())
            }
            Self::Set { name } => {
                set(&vault, &name, &desk.caller().actor)?;
                say(desk, &name, "is set")
            }
            Self::List => {
                let listed = vault.list()?;
                if desk.out.json {
                    return desk.out.document(&listed);
                }
                let mut table = Table::new(&["name", "set", "by"]);
                for secret in &listed {
                    table.row([(&secret.name).into(), text::time(secret.set_at).into(), (&secret.set_by).into()]);
                }
                desk.out.table(&table)
            }
            Self::Remove { name } => {
                vault.remove(&name)?;
                say(desk, &name, "is removed")
            }
        }
    }
}

/// Reads a secret from standard input, without the end of its line, and keeps it. What is typed at a terminal would be shown
/// there, and what stands on a command line is seen by everybody on the machine.
fn set(vault: &Vault, name: &str, actor: &str) -> Result<(), Failure> {
    let mut value = String::new();
    let most = SECRET_MAX_BYTES as u64 + 1;
    io::stdin().lock().take(most).read_to_string(&mut value).map_err(Failure::file("-"))?;
    let value =
        value.strip_suffix('\n').map_or(value.as_str(), |line| line.strip_suffix('\r').unwrap_or(line)).to_owned();
    Ok(vault.set(name, value, Timestamp::from_system(SystemTime::now()), actor)?)
}

fn say(desk: &mut Desk, name: &str, what: &str) -> Result<(), Failure> {
    if desk.out.json {
        return desk.out.document(&json!({ "name": name, "message": format!("{name} {what}") }));
    }
    desk.out.line(&format!("{name} {what}"))
}
