//! What a host saw of one attempt: no judgement, only facts.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::envelope::Envelope;
use crate::json::Json;
use crate::payload::Payload;
use crate::taxonomy::{Category, Cause, Severity, Symptom};
use crate::time::Timestamp;

/// What was seen of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// The reply or the fault.
    pub seen: Seen,
    /// When the host began.
    pub started_at: Timestamp,
    /// When it was over.
    pub ended_at: Timestamp,
    /// The instance that ran it, such as `process 4711` (a fact for people).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
}

/// A reply or a fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// The handler gave its answer.
    Replied(Reply),
    /// Something else happened.
    Fault(Fault),
}

/// What a handler answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The output.
    pub output: Payload,
    /// What it asks to be changed, if its operation `returns: effects`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envelope: Option<Envelope>,
    /// Bytes it produced that are already safe in the artifact store, in the order of the descriptor's `produces`,
    /// then in that of the envelope's artifacts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<StoredArtifact>,
}

/// Bytes in the artifact store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredArtifact {
    /// The name its producer gave it.
    pub name: String,
    /// What it is by type.
    pub media_type: String,
    /// The digest of the content.
    pub digest: Digest,
    /// The size in bytes.
    pub size: u64,
}

/// Something other than an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Whether the handler began to run.
    pub reached: Reached,
    /// Which of the known ways it was.
    pub kind: FaultKind,
    /// What kind of thing is wrong.
    pub category: Category,
    /// How it shows.
    pub symptom: Symptom,
    /// What brought it about.
    pub cause: Cause,
    /// How bad it is.
    pub severity: Severity,
    /// One sentence for people; logic never reads it.
    pub message: String,
    /// What supports it.
    #[serde(default)]
    pub evidence: Evidence,
}

/// Whether a handler began to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reached {
    /// It certainly did not.
    No,
    /// It cannot be known.
    Unknown,
    /// It did.
    Yes,
}

/// What supports a fault; every field is there only if it was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Evidence {
    /// The exit status of a process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The signal that ended a process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// The status of an HTTP response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// The type of an exception.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exception: Option<String>,
    /// The stack of an exception.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack: Option<String>,
    /// The end of what it wrote to its log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_tail: Option<String>,
    /// The error of the operating system, such as `ENOENT`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os_error: Option<String>,
    /// Output that could not be used, kept as an artifact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw_output: Option<StoredArtifact>,
    /// A typed detail that the handler gave with its own failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<Json>,
}

macro_rules! fault_kinds {
    ($($(#[$doc:meta])* $kind:ident = $reached:ident $category:ident $symptom:ident $cause:ident $severity:ident),+ $(,)?) => {
        /// Every way in which a host can fail to bring an answer; each has its own detail code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum FaultKind { $($(#[$doc])* $kind),+ }

        impl FaultKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$kind),+];

            /// Makes the fault with the taxonomy of its kind.
            pub fn fault(self, message: impl Into<String>) -> Fault {
                let (reached, category, symptom, cause, severity) = match self {
                    $(Self::$kind => (Reached::$reached, Category::$category, Symptom::$symptom, Cause::$cause, Severity::$severity)),+
                };
                Fault { reached, kind: self, category, symptom, cause, severity, message: message.into(), evidence: Evidence::default() }
            }
        }
    };
}

