//! The shapes under test: a oneshot program and a worker, each with the handler that has every vice.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use enact_host::conformance::{HostUnderTest, Probe, Target};
use enact_host::contract::{ArtifactSource, Host, MaterialiseError};
use enact_host::process::{ProcessConfig, ProcessHost};
use enact_model::descriptor::{ProcessShape, Shape};
use enact_model::digest::Digest;
use enact_model::id::Epoch;

pub const HANDLER: &str = env!("CARGO_BIN_EXE_conformance-handler");

/// An artifact store in memory.
#[derive(Default)]
pub struct Artifacts(pub Mutex<BTreeMap<Digest, Vec<u8>>>);

impl Artifacts {
    pub fn put(&self, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        self.0.lock().unwrap().insert(digest, bytes.to_vec());
        digest
    }
}

impl ArtifactSource for Artifacts {
    fn materialise(&self, digest: &Digest, target: &Path) -> Result<(), MaterialiseError> {
        let held = self.0.lock().unwrap().get(digest).cloned().ok_or(MaterialiseError::Missing(*digest))?;
        if Digest::of(&held) != *digest {
            return Err(MaterialiseError::Altered(*digest));
        }
        Ok(std::fs::write(target, held)?)
    }
}

/// A process host in a folder of its own.
pub struct Bench {
    pub host: Arc<ProcessHost>,
    pub artifacts: Arc<Artifacts>,
    pub folder: tempfile::TempDir,
}

impl Bench {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let artifacts = Arc::new(Artifacts::default());
        let host = open(folder.path(), 1, artifacts.clone());
        Self { host: Arc::new(host), artifacts, folder }
    }
}

pub fn open(folder: &Path, epoch: u64, artifacts: Arc<Artifacts>) -> ProcessHost {
    let config = ProcessConfig {
        store_id: format!("store-{}", folder.display()),
        epoch: Epoch(epoch),
        folder: folder.to_owned(),
        artifacts,
        path: std::env::var_os("PATH").unwrap(),
    };
    ProcessHost::open(config).unwrap().0
}

/// Returns the operation by which the handler knows a probe.
fn name(probe: Probe) -> &'static str {
    match probe {
        Probe::Echo | Probe::SlowStart | Probe::FailingStart | Probe::SilentStart | Probe::RefusedStart => "echo",
        Probe::Sleep => "sleep",
        Probe::TypedFailure => "typed-failure",
        Probe::BadArgument => "bad-argument",
        Probe::Unknown => "unknown",
        Probe::Loop => "loop",
        Probe::Deaf => "deaf",
        Probe::Cooperative => "cooperative",
        Probe::Exit => "exit",
        Probe::GuardedExit => "guarded-exit",
        Probe::Abort => "abort",
        Probe::Kill => "kill",
        Probe::Exhaust => "exhaust",
        Probe::Flood => "flood",
        Probe::BigReply => "big-reply",
        Probe::Header => "header",
        Probe::Garbage => "garbage",
        Probe::Half => "half",
        Probe::TwoReplies => "two-replies",
        Probe::StrayReply => "stray-reply",
        Probe::LateReply => "late-reply",
        Probe::Deep => "deep",
        Probe::BadEffects => "bad-effects",
        Probe::Ask => "ask",
    }
}

const ALL: &[&str] = &[
    "echo",
    "sleep",
    "typed-failure",
    "bad-argument",
    "unknown",
    "loop",
    "deaf",
    "cooperative",
    "exit",
    "guarded-exit",
    "abort",
    "kill",
    "exhaust",
    "flood",
    "big-reply",
    "header",
    "garbage",
    "half",
    "two-replies",
    "stray-reply",
    "late-reply",
    "deep",
    "bad-effects",
    "ask",
    "descriptors",
    "environment",
    "leave-child",
    "leave-session",
    "log",
    "log-and-break",
    "secrets",
];

/// One process for each call.
pub struct Oneshot(pub Bench);

