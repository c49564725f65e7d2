//! `worker`: long-lived processes that speak frames, several calls in each, several of them for each component.

mod circuit;
mod context;
mod contextless;
mod drive;
mod incoming;
mod instance;
mod log;
mod outgoing;
mod outliving;
mod pool;
mod renew;
mod start;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use enact_model::descriptor::{Operation, Returns};
use enact_model::limits::{FRAME_MAX_BYTES, STOP_GRACE};
use enact_model::observation::{Fault, FaultKind, Reached};
use enact_model::time::Timestamp;
use tokio::time::{Instant, timeout, timeout_at};

use super::answer::Answer;
use super::prepare::{Prepared, prepare};
use super::template::Input;
use super::version::{Version, failed, not_begun, stopped};
use crate::contract::{
    Call, CancelToken, Content, ContextPort, HostObservation, HostSeen, ProducedFile, Stop, StopKind,
};
use crate::frames::{ErrorCode, HandlerError, ToWorker, Told};
use incoming::Served;
use instance::{Given, Instance, Lost, OpenCall};
use outliving::Outliving;
pub(super) use pool::Pool;

/// How long the answer waits for a killed instance.
const KILL_WAIT: Duration = Duration::from_millis(500);

/// Largest answer that is read on a thread that must not block, in bytes.
const READ_HERE_MAX_BYTES: usize = 16 * 1024;

impl Pool {
    /// Runs one attempt on some instance. Once it has begun it runs to its end even if nobody waits for it: others
    /// may share the instance.
    pub async fn invoke(
        self: &Arc<Self>,
        version: &Arc<Version>,
        operation: Arc<Operation>,
        call: Arc<Call>,
        port: Arc<dyn ContextPort>,
        cancel: &CancelToken,
        started_at: Timestamp,
    ) -> HostObservation {
        let attempt = Attempt {
            deadline: Instant::now() + call.budget,
            pool: self.clone(),
            version: version.clone(),
            operation,
            call,
            port,
            cancel: cancel.clone(),
            started_at,
        };
        match Outliving::new(attempt.run()).await {
            Ok(observation) => observation,
            Err(error) => failed(FaultKind::HostPanicked.fault(error.to_string()), started_at, None),
        }
    }
}

struct Attempt {
    deadline: Instant,
    pool: Arc<Pool>,
    version: Arc<Version>,
    operation: Arc<Operation>,
    call: Arc<Call>,
    port: Arc<dyn ContextPort>,
    cancel: CancelToken,
    started_at: Timestamp,
}

impl Attempt {
    async fn run(self) -> HostObservation {
        let prepared = match self.prepared().await {
            Ok(prepared) => prepared,
            Err(fault) => return failed(fault, self.started_at, None),
        };
        loop {
            let (instance, open) = match self.acquire().await {
                Ok(acquired) => acquired,
                Err(fault) => return failed(fault, self.started_at, None),
            };
            let (name, id) = (format!("process {}", instance.pid()), open.id);
            match self.call(&instance, open, prepared.as_ref()).await {
                // It ended before the call was on its wire: another one takes it.
                Ok(None) => {}
                Ok(Some(text)) => return self.answered(text, prepared, name).await,
                Err(fault) => {
                    let fault = fault.with(|e| e.log_tail = e.log_tail.take().or_else(|| instance.log_of(id)));
                    let mut observation = failed(fault, self.started_at, Some(name));
                    observation.scratch = prepared.map(|prepared| prepared.scratch);
                    return observation;
                }
            }
        }
    }

    /// Opens the call on an instance; waits for one where none takes it.
    async fn acquire(&self) -> Result<(Arc<Instance>, OpenCall), Fault> {
        let before = self.pool.failures();
        if let Some(acquired) = self.pool.acquire_now(&self.version, before, &self.call, &self.port)? {
            return Ok(acquired);
        }
        // Apart, so that who need not wait does not carry what waiting takes.
        Box::pin(async {
            tokio::select! {
                biased;
                acquired = self.pool.acquire(&self.version, before, &self.call, &self.port) => acquired,
                stop = self.version.stop(&self.cancel, self.deadline) => Err(not_begun(stop.kind)),
            }
        })
        .await
    }

