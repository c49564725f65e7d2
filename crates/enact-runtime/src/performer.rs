//! The performer: hands attempts to hosts, brings their bytes to safety, and reports what was seen to the ring.

mod caught;
mod told;

use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::Poll;
use std::time::Duration;

use enact_catalog::catalog::Entry;
use enact_catalog::effects;
use enact_catalog::schema::{CompiledOperation, Fits};
use enact_engine::command::CommandBody;
use enact_engine::effect::Effect;
use enact_engine::reconcile::{Finding, finding};
use enact_host::contract::{
    ArtifactSource, Call, CancelSource, CancelToken, Host, HostObservation, HostSeen, MaterialiseError, ProducedFile,
    ResolvedFile, Stop, StopKind,
};
use enact_model::execution::{Execution, StopCause};
use enact_model::id::{ExecutionId, TenantId};
use enact_model::json::{Json, JsonLimits};
use enact_model::limits::{CAPTURE_MAX_BYTES, INLINE_MAX_BYTES, PARAMETERS_MAX_BYTES, STOP_GRACE, STOP_LIMIT};
use enact_model::observation::{Fault, FaultKind, Observation, Reply, Seen, StoredArtifact};
use enact_model::payload::Payload;
use enact_model::table::{Key, Row};
use enact_model::time::Timestamp;
use enact_store::artifacts::{self, Artifacts};
use enact_store::contract::{Store, View};
use enact_store::crash;
use tokio::task::JoinSet;

use caught::Caught;
use told::{budget, context};

use crate::driver::{ByExecution, describe, read_execution};
use crate::port::Port;
use crate::relay::Lines;
use crate::ring::Ring;
use crate::secret::SecretDesk;

/// Largest output that is held against its schema on a thread that must not block, in bytes.
const JUDGED_HERE_MAX_BYTES: usize = 16 * 1024;

/// Attempts that one task begins: few enough that all threads of the runtime have a part in them.
const TOGETHER_MAX: usize = 16;

/// An attempt that is to be made.
struct Attempt {
    tenant: TenantId,
    execution: ExecutionId,
    number: u32,
    cancel: CancelToken,
}

/// The artifact store as hosts see it.
#[derive(Clone)]
pub(crate) struct Source(pub(crate) Artifacts);

impl ArtifactSource for Source {
    fn materialise(&self, digest: &enact_model::digest::Digest, target: &Path) -> Result<(), MaterialiseError> {
        self.0.materialise(digest, target).map_err(|error| match error {
            artifacts::Error::Missing(digest) => MaterialiseError::Missing(digest),
            artifacts::Error::Altered { digest, .. } => MaterialiseError::Altered(digest),
            other => MaterialiseError::Io(std::io::Error::other(describe(&other))),
        })
    }
}

/// Performs the effects of one hub.
pub(crate) struct Performer<S: Store> {
    ring: OnceLock<Arc<Ring<S>>>,
    hosts: BTreeMap<&'static str, Arc<dyn Host>>,
    artifacts: Artifacts,
    running: Mutex<ByExecution<(u32, CancelSource)>>,
    tasks: Mutex<JoinSet<()>>,
    lines: Lines,
    runtime: tokio::runtime::Handle,
    actor: Arc<str>,
    /// The share of traces that is sampled where the caller brought none.
    share: f64,
    secrets: SecretDesk,
}

