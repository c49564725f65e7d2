//! `oneshot`: one process for each attempt, from an argument template to an observation.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use enact_model::descriptor::Operation;
use enact_model::limits::STOP_GRACE;
use enact_model::observation::{Fault, FaultKind, Reached};
use enact_model::time::Timestamp;
use rustix::process::Signal;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, timeout};

use super::answer::{Answer, capture_limit};
use super::capture::{CaptureError, Captured, Tail, capture};
use super::launch::Feed;
use super::package::scratch_fault;
use super::prepare::{Prepared, prepare};
use super::spawn::{Ended, Group, Plan, spawn};
use super::template::Input;
use super::version::{Version, failed, not_begun, stopped};
use crate::contract::{Call, CancelToken, Content, HostObservation, HostSeen, ProducedFile, Stop, StopKind};

/// How long the ends of streams are waited for after the group is gone: somebody who left the group may hold them open.
const STREAMS_WAIT: Duration = Duration::from_millis(100);
/// How long it may take to bring to safety what the group has written; an output of which a part is missing is no output.
const KEEP_WAIT: Duration = Duration::from_secs(60);
/// How long the answer waits for a killed process; one that hangs in the kernel is reaped in the background.
const REAP_WAIT: Duration = Duration::from_millis(500);

/// A started program and its streams.
struct Running {
    group: Group,
    prepared: Prepared,
    stdin: Option<(pipe::Sender, Vec<u8>)>,
    stdout: Option<pipe::Receiver>,
    stderr: pipe::Receiver,
}

/// Runs one attempt of a oneshot program.
pub(super) async fn run(
    version: &Arc<Version>,
    operation: &Operation,
    call: Arc<Call>,
    cancel: &CancelToken,
    started_at: Timestamp,
) -> HostObservation {
    let deadline = Instant::now() + call.budget;
    let starting = {
        let (version, operation, call) = (version.clone(), operation.clone(), call.clone());
        tokio::task::spawn_blocking(move || begin(&version, &operation, &call))
    };
    let stop = version.stop(cancel, deadline);
    let begun = tokio::select! {
        biased;
        begun = starting => begun.unwrap_or_else(|e| Err(FaultKind::HostPanicked.fault(e.to_string()))),
        // What was started meanwhile is killed when the task that started it drops it; it may have run for a moment.
        stop = stop => Err(not_begun(stop.kind).reached(Reached::Unknown)),
    };
    let running = match begun {
        Ok(running) => running,
        Err(fault) => return failed(fault, started_at, None),
    };
    let _listed = version.list(running.group.pid());
    follow(version, operation, &call, cancel, deadline, started_at, running).await
}

/// Prepares and starts. Blocks.
fn begin(version: &Version, operation: &Operation, call: &Call) -> Result<Running, Fault> {
    let ground = &*version.ground;
    let prepared = prepare(ground, &call.files)?;
    let (words, feed) = version.launch.attempt(operation, &call.argument, &prepared)?;
    let scratch = prepared.scratch.path();
    let start = |e: io::Error| FaultKind::StartFailed.fault(format!("no pipe could be made: {e}"));
    let (stdin, feed) = match feed {
        Feed::Nothing => (Stdio::null(), None),
        Feed::File(path) => (Stdio::from(File::open(path).map_err(|e| scratch_fault(&e))?), None),
        Feed::Bytes(bytes) => {
            let (reader, writer) = io::pipe().map_err(start)?;
            (Stdio::from(reader), Some((sender(writer).map_err(start)?, bytes)))
        }
    };
    let (stdout, captured) = match capture_limit(operation) {
        None => (Stdio::null(), None),
        Some(_) => {
            let (reader, writer) = io::pipe().map_err(start)?;
            (Stdio::from(writer), Some(receiver(reader).map_err(start)?))
        }
    };
    let (reader, writer) = io::pipe().map_err(start)?;
    let stderr = receiver(reader).map_err(start)?;
    let plan = Plan {
        program: words.program,
        args: words.args,
        folder: scratch.to_owned(),
        env: environment(version, call),
        stdin,
        stdout,
        stderr: Stdio::from(writer),
        memory_bytes: version.launch.memory_bytes(),
        label: version.label(),
        execution: Some(call.context.execution_id()),
        nonce: ground.nonce(),
    };
    let group = spawn(ground, plan)?;
    Ok(Running { group, prepared, stdin: feed, stdout: captured, stderr })
}

fn receiver(reader: PipeReader) -> io::Result<pipe::Receiver> {
    pipe::Receiver::from_owned_fd(OwnedFd::from(reader))
}

fn sender(writer: PipeWriter) -> io::Result<pipe::Sender> {
    pipe::Sender::from_owned_fd(OwnedFd::from(writer))
}

