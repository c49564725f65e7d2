//! Sessions and state as the doors see them.

use enact_engine::command::{Answer, CommandBody};
use enact_engine::conclude as code;
use enact_model::envelope::StateScope;
use enact_model::id::SessionId;
use enact_model::table::{Key, KeyRange, Row, SessionRow, StateRow};
use enact_model::time::Timestamp;
use enact_store::contract::{Order, View};

use super::page::{self, PAGE_MAX_BYTES, bad_cursor, page_limit};
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

    /// Lists sessions, newest first as far as the hub named them.
    pub(super) async fn sessions(
        &self,
        caller: &Caller,
        limit: u32,
        cursor: Option<String>,
    ) -> refusal::Result<Response> {
        let mut range = KeyRange::sessions(&caller.tenant);
        if let Some(cursor) = cursor {
            let before: SessionId = cursor.parse().map_err(|_| bad_cursor(&cursor))?;
            range.to = range.to.min(Key::session(&caller.tenant, &before));
        }
        let (rows, more) = self.page_of(range, Order::Descending, limit).await?;
        let items: Vec<SessionRow> = rows
            .into_iter()
            .filter_map(|(_, row)| match row {
                Row::Session(row) => Some((*row).clone()),
                _ => None,
            })
            .collect();
        let next = items.last().filter(|_| more).map(|row| row.session_id.to_string());
        Ok(Response::Sessions(Page { items, next }))
    }

    /// Reads as many rows of a range as a page has, and whether there are others behind them.
    async fn page_of(&self, range: KeyRange, order: Order, limit: u32) -> refusal::Result<(Vec<(Key, Row)>, bool)> {
        let (limit, view) = (page_limit(limit)?, self.ring.view().clone());
        let scan = tokio::task::spawn_blocking(move || view.scan(&range, order, limit + 1)).await;
        let mut rows = scan.map_err(|error| refusal::internal(&error))?.map_err(refusal::of_read)?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        Ok((rows, more))
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
            Some(Row::State(row)) if row.lives(now) => Ok(Response::State(Box::new(view_of(key.to_owned(), &row)))),
            _ => Err(refusal::new(code::NOT_FOUND, format!("{owner} has no state {key:?}"))),
        }
    }

    pub(super) async fn state_list(
        &self,
        caller: &Caller,
        scope: StateScope,
        owner: String,
        limit: u32,
        cursor: Option<String>,
    ) -> refusal::Result<Response> {
        let now = self.ring.now();
        self.refuse_ended(caller, scope, &owner)?;
        let range = KeyRange::state(&caller.tenant, scope, &owner);
        let range = match cursor {
            Some(cursor) => range.after(&Key::state(&caller.tenant, scope, &owner, &cursor)),
            None => range,
        };
        let (rows, mut more) = self.page_of(range, Order::Ascending, limit).await?;
        let (mut shown, mut bytes, mut last) = (Vec::new(), 0, None);
        for (key, row) in rows {
            if bytes >= PAGE_MAX_BYTES {
                more = true;
                break;
            }
            last = key.state_name();
            let (Row::State(row), Some(name)) = (row, key.state_name()) else { continue };
            if row.lives(now) {
                let view = view_of(name, &row);
                bytes += page::weight(&view);
                shown.push(view);
            }
        }
        Ok(Response::States(Page { items: shown, next: last.filter(|_| more) }))
    }
}

fn view_of(key: String, row: &StateRow) -> StateView {
    StateView { key, value: row.value.clone(), version: row.version, expires_at: row.expires_at }
}
