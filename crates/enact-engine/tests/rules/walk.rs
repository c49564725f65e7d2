//! Random walks: many commands in no order, each of them held against what must always hold, and the log replayed.

use std::collections::BTreeSet;

use enact_engine::command::{Answer, CommandBody, DeliveryResult};
use enact_model::id::ExecutionId;
use enact_model::observation::{FaultKind, Reached};
use enact_model::table::{Row, Table};
use enact_model::time::Timestamp;
use serde_json::json;

use crate::hub::{Ask, Hub, replied, shop, tenant};

const OPERATIONS: &str = "
    look: { kind: query, retry: { attempts: 4, backoff: 100ms..1s }, emits: [{ type: looked, key: /input/who }] }
    pay: { kind: command, reconcile: find, emits: [{ type: unpaid, on: failed, key: /input/who }] }
    find: { kind: query }
    book: { kind: command, idempotent: true, concurrency: { limit: 1, key: /who }, retry: { attempts: 3, backoff: 1s..5s } }
    save: { kind: query, returns: effects, concurrency: { limit: 2 } }";

const SEEDS: u64 = 16;
const STEPS: u64 = 250;

/// Says how to repeat a walk that fails.
struct Repeat(u64);

impl Drop for Repeat {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("repeat it with: ENACT_SEED={} cargo nextest run -p enact-engine random_walk", self.0);
        }
    }
}

/// SplitMix64: small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }
    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

fn executions(hub: &Hub, open: bool) -> Vec<ExecutionId> {
    let rows = hub.table(Table::Execution).into_iter();
    rows.filter_map(|row| match row {
        Row::Execution(execution) if !open || execution.is_open() => Some(execution.id),
        _ => None,
    })
    .collect()
}