impl<S: Store + 'static> Performer<S> {
    pub(crate) fn new(
        hosts: BTreeMap<&'static str, Arc<dyn Host>>,
        artifacts: Artifacts,
        lines: Lines,
        runtime: tokio::runtime::Handle,
        share: f64,
        secrets: SecretDesk,
    ) -> Arc<Self> {
        let (ring, running, tasks) = (OnceLock::new(), Mutex::default(), Mutex::default());
        Arc::new(Self { ring, hosts, artifacts, running, tasks, lines, runtime, actor: "host".into(), share, secrets })
    }

    /// Gives the performer the ring that its reports go to; what is performed before has nowhere to report.
    pub(crate) fn attach(&self, ring: Arc<Ring<S>>) {
        // A performer has one ring; a second one is ignored.
        let _ = self.ring.set(ring);
    }

    /// Performs effects in their order; it never blocks.
    pub(crate) fn perform(self: &Arc<Self>, effects: Vec<Effect>) {
        let Some(ring) = self.ring.get() else { return };
        let mut together = Vec::new();
        for effect in effects {
            match effect {
                Effect::Invoke { tenant, execution, attempt } => {
                    let (source, cancel) = CancelSource::new();
                    self.lock().insert(execution, (attempt, source));
                    together.push(Attempt { tenant, execution, number: attempt, cancel });
                    if together.len() == TOGETHER_MAX {
                        let next = Vec::with_capacity(TOGETHER_MAX);
                        self.spawn(Arc::clone(self).begin(Arc::clone(ring), std::mem::replace(&mut together, next)));
                    }
                }
                Effect::Stop { tenant, execution, .. } => self.stop(&tenant, execution),
                Effect::Publish { sink, .. } => self.lines.poke(&sink),
            }
        }
        if !together.is_empty() {
            self.spawn(Arc::clone(self).begin(Arc::clone(ring), together));
        }
    }

    /// Begins attempts one after the other, and reports together those whose hosts answer at once; each of the others goes on
    /// in a task of its own, and the last one in this.
    async fn begin(self: Arc<Self>, ring: Arc<Ring<S>>, attempts: Vec<Attempt>) {
        let mut reports = Vec::with_capacity(attempts.len());
        let mut last = None;
        let mut attempts = attempts.into_iter();
        while let Some(attempt) = attempts.next() {
            let name = (attempt.execution, attempt.number);
            // Made where it stays: it is large.
            let mut answer = Box::pin(Arc::clone(&self).attempt(Arc::clone(&ring), attempt));
            match std::future::poll_fn(|context| Poll::Ready(answer.as_mut().poll(context))).await {
                Poll::Ready(report) => reports.push((name, report)),
                Poll::Pending if attempts.len() == 0 => last = Some((name, answer)),
                Poll::Pending => {
                    let (performer, ring) = (Arc::clone(&self), Arc::clone(&ring));
                    self.spawn(async move { performer.report(&ring, vec![(name, answer.await)]).await });
                }
            }
        }
        if !reports.is_empty() {
            self.report(&ring, reports).await;
        }
        if let Some((name, answer)) = last {
            self.report(&ring, vec![(name, answer.await)]).await;
        }
    }

    /// Tells the ring what was seen of attempts.
    async fn report(&self, ring: &Ring<S>, reports: Vec<((ExecutionId, u32), Option<CommandBody>)>) {
        let (attempts, reports): (Vec<_>, Vec<_>) = reports.into_iter().unzip();
        crash::point("host-before-report");
        // A ring that has ended finds the attempts unanswered when it starts again.
        let _ = ring.tell_all(&self.actor, reports.into_iter().flatten().collect()).await;
        // Only now: a shutdown waits for what runs, and an answer on its way must not come after its end.
        let mut running = self.lock();
        for (execution, attempt) in attempts {
            if running.get(&execution).is_some_and(|(held, _)| *held == attempt) {
                running.remove(&execution);
            }
        }
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn_on(task, &self.runtime);
    }

    /// Gives up what is still at a host, and returns when nothing of it holds the ring or the store any more.
    pub(crate) async fn end(&self) {
        loop {
            let mut tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
            if tasks.is_empty() {
                return;
            }
            // What was just begun may have given itself a task meanwhile.
            tasks.shutdown().await;
        }
    }

    /// Returns whether a host has an attempt of this execution now, or its answer is on its way to the ring.
    pub(crate) fn is_running(&self, execution: ExecutionId) -> bool {
        self.lock().contains_key(&execution)
    }
    /// Returns how many attempts are at hosts.
    pub(crate) fn running(&self) -> usize {
        self.lock().len()
    }
    /// Returns the hosts.
    pub(crate) fn hosts(&self) -> &BTreeMap<&'static str, Arc<dyn Host>> {
        &self.hosts
    }
    /// Returns the artifact store.
    pub(crate) fn artifacts(&self) -> &Artifacts {
        &self.artifacts
    }
    /// Returns who gives secrets to calls.
    pub(crate) fn secrets(&self) -> &SecretDesk {
        &self.secrets
    }
    /// Returns who wakes the relays.
    pub(crate) fn lines(&self) -> &Lines {
        &self.lines
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, ByExecution<(u32, CancelSource)>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self, tenant: &TenantId, execution: ExecutionId) {
        let Some(ring) = self.ring.get() else { return };
        let cause = read_execution(ring.view(), tenant, execution).ok().flatten().and_then(|row| row.stop.clone());
        let kind = match cause.map(|stop| stop.cause) {
            Some(StopCause::Deadline) => StopKind::Deadline,
            _ => StopKind::Cancel,
        };
        if let Some((_, source)) = self.lock().get(&execution) {
            source.stop(Stop { kind, grace: STOP_GRACE });
        }
    }

    /// Makes an attempt; returns what is to be told of it, if it was still to be made.
    async fn attempt(self: Arc<Self>, ring: Arc<Ring<S>>, attempt: Attempt) -> Option<CommandBody> {
        let Attempt { tenant, execution: id, number, cancel } = attempt;
        let started_at = ring.now();
        let report = match read_execution(ring.view(), &tenant, id) {
            Ok(Some(execution)) if execution.attempt == number => {
                self.seen_of(&ring, &execution, started_at, cancel).await
            }
            Ok(_) => return None,
            Err(error) => {
                let fault = FaultKind::ScratchUnavailable.fault(describe(&error));
                Report::fault(fault, started_at, started_at, None)
            }
        };
        let Report { observation, output, input, raw, fits } = report;
        let observation = Box::new(observation);
        Some(CommandBody::Observe { tenant, execution: id, attempt: number, observation, output, input, raw, fits })
    }

    async fn seen_of(
        &self,
        ring: &Arc<Ring<S>>,
        execution: &Arc<Execution>,
        started_at: Timestamp,
        cancel: CancelToken,
    ) -> Report {
        let catalog = ring.catalog();
        let entry = catalog.entry(&execution.pin.name, &execution.pin.version);
        let Some((entry, operation)) = entry.and_then(|entry| Some((entry, entry.operation(&execution.selector)?)))
        else {
            let fault = FaultKind::HostGone
                .fault(format!("component {} {} is not known", execution.pin.name, execution.pin.version));
            return Report::fault(fault, started_at, ring.now(), None);
        };
        let input = match self.input(execution).await {
            Ok(input) => input,
            Err(fault) => return Report::fault(fault, started_at, ring.now(), None),
        };
        let brought = execution.intent.parameters.inline().is_none().then(|| input.clone());
        let budget = budget(execution, operation, started_at);
        // The host keeps the deadline; the guard is for a host that does not.
        let limit = budget + STOP_LIMIT;
        let call = self.call(ring, execution, (entry, operation), input, (started_at, budget), cancel);
        crash::point("host-before-attempt");
        let mut seen = match within(limit, Caught(Box::pin(call))).await {
            Ok(Some(seen)) => seen,
            Ok(None) => {
                let fault = FaultKind::HostPanicked.fault("the host panicked; its attempt is given up");
                HostObservation::fault(fault, started_at, ring.now())
            }
            Err(_) => {
                let fault = FaultKind::DeadlineExceeded.fault(format!("the host gave no answer within {limit:?}"));
                HostObservation::fault(fault, started_at, ring.now())
            }
        };
        crash::point("host-after-attempt");
        self.secrets.mask(&mut seen).await;
        let answers_parent = execution.parent.is_some();
        self.keep(seen, operation, brought, answers_parent).await
    }

    /// Loads the input, from its record or from the artifact store.
    async fn input(&self, execution: &Execution) -> Result<Json, Fault> {
        match &execution.intent.parameters {
            Payload::Inline(json) => Ok(json.clone()),
            Payload::Stored { digest, .. } => {
                let (artifacts, digest) = (self.artifacts.clone(), *digest);
                let read = move || load_json(&artifacts, &digest);
                match tokio::task::spawn_blocking(read).await {
                    Ok(result) => result,
                    Err(error) => Err(FaultKind::HostPanicked.fault(format!("loading the input ended early: {error}"))),
                }
            }
        }
    }

    async fn call(
        &self,
        ring: &Arc<Ring<S>>,
        execution: &Arc<Execution>,
        (entry, operation): (&Entry, &CompiledOperation),
        argument: Json,
        (started_at, budget): (Timestamp, Duration),
        cancel: CancelToken,
    ) -> HostObservation {
        let refused = |fault: Fault| HostObservation::fault(fault, started_at, ring.now());
        let Some(host) = self.hosts.get(entry.component().shape.key()) else {
            return refused(FaultKind::HostGone.fault(format!("no host runs component {}", execution.pin.name)));
        };
        let begun = tokio::time::Instant::now();
        // None of it reaches the handler: it may be given up at any time, and nobody need ask whether it has run.
        let making = async {
            tokio::select! {
                biased;
                made = self.make_call(ring, execution, (entry, operation), argument, host) => made,
                stop = cancel.wait() => Err(stop.kind.not_begun()),
            }
        };
        let mut call = match within(budget, std::pin::pin!(making)).await {
            Ok(Ok(call)) => call,
            Ok(Err(fault)) => return refused(fault),
            Err(_) => return refused(StopKind::Deadline.not_begun()),
        };
        call.budget = budget.saturating_sub(begun.elapsed());
        let port = Arc::new(Port { ring: Arc::clone(ring), execution: Arc::clone(execution) });
        host.invoke(call, port, cancel).await
    }

    /// Makes the component callable and gathers what its call needs; its budget is set when it begins.
    async fn make_call(
        &self,
        ring: &Arc<Ring<S>>,
        execution: &Arc<Execution>,
        (entry, operation): (&Entry, &CompiledOperation),
        argument: Json,
        host: &Arc<dyn Host>,
    ) -> Result<Call, Fault> {
        let (component, operation) = (entry.component(), operation.operation());
        host.start(Arc::clone(component), entry.digest()).await?;
        let mut files = BTreeMap::new();
        let referenced = match effects::look_for_references(operation) {
            true => effects::referenced(operation, &argument.to_value()),
            false => Vec::new(),
        };
        for (pointer, id) in referenced {
            let row = ring.view().get(&Key::reference(execution.tenant(), id));
            let Ok(Some(Row::Reference(reference))) = row else {
                return Err(FaultKind::ArtifactMissing.fault(format!("reference {id} is not registered")));
            };
            if let Some(digest) = reference.digest {
                let size = reference.size.unwrap_or_default();
                let (name, media_type) = (reference.name.clone(), reference.media_type.clone());
                files.insert(pointer, ResolvedFile { digest, name, media_type, size });
            }
        }
        let context = context(execution, operation, self.share)
            .map_err(|error| FaultKind::HostPanicked.fault(error.to_string()))?;
        let secrets = self.secrets.resolve(component, operation).await?;
        Ok(Call {
            context,
            component: Arc::clone(component),
            digest: entry.digest(),
            service: execution.selector.service.clone(),
            operation_name: execution.selector.operation.clone(),
            argument,
            secrets,
            files,
            budget: Duration::ZERO,
        })
    }

    /// Brings what a handler produced to the artifact store; only then may a record name it.
    async fn keep(
        &self,
        mut seen: HostObservation,
        operation: &Arc<CompiledOperation>,
        input: Option<Json>,
        answers_parent: bool,
    ) -> Report {
        let raw_output = seen.raw_output.take();
        let (started_at, ended_at, instance) = (seen.started_at, seen.ended_at, seen.instance.clone());
        let taken = std::mem::replace(&mut seen.seen, HostSeen::Fault(FaultKind::HostGone.fault("")));
        let artifacts = self.artifacts.clone();
        let operation = Arc::clone(operation);
        // Most replies are small and fit: to judge them here costs less than a thread that may block.
        let judged = match &taken {
            HostSeen::Replied(reply) if reply.output.as_str().len() <= JUDGED_HERE_MAX_BYTES => {
                Some(judge(&operation, &reply.output))
            }
            _ => None,
        };
        let cheap = match &taken {
            HostSeen::Fault(_) => raw_output.is_none(),
            HostSeen::Replied(reply) => {
                reply.produced.is_empty() && judged.as_ref().is_some_and(|judged| !judged.is_refused())
            }
        };
        let keep = move || keep_bytes(&artifacts, &operation, taken, raw_output, judged, answers_parent);
        let kept = if cheap {
            keep()
        } else {
            match tokio::task::spawn_blocking(keep).await {
                Ok(kept) => kept,
                Err(error) => {
                    Kept::fault(FaultKind::HostPanicked.fault(format!("keeping the output ended early: {error}")))
                }
            }
        };
        // The scratch folder goes with the host's observation, now that its bytes are safe.
        drop(seen);
        let observation = Observation { seen: kept.seen, started_at, ended_at, instance };
        Report { observation, output: kept.output, input, raw: kept.raw, fits: kept.fits }
    }
}

