//! What an intent must be answered, by DESIGN §3 "Idempotency" and "Admission" and the claims I5, I6 and L4.

use enact_model::id::{ExecutionId, IntentType, TenantId};
use enact_model::intent::Intent;
use enact_model::json::Json;
use enact_model::payload::Payload;
use serde_json::Value;

use super::{Foretold, IntentFate, Oracle};
use crate::cast::Part;

/// What a repetition under the same key must match.
pub fn same_request(one: &Intent, other: &Intent) -> bool {
    let text = |intent: &Intent| match &intent.parameters {
        Payload::Inline(json) => enact_model::digest::Digest::of(json.as_str().as_bytes()),
        Payload::Stored { digest, .. } => *digest,
    };
    text(one) == text(other) && one.session_id == other.session_id && one.solution_id == other.solution_id
}

impl Oracle {
    /// Foretells the answer to an intent.
    pub(super) fn foretell_submit(&self, intent: &Intent, parameters: &Json) -> Foretold {
        let tenant = &intent.tenant_id;
        let holder = self.key_holder(tenant, &intent.intent_type, intent.idempotency_key.as_deref());
        let same_key = holder.map(|(execution, known)| (execution, same_request(known, intent)));
        if let Some((execution, true)) = same_key {
            return Foretold::Repeated(execution);
        }
        match self.intents.get(&(tenant.clone(), intent.intent_id)) {
            Some(IntentFate::Accepted(execution, known)) => {
                let same = same_request(known, intent) && known.intent_type == intent.intent_type;
                return if same { Foretold::Repeated(*execution) } else { Foretold::Refused };
            }
            Some(IntentFate::Rejected(digest)) => {
                let same = *digest == enact_model::digest::Digest::of(parameters.as_str().as_bytes());
                return if same { Foretold::RejectedAgain } else { Foretold::Refused };
            }
            None => {}
        }
        let resolved = self.catalog.resolve(&intent.intent_type, &intent.solution_id);
        let admitted = same_key.is_none()
            && self.data.admits(tenant, &intent.session_id)
            && resolved.as_ref().is_some_and(|(part, _)| self.fits(part, tenant, parameters));
        if !admitted {
            return self.foretell_rejection(tenant);
        }
        if self.overloaded(tenant, intent.parameters.size()) { Foretold::Refused } else { Foretold::Accepted }
    }

    /// A rejection is logged, until there are too many within a minute.
    pub(super) fn foretell_rejection(&self, tenant: &TenantId) -> Foretold {
        let minute = self.now.0 / 60_000;
        let logged = self.rejections.get(tenant).filter(|(at, _)| *at == minute).map_or(0, |(_, count)| *count);
        if logged >= self.policy.rejections_per_minute { Foretold::Refused } else { Foretold::Rejected }
    }

    /// Returns whether too much is open for one more.
    pub(super) fn overloaded(&self, tenant: &TenantId, size: u64) -> bool {
        let open = || self.lives.values().filter(|life| life.is_open());
        let all = open().count() as u64;
        let own = open().filter(|life| life.tenant == *tenant).count() as u64;
        let bytes: u64 = open().map(|life| life.intent.parameters.size()).sum();
        let own_bytes: u64 =
            open().filter(|life| life.tenant == *tenant).map(|life| life.intent.parameters.size()).sum();
        all >= self.policy.open_max
            || own >= self.policy.open_max_per_tenant
            || bytes + size > self.policy.queued_bytes_max
            || own_bytes + size > self.policy.queued_bytes_max_per_tenant
    }

    /// Returns whether parameters suit an operation: the cast asks for an integer `n`, and for a reference that is there.
    pub(super) fn fits(&self, part: &Part, tenant: &TenantId, parameters: &Json) -> bool {
        let value = parameters.to_value();
        let document = value.get("document").and_then(|document| document.get("id")).and_then(Value::as_str);
        let known = |id: &str| id.parse().is_ok_and(|id| self.data.references.contains_key(&(tenant.clone(), id)));
        let typed = part.selector == "shop.main.tell" || value.get("n").is_some_and(Value::is_i64);
        typed && (!part.document || document.is_none_or(known))
    }

    fn key_holder(
        &self,
        tenant: &TenantId,
        intent_type: &IntentType,
        key: Option<&str>,
    ) -> Option<(ExecutionId, &Intent)> {
        let execution = *self.keys.get(&(tenant.clone(), intent_type.clone(), key?.to_owned()))?;
        Some((execution, &self.lives.get(&execution)?.intent))
    }
}
