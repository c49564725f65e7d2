//! Sessions and state as the doors see them.

use enact_engine::command::{Answer, CommandBody};
use enact_engine::conclude as code;
use enact_model::envelope::StateScope;
use enact_model::id::SessionId;
use enact_model::table::{Key, KeyRange, Row, SessionRow};
use enact_model::time::Timestamp;
use enact_store::contract::{Order, View};

use super::execution::page_limit;
use super::{Hub, refusal};
use crate::api::{Caller, Page, Response, StateView};

impl Hub {
    pub(super) async fn session_open(
        &self,
        caller: &Caller,
        session: Option<SessionId>,
        owner: Option<String>,
        ttl_ms: Option<u64>,
    ) -> refusal::Result<Response> {
        let expires_at = ttl_ms.map(|ttl| Timestamp(self.ring.now().0.saturating_add(ttl)));
        let tenant = caller.tenant.clone();
        self.session_command(caller, CommandBody::OpenSession { tenant, session, owner, expires_at }).await
    }

    pub(super) async fn session_upgrade(
        &self,
        caller: &Caller,
        session: SessionId,
        owner: String,
    ) -> refusal::Result<Response> {
        let tenant = caller.tenant.clone();
        self.session_command(caller, CommandBody::UpgradeSession { tenant, session, owner }).await
    }

    pub(super) async fn session_close(
        &self,
        caller: &Caller,
        session: SessionId,
        reason: String,
    ) -> refusal::Result<Response> {
        let tenant = caller.tenant.clone();
        self.session_command(caller, CommandBody::CloseSession { tenant, session, reason }).await
    }

    async fn session_command(&self, caller: &Caller, body: CommandBody) -> refusal::Result<Response> {
        match self.ask(caller, body).await? {
            Answer::Session(session) => self.session(caller, &session),
            Answer::Refused(refused) => Err(refusal::from(*refused)),
            other => Err(refusal::internal(&format!("a session command was answered with {other:?}"))),
        }
    }

    pub(super) fn session(&self, caller: &Caller, session: &SessionId) -> refusal::Result<Response> {
        match self.ring.view().get(&Key::session(&caller.tenant, session)).map_err(refusal::of_read)? {
            Some(Row::Session(row)) => Ok(Response::Session(Box::new((*row).clone()))),
            _ => Err(refusal::new(code::NOT_FOUND, format!("tenant {} has no session {session}", caller.tenant))),
        }
    }

    pub(super) async fn sessions(&self, caller: &Caller, limit: u32) -> refusal::Result<Response> {
        let limit = page_limit(limit)?;
        let (view, range) = (self.ring.view().clone(), KeyRange::sessions(&caller.tenant));
        let scan = tokio::task::spawn_blocking(move || view.scan(&range, Order::Ascending, limit)).await;
        let rows = scan.map_err(|error| refusal::internal(&error))?.map_err(refusal::of_read)?;
        let items: Vec<SessionRow> = rows
            .into_iter()
            .filter_map(|(_, row)| match row {
                Row::Session(row) => Some((*row).clone()),
                _ => None,
            })
            .collect();
        Ok(Response::Sessions(Page { items, next: None }))
    }

    /// Refuses what belongs to a session that ended: its state ended with it.
    fn refuse_ended(&self, caller: &Caller, scope: StateScope, owner: &str) -> refusal::Result<()> {
        let (StateScope::Session, Ok(session)) = (scope, owner.parse::<SessionId>()) else { return Ok(()) };
        let row = self.ring.view().get(&Key::session(&caller.tenant, &session)).map_err(refusal::of_read)?;
        let Some(Row::Session(row)) = row else { return Ok(()) };
        match row.ended_at(self.ring.now()) {
            Some(at) => Err(refusal::new(
                code::SESSION_ENDED,
                format!("session {session} ended at {at}, and its state with it"),
            )),
            None => Ok(()),
        }
    }

    pub(super) fn state_get(
        &self,
        caller: &Caller,
        scope: StateScope,
        owner: &str,
        key: &str,
    ) -> refusal::Result<Response> {
        let now = self.ring.now();
        self.refuse_ended(caller, scope, owner)?;
        match self.ring.view().get(&Key::state(&caller.tenant, scope, owner, key)).map_err(refusal::of_read)? {
            Some(Row::State(row)) if row.lives(now) => Ok(Response::State(vec![StateView {
                key: key.to_owned(),
                value: row.value.clone(),
                version: row.version,
                expires_at: row.expires_at,
            }])),
            _ => Err(refusal::new(code::NOT_FOUND, format!("{owner} has no state {key:?}"))),
        }
    }

    pub(super) async fn state_list(
        &self,
        caller: &Caller,
        scope: StateScope,
        owner: String,
        limit: u32,
    ) -> refusal::Result<Response> {
        let limit = page_limit(limit)?;
        let now = self.ring.now();
        self.refuse_ended(caller, scope, &owner)?;
        let (view, range) = (self.ring.view().clone(), KeyRange::state(&caller.tenant, scope, &owner));
        let scan = tokio::task::spawn_blocking(move || view.scan(&range, Order::Ascending, limit)).await;
        let rows = scan.map_err(|error| refusal::internal(&error))?.map_err(refusal::of_read)?;
        let shown = rows.into_iter().filter_map(|(key, row)| match row {
            Row::State(row) if row.lives(now) => Some(StateView {
                key: key.state_name()?,
                value: row.value.clone(),
                version: row.version,
                expires_at: row.expires_at,
            }),
            _ => None,
        });
        Ok(Response::State(shown.collect()))
    }
}