/// Waits so long at most; what is ready at once needs no timer.
async fn within<F: Future + Unpin>(limit: Duration, mut future: F) -> Result<F::Output, tokio::time::error::Elapsed> {
    match std::future::poll_fn(|context| Poll::Ready(Pin::new(&mut future).poll(context))).await {
        Poll::Ready(output) => Ok(output),
        Poll::Pending => tokio::time::timeout(limit, future).await,
    }
}

/// What is reported to the ring.
struct Report {
    observation: Observation,
    output: Option<Json>,
    input: Option<Json>,
    raw: Option<StoredArtifact>,
    fits: Option<Fits>,
}

impl Report {
    fn fault(fault: Fault, started_at: Timestamp, ended_at: Timestamp, input: Option<Json>) -> Self {
        let observation = Observation { seen: Seen::Fault(fault), started_at, ended_at, instance: None };
        Self { observation, output: None, input, raw: None, fits: None }
    }
}

struct Kept {
    seen: Seen,
    output: Option<Json>,
    raw: Option<StoredArtifact>,
    fits: Option<Fits>,
}

impl Kept {
    fn fault(fault: Fault) -> Self {
        Self { seen: Seen::Fault(fault), output: None, raw: None, fits: None }
    }
}

/// What an output is by its schema.
enum Judged {
    Fits(Fits),
    /// The rules will refuse it.
    Refused,
    /// Another output is made of it, and that one is judged.
    Later,
}

