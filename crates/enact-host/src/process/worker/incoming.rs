//! Frames from a worker: read by the task that drives it, and by whoever has just sent a call.
//!
//! A worker that shares the processor with its caller has often answered before the caller gets back from sending. Whoever
//! looks then finds the answer without a task that has to be woken up for it, and without a wait that has to be set up.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use rustix::net::RecvFlags;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::unix::OwnedReadHalf;
use tokio::sync::Semaphore;

use super::drive::Doom;
use super::instance::Instance;
use super::pool::Pool;
use super::{context, renew};
use crate::frames::{FrameError, FrameReader, FromWorker, HandlerError, decode};
use crate::process::version::Version;

/// How much is read from the wire at once, in bytes.
const CHUNK_BYTES: usize = 64 * 1024;
/// Context requests of one worker that are answered at once.
const REQUESTS_MAX: usize = 16;

/// The reading side of a wire.
pub(super) struct Incoming {
    state: Mutex<State>,
    requests: Arc<Semaphore>,
}

struct State {
    wire: OwnedReadHalf,
    reader: FrameReader,
    chunk: Vec<u8>,
    /// Nothing that comes counts any more.
    over: bool,
}

/// Whom the frames concern.
#[derive(Clone, Copy)]
pub(super) struct Served<'a> {
    pub instance: &'a Arc<Instance>,
    pub version: &'a Arc<Version>,
    pub pool: &'a Arc<Pool>,
}

impl Incoming {
    pub fn new(wire: OwnedReadHalf, reader: FrameReader) -> Self {
        let state = State { wire, reader, chunk: vec![0; CHUNK_BYTES], over: false };
        Self { state: Mutex::new(state), requests: Arc::new(Semaphore::new(REQUESTS_MAX)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for bytes and keeps them for [`Incoming::take`]; returns how many came, none at the end of the wire.
    ///
    /// # Cancel safety
    /// It may be dropped and called again.
    pub async fn read(&self) -> io::Result<usize> {
        poll_fn(|context| self.poll_read(context)).await
    }

    fn poll_read(&self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let State { wire, reader, chunk, .. } = &mut *self.state();
        let mut buffer = ReadBuf::new(chunk);
        ready!(Pin::new(wire).poll_read(context, &mut buffer))?;
        reader.push(buffer.filled());
        Poll::Ready(Ok(buffer.filled().len()))
    }

    /// Acts on the frames that have come, in their order.
    ///
    /// # Errors
    /// The wire cannot be trusted any more; nothing that comes after that counts.
    pub fn take(&self, served: Served<'_>) -> Result<(), Doom> {
        self.state().take(served, &self.requests)
    }

    /// Acts on what has come if nobody else is about to, without waiting for anything.
    ///
    /// # Errors
    /// As [`Incoming::take`].
    pub fn look(&self, served: Served<'_>) -> Result<(), Doom> {
        let Ok(mut state) = self.state.try_lock() else { return Ok(()) };
        if state.over {
            return Ok(());
        }
        let State { wire, reader, chunk, .. } = &mut *state;
        // Not by the reactor, which does not know yet that there is something. An end of the wire is found again by who drives.
        match rustix::net::recv(wire.as_ref(), chunk.as_mut_slice(), RecvFlags::DONTWAIT) {
            Ok((count @ 1.., _)) => reader.push(chunk.get(..count).unwrap_or_default()),
            Ok(_) | Err(_) => return Ok(()),
        }
        state.take(served, &self.requests)
    }

    /// Says that nothing that comes counts any more.
    pub fn end(&self) {
        self.state().over = true;
    }

    /// Returns how many bytes of an unfinished frame are held.
    pub fn unfinished(&self) -> usize {
        self.state().reader.unfinished()
    }
}

impl State {
    fn take(&mut self, served: Served<'_>, requests: &Arc<Semaphore>) -> Result<(), Doom> {
        while !self.over {
            let next = self.reader.next_frame().and_then(|body| body.map(decode).transpose());
            let acted = match next {
                Ok(None) => return Ok(()),
                Ok(Some(frame)) => act(frame, served, requests),
                Err(error) => Err(Doom::Wire(error, None)),
            };
            self.over = acted.is_err();
            acted?;
        }
        Ok(())
    }
}

fn act(frame: FromWorker, served: Served<'_>, requests: &Arc<Semaphore>) -> Result<(), Doom> {
    let Served { instance, version, pool } = served;
    match frame {
        FromWorker::Ok { id, output } => answer(instance, id, Ok(String::from(Box::<str>::from(output)))),
        FromWorker::Error { id, error } => answer(instance, id, Err(error)),
        FromWorker::Log { message } => {
            instance.log().line(&message);
            Ok(())
        }
        FromWorker::Stats { figures } => {
            tracing::debug!(pid = instance.pid(), %figures, "figures of a worker");
            Ok(())
        }
        FromWorker::Pong { .. } => Ok(()),
        FromWorker::Exiting { culprits, message, asked } => {
            instance.log().line(&message);
            let mut calls = instance.calls();
            (calls.culprits, calls.asked) = (culprits, asked);
            let said = std::mem::replace(&mut calls.draining, true);
            drop(calls);
            if asked {
                version.launch.exits();
            }
            // Whoever drained it waits for its end.
            if !said {
                tokio::spawn(renew::see_out(instance.clone()));
                pool.tend(version);
            }
            Ok(())
        }
        request @ (FromWorker::StateGet { .. }
        | FromWorker::ReferenceGet { .. }
        | FromWorker::LogGet { .. }
        | FromWorker::Unfit { .. }) => {
            context::serve(instance, request, requests);
            Ok(())
        }
        FromWorker::Hello { .. } | FromWorker::Ready { .. } | FromWorker::InitError { .. } => {
            Err(Doom::Wire(FrameError::Protocol("a frame of the start came after it".to_owned()), None))
        }
    }
}

fn answer(instance: &Instance, id: u64, given: Result<String, HandlerError>) -> Result<(), Doom> {
    if instance.give(id, given) {
        return Ok(());
    }
    let known = (id <= instance.calls().last && id > 0).then_some(id);
    let text = match known {
        Some(id) => format!("a second answer for call {id}"),
        None => format!("an answer for call {id}, which was never made"),
    };
    Err(Doom::Wire(FrameError::Protocol(text), known))
}
