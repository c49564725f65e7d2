//! The clients: each call from when it is due to its outcome, over whatever happens to the hub meanwhile.

use std::sync::Arc;
use std::time::Duration;

use enact_model::id::IntentId;
use http_body_util::BodyExt as _;
use hyper::body::Bytes;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, sleep, timeout};

use super::account::{End, Seen};
use super::kind::Kind;
use super::web::{Answer, Asked, PATIENCE};
use super::world::{Tenant, World};
use crate::dice::Dice;
use crate::{Broken, Result};

/// Sessions of a tenant.
const SESSIONS: u64 = 4;
/// Keys of events, of a tenant.
const KEYS: u64 = 8;
/// Keys that consoles write to, one after the other.
const PAGES: u64 = 97;
/// Longest time from when a call is due to its outcome.
const OUTCOME_MAX: Duration = Duration::from_secs(240);
/// Bytes of a document.
const DOCUMENT_BYTES: usize = 100 * 1_024;

/// One call, of a number that nothing else has.
pub(super) async fn call(world: Arc<World>, number: u64, due: Instant) {
    let mut dice = Dice(world.seed ^ number.wrapping_mul(0x9e37_79b9));
    let kind = world.kind(dice.below(100));
    let Some(tenant) = world.tenants.get(dice.below(world.tenants.len() as u64) as usize) else { return };
    let called = match kind {
        Kind::Price => price(&world, tenant, number).await,
        _ => intent(&world, tenant, kind, number, &mut dice).await,
    };
    match called {
        Ok(seen) => {
            if kind.timed() {
                world.took(due.elapsed());
            }
            world.heard(seen);
        }
        Err(broken) => world.fault(broken.to_string()),
    }
}

/// A function call; the same key finds the same execution, however often it is asked.
async fn price(world: &World, tenant: &Tenant, number: u64) -> Result<Seen> {
    let basket = json!({ "basket": { "items": [{ "sku": "tea", "price": 2.5, "count": number % 9 + 1 }] } });
    let asked = Asked::send("POST", &tenant.operator, "/rest/v1/pricing/quote/total?wait=20s", &basket);
    let asked = asked.with("idempotency-key", format!("price-{number}"));
    let end = Instant::now() + OUTCOME_MAX;
    loop {
        let answer = world.web.ask(&asked).await?;
        let execution = answer.execution.clone().unwrap_or_default();
        match answer.status {
            200 if answer.json().pointer("/currency") == Some(&json!("EUR")) => {
                let (kind, session) = (Kind::Price, "default".to_owned());
                return Ok(Seen { execution, kind, tenant: tenant.name, session, end: End::Completed });
            }
            // It is still open.
            202 if Instant::now() < end => {}
            _ => return Err(Broken(format!("a price is answered with {} ({execution})", answer.said()))),
        }
    }
}

async fn intent(world: &World, tenant: &Tenant, kind: Kind, number: u64, dice: &mut Dice) -> Result<Seen> {
    let session = format!("s-{}", dice.below(SESSIONS));
    let mut parameters = json!({ "key": format!("k{}", dice.below(KEYS)), "n": number });
    let mut digest = None;
    if kind == Kind::Copy {
        let (reference, of) = document(world, tenant, number).await?;
        parameters = json!({ "key": "copies", "document": reference });
        digest = Some(of);
    }
    let mut draft = json!({ "intent_type": kind.intent_type(), "session_id": session, "parameters": parameters });
    // A third of the clients makes the intent safe to repeat by an id of their own.
    let (name, safe) = match number % 3 {
        0 => ("intent_id", IntentId::from_u128(u128::from(world.seed) << 64 | u128::from(number)).to_string()),
        _ => ("idempotency_key", format!("call-{number}")),
    };
    put(&mut draft, name, safe);
    if kind == Kind::Later {
        let at = std::time::SystemTime::now() + Duration::from_millis(500 + dice.below(4_000));
        put(&mut draft, "start_after", enact_model::time::Timestamp::from_system(at).to_string());
    }
    let submit = Asked::send("POST", &tenant.operator, "/v1/intents", &draft);
    let execution = accepted(&world.web.ask(&submit).await?, None)?;
    world.acknowledged();
    if number.is_multiple_of(4) {
        let again = world.web.ask(&submit).await?;
        accepted(&again, Some(&execution))?;
    }
    if kind == Kind::Slow {
        sleep(Duration::from_millis(dice.below(600))).await;
        let path = format!("/v1/executions/{execution}/cancel");
        let cancel = Asked::send("POST", &tenant.operator, path, &json!({ "reason": "soak" }));
        let answer = world.web.ask(&cancel).await?;
        // 409: it was over by then.
        if ![200, 202, 409].contains(&answer.status) {
            return Err(Broken(format!("the cancel of {execution} is answered with {}", answer.said())));
        }
    }
    if number.is_multiple_of(16) {
        watch(world, tenant, &execution).await?;
    }
    let view = outcome(world, tenant, &execution).await?;
    if let (Some(digest), Some(reference)) = (digest, view.pointer("/output/artifacts/0")) {
        copied(world, tenant, &execution, reference, &digest).await?;
    }
    Ok(Seen { execution, kind, tenant: tenant.name, session, end: end(&view) })
}

