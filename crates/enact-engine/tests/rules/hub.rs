//! A hub without a world: tables in memory, a log, and every command held against what must be true of any.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use enact_catalog::catalog::{Catalog, State};
use enact_catalog::component::files::MemoryFiles;
use enact_catalog::component::{component_digest, read_component};
use enact_catalog::solution::read_solution;
use enact_engine::apply::apply;
use enact_engine::command::{Answer, Command, CommandBody, Refused};
use enact_engine::decide::{Decision, World, decide};
use enact_engine::effect::{Effect, follow, pending_effects};
use enact_engine::invariants::broken;
use enact_engine::policy::Policy;
use enact_engine::view::{Need, View};
use enact_model::descriptor::Component;
use enact_model::envelope::Envelope;
use enact_model::execution::{Execution, Phase, StopCause, Wake};
use enact_model::id::{Epoch, ExecutionId, IntentId, Lsn, SinkId, TenantId};
use enact_model::intent::Intent;
use enact_model::json::Json;
use enact_model::message::{Delivery, MessageRow};
use enact_model::observation::{Fault, Observation, Reply, Seen, StoredArtifact};
use enact_model::outcome::Outcome;
use enact_model::payload::Payload;
use enact_model::record::{Body, Record};
use enact_model::table::{ComponentState, Key, KeyRange, Row, Table};
use enact_model::time::Timestamp;
use serde_json::Value;

/// All rows, always there.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Memory(pub BTreeMap<Key, Row>);

impl View for Memory {
    fn get(&self, key: &Key) -> Result<Option<Row>, Need> {
        Ok(self.0.get(key).cloned())
    }
    fn first(&self, range: &KeyRange) -> Option<(Key, Row)> {
        assert!(range.from.resident(), "a rule walked over {range:?}, which is not in memory");
        self.0.range(range.from.clone()..range.to.clone()).next().map(|(key, row)| (key.clone(), row.clone()))
    }
}

impl Memory {
    fn apply(&mut self, record: &Record) {
        for change in apply(self, record).unwrap() {
            match change.row {
                Some(row) => self.0.insert(change.key, row),
                None => self.0.remove(&change.key),
            };
        }
    }
}

/// The same rows as a store shows them: what is cold must be asked for, and is there when it is asked for again.
struct Cold<'a> {
    rows: &'a Memory,
    loaded: BTreeSet<Key>,
}

impl View for Cold<'_> {
    fn get(&self, key: &Key) -> Result<Option<Row>, Need> {
        let row = self.rows.0.get(key);
        if key.resident() || row.is_some_and(Row::open) || self.loaded.contains(key) {
            return Ok(row.cloned());
        }
        Err(Need::key(key.clone()))
    }
    fn first(&self, range: &KeyRange) -> Option<(Key, Row)> {
        self.rows.first(range)
    }
}

/// The same rows, and how often they were looked at.
struct Watched<'a> {
    rows: &'a Memory,
    looks: Cell<usize>,
}

impl View for Watched<'_> {
    fn get(&self, key: &Key) -> Result<Option<Row>, Need> {
        self.looks.set(self.looks.get() + 1);
        self.rows.get(key)
    }
    fn first(&self, range: &KeyRange) -> Option<(Key, Row)> {
        self.looks.set(self.looks.get() + 1);
        self.rows.first(range)
    }
}

/// A hub at one position of its log.
pub struct Hub {
    pub rows: Memory,
    pub log: Vec<Record>,
    pub policy: Policy,
    pub catalog: Catalog,
    pub now: Timestamp,
    /// Records of the last command.
    pub last: Vec<Record>,
    outstanding: BTreeSet<Effect>,
    seed: u128,
}

/// An intent to be submitted.
#[derive(Clone)]
pub struct Ask {
    pub intent: Intent,
    pub suppressed: u64,
}

