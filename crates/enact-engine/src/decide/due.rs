//! Tick: what the time has come for.

use enact_model::execution::{Execution, Phase, StopCause, Wake};
use enact_model::id::{ExecutionId, TenantId};
use enact_model::table::{DueKind, KeyRange};

use super::settle::{settle_stopped, stop};
use super::{World, operate};
use crate::command::{Answer, Command};
use crate::scratch::Scratch;
use crate::slots;
use crate::view::{Need, Typed, View};

/// Entries handled by one command, so that its frame stays small; the driver ticks again at once.
pub const TICK_MAX: usize = 64;

pub(super) fn tick(scratch: &mut Scratch<'_>, world: &World<'_>, command: &Command) -> Result<Answer, Need> {
    let mut range = KeyRange::due(scratch.now());
    for _ in 0..TICK_MAX {
        let Some((key, _)) = scratch.first(&range) else { break };
        range = range.after(&key);
        let Some((_, kind, tenant, id)) = key.as_due() else { continue };
        wake(scratch, world, command, kind, &tenant, id)?;
    }
    // After a restart slots may be free that nobody will hand on: the hub that ended gave out none, or had fewer.
    slots::hand_on(scratch, world, None)?;
    slots::start_called_for(scratch, world)?;
    Ok(Answer::Noted)
}

fn wake(
    scratch: &mut Scratch<'_>,
    world: &World<'_>,
    command: &Command,
    kind: DueKind,
    tenant: &TenantId,
    id: ExecutionId,
) -> Result<(), Need> {
    let Some(execution) = scratch.execution(tenant, id)? else { return Ok(()) };
    let execution: &Execution = &execution;
    match (kind, execution.phase, &execution.wake) {
        // Checked first: after a hub was down, what was due to start may be over by now.
        (_, Phase::Queued | Phase::Waiting | Phase::Running, _) if execution.is_overdue(scratch.now()) => {
            stop(scratch, world, command, execution, StopCause::Deadline, "its total deadline passed")
        }
        (DueKind::Start, Phase::Queued, Some(Wake::StartAfter { .. }))
        | (DueKind::Retry, Phase::Waiting, Some(Wake::Retry { .. })) => {
            if execution.pause_requested {
                operate::wait_for_resume(scratch, execution)
            } else {
                slots::start_or_queue(scratch, world, execution)
            }
        }
        (DueKind::GiveUp, Phase::Stopping, _) => settle_stopped(scratch, world, command, execution, true),
        _ => Ok(()),
    }
}
