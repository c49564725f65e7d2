//! Components and solutions: read from disk, judged as a whole, kept by digest, then added to the catalog.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use enact_catalog::catalog::{Catalog, Entry, State};
use enact_catalog::describe::describe as describe_component;
use enact_catalog::meta::{self, Question};
use enact_engine::command::CommandBody;
use enact_engine::conclude as code;
use enact_engine::view::rows;
use enact_host::contract::HostState;
use enact_model::conclusion::Conclusion;
use enact_model::descriptor::{Component, Shape, Solution};
use enact_model::digest::Digest;
use enact_model::id::{Name, SecretName};
use enact_model::intent::InputFault;
use enact_model::json::Json;
use enact_model::observation::{Fault, FaultKind};
use enact_model::table::{KeyRange, Table};

use super::artifact::ours;
use super::{Hub, refusal};
use crate::api::{Caller, ComponentView, Refusal, Response};
use crate::driver::{Durable, read_execution};
use crate::package::{self, Package, PackageError};

/// Pause between two looks whether a draining version is idle.
const DRAIN_LOOK_EVERY: Duration = Duration::from_millis(100);

impl Hub {
    pub(super) async fn component_add(&self, caller: &Caller, path: String) -> refusal::Result<Response> {
        self.refuse_while_draining()?;
        let artifacts = self.performer.artifacts().clone();
        let read = tokio::task::spawn_blocking(move || {
            let package = Package::read(&PathBuf::from(path))?;
            package.keep(&artifacts)?;
            Ok(package)
        });
        let package = read.await.map_err(|error| refusal::internal(&error))?.map_err(unusable)?;
        self.check_fingerprint(&package)?;
        let component = Arc::new(package.component);
        let catalog = self.ring.catalog();
        // What the catalog refuses must not take the place of what is running under the same version.
        if catalog.check_add(&component).is_ok() {
            self.try_out(&component, package.digest).await?;
        }
        let former = catalog.active(&component.name).map(|entry| entry.component().version.clone());
        let body = CommandBody::AddComponent { component: Arc::clone(&component), digest: package.digest };
        let response = match self.operate(caller, body).await {
            Ok(response) => response,
            Err(refusal) => {
                self.let_go(&component).await;
                return Err(refusal);
            }
        };
        if let Some(former) = former.filter(|former| *former != component.version) {
            self.drain_when_idle(component.name.clone(), former);
        }
        Ok(response)
    }

    /// Starts a component and finds out whether it can work, before it is in the catalog.
    async fn try_out(&self, component: &Arc<Component>, digest: Digest) -> refusal::Result<()> {
        let Some(host) = self.performer.hosts().get(component.shape.key()) else { return Ok(()) };
        if let Err(fault) = host.start(Arc::clone(component), digest).await {
            return Err(cannot_run(&component.name, &fault));
        }
        if let Err(fault) = host.probe(&component.name, &component.version).await {
            self.let_go(component).await;
            return Err(cannot_work(component, &fault));
        }
        Ok(())
    }

    /// Ends what was started of a component that is not in the catalog after all.
    async fn let_go(&self, component: &Component) {
        let catalog = self.ring.catalog();
        if catalog.entry(&component.name, &component.version).is_none()
            && let Some(host) = self.performer.hosts().get(component.shape.key())
        {
            host.drain(&component.name, &component.version).await;
        }
    }

    pub(super) async fn component_check(&self, path: String) -> refusal::Result<Response> {
        let read = tokio::task::spawn_blocking(move || Package::read(&PathBuf::from(path)));
        let package = read.await.map_err(|error| refusal::internal(&error))?.map_err(unusable)?;
        self.check_fingerprint(&package)?;
        if let Err(faults) = self.ring.catalog().check_add(&package.component) {
            let faults: Vec<_> =
                faults.iter().map(|f| InputFault::new("catalog", f.to_string()).hint(f.hint())).collect();
            return Err(with_faults("the component does not fit the catalog", faults));
        }
        if matches!(package.component.shape, Shape::Jar(_)) {
            self.look_up(&package).await?;
        }
        Ok(Response::Checked {
            component: package.component.name.to_string(),
            version: package.component.version.clone(),
            digest: package.digest,
            operations: package.component.operations().count(),
        })
    }