impl Ask {
    pub fn new(intent_type: &str) -> Self {
        let intent = Intent {
            intent_id: IntentId::from_u128(0),
            intent_type: intent_type.parse().unwrap(),
            tenant_id: "acme".parse().unwrap(),
            session_id: "default".parse().unwrap(),
            solution_id: "default".parse().unwrap(),
            parameters: Payload::Inline(Json::parse("{}").unwrap()),
            metadata: BTreeMap::new(),
            created_at: Timestamp(0),
            idempotency_key: None,
            deadline_ms: None,
            start_after: None,
        };
        Self { intent, suppressed: 0 }
    }
    pub fn with(mut self, change: impl FnOnce(&mut Intent)) -> Self {
        change(&mut self.intent);
        self
    }
    pub fn params(self, text: &str) -> Self {
        self.with(|intent| intent.parameters = Payload::Inline(Json::parse(text).unwrap()))
    }
    pub fn tenant(self, tenant: &str) -> Self {
        self.with(|intent| intent.tenant_id = tenant.parse().unwrap())
    }
    pub fn session(self, session: &str) -> Self {
        self.with(|intent| intent.session_id = session.parse().unwrap())
    }
    pub fn key(self, key: &str) -> Self {
        self.with(|intent| intent.idempotency_key = Some(key.to_owned()))
    }
    pub fn deadline(self, ms: u64) -> Self {
        self.with(|intent| intent.deadline_ms = Some(ms))
    }
    pub fn start_after(self, time: Timestamp) -> Self {
        self.with(|intent| intent.start_after = Some(time))
    }
    pub fn id(self, number: u128) -> Self {
        self.with(|intent| intent.intent_id = IntentId::from_u128(number))
    }
}

pub fn component(text: &str) -> Arc<Component> {
    let read = read_component(text, "component.yaml", &MemoryFiles::default());
    Arc::new(read.unwrap_or_else(|faults| panic!("{faults:#?}\n{text}")))
}

/// Returns a component `shop` of one service `s` with these operations.
pub fn shop(version: &str, operations: &str) -> Arc<Component> {
    named("shop", version, operations)
}

pub fn named(name: &str, version: &str, operations: &str) -> Arc<Component> {
    let head = format!("component: {name}\nversion: {version}\nprocess: {{ command: [x] }}\nservices:\n  s:\n");
    let lines = operations.lines().map(|line| format!("    {}\n", line.trim())).collect::<String>();
    component(&(head + &lines))
}

impl Hub {
    /// A hub whose `shop.s` has these operations, one on each line.
    pub fn new(operations: &str) -> Self {
        let mut hub = Self::empty();
        hub.add(&shop("1.0.0", operations));
        hub
    }

    pub fn empty() -> Self {
        let policy = Policy { default_sinks: vec!["audit".parse().unwrap()], ..Policy::default() };
        let mut hub = Self {
            rows: Memory::default(),
            log: Vec::new(),
            policy,
            catalog: Catalog::default(),
            now: Timestamp(1_700_000_000_000),
            last: Vec::new(),
            outstanding: BTreeSet::new(),
            seed: 0,
        };
        hub.give(CommandBody::OpenEpoch { store_id: "test".into(), release: "0".into() });
        hub
    }

    /// Gives a command and holds everything against it that must be true of any command.
    pub fn give(&mut self, body: CommandBody) -> Answer {
        self.seed += 1;
        let command = Command { time: self.now, seed: self.seed << 64, actor: "test".into(), body };
        let next = Lsn(self.log.len() as u64 + 1);
        let decision = self.decide(&self.rows, next, &command).unwrap();
        self.decided_again_over_cold_rows(next, &command, &decision);
        if let Answer::Refused(_) = decision.answer {
            assert!(decision.records.is_empty(), "{:?} was refused and logged", command.body);
        }
        let mut expected = self.rows.clone();
        for change in &decision.changes {
            match &change.row {
                Some(row) => {
                    assert_eq!(Row::decode(&change.key, &row.encode()).unwrap(), *row, "a stored row reads back");
                    expected.0.insert(change.key.clone(), row.clone());
                }
                None => drop(expected.0.remove(&change.key)),
            }
        }
        for (at, record) in decision.records.iter().enumerate() {
            assert_eq!((record.lsn, record.time), (next.plus(at as u64), self.now), "positions have no gap");
            assert_eq!(Record::decode(&record.encode()).unwrap(), *record, "a stored record reads back");
            assert!(record.cause.is_none_or(|cause| cause < record.lsn), "a cause comes first");
            self.rows.apply(record);
            follow(&mut self.outstanding, record);
        }
        assert_eq!(self.rows, expected, "the changes of a decision are those of its records");
        if decision.records.iter().any(|record| record.body.kind().starts_with("Component"))
            || decision.records.iter().any(|record| matches!(record.body, Body::SolutionBound { .. }))
        {
            self.catalog = self.stored_catalog();
        }
        self.log.extend(decision.records.iter().cloned());
        self.last = decision.records;
        self.hold(&command.body);
        decision.answer
    }

