//! Which artifacts a store must have: those that its references, its executions and its components name.

use std::collections::BTreeMap;
use std::sync::Arc;

use enact_model::descriptor::Component;
use enact_model::digest::Digest;
use enact_model::execution::Execution;
use enact_model::id::{ExecutionId, Name, TenantId};
use enact_model::intent::Intent;
use enact_model::outcome::Outcome;
use enact_model::payload::Payload;
use enact_model::record::{Body, Record};
use enact_model::reference::Reference;
use enact_model::table::{ComponentRow, ComponentState, KeyRange, Row, Table};
use enact_store::artifacts::Artifacts;
use enact_store::contract::{Order, ReadError, View};
use enact_store::embedded::Found;

/// Rows read at once.
const PAGE: usize = 500;

/// What is named, and by whom.
#[derive(Debug, Default)]
pub(crate) struct Named {
    references: BTreeMap<Digest, Arc<Reference>>,
    executions: BTreeMap<(TenantId, ExecutionId), Vec<(Digest, &'static str)>>,
    components: BTreeMap<(Name, String), Vec<(Digest, String)>>,
}

impl Named {
    /// Reads what the rows of a store name now.
    ///
    /// # Errors
    /// A row that cannot be read.
    pub(crate) fn by_rows(view: &impl View) -> Result<Self, ReadError> {
        let mut named = Self::default();
        for table in [Table::Reference, Table::Execution, Table::Component] {
            let mut range = KeyRange::table(table);
            loop {
                let page = view.scan(&range, Order::Ascending, PAGE)?;
                let Some((last, _)) = page.last() else { break };
                range = range.after(last);
                page.iter().for_each(|(_, row)| named.row(row));
            }
        }
        Ok(named)
    }

    /// Takes in what is read of a store that nobody holds, the rows before the records and those in their order.
    pub(crate) fn take(&mut self, found: &Found) {
        match found {
            Found::Row(row) => self.row(row),
            Found::Record(record) => self.record(record),
        }
    }

    fn row(&mut self, row: &Row) {
        match row {
            Row::Reference(reference) => self.reference(reference),
            Row::Execution(execution) => self.execution(execution),
            Row::Component(row) => {
                let ComponentRow { component, state, .. } = &**row;
                if *state != ComponentState::Removed {
                    self.component(component);
                }
            }
            _ => {}
        }
    }

    /// Takes in a record, which follows those before it: what was dropped or removed names nothing any more.
    pub(crate) fn record(&mut self, record: &Record) {
        match (&record.body, &record.tenant) {
            (Body::ReferenceRegistered { reference }, _) => self.reference(reference),
            (Body::ComponentAdded { component, .. }, _) => self.component(component),
            (Body::ComponentRemoved { name, version, .. }, _) => {
                self.components.remove(&(name.clone(), version.clone()));
            }
            (Body::IntentAccepted(acceptance), _) => self.intent(acceptance.execution, &acceptance.intent),
            (Body::Settled { execution, outcome }, Some(tenant)) => self.outcome(tenant, *execution, outcome),
            (Body::HistoryDropped { executions, .. }, _) => {
                executions.iter().for_each(|dropped| {
                    self.executions.remove(dropped);
                });
            }
            _ => {}
        }
    }

    fn reference(&mut self, reference: &Arc<Reference>) {
        // What has an address is elsewhere.
        if let (Some(digest), None) = (reference.digest, &reference.uri) {
            self.references.entry(digest).or_insert_with(|| Arc::clone(reference));
        }
    }
    fn execution(&mut self, execution: &Execution) {
        self.intent(execution.id, &execution.intent);
        if let Some(outcome) = &execution.outcome {
            self.outcome(execution.tenant(), execution.id, outcome);
        }
    }
    fn intent(&mut self, execution: ExecutionId, intent: &Intent) {
        if let Payload::Stored { digest, .. } = &intent.parameters {
            self.part(&intent.tenant_id, execution, *digest, "parameters");
        }
    }
    fn outcome(&mut self, tenant: &TenantId, execution: ExecutionId, outcome: &Outcome) {
        match outcome {
            Outcome::Completed { output: Payload::Stored { digest, .. }, .. } => {
                self.part(tenant, execution, *digest, "output");
            }
            Outcome::Failed { raw_output: Some(raw), .. } => self.part(tenant, execution, raw.digest, "raw output"),
            _ => {}
        }
    }
    fn part(&mut self, tenant: &TenantId, execution: ExecutionId, digest: Digest, part: &'static str) {
        self.executions.entry((tenant.clone(), execution)).or_default().push((digest, part));
    }
    fn component(&mut self, component: &Component) {
        let files = component.shape.files().iter().map(|(file, digest)| (*digest, file.clone())).collect();
        self.components.insert((component.name.clone(), component.version.to_string()), files);
    }

    /// Returns those that are not in a folder of artifacts, each with who names it and the way out.
    pub(crate) fn missing(&self, artifacts: &Artifacts) -> BTreeMap<Digest, String> {
        const PUT: &str = "put the same bytes again with `enact artifact put`";
        let mut missing = BTreeMap::new();
        let mut look = |digest: &Digest, who: &dyn Fn() -> String, way_out: &str| {
            if !artifacts.contains(digest) {
                let tell = || {
                    let who = who();
                    format!(
                        "the artifact {digest} is not there, and {who} names it; {way_out}, or copy it from the folder \
                         artifacts of a backup"
                    )
                };
                missing.entry(*digest).or_insert_with(tell);
            }
        };
        for (digest, reference) in &self.references {
            let Reference { id, name, tenant_id, .. } = &**reference;
            look(digest, &|| format!("the reference {id} ({name}) of tenant {tenant_id}"), PUT);
        }
        for ((tenant, execution), parts) in &self.executions {
            for (digest, part) in parts {
                look(digest, &|| format!("the execution {execution} of tenant {tenant}, whose {part} it is,"), PUT);
            }
        }
        for ((name, version), files) in &self.components {
            for (digest, file) in files {
                let who = || format!("the component {name} {version}, whose file {file} it is,");
                look(digest, &who, "add it again from its folder");
            }
        }
        missing
    }
}