impl Oneshot {
    /// A component with every operation, each of which gives its own name to the handler.
    pub fn component(name: &str, change: impl Fn(&mut ProcessShape)) -> Target {
        let Target { component, service, operation, .. } = Target::oneshot(name, &[HANDLER, "oneshot"], "echo");
        let mut component = (*component).clone();
        let Shape::Process(shape) = &mut component.shape else { unreachable!("it is a process") };
        change(shape);
        let operations = component.services.get_mut(&service).unwrap();
        let echo = operations[&operation].clone();
        for text in ALL {
            let mut made = echo.clone();
            made.call.args = vec![enact_model::descriptor::Argument::Word((*text).to_owned())];
            if *text == "bad-effects" {
                made.returns = enact_model::descriptor::Returns::Effects;
            }
            operations.insert(text.parse().unwrap(), made);
        }
        let digest = Digest::of(name.as_bytes());
        Target { component: Arc::new(component), digest, service, operation }
    }
}

impl HostUnderTest for Oneshot {
    fn name(&self) -> &'static str {
        "process, oneshot"
    }
    fn host(&self) -> Arc<dyn Host> {
        self.0.host.clone()
    }
    fn target(&self, probe: Probe) -> Result<Target, &'static str> {
        let no_wire = "a oneshot program has no wire, only its output and its status";
        let no_start = "a oneshot program has no start apart from its call";
        match probe {
            Probe::BadArgument | Probe::Unknown => Err("a oneshot program tells failures by its status only"),
            Probe::Cooperative => Err("a oneshot program that stops has no instance to keep"),
            Probe::GuardedExit => Ok(Self::component("pricing", |_| {}).at("exit")),
            Probe::Header | Probe::TwoReplies | Probe::StrayReply | Probe::Deep | Probe::Ask => Err(no_wire),
            Probe::LateReply => Ok(Self::component("pricing", |_| {}).at("loop")),
            Probe::SlowStart | Probe::FailingStart | Probe::SilentStart | Probe::RefusedStart => Err(no_start),
            probe => Ok(Self::component("pricing", |_| {}).at(name(probe))),
        }
    }
    fn neighbour(&self) -> Target {
        Self::component("neighbour", |_| {})
    }
    fn is_alive(&self, instance: &str) -> bool {
        alive(instance)
    }
}

/// Kept processes that speak frames.
pub struct Worker(pub Bench);

impl Worker {
    pub fn component(component: &str, mode: &str, change: impl Fn(&mut ProcessShape)) -> Target {
        let mut target = Target::worker(component, &[HANDLER, "worker", mode], "echo", 1, 4);
        let mut made = (*target.component).clone();
        let Shape::Process(shape) = &mut made.shape else { unreachable!("it is a process") };
        change(shape);
        let shape = shape.clone();
        target = Target::of(component, shape, ALL, "echo");
        target
    }
}

impl HostUnderTest for Worker {
    fn name(&self) -> &'static str {
        "process, worker"
    }
    fn host(&self) -> Arc<dyn Host> {
        self.0.host.clone()
    }
    fn target(&self, probe: Probe) -> Result<Target, &'static str> {
        Ok(match probe {
            Probe::SlowStart => Self::component("slow", "slow", |_| {}),
            Probe::FailingStart => Self::component("failing", "dies", |_| {}),
            Probe::SilentStart => Self::component("silent", "silent", |shape| shape.start_timeout_ms = 200),
            Probe::RefusedStart => Self::component("refusing", "refuses", |_| {}),
            Probe::Deaf => Self::component("deaf", "deaf", |_| {}).at("loop"),
            probe => Self::component("pricing", "plain", |_| {}).at(name(probe)),
        })
    }
    fn neighbour(&self) -> Target {
        Self::component("neighbour", "plain", |_| {})
    }
    fn is_alive(&self, instance: &str) -> bool {
        alive(instance)
    }
}

/// Returns whether an instance named `process N` waits to be reaped, or anything of its process group still runs.
pub fn alive(instance: &str) -> bool {
    let pid: i32 = instance.strip_prefix("process ").and_then(|pid| pid.parse().ok()).unwrap();
    let all = enact_host::proc::all().unwrap();
    all.contains_key(&pid) || all.values().any(|facts| facts.group == pid && facts.is_alive())
}

/// Returns the living processes that sleep for a number of seconds which only one test uses.
pub fn sleepers(seconds: &str) -> Vec<i32> {
    let all = enact_host::proc::all().unwrap();
    let living = all.values().filter(|facts| facts.is_alive()).map(|facts| facts.pid);
    living
        .filter(|pid| {
            std::fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|words| words.contains(seconds))
        })
        .collect()
}
