//! What a hub does before it takes anything new: open its epoch and answer for the attempts of the former one.

use std::collections::BTreeSet;
use std::sync::Arc;

use enact_engine::command::{Command, CommandBody};
use enact_engine::effect::{Effect, pending_effects};
use enact_engine::view::Need;
use enact_host::reap::ReapReport;
use enact_model::id::ExecutionId;
use enact_model::observation::{Fault, FaultKind, Observation, Seen};
use enact_model::time::Timestamp;
use enact_store::contract::Store;

use crate::driver::{Driver, Durable, Poisoned};

/// Why what the former hub left cannot be taken over.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The log refused.
    #[error(transparent)]
    Poisoned(#[from] Poisoned),
    /// A row of something open is damaged or missing.
    #[error("failed to read what is open: {0:?}")]
    Row(Need),
}

/// Opens the epoch.
///
/// # Errors
/// When the log refuses.
pub(crate) fn open_epoch<S: Store>(
    driver: &mut Driver<S>,
    store_id: &str,
    now: Timestamp,
    seed: u128,
) -> Result<(), Poisoned> {
    let release = env!("CARGO_PKG_VERSION").to_owned();
    let body = CommandBody::OpenEpoch { store_id: store_id.to_owned(), release };
    driver.turn(&[Command { time: now, seed, actor: "engine".into(), body }]).map(|_| ())
}

/// Answers for every attempt that the former hub had at its hosts, and returns what is to be performed then.
///
/// Call it only after every instance of the former hub is gone, or is named in the report.
///
/// # Errors
/// When the log refuses, or what is open cannot be read: a hub that went on would leave it open for ever.
pub(crate) fn answer_for_former<S: Store>(
    driver: &mut Driver<S>,
    reaped: &ReapReport,
    now: Timestamp,
    seed: u128,
) -> Result<BTreeSet<Effect>, RecoverError> {
    let actor: Arc<str> = "engine".into();
    let mut commands = Vec::new();
    for effect in pending(driver)? {
        let (Effect::Invoke { tenant, execution, attempt } | Effect::Stop { tenant, execution, attempt }) = effect
        else {
            continue;
        };
        let seen = Seen::Fault(lost(execution, reaped));
        let observation = Box::new(Observation { seen, started_at: now, ended_at: now, instance: None });
        let (output, input, raw) = (None, None, None);
        let body = CommandBody::Observe { tenant, execution, attempt, observation, output, input, raw, fits: None };
        let seed = seed.wrapping_add(1 + commands.len() as u128);
        commands.push(Command { time: now, seed, actor: Arc::clone(&actor), body });
    }
    // What the former hub left in the queue because it was shutting down gets its slots from the clock.
    let seed = seed.wrapping_add(1 + commands.len() as u128);
    commands.push(Command { time: now, seed, actor, body: CommandBody::Tick });
    for commands in commands.chunks(512) {
        driver.turn(commands)?;
    }
    pending(driver)
}

fn lost(execution: ExecutionId, reaped: &ReapReport) -> Fault {
    match reaped.may_still_run(execution) {
        Some(instance) => {
            FaultKind::InstanceUnknown.fault(format!("the hub ended; {} could not be proven gone", instance.label))
        }
        None => FaultKind::HubRestarted.fault("the hub ended while the attempt ran"),
    }
}

fn pending<S: Store>(driver: &Driver<S>) -> Result<BTreeSet<Effect>, RecoverError> {
    pending_effects(&Durable(driver.view())).map_err(RecoverError::Row)
}
