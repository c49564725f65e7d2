//! Driving one worker: its frames are read until it ends or must be ended; then every call in flight is told.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use enact_model::id::Selector;
use enact_model::observation::{Fault, FaultKind};
use tokio::net::UnixStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::contextless::Contextless;
use super::incoming::{Incoming, Served};
use super::instance::{Given, Instance, Lost, Wires};
use super::log::{Log, Whose};
use super::outgoing::Outgoing;
use super::pool::Pool;
use super::renew;
use super::start::{EXIT_WAIT, wire_fault};
use crate::frames::{FrameError, FrameReader};
use crate::process::spawn::{Ended, Group};
use crate::process::version::Version;
use crate::scratch::Scratch;

/// Most operations that a fault names as those in which an instance may have ended.
const NAMED_MAX: usize = 8;
/// How long the last frames are read after the worker has ended: a descendant may hold the wire open.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// Why an instance is ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Doom {
    /// This call did not stop when it was asked to.
    Overdue(u64),
    /// Its wire cannot be trusted any more, because of this call if that is known.
    Wire(FrameError, Option<u64>),
    /// It had more threads than it may have.
    Threads { had: u32, most: u32 },
    /// It said that it ends, and does not.
    Lingers,
    /// The component is being ended.
    Closed,
}

/// A worker that is ready, and everything that goes with it.
pub(super) struct Drive {
    pub group: Group,
    pub scratch: Scratch,
    pub logs: [JoinHandle<()>; 2],
    pub version: Arc<Version>,
    pub pool: Arc<Pool>,
}

impl Drive {
    /// Begins to drive it in the background.
    pub fn begin(
        self,
        wire: UnixStream,
        reader: FrameReader,
        log: Arc<Log>,
        contextless: Contextless,
    ) -> Arc<Instance> {
        log.turn(Whose::Nobody);
        let (read, write) = wire.into_split();
        let (outgoing, waiting) = Outgoing::new(write);
        let writer = tokio::spawn(outgoing.clone().write_waiting(waiting));
        let wires = Wires { outgoing, incoming: Incoming::new(read, reader) };
        let instance = Arc::new(Instance::new(self.group.pid(), wires, log, contextless, self.pool.freed()));
        tokio::spawn(renew::watch(self.pool.clone(), self.version.clone(), instance.clone()));
        tokio::spawn(self.run(instance.clone(), writer));
        instance
    }

    async fn run(mut self, instance: Arc<Instance>, writer: JoinHandle<()>) {
        self.read_frames(&instance).await;
        instance.incoming().end();
        if instance.calls().doom.is_some() {
            self.group.kill();
        } else if timeout(EXIT_WAIT, self.group.exited()).await.is_err() {
            let error = FrameError::Protocol("the worker closed its wire and did not end".to_owned());
            instance.condemn(Doom::Wire(error, None));
            self.group.kill();
        }
        // From here on no call is opened, whatever the reason was.
        instance.calls().draining = true;
        let ended = self.group.reap().await.ok();
        writer.abort();
        let _ = timeout(LAST_WORDS, async {
            for log in &mut self.logs {
                let _ = log.await;
            }
        })
        .await;
        for log in &self.logs {
            log.abort();
        }
        let doom = instance.calls().doom.clone();
        if doom.as_ref().is_some_and(|doom| *doom != Doom::Closed) {
            self.version.counts.recycled.fetch_add(1, Ordering::Relaxed);
        }
        let by_itself = doom.is_none() && ended.is_some_and(|ended| ended.status.code().is_some());
        if by_itself && !instance.calls().open.is_empty() {
            self.version.launch.exits();
        }
        instance.end();
        self.pool.remove(&self.version, &instance);
        self.tell_the_bereaved(&instance, doom, ended);
        let scratch = self.scratch;
        tokio::task::spawn_blocking(move || drop(scratch));
    }

