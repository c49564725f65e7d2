//! Another tenant's token opens nothing (A1, A3).

use std::time::Instant;

use enact_runtime::api::Role;
use enact_server::route::ROUTES;
use serde_json::{Value, json};

use crate::bed::{Bed, LIMIT};
use crate::http::Ask;

/// Stands in everything that the victim has.
const MARK: &str = "only-the-victims";
/// Whose it is: a name that nobody else is told either.
const VICTIM: &str = "victim-incorporated";

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_names_another_tenant_is_forbidden_and_the_log_says_who_asked() {
    let bed = Bed::open().await;
    let thief = bed.token("thief", Role::Operator);
    let draft = json!({ "intent_type": "text.words.echo", "tenant_id": "victim", "parameters": {} });
    bed.ask(Ask::new("POST", "/v1/intents?wait=30s").json(&draft).token(&thief)).await.is(403);
    let denied = bed.denied("thief", 1).await;
    assert!(denied[0].contains("victim"), "{denied:?}");
    let nothing = bed.admin("victim", enact_runtime::api::Request::Executions(Default::default())).await;
    assert!(format!("{nothing:?}").contains("items: []"), "{nothing:?}");
    // To repeat one's own is no harm, and an administrator is one of its own tenant only.
    let own = json!({ "intent_type": "text.words.echo", "tenant_id": "thief", "parameters": {} });
    bed.ask(Ask::new("POST", "/v1/intents?wait=30s").json(&own).token(&thief)).await.is(200);
    let admin = bed.token("other", Role::Admin);
    bed.ask(Ask::new("POST", "/v1/intents?wait=30s").json(&draft).token(&admin)).await.is(403);
}

/// Everything that a tenant can have, by the name that the routes give it.
async fn belongings(bed: &Bed, secret: &str) -> Vec<(&'static str, String)> {
    let ask = |method: &str, path: &str, body: &Value| Ask::new(method, path).json(body).token(secret);
    let session = bed.ask(ask("POST", "/v1/sessions", &json!({ "owner": MARK }))).await.is(201).json();
    let session = session["id"].as_str().or(session["session_id"].as_str()).unwrap().to_owned();
    bed.ask(ask("PUT", &format!("/v1/state/{session}/cart"), &json!(MARK))).await.is(200);
    let draft = json!({
        "intent_type": "text.words.keep", "session_id": session, "parameters": { "text": MARK },
        "metadata": { "note": MARK },
    });
    let view = bed.ask(ask("POST", "/v1/intents?wait=30s", &draft)).await.is(200).json();
    let execution = view["execution"]["id"].as_str().unwrap().to_owned();
    let intent = view["execution"]["intent"]["intent_id"].as_str().unwrap().to_owned();
    let list = |path: &str| Ask::new("GET", path).token(secret);
    let outbox = bed.ask(list("/v1/outbox")).await.is(200).json();
    // The mark of its delivery is the last that is written of it.
    let begin = Instant::now();
    while bed.ask(list("/v1/outbox?state=delivered")).await.is(200).json()["items"][0].is_null() {
        assert!(begin.elapsed() < LIMIT, "the message is not delivered");
        tokio::task::yield_now().await;
    }
    let message = outbox["items"][0]["message"]["id"].as_str().unwrap().to_owned();
    let references = bed.ask(list("/v1/references")).await.is(200).json();
    let reference = references["items"][0]["id"].as_str().unwrap().to_owned();
    let digest = references["items"][0]["digest"].as_str().unwrap().to_owned();
    vec![
        ("intents", intent),
        ("executions", execution),
        ("sessions", session.clone()),
        ("state", session),
        ("outbox", message),
        ("references", reference),
        ("artifacts", digest),
    ]
}

