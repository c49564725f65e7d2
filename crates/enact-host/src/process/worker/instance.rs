//! One running worker as its callers see it: calls are opened on it, given an answer, or lost with it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use enact_model::limits::FRAME_MAX_BYTES;
use enact_model::observation::Fault;
use enact_model::time::Timestamp;
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::Instant;

use super::contextless::Contextless;
use super::drive::Doom;
use super::incoming::Incoming;
use super::log::{Log, Whose};
use super::outgoing::Outgoing;
use crate::contract::{Call, ContextPort};
use crate::frames::{HandlerError, ToWorker};

/// What a call was given.
#[derive(Debug)]
pub(super) enum Given {
    /// The text of its output.
    Ok(String),
    /// The handler's own failure, and what was logged for the call.
    Error(HandlerError, Option<String>),
    /// The instance is gone.
    Lost(Lost),
}

/// How a call was lost.
#[derive(Debug)]
pub(super) enum Lost {
    /// With what was seen of the end.
    With(Box<Fault>),
    /// Nobody saw the end.
    Unseen,
}

/// A call that was opened.
#[derive(Debug)]
pub(super) struct OpenCall {
    pub id: u64,
    /// No other call was in flight when it was opened.
    pub alone: bool,
    pub answer: oneshot::Receiver<Given>,
}

/// A call in flight.
pub(super) struct Entry {
    pub give: oneshot::Sender<Given>,
    pub call: Arc<Call>,
    pub port: Arc<dyn ContextPort>,
    /// Where the log was when it was opened.
    pub log_from: u64,
}

/// The calls of one instance.
#[derive(Default)]
pub(super) struct Calls {
    pub open: BTreeMap<u64, Entry>,
    /// The last id that was given out.
    pub last: u64,
    /// Those that `exiting` named.
    pub culprits: Vec<u64>,
    /// Whether they have asked for the end.
    pub asked: bool,
    /// Why it is to end; no more calls are opened.
    pub doom: Option<Doom>,
    /// It takes no more calls but finishes those it has.
    pub draining: bool,
    /// When its last call ended; `None` before the first.
    pub rested: Option<Instant>,
}

impl Calls {
    /// Returns whether nobody waits for an answer that may still come.
    fn is_settled(&self) -> bool {
        self.open.keys().all(|id| self.culprits.contains(id))
    }

    /// Tells whose a line is that is logged while exactly these calls are in flight.
    fn whose(&self) -> Whose {
        let mut tenants = self.open.values().map(|entry| entry.call.context.tenant_id());
        match tenants.next() {
            Some(first) if tenants.all(|tenant| tenant == first) => Whose::Tenant(first.clone()),
            _ => Whose::Nobody,
        }
    }
}

/// Both sides of a wire.
pub(super) struct Wires {
    pub outgoing: Arc<Outgoing>,
    pub incoming: Incoming,
}

/// One running worker.
pub(super) struct Instance {
    pid: u32,
    since: Timestamp,
    ready: Instant,
    wires: Wires,
    calls: Mutex<Calls>,
    doomed: Notify,
    /// Told of every call that is opened.
    used: Notify,
    /// Told when nobody waits for an answer any more.
    settled: Notify,
    over: watch::Sender<bool>,
    log: Arc<Log>,
    contextless: Contextless,
    /// Told whenever there is room for another call.
    freed: Arc<Notify>,
}

impl Instance {
    pub fn new(pid: u32, wires: Wires, log: Arc<Log>, contextless: Contextless, freed: Arc<Notify>) -> Self {
        Self {
            pid,
            since: crate::process::now(),
            ready: Instant::now(),
            wires,
            calls: Mutex::default(),
            doomed: Notify::new(),
            used: Notify::new(),
            settled: Notify::new(),
            over: watch::channel(false).0,
            log,
            contextless,
            freed,
        }
    }

    pub fn pid(&self) -> u32 {
        self.pid
    }
    pub fn since(&self) -> Timestamp {
        self.since
    }
    pub fn incoming(&self) -> &Incoming {
        &self.wires.incoming
    }
    pub fn log(&self) -> &Log {
        &self.log
    }
    /// Returns whether calls of an operation carry their context; it is named as the worker knows it.
    pub fn takes_context(&self, service: &str, operation: &str) -> bool {
        !self.contextless.has(service, operation)
    }
    pub fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how many calls are in flight, if it takes any more.
    pub fn load(&self, limit: u32) -> Option<u32> {
        let calls = self.calls();
        let in_flight = u32::try_from(calls.open.len()).unwrap_or(u32::MAX);
        (in_flight < limit && calls.doom.is_none() && !calls.draining && !self.wires.outgoing.is_closed())
            .then_some(in_flight)
    }

