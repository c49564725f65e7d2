//! Performs effects as the runtime would: only what is durable reaches a host or a sink.

use std::collections::BTreeMap;

use enact_engine::effect::Effect;
use enact_model::envelope::StateScope;
use enact_model::execution::{Execution, Phase};
use enact_model::id::ExecutionId;
use enact_model::payload::Payload;
use enact_model::table::{Key, Row};
use enact_runtime::driver::read_execution;
use enact_store::contract::View as _;
use serde_json::Value;

use super::hosts::{self, Call, STATE_KEYS, Scene, StopPlan};
use super::relay;
use super::{Event, World};
use crate::cast::Part;
use crate::violation::{Verdict, broken};

impl World {
    pub(super) fn perform(&mut self, effects: &[Effect]) -> Verdict {
        for effect in effects {
            match effect {
                Effect::Invoke { tenant, execution, attempt } => {
                    let row = read_execution(&self.hub.view()?, tenant, *execution);
                    let row = row.map_err(|error| broken("an invoked execution can be read", format!("{error:?}")))?;
                    let row =
                        row.ok_or_else(|| broken("what is invoked is durable", format!("{effect:?} has no row")))?;
                    // It may have been settled by a later command of the same turn.
                    if row.attempt == *attempt && matches!(row.phase, Phase::Running | Phase::Stopping) {
                        self.invoke(&row)?;
                    }
                }
                Effect::Stop { execution, .. } => self.stop(*execution),
                Effect::Publish { .. } => {}
            }
        }
        Ok(())
    }

    fn invoke(&mut self, execution: &Execution) -> Verdict {
        let selector = execution.selector.to_string();
        let part = Part::of(&selector).ok_or_else(|| broken("only the cast is called", selector))?;
        let input = match &execution.intent.parameters {
            Payload::Inline(json) => Some(json.to_value()),
            Payload::Stored { digest, .. } => self.known.stored.get(digest).map(enact_model::json::Json::to_value),
        };
        let input = input.ok_or_else(|| broken("parameters are in the artifact store", format!("{execution:?}")))?;
        let now = self.clock.hub();
        let started = execution.attempt_started_at.unwrap_or(now);
        let own = started.0 + part.timeout_ms;
        let deadline = execution.deadline_at.map_or(own, |total| total.0.min(own));
        let asked_about = input.get("execution").and_then(Value::as_str).and_then(|id| id.parse::<ExecutionId>().ok());
        let scene = Scene {
            execution,
            part,
            input: &input,
            parent_ran: asked_about.is_some_and(|parent| self.ledger.count(parent) > 0),
            budget_ms: deadline.saturating_sub(now.0),
            versions: self.versions(execution)?,
            references: &self.known.references,
        };
        let plan = hosts::plan(&mut self.random, self.weather.rough, &scene);
        if plan.runs {
            self.ledger.ran(part, execution.id, execution.attempt, execution.id.to_string())?;
        }
        self.calls.insert(execution.id, Call { attempt: execution.attempt, runs: plan.runs, stopping: false });
        for (after, report) in plan.reports {
            let (tenant, id, attempt) = (execution.tenant().clone(), execution.id, execution.attempt);
            self.happens_after(after, Event::Answer { tenant, execution: id, attempt, report, started });
        }
        Ok(())
    }

    fn versions(&mut self, execution: &Execution) -> Verdict<BTreeMap<&'static str, u64>> {
        let view = self.hub.view()?;
        let mut versions = BTreeMap::new();
        for name in STATE_KEYS {
            let owner = execution.intent.session_id.as_str();
            let row = view.get(&Key::state(execution.tenant(), StateScope::Session, owner, name));
            if let Ok(Some(Row::State(row))) = row
                && row.lives(self.clock.hub())
            {
                versions.insert(name, row.version);
            }
        }
        Ok(versions)
    }

    fn stop(&mut self, execution: ExecutionId) {
        let Some(call) = self.calls.get_mut(&execution) else { return };
        if std::mem::replace(&mut call.stopping, true) {
            return;
        }
        let (attempt, runs) = (call.attempt, call.runs);
        let (after, report) = match hosts::stop_plan(&mut self.random, self.weather.rough, runs) {
            StopPlan::GoesOn => return,
            StopPlan::Stops(after, report) | StopPlan::Silent(after, report) => (after, report),
        };
        let planned = self.events.iter().find(|(_, event)| {
            matches!(event, Event::Answer { execution: id, attempt: of, .. } if *id == execution && *of == attempt)
        });
        let Some((key, Event::Answer { tenant, started, .. })) = planned else { return };
        let (key, tenant, started) = (*key, tenant.clone(), *started);
        self.events.remove(&key);
        self.happens_after(after, Event::Answer { tenant, execution, attempt, report, started });
    }

    /// Sends what may be sent now; the sink has it at once, the hub hears of it later.
    pub(super) fn relay(&mut self) -> Verdict {
        if !self.hub.is_up() {
            return Ok(());
        }
        let view = self.hub.view()?;
        let (now, mono) = (self.clock.hub(), self.clock.mono());
        for (head, not_before) in relay::heads(&view)? {
            if not_before > now || !self.sending.insert((head.message, head.sink.clone())) {
                continue;
            }
            let message = relay::message(&view, &head)?;
            let result = self.sinks.send(&mut self.random, self.weather.rough, mono, &head.sink, &message);
            let after = self.random.between(0, 40);
            let relay::Sending { tenant, message, sink } = head;
            self.happens_after(after, Event::Delivery { tenant, message, sink, result });
        }
        Ok(())
    }
}
