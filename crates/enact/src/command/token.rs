//! `enact token`: makes, lists and takes back the tokens with which callers come in over the network.

use std::time::{Duration, SystemTime};

use clap::Subcommand;
use enact_model::id::TenantId;
use enact_model::time::Timestamp;
use enact_runtime::api::Role;
use enact_server::access::{NewToken, Token, Tokens};
use serde_json::{Value, json};

use super::desk::Desk;
use super::run::duration;
use crate::door::tokens_folder;
use crate::failure::Failure;
use crate::output::table::Table;
use crate::output::text;

/// Make, list and take back tokens of callers over the network.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token; its secret is shown once and kept nowhere
    #[command(after_help = "Examples:\n  enact token create ci --role operator\n  \
                            enact token create report --of acme --role viewer --expires 90d --json")]
    Create {
        /// What it is called; the log names `token:NAME` as the actor
        #[arg(value_name = "NAME")]
        name: String,
        /// Whose it is [default: the tenant of the command line]
        #[arg(long, value_name = "TENANT")]
        of: Option<TenantId>,
        /// What it may ask: metrics (the figures of the hub only), viewer, operator or admin (of tenant `default`: of the whole hub)
        #[arg(long, default_value = "operator")]
        role: Role,
        /// How long it holds [default: until it is revoked]
        #[arg(long, value_name = "DURATION", value_parser = duration)]
        expires: Option<Duration>,
    },
    /// List tokens, without their secrets
    #[command(after_help = "Example:\n  enact token list --json")]
    List,
    /// Take a token back; it holds no more from the next question on
    #[command(after_help = "Example:\n  enact token revoke ci")]
    Revoke {
        /// Its name or its id
        #[arg(value_name = "TOKEN")]
        token: String,
    },
}

impl TokenCommand {
    /// Carries the command out.
    ///
    /// # Errors
    /// A name that is taken or unknown, a folder that cannot be written.
    pub fn carry_out(self, desk: &mut Desk) -> Result<(), Failure> {
        let tokens = Tokens::at(tokens_folder(&desk.settings().store));
        match self {
            Self::Create { name, of, role, expires } => {
                let caller = desk.caller();
                let expires_at = expires.map(|expires| Timestamp::from_system(SystemTime::now()).plus(expires));
                let tenant = of.unwrap_or(caller.tenant);
                let new = NewToken { name, tenant, role, expires_at, created_by: caller.actor };
                let (token, secret) = tokens.create(new)?;
                if desk.out.json {
                    let mut document = shown(&token);
                    document["secret"] = json!(secret.reveal());
                    return desk.out.document(&document);
                }
                desk.out.line(secret.reveal())?;
                desk.out.note("it is shown once; send it as `Authorization: Bearer …`");
                Ok(())
            }
            Self::List => {
                let tokens = tokens.list()?;
                if desk.out.json {
                    return desk.out.document(&json!(tokens.iter().map(shown).collect::<Vec<_>>()));
                }
                let mut table = Table::new(&["name", "id", "tenant", "role", "made", "state"]);
                for token in tokens.iter() {
                    table.row([
                        (&token.name).into(),
                        (&token.id).into(),
                        (&token.tenant).into(),
                        token.role.into(),
                        text::time(token.created_at).into(),
                        state(token).into(),
                    ]);
                }
                desk.out.table(&table)
            }
            Self::Revoke { token } => {
                let token = tokens.revoke(&token, &desk.caller().actor)?;
                if desk.out.json {
                    return desk.out.document(&shown(&token));
                }
                desk.out.line(&format!("{} is revoked", token.name))
            }
        }
    }
}

/// Returns a token without its digest, which nobody needs.
fn shown(token: &Token) -> Value {
    let mut document = json!(token);
    if let Some(fields) = document.as_object_mut() {
        fields.remove("digest");
    }
    document
}

fn state(token: &Token) -> String {
    let now = Timestamp::from_system(SystemTime::now());
    match (token.revoked_at, token.expires_at) {
        (Some(at), _) => format!("revoked {at}"),
        (None, Some(at)) if at <= now => format!("expired {at}"),
        (None, Some(at)) => format!("until {at}"),
        (None, None) => "holds".to_owned(),
    }
}
