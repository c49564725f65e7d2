//! What an open execution waits for, and whether something will wake it.

use enact_model::execution::{Execution, Phase, Wake};
use enact_model::table::{DueKind, Key};

use crate::view::{Need, Typed, View};

/// Says what an execution waits for, for people.
pub fn explain(execution: &Execution) -> Option<String> {
    Some(match execution.wake.as_ref()? {
        Wake::Slot { queue } if queue == crate::slots::HUB_QUEUE => "a free slot of the hub".to_owned(),
        Wake::Slot { queue } => format!("a free slot of {queue}"),
        Wake::StartAfter { due } => format!("its start time, {due}"),
        Wake::Answer { attempt } => format!("the answer of attempt {attempt}"),
        Wake::Retry { due } => format!("its next attempt, due {due}"),
        Wake::Reconcile { child } => format!("{child}, which finds out whether it ran"),
        Wake::Resume => "somebody to resume it".to_owned(),
        Wake::Stop { due } => format!("its attempt to stop, until {due}"),
    })
}

/// Returns why nothing will ever wake an open execution, if that is so. Whether a host really holds a running attempt is
/// for the performer to say.
///
/// # Errors
/// A row it reads is not in memory.
pub fn problem(view: &dyn View, execution: &Execution) -> Result<Option<String>, Need> {
    let tenant = execution.tenant();
    let id = execution.id;
    let Some(wake) = &execution.wake else {
        return Ok(Some(format!("{id} is {} and waits for nothing", execution.phase.word())));
    };
    let fits = match wake {
        Wake::Slot { .. } | Wake::StartAfter { .. } => execution.phase == Phase::Queued,
        Wake::Answer { .. } => execution.phase == Phase::Running,
        Wake::Stop { .. } => execution.phase == Phase::Stopping,
        Wake::Retry { .. } | Wake::Reconcile { .. } | Wake::Resume => execution.phase == Phase::Waiting,
    };
    if !fits {
        return Ok(Some(format!("{id} is {} and waits for {wake:?}", execution.phase.word())));
    }
    let present = match wake {
        Wake::Slot { queue } => view.get(&Key::queue(queue, tenant, execution.accepted_lsn))?.is_some(),
        Wake::StartAfter { due } => view.get(&Key::due(*due, DueKind::Start, tenant, id))?.is_some(),
        Wake::Retry { due } => view.get(&Key::due(*due, DueKind::Retry, tenant, id))?.is_some(),
        Wake::Stop { due } => view.get(&Key::due(*due, DueKind::GiveUp, tenant, id))?.is_some(),
        Wake::Reconcile { child } => view.execution(tenant, *child)?.is_some_and(|child| child.is_open()),
        Wake::Answer { attempt } => execution.attempt == *attempt,
        Wake::Resume => true,
    };
    Ok((!present).then(|| format!("{id} waits for {wake:?}, and nothing will bring it")))
}
