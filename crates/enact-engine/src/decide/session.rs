//! Sessions and the state that operators set by hand.

use enact_model::conclusion::Conclusion;
use enact_model::envelope::StateScope;
use enact_model::id::{SessionId, TenantId};
use enact_model::json::Json;
use enact_model::limits::INLINE_MAX_BYTES;
use enact_model::record::Body;
use enact_model::table::{Key, SessionRow};
use enact_model::time::Timestamp;

use super::{refuse, refused};
use crate::command::{Answer, Command};
use crate::conclude as code;
use crate::scratch::Scratch;
use crate::view::{Need, Typed};

/// The way out of a session that ended: its name is never opened again.
pub(super) const ANOTHER_NAME: &str = "a session's name is used once: name another one as `--session` or `session_id`, or open one \
                                       under another name, or under none to be given one";

/// Refuses to let the default session end: whoever names no session is in it, and its name cannot be opened again.
fn never_ends(session: &SessionId) -> Option<Answer> {
    let message = format!("session {session} is the one of those who name none, and does not end");
    let hint = "open one under another name, and name it as `--session` or `session_id`";
    session.is_default().then(|| refused(Conclusion::new(code::PARAMETERS_INVALID, message).hint(hint)))
}

pub(super) fn open(
    scratch: &mut Scratch<'_>,
    command: &Command,
    tenant: &TenantId,
    session: Option<&SessionId>,
    owner: Option<&String>,
    expires_at: Option<Timestamp>,
) -> Result<Answer, Need> {
    let session = match session {
        Some(session) => session.clone(),
        None => {
            let id = enact_model::id::IntentId::from_parts(command.time.0, command.random(0)).to_string();
            match id.replacen("int_", "ses_", 1).parse() {
                Ok(session) => session,
                Err(_) => return Ok(refuse(code::INTERNAL, "a session id could not be made")),
            }
        }
    };
    if let Some(answer) = expires_at.and_then(|_| never_ends(&session)) {
        return Ok(answer);
    }
    if let Some(row) = scratch.session_row(&Key::session(tenant, &session))? {
        let message = match row.ended_at(scratch.now()) {
            Some(at) => format!("session {session} exists already and ended at {at}"),
            None => format!("session {session} exists already"),
        };
        return Ok(refused(Conclusion::new(code::KEY_CONFLICT, message).hint(ANOTHER_NAME)));
    }
    let body = Body::SessionOpened { session: session.clone(), owner: owner.cloned(), expires_at };
    scratch.record(Some(tenant), None, body)?;
    Ok(Answer::Session(session))
}

/// Returns a session that is open, or why it is not.
fn live(scratch: &Scratch<'_>, tenant: &TenantId, session: &SessionId) -> Result<Result<SessionRow, Answer>, Need> {
    let Some(row) = scratch.session_row(&Key::session(tenant, session))? else {
        return Ok(Err(refuse(code::NOT_FOUND, format!("tenant {tenant} has no session {session}"))));
    };
    Ok(match row.ended_at(scratch.now()) {
        Some(at) => {
            let message = format!("session {session} ended at {at}");
            Err(refused(Conclusion::new(code::SESSION_ENDED, message).hint(ANOTHER_NAME)))
        }
        None => Ok((*row).clone()),
    })
}

pub(super) fn upgrade(
    scratch: &mut Scratch<'_>,
    tenant: &TenantId,
    session: &SessionId,
    owner: &str,
) -> Result<Answer, Need> {
    let row = match live(scratch, tenant, session)? {
        Ok(row) => row,
        Err(answer) => return Ok(answer),
    };
    match row.owner {
        Some(known) if known == owner => Ok(Answer::Session(session.clone())),
        Some(known) => Ok(refuse(code::PHASE_CONFLICT, format!("session {session} belongs to {known}"))),
        None => {
            scratch.record(
                Some(tenant),
                None,
                Body::SessionUpgraded { session: session.clone(), owner: owner.to_owned() },
            )?;
            Ok(Answer::Session(session.clone()))
        }
    }
}

