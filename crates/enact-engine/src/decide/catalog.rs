//! Components and solutions: added, drained, removed, bound.

use std::sync::Arc;

use enact_catalog::catalog::{CatalogFault, State};
use enact_model::conclusion::Conclusion;
use enact_model::descriptor::{Component, Solution};
use enact_model::digest::Digest;
use enact_model::execution::Execution;
use enact_model::id::Name;
use enact_model::intent::InputFault;
use enact_model::record::Body;
use enact_model::table::{ComponentState, Key, KeyRange, Row};

use super::{World, refused};
use crate::command::{Answer, Refused};
use crate::conclude as code;
use crate::scratch::Scratch;
use crate::view::{Need, Typed, open_executions, rows};

pub(super) fn add(
    scratch: &mut Scratch<'_>,
    world: &World<'_>,
    component: &Arc<Component>,
    digest: Digest,
) -> Result<Answer, Need> {
    let (name, version) = (&component.name, &component.version);
    if let Some(row) = scratch.component_row(&Key::component(name, version))? {
        if row.digest != digest {
            let message = format!("component {name} {version} exists with other content ({})", row.digest);
            return Ok(refused(
                Conclusion::new(code::CATALOG_CONFLICT, message).hint("give the new content a new version"),
            ));
        }
        if row.state == ComponentState::Active {
            return Ok(Answer::Done(format!("component {name} {version} is there already")));
        }
    }
    if let Err(faults) = world.catalog.check_add(component) {
        return Ok(catalog_conflict(format!("component {name} {version} does not fit the catalog"), &faults));
    }
    scratch.record(None, None, Body::ComponentAdded { component: Arc::clone(component), digest })?;
    Ok(Answer::Done(format!("component {name} {version} is added")))
}

fn catalog_conflict(what: String, faults: &[CatalogFault]) -> Answer {
    let faults: Vec<InputFault> =
        faults.iter().map(|fault| InputFault::new("catalog", fault.to_string()).hint(fault.hint())).collect();
    let list: Vec<String> = faults.iter().map(ToString::to_string).collect();
    let mut conclusion = Conclusion::new(code::CATALOG_CONFLICT, format!("{what}: {}", list.join("; ")));
    conclusion.hint = faults.iter().find_map(|fault| fault.hint.clone());
    Answer::Refused(Box::new(Refused { conclusion, faults, retry_after_ms: None }))
}

pub(super) fn drain(scratch: &mut Scratch<'_>, name: &Name, version: &str, reason: &str) -> Result<Answer, Need> {
    let Some(row) = scratch.component_row(&Key::component(name, version))? else {
        return Ok(no_component(scratch, name, version));
    };
    if row.state == ComponentState::Removed {
        let message = format!("component {name} {version} is removed and cannot be drained");
        return Ok(refused(Conclusion::new(code::PHASE_CONFLICT, message).hint("nothing of it is left to drain")));
    }
    if row.state == ComponentState::Active {
        let body =
            Body::ComponentDraining { name: name.clone(), version: version.to_owned(), reason: reason.to_owned() };
        scratch.record(None, None, body)?;
    }
    Ok(Answer::Done(format!("component {name} {version} takes no new executions")))
}

pub(super) fn remove(
    scratch: &mut Scratch<'_>,
    world: &World<'_>,
    name: &Name,
    version: &str,
    reason: &str,
) -> Result<Answer, Need> {
    let Some(row) = scratch.component_row(&Key::component(name, version))? else {
        return Ok(no_component(scratch, name, version));
    };
    let pinned = |execution: &&Arc<Execution>| execution.pin.name == *name && *execution.pin.version == *version;
    let open = open_executions(scratch)?.iter().filter(pinned).count();
    if open > 0 {
        let message = format!("component {name} {version} has {open} open executions");
        return Ok(refused(Conclusion::new(code::PHASE_CONFLICT, message).hint("drain it and wait, or cancel them")));
    }
    if let Err(faults) = world.catalog.check_state(name, version, State::Removed) {
        return Ok(needed(name, version, &faults));
    }
    if row.state != ComponentState::Removed {
        let body =
            Body::ComponentRemoved { name: name.clone(), version: version.to_owned(), reason: reason.to_owned() };
        scratch.record(None, None, body)?;
    }
    Ok(Answer::Done(format!("component {name} {version} is removed")))
}

/// Refuses to take out what a bound solution would not do without.
fn needed(name: &Name, version: &str, faults: &[CatalogFault]) -> Answer {
    let list: Vec<String> = faults.iter().map(ToString::to_string).collect();
    let message = format!("component {name} {version} is needed: {}", list.join("; "));
    let hint = "bind the solution without it, or add another version; or drain it first, and its intents are refused";
    refused(Conclusion::new(code::CATALOG_CONFLICT, message).hint(hint))
}

fn no_component(scratch: &Scratch<'_>, name: &Name, version: &str) -> Answer {
    let versions: Vec<String> = rows(scratch, KeyRange::versions(name))
        .filter_map(|(_, row)| match row {
            Row::Component(row) => Some(row.component.version.clone()),
            _ => None,
        })
        .collect();
    let hint = match versions.as_slice() {
        [] => "`enact component list` shows what there is".to_owned(),
        known => format!("its versions are {}", known.join(", ")),
    };
    refused(Conclusion::new(code::NOT_FOUND, format!("there is no component {name} {version}")).hint(hint))
}

pub(super) fn bind(scratch: &mut Scratch<'_>, world: &World<'_>, solution: &Arc<Solution>) -> Result<Answer, Need> {
    if scratch.solution_row(&Key::solution(&solution.name))?.is_some_and(|known| known == *solution) {
        return Ok(Answer::Done(format!("solution {} is bound already", solution.name)));
    }
    if let Err(faults) = world.catalog.check_bind(solution) {
        return Ok(catalog_conflict(format!("solution {} does not fit the catalog", solution.name), &faults));
    }
    scratch.record(None, None, Body::SolutionBound { solution: Arc::clone(solution) })?;
    Ok(Answer::Done(format!("solution {} is bound", solution.name)))
}
