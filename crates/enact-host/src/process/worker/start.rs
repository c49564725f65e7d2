//! Starting a worker: spawn, `hello`, `init`, `ready`, all of it before a deadline.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use enact_model::id::Name;
use enact_model::json::Json;
use enact_model::limits::FRAME_MAX_BYTES;
use enact_model::observation::{Fault, FaultKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::pipe;
use tokio::time::timeout;

use super::contextless::Contextless;
use super::drive::Drive;
use super::instance::Instance;
use super::log::Log;
use super::pool::Pool;
use crate::frames::{FrameError, FrameReader, FromWorker, PROTOCOL, ToWorker, decode};
use crate::process::launch::Kept;
use crate::process::package::scratch_fault;
use crate::process::spawn::{Group, Plan, spawn};
use crate::process::version::Version;
use crate::scratch::Scratch;

/// How long a worker that closed its wire may take to end before that counts as a broken protocol.
pub(super) const EXIT_WAIT: Duration = Duration::from_millis(100);

/// How much of a list of operations is shown, in characters.
const NAMES_SHOWN_MAX: usize = 500;
/// How much of what a worker says of its refusal is shown, in characters.
const REFUSAL_SHOWN_MAX: usize = 5_000;

/// A worker that was spawned, before it has said anything.
struct Spawned {
    group: Group,
    scratch: Scratch,
    wire: UnixStream,
    logs: [pipe::Receiver; 2],
    nonce: String,
}

/// Starts a worker and waits until it is ready.
pub(super) async fn start(pool: &Arc<Pool>, version: &Arc<Version>) -> Result<Arc<Instance>, Fault> {
    let kept = pool.kept();
    let starting = tokio::task::spawn_blocking({
        let version = version.clone();
        move || spawned(&version)
    });
    let started = starting.await.map_err(|e| FaultKind::HostPanicked.fault(e.to_string()))??;
    let Spawned { mut group, scratch, mut wire, logs, nonce } = started;
    let log = Log::new(logs);
    let logs = log.follow();
    let mut reader = FrameReader::new(FRAME_MAX_BYTES);
    let limit = Duration::from_millis(kept.start_timeout_ms);
    let ready = timeout(limit, greet(version, kept, &nonce, &mut wire, &mut reader, &log)).await;
    let fault = match ready {
        Ok(Ok(said)) => {
            version.launch.remember(said.memory);
            let drive = Drive { group, scratch, logs, version: version.clone(), pool: pool.clone() };
            return Ok(drive.begin(wire, reader, log, said.contextless));
        }
        Ok(Err(Refusal::Fault(fault))) => *fault,
        Ok(Err(Refusal::Closed)) => {
            if timeout(EXIT_WAIT, group.exited()).await.is_ok() {
                FaultKind::StartDied.fault(format!("{} ended before it was ready", version.label()))
            } else {
                FaultKind::ProtocolBroken.fault(format!("{} closed its wire before it was ready", version.label()))
            }
        }
        Err(_) => {
            let text = format!("{} was not ready after {} ms", version.label(), kept.start_timeout_ms);
            FaultKind::StartTimedOut.fault(text)
        }
    };
    if fault.kind != FaultKind::StartDied {
        group.kill();
    }
    let ended = group.reap().await.ok();
    let _ = timeout(EXIT_WAIT, async {
        for following in logs {
            let _ = following.await;
        }
    })
    .await;
    drop(scratch);
    Err(fault.with(|evidence| {
        if let Some(ended) = ended {
            ended.evidence(evidence);
        }
        evidence.log_tail = log.since(0);
    }))
}

/// Makes the streams and spawns. Blocks.
fn spawned(version: &Version) -> Result<Spawned, Fault> {
    let ground = &*version.ground;
    let scratch = Scratch::new(&ground.scratch, "worker-").map_err(|e| scratch_fault(&e))?;
    let words = version.launch.instance()?;
    let failed = |e: io::Error| FaultKind::StartFailed.fault(format!("no streams could be made: {e}"));
    let (ours, theirs) = StdStream::pair().map_err(failed)?;
    let (out_reader, out_writer) = io::pipe().map_err(failed)?;
    let (err_reader, err_writer) = io::pipe().map_err(failed)?;
    ours.set_nonblocking(true).map_err(failed)?;
    let wire = UnixStream::from_std(ours).map_err(failed)?;
    let out = pipe::Receiver::from_owned_fd(OwnedFd::from(out_reader)).map_err(failed)?;
    let err = pipe::Receiver::from_owned_fd(OwnedFd::from(err_reader)).map_err(failed)?;
    let nonce = ground.nonce();
    let plan = Plan {
        program: words.program,
        args: words.args,
        folder: scratch.path().to_owned(),
        env: version.component.shape.env().iter().map(|(name, value)| (name.clone(), value.into())).collect(),
        stdin: Stdio::from(OwnedFd::from(theirs)),
        stdout: Stdio::from(out_writer),
        stderr: Stdio::from(err_writer),
        memory_bytes: version.launch.memory_bytes(),
        label: version.label(),
        execution: None,
        nonce: nonce.clone(),
    };
    let group = spawn(ground, plan)?;
    Ok(Spawned { group, scratch, wire, logs: [out, err], nonce })
}

/// What a worker that is ready has said of itself.
struct Ready {
    memory: Option<Json>,
    contextless: Contextless,
}

enum Refusal {
    Fault(Box<Fault>),
    Closed,
}

async fn greet(
    version: &Version,
    kept: &Kept,
    nonce: &str,
    wire: &mut UnixStream,
    reader: &mut FrameReader,
    log: &Log,
) -> Result<Ready, Refusal> {
    let mut greeted = false;
    loop {
        let frame = next(wire, reader).await?;
        match frame {
            FromWorker::Hello { protocol, .. } if !greeted && protocol != PROTOCOL => {
                let text = format!("the worker speaks protocol {protocol}, the hub {PROTOCOL}");
                return Err(Refusal::Fault(Box::new(FaultKind::InitRefused.fault(text))));
            }
            FromWorker::Hello { nonce: said, runtime, .. } if !greeted && said == nonce => {
                greeted = true;
                tracing::debug!(component = %version.component.name, runtime, "a worker said hello");
                let init = ToWorker::Init {
                    component: version.component.name.as_str(),
                    version: &version.component.version,
                    config: kept.config.as_ref(),
                    frame_max_bytes: FRAME_MAX_BYTES,
                    calls_in_flight: kept.calls_max,
                    budget_ms: kept.start_timeout_ms,
                    memory: version.launch.remembered(),
                };
                let frame = init.encode(FRAME_MAX_BYTES).map_err(|e| Refusal::Fault(Box::new(wire_fault(&e))))?;
                wire.write_all(&frame).await.map_err(|_| Refusal::Closed)?;
            }
            FromWorker::Ready { operations, without_context, refused, memory } if greeted => {
                version.launch.refused(&refused);
                if let Some(fault) = unknown(version, &operations) {
                    return Err(Refusal::Fault(Box::new(fault)));
                }
                return Ok(Ready { memory, contextless: Contextless::of(&operations, without_context) });
            }
            FromWorker::InitError { message } if greeted => {
                let message = shown(&message, REFUSAL_SHOWN_MAX);
                return Err(Refusal::Fault(Box::new(FaultKind::InitRefused.fault(message))));
            }
            FromWorker::Log { message } => log.line(&message),
            other => {
                let text = format!("the worker began with {other:?}");
                let text: String = text.chars().take(200).collect();
                return Err(Refusal::Fault(Box::new(FaultKind::ProtocolBroken.fault(text))));
            }
        }
    }
}

/// The fault of a worker that names its operations and does not name all that the descriptor calls. Names are compared as
/// names, so that `total_price` is `total-price`.
fn unknown(version: &Version, said: &[String]) -> Option<Fault> {
    let name = |text: &str| text.parse::<Name>().map_or_else(|_| text.to_owned(), |name| name.to_string());
    let known: BTreeSet<String> = said.iter().map(|text| name(text)).collect();
    let missing: Vec<String> = version
        .component
        .operations()
        .filter(|(_, operation)| version.launch.is_kept(operation))
        .filter_map(|(selector, operation)| {
            let called = operation.call.operation.as_deref().unwrap_or(selector.operation.as_str());
            let full = format!("{}.{called}", selector.service);
            let knows = known.contains(&name(called)) || said.contains(&full);
            (!knows).then(|| called.to_owned())
        })
        .collect();
    if said.is_empty() || missing.is_empty() {
        return None;
    }
    let [missing, said] = [missing.join(", "), said.join(", ")].map(|names| shown(&names, NAMES_SHOWN_MAX));
    let text = format!("the worker does not know the operations {missing}; those it knows are {said}");
    Some(FaultKind::InitRefused.fault(text))
}

/// Returns a text, or its beginning.
fn shown(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

async fn next(wire: &mut UnixStream, reader: &mut FrameReader) -> Result<FromWorker, Refusal> {
    let mut chunk = vec![0; 4096];
    loop {
        let broken = |error: FrameError| Refusal::Fault(Box::new(wire_fault(&error)));
        if let Some(body) = reader.next_frame().map_err(broken)? {
            return decode(body).map_err(broken);
        }
        match wire.read(&mut chunk).await {
            Ok(count @ 1..) => reader.push(chunk.get(..count).unwrap_or_default()),
            Ok(0) | Err(_) => return Err(Refusal::Closed),
        }
    }
}

/// The fault of a wire that cannot be trusted any more.
pub(super) fn wire_fault(error: &FrameError) -> Fault {
    let kind = match error {
        FrameError::TooLarge { .. } => FaultKind::FrameTooLarge,
        FrameError::Garbage(_) => FaultKind::GarbageOnWire,
        FrameError::Protocol(_) => FaultKind::ProtocolBroken,
    };
    kind.fault(error.to_string())
}