/// What the program is told of its call.
fn environment(version: &Version, call: &Call) -> BTreeMap<String, OsString> {
    let context = &call.context;
    let deadline = now_plus(call.budget);
    let mut env: BTreeMap<String, OsString> =
        version.component.shape.env().iter().map(|(name, value)| (name.clone(), value.into())).collect();
    env.extend(call.secrets.reveal().iter().map(|(name, value)| (name.clone(), value.into())));
    for (name, value) in [
        ("ENACT_EXECUTION_ID", context.execution_id().to_string()),
        ("ENACT_ATTEMPT", context.attempt().to_string()),
        ("ENACT_IDEMPOTENCY_TOKEN", context.idempotency_token().to_owned()),
        ("ENACT_DEADLINE", deadline.to_string()),
        ("ENACT_TENANT_ID", context.tenant_id().to_string()),
        ("ENACT_SESSION_ID", context.session_id().to_string()),
        ("TRACEPARENT", context.trace().to_owned()),
    ] {
        env.insert(name.to_owned(), value.into());
    }
    env
}

fn now_plus(budget: Duration) -> Timestamp {
    super::now().plus(budget)
}

/// How the wait for the program ended.
enum Over {
    Exited,
    /// It was asked to stop, and ended by itself or was killed.
    Stopped(Stop, EndedBy),
    Capture(CaptureError),
}

/// Who ended a program that was asked to stop.
#[derive(Clone, Copy, PartialEq, Eq)]
enum EndedBy {
    Itself,
    Hub,
}

async fn follow(
    version: &Arc<Version>,
    operation: &Operation,
    call: &Call,
    cancel: &CancelToken,
    deadline: Instant,
    started_at: Timestamp,
    running: Running,
) -> HostObservation {
    let Running { mut group, prepared, stdin, stdout, stderr } = running;
    let instance = Some(format!("process {}", group.pid()));
    let captured = Arc::new(Mutex::new(Captured::default()));
    let limit = capture_limit(operation).unwrap_or(0);
    let (full, overflow) = oneshot::channel();
    let tail = Tail::default();
    let folder = prepared.scratch.path().to_owned();
    let (tell_gone, gone) = watch::channel(false);
    let mut stdout = Streams::of(tokio::spawn({
        let captured = captured.clone();
        async move {
            let Some(stdout) = stdout else { return };
            if let Err(error) = capture(stdout, folder, limit, captured, gone).await {
                // Nobody listens any more if the program is over.
                let _ = full.send(error);
            }
        }
    }));
    let mut stderr = Streams::of(tokio::spawn(tail.clone().follow(stderr)));
    let _stdin = Streams::of(tokio::spawn(async move {
        if let Some((mut sender, bytes)) = stdin {
            // A program need not read what it is given.
            let _ = sender.write_all(&bytes).await;
        }
    }));

    let mut overflow = overflow;
    let stop = version.stop(cancel, deadline);
    let over = tokio::select! {
        biased;
        () = group.exited() => Over::Exited,
        Ok(error) = &mut overflow => Over::Capture(error),
        stop = stop => Over::Stopped(stop, EndedBy::Itself),
    };
    let mut over = over;
    match &mut over {
        Over::Exited => {}
        Over::Capture(_) => group.kill(),
        Over::Stopped(stop, by) => {
            group.signal(Signal::TERM);
            if timeout(stop.grace.min(STOP_GRACE), group.exited()).await.is_err() {
                *by = EndedBy::Hub;
                group.kill();
            }
        }
    }
    let ended = match timeout(REAP_WAIT, group.reap()).await {
        Ok(Ok(ended)) => Some(ended),
        _ => None,
    };
    // What the group wrote is in the pipes, and is read however long a busy machine takes; whoever holds them beyond is not
    // waited for.
    let _ = timeout(STREAMS_WAIT, async { (stdout.done().await, stderr.done().await) }).await;
    tell_gone.send_replace(true);
    let kept = timeout(KEEP_WAIT, stdout.done()).await;
    let over = match (over, overflow.try_recv()) {
        (Over::Exited, Ok(error)) => Over::Capture(error),
        (Over::Exited, _) if kept.is_err() => Over::Capture(CaptureError::Io(std::io::ErrorKind::TimedOut.into())),
        (over, _) => over,
    };
    let held = std::mem::take(&mut *captured.lock().unwrap_or_else(PoisonError::into_inner));
    let judged = tokio::task::spawn_blocking({
        let (operation, argument, log_tail) = (operation.clone(), call.argument.clone(), tail.text());
        move || {
            let input = Input::new(&argument);
            let answer = Answer { operation: &operation, input: &input, scratch: Some(&prepared.scratch) };
            let seen = seen(&answer, &over, ended, &held).map_err(|fault| fault.with(|e| e.log_tail = log_tail));
            let raw_output = seen.is_err().then(|| raw(&held)).flatten();
            (seen, raw_output, prepared.scratch)
        }
    });
    match judged.await {
        Ok((seen, raw_output, scratch)) => HostObservation {
            seen: seen.map_or_else(HostSeen::Fault, HostSeen::Replied),
            started_at,
            ended_at: super::now(),
            instance,
            raw_output,
            scratch: Some(scratch),
        },
        Err(error) => failed(FaultKind::HostPanicked.fault(error.to_string()), started_at, instance),
    }
}

