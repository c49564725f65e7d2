//! Submit: the door's share — fill in what may be left out, bring large parameters to safety, wait if asked.

use std::sync::Arc;
use std::time::Duration;

use enact_engine::command::{Answer, CommandBody};
use enact_model::id::{IntentId, SessionId, SolutionId};
use enact_model::intent::{InputFault, IntentDraft, LeftOut};
use enact_model::json::{Json, JsonError, JsonFault};
use enact_model::limits::{self, INLINE_MAX_BYTES, PARAMETERS_MAX_BYTES, PARAMETERS_TOO_LARGE_HINT};
use enact_model::payload::Payload;

use super::artifact::ours;
use super::{Hub, refusal};
use crate::api::{Caller, Response};
use crate::performer::put_json;
use enact_engine::conclude as code;

impl Hub {
    pub(super) async fn submit(
        &self,
        caller: &Caller,
        mut draft: IntentDraft,
        wait_ms: u64,
    ) -> refusal::Result<Response> {
        self.refuse_while_draining()?;
        let named_here = draft.intent_id.is_none();
        let unreadable = canonical(&mut draft);
        let tenant = caller.tenant.clone();
        let suppressed = self.ring.take_suppressed(tenant.as_str());
        let left_out = self.left_out(caller);
        let parsed = match (draft.parse_filled_in(left_out.created_at, &left_out), unreadable) {
            (parsed, None) => parsed,
            (Ok(_), Some(fault)) => Err(vec![fault]),
            (Err(faults), Some(fault)) => Err(faults.into_iter().chain([fault]).collect()),
        };
        let body = match parsed {
            Ok(mut intent) => {
                let parameters = intent.parameters.inline().cloned().unwrap_or_else(Json::null);
                // Above the limit they go to the artifact store before a record names them.
                if parameters.as_str().len() > INLINE_MAX_BYTES {
                    intent.parameters = self.store_parameters(parameters.clone()).await?;
                }
                let role = Some(caller.role.as_str());
                CommandBody::Submit { intent: Arc::new(intent), parameters, named_here, suppressed, role }
            }
            Err(faults) => CommandBody::Reject {
                intent_id: draft.intent_id.as_deref().and_then(|id| id.parse().ok()).unwrap_or(left_out.intent_id),
                tenant: tenant.clone(),
                intent_type: draft.intent_type.clone().unwrap_or_default().chars().take(200).collect(),
                faults,
                parameters: draft.parameters.as_ref().map(ToString::to_string).unwrap_or_default(),
                suppressed,
            },
        };
        let actor: Arc<str> = caller.actor.as_str().into();
        let limit = Duration::from_millis(wait_ms).min(limits::DEADLINE_MAX);
        let asked = match wait_ms {
            0 => self.ring.ask(&actor, body).await.map(|answer| (answer, None)),
            _ => self.ring.ask_to_settle(&actor, body, limit).await,
        };
        let answer = asked.map_err(refusal::of_ring);
        let limited =
            matches!(&answer, Ok((Answer::Refused(refused), _)) if refused.conclusion.code == code::REJECTIONS_LIMITED);
        if !matches!(&answer, Ok((Answer::Rejected(rejection), _)) if rejection.suppressed == suppressed) {
            // No record took the count: the next rejection that is logged carries it.
            self.ring.count_suppressed(tenant.as_str(), suppressed + u64::from(limited));
        }
        let (row, repeated) = match answer? {
            (Answer::Accepted(_), Some(settled)) => (settled, false),
            (Answer::Accepted(execution), None) => (self.row(caller, execution)?, false),
            (Answer::Repeated(execution), _) => {
                if wait_ms > 0 {
                    self.wait_settled(caller, execution, limit).await?;
                }
                (self.row(caller, execution)?, true)
            }
            (Answer::Rejected(rejection), _) => return Ok(Response::Rejected(rejection)),
            (Answer::Refused(refused), _) => return Err(refusal::from(*refused)),
            (other, _) => return Err(refusal::internal(&format!("a submit was answered with {other:?}"))),
        };
        Ok(Response::Accepted { execution: Box::new(self.shown(row).await?), repeated })
    }

    fn left_out(&self, caller: &Caller) -> LeftOut {
        let now = self.ring.now();
        LeftOut {
            intent_id: IntentId::from_parts(now.0, self.ring.random()),
            tenant_id: caller.tenant.clone(),
            session_id: SessionId::default_session(),
            solution_id: SolutionId::default_solution(),
            created_at: now,
        }
    }

    async fn store_parameters(&self, parameters: Json) -> refusal::Result<Payload> {
        let artifacts = self.performer.artifacts().clone();
        let put = tokio::task::spawn_blocking(move || put_json(&artifacts, &parameters)).await;
        let stored = put.map_err(|error| refusal::internal(&error))?;
        stored.map_err(|error| ours(&error))
    }
}

/// Brings parameters to canonical form: a door may have passed on what it never parsed, and what was made in this process was
/// never held against the limit.
fn canonical(draft: &mut IntentDraft) -> Option<InputFault> {
    let parameters = draft.parameters.clone()?;
    let judged = match parameters.as_str().len() {
        size if size > PARAMETERS_MAX_BYTES => {
            let kind = JsonFault::TooLarge(PARAMETERS_MAX_BYTES);
            Err(JsonError { kind, offset: PARAMETERS_MAX_BYTES })
        }
        _ => parameters.judged(),
    };
    match judged {
        Ok(parameters) => {
            draft.parameters = Some(parameters);
            None
        }
        Err(error) => {
            let fault = InputFault::new("parameters", error.to_string());
            let too_large = matches!(error.kind, JsonFault::TooLarge(_));
            Some(if too_large { fault.hint(PARAMETERS_TOO_LARGE_HINT) } else { fault })
        }
    }
}