    /// Opens a call, at most `limit` at once; `None` if it takes no more.
    pub fn open(&self, limit: u32, call: &Arc<Call>, port: &Arc<dyn ContextPort>) -> Option<OpenCall> {
        let (give, answer) = oneshot::channel();
        let mut calls = self.calls();
        let full = calls.open.len() >= limit as usize;
        if full || calls.doom.is_some() || calls.draining || *self.over.borrow() {
            return None;
        }
        calls.last += 1;
        let id = calls.last;
        let entry = Entry { give, call: call.clone(), port: port.clone(), log_from: 0 };
        calls.open.insert(id, entry);
        let alone = calls.open.len() == 1;
        let log_from = self.log.turn(calls.whose());
        if let Some(entry) = calls.open.get_mut(&id) {
            entry.log_from = log_from;
        }
        drop(calls);
        self.used.notify_one();
        Some(OpenCall { id, alone, answer })
    }

    /// Gives a call its answer; returns whether it was in flight.
    pub fn give(&self, id: u64, answer: Result<String, HandlerError>) -> bool {
        let Some(entry) = self.close(id, answer.is_err()) else { return false };
        let given = match answer {
            Ok(text) => Given::Ok(text),
            Err(error) => Given::Error(error, self.log.since(entry.log_from)),
        };
        // Nobody may be waiting any more.
        let _ = entry.give.send(given);
        self.freed.notify_one();
        true
    }

    /// Forgets a call that never got onto the wire.
    pub fn forget(&self, id: u64) {
        self.close(id, false);
        self.freed.notify_one();
    }

    /// Takes a call out of those in flight; whether it wants what was logged for it.
    fn close(&self, id: u64, wants_log: bool) -> Option<Entry> {
        let mut calls = self.calls();
        let entry = calls.open.remove(&id);
        if calls.open.is_empty() {
            calls.rested = Some(Instant::now());
        }
        if calls.open.is_empty() && !wants_log {
            // Asking the pipes is a tenth of a call, and nobody is left who would be told.
            self.log.rest();
        } else {
            self.log.turn(calls.whose());
        }
        if calls.is_settled() {
            self.settled.notify_one();
        }
        entry
    }

    /// Returns since when it has no call; `None` while it has one.
    pub fn idle_since(&self) -> Option<Instant> {
        let calls = self.calls();
        calls.open.is_empty().then(|| calls.rested.unwrap_or(self.ready))
    }

    /// Lets no more calls in if it has none.
    pub fn retire(&self) -> bool {
        let mut calls = self.calls();
        let retires = calls.open.is_empty() && !calls.draining && calls.doom.is_none();
        calls.draining |= retires;
        retires
    }

    /// Waits until a call was opened since the last time.
    pub async fn used(&self) {
        self.used.notified().await;
    }

    /// Waits until no call is in flight but those because of which it ends.
    pub async fn settled(&self) {
        while !self.calls().is_settled() {
            self.settled.notified().await;
        }
    }

    /// Returns what was logged while a call was in flight and no other tenant had one, if it still is.
    pub fn log_of(&self, id: u64) -> Option<String> {
        let from = self.calls().open.get(&id)?.log_from;
        self.log.since(from)
    }

    /// Writes a frame if none waits before it, and returns whether the wire still takes any; gives it back otherwise.
    pub fn send_now(&self, frame: Vec<u8>) -> Result<bool, Vec<u8>> {
        self.wires.outgoing.at_once(frame)
    }

    /// Writes or queues a frame; returns whether the wire still takes any.
    ///
    /// # Cancel safety
    /// As [`Outgoing::send`].
    pub async fn send(&self, frame: Vec<u8>) -> bool {
        self.wires.outgoing.send(frame).await
    }

    /// Writes or queues a frame if there is room; what does not fit is of no use to a worker that does not read.
    pub fn tell(&self, frame: &ToWorker<'_>) -> bool {
        let frame = frame.encode(FRAME_MAX_BYTES);
        frame.is_ok_and(|frame| self.wires.outgoing.try_send(frame))
    }

    /// Ends it; the first reason counts.
    pub fn condemn(&self, doom: Doom) {
        let mut calls = self.calls();
        if calls.doom.is_none() {
            calls.doom = Some(doom);
        }
        drop(calls);
        self.doomed.notify_one();
    }

    /// Waits until it is condemned.
    pub async fn doomed(&self) {
        self.doomed.notified().await;
    }

    /// Says that it is gone and reaped.
    pub fn end(&self) {
        self.over.send_replace(true);
    }

    /// Returns whether it is gone and reaped.
    pub fn is_over(&self) -> bool {
        *self.over.borrow()
    }

    /// Waits until it is gone and reaped.
    pub async fn over(&self) {
        // The sender is a part of self.
        let _ = self.over.subscribe().wait_for(|over| *over).await;
    }
}
