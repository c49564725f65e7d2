//! Holds the durable tables against the model: what was promised is there, nothing else is, and each tenant has only its own.

use std::collections::{BTreeMap, BTreeSet};

use enact_model::id::{IntentId, TenantId};
use enact_model::message::Delivery;
use enact_model::table::{IntentRow, Key, KeyRange, Row, Table};
use enact_store::contract::{Entry, Order, View};

use super::outbox::Sent;
use super::{IntentFate, Oracle};
use crate::cast::{TENANTS, tenant};
use crate::violation::{Verdict, broken, hold};
use crate::world::ledger::Ledger;

fn scan<V: View>(view: &V, range: &KeyRange) -> Verdict<Vec<Entry>> {
    let entries = view.scan(range, Order::Ascending, usize::MAX);
    entries.map_err(|error| broken("the durable tables can be read", format!("{error:?}")))
}

fn first_text(key: &Key) -> String {
    key.first_text().unwrap_or_default()
}

impl Oracle {
    /// Holds the durable tables against the model, at any time.
    ///
    /// # Errors
    /// When a row is missing, is too much, or is another.
    pub fn hold_tables<V: View>(&self, view: &V) -> Verdict {
        self.hold_executions(view)?;
        self.hold_intents(view)?;
        self.hold_data(view)?;
        self.hold_messages(view)
    }

    fn hold_executions<V: View>(&self, view: &V) -> Verdict {
        let mut found = BTreeSet::new();
        for name in TENANTS {
            for (_, row) in scan(view, &KeyRange::executions(&tenant(name)))? {
                let Row::Execution(row) = row else { continue };
                let life = self.lives.get(&row.id);
                let same = life.is_some_and(|life| {
                    life.tenant.as_str() == name
                        && life.outcome == row.outcome
                        && life.is_open() == row.is_open()
                        && life.attempt == row.attempt
                        && life.settled_at == row.settled_at
                        && life.intent == row.intent
                });
                hold(same, "the execution that is read is the one that was lived", || format!("{row:?} is {life:?}"))?;
                found.insert(row.id);
            }
        }
        for (id, life) in &self.lives {
            hold(found.contains(id), "no accepted intent is lost", || format!("{id} is missing: {life:?}"))?;
        }
        Ok(())
    }

    fn hold_intents<V: View>(&self, view: &V) -> Verdict {
        let rule = "every intent that was logged can be asked for, by its own tenant";
        let mut found = BTreeSet::new();
        for (key, row) in scan(view, &KeyRange::table(Table::Intent))? {
            let Row::Intent(row) = row else { continue };
            let id = IntentId::from_u128(key.last_id().unwrap_or_default());
            let owner: TenantId = tenant(&first_text(&key));
            let same = match (self.intents.get(&(owner.clone(), id)), &*row) {
                (Some(IntentFate::Accepted(known, _)), IntentRow::Accepted { execution, .. }) => known == execution,
                (Some(IntentFate::Rejected(digest)), IntentRow::Rejected { rejection, .. }) => {
                    rejection.digest == *digest && rejection.excerpt.len() <= 4 * 1024 && !rejection.faults.is_empty()
                }
                _ => false,
            };
            hold(same, rule, || format!("{id} is {row:?}"))?;
            found.insert((owner, id));
        }
        // An intent whose execution has its number needs no row of its own.
        let told = |((owner, id), fate): (&(TenantId, IntentId), &IntentFate)| {
            let alike = matches!(fate, IntentFate::Accepted(execution, _) if execution.as_u128() == id.as_u128());
            alike || found.contains(&(owner.clone(), *id))
        };
        let missing = self.intents.iter().find(|intent| !told(*intent));
        hold(missing.is_none(), rule, || format!("{missing:?} is missing"))?;
        let held = scan(view, &KeyRange::table(Table::Idempotency))?.len();
        hold(held == self.keys.len(), "an idempotency key lives as long as its execution", || {
            format!("{held} stand where {} belong", self.keys.len())
        })
    }