fn seen(
    answer: &Answer<'_>,
    over: &Over,
    ended: Option<Ended>,
    held: &Captured,
) -> Result<crate::contract::HostReply, Fault> {
    let evident = |fault: Fault| match ended {
        Some(ended) => fault.with(|evidence| ended.evidence(evidence)),
        None => fault,
    };
    match over {
        Over::Capture(CaptureError::TooLarge(limit)) => {
            let text = format!("the program wrote more than {limit} bytes to its standard output");
            return Err(evident(FaultKind::OutputTooLarge.fault(text)));
        }
        Over::Capture(CaptureError::Io(error)) => return Err(evident(scratch_fault(error).reached(Reached::Yes))),
        // What it has done it has done: a whole answer with a status of success is one, asked to stop or not.
        Over::Stopped(_, EndedBy::Itself)
            if ended.is_some_and(|ended| succeeded(answer.operation, ended)) && left_something(answer, held) =>
        {
            if let Ok(reply) = answer.of_program(held, exit_of(ended)) {
                return Ok(reply);
            }
        }
        Over::Stopped(..) | Over::Exited => {}
    }
    if let Over::Stopped(stop, _) = over {
        return Err(evident(stopped(stop.kind, "and its program was stopped")));
    }
    let Some(ended) = ended else {
        return Err(FaultKind::StartFailed.fault("the program could not be reaped").reached(Reached::Unknown));
    };
    if ended.oom {
        let text = "the program was killed, and the kernel's count of kills for want of memory rose while it ran";
        return Err(evident(FaultKind::OutOfMemory.fault(text)));
    }
    match ended.status.code() {
        None => Err(evident(FaultKind::Signalled.fault(format!("the program failed: {}", ended.words())))),
        Some(_) if succeeded(answer.operation, ended) => answer.of_program(held, exit_of(Some(ended))),
        Some(code) => {
            let text = format!("the program ended with status {code}");
            Err(evident(FaultKind::ExitedNonZero.fault(text)))
        }
    }
    .map_err(evident)
}

fn exit_of(ended: Option<Ended>) -> Option<i32> {
    ended.and_then(|ended| ended.status.code())
}

/// Returns whether there is something that can be an answer. A program that prints nothing and is asked for nothing may
/// end with success because it was told to end.
fn left_something(answer: &Answer<'_>, held: &Captured) -> bool {
    held.size() > 0 || !answer.operation.produces.is_empty()
}

/// Returns whether a program ended with a status that its descriptor counts as success.
fn succeeded(operation: &Operation, ended: Ended) -> bool {
    let success = &operation.call.success;
    ended.status.code().is_some_and(|code| success.contains(&code) || (success.is_empty() && code == 0))
}

/// Returns what the program printed, to be kept as evidence.
fn raw(held: &Captured) -> Option<ProducedFile> {
    if held.size() == 0 {
        return None;
    }
    let content: Content = held.content().ok()?;
    Some(ProducedFile {
        name: "stdout".to_owned(),
        media_type: "application/octet-stream".to_owned(),
        content,
        size: held.size(),
        derived_from: Vec::new(),
    })
}

/// A task that follows a stream; it ends with the attempt.
struct Streams(tokio::task::JoinHandle<()>);

impl Streams {
    fn of(task: tokio::task::JoinHandle<()>) -> Self {
        Self(task)
    }
    /// Waits for its end; it may be asked again.
    async fn done(&mut self) {
        if !self.0.is_finished() {
            let _ = (&mut self.0).await;
        }
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Version {
    /// Waits for whatever ends an attempt from outside: its own stop, the host's shutdown, or its deadline.
    pub(super) async fn stop(&self, cancel: &CancelToken, deadline: Instant) -> Stop {
        tokio::select! {
            stop = cancel.wait() => stop,
            stop = self.stopped().wait() => stop,
            () = tokio::time::sleep_until(deadline) => Stop { kind: StopKind::Deadline, grace: STOP_GRACE },
        }
    }
}
