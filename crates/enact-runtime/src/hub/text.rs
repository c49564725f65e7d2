//! Texts of a request that end up in the log or are looked for in the tables: each has a limit, and a command has a reason.
//!
//! It is asked before anything is done, so that no door can go around it.

use enact_engine::conclude as code;
use enact_model::id::NAME_MAX;
use enact_model::limits::{STATE_KEY_MAX_BYTES, TEXT_MAX_BYTES};

use super::refusal;
use crate::api::Request;

/// Refuses a text that is too long to stand in the log or in a key of a table, and a command without a reason.
pub(super) fn check(request: &Request) -> refusal::Result<()> {
    if let Some(reason) = reason(request) {
        if reason.trim().is_empty() {
            let hint = "say why as `reason`; it stands in the log beside who asked";
            return Err(refusal::hinted(code::PARAMETERS_INVALID, "a command needs a reason", hint));
        }
        within("reason", reason, TEXT_MAX_BYTES)?;
    }
    for (field, text, most) in texts(request).into_iter().flatten() {
        within(field, text, most)?;
    }
    match request {
        Request::StateSet { key, value: Some(_), .. } if key.is_empty() => {
            let hint = "name the value, such as `stock`";
            Err(refusal::hinted(code::PARAMETERS_INVALID, format!("a key has 1 to {STATE_KEY_MAX_BYTES} bytes"), hint))
        }
        Request::SessionOpen { owner: Some(owner), .. } | Request::SessionUpgrade { owner, .. }
            if owner.trim().is_empty() =>
        {
            let hint = "name who owns the session; leave the owner out when it is nobody yet";
            Err(refusal::hinted(code::PARAMETERS_INVALID, "the owner of a session is empty", hint))
        }
        Request::StateSet { key, .. } if key.chars().any(char::is_control) => {
            let message = format!("the key {key:?} has a control character in it");
            Err(refusal::hinted(code::PARAMETERS_INVALID, message, "write a key of printable characters"))
        }
        _ => Ok(()),
    }
}

fn within(field: &str, text: &str, most: usize) -> refusal::Result<()> {
    if text.len() <= most {
        return Ok(());
    }
    let message = format!("{field} has {} bytes, more than {most}", text.len());
    Err(refusal::hinted(code::PARAMETERS_INVALID, message, "say it shorter; what is longer belongs into an artifact"))
}

/// Returns why it is asked for, where that must be said.
fn reason(request: &Request) -> Option<&str> {
    use Request as R;
    match request {
        R::Cancel { reason, .. }
        | R::Pause { reason, .. }
        | R::Resume { reason, .. }
        | R::Retry { reason, .. }
        | R::ComponentDrain { reason, .. }
        | R::ComponentRemove { reason, .. }
        | R::SessionClose { reason, .. }
        | R::Redeliver { reason, .. }
        | R::HistoryDrop { reason, .. }
        | R::Shutdown { reason } => Some(reason),
        R::Bulk(bulk) => Some(&bulk.reason),
        _ => None,
    }
}

/// Returns the other texts, by field, with the most bytes that each may have.
fn texts(request: &Request) -> [Option<(&'static str, &str, usize)>; 2] {
    use Request as R;
    match request {
        R::SessionOpen { owner: Some(owner), .. } | R::SessionUpgrade { owner, .. } => {
            [Some(("owner", owner, TEXT_MAX_BYTES)), None]
        }
        R::StateSet { key, .. } => [Some(("key", key, STATE_KEY_MAX_BYTES)), None],
        R::StateGet { owner, key, .. } => {
            [Some(("the id of the session or execution", owner, NAME_MAX)), Some(("key", key, STATE_KEY_MAX_BYTES))]
        }
        R::StateList { owner, cursor, .. } => [
            Some(("the id of the session or execution", owner, NAME_MAX)),
            cursor.as_deref().map(|cursor| ("cursor", cursor, STATE_KEY_MAX_BYTES)),
        ],
        R::ComponentDrain { version, .. } | R::ComponentRemove { version, .. } => {
            [Some(("version", version, NAME_MAX)), None]
        }
        R::ArtifactPut { name, media_type, .. } => [
            name.as_deref().map(|name| ("name", name, TEXT_MAX_BYTES)),
            media_type.as_deref().map(|media_type| ("media_type", media_type, TEXT_MAX_BYTES)),
        ],
        _ => [None, None],
    }
}
