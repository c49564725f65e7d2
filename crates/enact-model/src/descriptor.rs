//! What a component is: its shape, services, operations and declared effects, as the catalog has validated them.

mod jar;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::id::{IntentType, Name, SecretName, Selector};
use crate::json::Json;

pub use jar::{JarShape, JavaCall, JavaMain, JavaMethod, JavaParam, JavaRange, Recycle};

/// One validated component. It stands whole in `ComponentAdded`, so that replay needs no file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Component {
    /// Its name.
    pub name: Name,
    /// Its version, by semver.
    pub version: String,
    /// One line for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// How it is packaged.
    pub shape: Shape,
    /// Secrets that every handler of it is given, by the variable or key under which it looks for them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, SecretName>,
    /// Its services and their operations.
    pub services: BTreeMap<Name, BTreeMap<Name, Operation>>,
}

impl Component {
    /// Finds an operation.
    pub fn operation(&self, service: &Name, operation: &Name) -> Option<&Operation> {
        self.services.get(service)?.get(operation)
    }
    /// Lists the secrets that a handler is given, by the variable or key under which it looks for them: those of the
    /// component, and over them those of the operation.
    pub fn secrets_of<'a>(&'a self, operation: &'a Operation) -> BTreeMap<&'a str, &'a SecretName> {
        self.secrets.iter().chain(&operation.secrets).map(|(key, name)| (key.as_str(), name)).collect()
    }
    /// Lists every secret that it names.
    pub fn secret_names(&self) -> BTreeSet<&SecretName> {
        let operations = self.services.values().flat_map(BTreeMap::values);
        self.secrets.values().chain(operations.flat_map(|operation| operation.secrets.values())).collect()
    }
    /// Lists every operation with its selector, in order.
    pub fn operations(&self) -> impl Iterator<Item = (Selector, &Operation)> {
        self.services.iter().flat_map(move |(service, operations)| {
            operations.iter().map(move |(operation, body)| {
                let selector =
                    Selector { component: self.name.clone(), service: service.clone(), operation: operation.clone() };
                (selector, body)
            })
        })
    }
}

/// How a component is packaged; exactly one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// A program of the operating system.
    Process(ProcessShape),
    /// Java archives in a supervised JVM.
    Jar(JarShape),
}

impl From<ProcessShape> for Shape {
    fn from(shape: ProcessShape) -> Self {
        Self::Process(shape)
    }
}

impl From<JarShape> for Shape {
    fn from(shape: JarShape) -> Self {
        Self::Jar(shape)
    }
}

impl Shape {
    /// Returns the key that names it in a descriptor.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Process(_) => "process",
            Self::Jar(_) => "jar",
        }
    }
    /// Returns the files of the package, by name relative to the descriptor, with their digests.
    pub fn files(&self) -> &BTreeMap<String, Digest> {
        match self {
            Self::Process(shape) => &shape.files,
            Self::Jar(shape) => &shape.files,
        }
    }
    /// Returns the folders that operations may take files from, by name.
    pub fn roots(&self) -> &BTreeMap<String, PathBuf> {
        match self {
            Self::Process(shape) => &shape.roots,
            Self::Jar(shape) => &shape.roots,
        }
    }
    /// Returns the environment that its processes are given.
    pub fn env(&self) -> &BTreeMap<String, String> {
        match self {
            Self::Process(shape) => &shape.env,
            Self::Jar(shape) => &shape.env,
        }
    }
}

/// `process:` — a program, run once for each attempt or kept as a worker that speaks frames.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessShape {
    /// Program and leading arguments. A first word without `/` is looked up in `PATH`; one with `/` is relative to the
    /// package folder. A later word equal to the name of a packaged file stands for its path.
    pub command: Vec<String>,
    /// Whether it is run once or kept.
    pub mode: ProcessMode,
    /// Environment of the child, which is otherwise empty but for `PATH`, `HOME`, `TMPDIR` and `LANG`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Files of the package, by name relative to the descriptor, with their digests.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, Digest>,
    /// Folders that operations may take files from, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub roots: BTreeMap<String, PathBuf>,
    /// Most memory of one process, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Most workers kept (mode `worker`).
    #[serde(default = "one")]
    pub instances: u32,
    /// Most calls in flight in one worker.
    #[serde(default = "one")]
    pub calls_in_flight: u32,
    /// How long a worker may take until it is ready, in milliseconds.
    #[serde(default = "ten_seconds")]
    pub start_timeout_ms: u64,
    /// How long a worker but the last may have no call before it ends, in milliseconds.
    #[serde(default = "idle", skip_serializing_if = "is_usual_idle")]
    pub idle_ms: u64,
    /// Configuration handed to a worker's `init`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Json>,
}

/// How long a process that is not needed is kept if nothing is said, in milliseconds.
pub const IDLE_MS: u64 = 5 * 60 * 1_000;

fn one() -> u32 {
    1
}
fn idle() -> u64 {
    IDLE_MS
}
fn is_usual_idle(ms: &u64) -> bool {
    *ms == IDLE_MS
}
fn ten_seconds() -> u64 {
    10_000
}

/// Whether a program is run once or kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessMode {
    /// One process for each attempt.
    Oneshot,
    /// Long-lived, frames over fd 0 (DESIGN §5.3).
    Worker,
}

