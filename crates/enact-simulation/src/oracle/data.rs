//! The naive state, references, provenance and sessions: what may be changed, and what must be changed with an outcome.

use std::collections::{BTreeMap, BTreeSet};

use enact_model::envelope::{Envelope, EventAsked, ReferenceAsked, StateScope};
use enact_model::id::{ReferenceId, SessionId, TenantId};
use enact_model::json::Json;
use enact_model::record::{Body, Record};
use enact_model::reference::Reference;
use enact_model::time::Timestamp;
use serde_json::{Value, json};

use super::life::Life;
use crate::violation::{Verdict, hold};

/// What a handler answered with success.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Its output.
    pub output: Value,
    /// What it wants changed.
    pub envelope: Option<Envelope>,
}

type StateKey = (TenantId, StateScope, String, String);

/// A value of state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stated {
    pub version: u64,
    pub value: Option<Json>,
    pub expires_at: Option<Timestamp>,
}

/// A session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub owner: Option<String>,
    pub expires_at: Option<Timestamp>,
    pub closed: bool,
}

/// State, references, provenance and sessions of every tenant.
#[derive(Debug, Clone, Default)]
pub struct Data {
    pub state: BTreeMap<StateKey, Stated>,
    pub references: BTreeMap<(TenantId, ReferenceId), Reference>,
    pub edges: BTreeSet<(TenantId, ReferenceId, ReferenceId)>,
    pub sessions: BTreeMap<(TenantId, SessionId), Session>,
    now: Timestamp,
}

/// What tells two references of one name apart.
pub fn content(digest: Option<String>, uri: Option<&str>) -> String {
    digest.unwrap_or_else(|| uri.unwrap_or_default().to_owned())
}

fn of_reference(reference: &Reference) -> (String, String) {
    (reference.name.clone(), content(reference.digest.map(|d| d.to_string()), reference.uri.as_deref()))
}

fn of_asked(asked: &ReferenceAsked) -> (String, String) {
    (asked.name.clone(), content(asked.digest.map(|d| d.to_string()), Some(&asked.uri)))
}

impl Data {
    /// Lets the time be that of a command.
    pub fn at(&mut self, now: Timestamp) {
        self.now = now;
    }
    /// Returns the version that a compare-and-set of a key meets: 0 for what is not there.
    pub fn version(&self, key: &StateKey) -> u64 {
        self.state.get(key).filter(|stated| self.lives(stated)).map_or(0, |stated| stated.version)
    }
    /// Returns whether a value is there.
    pub fn lives(&self, stated: &Stated) -> bool {
        stated.value.is_some() && stated.expires_at.is_none_or(|at| self.now < at)
    }
    /// Returns whether a session takes intents; one that nobody opened does.
    pub fn admits(&self, tenant: &TenantId, session: &SessionId) -> bool {
        self.sessions.get(&(tenant.clone(), session.clone())).is_none_or(|session| self.is_live(session))
    }
    /// Returns whether a session has neither been closed nor expired.
    pub fn is_live(&self, session: &Session) -> bool {
        !session.closed && session.expires_at.is_none_or(|at| self.now < at)
    }
    /// Finds the reference that a tenant has for a name and a content.
    pub fn same(&self, tenant: &TenantId, name: &str, content: &str) -> Option<&Reference> {
        let own = self.references.iter().filter(|((owner, _), _)| owner == tenant).map(|(_, reference)| reference);
        own.into_iter().find(|reference| of_reference(reference) == (name.to_owned(), content.to_owned()))
    }

    fn key(life: &Life, execution: &str, scope: StateScope, key: &str) -> StateKey {
        let owner = match scope {
            StateScope::Session => life.intent.session_id.to_string(),
            StateScope::Execution => execution.to_owned(),
        };
        (life.tenant.clone(), scope, owner, key.to_owned())
    }

