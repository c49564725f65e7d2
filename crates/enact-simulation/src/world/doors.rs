//! The simulated callers: random intents, repetitions, and everything that operators may ask, sensible or not.

use std::collections::BTreeMap;
use std::sync::Arc;

use enact_engine::command::CommandBody;
use enact_model::digest::Digest;
use enact_model::id::{ExecutionId, IntentId, Lsn, MessageId, ReferenceId, SessionId, SinkId, TenantId};
use enact_model::intent::{InputFault, Intent};
use enact_model::json::Json;
use enact_model::payload::Payload;
use enact_model::reference::Reference;
use enact_model::time::Timestamp;
use serde_json::json;

use crate::cast::{self, DEFAULT_SINK, TENANTS, VERSIONS};
use crate::random::Random;

/// What callers know of, from what the hub told them.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Executions, settled ones among them.
    pub executions: Vec<(TenantId, ExecutionId)>,
    /// Messages with their sinks.
    pub messages: Vec<(TenantId, MessageId, Vec<SinkId>)>,
    /// References.
    pub references: Vec<(TenantId, ReferenceId)>,
    /// Sessions that were opened.
    pub sessions: Vec<(TenantId, SessionId)>,
    /// Intents that were sent, with their parameters by value.
    pub sent: Vec<(Arc<Intent>, Json)>,
    /// Parameters that are kept by reference.
    pub stored: BTreeMap<Digest, Json>,
    /// The position of the last record.
    pub position: Lsn,
}

/// The callers.
#[derive(Debug, Clone)]
pub struct Doors {
    /// The share of intents that the first tenant sends, in percent.
    pub flood: u64,
    /// The share of asks that are no intents, in percent.
    pub operators: u64,
}

const TYPES: [&str; 11] = [
    "shop.main.look",
    "shop.main.pay",
    "shop.main.pay",
    "shop.main.ship",
    "shop.main.ship",
    "shop.main.book",
    "shop.main.book",
    "shop.main.print",
    "shop.main.read",
    "shop.main.sign",
    "desk.main.find",
];

impl Doors {
    /// Makes the next ask.
    pub fn ask(&self, random: &mut Random, known: &mut Known, now: Timestamp) -> CommandBody {
        if !random.chance(self.operators) {
            return if random.chance(4) { reject(random, known) } else { self.submit(random, known, now) };
        }
        match random.below(36) {
            0..4 => {
                let (tenant, execution) = execution(random, known);
                CommandBody::Cancel { tenant, execution, reason: "changed my mind".to_owned(), role: Some("operator") }
            }
            4..8 => {
                let (tenant, execution) = execution(random, known);
                CommandBody::Pause { tenant, execution, reason: "lunch".to_owned(), role: Some("operator") }
            }
            8..13 => {
                let (tenant, execution) = execution(random, known);
                CommandBody::Resume { tenant, execution, reason: "lunch is over".to_owned(), role: Some("operator") }
            }
            13..17 => {
                let (tenant, execution) = execution(random, known);
                let reason = "try again".to_owned();
                CommandBody::Retry { tenant, execution, reason, confirm_may_have_run: random.chance(50), role: None }
            }
            17..21 => session(random, known, now),
            21..24 => set_state(random, known),
            24..26 => register(random, known, now),
            26..30 => catalog(random),
            30..32 => redeliver(random, known),
            32 => CommandBody::RefuseAccess {
                tenant: tenant(random),
                execution: None,
                what: "another's state".to_owned(),
                role: Some("viewer"),
            },
            33 => CommandBody::NoteCheckpoint { position: known.position },
            _ => drop_history(random, known),
        }
    }

    fn submit(&self, random: &mut Random, known: &mut Known, now: Timestamp) -> CommandBody {
        if let Some((intent, parameters)) = again(random, known, now) {
            return CommandBody::Submit { intent, parameters, named_here: false, suppressed: 0, role: None };
        }
        let tenant_id = if random.chance(self.flood) { cast::tenant(TENANTS[0]) } else { tenant(random) };
        let solution = if random.chance(25) { "sales" } else { "default" };
        let intent_type = match random.below(20) {
            0 => "shop.main.lok",
            1 => "find-thing",
            2 => "sell",
            3 => "rival.main.find",
            _ => random.word(&TYPES),
        };
        let parameters = parameters(random, known, &tenant_id, intent_type);
        let payload = if random.chance(10) {
            let digest = Digest::of(parameters.as_str().as_bytes());
            known.stored.insert(digest, parameters.clone());
            Payload::Stored { digest, size: parameters.as_str().len() as u64 }
        } else {
            Payload::Inline(parameters.clone())
        };
        let intent = Arc::new(Intent {
            intent_id: IntentId::from_parts(now.0, random.wide()),
            intent_type: intent_type.parse().expect("the cast's types have names"),
            session_id: session_of(random, known, &tenant_id),
            tenant_id,
            solution_id: solution.parse().expect("the cast's solutions have names"),
            parameters: payload,
            metadata: BTreeMap::new(),
            created_at: now,
            idempotency_key: random.chance(40).then(|| format!("key-{}", random.below(12))),
            deadline_ms: random.chance(30).then(|| {
                let most = if random.chance(50) { 400 } else { 5_000 };
                random.between(20, most)
            }),
            start_after: random.chance(12).then(|| Timestamp(now.0 + random.below(3_000) - random.below(500))),
        });
        // What the hub named itself nobody can have sent before or send again.
        let named_here = random.chance(50);
        if !named_here {
            known.sent.push((Arc::clone(&intent), parameters.clone()));
        }
        CommandBody::Submit { intent, parameters, named_here, suppressed: 0, role: None }
    }
}