/// Whether an operation changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationKind {
    /// It has no effects of its own and may run again.
    Query,
    /// It may change the world.
    Command,
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// One line for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// Whether it changes anything.
    pub kind: OperationKind,
    /// Whether it may run again with the same token.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub idempotent: bool,
    /// How it is called.
    pub call: Call,
    /// Secrets that its handler is given beside those of the component, by the variable or key under which it looks
    /// for them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, SecretName>,
    /// JSON Schema of the parameters, files inlined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Json>,
    /// JSON Schema of the output, files inlined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Json>,
    /// Deadline of one attempt, in milliseconds.
    pub timeout_ms: u64,
    /// How it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// How many at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Concurrency>,
    /// The operation that tells what became of an attempt in doubt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconcile: Option<Selector>,
    /// The operation that undoes this one (sagas).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compensate: Option<Selector>,
    /// Further intent types that reach it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub handles: Vec<IntentType>,
    /// What the handler's answer is: the output, or an envelope of effects.
    #[serde(default)]
    pub returns: Returns,
    /// Artifacts made from what the program leaves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub produces: Vec<Produce>,
    /// A template of the output over input and artifacts, in place of what the program printed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Template>,
    /// Events to promise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emits: Vec<Emit>,
    /// State to change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub state: Vec<StateEffect>,
}

impl Operation {
    /// Returns whether another attempt may follow one that may have run.
    pub fn may_run_again(&self) -> bool {
        self.kind == OperationKind::Query || self.idempotent
    }
    /// Returns the deadline of one attempt.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}

/// What the handler's answer is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Returns {
    /// The output itself.
    #[default]
    Output,
    /// `{output, state, events, artifacts, references, derived}`.
    Effects,
}

/// How an operation is called.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Call {
    /// Replaces the shape's command (mode `oneshot`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// Arguments that follow the command (mode `oneshot`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<Argument>,
    /// What the program reads on its standard input (mode `oneshot`).
    pub stdin: Stdin,
    /// How its standard output becomes the output (mode `oneshot`).
    pub stdout: Stdout,
    /// Exit statuses that count as success.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub success: Vec<i32>,
    /// Most bytes of standard output, and of every produced file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_max_bytes: Option<u64>,
    /// The name by which the worker knows the operation (mode `worker`); its own name if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The method or the main class (shape `jar`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub java: Option<JavaCall>,
}

/// One argument of a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Argument {
    /// The word itself.
    Word(String),
    /// The scalar at this pointer of the input, as text.
    Value(Pointer),
    /// The reference at this pointer of the input: its bytes, as a read-only file in the scratch folder.
    File(Pointer),
    /// The relative path at this pointer, inside a configured root.
    Root {
        /// The root's name.
        root: String,
        /// Where the input names the path.
        path: Pointer,
    },
    /// A file in the scratch folder that the program is to write.
    Out(String),
}

/// What a program reads on its standard input.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stdin {
    /// The input as JSON.
    Json,
    /// Nothing.
    #[default]
    Empty,
    /// The text at this pointer of the input.
    Text(Pointer),
    /// The bytes of the reference at this pointer.
    File(Pointer),
}

/// How standard output becomes the output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stdout {
    /// It must be one JSON value.
    #[default]
    Json,
    /// It is a text; the output is a JSON string.
    Text,
    /// It is thrown away, or taken by `produces`; the output is `null` unless `result` makes one.
    Ignore,
}

/// A JSON pointer (RFC 6901). In declared effects `/input`, `/output` and `/artifacts` name the three sources; any
/// other pointer looks into the input.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pointer(pub String);

/// JSON in which every string that begins with `/` is a pointer, and `//…` stands for the text `/…`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Template(pub Json);

/// How an operation is tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// Attempts in all.
    pub attempts: u32,
    /// First pause, in milliseconds.
    pub backoff_min_ms: u64,
    /// Longest pause, in milliseconds.
    pub backoff_max_ms: u64,
    /// Which faults are tried again.
    pub on: RetryOn,
}

/// Which faults are tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryOn {
    /// Whatever a retry may mend.
    Any,
    /// Only what certainly did not reach the handler.
    NotReached,
}

/// How many attempts of an operation run at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Concurrency {
    /// At most so many (for each value of the key, if there is one).
    pub limit: u32,
    /// The part of the input that tells them apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Pointer>,
}

/// One artifact made from what the program leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Produce {
    /// Its name; `{/pointer}` inside it is replaced.
    pub artifact: String,
    /// Where it comes from.
    pub from: ProduceFrom,
    /// Its media type.
    pub media_type: String,
    /// The references in the input that it is derived from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub derived_from: Vec<Pointer>,
}

/// Where a produced artifact comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProduceFrom {
    /// Standard output.
    Stdout,
    /// A file in the scratch folder.
    File(String),
}

/// When a declared effect applies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum On {
    /// With a completed outcome.
    #[default]
    Completed,
    /// With a failed outcome.
    Failed,
}

/// One declared event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Emit {
    /// The CloudEvents type.
    pub event_type: String,
    /// When.
    #[serde(default)]
    pub on: On,
    /// What keeps order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Pointer>,
    /// The CloudEvents data; absent means the output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Template>,
}

/// One declared change of state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateEffect {
    /// Whose state.
    pub scope: crate::envelope::StateScope,
    /// The key.
    pub key: String,
    /// The value; absent means delete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Template>,
    /// How long it lives, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<u64>,
}

/// One validated solution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Solution {
    /// Its name.
    pub name: crate::id::SolutionId,
    /// The components it uses, with version requirements by semver.
    pub components: BTreeMap<Name, String>,
    /// What its intent types mean.
    pub intents: BTreeMap<IntentType, Selector>,
    /// Which roles may call what: role → selector patterns.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub allow: BTreeMap<String, Vec<String>>,
    /// Where its messages go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sinks: Vec<crate::id::SinkId>,
}