    /// Makes a scratch folder if the call can use one.
    async fn prepared(&self) -> Result<Option<Prepared>, Fault> {
        let operation = &self.operation;
        if self.call.files.is_empty() && operation.produces.is_empty() && operation.returns == Returns::Output {
            return Ok(None);
        }
        let (version, files) = (self.version.clone(), self.call.files.clone());
        let preparing = tokio::task::spawn_blocking(move || prepare(&version.ground, &files));
        preparing.await.map_err(|e| FaultKind::HostPanicked.fault(e.to_string()))?.map(Some)
    }

    /// Puts the call on the wire and waits for its answer; `None` if it did not get there.
    async fn call(
        &self,
        instance: &Arc<Instance>,
        mut open: OpenCall,
        prepared: Option<&Prepared>,
    ) -> Result<Option<String>, Fault> {
        let budget = self.deadline.saturating_duration_since(Instant::now());
        let files: BTreeMap<_, _> =
            prepared.iter().flat_map(|p| &p.files).map(|(pointer, path)| (pointer.0.as_str(), path.clone())).collect();
        let service = self.call.service.as_str();
        let operation = self.operation.call.operation.as_deref().unwrap_or(self.call.operation_name.as_str());
        // Of a small call it is most of what there is to write, to carry and to read.
        let told = Told { context: &self.call.context, secrets: &self.call.secrets };
        let frame = ToWorker::Call {
            id: open.id,
            service,
            operation,
            argument: &self.call.argument,
            context: instance.takes_context(service, operation).then_some(told),
            budget_ms: u64::try_from(budget.as_millis()).unwrap_or(u64::MAX),
            trace: self.call.context.trace(),
            scratch: prepared.map(|prepared| prepared.scratch.path().to_owned()),
            files,
        };
        let frame = match frame.encode(FRAME_MAX_BYTES) {
            Ok(frame) => frame,
            Err(error) => {
                instance.forget(open.id);
                let text = format!("the call does not fit into a frame: {error}");
                return Err(FaultKind::FrameTooLarge.fault(text).reached(Reached::No));
            }
        };
        let sent = match instance.send_now(frame) {
            Ok(sent) => Ok(sent),
            Err(frame) => Box::pin(self.send(instance, frame)).await,
        };
        match sent {
            Ok(true) => {}
            Ok(false) => {
                instance.forget(open.id);
                return Ok(None);
            }
            Err(fault) => {
                instance.forget(open.id);
                return Err(fault);
            }
        }
        // Beside others there is somebody already who reads, and whoever is answered at once would never let them through.
        if open.alone {
            let served = Served { instance, version: &self.version, pool: &self.pool };
            if let Err(doom) = instance.incoming().look(served) {
                instance.condemn(doom);
            }
        }
        let stop = tokio::select! {
            biased;
            given = &mut open.answer => return self.read(instance, given.unwrap_or(Given::Lost(Lost::Unseen))),
            stop = self.version.stop(&self.cancel, self.deadline) => stop,
        };
        Box::pin(self.stop(instance, open, stop)).await
    }

    /// Waits until the wire takes a frame.
    async fn send(&self, instance: &Instance, frame: Vec<u8>) -> Result<bool, Fault> {
        tokio::select! {
            biased;
            sent = instance.send(frame) => Ok(sent),
            // The wire is full, so no byte of this call is on it: the worker reads nothing.
            stop = self.version.stop(&self.cancel, self.deadline) => Err(not_begun(stop.kind)),
        }
    }