    /// Returns how often rows are looked at to decide a command, which is not carried out.
    pub fn looks(&self, body: CommandBody) -> usize {
        let command = Command { time: self.now, seed: 0, actor: "test".into(), body };
        let watched = Watched { rows: &self.rows, looks: Cell::new(0) };
        self.decide(&watched, Lsn(self.log.len() as u64 + 1), &command).unwrap();
        watched.looks.get()
    }

    fn decide(&self, view: &dyn View, next: Lsn, command: &Command) -> Result<Decision, Need> {
        let world = World { policy: &self.policy, catalog: &self.catalog };
        decide(view, &world, next, Epoch(1), command)
    }

    fn decided_again_over_cold_rows(&self, next: Lsn, command: &Command, decision: &Decision) {
        let mut cold = Cold { rows: &self.rows, loaded: BTreeSet::new() };
        let again = loop {
            match self.decide(&cold, next, command) {
                Ok(again) => break again,
                Err(Need(keys)) => {
                    let before = cold.loaded.len();
                    cold.loaded.extend(keys);
                    assert!(cold.loaded.len() > before, "{:?} asked for what it has", command.body);
                }
            }
        };
        assert_eq!(again.records, decision.records, "cold rows change nothing");
        assert_eq!(again.changes, decision.changes, "cold rows change nothing");
        assert_eq!(again.answer, decision.answer, "cold rows change nothing");
    }

    fn hold(&self, body: &CommandBody) {
        let faults = broken(&self.rows, &self.policy, self.now).unwrap();
        assert!(faults.is_empty(), "after {body:?}: {faults:#?}");
        assert_eq!(pending_effects(&self.rows).unwrap(), self.outstanding, "live effects after {body:?}");
        for row in self.rows.0.values() {
            match row {
                Row::Execution(execution) if !execution.is_open() => {
                    assert!(execution.outcome.is_some() && execution.wake.is_none(), "{execution:?}");
                    assert!(!execution.holds_gate && !execution.holds_hub, "{execution:?}");
                }
                Row::Execution(execution) => {
                    assert!(self.rows.0.contains_key(&Key::active(execution.tenant(), execution.id)), "{execution:?}");
                }
                Row::Message(message) => {
                    let waiting = message.deliveries.iter().filter(|d| matches!(d, Delivery::Pending { .. })).count();
                    let (tenant, id) = (&message.message.tenant_id, message.message.id);
                    let publish =
                        |effect: &&Effect| matches!(effect, Effect::Publish { message, .. } if *message == id);
                    assert_eq!(self.outstanding.iter().filter(publish).count(), waiting, "{tenant} {id}");
                }
                _ => {}
            }
        }
    }

    fn stored_catalog(&self) -> Catalog {
        let components = self.rows.0.values().filter_map(|row| match row {
            Row::Component(row) => {
                let state = match row.state {
                    ComponentState::Active => State::Active,
                    ComponentState::Draining => State::Draining,
                    ComponentState::Removed => State::Removed,
                };
                Some((Arc::clone(&row.component), row.digest, state))
            }
            _ => None,
        });
        let solutions = self.rows.0.values().filter_map(|row| match row {
            Row::Solution(solution) => Some(Arc::clone(solution)),
            _ => None,
        });
        Catalog::from_parts(components, solutions)
    }

    /// Applies the whole log to empty tables and holds the result against the tables as they are.
    pub fn replay(&self) {
        let mut rows = Memory::default();
        for record in &self.log {
            rows.apply(record);
        }
        assert_eq!(rows, self.rows, "replay rebuilds the tables");
    }

    pub fn add(&mut self, component: &Arc<Component>) -> Answer {
        let digest = component_digest(component);
        self.give(CommandBody::AddComponent { component: Arc::clone(component), digest })
    }
    pub fn bind(&mut self, text: &str) -> Answer {
        let solution = Arc::new(read_solution(text, "solution.yaml").unwrap_or_else(|faults| panic!("{faults:#?}")));
        self.give(CommandBody::BindSolution { solution })
    }

