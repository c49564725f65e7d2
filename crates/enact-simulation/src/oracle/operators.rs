//! What an operator must be answered in every stage of a life: the (phase × command) table of DESIGN §3, literally.

use enact_engine::command::CommandBody;
use enact_model::id::{ExecutionId, TenantId};

use super::life::{Life, Stage};
use super::{Foretold, Oracle};
use crate::cast::Part;

impl Oracle {
    /// Foretells the answer to a cancel, a pause, a resume or a retry.
    pub(super) fn foretell_operator(&self, tenant: &TenantId, id: ExecutionId, body: &CommandBody) -> Foretold {
        // Another tenant's execution is as unknown as one that never was.
        let Some(life) = self.lives.get(&id).filter(|life| life.tenant == *tenant) else { return Foretold::Refused };
        let (cancel, pause, resume, retry) = match &life.stage {
            Stage::Queued(_) | Stage::Delayed(_) => (true, true, false, false),
            Stage::Running => (true, true, life.pause_asked, false),
            Stage::Stopping(_) => (true, false, false, false),
            Stage::Resting(_) => (true, true, false, true),
            Stage::Asking(_) => (true, true, life.pause_asked, false),
            Stage::Paused(_) => (true, true, true, false),
            Stage::Settled => (false, false, false, true),
            Stage::Free | Stage::Judged | Stage::Ending => (false, false, false, false),
        };
        let done = match body {
            CommandBody::Cancel { .. } => cancel,
            CommandBody::Pause { .. } => pause,
            CommandBody::Resume { .. } => resume,
            CommandBody::Retry { confirm_may_have_run, .. } if life.stage == Stage::Settled => {
                return self.foretell_repetition(life, *confirm_may_have_run);
            }
            CommandBody::Retry { .. } => retry,
            _ => false,
        };
        if done { Foretold::Done } else { Foretold::Refused }
    }

    /// Retry of a settled execution is a new one; from in doubt it needs a confirmation.
    fn foretell_repetition(&self, life: &Life, confirmed: bool) -> Foretold {
        let Some(outcome) = life.outcome.as_deref() else { return Foretold::Refused };
        let query =
            Part::of(life.part.selector).is_some_and(|part| part.kind == enact_model::descriptor::OperationKind::Query);
        let in_doubt = outcome.may_have_run() && !query;
        if outcome.word() == "completed" || in_doubt && !confirmed {
            return Foretold::Refused;
        }
        let resolved = self.catalog.resolve(&life.intent.intent_type, &life.intent.solution_id);
        let Some((part, version)) = resolved else { return Foretold::Refused };
        // What is kept by reference cannot be checked for another version than the one it was checked for.
        let inline = life.intent.parameters.inline().is_some();
        let checked = if inline {
            self.fits(part, &life.tenant, &life.input)
        } else {
            life.part == part && life.version == version
        };
        let admitted = checked && self.data.admits(&life.tenant, &life.intent.session_id);
        let overloaded = self.overloaded(&life.tenant, life.intent.parameters.size());
        if admitted && !overloaded { Foretold::Accepted } else { Foretold::Refused }
    }
}
