//! Following one execution: a watcher sleeps until something has happened to its own, then reads what is new of the log.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use enact_model::id::{ExecutionId, Lsn, TenantId};
use enact_model::record::Record;
use enact_store::contract::View;
use enact_store::embedded::DiskStore;

use super::{Hub, log};
use crate::api::Caller;
use crate::driver::read_execution;
use crate::ring::Ring;
use crate::witness::{Watched, Woken};

/// The records of one execution as they come, until it is settled or the hub ends. It holds no task, no timer and, between
/// two records, nothing of the execution but its id.
pub struct Watch {
    ring: Arc<Ring<DiskStore>>,
    tenant: TenantId,
    execution: ExecutionId,
    watched: Watched,
    /// The position up to which everything was told or waits to be.
    last: Lsn,
    /// What is known to be there and was not told yet.
    next: VecDeque<Lsn>,
    over: bool,
}

impl Hub {
    /// Follows the records of one execution from position `after` on.
    pub fn watch(&self, caller: &Caller, execution: ExecutionId, after: Lsn) -> Watch {
        Watch {
            watched: self.ring.witness().watchers().register(execution),
            ring: Arc::clone(&self.ring),
            tenant: caller.tenant.clone(),
            execution,
            last: after,
            next: VecDeque::new(),
            over: false,
        }
    }
}

impl Watch {
    /// Returns the next record, or none at the end.
    ///
    /// # Cancel safety
    /// A record that was not returned comes the next time.
    pub async fn recv(&mut self) -> Option<Record> {
        poll_fn(|context| self.poll_recv(context)).await
    }

    /// Returns the next record if there is one; otherwise the task is woken once there may be.
    pub fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Option<Record>> {
        loop {
            while let Some(lsn) = self.next.pop_front() {
                if let Ok(Some(record)) = self.ring.view().record(lsn) {
                    return Poll::Ready(Some(record));
                }
            }
            if self.over {
                return Poll::Ready(None);
            }
            self.next = VecDeque::new();
            let woken = match self.watched.woken(context.waker()) {
                Some(woken) => Poll::Ready(woken),
                None => Poll::Pending,
            };
            let woken = ready!(woken);
            self.look();
            self.over |= woken == Woken::Ended;
        }
    }

    /// Looks at the row, and at the log if it says that something is new.
    fn look(&mut self) {
        self.ring.witness().watchers().looked();
        let Ok(Some(row)) = read_execution(self.ring.view(), &self.tenant, self.execution) else {
            self.over = true;
            return;
        };
        let newest = row.records.last().copied().unwrap_or(self.last);
        if newest > self.last {
            match log::positions_of(self.ring.view(), &row) {
                Ok(positions) => self.next.extend(positions.into_iter().filter(|lsn| *lsn > self.last)),
                Err(_) => self.over = true,
            }
            self.last = newest;
        }
        self.over |= !row.is_open();
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.ring.witness().watchers().forget(&self.watched);
    }
}
