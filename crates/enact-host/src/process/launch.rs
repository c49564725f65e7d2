//! What the shapes that run processes differ in: which program is started, how it is fed, and what is kept.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use enact_model::descriptor::{Operation, ProcessMode, ProcessShape, Recycle, Stdin};
use enact_model::json::Json;
use enact_model::observation::Fault;
use enact_model::time::Timestamp;

use super::Ground;
use super::package::{self, Package};
use super::prepare::Prepared;
use super::template::{self, Input};
use super::version::{Counts, Version};
use crate::contract::{BoxFuture, Call, CancelToken, ContextPort, HostObservation, HostState, InstanceStats};

/// A program and its arguments.
#[derive(Debug, Clone)]
pub(crate) struct Words {
    pub program: PathBuf,
    pub args: Vec<OsString>,
}

/// What a program reads on its standard input.
#[derive(Debug)]
pub(crate) enum Feed {
    Nothing,
    File(PathBuf),
    Bytes(Vec<u8>),
}

/// The processes that are kept for a component version.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    /// Most that take calls.
    pub instances_max: u32,
    /// As many are started again without waiting for a call, once one was used.
    pub warm: u32,
    /// As many stay, however long they have no call.
    pub stay: u32,
    /// How long another one may have no call before it ends.
    pub idle: Duration,
    /// Most calls in flight in one.
    pub calls_max: u32,
    /// How long one may take until it is ready.
    pub start_timeout_ms: u64,
    /// What `init` carries.
    pub config: Option<Json>,
    /// When one is replaced.
    pub recycle: Recycle,
    /// Most threads of one.
    pub threads_max: Option<u32>,
}

/// How the processes of one component version are started.
pub(crate) trait Launch: Send + Sync {
    /// Returns what is kept, if anything is.
    fn kept(&self) -> Option<Kept>;

    /// Returns whether an operation runs in what is kept; otherwise it has a process for each attempt.
    fn is_kept(&self, operation: &Operation) -> bool;

    /// Returns what starts a process that is kept. Blocks.
    ///
    /// # Errors
    /// What it needs is not here any more.
    fn instance(&self) -> Result<Words, Fault>;

    /// Returns what starts a process for one attempt. Blocks.
    ///
    /// # Errors
    /// The argument does not fit, or what it needs is not here any more.
    fn attempt(&self, operation: &Operation, argument: &Json, prepared: &Prepared) -> Result<(Words, Feed), Fault>;

    /// Returns the most memory of one process as the system limits it, in bytes.
    fn memory_bytes(&self) -> Option<u64>;

    /// Returns the place where its operations are kept together with those of other components, if they are.
    fn shared(&self) -> Option<&dyn Shared> {
        None
    }

    /// Is told what a process that is kept has refused of what it was given, with the reasons, before it takes calls.
    fn refused(&self, _refused: &BTreeMap<String, String>) {}

    /// Is told that a process that is kept has become ready.
    fn started(&self, _version: &Arc<Version>) {}

    /// Returns what an earlier process said in its `ready` that the next one need not find out again.
    fn remembered(&self) -> Option<Json> {
        None
    }

    /// Is told what a process said in its `ready` for the next one.
    fn remember(&self, _memory: Option<Json>) {}

    /// Is told that a call has asked a process that is kept to end, or that one has ended by itself while it had calls.
    fn exits(&self) {}

    /// Reads a failure that a handler answered with more closely than its code tells.
    fn closer(&self, fault: Fault) -> Fault {
        fault
    }
}

/// Processes that a component version shares with others.
pub(crate) trait Shared: Send + Sync {
    /// Runs one attempt that was admitted.
    fn invoke<'a>(
        &'a self,
        operation: &'a Operation,
        call: Arc<Call>,
        port: Arc<dyn ContextPort>,
        cancel: &'a CancelToken,
        started_at: Timestamp,
    ) -> BoxFuture<'a, HostObservation>;

    /// Starts a process if none is there that has the version.
    ///
    /// # Errors
    /// It did not start, or has refused the version.
    fn probe(&self) -> BoxFuture<'_, Result<(), Fault>>;

    /// Takes the version out; nothing of it is called any more.
    fn leave(&self);

    /// Tells how the processes with the version do.
    fn stats(&self) -> (HostState, Vec<InstanceStats>);

    /// Returns what was counted of the processes.
    fn counts(&self) -> &Counts;
}

/// The arguments of a program that is run once and what it reads, from the templates of its operation.
pub(crate) fn templates(
    operation: &Operation,
    argument: &Json,
    prepared: &Prepared,
    roots: &BTreeMap<String, PathBuf>,
) -> Result<(Vec<OsString>, Feed), Fault> {
    let input = Input::new(argument);
    let scratch = prepared.scratch.path();
    let filled = |word| template::argument(word, &input, &prepared.files, roots, scratch);
    let args = operation.call.args.iter().map(filled).collect::<Result<_, _>>()?;
    let feed = match &operation.call.stdin {
        Stdin::Empty => Feed::Nothing,
        Stdin::File(pointer) => Feed::File(template::file(pointer, &prepared.files)?.clone()),
        Stdin::Json => Feed::Bytes(argument.as_str().as_bytes().to_vec()),
        Stdin::Text(pointer) => Feed::Bytes(input.scalar(pointer)?.into_bytes()),
    };
    Ok((args, feed))
}

/// The shape `process`.
pub(super) struct Program {
    ground: Arc<Ground>,
    shape: ProcessShape,
    package: Package,
}

impl Program {
    /// Brings the package here and checks the programs that it is to start. Blocks.
    pub fn new(
        ground: Arc<Ground>,
        shape: &ProcessShape,
        operations: impl Iterator<Item = Operation>,
    ) -> Result<Self, Fault> {
        let package = Package::materialise(shape, &ground.packages, ground.artifacts.clone())?;
        let program = Self { ground, shape: shape.clone(), package };
        if !shape.command.is_empty() {
            program.words(&shape.command)?;
        }
        for operation in operations {
            if let Some(words) = &operation.call.command {
                program.words(words)?;
            }
        }
        Ok(program)
    }

    fn words(&self, words: &[String]) -> Result<Words, Fault> {
        let folder = Some(self.package.path());
        let (program, args) = package::command(words, &self.shape.files, folder, &self.ground.path)?;
        Ok(Words { program, args })
    }
}

impl Launch for Program {
    fn kept(&self) -> Option<Kept> {
        let shape = &self.shape;
        (shape.mode == ProcessMode::Worker).then(|| Kept {
            instances_max: shape.instances.max(1),
            warm: 0,
            stay: 1,
            idle: Duration::from_millis(shape.idle_ms),
            calls_max: shape.calls_in_flight.max(1),
            start_timeout_ms: shape.start_timeout_ms,
            config: shape.config.clone(),
            recycle: Recycle::default(),
            threads_max: None,
        })
    }

    fn is_kept(&self, _: &Operation) -> bool {
        self.shape.mode == ProcessMode::Worker
    }

    fn instance(&self) -> Result<Words, Fault> {
        self.package.bring()?;
        self.words(&self.shape.command)
    }

    fn attempt(&self, operation: &Operation, argument: &Json, prepared: &Prepared) -> Result<(Words, Feed), Fault> {
        self.package.bring()?;
        let mut words = self.words(operation.call.command.as_ref().unwrap_or(&self.shape.command))?;
        let (args, feed) = templates(operation, argument, prepared, &self.shape.roots)?;
        words.args.extend(args);
        Ok((words, feed))
    }

    fn memory_bytes(&self) -> Option<u64> {
        self.shape.memory_bytes
    }
}