    /// Asks the worker to stop the call, and ends the instance if it does not.
    async fn stop(&self, instance: &Arc<Instance>, mut open: OpenCall, stop: Stop) -> Result<Option<String>, Fault> {
        let reason = if stop.kind == StopKind::Cancel { "cancel" } else { "deadline" };
        instance.tell(&ToWorker::Cancel { id: open.id, reason });
        let until = Instant::now() + stop.grace.min(STOP_GRACE);
        match timeout_at(until, &mut open.answer).await {
            // What it has done it has done: a success that comes while it is being stopped is a success.
            Ok(Ok(Given::Ok(text))) => return self.read(instance, Given::Ok(text)),
            Ok(Ok(Given::Error(error, log_tail))) => {
                let fault = stopped(stop.kind, "and its handler stopped").reached(Reached::Yes);
                return Err(fault.with(|e| {
                    (e.exception, e.stack, e.detail) = (error.exception, error.stack, error.detail);
                    e.log_tail = log_tail;
                }));
            }
            Ok(Ok(Given::Lost(lost))) => return Err(self.ended_by_stop(stop, lost)),
            Ok(Err(_)) => return Err(self.ended_by_stop(stop, Lost::Unseen)),
            Err(_) => {}
        }
        instance.condemn(drive::Doom::Overdue(open.id));
        let lost = match timeout(KILL_WAIT, &mut open.answer).await {
            Ok(Ok(Given::Lost(lost))) => lost,
            _ => Lost::Unseen,
        };
        Err(self.ended_by_stop(stop, lost))
    }

    fn ended_by_stop(&self, stop: Stop, lost: Lost) -> Fault {
        let fault = stopped(stop.kind, "and its instance was ended");
        match lost {
            Lost::With(seen) => fault.with(|e| *e = seen.evidence),
            Lost::Unseen => fault,
        }
    }

    fn read(&self, instance: &Instance, given: Given) -> Result<Option<String>, Fault> {
        match given {
            Given::Ok(text) => Ok(Some(text)),
            Given::Error(error, log_tail) => {
                let fault = handler_fault(error).with(|e| e.log_tail = log_tail);
                Err(self.version.launch.closer(fault))
            }
            Given::Lost(Lost::With(fault)) => Err(*fault),
            Given::Lost(Lost::Unseen) => {
                Err(FaultKind::CrashedInCall.fault(format!("process {} is gone, nobody saw how", instance.pid())))
            }
        }
    }

    /// Makes the reply from the text that the worker answered with.
    async fn answered(self, text: String, prepared: Option<Prepared>, name: String) -> HostObservation {
        let Self { operation, call, started_at, .. } = self;
        // A small answer without files is read sooner than another thread takes it up.
        let in_place = prepared.is_none() && text.len() <= READ_HERE_MAX_BYTES;
        let judge = move || {
            let input = Input::new(&call.argument);
            let scratch = prepared.map(|prepared| prepared.scratch);
            let answer = Answer { operation: &operation, input: &input, scratch: scratch.as_ref() };
            let seen = answer.of_worker(&text);
            let raw_output = seen.is_err().then(|| ProducedFile {
                name: "output".to_owned(),
                media_type: "application/octet-stream".to_owned(),
                size: text.len() as u64,
                content: Content::Bytes(text.into_bytes()),
                derived_from: Vec::new(),
            });
            let seen = seen.map_or_else(HostSeen::Fault, HostSeen::Replied);
            HostObservation { seen, started_at, ended_at: super::now(), instance: Some(name), raw_output, scratch }
        };
        if in_place {
            return judge();
        }
        match tokio::task::spawn_blocking(judge).await {
            Ok(observation) => observation,
            Err(error) => failed(FaultKind::HostPanicked.fault(error.to_string()), started_at, None),
        }
    }
}

/// The fault of a handler that answered with one.
fn handler_fault(error: HandlerError) -> Fault {
    let (kind, text) = match error.code {
        ErrorCode::Failed => (FaultKind::HandlerFailed, "the handler failed"),
        ErrorCode::BadArgument => (FaultKind::BadArgument, "the argument does not suit the handler"),
        ErrorCode::UnknownOperation => (FaultKind::UnknownOperation, "the worker does not know the operation"),
        ErrorCode::Cancelled => (FaultKind::HandlerFailed, "the handler says that it was cancelled, which it was not"),
    };
    let message = if error.message.is_empty() { text.to_owned() } else { error.message };
    kind.fault(message).with(|e| (e.exception, e.stack, e.detail) = (error.exception, error.stack, error.detail))
}
