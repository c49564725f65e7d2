//! The contract between the runtime and whatever runs a component: calls in, observations out, never an error.

mod cancel;
mod observed;
mod port;
mod secrets;
mod stats;

use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use enact_model::context::ExecutionContext;
use enact_model::descriptor::{Component, Operation, Pointer};
use enact_model::digest::Digest;
use enact_model::id::Name;
use enact_model::json::Json;
use enact_model::observation::Fault;

use crate::jar::Runtimes;

pub use cancel::{CancelSource, CancelToken, Stop, StopKind};
pub use observed::{Content, HostObservation, HostReply, HostSeen, ProducedFile};
pub use port::{ContextPort, PortError, RefusedRequest, StateValue};
pub use secrets::Secrets;
pub use stats::{HostState, HostStats, InstanceStats};

/// A future that a trait object can return.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One attempt, as the runtime asks for it.
#[derive(Debug, Clone)]
pub struct Call {
    /// What the handler is told of its call.
    pub context: ExecutionContext,
    /// The component, as it was pinned at admission.
    pub component: Arc<Component>,
    /// The digest of the component's package.
    pub digest: Digest,
    /// The service.
    pub service: Name,
    /// The operation.
    pub operation_name: Name,
    /// The parameters.
    pub argument: Json,
    /// The secrets that the handler is given.
    pub secrets: Secrets,
    /// The artifacts that the operation's templates point at, by the pointer that finds them in the argument.
    pub files: BTreeMap<Pointer, ResolvedFile>,
    /// How long the attempt may take from now on, by the monotonic clock.
    pub budget: Duration,
}

impl Call {
    /// Returns the operation that is called, if the component has it.
    pub fn operation(&self) -> Option<&Operation> {
        self.component.operation(&self.service, &self.operation_name)
    }
}

/// An artifact that the runtime has found for a reference in the argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedFile {
    /// What it must be.
    pub digest: Digest,
    /// Its name; only the last part of it is used, and only for people and for programs that look at extensions.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// Its size in bytes.
    pub size: u64,
}

/// Where the bytes of artifacts and packaged files come from.
pub trait ArtifactSource: Send + Sync {
    /// Writes the bytes of `digest` to the new file `target`, verified; it may link where the file system allows a
    /// copy that cannot be changed through the link. Called on a thread that may block.
    ///
    /// # Errors
    /// The artifact is missing or altered, or the target cannot be written.
    fn materialise(&self, digest: &Digest, target: &Path) -> Result<(), MaterialiseError>;
}

/// Why an artifact could not be brought to a folder.
#[derive(Debug, thiserror::Error)]
pub enum MaterialiseError {
    /// The store does not have it.
    #[error("failed to find the artifact {0}")]
    Missing(Digest),
    /// Its bytes are not what the digest says.
    #[error("failed to verify the artifact {0}")]
    Altered(Digest),
    /// The target could not be written.
    #[error("failed to copy an artifact")]
    Io(#[from] std::io::Error),
}

/// What a host found when it looked for what a component needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    /// Facts by name, such as `program` → `/usr/bin/python3`.
    pub facts: BTreeMap<String, String>,
}

/// The driver that runs the components of one shape.
pub trait Host: Send + Sync {
    /// Tells whether what the component needs is on this machine.
    ///
    /// # Errors
    /// What is missing, as the fault that every call would meet.
    fn fingerprint(&self, component: &Component) -> Result<Fingerprint, Fault>;

    /// Lists what is on this machine to run components of this shape, for people. May block.
    fn runtimes(&self) -> Runtimes {
        Runtimes::default()
    }

    /// Makes a component version callable. Calling it again for the same version and digest changes nothing; a version
    /// that is drained may be started again.
    ///
    /// # Errors
    /// The package cannot be brought to this machine, or what it needs is not here. An instance that does not start is
    /// not an error here: it shows in [`Host::stats`] and as the observation of a call.
    fn start<'a>(&'a self, component: Arc<Component>, digest: Digest) -> BoxFuture<'a, Result<(), Fault>>;

    /// Finds out whether a started version can work: where instances are kept it starts one and keeps it for the first
    /// call. It takes at most as long as a start may.
    ///
    /// # Errors
    /// Why the instance did not start.
    fn probe<'a>(&'a self, _name: &'a Name, _version: &'a str) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Runs one attempt to its end. It is over within the budget, or the stop's grace, plus the time a kill takes.
    ///
    /// # Cancel safety
    /// Dropping the future kills a process that runs for this attempt alone, and nobody waits until it is gone; a call
    /// in an instance that others share runs on to its end or its deadline. So stop an attempt through its token and
    /// await the observation.
    fn invoke<'a>(
        &'a self,
        call: Call,
        port: Arc<dyn ContextPort>,
        cancel: CancelToken,
    ) -> BoxFuture<'a, HostObservation>;

    /// Lets the calls of one version finish, takes no new ones, and ends its instances.
    fn drain<'a>(&'a self, name: &'a Name, version: &'a str) -> BoxFuture<'a, ()>;

    /// Tells how every started version does.
    fn stats(&self) -> Vec<HostStats>;

    /// Ends everything: calls in flight are stopped, instances killed and reaped.
    fn shutdown<'a>(&'a self) -> BoxFuture<'a, ()>;
}