fn put(draft: &mut Value, name: &str, text: String) {
    if let Value::Object(fields) = draft {
        fields.insert(name.to_owned(), Value::String(text));
    }
}

/// Returns the execution of an intent that was accepted, which must be the same as before.
fn accepted(answer: &Answer, before: Option<&str>) -> Result<String> {
    let said = answer.json();
    let execution = said.pointer("/execution_id").and_then(Value::as_str).unwrap_or_default();
    let same = before.is_none_or(|before| before == execution && said.pointer("/repeated") == Some(&json!(true)));
    if answer.status == 202 && !execution.is_empty() && same {
        return Ok(execution.to_owned());
    }
    Err(Broken(format!("an intent is answered with {} (before: {before:?})", answer.said())))
}

/// Waits for an outcome; returns the execution with it.
async fn outcome(world: &World, tenant: &Tenant, execution: &str) -> Result<Value> {
    let last = Instant::now() + OUTCOME_MAX;
    loop {
        let asked = Asked::get(&tenant.operator, format!("/v1/executions/{execution}?wait=20s"));
        let answer = world.web.ask(&asked).await?;
        let view = answer.json();
        if ![200, 202].contains(&answer.status) {
            return Err(Broken(format!("{execution} was acknowledged and is answered with {}", answer.said())));
        }
        if view.pointer("/execution/phase") == Some(&json!("settled")) {
            return Ok(view);
        }
        if Instant::now() > last {
            let wake = view.pointer("/execution/wake").map(Value::to_string);
            return Err(Broken(format!("{execution} has no outcome after {OUTCOME_MAX:?}; it waits for {wake:?}")));
        }
    }
}

/// Reads how an execution ended.
pub(super) fn end(view: &Value) -> End {
    let outcome = view.pointer("/execution/outcome").and_then(Value::as_object);
    let Some((word, of)) = outcome.and_then(|outcome| outcome.iter().next()) else { return End::None };
    if word == "completed" {
        return End::Completed;
    }
    let flag = |at: &str| of.pointer(at) == Some(&json!(true));
    End::Other {
        word: word.clone(),
        may_have_run: flag("/conclusion/may_have_run") || flag("/may_have_run"),
        nameless: of.pointer("/conclusion/kind") == Some(&json!("instance_unknown")),
    }
}

/// Puts a document that no other call has; returns its reference and digest.
async fn document(world: &World, tenant: &Tenant, number: u64) -> Result<(Value, String)> {
    let mut dice = Dice(world.seed.wrapping_add(number));
    let bytes: Vec<u8> = (0..DOCUMENT_BYTES / 8).flat_map(|_| dice.below(u64::MAX).to_le_bytes()).collect();
    let digest = sha256(&bytes);
    let mut asked = Asked::get(&tenant.operator, format!("/v1/artifacts?name=document-{number}.bin"));
    asked.method = "POST";
    asked.body = Some(Bytes::from(bytes));
    let answer = world.web.ask(&asked.with("content-type", "application/octet-stream")).await?;
    let reference = answer.json();
    match reference.pointer("/digest").and_then(Value::as_str) {
        Some(said) if said == digest => Ok((reference, digest)),
        _ => Err(Broken(format!("an artifact is answered with {}; its digest is {digest}", answer.said()))),
    }
}

/// The copy is what was copied, and so are its bytes.
async fn copied(world: &World, tenant: &Tenant, execution: &str, reference: &Value, digest: &str) -> Result<()> {
    let said = reference.pointer("/digest").and_then(Value::as_str).unwrap_or_default();
    let answer = world.web.ask(&Asked::get(&tenant.operator, format!("/v1/artifacts/{said}"))).await?;
    let found = sha256(&answer.body);
    if said == digest && found == digest {
        return Ok(());
    }
    Err(Broken(format!(
        "the copy of {execution} is {said} and reads as {found} ({}), and must be {digest}",
        answer.status
    )))
}

