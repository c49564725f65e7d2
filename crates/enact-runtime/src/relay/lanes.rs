//! Which messages a sink gets next: the first of each lane, so that a key keeps its order, and every lane in its turn.

use std::collections::HashSet;
use std::sync::Arc;

use enact_engine::view::View as _;
use enact_model::id::SinkId;
use enact_model::message::MessageRow;
use enact_model::table::{Key, KeyRange, Row};
use enact_model::time::Timestamp;
use enact_store::contract::View;

use crate::driver::Durable;

/// The lanes of one sink.
pub(super) struct Lanes {
    all: KeyRange,
    /// Where the next look begins: behind the lane that was served last, so that none waits for those before it.
    next: Key,
    /// Lanes of which a message is under way or not yet marked.
    busy: HashSet<String>,
}

/// A message and its lane.
pub(super) struct Head {
    pub lane: String,
    pub message: Arc<MessageRow>,
}

impl Lanes {
    pub(super) fn of(sink: &SinkId) -> Self {
        let all = KeyRange::pending(sink);
        Self { next: all.from.clone(), all, busy: HashSet::new() }
    }

    /// Takes the first message of up to `most` lanes that are free and due; their lanes are busy from now on. With it comes the
    /// time at which the next one is due, if there were fewer.
    pub(super) fn take<V: View>(
        &mut self,
        view: &V,
        sink: &SinkId,
        now: Timestamp,
        most: usize,
    ) -> (Vec<Head>, Option<Timestamp>) {
        let (mut heads, mut later) = (Vec::new(), None);
        let behind = KeyRange { from: self.next.clone(), to: self.all.to.clone() };
        let before = KeyRange { from: self.all.from.clone(), to: self.next.clone() };
        for mut range in [behind, before] {
            while heads.len() < most {
                let Some((key, row)) = Durable(view).first(&range) else { break };
                let (Some(lane), Row::Pending(row)) = (key.second_text(), row) else { break };
                range.from = KeyRange::pending_of(sink, &lane).to;
                if self.busy.contains(&lane) {
                    continue;
                }
                if row.not_before > now {
                    later = Some(later.map_or(row.not_before, |due: Timestamp| due.min(row.not_before)));
                    continue;
                }
                match view.get(&Key::message(&row.tenant, row.message)) {
                    Ok(Some(Row::Message(message))) => {
                        self.next = range.from.clone();
                        self.busy.insert(lane.clone());
                        heads.push(Head { lane, message });
                    }
                    Ok(_) => {}
                    Err(error) => tracing::error!(message = %row.message, %error, "a pending message cannot be read"),
                }
            }
        }
        (heads, later)
    }

    /// Lets the next message of a lane go.
    pub(super) fn free(&mut self, lane: &str) {
        self.busy.remove(lane);
    }
}
