//! The outbox as the doors see it.

use std::collections::BTreeMap;

use enact_engine::conclude as code;
use enact_engine::view::rows;
use enact_model::id::{MessageId, SinkId};
use enact_model::message::{Delivery, MessageRow};
use enact_model::table::{Key, KeyRange, Row, Table};
use enact_model::time::Timestamp;
use enact_store::contract::{Order, View};

use super::page::{self, Size};
use super::{Hub, refusal};
use crate::api::{Caller, DeliveryState, Page, Response, SinkLag};
use crate::driver::Durable;

impl Hub {
    /// Returns what each sink still has to get, those included that are configured no more.
    pub fn outbox_lag(&self) -> Vec<SinkLag> {
        let mut waiting: BTreeMap<SinkId, (u64, Option<Timestamp>)> =
            self.config.sinks.keys().map(|sink| (sink.clone(), (0, None))).collect();
        for (key, row) in rows(&Durable(self.ring.view()), KeyRange::table(Table::Pending)) {
            let (Some(Ok(sink)), Row::Pending(row)) = (key.first_text().map(|text| text.parse()), row) else {
                continue;
            };
            let (count, oldest) = waiting.entry(sink).or_default();
            let made = Timestamp(row.message.time_ms());
            *count += 1;
            *oldest = Some(oldest.map_or(made, |oldest| oldest.min(made)));
        }
        let now = self.ring.now();
        let lag = |(sink, (pending, oldest)): (SinkId, (u64, Option<Timestamp>))| SinkLag {
            trouble: self.sink_trouble(&sink),
            oldest_ms: oldest.map(|oldest| now.since(oldest).as_millis() as u64),
            sink,
            pending,
        };
        waiting.into_iter().map(lag).collect()
    }

    fn sink_trouble(&self, sink: &SinkId) -> Option<String> {
        if !self.config.sinks.contains_key(sink) {
            return Some("it is not configured".to_owned());
        }
        let trouble = self.performer.lines().of(sink).trouble()?;
        let peace = trouble.until.map(|until| format!(", left in peace until {until}")).unwrap_or_default();
        Some(format!("nothing was delivered since {}{peace}: {}", trouble.since, trouble.reason))
    }

    pub(super) async fn outbox(
        &self,
        caller: &Caller,
        state: Option<DeliveryState>,
        limit: u32,
        before: Option<MessageId>,
    ) -> refusal::Result<Response> {
        let size = Size::of(limit)?;
        let mut range = KeyRange::messages(&caller.tenant);
        if let Some(before) = before {
            range.to = Key::message(&caller.tenant, before);
        }
        let view = self.ring.view().clone();
        let look = move || {
            let scan = |range: &KeyRange, most| view.scan(range, Order::Descending, most);
            let wanted =
                |row: &MessageRow| state.is_none_or(|state| row.deliveries.iter().any(|delivery| is(delivery, state)));
            let (items, next) = page::take(range, &size, scan, |_, row| {
                Ok(match row {
                    Row::Message(row) if wanted(&row) => Some((*row).clone()),
                    _ => None,
                })
            })?;
            let next = next.and_then(|key| key.last_id()).map(|id| MessageId::from_u128(id).to_string());
            Ok(Page { items, next })
        };
        let page = tokio::task::spawn_blocking(look).await.map_err(|error| refusal::internal(&error))?;
        Ok(Response::Outbox(page.map_err(refusal::of_read)?))
    }

    pub(super) fn outbox_show(&self, caller: &Caller, message: MessageId) -> refusal::Result<Response> {
        match self.ring.view().get(&Key::message(&caller.tenant, message)).map_err(refusal::of_read)? {
            Some(Row::Message(row)) => Ok(Response::Outbox(Page { items: vec![(*row).clone()], next: None })),
            _ => Err(refusal::new(code::NOT_FOUND, format!("tenant {} has no message {message}", caller.tenant))),
        }
    }
}

fn is(delivery: &Delivery, state: DeliveryState) -> bool {
    matches!(
        (delivery, state),
        (Delivery::Pending { .. }, DeliveryState::Pending)
            | (Delivery::Delivered { .. }, DeliveryState::Delivered)
            | (Delivery::DeadLettered { .. }, DeliveryState::Dead)
    )
}