    async fn read_frames(&mut self, instance: &Arc<Instance>) {
        let incoming = instance.incoming();
        let mut last_words = None;
        loop {
            let served = Served { instance, version: &self.version, pool: &self.pool };
            if let Err(doom) = incoming.take(served) {
                instance.condemn(doom);
                return;
            }
            let last_words_end = async {
                match last_words {
                    Some(end) => tokio::time::sleep_until(end).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = instance.doomed() => return,
                count = incoming.read() => match count {
                    Ok(1..) => {}
                    Ok(0) | Err(_) => return,
                },
                () = self.group.exited(), if last_words.is_none() => last_words = Some(Instant::now() + LAST_WORDS),
                () = last_words_end => return,
            }
        }
    }

    fn tell_the_bereaved(&self, instance: &Instance, doom: Option<Doom>, ended: Option<Ended>) {
        let (open, culprits, asked, last) = {
            let mut calls = instance.calls();
            (std::mem::take(&mut calls.open), std::mem::take(&mut calls.culprits), calls.asked, calls.last)
        };
        let doom = doom.or_else(|| half_a_frame(instance, ended));
        let status = ended.and_then(|ended| ended.status.code());
        let sole = open.len() == 1;
        let culprit = |id: u64| match &doom {
            Some(Doom::Overdue(overdue)) => *overdue == id,
            // A call that was answered already can have broken the wire, too; then nobody here is the culprit.
            Some(Doom::Wire(_, Some(known))) if *known <= last => *known == id,
            Some(Doom::Wire(..)) => sole,
            Some(Doom::Threads { .. }) => sole,
            Some(Doom::Closed) => false,
            None | Some(Doom::Lingers) if culprits.is_empty() => sole,
            None | Some(Doom::Lingers) => culprits.contains(&id),
        };
        let called: Vec<_> =
            open.iter().map(|(id, entry)| (culprit(*id), entry.call.context.selector().clone())).collect();
        for (id, entry) in open {
            let fault = match status {
                Some(status) if asked && doom.is_none() && culprit(id) => {
                    let text = format!("the call asked the process to exit with status {status}, and it did");
                    FaultKind::ExitedNonZero.fault(text)
                }
                _ => end_of(culprit(id), doom.as_ref(), ended, instance.pid(), &whose(&called)),
            };
            let fault = fault.with(|evidence| {
                evidence.log_tail = instance.log().since(entry.log_from);
                if let Some(ended) = ended {
                    ended.evidence(evidence);
                }
            });
            // Nobody may be waiting any more.
            let _ = entry.give.send(Given::Lost(Lost::With(Box::new(fault))));
        }
    }
}

/// Half a frame from a worker that did not crash is garbage; from one that did it is only how it died.
fn half_a_frame(instance: &Instance, ended: Option<Ended>) -> Option<Doom> {
    let crashed = ended.is_some_and(|e| e.status.signal().is_some() || e.status.code() != Some(0));
    let text = "the wire ended in the middle of a frame".to_owned();
    (instance.incoming().unfinished() > 0 && !crashed).then_some(Doom::Wire(FrameError::Garbage(text), None))
}

/// Says in which call an instance ended, or which ones were in flight, by their operations: those are no secret of a tenant.
fn whose(called: &[(bool, Selector)]) -> String {
    let known = called.iter().any(|(culprit, _)| *culprit);
    let named: BTreeSet<_> =
        called.iter().filter(|(culprit, _)| *culprit || !known).map(|(_, selector)| selector.to_string()).collect();
    let more = named.len().saturating_sub(NAMED_MAX);
    let mut text = named.into_iter().take(NAMED_MAX).collect::<Vec<_>>().join(", ");
    if more > 0 {
        text = format!("{text} and {more} others");
    }
    if known { format!("in a call of {text}") } else { format!("while calls of {text} were in flight") }
}

/// The fault of a call whose instance is gone.
fn end_of(culprit: bool, doom: Option<&Doom>, ended: Option<Ended>, pid: u32, whose: &str) -> Fault {
    let how = ended.map_or_else(|| "nobody saw how it ended".to_owned(), |ended| ended.words());
    match doom {
        // Its own caller knows better why: it was asked to stop.
        Some(Doom::Overdue(_)) if culprit => {
            FaultKind::DeadlineExceeded.fault("the call did not stop when it was asked to")
        }
        Some(Doom::Overdue(_)) => {
            let text = format!("process {pid} was ended because another call in it did not stop: {whose}");
            FaultKind::LostWithInstance.fault(text)
        }
        Some(Doom::Wire(error, _)) if culprit => wire_fault(error),
        // In words of the hub's own: what the error says was written by a handler, maybe for another tenant.
        Some(Doom::Wire(error, _)) => {
            let text = format!("process {pid} was ended because another call in it {}: {whose}", broke(error));
            FaultKind::LostWithInstance.fault(text)
        }
        Some(Doom::Threads { had, most }) if culprit => {
            let text = format!("process {pid} had {had} threads, more than the {most} it may have, and was ended");
            FaultKind::CrashedInCall.fault(text)
        }
        Some(Doom::Threads { .. }) => {
            let text = format!("process {pid} was ended {whose}: it had more threads than it may have");
            FaultKind::LostWithInstance.fault(text)
        }
        Some(Doom::Lingers) if culprit => {
            let text = "the process was to end because of this call, did not, and was killed";
            FaultKind::CrashedInCall.fault(text)
        }
        Some(Doom::Closed) => FaultKind::Stopped.fault("the component is being ended"),
        None if culprit && ended.is_some_and(|ended| ended.oom) => {
            let text = "the worker was killed, and the kernel's count of kills for want of memory rose while it ran";
            FaultKind::OutOfMemory.fault(text)
        }
        None if culprit => FaultKind::CrashedInCall.fault(format!("the worker ended in this call: {how}")),
        None | Some(Doom::Lingers) => FaultKind::LostWithInstance.fault(format!("process {pid} ended {whose}: {how}")),
    }
}

/// Says what was done to a wire.
fn broke(error: &FrameError) -> &'static str {
    match error {
        FrameError::TooLarge { .. } => "sent too large a frame",
        FrameError::Garbage(_) => "sent something that is no frame",
        FrameError::Protocol(_) => "broke the protocol",
    }
}