/// Sends an intent of before: the very same, one with its key, or one with its id and other content.
fn again(random: &mut Random, known: &Known, now: Timestamp) -> Option<(Arc<Intent>, Json)> {
    let recent = known.sent.len().saturating_sub(30);
    let (intent, parameters) = random.pick(known.sent.get(recent..)?)?.clone();
    match random.below(12) {
        0 => Some((intent, parameters)),
        1 => {
            let intent_id = IntentId::from_parts(now.0, random.wide());
            Some((Arc::new(Intent { intent_id, ..(*intent).clone() }), parameters))
        }
        2 if random.chance(30) => {
            let parameters = Json::from(&json!({"n": random.below(9), "customer": "c9"}));
            let payload = Payload::Inline(parameters.clone());
            Some((Arc::new(Intent { parameters: payload, ..(*intent).clone() }), parameters))
        }
        _ => None,
    }
}

fn parameters(random: &mut Random, known: &Known, tenant: &TenantId, intent_type: &str) -> Json {
    let customer = format!("c{}", random.below(3));
    let mut value = json!({"n": random.below(100), "customer": customer});
    if random.chance(5) {
        value = json!({"n": "many", "customer": customer});
    }
    if intent_type == "shop.main.read" {
        let own: Vec<ReferenceId> =
            known.references.iter().filter(|(owner, _)| owner == tenant).map(|(_, reference)| *reference).collect();
        let reference = match (random.pick(&own), random.pick(&known.references)) {
            (Some(own), _) if random.chance(75) => Some(*own),
            (_, Some((_, any))) if random.chance(60) => Some(*any),
            _ => random.chance(50).then(|| ReferenceId::from_u128(random.wide())),
        };
        if let (Some(reference), Some(object)) = (reference, value.as_object_mut()) {
            object.insert("document".into(), json!({"id": reference}));
        }
    }
    Json::from(&value)
}

fn tenant(random: &mut Random) -> TenantId {
    cast::tenant(random.word(&TENANTS))
}

fn session_of(random: &mut Random, known: &Known, tenant: &TenantId) -> SessionId {
    let opened: Vec<&SessionId> =
        known.sessions.iter().rev().filter(|(owner, _)| owner == tenant).map(|(_, session)| session).take(4).collect();
    match random.pick(&opened) {
        Some(session) if random.chance(40) => (*session).clone(),
        _ => SessionId::default_session(),
    }
}

/// Picks an execution, mostly a recent one, sometimes one that is another tenant's or nobody's.
fn execution(random: &mut Random, known: &Known) -> (TenantId, ExecutionId) {
    let recent = if random.chance(85) { known.executions.len().saturating_sub(25) } else { 0 };
    match random.pick(known.executions.get(recent..).unwrap_or_default()) {
        Some((_, execution)) if random.chance(4) => (tenant(random), *execution),
        Some((tenant, execution)) => (tenant.clone(), *execution),
        None => (tenant(random), ExecutionId::from_u128(random.wide())),
    }
}

fn reject(random: &mut Random, known: &Known) -> CommandBody {
    let used = random.pick(&known.sent).filter(|_| random.chance(40)).map(|(intent, _)| intent.clone());
    CommandBody::Reject {
        intent_id: used.as_ref().map_or_else(|| IntentId::from_u128(random.wide()), |intent| intent.intent_id),
        tenant: used.as_ref().map_or_else(|| tenant(random), |intent| intent.tenant_id.clone()),
        intent_type: "shop.main.pay".to_owned(),
        faults: vec![InputFault::new("deadline", "it is no duration")],
        parameters: "{}".to_owned(),
        suppressed: 0,
    }
}

