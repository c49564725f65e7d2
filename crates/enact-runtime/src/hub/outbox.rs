//! The outbox as the doors see it.

use enact_engine::conclude as code;
use enact_model::id::MessageId;
use enact_model::message::{Delivery, MessageRow};
use enact_model::table::{Key, KeyRange, Row};
use enact_store::contract::{Order, View};

use super::execution::page_limit;
use super::{Hub, refusal};
use crate::api::{Caller, DeliveryState, Page, Response};

impl Hub {
    pub(super) async fn outbox(
        &self,
        caller: &Caller,
        state: Option<DeliveryState>,
        limit: u32,
        before: Option<MessageId>,
    ) -> refusal::Result<Response> {
        let limit = page_limit(limit)?;
        let mut range = KeyRange::messages(&caller.tenant);
        if let Some(before) = before {
            range.to = Key::message(&caller.tenant, before);
        }
        let view = self.ring.view().clone();
        let look = move || {
            let (mut items, mut next): (Vec<MessageRow>, _) = (Vec::new(), None);
            'pages: while range.from < range.to {
                let page = view.scan(&range, Order::Descending, 500)?;
                let Some((last, _)) = page.last() else { break };
                range.to = last.clone();
                for (_, row) in page {
                    let Row::Message(row) = row else { continue };
                    if !state.is_none_or(|state| row.deliveries.iter().any(|delivery| is(delivery, state))) {
                        continue;
                    }
                    if items.len() == limit {
                        next = items.last().map(|row| row.message.id.to_string());
                        break 'pages;
                    }
                    items.push((*row).clone());
                }
            }
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