    fn hold_data<V: View>(&self, view: &V) -> Verdict {
        let now = self.now;
        let mut state = BTreeMap::new();
        for (key, row) in scan(view, &KeyRange::table(Table::State))? {
            let Row::State(row) = row else { continue };
            if row.lives(now) {
                state.insert(key, (row.version, row.value.clone()));
            }
        }
        let lives = self.data.state.iter().filter(|(_, stated)| self.data.lives(stated));
        let expected: BTreeMap<Key, _> = lives
            .filter_map(|((tenant, scope, owner, key), stated)| {
                Some((Key::state(tenant, *scope, owner, key), (stated.version, stated.value.clone()?)))
            })
            .collect();
        hold(state == expected, "state is what completed outcomes and operators made it", || {
            format!("{state:?} stands where {expected:?} belongs")
        })?;
        let rule = "references and provenance are those of completed outcomes and operators";
        for name in TENANTS {
            let owner = tenant(name);
            let found: BTreeSet<_> =
                scan(view, &KeyRange::references(&owner))?.into_iter().filter_map(|(key, _)| key.last_id()).collect();
            let own = self.data.references.keys().filter(|(known, _)| *known == owner);
            let expected: BTreeSet<_> = own.map(|(_, id)| id.as_u128()).collect();
            hold(found == expected, rule, || format!("{name} has {found:?} and not {expected:?}"))?;
        }
        let edges = scan(view, &KeyRange::table(Table::MadeInto))?.len();
        let back = scan(view, &KeyRange::table(Table::MadeFrom))?.len();
        hold(edges == self.data.edges.len() && back == edges, rule, || {
            format!("{edges} edges stand where {} belong", self.data.edges.len())
        })
    }

    fn hold_messages<V: View>(&self, view: &V) -> Verdict {
        let rule = "a message and what became of it are in the tables as in the log";
        let mut found = 0;
        let mut pending = 0;
        for (_, row) in scan(view, &KeyRange::table(Table::Message))? {
            let Row::Message(row) = row else { continue };
            let promise = self.outbox.promises.get(&row.message.id);
            let sinks = row.message.sinks.iter().zip(&row.deliveries);
            let same = promise.is_some_and(|promise| {
                promise.lsn == row.lsn
                    && promise.tenant == row.message.tenant_id
                    && sinks.clone().all(|(sink, delivery)| match (promise.sinks.get(sink), delivery) {
                        (Some(Sent::Pending(known)), Delivery::Pending { tries, .. }) => known == tries,
                        (Some(Sent::Delivered), Delivery::Delivered { .. })
                        | (Some(Sent::Dead), Delivery::DeadLettered { .. }) => true,
                        _ => false,
                    })
            });
            hold(same, rule, || format!("{row:?} is {promise:?}"))?;
            found += 1;
            pending += row.deliveries.iter().filter(|delivery| matches!(delivery, Delivery::Pending { .. })).count();
        }
        hold(found == self.outbox.promises.len(), rule, || {
            format!("{found} messages stand where {} belong", self.outbox.promises.len())
        })?;
        let places = scan(view, &KeyRange::table(Table::Pending))?.len();
        hold(places == pending, "every pending message has its place at its sink, and nothing else has", || {
            format!("{places} places stand where {pending} belong")
        })
    }

    /// Holds, once everything is quiet, that every acknowledged intent has come to exactly one outcome and that no handler
    /// ran more often than it may.
    ///
    /// # Errors
    /// When one has not.
    pub fn hold_quiet(&self, ledger: &Ledger) -> Verdict {
        for id in &self.acknowledged {
            let over = self.dropped.contains(id) || self.lives.get(id).is_some_and(|life| life.outcome.is_some());
            hold(over, "every acknowledged intent comes to exactly one outcome", || {
                format!("{id} is {:?}", self.lives.get(id))
            })?;
        }
        for (id, life) in &self.lives {
            let ran = ledger.count(*id);
            hold(ran <= life.attempt as usize, "a handler runs at most once for each attempt", || {
                format!("{id} ran {ran} times in {} attempts", life.attempt)
            })?;
            let completed = life.outcome.as_ref().is_some_and(|outcome| outcome.word() == "completed");
            hold(ran > 0 || !completed, "what completes has run", || format!("{id} is {life:?}"))?;
            let sure = life.outcome.as_ref().is_some_and(|outcome| {
                matches!(**outcome, enact_model::outcome::Outcome::Failed { .. }) && !outcome.may_have_run()
            });
            let silent_run = ran > 0 && sure && !life.may_have_run && !life.part.may_run_again();
            hold(!silent_run, "what may have run is not reported as not run", || format!("{id} ran and is {life:?}"))?;
        }
        Ok(())
    }
}