fn ask(dice: &mut Dice, now: Timestamp) -> Ask {
    let operation = dice.of(&["look", "look", "pay", "book", "save", "none"]);
    let who = dice.below(3);
    let mut ask = Ask::new(&format!("shop.s.{operation}")).tenant(dice.of(&["acme", "other"]));
    ask = ask.params(&format!(r#"{{"who":{who}}}"#));
    if dice.one_in(3) {
        ask = ask.key(dice.of(&["a", "b"]));
    }
    if dice.one_in(3) {
        let ms = 1 + dice.below(3_000);
        ask = ask.deadline(ms);
    }
    if dice.one_in(5) {
        ask = ask.start_after(Timestamp(now.0 + dice.below(2_000)));
    }
    ask
}

fn observe(hub: &mut Hub, dice: &mut Dice, id: ExecutionId) -> Answer {
    if dice.one_in(10) {
        return hub.observe_attempt(id, dice.below(3) as u32, replied("1", None));
    }
    let reached = dice.of(&[Reached::No, Reached::Unknown, Reached::Yes]);
    let kind = dice.of(FaultKind::ALL);
    let version = dice.below(3);
    match dice.below(4) {
        0 => hub.fault(id, kind.fault("x").reached(reached)),
        1 => hub.reply(id, dice.of(&[r#"{"status":"not_run"}"#, r#"{"status":"completed","output":1}"#, "null"])),
        2 => {
            let state = json!([{ "scope": "session", "key": "k", "value": 1, "if_version": version }]);
            hub.effects(id, json!({ "state": state, "events": [{ "type": "saved", "key": "k" }] }))
        }
        _ => hub.reply(id, "{}"),
    }
}

fn deliver(hub: &mut Hub, dice: &mut Dice) -> Answer {
    let messages = hub.messages();
    let Some(row) = messages.get(dice.below(messages.len().max(1) as u64) as usize) else { return Answer::Noted };
    let (tenant, message) = (row.message.tenant_id.clone(), row.message.id);
    let sink = row.message.sinks[0].clone();
    let result = match dice.below(4) {
        0 => DeliveryResult::Failed { reason: "down".into(), retry_after: None },
        1 => DeliveryResult::Poison { reason: "odd".into() },
        2 => {
            let sink = Some(sink).filter(|_| dice.one_in(2));
            return hub.give(CommandBody::Redeliver { tenant, message, sink, reason: "again".into(), role: None });
        }
        _ => DeliveryResult::Delivered,
    };
    hub.give(CommandBody::Deliver { tenant, message, sink, result })
}

fn step(hub: &mut Hub, dice: &mut Dice) -> Answer {
    let open = executions(hub, true);
    let all = executions(hub, false);
    let some = |dice: &mut Dice, ids: &[ExecutionId]| if ids.is_empty() { None } else { Some(dice.of(ids)) };
    match dice.below(20) {
        0..5 => {
            let ask = ask(dice, hub.now);
            hub.submit(ask)
        }
        5..11 => {
            let running = hub.running();
            let ids = if running.is_empty() || dice.one_in(8) { all } else { running };
            some(dice, &ids).map_or(Answer::Noted, |id| observe(hub, dice, id))
        }
        11 | 12 => {
            let ms = dice.of(&[0, 1, 100, 800, 5_000]);
            hub.pass(ms)
        }
        13 => some(dice, &open).map_or(Answer::Noted, |id| hub.cancel(id)),
        14 => some(dice, &open).map_or(Answer::Noted, |id| hub.pause(id)),
        15 => some(dice, &open).map_or(Answer::Noted, |id| hub.resume(id)),
        16 => some(dice, &all).map_or(Answer::Noted, |id| {
            let confirm = dice.one_in(2);
            hub.retry(id, confirm)
        }),
        17 | 18 => deliver(hub, dice),
        _ => match dice.below(4) {
            0 => {
                let limit = 1 + dice.below(3);
                let operations = OPERATIONS.replace("limit: 2", &format!("limit: {limit}"));
                let version = format!("1.{}.0", hub.log.len());
                hub.add(&shop(&version, &operations))
            }
            1 => {
                let executions = all.iter().map(|id| (hub.execution(*id).tenant().clone(), *id)).collect();
                let messages =
                    hub.messages().iter().map(|row| (row.message.tenant_id.clone(), row.message.id)).collect();
                hub.policy.idempotency_keep = std::time::Duration::from_secs(10);
                let before = enact_model::id::Lsn(hub.log.len() as u64);
                hub.give(CommandBody::DropHistory { before, reason: "old".into(), executions, messages })
            }
            _ => {
                let value = Some(enact_model::json::Json::null()).filter(|_| dice.one_in(2));
                let (session, key) = ("default".parse().unwrap(), "k".to_owned());
                let (if_version, ttl_ms) = (None, Some(500));
                hub.give(CommandBody::SetState { tenant: tenant("acme"), session, key, value, if_version, ttl_ms })
            }
        },
    }
}

/// Takes a walk and returns the kinds of records and the phases it came by.
fn walk(seed: u64) -> BTreeSet<String> {
    let _repeat = Repeat(seed);
    let mut dice = Dice(seed);
    let mut hub = Hub::new(OPERATIONS);
    hub.policy.running_max = 1 + dice.below(5) as u32;
    hub.policy.open_max = 30;
    hub.policy.delivery_attempts = 2;
    let mut seen = BTreeSet::new();
    for _ in 0..STEPS {
        let answer = step(&mut hub, &mut dice);
        seen.extend(hub.kinds().into_iter().map(str::to_owned));
        seen.extend(executions(&hub, false).into_iter().map(|id| hub.phase(id)));
        if let Answer::Refused(refused) = answer {
            seen.insert(format!("refused {}", refused.conclusion.code));
        }
    }
    hub.replay();
    // Whatever is still open comes to an end: nothing waits for what never comes.
    for id in executions(&hub, true) {
        hub.resume(id);
    }
    for _ in 0..1_000 {
        for id in hub.running() {
            hub.reply(id, "{}");
        }
        hub.pass(1_000);
        if executions(&hub, true).is_empty() {
            hub.replay();
            return seen;
        }
    }
    panic!("still open: {:?}", executions(&hub, true).into_iter().map(|id| hub.phase(id)).collect::<Vec<_>>());
}

#[test]
fn in_random_walks_live_effects_are_the_pending_ones_and_replay_rebuilds_the_tables() {
    let mut seen = BTreeSet::new();
    match std::env::var("ENACT_SEED") {
        Ok(seed) => drop(walk(seed.parse().unwrap())),
        Err(_) => {
            for seed in 1..=SEEDS {
                seen.extend(walk(seed));
            }
            let conflict = format!("refused {}", enact_engine::conclude::PHASE_CONFLICT);
            for wanted in [
                "running",
                "running pausing",
                "queued slot",
                "queued start_after",
                "waiting retry",
                "waiting reconcile",
                "waiting paused",
                "stopping cancel",
                "stopping deadline",
                "settled completed",
                "settled failed",
                "settled cancelled",
                "settled in doubt",
                "IntentRejected",
                "LateObserved",
                "StateSet",
                "StateDeleted",
                "MessageDelayed",
                "MessageDeadLettered",
                "MessageRequeued",
                "MessageDelivered",
                "HistoryDropped",
                &conflict,
            ] {
                assert!(seen.contains(wanted), "no walk came by {wanted:?}: {seen:?}");
            }
        }
    }
}