fn sha256(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// Follows an execution to its end, over hubs that die; no record comes twice.
async fn watch(world: &World, tenant: &Tenant, execution: &str) -> Result<()> {
    let (mut last, mut settled, give_up) = (0, 0, Instant::now() + OUTCOME_MAX);
    while settled == 0 && Instant::now() < give_up {
        let asked = Asked::get(&tenant.operator, format!("/v1/executions/{execution}/stream"));
        let asked = if last > 0 { asked.with("last-event-id", last.to_string()) } else { asked };
        let Ok(Some((response, _connection))) = timeout(PATIENCE, world.web.open(&asked)).await else {
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        match response.status().as_u16() {
            200 => {}
            // Its end was told before the connection broke, and the client has it.
            204 => return Ok(()),
            429 | 503 => {
                sleep(Duration::from_millis(50)).await;
                continue;
            }
            status => return Err(Broken(format!("the stream of {execution} is answered with {status}"))),
        }
        let (mut body, mut text) = (response.into_body(), String::new());
        while let Ok(Some(Ok(frame))) = timeout(PATIENCE, body.frame()).await {
            text.push_str(&String::from_utf8_lossy(frame.data_ref().map_or(&[], |bytes| bytes)));
            while let Some((event, rest)) = text.split_once("\n\n") {
                if let Some(id) = event.lines().find_map(|line| line.strip_prefix("id:")) {
                    let id = id.trim().parse::<u64>().unwrap_or(0);
                    if id <= last {
                        return Err(Broken(format!("the stream of {execution} has the record {id} after {last}")));
                    }
                    last = id;
                    settled +=
                        usize::from(event.lines().any(|line| line == "event: settled" || line == "event:settled"));
                }
                text = rest.to_owned();
            }
        }
    }
    if settled == 1 { Ok(()) } else { Err(Broken(format!("the stream of {execution} tells {settled} ends"))) }
}

/// Looks through lists, page by page, and puts and reads state, as consoles do.
pub(super) async fn browse(world: Arc<World>, number: u64) {
    for tenant in &world.tenants {
        if let Err(broken) = look_through(&world, tenant, number).await {
            world.fault(broken.to_string());
        }
    }
}

async fn look_through(world: &World, tenant: &Tenant, number: u64) -> Result<()> {
    let token = &tenant.operator;
    let expect = |what: &str, answer: &Answer| match answer.status {
        200 | 201 => Ok(()),
        _ => Err(Broken(format!("{what} is answered with {}", answer.said()))),
    };
    let lists = ["/v1/executions?limit=50", "/v1/executions?outcome=failed&limit=50", "/v1/outbox?limit=50"];
    for list in lists {
        let (mut path, mut had) = (list.to_owned(), std::collections::BTreeSet::new());
        for _ in 0..4 {
            let answer = world.web.ask(&Asked::get(token, path.clone())).await?;
            expect(&path, &answer)?;
            let page = answer.json();
            for item in page.pointer("/items").and_then(Value::as_array).into_iter().flatten() {
                let id = item.pointer("/execution/id").or_else(|| item.pointer("/message/id")).map(Value::to_string);
                if !had.insert(id.clone()) {
                    return Err(Broken(format!("{path} has {id:?} on two pages")));
                }
            }
            let Some(next) = page.pointer("/next").and_then(Value::as_str) else { break };
            path = format!("{list}&cursor={next}");
        }
    }
    let session = json!({ "session_id": "browsing", "ttl": "1h" });
    let opened = world.web.ask(&Asked::send("POST", token, "/v1/sessions", &session)).await?;
    // 409: it was opened before.
    if ![200, 201, 409].contains(&opened.status) {
        return expect("a session", &opened);
    }
    // Where calls take long, many look through lists at once: each has a key of its own.
    let path = &format!("/v1/state/browsing/page-{}", number % PAGES);
    expect(path, &world.web.ask(&Asked::send("PUT", token, path, &json!({ "page": number }))).await?)?;
    let read = world.web.ask(&Asked::get(token, path)).await?;
    expect(path, &read)?;
    match read.json().pointer("/value") {
        Some(value) if value.to_string().contains(&number.to_string()) => Ok(()),
        _ => Err(Broken(format!("{path} was set to {number} and reads as {}", read.said()))),
    }
}

/// Reads the counters of all sessions.
pub(super) async fn counters(world: &World) -> Result<std::collections::BTreeMap<(&'static str, String), u64>> {
    let mut held = std::collections::BTreeMap::new();
    for tenant in &world.tenants {
        for session in (0..SESSIONS).map(|number| format!("s-{number}")) {
            let answer = world.web.ask(&Asked::get(&tenant.operator, format!("/v1/state/{session}/count"))).await?;
            let value = answer.json();
            let inline = value.pointer("/value/inline").or_else(|| value.pointer("/value")).and_then(Value::as_u64);
            if let Some(count) = inline {
                held.insert((tenant.name, session), count);
            }
        }
    }
    Ok(held)
}