    pub fn submit(&mut self, ask: Ask) -> Answer {
        let mut intent = ask.intent;
        if intent.intent_id.as_u128() == 0 {
            intent.intent_id = IntentId::from_parts(self.now.0, self.seed + 1);
        }
        let parameters = intent.parameters.inline().unwrap().clone();
        self.give(CommandBody::Submit {
            intent: Arc::new(intent),
            parameters,
            named_here: false,
            suppressed: ask.suppressed,
            role: Some("operator"),
        })
    }
    /// Submits what must be accepted.
    pub fn run(&mut self, ask: Ask) -> ExecutionId {
        match self.submit(ask) {
            Answer::Accepted(id) => id,
            other => panic!("{other:#?}"),
        }
    }
    /// Submits an operation of the shop without parameters.
    pub fn start(&mut self, operation: &str) -> ExecutionId {
        self.run(Ask::new(&format!("shop.s.{operation}")))
    }

    pub fn execution(&self, id: ExecutionId) -> Arc<Execution> {
        let found = self.rows.0.values().find_map(|row| match row {
            Row::Execution(execution) if execution.id == id => Some(Arc::clone(execution)),
            _ => None,
        });
        found.unwrap_or_else(|| panic!("there is no {id}"))
    }
    pub fn outcome(&self, id: ExecutionId) -> Arc<Outcome> {
        let execution = self.execution(id);
        execution.outcome.clone().unwrap_or_else(|| panic!("{id} is {}", self.phase(id)))
    }
    /// Says in words where an execution is.
    pub fn phase(&self, id: ExecutionId) -> String {
        let execution = self.execution(id);
        let why = match (&execution.wake, execution.outcome.as_deref()) {
            (Some(Wake::Slot { .. }), _) => "slot",
            (Some(Wake::StartAfter { .. }), _) => "start_after",
            (Some(Wake::Retry { .. }), _) => "retry",
            (Some(Wake::Reconcile { .. }), _) => "reconcile",
            (Some(Wake::Resume), _) => "paused",
            (Some(Wake::Stop { .. }), _) => match execution.stop.as_ref().unwrap().cause {
                StopCause::Cancel => "cancel",
                StopCause::Deadline => "deadline",
            },
            (Some(Wake::Answer { .. }), _) if execution.pause_requested => "pausing",
            (Some(Wake::Answer { .. }), _) => "",
            (None, Some(Outcome::Failed { .. })) if execution.outcome.as_ref().unwrap().may_have_run() => "in doubt",
            (None, Some(outcome)) => outcome.word(),
            (None, None) => panic!("{execution:?}"),
        };
        format!("{} {why}", execution.phase.word()).trim_end().to_owned()
    }
    pub fn state_word(&self, id: ExecutionId) -> Phase {
        self.execution(id).phase
    }

    /// Observes the current attempt.
    pub fn observe(&mut self, id: ExecutionId, seen: Seen) -> Answer {
        let attempt = self.execution(id).attempt;
        self.observe_attempt(id, attempt, seen)
    }
    pub fn observe_attempt(&mut self, id: ExecutionId, attempt: u32, seen: Seen) -> Answer {
        let observation = Box::new(Observation { seen, started_at: self.now, ended_at: self.now, instance: None });
        let tenant = self.execution(id).tenant().clone();
        let (output, input, raw) = (None, None, None);
        self.give(CommandBody::Observe { tenant, execution: id, attempt, observation, output, input, raw, fits: None })
    }
    /// Observes an output that its record carries by reference, and the command by value.
    pub fn observe_large(&mut self, id: ExecutionId, output: Json) -> Answer {
        let reply = Reply { output: Payload::of(output.clone()), envelope: None, artifacts: Vec::new() };
        let (seen, started_at, ended_at) = (Seen::Replied(reply), self.now, self.now);
        let observation = Box::new(Observation { seen, started_at, ended_at, instance: None });
        let execution = self.execution(id);
        let (tenant, attempt) = (execution.tenant().clone(), execution.attempt);
        let (output, input, raw) = (Some(output), None, None);
        self.give(CommandBody::Observe { tenant, execution: id, attempt, observation, output, input, raw, fits: None })
    }
    pub fn reply(&mut self, id: ExecutionId, output: &str) -> Answer {
        self.observe(id, replied(output, None))
    }
    pub fn effects(&mut self, id: ExecutionId, envelope: Value) -> Answer {
        let envelope: Envelope = serde_json::from_value(envelope).unwrap();
        self.observe(id, replied("null", Some(envelope)))
    }
    pub fn fault(&mut self, id: ExecutionId, fault: Fault) -> Answer {
        self.observe(id, Seen::Fault(fault))
    }