pub(super) fn close(
    scratch: &mut Scratch<'_>,
    tenant: &TenantId,
    session: &SessionId,
    reason: &str,
) -> Result<Answer, Need> {
    if let Some(answer) = never_ends(session) {
        return Ok(answer);
    }
    if let Err(answer) = live(scratch, tenant, session)? {
        return Ok(answer);
    }
    scratch.record(Some(tenant), None, Body::SessionClosed { session: session.clone(), reason: reason.to_owned() })?;
    Ok(Answer::Session(session.clone()))
}

pub(super) fn set_state(
    scratch: &mut Scratch<'_>,
    tenant: &TenantId,
    session: &SessionId,
    key: &str,
    value: Option<&Json>,
    if_version: Option<u64>,
    ttl_ms: Option<u64>,
) -> Result<Answer, Need> {
    if scratch.session_row(&Key::session(tenant, session))?.is_some()
        && let Err(answer) = live(scratch, tenant, session)?
    {
        return Ok(answer);
    }
    let owner = session.as_str();
    let change = Set { scope: StateScope::Session, owner, key, value, if_version, ttl_ms };
    if let Some(conflict) = change.fault(scratch, tenant)? {
        let hint = "read it again and decide anew";
        return Ok(refused(Conclusion::new(code::VERSION_CONFLICT, conflict).hint(hint)));
    }
    if value.is_some_and(|value| value.as_str().len() > INLINE_MAX_BYTES) {
        let message = format!("the value of {key:?} is larger than {INLINE_MAX_BYTES} bytes");
        return Ok(refused(Conclusion::new(code::PARAMETERS_INVALID, message).hint("store a reference instead")));
    }
    change.record(scratch, tenant, None)?;
    Ok(Answer::Done(format!("state {key:?} of session {session} is changed")))
}

/// One change of one key of state.
pub(super) struct Set<'a> {
    pub scope: StateScope,
    pub owner: &'a str,
    pub key: &'a str,
    pub value: Option<&'a Json>,
    pub if_version: Option<u64>,
    pub ttl_ms: Option<u64>,
}

impl Set<'_> {
    fn version(&self, scratch: &Scratch<'_>, tenant: &TenantId) -> Result<(u64, bool), Need> {
        let row = scratch.state_row(&Key::state(tenant, self.scope, self.owner, self.key))?;
        // A value that expired or was deleted is absent for a comparison; its version goes on and is never used twice.
        Ok(row.map_or((0, false), |row| (row.version, row.lives(scratch.now()))))
    }

    /// Returns why the change is refused, if its expected version is not the current one.
    pub(super) fn fault(&self, scratch: &Scratch<'_>, tenant: &TenantId) -> Result<Option<String>, Need> {
        let (version, lives) = self.version(scratch, tenant)?;
        let current = if lives { version } else { 0 };
        Ok(self
            .if_version
            .filter(|expected| *expected != current)
            .map(|expected| format!("state {:?} has version {current}, not {expected}", self.key)))
    }

    pub(super) fn record(
        &self,
        scratch: &mut Scratch<'_>,
        tenant: &TenantId,
        cause: Option<enact_model::id::Lsn>,
    ) -> Result<(), Need> {
        let (version, _) = self.version(scratch, tenant)?;
        let (owner, key) = (self.owner.to_owned(), self.key.to_owned());
        let body = match self.value {
            Some(value) => Body::StateSet {
                scope: self.scope,
                owner,
                key,
                value: value.clone(),
                version: version + 1,
                expires_at: self.ttl_ms.map(|ttl| Timestamp(scratch.now().0.saturating_add(ttl))),
            },
            None => Body::StateDeleted { scope: self.scope, owner, key },
        };
        scratch.record(Some(tenant), cause, body)?;
        Ok(())
    }
}