impl Judged {
    fn is_refused(&self) -> bool {
        matches!(self, Self::Refused)
    }
}

fn judge(operation: &Arc<CompiledOperation>, output: &Json) -> Judged {
    if operation.operation().result.is_some() {
        return Judged::Later;
    }
    // Without a schema there is nothing to look at.
    let output = operation.operation().output.as_ref().map_or(serde_json::Value::Null, |_| output.to_value());
    Fits::judge(operation, &output).map_or(Judged::Refused, Judged::Fits)
}

fn keep_bytes(
    artifacts: &Artifacts,
    operation: &Arc<CompiledOperation>,
    seen: HostSeen,
    raw_output: Option<ProducedFile>,
    judged: Option<Judged>,
    answers_parent: bool,
) -> Kept {
    let raw = raw_output.and_then(|file| store(artifacts, file).ok());
    match seen {
        HostSeen::Fault(mut fault) => {
            fault.evidence.raw_output = raw;
            Kept::fault(fault)
        }
        HostSeen::Replied(reply) => {
            let mut stored = Vec::with_capacity(reply.produced.len());
            for file in reply.produced {
                match store(artifacts, file) {
                    Ok(artifact) => stored.push(artifact),
                    Err(error) => return Kept::fault(FaultKind::StoreUnavailable.fault(describe(&error))),
                }
            }
            let text = reply.output.as_str();
            let output = match put_json(artifacts, &reply.output) {
                Ok(output) => output,
                Err(error) => return Kept::fault(FaultKind::StoreUnavailable.fault(describe(&error))),
            };
            // What a reconciler found becomes the output of the execution that asked.
            if answers_parent
                && matches!(output, Payload::Stored { .. })
                && let Finding::Completed(found) = finding(&reply.output.to_value())
                && let Err(error) = put_json(artifacts, &Json::from(found))
            {
                return Kept::fault(FaultKind::StoreUnavailable.fault(describe(&error)));
            }
            // An output that will be refused is kept as it was, before the refusal is logged.
            let judged = judged.unwrap_or_else(|| judge(operation, &reply.output));
            let raw = match (raw, judged.is_refused()) {
                (None, true) => artifacts.put_bytes(text.as_bytes()).ok().map(|kept| StoredArtifact {
                    name: "raw-output.json".to_owned(),
                    media_type: "application/json".to_owned(),
                    digest: kept.digest,
                    size: kept.size,
                }),
                (raw, _) => raw,
            };
            let full = matches!(output, Payload::Stored { .. }).then(|| reply.output.clone());
            let seen = Seen::Replied(Reply { output, envelope: reply.envelope, artifacts: stored });
            let fits = if let Judged::Fits(fits) = judged { Some(fits) } else { None };
            Kept { seen, output: full, raw, fits }
        }
    }
}