fault_kinds! {
    /// The handler answered with an error of its own (an `error` frame that says so).
    HandlerFailed = Yes Operation Unexpected Unknown Error,
    /// The handler broke where it must not: a class that is missing, a stack that ran over.
    HandlerBroken = Yes Component InvariantViolation Inconsistency Error,
    /// The handler answered that the argument does not suit it.
    BadArgument = Yes Argument Invalid Format Error,
    /// The handler does not know the operation.
    UnknownOperation = No Operation NotFound Capability Error,
    /// The program ended with a status other than 0.
    ExitedNonZero = Yes Operation Illegal Unknown Error,
    /// The program ended by a signal.
    Signalled = Yes Component Unexpected Unknown Error,
    /// The attempt's time ran out and the handler was stopped.
    DeadlineExceeded = Unknown Operation Unavailable Timeout Error,
    /// The attempt was stopped because somebody asked for it.
    Stopped = Unknown Operation Unavailable Policy Warning,
    /// The worker ended in the middle of this call.
    CrashedInCall = Unknown Component Unavailable Unknown Error,
    /// The worker ended because of another call, which it was serving beside this one.
    LostWithInstance = Unknown Component Unavailable Relation Error,
    /// The kernel killed it for want of memory.
    OutOfMemory = Unknown Resource Unavailable Exhaustion Error,
    /// The program is not there.
    ProgramMissing = No Configuration NotFound Relation Fatal,
    /// The program may not be executed.
    ProgramNotExecutable = No Configuration PermissionDenied Permission Fatal,
    /// A secret that the handler is to be given cannot be had.
    SecretMissing = No Configuration Missing Relation Error,
    /// The system could not start the program for another reason.
    StartFailed = No Component Unavailable Unknown Error,
    /// The worker ended before it was ready.
    StartDied = No Component UninitializedState Unknown Error,
    /// The worker did not become ready in time.
    StartTimedOut = No Component UninitializedState Timeout Error,
    /// The worker refused its initialisation.
    InitRefused = No Component UninitializedState Guard Error,
    /// The circuit is open: too many starts failed.
    CircuitOpen = No Component Unavailable Policy Error,
    /// The component is being drained or is gone.
    HostGone = No Component NotFound Policy Error,
    /// More output than the limit.
    OutputTooLarge = Yes Value Illegal Limit Error,
    /// A frame that claims more than the limit.
    FrameTooLarge = Unknown Service FormatError Limit Error,
    /// Bytes on the wire that are no frame.
    GarbageOnWire = Unknown Service SyntaxError Format Error,
    /// A frame that breaks the protocol, such as two replies for one call.
    ProtocolBroken = Unknown Service Illegal Inconsistency Error,
    /// The output is not JSON although it should be.
    OutputNotJson = Yes Value SyntaxError Format Error,
    /// The output violates its schema.
    OutputInvalid = Yes Value PostconditionViolation Format Error,
    /// The envelope of effects is malformed.
    EnvelopeInvalid = Yes Record FormatError Format Error,
    /// A file that was to be produced is not there.
    ProducedMissing = Yes Resource Missing Relation Error,
    /// A path leads out of the scratch folder, through `..` or a link.
    PathEscapes = Yes Security Illegal Guard Error,
    /// A referenced artifact is not in the store.
    ArtifactMissing = No Reference InvalidReference Relation Error,
    /// A referenced artifact is no longer what its digest says.
    ArtifactAltered = No Reference Corrupted Corruption Fatal,
    /// A path in the argument is outside its configured root or is not there.
    InputPathRefused = No Argument NotFound Guard Error,
    /// An argument template does not fit the input.
    TemplateUnfit = No Argument Missing Relation Error,
    /// The scratch folder or the artifact store could not be written.
    ScratchUnavailable = No System Unavailable Exhaustion Error,
    /// What the handler produced could not be stored.
    StoreUnavailable = Yes Datastore Unavailable Exhaustion Error,
    /// The hub ended while the attempt ran.
    HubRestarted = Unknown System Unavailable Unknown Error,
    /// The hub ended and its instance could not be proven gone.
    InstanceUnknown = Unknown System ImpossibleState Unknown Error,
    /// The reconciler says that an attempt in doubt did not run.
    ReconciledNotRun = No Operation Missing Unknown Warning,
    /// The host itself panicked.
    HostPanicked = Unknown Subsystem InvariantViolation Unknown Fatal,
    /// A declared effect could not be evaluated over input and output.
    EffectUnfit = Yes Record Missing Relation Error,
    /// A compare-and-set of the handler's state was lost.
    StateConflict = Yes State Conflict Conflict Error,
    /// The refused effect names a reference that is not registered.
    EffectRefused = Yes Reference InvalidReference Relation Error,
    /// A reference contradicts what is registered under its name for the same content.
    ReferenceConflict = Yes Reference Conflict Conflict Error,
}

impl Fault {
    /// Sets whether the handler began to run, where this is known better than the kind alone tells.
    #[must_use]
    pub fn reached(mut self, reached: Reached) -> Self {
        self.reached = reached;
        self
    }
    /// Adds evidence.
    #[must_use]
    pub fn with(mut self, add: impl FnOnce(&mut Evidence)) -> Self {
        add(&mut self.evidence);
        self
    }
}
