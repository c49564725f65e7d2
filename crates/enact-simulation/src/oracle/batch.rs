//! What one command is about, and what has come of it so far.

use std::collections::BTreeMap;

use enact_engine::command::{Command, CommandBody};
use enact_model::id::{ExecutionId, TenantId};
use enact_model::json::Json;
use enact_model::observation::Seen;
use enact_model::payload::Payload;
use enact_model::record::Record;
use serde_json::{Value, json};

use super::Oracle;
use super::data::Asked;
use super::life::Stage;
use super::verdict::{Fate, of_answer};
use crate::violation::{Verdict, hold};

/// One command at work.
pub(super) struct Batch<'a> {
    /// Effects that wait for the settlement they belong to.
    pub loose: Vec<&'a Record>,
    /// Executions that it made, in order.
    pub accepted: Vec<ExecutionId>,
    /// What must become of executions.
    pub fates: BTreeMap<ExecutionId, Vec<Fate>>,
    /// What did become of executions.
    pub became: BTreeMap<ExecutionId, Fate>,
    /// What handlers asked for, and the output as their events carry it.
    pub asked: BTreeMap<ExecutionId, (Asked, Json)>,
    /// Executions that its records are about.
    pub touched: Vec<ExecutionId>,
    /// The execution that it brings an answer for.
    pub about: Option<ExecutionId>,
    /// It is a retry.
    pub retried: bool,
    /// It is an observation that changes state by itself, as an operator does.
    pub by_hand: bool,
}

impl<'a> Batch<'a> {
    /// Foretells what a command brings about.
    pub fn of(oracle: &Oracle, command: &Command) -> Self {
        let mut batch = Self {
            loose: Vec::new(),
            accepted: Vec::new(),
            fates: BTreeMap::new(),
            became: BTreeMap::new(),
            asked: BTreeMap::new(),
            touched: Vec::new(),
            about: None,
            retried: matches!(command.body, CommandBody::Retry { .. }),
            by_hand: matches!(command.body, CommandBody::SetState { .. } | CommandBody::RegisterReference { .. }),
        };
        if let CommandBody::Observe { tenant, execution, attempt, observation, output, .. } = &command.body {
            batch.about = Some(*execution);
            batch.foretell(oracle, tenant, *execution, *attempt, &observation.seen, output.as_ref());
        }
        batch
    }

    fn foretell(
        &mut self,
        oracle: &Oracle,
        tenant: &TenantId,
        execution: ExecutionId,
        attempt: u32,
        seen: &Seen,
        output: Option<&Json>,
    ) {
        let Some(life) = oracle.lives.get(&execution).filter(|life| life.tenant == *tenant) else { return };
        if !life.is_at_host() || life.attempt != attempt {
            self.fates.insert(execution, vec![Fate::Late]);
            return;
        }
        let value = output.map(Json::to_value);
        let reconciles = life.part.reconcile.is_some_and(|reconcile| {
            reconcile
                .parse()
                .is_ok_and(|reconcile| oracle.catalog.resolve(&reconcile, &life.intent.solution_id).is_some())
        });
        let mut fates = of_answer(life, seen, value.as_ref(), &oracle.data, reconciles);
        if life.deadline_at.is_some_and(|at| at <= oracle.now) {
            // What would be tried again is over instead.
            fates.push(Fate::Failed(None));
        }
        self.fates.insert(execution, fates);
        if let Seen::Replied(reply) = seen {
            let (by_value, carried) = match (&reply.output, value) {
                (Payload::Inline(json), _) => (json.to_value(), json.clone()),
                (Payload::Stored { digest, size }, value) => {
                    (value.unwrap_or(Value::Null), Json::from(&json!({"digest": digest, "size": size})))
                }
            };
            self.asked.insert(execution, (Asked { output: by_value, envelope: reply.envelope.clone() }, carried));
        }
    }
}

impl Oracle {
    /// Holds what became of executions against what had to.
    pub(super) fn hold_batch(&self, batch: &Batch<'_>, command: &Command) -> Verdict {
        for (execution, fates) in &batch.fates {
            let became = batch.became.get(execution);
            let fits = |fate: &Fate| match (fate, became) {
                (Fate::Failed(None), Some(Fate::Failed(_))) => true,
                (Fate::Again(low, high), Some(Fate::Again(pause, _))) => (low..=high).contains(&pause),
                (fate, Some(became)) => fate == became,
                (_, None) => false,
            };
            hold(fits_any(fates, fits), "an answer comes to what the design foretells", || {
                format!(
                    "{fates:?} of {execution} became {became:?} by {:?}; it was {:?}",
                    command.body,
                    self.lives.get(execution)
                )
            })?;
        }
        hold(batch.loose.is_empty(), "effects are recorded only with an outcome or an operator's command", || {
            format!("{:?} belongs to none", batch.loose)
        })?;
        for execution in &batch.touched {
            let stage = self.lives.get(execution).map(|life| &life.stage);
            let between = matches!(stage, Some(Stage::Free | Stage::Judged | Stage::Ending));
            hold(!between, "an open execution always names its wake-up cause", || {
                format!("{execution} is left in {stage:?} by {:?}", command.body)
            })?;
        }
        Ok(())
    }
}

fn fits_any(fates: &[Fate], fits: impl Fn(&Fate) -> bool) -> bool {
    fates.iter().any(fits)
}