/// Makes a payload of a value, and stores it where it is too large for a record.
pub(crate) fn put_json(artifacts: &Artifacts, json: &Json) -> Result<Payload, artifacts::Error> {
    if json.as_str().len() <= INLINE_MAX_BYTES {
        return Ok(Payload::Inline(json.clone()));
    }
    let kept = artifacts.put_bytes(json.as_str().as_bytes())?;
    Ok(Payload::Stored { digest: kept.digest, size: kept.size })
}

fn store(artifacts: &Artifacts, file: ProducedFile) -> Result<StoredArtifact, artifacts::Error> {
    let limit = file.size.max(CAPTURE_MAX_BYTES);
    let kept = artifacts.put_reader(file.content.into_reader(), Path::new(&file.name), limit)?;
    Ok(StoredArtifact { name: file.name, media_type: file.media_type, digest: kept.digest, size: kept.size })
}

/// Loads canonical JSON from the artifact store.
pub(crate) fn load_json(artifacts: &Artifacts, digest: &enact_model::digest::Digest) -> Result<Json, Fault> {
    let bytes = artifacts.read_all(digest, PARAMETERS_MAX_BYTES as u64 * 2).map_err(|error| match &error {
        artifacts::Error::Altered { .. } => FaultKind::ArtifactAltered.fault(describe(&error)),
        _ => FaultKind::ArtifactMissing.fault(describe(&error)),
    })?;
    let limits = JsonLimits { bytes: PARAMETERS_MAX_BYTES * 2, ..JsonLimits::default() };
    Json::parse_within(&bytes, limits).map_err(|error| FaultKind::ArtifactAltered.fault(error.to_string()))
}