    /// Lets a JVM look up what the operations of a jar name. That runs no code of the jar's: classes are loaded, and not
    /// initialised.
    async fn look_up(&self, package: &Package) -> refusal::Result<()> {
        let (artifacts, given) = (self.performer.artifacts().clone(), package.clone());
        let kept = tokio::task::spawn_blocking(move || given.keep(&artifacts)).await;
        kept.map_err(|error| refusal::internal(&error))?.map_err(unusable)?;
        let mut component = package.component.clone();
        if let Shape::Jar(jar) = &mut component.shape {
            // A look must not replace the process of those who share it.
            jar.jvm = None;
        }
        let component = Arc::new(component);
        self.try_out(&component, package.digest).await?;
        self.let_go(&component).await;
        Ok(())
    }

    /// A component whose runtime is not here fails its registration; it is never skipped.
    fn check_fingerprint(&self, package: &Package) -> refusal::Result<()> {
        let shape = package.component.shape.key();
        let Some(host) = self.performer.hosts().get(shape) else {
            return Err(refusal::new(code::DESCRIPTOR_INVALID, format!("this build runs no {shape} components")));
        };
        match host.fingerprint(&package.component) {
            Ok(_) => Ok(()),
            Err(fault) => Err(cannot_run(&package.component.name, &fault)),
        }
    }

    pub(super) async fn components(&self) -> Response {
        let open = self.open_by_version();
        let catalog = self.ring.catalog();
        let missing = self.performer.secrets().missing(secret_names(&catalog)).await;
        let stats: BTreeMap<(Name, String), String> = self
            .performer
            .hosts()
            .values()
            .flat_map(|host| host.stats())
            .map(|stats| ((stats.component, stats.version), host_state(&stats.state)))
            .collect();
        let view = |entry: &Arc<Entry>| {
            let component = entry.component();
            let key = (component.name.clone(), component.version.clone());
            let host = stats.get(&key).cloned().unwrap_or_else(|| "not started".to_owned());
            let lacks = component.secret_names().into_iter().find_map(|name| missing.get_key_value(name));
            let host = match lacks.filter(|_| entry.state() != State::Removed) {
                Some((name, why)) => format!("degraded: the secret {name} cannot be given: {why}"),
                None => host,
            };
            ComponentView {
                name: component.name.clone(),
                version: component.version.clone(),
                digest: entry.digest(),
                shape: component.shape.key().to_owned(),
                state: state_word(entry.state()).to_owned(),
                host,
                operations: component.operations().map(|(selector, _)| selector.to_string()).collect(),
                open_executions: open.get(&key).copied().unwrap_or_default(),
            }
        };
        Response::Components(catalog.entries().map(view).collect())
    }

    fn open_by_version(&self) -> BTreeMap<(Name, String), u64> {
        let mut open = BTreeMap::new();
        let view = self.ring.view();
        for (key, _) in rows(&Durable(view), KeyRange::table(Table::Active)) {
            let Some((tenant, id)) = key.as_active() else { continue };
            if let Ok(Some(execution)) = read_execution(view, &tenant, id) {
                *open.entry((execution.pin.name.clone(), execution.pin.version.to_string())).or_default() += 1;
            }
        }
        open
    }

    pub(super) fn component_describe(&self, name: &Name, version: Option<&str>) -> refusal::Result<Response> {
        let catalog = self.ring.catalog();
        let component = meta::component(&catalog, name, version).map_err(unknown)?;
        Ok(Response::Described(Json::of(&describe_component(component))))
    }