    /// Lets time pass and ticks.
    pub fn pass(&mut self, ms: u64) -> Answer {
        self.now = Timestamp(self.now.0 + ms);
        self.give(CommandBody::Tick)
    }
    pub fn cancel(&mut self, id: ExecutionId) -> Answer {
        let (tenant, reason) = (self.tenant_of(id), "because".to_owned());
        self.give(CommandBody::Cancel { tenant, execution: id, reason, role: None })
    }
    pub fn pause(&mut self, id: ExecutionId) -> Answer {
        let (tenant, reason) = (self.tenant_of(id), "because".to_owned());
        self.give(CommandBody::Pause { tenant, execution: id, reason, role: None })
    }
    pub fn resume(&mut self, id: ExecutionId) -> Answer {
        let (tenant, reason) = (self.tenant_of(id), "because".to_owned());
        self.give(CommandBody::Resume { tenant, execution: id, reason, role: None })
    }
    pub fn retry(&mut self, id: ExecutionId, confirm_may_have_run: bool) -> Answer {
        let (tenant, reason) = (self.tenant_of(id), "because".to_owned());
        self.give(CommandBody::Retry { tenant, execution: id, reason, confirm_may_have_run, role: Some("operator") })
    }
    fn tenant_of(&self, id: ExecutionId) -> TenantId {
        self.execution(id).tenant().clone()
    }

    /// The kinds of the last command's records, in order.
    pub fn kinds(&self) -> Vec<&'static str> {
        self.last.iter().map(|record| record.body.kind()).collect()
    }
    /// The kinds of the records in which an execution's life stands.
    pub fn life(&self, id: ExecutionId) -> Vec<&'static str> {
        let mine = |record: &&Record| record.body.execution() == Some(id);
        self.log.iter().filter(mine).map(|record| record.body.kind()).collect()
    }
    pub fn table(&self, table: Table) -> Vec<Row> {
        let range = KeyRange::table(table);
        self.rows.0.range(range.from..range.to).map(|(_, row)| row.clone()).collect()
    }
    pub fn messages(&self) -> Vec<Arc<MessageRow>> {
        let rows = self.table(Table::Message).into_iter();
        let mut messages: Vec<_> =
            rows.filter_map(|row| if let Row::Message(row) = row { Some(row) } else { None }).collect();
        messages.sort_by_key(|row| row.lsn);
        messages
    }
    pub fn pending(&self, sink: &str) -> usize {
        let sink: SinkId = sink.parse().unwrap();
        self.outstanding
            .iter()
            .filter(|effect| matches!(effect, Effect::Publish { sink: to, .. } if *to == sink))
            .count()
    }
    pub fn children(&self, id: ExecutionId) -> Vec<ExecutionId> {
        let rows = self.table(Table::Execution).into_iter();
        rows.filter_map(|row| match row {
            Row::Execution(execution) if execution.parent == Some(id) => Some(execution.id),
            _ => None,
        })
        .collect()
    }
    /// The attempts that are at hosts.
    pub fn running(&self) -> Vec<ExecutionId> {
        self.outstanding
            .iter()
            .filter_map(|effect| if let Effect::Invoke { execution, .. } = effect { Some(*execution) } else { None })
            .collect()
    }
}

pub fn replied(output: &str, envelope: Option<Envelope>) -> Seen {
    Seen::Replied(Reply { output: Payload::Inline(Json::parse(output).unwrap()), envelope, artifacts: Vec::new() })
}
pub fn produced(output: &str, artifacts: Vec<StoredArtifact>) -> Seen {
    Seen::Replied(Reply { output: Payload::Inline(Json::parse(output).unwrap()), envelope: None, artifacts })
}
pub fn artifact(name: &str, content: &str) -> StoredArtifact {
    StoredArtifact {
        name: name.to_owned(),
        media_type: "text/plain".to_owned(),
        digest: enact_model::digest::Digest::of(content.as_bytes()),
        size: content.len() as u64,
    }
}

pub fn tenant(text: &str) -> TenantId {
    text.parse().unwrap()
}

/// Returns why a command was not carried out.
pub fn refusal(answer: Answer) -> Refused {
    match answer {
        Answer::Refused(refused) => *refused,
        other => panic!("it was not refused: {other:#?}"),
    }
}
