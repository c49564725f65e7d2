//! The naive queues: who waits for a slot, and that no tenant is passed over twice in a row.

use std::collections::{BTreeMap, BTreeSet};

use enact_model::id::{ExecutionId, TenantId};

use crate::violation::{Verdict, hold};

/// One queue.
#[derive(Debug, Clone, Default)]
struct Queue {
    waiting: BTreeMap<ExecutionId, TenantId>,
    /// For every tenant that was served: who waited then and was not served since.
    passed_over: BTreeMap<TenantId, BTreeSet<ExecutionId>>,
}

/// Every queue by its name.
#[derive(Debug, Clone, Default)]
pub struct Queues(BTreeMap<String, Queue>);

impl Queues {
    /// An execution waits in a queue.
    pub fn enter(&mut self, queue: &str, tenant: &TenantId, execution: ExecutionId) {
        self.0.entry(queue.to_owned()).or_default().waiting.insert(execution, tenant.clone());
    }

    /// An execution leaves a queue, with its turn or without.
    ///
    /// # Errors
    /// When its tenant was served before while another tenant has waited ever since. `ready` says who could have been.
    pub fn leave(
        &mut self,
        queue: &str,
        execution: ExecutionId,
        served: bool,
        ready: impl Fn(ExecutionId) -> bool,
    ) -> Verdict {
        let Some(place) = self.0.get_mut(queue) else { return Ok(()) };
        let Some(tenant) = place.waiting.remove(&execution) else { return Ok(()) };
        for others in place.passed_over.values_mut() {
            others.remove(&execution);
        }
        if !served {
            return Ok(());
        }
        let waited: BTreeSet<&TenantId> = place
            .passed_over
            .get(&tenant)
            .iter()
            .flat_map(|others| others.iter())
            .filter(|other| ready(**other))
            .filter_map(|other| place.waiting.get(other))
            .collect();
        hold(waited.is_empty(), "a tenant with many does not keep out one with few", || {
            format!("{tenant} is served twice in {queue:?} while {waited:?} waits")
        })?;
        // Whoever of this tenant is served next must not pass over those of others that wait now.
        let others: BTreeSet<ExecutionId> =
            place.waiting.iter().filter(|(_, owner)| **owner != tenant).map(|(other, _)| *other).collect();
        place.passed_over.insert(tenant.clone(), others);
        for (owner, passed) in &mut place.passed_over {
            // A tenant that was served now has not been passed over by anybody.
            if *owner != tenant {
                passed.retain(|other| place.waiting.get(other) != Some(&tenant));
            }
        }
        Ok(())
    }
}
