//! Records of the catalog.

use std::sync::Arc;

use enact_model::descriptor::Component;
use enact_model::digest::Digest;
use enact_model::id::Name;
use enact_model::record::Record;
use enact_model::table::{ComponentRow, ComponentState, Key, KeyRange, Row};

use crate::changes::Changes;
use crate::view::{Need, Typed, rows};

/// Adds a version as the active one; those that were active drain.
pub(super) fn add(
    changes: &mut Changes<'_>,
    record: &Record,
    component: &Arc<Component>,
    digest: Digest,
) -> Result<(), Need> {
    let before: Vec<_> = rows(changes, KeyRange::versions(&component.name)).collect();
    for (key, row) in before {
        if let Row::Component(row) = row
            && row.state == ComponentState::Active
        {
            let row = ComponentRow { state: ComponentState::Draining, ..(*row).clone() };
            changes.put(key, Row::Component(Arc::new(row)));
        }
    }
    let row = ComponentRow {
        component: Arc::clone(component),
        digest,
        state: ComponentState::Active,
        added_at: record.time,
        added_lsn: record.lsn,
    };
    changes.put(Key::component(&component.name, &component.version), Row::Component(Arc::new(row)));
    Ok(())
}

pub(super) fn drain(changes: &mut Changes<'_>, name: &Name, version: &str) -> Result<(), Need> {
    turn(changes, name, version, ComponentState::Draining)
}

pub(super) fn remove(changes: &mut Changes<'_>, name: &Name, version: &str) -> Result<(), Need> {
    turn(changes, name, version, ComponentState::Removed)
}

fn turn(changes: &mut Changes<'_>, name: &Name, version: &str, state: ComponentState) -> Result<(), Need> {
    let key = Key::component(name, version);
    if let Some(row) = changes.component_row(&key)? {
        let row = ComponentRow { state, ..(*row).clone() };
        changes.put(key, Row::Component(Arc::new(row)));
    }
    Ok(())
}
