//! What the world asks of the ring: commands with their time, ids, actor and facts, as data.

use std::sync::Arc;

use enact_catalog::schema::Fits;
use enact_model::conclusion::Conclusion;
use enact_model::descriptor::{Component, Solution};
use enact_model::digest::Digest;
use enact_model::execution::Execution;
use enact_model::id::{ExecutionId, IntentId, Lsn, MessageId, Name, ReferenceId, SessionId, SinkId, TenantId};
use enact_model::intent::{InputFault, Intent};
use enact_model::json::Json;
use enact_model::observation::{Observation, StoredArtifact};
use enact_model::payload::Payload;
use enact_model::record::Rejection;
use enact_model::reference::Reference;
use enact_model::table::Key;
use enact_model::time::Timestamp;

/// One command.
#[derive(Debug, Clone)]
pub struct Command {
    /// The later of the wall clock and the last record's time.
    pub time: Timestamp,
    /// 128 random bits: every id and every jitter of the command is made of them.
    pub seed: u128,
    /// Who causes it.
    pub actor: Arc<str>,
    /// What it is.
    pub body: CommandBody,
}

/// What a command is.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub enum CommandBody {
    OpenEpoch {
        store_id: String,
        release: String,
    },
    /// An intent that parsed; `parameters` is the value even where the intent carries it by reference. `named_here` tells
    /// that the hub has just made its id: nothing can have it, and the execution gets its number.
    Submit {
        intent: Arc<Intent>,
        parameters: Json,
        named_here: bool,
        suppressed: u64,
        /// The role of who asks.
        role: Option<&'static str>,
    },
    /// An intent that did not parse but can be named.
    Reject {
        intent_id: IntentId,
        tenant: TenantId,
        intent_type: String,
        faults: Vec<InputFault>,
        parameters: String,
        suppressed: u64,
    },
    /// What a host saw. `output` and `input` are the values where record and execution carry them by reference; `raw` is
    /// output that will not do, already in the artifact store. `fits` spares the rules to judge a plain output once more.
    Observe {
        tenant: TenantId,
        execution: ExecutionId,
        attempt: u32,
        observation: Box<Observation>,
        output: Option<Json>,
        input: Option<Json>,
        raw: Option<StoredArtifact>,
        fits: Option<Fits>,
    },
    /// Time has passed.
    Tick,
    Cancel {
        tenant: TenantId,
        execution: ExecutionId,
        reason: String,
        /// The role of who asks.
        role: Option<&'static str>,
    },
    Pause {
        tenant: TenantId,
        execution: ExecutionId,
        reason: String,
        /// The role of who asks.
        role: Option<&'static str>,
    },
    Resume {
        tenant: TenantId,
        execution: ExecutionId,
        reason: String,
        /// The role of who asks.
        role: Option<&'static str>,
    },
    Retry {
        tenant: TenantId,
        execution: ExecutionId,
        reason: String,
        confirm_may_have_run: bool,
        /// The role of who asks.
        role: Option<&'static str>,
    },
    AddComponent {
        component: Arc<Component>,
        digest: Digest,
    },
    DrainComponent {
        name: Name,
        version: String,
        reason: String,
    },
    RemoveComponent {
        name: Name,
        version: String,
        reason: String,
    },
    BindSolution {
        solution: Arc<Solution>,
    },
    OpenSession {
        tenant: TenantId,
        session: Option<SessionId>,
        owner: Option<String>,
        expires_at: Option<Timestamp>,
    },
    UpgradeSession {
        tenant: TenantId,
        session: SessionId,
        owner: String,
    },
    CloseSession {
        tenant: TenantId,
        session: SessionId,
        reason: String,
    },
    SetState {
        tenant: TenantId,
        session: SessionId,
        key: String,
        value: Option<Json>,
        if_version: Option<u64>,
        ttl_ms: Option<u64>,
    },
    RegisterReference {
        reference: Box<Reference>,
    },
    /// What a sink did with a message.
    Deliver {
        tenant: TenantId,
        message: MessageId,
        sink: SinkId,
        result: DeliveryResult,
    },
    Redeliver {
        tenant: TenantId,
        message: MessageId,
        sink: Option<SinkId>,
        reason: String,
        /// The role of who asks.
        role: Option<&'static str>,
    },
    /// Somebody reached for what is not theirs.
    RefuseAccess {
        tenant: TenantId,
        execution: Option<ExecutionId>,
        what: String,
        /// The role of who asked; none for a handler.
        role: Option<&'static str>,
    },
    NoteCheckpoint {
        position: Lsn,
    },
    DropHistory {
        /// Nothing but what is named here needs a record before this position.
        before: Lsn,
        reason: String,
        executions: Vec<(TenantId, ExecutionId)>,
        messages: Vec<(TenantId, MessageId)>,
    },
}