    /// Returns whether one key is changed twice.
    pub fn twice(&self, life: &Life, asked: &Asked) -> bool {
        let changed = self.changes(life, "", asked);
        let distinct: BTreeSet<&StateKey> = changed.iter().map(|change| &change.0).collect();
        distinct.len() < changed.len()
    }
    /// Returns whether a compare-and-set is lost.
    pub fn conflicts(&self, life: &Life, asked: &Asked) -> bool {
        let envelope = asked.envelope.iter().flat_map(|envelope| &envelope.state);
        let mut versions = envelope.filter_map(|change| Some((change, change.if_version?)));
        versions.any(|(change, expected)| {
            // Nobody but the execution itself, which has not ended, has state of its own.
            change.scope == StateScope::Execution && expected != 0
                || change.scope == StateScope::Session
                    && self.version(&Self::key(life, "", change.scope, &change.key)) != expected
        })
    }
    /// Returns whether provenance names what the tenant does not have.
    pub fn unregistered(&self, life: &Life, asked: &Asked) -> bool {
        let Some(envelope) = &asked.envelope else { return false };
        let known = |name: &String| match name.strip_prefix("reference:") {
            Some(name) => envelope.references.iter().any(|asked| asked.name == name),
            None => name.parse().is_ok_and(|id| self.references.contains_key(&(life.tenant.clone(), id))),
        };
        envelope.derived.iter().any(|derived| !derived.from.iter().all(known) || !known(&derived.to))
    }

    /// Returns whether a reference is asked for that is registered already, as another type or elsewhere.
    pub fn contradicts(&self, life: &Life, asked: &Asked) -> bool {
        let mut references = asked.envelope.iter().flat_map(|envelope| &envelope.references);
        references.any(|asked| {
            let (name, content) = of_asked(asked);
            let known = self.same(&life.tenant, &name, &content);
            known.is_some_and(|known| known.media_type != asked.media_type || known.uri.as_ref() != Some(&asked.uri))
        })
    }

    /// Lists the changes of state that a completed outcome brings: what its operation declares, then what it asked for.
    fn changes(&self, life: &Life, execution: &str, asked: &Asked) -> Vec<(StateKey, Option<Json>, Option<u64>)> {
        let mut changes = Vec::new();
        if let Some(key) = life.part.sets {
            let value = life.input.to_value().get("n").cloned().unwrap_or(Value::Null);
            changes.push((Self::key(life, execution, StateScope::Session, key), Some(Json::from(&value)), None));
        }
        for change in asked.envelope.iter().flat_map(|envelope| &envelope.state) {
            let key = Self::key(life, execution, change.scope, &change.key);
            changes.push((key, change.value.clone(), change.ttl_ms));
        }
        changes
    }

    /// Lists the events of an outcome: type, key, data. A command that is not about the execution itself does not bring
    /// its input where that is kept by reference (`blind`): then its declared event has no key.
    pub fn events(
        life: &Life,
        asked: Option<&Asked>,
        output: &Json,
        blind: bool,
    ) -> Vec<(String, Option<String>, Option<Json>)> {
        let customer = life.input.to_value().get("customer").and_then(Value::as_str).map(str::to_owned);
        let customer = customer.filter(|_| !blind);
        let declared = if asked.is_some() { life.part.done } else { life.part.failed };
        let mut events = Vec::new();
        events.extend(declared.map(|event| (event.to_owned(), customer, asked.map(|_| output.clone()))));
        for EventAsked { event_type, key, data, .. } in
            asked.and_then(|asked| asked.envelope.as_ref()).iter().flat_map(|envelope| &envelope.events)
        {
            events.push((event_type.clone(), key.clone(), Some(data.clone().unwrap_or_else(|| output.clone()))));
        }
        events
    }

