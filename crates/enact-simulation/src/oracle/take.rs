//! Takes the records of a command over, one by one: each must be legal where it stands.

use std::collections::BTreeSet;
use std::sync::Arc;

use enact_model::execution::Wake;
use enact_model::id::{ExecutionId, TenantId};
use enact_model::outcome::Outcome;
use enact_model::record::{Acceptance, Body, Record};
use enact_model::time::Timestamp;
use serde_json::Value;

use super::batch::Batch;
use super::data::Data;
use super::life::{Life, Stage};
use super::verdict::{Fate, of_child};
use super::{IntentFate, Oracle};
use crate::violation::{Verdict, broken, hold};

impl Oracle {
    /// Takes a record over.
    pub(super) fn take<'a>(&mut self, batch: &mut Batch<'a>, record: &'a Record) -> Verdict {
        let now = self.now;
        if let Body::IntentAccepted(acceptance) = &record.body {
            batch.accepted.push(acceptance.execution);
            return self.accept(batch, record, acceptance);
        }
        match &record.body {
            Body::StateSet { .. } | Body::StateDeleted { .. } | Body::ReferenceRegistered { .. } if batch.by_hand => {
                return self.data.take(record);
            }
            Body::StateSet { .. }
            | Body::StateDeleted { .. }
            | Body::ReferenceRegistered { .. }
            | Body::ProvenanceAdded { .. }
            | Body::MessageQueued { .. } => {
                batch.loose.push(record);
                return Ok(());
            }
            Body::IntentRejected(rejection) => {
                let key = (rejection.tenant_id.clone(), rejection.intent_id);
                self.intents.insert(key, IntentFate::Rejected(rejection.digest));
                let minute = now.0 / 60_000;
                let logged = self.rejections.entry(rejection.tenant_id.clone()).or_default();
                *logged = if logged.0 == minute { (minute, logged.1 + 1) } else { (minute, 1) };
                return Ok(());
            }
            Body::HistoryDropped { executions, messages, .. } => return self.drop_history(executions, messages),
            _ => {}
        }
        self.catalog.take(&record.body);
        self.data.take(record)?;
        self.outbox.take(&record.body, self.policy.delivery_attempts)?;
        match record.body.execution() {
            Some(execution) => self.live(batch, record, execution),
            None => Ok(()),
        }
    }

    /// Takes over a record of the life of an execution.
    fn live(&mut self, batch: &mut Batch<'_>, record: &Record, id: ExecutionId) -> Verdict {
        let now = self.now;
        let rule = "a record belongs to an execution of its tenant";
        let Some(mut life) = self.lives.get(&id).cloned() else {
            let access = matches!(record.body, Body::AccessRefused { .. });
            return hold(access, rule, || format!("{record:?} belongs to none"));
        };
        hold(record.tenant.as_ref() == Some(&life.tenant), rule, || format!("{record:?}"))?;
        batch.touched.push(id);
        let before = life.stage.clone();
        match &record.body {
            Body::AttemptStarted { attempt, deadline_at, .. } => {
                life.start(*attempt, now)?;
                self.hold_start(&life, *deadline_at)?;
                self.hold_gate(&life, &before)?;
            }
            Body::AttemptObserved { attempt, observation, .. } => life.observe(*attempt, observation)?,
            Body::LateObserved { attempt, .. } => {
                life.late(*attempt)?;
                batch.became.insert(id, Fate::Late);
            }
            Body::RetryScheduled { due, .. } => {
                life.rest(*due)?;
                let pause = due.0.saturating_sub(now.0);
                batch.became.insert(id, Fate::Again(pause, pause));
                // Whether it counts as an attempt follows from what was foretold: at once, or slowly after that.
                let lost = batch.fates.get(&id).is_some_and(|fates| {
                    fates.iter().any(|fate| matches!(fate, Fate::Again(low, high) if (*low, *high) == (0, 0) || (*low, *high) == (1, 10_000)))
                });
                life.lost += u32::from(lost);
            }
            Body::Waited { wake, .. } => {
                life.wait(wake, now)?;
                if life.holds_gate() {
                    self.hold_gate(&life, &before)?;
                }
                if let Wake::Reconcile { .. } = wake {
                    batch.became.insert(id, Fate::Asks);
                }
            }
            Body::StopRequested { cause, give_up_at, .. } => life.stop(*cause, *give_up_at, now)?,
            Body::PauseRequested { .. } => life.pause()?,
            Body::Resumed { .. } => life.resume(batch.retried)?,
            Body::Settled { outcome, .. } => return self.settle(batch, id, life, outcome),
            _ => {}
        }
        self.queue(id, &life, &before)?;
        self.lives.insert(id, life);
        Ok(())
    }

    fn hold_start(&self, life: &Life, deadline_at: Timestamp) -> Verdict {
        let own = Timestamp(self.now.0 + life.part.timeout_ms);
        let expected = life.deadline_at.map_or(own, |total| total.min(own));
        hold(deadline_at == expected, "an attempt's deadline is its own, within the total one", || {
            format!("{deadline_at} stands where {expected} belongs")
        })?;
        let others = |other: &&Life| other.is_at_host() && other.accepted != life.accepted;
        let at_hosts = self.lives.values().filter(others).count();
        hold(at_hosts < self.policy.running_max as usize, "no more attempts run at once than the hub allows", || {
            format!("{at_hosts} others run")
        })?;
        Ok(())
    }

    /// An execution takes a slot of its gate, unless it brings one from the hub's queue. Versions of an operation share a
    /// gate and may differ in their limits: that of the one who takes a slot counts.
    fn hold_gate(&self, life: &Life, before: &Stage) -> Verdict {
        let Some((gate, limit)) = &life.gate else { return Ok(()) };
        if matches!(before, Stage::Queued(queue) if queue == "*") {
            return Ok(());
        }
        let same = |other: &&Life| other.gate.as_ref().is_some_and(|(name, _)| name == gate);
        let others = self.lives.values().filter(|other| other.holds_gate() && other.accepted != life.accepted);
        let held = others.filter(same).count();
        hold(held < *limit as usize, "no more attempts of an operation run at once than it allows", || {
            format!("{held} others hold slots of {gate}, which lets {limit} pass")
        })
    }

    /// Follows who waits in which queue.
    fn queue(&mut self, id: ExecutionId, life: &Life, before: &Stage) -> Verdict {
        if let Stage::Queued(queue) = before
            && *before != life.stage
        {
            let served = matches!(&life.stage, Stage::Running | Stage::Queued(_));
            let (lives, now) = (&self.lives, self.now);
            let ready =
                |other: ExecutionId| lives.get(&other).is_some_and(|other| other.deadline_at.is_none_or(|at| at > now));
            self.queues.leave(queue, id, served, ready)?;
        }
        if let Stage::Queued(queue) = &life.stage
            && *before != life.stage
        {
            self.queues.enter(queue, &life.tenant, id);
        }
        Ok(())
    }

    fn accept(&mut self, batch: &mut Batch<'_>, record: &Record, acceptance: &Acceptance) -> Verdict {
        let intent = &acceptance.intent;
        let id = acceptance.execution;
        batch.touched.push(id);
        hold(self.ids.insert(id.as_u128()), "every execution has an id of its own", || format!("{id} is there twice"))?;
        let resolved = self.catalog.resolve(&intent.intent_type, &intent.solution_id);
        let (part, version) =
            resolved.ok_or_else(|| broken("only what somebody handles is accepted", format!("{acceptance:?}")))?;
        hold(
            acceptance.selector.to_string() == part.selector && *acceptance.pin.version == *version,
            "an execution is pinned to the operation and the active version that its intent type means",
            || format!("{} {version} is {} {}", part.selector, acceptance.selector, acceptance.pin.version),
        )?;
        let deadline_at = intent.deadline_ms.map(|ms| Timestamp(self.now.0 + ms));
        hold(acceptance.deadline_at == deadline_at, "the total deadline runs from admission", || {
            format!("{:?} stands where {deadline_at:?} belongs", acceptance.deadline_at)
        })?;
        let input = intent.parameters.inline().cloned();
        let input = input.or_else(|| match &intent.parameters {
            enact_model::payload::Payload::Stored { digest, .. } => self.stored.get(digest).cloned(),
            enact_model::payload::Payload::Inline(_) => None,
        });
        let input = input.ok_or_else(|| broken("parameters are known", format!("{acceptance:?}")))?;
        let gate = part.gate.and_then(|(_, keyed)| {
            let customer = input.to_value().get("customer").cloned().unwrap_or(Value::Null);
            let name = if keyed { format!("{}#{customer}", part.selector) } else { part.selector.to_owned() };
            Some((name, part.limit(&version)?))
        });
        let named = acceptance.gate.as_ref().map(|gate| (gate.name.clone(), gate.limit));
        hold(named == gate, "an execution competes for the slots of its operation and key", || {
            format!("{named:?} stands where {gate:?} belongs")
        })?;
        let stage = match &acceptance.wake {
            Wake::Answer { .. } => Stage::Free,
            Wake::Slot { queue } => Stage::Queued(queue.clone()),
            Wake::StartAfter { due } => Stage::Delayed(*due),
            other => {
                return Err(broken("a new execution starts, or waits for a slot or its time", format!("{other:?}")));
            }
        };
        let waits = self.waits_for(intent.start_after, gate.as_ref());
        hold(stage == waits, "what can start starts at once", || format!("{stage:?} stands where {waits:?} belongs"))?;
        let key = (intent.tenant_id.clone(), intent.intent_id);
        let before = self.intents.insert(key, IntentFate::Accepted(id, Arc::clone(intent)));
        hold(before.is_none(), "an intent id is accepted once", || format!("{} is accepted again", intent.intent_id))?;
        if let Some(key) = &intent.idempotency_key {
            let key = (intent.tenant_id.clone(), intent.intent_type.clone(), key.clone());
            let before = self.keys.insert(key, id);
            hold(before.is_none(), "an idempotency key has one execution", || {
                format!("{before:?} has that of {id} too")
            })?;
        }
        let life = Life {
            tenant: intent.tenant_id.clone(),
            intent: Arc::clone(intent),
            input,
            part,
            version,
            stage,
            attempt: 0,
            lost: 0,
            deadline_at,
            gate,
            pause_asked: false,
            stop: None,
            may_have_run: false,
            parent: acceptance.parent,
            accepted: record.lsn,
            outcome: None,
            settled_at: None,
        };
        self.queue(id, &life, &Stage::Free)?;
        self.lives.insert(id, life);
        Ok(())
    }

    fn waits_for(&self, start_after: Option<Timestamp>, gate: Option<&(String, u32)>) -> Stage {
        if let Some(start) = start_after.filter(|start| *start > self.now) {
            return Stage::Delayed(start);
        }
        if let Some((name, limit)) = gate {
            let holds = |life: &&Life| life.holds_gate() && life.gate.as_ref().is_some_and(|(gate, _)| gate == name);
            if self.lives.values().filter(holds).count() >= *limit as usize {
                return Stage::Queued(name.clone());
            }
        }
        let running = self.lives.values().filter(|life| life.is_at_host()).count();
        if running >= self.policy.running_max as usize { Stage::Queued("*".to_owned()) } else { Stage::Free }
    }

    /// An execution ends: its effects are all there or none, and whoever waits for it goes on.
    fn settle(&mut self, batch: &mut Batch<'_>, id: ExecutionId, mut life: Life, outcome: &Arc<Outcome>) -> Verdict {
        let before = life.stage.clone();
        let effects = std::mem::take(&mut batch.loose);
        let completed = matches!(**outcome, Outcome::Completed { .. });
        let fate = match &**outcome {
            Outcome::Completed { .. } => Fate::Completed,
            Outcome::Cancelled { .. } => Fate::Cancelled,
            Outcome::Failed { conclusion, .. } => Fate::Failed(Some(conclusion.may_have_run)),
            other => return Err(broken("only a saga is compensated", format!("{other:?}"))),
        };
        if let Outcome::Failed { conclusion, .. } = &**outcome {
            let in_doubt = conclusion.may_have_run && !life.part.may_run_again();
            let escalates = conclusion.disposition() == enact_model::taxonomy::Disposition::Escalation;
            hold(escalates || !in_doubt, "what is in doubt is for a person, and not to be tried again", || {
                format!("{id} comes to {conclusion:?}")
            })?;
        }
        let asked = batch.asked.get(&id).filter(|_| completed);
        let blind = life.intent.parameters.inline().is_none() && batch.about != Some(id);
        hold(asked.is_some() || !completed, "what completes was answered", || format!("{id} completes by itself"))?;
        let (events, rule) = match asked {
            Some((asked, output)) => {
                self.data.hold_changes(&life, &id.to_string(), asked, &effects)?;
                (
                    Data::events(&life, Some(asked), output, blind),
                    "every event of a completed outcome is promised with it",
                )
            }
            None => {
                let raw =
                    effects.iter().filter(|record| matches!(record.body, Body::ReferenceRegistered { .. })).count();
                let others = effects.len() - raw;
                let failed = matches!(**outcome, Outcome::Failed { .. });
                let events =
                    if failed { Data::events(&life, None, &super::data::no_data(), blind) } else { Vec::new() };
                hold(
                    others == events.len() && raw <= usize::from(failed),
                    "nothing of a failed execution is visible",
                    || format!("{effects:?} is recorded for {}", outcome.word()),
                )?;
                (events, "no message of a failed execution is visible, except those it declares for failure")
            }
        };
        self.take_effects(&life, id, &effects, &events, rule)?;
        life.settle(outcome, self.now)?;
        batch.became.insert(id, fate);
        self.queue(id, &life, &before)?;
        let waiting =
            life.parent.filter(|parent| self.lives.get(parent).is_some_and(|parent| parent.stage == Stage::Asking(id)));
        self.lives.insert(id, life);
        if let Some(parent) = waiting
            && let Some(asks) = self.lives.get(&parent)
        {
            let (mut fates, asked) = of_child(asks, outcome, &self.data);
            if asks.deadline_at.is_some_and(|at| at <= self.now) {
                fates.push(Fate::Failed(None));
            }
            batch.fates.insert(parent, fates);
            batch.touched.push(parent);
            batch.became.remove(&parent);
            if let Some(asked) = asked {
                let output = enact_model::json::Json::from(&asked.output);
                batch.asked.insert(parent, (asked, output));
            }
        }
        Ok(())
    }

    fn take_effects(
        &mut self,
        life: &Life,
        id: ExecutionId,
        effects: &[&Record],
        events: &[(String, Option<String>, Option<enact_model::json::Json>)],
        rule: &'static str,
    ) -> Verdict {
        let mut events = events.iter();
        let sinks = self.catalog.solutions.get(&life.intent.solution_id).map(|solution| solution.sinks.clone());
        let sinks = sinks.filter(|sinks| !sinks.is_empty()).unwrap_or_else(|| self.policy.default_sinks.clone());
        for record in effects {
            self.data.take(record)?;
            let Body::MessageQueued { message } = &record.body else { continue };
            let expected = events.next();
            let fits = expected.is_some_and(|(event_type, key, data)| {
                message.event_type == *event_type
                    && message.key == *key
                    && data.as_ref().is_none_or(|data| message.data == *data)
            });
            hold(fits && message.execution_id == id, rule, || {
                format!("{message:?} stands where {expected:?} belongs")
            })?;
            hold(message.sinks == sinks, "the sinks of a message are those of its solution", || {
                format!("{:?} stands where {sinks:?} belongs", message.sinks)
            })?;
            self.outbox.promise(message, record.lsn)?;
        }
        hold(events.next().is_none(), rule, || format!("one of {effects:?} is missing for {id}"))
    }

    fn drop_history(
        &mut self,
        executions: &[(TenantId, ExecutionId)],
        messages: &[(TenantId, enact_model::id::MessageId)],
    ) -> Verdict {
        for (_, id) in executions {
            let Some(life) = self.lives.get(id) else { continue };
            let over = life.settled_at.is_some_and(|at| self.now.since(at) >= self.policy.idempotency_keep);
            hold(over, "retention never drops what is open or must be kept", || format!("{id} is dropped: {life:?}"))?;
            let intent = Arc::clone(&life.intent);
            self.intents.remove(&(intent.tenant_id.clone(), intent.intent_id));
            if let Some(key) = &intent.idempotency_key {
                let key = (intent.tenant_id.clone(), intent.intent_type.clone(), key.clone());
                if self.keys.get(&key) == Some(id) {
                    self.keys.remove(&key);
                }
            }
            self.lives.remove(id);
            self.dropped.insert(*id);
        }
        let messages: BTreeSet<_> = messages.iter().map(|(_, message)| *message).collect();
        messages.into_iter().try_for_each(|message| self.outbox.drop(message))
    }
}