/// What a sink did with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum DeliveryResult {
    Delivered,
    /// It may go better another time.
    Failed {
        reason: String,
        /// Not before this has passed, as the sink itself asked.
        retry_after: Option<std::time::Duration>,
    },
    /// It never will.
    Poison {
        reason: String,
    },
}

/// What a command comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Answer {
    /// Nothing to say: a fact was noted, or there was nothing to note.
    Noted,
    Accepted(ExecutionId),
    /// The same request was accepted before.
    Repeated(ExecutionId),
    Rejected(Box<Rejection>),
    /// A command on an execution was carried out or will be at its next boundary.
    Done(String),
    Session(SessionId),
    Reference(ReferenceId),
    /// It was not done; nothing is logged.
    Refused(Box<Refused>),
}

/// Why a command was not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Refused {
    pub conclusion: Conclusion,
    pub faults: Vec<InputFault>,
    pub retry_after_ms: Option<u64>,
}

impl Command {
    /// Returns the `n`-th id number of this command: its time and 80 bits that follow from its seed.
    pub fn random(&self, n: u64) -> u128 {
        use sha2::{Digest as _, Sha256};
        let mut hasher = Sha256::new();
        hasher.update(self.seed.to_be_bytes());
        hasher.update(n.to_be_bytes());
        let bytes: [u8; 32] = hasher.finalize().into();
        bytes.iter().take(10).fold(0, |number, byte| number << 8 | u128::from(*byte))
    }
    /// Returns the input of an execution: from its record, or as the command brings it; null where it brings none.
    pub fn input(&self, execution: &Execution) -> serde_json::Value {
        let (input, _) = self.brought(execution);
        value(&execution.intent.parameters, input)
    }
    /// Returns the output of an execution: from its outcome, or as the command brings it; null where it brings none.
    pub fn output(&self, execution: &Execution, output: &Payload) -> serde_json::Value {
        let (_, brought) = self.brought(execution);
        value(output, brought)
    }
    /// Returns the input and the output of an execution that the command brings.
    fn brought(&self, execution: &Execution) -> (Option<&Json>, Option<&Json>) {
        match &self.body {
            CommandBody::Observe { execution: id, input, output, .. } if *id == execution.id => {
                (input.as_ref(), output.as_ref())
            }
            _ => (None, None),
        }
    }
    /// Returns the `n`-th execution id of this command.
    pub fn execution_id(&self, n: u64) -> ExecutionId {
        ExecutionId::from_parts(self.time.0, self.random(n))
    }
}

fn value(payload: &Payload, brought: Option<&Json>) -> serde_json::Value {
    payload.inline().or(brought).map_or(serde_json::Value::Null, Json::to_value)
}

impl CommandBody {
    /// Returns the role of whoever steers an execution by it; none for what the hub does by itself.
    pub fn steered_as(&self) -> Option<&'static str> {
        match self {
            Self::Cancel { role, .. }
            | Self::Pause { role, .. }
            | Self::Resume { role, .. }
            | Self::Retry { role, .. } => *role,
            _ => None,
        }
    }

    /// Returns the keys that deciding it reads whatever else is there, as far as they can lie on disk: loaded together, they
    /// let it be decided without asking for one after the other.
    pub fn needs(&self) -> Vec<Key> {
        match self {
            Self::Submit { intent, named_here, .. } => {
                let tenant = &intent.tenant_id;
                let mut keys = vec![Key::session(tenant, &intent.session_id)];
                if !named_here {
                    let named = ExecutionId::from_u128(intent.intent_id.as_u128());
                    keys.extend([Key::intent(tenant, intent.intent_id), Key::execution(tenant, named)]);
                }
                keys.extend(
                    intent.idempotency_key.iter().map(|key| Key::idempotency(tenant, &intent.intent_type, key)),
                );
                keys
            }
            Self::Observe { tenant, execution, .. } => vec![Key::execution(tenant, *execution)],
            _ => Vec::new(),
        }
    }
}

macro_rules! kinds {
    ($($name:ident),+ $(,)?) => {
        impl CommandBody {
            /// The name of every command; one that is missing here, or is none, does not compile.
            pub const KINDS: &[&'static str] = &[$(stringify!($name)),+];

            /// Returns the name of the command, for the table of phases and commands and for the simulator's account.
            pub fn kind(&self) -> &'static str {
                match self {
                    $(Self::$name { .. } => stringify!($name),)+
                }
            }
        }
    };
}

kinds! {
    OpenEpoch, Submit, Reject, Observe, Tick, Cancel, Pause, Resume, Retry, AddComponent, DrainComponent,
    RemoveComponent, BindSolution, OpenSession, UpgradeSession, CloseSession, SetState, RegisterReference, Deliver,
    Redeliver, RefuseAccess, NoteCheckpoint, DropHistory,
}