    pub(super) fn meta(
        &self,
        name: &Name,
        question: Question,
        parameters: &meta::Parameters,
    ) -> refusal::Result<Response> {
        let catalog = self.ring.catalog();
        let answer = meta::answer(&catalog, name, question, parameters, env!("CARGO_PKG_VERSION"));
        answer.map(Response::Described).map_err(unknown)
    }

    pub(super) async fn component_drain(
        &self,
        caller: &Caller,
        name: Name,
        version: String,
        reason: String,
    ) -> refusal::Result<Response> {
        let body = CommandBody::DrainComponent { name: name.clone(), version: version.clone(), reason };
        let response = self.operate(caller, body).await?;
        self.drain_when_idle(name, version);
        Ok(response)
    }

    /// Lets the host end a version's instances once no open execution is pinned to it.
    pub(super) fn drain_when_idle(&self, name: Name, version: String) {
        let ring = Arc::clone(&self.ring);
        let hosts: Vec<_> = self.performer.hosts().values().cloned().collect();
        let task = tokio::spawn(async move {
            let mut position = ring.position();
            loop {
                position.mark_unchanged();
                let view = ring.view();
                let open = rows(&Durable(view), KeyRange::table(Table::Active)).any(|(key, _)| {
                    let Some((tenant, id)) = key.as_active() else { return false };
                    let row = read_execution(view, &tenant, id);
                    row.ok().flatten().is_some_and(|row| row.pin.name == name && *row.pin.version == *version)
                });
                if !open {
                    break;
                }
                // It reads every open execution, so not after each of a thousand commits in a second.
                tokio::time::sleep(DRAIN_LOOK_EVERY).await;
                if position.changed().await.is_err() {
                    return;
                }
            }
            for host in hosts {
                host.drain(&name, &version).await;
            }
        });
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(task);
    }

    pub(super) async fn solution_bind(&self, caller: &Caller, path: String) -> refusal::Result<Response> {
        let read = tokio::task::spawn_blocking(move || package::solution(&PathBuf::from(path)));
        let solution = read.await.map_err(|error| refusal::internal(&error))?.map_err(unusable_solution)?;
        let unknown = |sink: &&enact_model::id::SinkId| !self.config.sinks.contains_key(*sink);
        if let Some(sink) = solution.sinks.iter().find(unknown) {
            let message = format!("solution {} names the sink {sink}, which is not configured", solution.name);
            let hint = "add it under `sinks:` in enact.yaml";
            return Err(refusal::hinted(code::CONFIGURATION_INVALID, message, hint));
        }
        let solution = Arc::new(solution);
        match self.operate(caller, CommandBody::BindSolution { solution: Arc::clone(&solution) }).await? {
            Response::Done { message } => Ok(Response::Done { message: message + &needless(&solution) }),
            other => Ok(other),
        }
    }

    pub(super) fn solutions(&self) -> Response {
        let catalog = self.ring.catalog();
        Response::Solutions(catalog.solutions().map(|solution| Json::of(&**solution)).collect())
    }
}

/// Says which patterns of `allow` change nothing; nothing if there is none.
fn needless(solution: &Solution) -> String {
    let patterns = meta::needless(solution);
    let named: Vec<String> = patterns.iter().map(|(role, pattern)| format!("{pattern} for {role}")).collect();
    match named.as_slice() {
        [] => String::new(),
        _ => format!("; `allow` need not name {}: whoever may see may ask {}", named.join(", "), meta::SERVICE),
    }
}

/// Lists the secrets that components name which are not removed.
pub(super) fn secret_names(catalog: &Catalog) -> BTreeSet<SecretName> {
    let entries = catalog.entries().filter(|entry| entry.state() != State::Removed);
    entries.flat_map(|entry| entry.component().secret_names()).cloned().collect()
}

fn unknown(what: meta::Unknown) -> Box<Refusal> {
    let hint = what.hint();
    refusal::hinted(code::NOT_FOUND, what.to_string(), hint)
}