fn session(random: &mut Random, known: &Known, now: Timestamp) -> CommandBody {
    let (owner, session) = match random.pick(&known.sessions) {
        Some((owner, session)) if random.chance(90) => (owner.clone(), session.clone()),
        _ => (tenant(random), "nobody".parse().expect("the cast's sessions have names")),
    };
    match random.below(5) {
        0 => CommandBody::UpgradeSession { tenant: owner, session, owner: format!("user-{}", random.below(2)) },
        1 if random.chance(60) => CommandBody::CloseSession { tenant: owner, session, reason: "over".to_owned() },
        _ => {
            let name = format!("s{}", random.below(8)).parse().expect("the cast's sessions have names");
            CommandBody::OpenSession {
                tenant: tenant(random),
                session: random.chance(70).then_some(name),
                owner: random.chance(50).then(|| "user-0".to_owned()),
                expires_at: random.chance(30).then(|| Timestamp(now.0 + random.between(0, 5_000))),
            }
        }
    }
}

fn set_state(random: &mut Random, known: &Known) -> CommandBody {
    let tenant = tenant(random);
    let session = session_of(random, known, &tenant);
    CommandBody::SetState {
        tenant,
        session,
        key: random.word(&["stock", "temp"]).to_owned(),
        value: random.chance(85).then(|| Json::from(&json!(random.below(1_000)))),
        if_version: random.chance(50).then(|| random.below(4)),
        ttl_ms: random.chance(20).then(|| random.between(1, 3_000)),
    }
}

fn register(random: &mut Random, known: &Known, now: Timestamp) -> CommandBody {
    let tenant_id = tenant(random);
    let at = random.below(3);
    let own: Vec<ReferenceId> =
        known.references.iter().filter(|(owner, _)| *owner == tenant_id).map(|(_, reference)| *reference).collect();
    let used = random.pick(&own).copied().filter(|_| random.chance(30));
    let reference = Reference {
        id: used.unwrap_or_else(|| ReferenceId::from_parts(now.0, random.wide())),
        tenant_id,
        name: format!("doc-{}", random.below(3)),
        media_type: random.word(&["text/plain", "text/plain", "text/html"]).to_owned(),
        digest: random.chance(30).then(|| Digest::of(&at.to_be_bytes())),
        size: None,
        uri: Some(format!("https://example.com/{at}")),
        made_by: None,
        registered_at: now,
    };
    CommandBody::RegisterReference { reference: Box::new(reference) }
}

fn catalog(random: &mut Random) -> CommandBody {
    let name = random.word(&["shop", "shop", "shop", "desk", "rival"]);
    let version = random.word(&VERSIONS);
    let reason = "housekeeping".to_owned();
    let id = name.parse().expect("the cast's components have names");
    match random.below(10) {
        0..5 => {
            let (component, digest) = cast::component(name, version, random.chance(8));
            CommandBody::AddComponent { component, digest }
        }
        5 if random.chance(50) => CommandBody::DrainComponent { name: id, version: version.to_owned(), reason },
        5 | 6 => CommandBody::RemoveComponent { name: id, version: version.to_owned(), reason },
        7 if random.chance(30) => CommandBody::DrainComponent { name: id, version: "9.9.9".to_owned(), reason },
        _ => CommandBody::BindSolution { solution: cast::solution(random.below(4)) },
    }
}

fn redeliver(random: &mut Random, known: &Known) -> CommandBody {
    let reason = "once more".to_owned();
    match random.pick(&known.messages) {
        Some((tenant, message, sinks)) => CommandBody::Redeliver {
            tenant: tenant.clone(),
            message: *message,
            sink: match random.below(10) {
                0 => Some(cast::sink("nowhere")),
                1..4 => random.pick(sinks).cloned(),
                _ => None,
            },
            reason,
            role: Some("operator"),
        },
        None => {
            let message = MessageId::from_u128(random.wide());
            CommandBody::Redeliver {
                tenant: tenant(random),
                message,
                sink: Some(cast::sink(DEFAULT_SINK)),
                reason,
                role: None,
            }
        }
    }
}

/// Drops some of what it knows of, whether it is over or not: the hub keeps what is not.
fn drop_history(random: &mut Random, known: &Known) -> CommandBody {
    let mut executions = Vec::new();
    let mut messages = Vec::new();
    for _ in 0..random.below(6) {
        executions.extend(random.pick(&known.executions).cloned());
        messages.extend(random.pick(&known.messages).map(|(tenant, message, _)| (tenant.clone(), *message)));
    }
    let before = Lsn(random.below(known.position.0 + 1));
    CommandBody::DropHistory { before, reason: "retention".to_owned(), executions, messages }
}