    /// Holds that the records before a completed outcome change exactly what was asked for.
    ///
    /// # Errors
    /// When something is missing, is too much, or is another.
    pub fn hold_changes(&self, life: &Life, execution: &str, asked: &Asked, records: &[&Record]) -> Verdict {
        let rule = "all effects of a completed outcome commit with it, and nothing else";
        let mut state: BTreeMap<StateKey, (Option<Json>, Option<Timestamp>)> = BTreeMap::new();
        for (key, value, ttl_ms) in self.changes(life, execution, asked) {
            let expires_at = ttl_ms.filter(|_| value.is_some()).map(|ttl| Timestamp(self.now.0 + ttl));
            state.insert(key, (value, expires_at));
        }
        let mut made = BTreeMap::new();
        let mut references = BTreeMap::new();
        let mut edges = BTreeSet::new();
        for record in records {
            let tenant = record.tenant.clone().unwrap_or_else(TenantId::default_tenant);
            hold(tenant == life.tenant, "an execution changes only what is its tenant's", || format!("{record:?}"))?;
            match &record.body {
                Body::StateSet { scope, owner, key, value, expires_at, .. } => {
                    made.insert((tenant, *scope, owner.clone(), key.clone()), (Some(value.clone()), *expires_at));
                }
                Body::StateDeleted { scope, owner, key } => {
                    made.insert((tenant, *scope, owner.clone(), key.clone()), (None, None));
                }
                Body::ReferenceRegistered { reference } => {
                    references.insert(of_reference(reference), reference.id);
                }
                Body::ProvenanceAdded { edge } => {
                    edges.insert((edge.from, edge.to));
                }
                _ => {}
            }
        }
        hold(made == state, rule, || format!("the state {made:?} is changed for {state:?}"))?;
        let asked_references = asked.envelope.iter().flat_map(|envelope| &envelope.references);
        let mut resolved: BTreeMap<String, ReferenceId> = BTreeMap::new();
        let mut expected = BTreeSet::new();
        for asked in asked_references {
            let content = of_asked(asked);
            match self.same(&life.tenant, &content.0, &content.1) {
                Some(known) => resolved.insert(format!("reference:{}", asked.name), known.id),
                None => {
                    expected.insert(content.clone());
                    references.get(&content).and_then(|id| resolved.insert(format!("reference:{}", asked.name), *id))
                }
            };
        }
        let registered: BTreeSet<(String, String)> = references.keys().cloned().collect();
        hold(registered == expected, rule, || format!("{registered:?} is registered for {expected:?}"))?;
        let find = |name: &String| resolved.get(name).copied().or_else(|| name.parse().ok());
        let derived = asked.envelope.iter().flat_map(|envelope| &envelope.derived);
        let asked_edges: BTreeSet<(Option<ReferenceId>, Option<ReferenceId>)> =
            derived.flat_map(|derived| derived.from.iter().map(|from| (find(from), find(&derived.to)))).collect();
        let edges: BTreeSet<_> = edges.into_iter().map(|(from, to)| (Some(from), Some(to))).collect();
        hold(edges == asked_edges, rule, || format!("{edges:?} is noted for {asked_edges:?}"))
    }

    /// Takes a change over.
    ///
    /// # Errors
    /// When a version is used twice, or a reference is not what it was.
    pub fn take(&mut self, record: &Record) -> Verdict {
        let tenant = record.tenant.clone().unwrap_or_else(TenantId::default_tenant);
        match &record.body {
            Body::StateSet { scope, owner, key, value, version, expires_at } => {
                let key = (tenant, *scope, owner.clone(), key.clone());
                let before = self.state.get(&key).map_or(0, |stated| stated.version);
                hold(*version == before + 1, "no version of a key of state is used twice", || {
                    format!("{version} follows {before} for {key:?}")
                })?;
                let stated = Stated { version: *version, value: Some(value.clone()), expires_at: *expires_at };
                self.state.insert(key, stated);
            }
            Body::StateDeleted { scope, owner, key } => {
                if let Some(stated) = self.state.get_mut(&(tenant, *scope, owner.clone(), key.clone())) {
                    stated.value = None;
                }
            }
            Body::ReferenceRegistered { reference } => {
                let key = (tenant, reference.id);
                let (name, content) = of_reference(reference);
                hold(
                    !self.references.contains_key(&key) && self.same(&key.0, &name, &content).is_none(),
                    "the same reference is registered once",
                    || format!("{reference:?} is registered again"),
                )?;
                self.references.insert(key, (**reference).clone());
            }
            Body::ProvenanceAdded { edge } => {
                for id in [edge.from, edge.to] {
                    hold(
                        self.references.contains_key(&(tenant.clone(), id)),
                        "an edge to an unregistered reference is refused",
                        || format!("{edge:?} is noted"),
                    )?;
                }
                self.edges.insert((tenant, edge.from, edge.to));
            }
            Body::SessionOpened { session, owner, expires_at } => {
                let session_row = Session { owner: owner.clone(), expires_at: *expires_at, closed: false };
                let before = self.sessions.insert((tenant, session.clone()), session_row);
                hold(before.is_none(), "a session is opened once", || format!("{session} is opened again"))?;
            }
            Body::SessionUpgraded { session, owner } => {
                if let Some(row) = self.sessions.get_mut(&(tenant, session.clone())) {
                    row.owner = Some(owner.clone());
                }
            }
            Body::SessionClosed { session, .. } => {
                if let Some(row) = self.sessions.get_mut(&(tenant, session.clone())) {
                    row.closed = true;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Returns the data that an event of a failed outcome carries besides the conclusion: none.
pub fn no_data() -> Json {
    Json::from(&json!(null))
}