fn cannot_run(name: &Name, fault: &Fault) -> Box<Refusal> {
    let message = format!("component {name} cannot run here: {}", fault.message);
    let hint = "install what it needs on the hub's machine, or name its path";
    refusal::hinted(code::DESCRIPTOR_INVALID, message, hint)
}

/// A worker that was started and is not ready for calls, with what was seen of it.
fn cannot_work(component: &Component, fault: &Fault) -> Box<Refusal> {
    let name = &component.name;
    let evidence = &fault.evidence;
    let mut message = format!("component {name} cannot run here: {}", fault.message);
    if let Some(code) = evidence.exit_code {
        message.push_str(&format!(" (exit status {code})"));
    }
    // A JVM warns of much at its start; what it refuses it says itself.
    let told = matches!(component.shape, Shape::Jar(_)) && fault.kind == FaultKind::InitRefused;
    if let Some(line) = evidence.log_tail.as_deref().and_then(|tail| tail.trim_end().lines().next_back())
        && !told
    {
        message.push_str(&format!("; the last line of its log: {line}"));
    }
    let hint = match component.shape {
        Shape::Process(_) => {
            "run its command by hand; a worker must say `hello` and `ready` within `start_timeout`, see docs/descriptor.md"
        }
        Shape::Jar(_) => "name what is there: `enact component inspect` shows the methods of a jar and what they take",
    };
    refusal::hinted(code::DESCRIPTOR_INVALID, message, hint)
}

pub(crate) fn unusable(error: PackageError) -> Box<Refusal> {
    match error {
        PackageError::Faults(faults) => {
            let message = match faults.as_slice() {
                [one] => format!("the descriptor is not valid: {one}"),
                many => format!("the descriptor has {} faults", many.len()),
            };
            with_faults(&message, faults.into_iter().map(InputFault::from).collect())
        }
        PackageError::NoDescriptor(_) => {
            let hint = "write one beside it: `enact component inspect` prints it";
            refusal::hinted(code::FILE_UNUSABLE, error.to_string(), hint)
        }
        PackageError::Unreadable { .. } | PackageError::Jar { .. } => {
            let hint = "name a component's folder, its component.yaml or its jar, on the hub's machine";
            refusal::hinted(code::FILE_UNUSABLE, error.to_string(), hint)
        }
        PackageError::Store(error) => ours(&error),
    }
}

/// Says what is wrong with a solution.
pub(crate) fn unusable_solution(error: PackageError) -> Box<Refusal> {
    match error {
        PackageError::Unreadable { .. } => {
            let hint = "name a solution's file, or the folder of its solution.yaml, on the hub's machine";
            refusal::hinted(code::FILE_UNUSABLE, error.to_string(), hint)
        }
        _ => unusable(error),
    }
}

fn with_faults(message: &str, faults: Vec<InputFault>) -> Box<Refusal> {
    let mut conclusion = Conclusion::new(code::DESCRIPTOR_INVALID, message);
    conclusion.hint = faults.iter().find_map(|fault| fault.hint.clone());
    Box::new(Refusal { conclusion, faults, execution: None, retry_after_ms: None })
}

fn state_word(state: State) -> &'static str {
    match state {
        State::Active => "active",
        State::Draining => "draining",
        State::Removed => "removed",
    }
}

fn host_state(state: &HostState) -> String {
    match state {
        HostState::Registered => "registered".to_owned(),
        HostState::Probing => "probing".to_owned(),
        HostState::Ready => "ready".to_owned(),
        HostState::Degraded(reason) => format!("degraded: {reason}"),
        HostState::BackingOff { until, reason } => format!("backing off until {until}: {reason}"),
        HostState::Failed(reason) => format!("failed: {reason}"),
        HostState::Draining => "draining".to_owned(),
        HostState::Gone => "gone".to_owned(),
    }
}