/// The requests that a route stands for, with what belongs to the victim in its braces.
fn requests(route: &enact_server::route::Route, belongings: &[(&'static str, String)]) -> Vec<Ask> {
    let id = |kind: &str| belongings.iter().find(|(of, _)| *of == kind).map_or("x", |(_, id)| id.as_str());
    let kind = route.path.split('/').nth(2).unwrap_or_default();
    let path = route.path.replace("{id}", id(kind)).replace("{session}", id("state")).replace("{key}", "cart");
    let path = path.replace("{digest}", id("artifacts"));
    let path = path.replace("{component}", "text").replace("{service}", "words").replace("{operation}", "echo");
    let path = path.replace("{question}", "describe");
    let body = match route.path {
        "/v1/intents" => json!({ "intent_type": "text.words.echo", "parameters": {} }),
        "/v1/executions/cancel" | "/v1/executions/retry" => json!({ "filter": {}, "reason": "r" }),
        path if path.ends_with("{question}") => json!({}),
        "/v1/sessions" => json!({ "owner": "thief" }),
        "/v1/sessions/{id}" => json!({ "owner": "thief" }),
        "/v1/artifacts" => json!("thiefs"),
        path if path.ends_with("/{key}") => json!("thiefs"),
        _ => json!({ "reason": "r", "confirm_may_have_run": true }),
    };
    let query = if route.path == "/v1/artifacts" { "?name=thiefs" } else { "" };
    let body = if path.ends_with("redeliver") { json!({ "reason": "r" }) } else { body };
    let path = format!("{path}{query}");
    match route.method {
        "POST" if route.path == "/v1/ask" => {
            let of_tenants = questions(&id).into_iter().chain(questions_of_all());
            let all = of_tenants.chain(questions_of_the_hub());
            all.map(|question| Ask::new("POST", "/v1/ask").json(&question)).collect()
        }
        "GET" => {
            // A list that is asked for what belongs to the victim.
            let filters = match route.path {
                "/v1/executions" | "/v1/records" => vec![format!("session={}", id("sessions"))],
                "/v1/outbox" => vec!["state=delivered".to_owned()],
                "/v1/references" => vec![
                    format!("made_by={}", id("executions")),
                    format!("digest={}", id("artifacts")),
                    "name=kept.json".to_owned(),
                ],
                _ => Vec::new(),
            };
            let filtered = filters.iter().map(|filter| format!("{path}?{filter}"));
            std::iter::once(path.clone()).chain(filtered).map(|path| Ask::new("GET", &path)).collect()
        }
        "DELETE" => vec![Ask::new(route.method, &path)],
        method => vec![Ask::new(method, &path).json(&body)],
    }
}

/// Every question about something that a tenant has, about what the victim has.
fn questions<'a>(id: &impl Fn(&str) -> &'a str) -> Vec<Value> {
    let (execution, reference, session) = (id("executions"), id("references"), id("sessions"));
    vec![
        json!({ "execution": { "execution": execution } }),
        json!({ "await": { "execution": execution, "wait_ms": 0 } }),
        json!({ "cancel": { "execution": execution, "reason": "r" } }),
        json!({ "pause": { "execution": execution, "reason": "r" } }),
        json!({ "resume": { "execution": execution, "reason": "r" } }),
        json!({ "retry": { "execution": execution, "reason": "r", "confirm_may_have_run": true } }),
        json!({ "bulk": {
            "action": "retry", "filter": { "limit": 100 }, "reason": "r", "confirm_may_have_run": true,
        } }),
        json!({ "audit": { "execution": execution, "after": null, "limit": 100 } }),
        json!({ "intent": { "intent": id("intents") } }),
        json!({ "executions": { "limit": 100 } }),
        json!({ "reference": { "reference": reference } }),
        json!({ "lineage": { "reference": reference, "direction": "both", "depth": 9, "limit": 9 } }),
        json!({ "references": { "limit": 100 } }),
        json!({ "session": { "session": session } }),
        json!({ "sessions": { "limit": 100 } }),
        json!({ "session_upgrade": { "session": session, "owner": "thief" } }),
        json!({ "session_close": { "session": session, "reason": "r" } }),
        json!({ "state_set": { "session": session, "key": "cart", "value": "thiefs" } }),
        json!({ "state_get": { "scope": "session", "owner": session, "key": "cart" } }),
        json!({ "state_list": { "scope": "session", "owner": session, "limit": 100 } }),
        json!({ "outbox": { "limit": 100 } }),
        json!({ "outbox_show": { "message": id("outbox") } }),
        json!({ "redeliver": { "message": id("outbox"), "reason": "r" } }),
        json!({ "records": { "filter": {}, "limit": 1000 } }),
    ]
}

/// Every question about what all tenants share to read, and about what the thief makes for itself.
fn questions_of_all() -> Vec<Value> {
    vec![
        json!({ "submit": {
            "draft": { "intent_type": "text.words.echo", "parameters": {}, "tenant_id": "thief" }, "wait_ms": 0,
        } }),
        json!({ "session_open": { "session": null, "owner": "thief", "ttl_ms": null } }),
        json!({ "intent_types": { "solution": null } }),
        json!("components"),
        json!({ "component_describe": { "name": "text", "version": null } }),
        json!({ "meta": { "name": "enact", "question": "tree", "parameters": {} } }),
        json!("solutions"),
    ]
}

/// Every question about the whole hub; none of them does anything that another one would notice, and the last one ends it.
fn questions_of_the_hub() -> Vec<Value> {
    vec![
        json!({ "component_add": { "path": "/nowhere/at-all" } }),
        json!({ "component_check": { "path": "/nowhere/at-all" } }),
        json!({ "component_drain": { "name": "none", "version": "1.0.0", "reason": "r" } }),
        json!({ "component_remove": { "name": "none", "version": "1.0.0", "reason": "r" } }),
        json!({ "solution_bind": { "path": "/nowhere/at-all" } }),
        json!({ "artifact_put": { "path": "/nowhere/at-all", "name": null, "media_type": null } }),
        json!({ "artifact_get": {
            "reference": { "reference": "ref_01jd0000000000000000000000" }, "target": "/nowhere/at-all",
        } }),
        json!({ "wal_verify": {} }),
        json!("wal_replay"),
        json!({ "store_backup": { "target": "not-from-the-root" } }),
        json!("store_verify"),
        json!({ "history_drop": { "older_than_ms": 86_400_000, "reason": "r" } }),
        json!("doctor"),
        json!("status"),
        json!({ "shutdown": { "reason": "r" } }),
    ]
}

/// Returns the name of a question.
fn name_of(question: &Value) -> &str {
    question.as_str().or_else(|| question.as_object()?.keys().next().map(String::as_str)).unwrap()
}

/// Returns whether a request is about the whole hub.
fn is_of_the_hub(route: &enact_server::route::Route, ask: &Ask) -> bool {
    match (route.method, route.path) {
        (_, "/metrics") | ("POST", "/v1/components" | "/v1/solutions") => true,
        (_, "/v1/ask") => questions_of_the_hub().contains(&serde_json::from_slice(&ask.body).unwrap()),
        _ => false,
    }
}

/// The way out for an administrator of a tenant.
const WAY_OUT: &str = "this is about the whole hub: use a token of tenant default";

#[tokio::test(flavor = "multi_thread")]
async fn no_route_gives_anything_away_to_the_token_of_another_tenant() {
    let bed = Bed::with(|config| config.live.anonymous = None).await;
    let victim = bed.token(VICTIM, Role::Operator);
    let belongings = belongings(&bed, &victim).await;
    let seen_by_victim = bed.ask(Ask::new("GET", "/v1/records?limit=1000").token(&victim)).await.is(200);
    assert!(seen_by_victim.text().contains(MARK));
    let position = |text: &str| text.matches("\"lsn\"").count();
    for role in [Role::Operator, Role::Admin] {
        let thief = bed.token("thief", role);
        for route in ROUTES {
            for ask in requests(route, &belongings) {
                let (path, body) = (ask.path.clone(), String::from_utf8_lossy(&ask.body).into_owned());
                let of_the_hub = is_of_the_hub(route, &ask);
                let answer = bed.ask(ask.token(&thief)).await;
                assert!(!answer.text().contains(MARK), "{route:?} {path}: {answer:?}");
                assert!(!answer.text().contains(VICTIM), "{route:?} {path} {body}: {answer:?}");
                if of_the_hub {
                    let told = role == Role::Operator || answer.text().contains(WAY_OUT);
                    assert!(answer.status == 403 && told, "{route:?} {path} {body}: {answer:?}");
                }
                if path.contains("made_by=") || path.contains("digest=") {
                    assert_eq!(answer.json()["items"], json!([]), "{path}: {answer:?}");
                }
                assert!(answer.status < 500, "{route:?} {path} {body}: {answer:?}");
                // A session is a name of its tenant: the thief may have one of the same name.
                for (_, id) in belongings.iter().filter(|(kind, _)| !matches!(*kind, "sessions" | "state")) {
                    let echoed = path.contains(id.as_str()) || body.contains(id.as_str());
                    assert!(echoed || !answer.text().contains(id.as_str()), "{route:?} {path}: {answer:?}");
                }
                // What is one thing of the victim's is not there for anybody else, whatever is wanted of it.
                let of_one = route.path.contains("{id}") || route.path.contains("{digest}");
                assert!(!of_one || answer.status == 404, "{route:?} {path}: {answer:?}");
            }
        }
    }
    let after = bed.ask(Ask::new("GET", "/v1/records?limit=1000").token(&victim)).await.is(200);
    assert_eq!(position(&after.text()), position(&seen_by_victim.text()), "nothing of the victim's was touched");
    let session = &belongings[2].1;
    let cart = bed.ask(Ask::new("GET", &format!("/v1/state/{session}/cart")).token(&victim)).await.is(200).json();
    assert_eq!((&cart["value"], &cart["version"]), (&json!(MARK), &json!(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_about_the_whole_hub_takes_an_admin_of_its_own_tenant() {
    let bed = Bed::with(|config| config.live.anonymous = None).await;
    let [own, other] = ["default", "acme"].map(|tenant| bed.token(tenant, Role::Admin));
    let operator = bed.token("default", Role::Operator);
    let mut refused = 0;
    for route in ROUTES {
        for ask in requests(route, &[]).into_iter().filter(|ask| is_of_the_hub(route, ask)) {
            let body = String::from_utf8_lossy(&ask.body).into_owned();
            let answer = bed.ask(ask.clone().token(&other)).await.is(403);
            assert!(answer.text().contains(WAY_OUT), "{route:?} {body}: {answer:?}");
            bed.ask(ask.clone().token(&operator)).await.is(403);
            let answer = bed.ask(ask.token(&own)).await;
            assert!(!matches!(answer.status, 401 | 403), "{route:?} {body}: {answer:?}");
            refused += 1;
        }
    }
    assert_eq!(refused, questions_of_the_hub().len() + 3);
    let denied = bed.denied("acme", refused).await;
    assert!(denied.iter().all(|denied| denied.contains("about the whole hub")), "{denied:?}");
}

#[test]
fn every_question_is_asked_with_the_token_of_another_tenant() {
    let unknown = serde_json::from_value::<enact_runtime::api::Request>(json!({ "nonsense": null })).unwrap_err();
    let told = unknown.to_string();
    let (_, known) = told.split_once("expected one of").unwrap();
    let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
    assert!(known.contains(&"submit") && known.contains(&"shutdown"), "{told}");
    let ask = ROUTES.iter().find(|route| route.path == "/v1/ask").unwrap();
    let asked: Vec<Value> = requests(ask, &[]).iter().map(|ask| serde_json::from_slice(&ask.body).unwrap()).collect();
    for question in known {
        assert_eq!(asked.iter().filter(|asked| name_of(asked) == question).count(), 1, "{question}");
    }
    assert!(asked.into_iter().all(|asked| {
        // Ids are those of nobody here.
        let text = asked.to_string();
        text.contains("\"x\"") || serde_json::from_value::<enact_runtime::api::Request>(asked).is_ok()
    }));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_credentials_no_route_but_those_of_health_is_answered() {
    let bed = Bed::with(|config| config.live.anonymous = None).await;
    for route in ROUTES.iter().filter(|route| !route.path.ends_with('z')) {
        for ask in requests(route, &[]) {
            let answer = bed.ask(ask).await;
            assert_eq!(answer.status, 401, "{route:?}: {answer:?}");
        }
    }
}
