//! What each route does, and that every one of them is there.

use enact_server::route::ROUTES;
use serde_json::json;

use crate::bed::Bed;
use crate::http::Ask;

#[tokio::test(flavor = "multi_thread")]
async fn an_intent_is_answered_at_once_or_with_its_outcome_when_asked_to_wait() {
    let bed = Bed::open().await;
    let draft = json!({ "intent_type": "text.words.echo", "parameters": { "a": 1.50 }, "metadata": { "who": "me" } });
    let begun = bed.post("/v1/intents", draft.clone()).await.is(202);
    let (execution, intent) = (begun.json()["execution_id"].clone(), begun.json()["intent_id"].clone());
    assert_eq!(begun.header("location"), format!("/v1/executions/{}", execution.as_str().unwrap()));

    let waited = bed.get(&format!("{}?wait=30s", begun.header("location"))).await.is(200).json();
    assert_eq!(waited["execution"]["phase"], "settled");
    assert_eq!(waited["output"].to_string(), r#"{"a":1.5}"#);
    let seen = bed.get(&format!("/v1/intents/{}", intent.as_str().unwrap())).await.is(200).json();
    assert_eq!(seen["accepted"]["execution"]["id"], execution);

    let outcome = bed.post("/v1/intents?wait=30s", draft).await.is(200).json();
    assert_eq!(outcome["output"]["a"], 1.5);
    assert_eq!(outcome["execution"]["intent"]["metadata"]["who"], "me");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_execution_is_a_problem_with_its_id_and_without_its_evidence() {
    let bed = Bed::open().await;
    let draft = json!({ "intent_type": "text.words.fail", "parameters": {} });
    let problem = bed.post("/v1/intents?wait=30s", draft).await;
    assert!(problem.status >= 400 && problem.header("content-type") == "application/problem+json", "{problem:?}");
    let execution = problem.json()["execution_id"].as_str().unwrap().to_owned();
    assert!(!problem.text().contains("secret-evidence"), "{}", problem.text());
    assert_eq!(problem.json()["code"].as_str().unwrap().len(), 12);
    // Who may see the execution sees what its program left.
    let outcome = bed.get(&format!("/v1/executions/{execution}/outcome")).await.is(200);
    assert_eq!(outcome.json()["word"], "failed");
    assert!(outcome.text().contains("secret-evidence"), "{}", outcome.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_answers_with_the_bare_output_and_its_ids_in_the_headers() {
    let bed = Bed::open().await;
    let called = bed.post("/rest/v1/text/words/echo", json!({ "n": [1, 2] })).await.is(200);
    assert_eq!(called.text(), r#"{"n":[1,2]}"#);
    assert!(called.header("enact-execution-id").starts_with("exe_"));
    // The name of an operation is what it is in any writing.
    assert_eq!(bed.post("/rest/v1/text/Words/ECHO", json!(1)).await.is(200).text(), "1");
    let unknown = bed.post("/rest/v1/text/words/ecko", json!({})).await.is(404).json();
    assert!(unknown.to_string().contains("echo"), "the near name is told: {unknown}");
    let wrong = bed.post("/rest/v1/text/words/typed", json!({ "n": "x", "m": 1 })).await.is(422).json();
    assert_eq!(wrong["faults"].as_array().unwrap().len(), 2, "{wrong}");
    let large = bed.post("/rest/v1/text/words/large", json!({})).await.is(200).json();
    assert_eq!(large["size"], 2_000_002, "{large}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_is_the_same_execution_whether_it_stands_in_the_header_or_in_the_body() {
    let bed = Bed::open().await;
    let draft = json!({ "intent_type": "text.words.keep", "parameters": { "n": 1 } });
    let send = |draft: &serde_json::Value| Ask::new("POST", "/v1/intents?wait=30s").json(draft);
    let first = bed.ask(send(&draft).with("idempotency-key", "order-1")).await.is(200).json();
    let keyed = json!({ "intent_type": "text.words.keep", "parameters": { "n": 1 }, "idempotency_key": "order-1" });
    let second = bed.ask(send(&keyed)).await.is(200).json();
    assert_eq!(first["execution"]["id"], second["execution"]["id"]);
    let other = json!({ "intent_type": "text.words.keep", "parameters": { "n": 2 }, "idempotency_key": "order-1" });
    bed.ask(send(&other)).await.is(409);
    bed.ask(send(&keyed).with("idempotency-key", "order-2")).await.is(422);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_callers_trace_goes_through_to_the_program() {
    let bed = Bed::open().await;
    bed.add(
        "tracing",
        "
component: tracing
version: 1.0.0
process: { command: [printenv, TRACEPARENT], mode: oneshot }
services: { t: { show: { kind: query, call: { stdin: empty, stdout: text } } } }
",
    )
    .await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let ask = Ask::new("POST", "/rest/v1/tracing/t/show").json(&json!({}));
    let answer = bed.ask(ask.with("traceparent", &format!("00-{trace}-00f067aa0ba902b7-01"))).await.is(200);
    assert!(answer.text().contains(trace), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn executions_are_steered_with_a_reason_that_stands_in_the_log_beside_who_asked() {
    let bed = Bed::open().await;
    let execution = bed.begin("text.words.gate", json!({})).await;
    let path = |verb: &str| format!("/v1/executions/{execution}/{verb}");
    for without in [json!({}), json!({ "reason": "  " })] {
        assert!(bed.post(&path("cancel"), without).await.is(422).text().contains("a command needs a reason"));
    }
    bed.ask(Ask::new("POST", &path("cancel"))).await.is(422);
    bed.post(&path("cancel"), json!({ "reason": "wrong file" })).await.is(200);
    let outcome = bed.get(&format!("{}?wait=30s", path("outcome"))).await.is(200).json();
    assert_eq!(outcome["word"], "cancelled", "{outcome}");
    bed.post(&path("pause"), json!({ "reason": "late" })).await.is(409);
    let records = bed.get(&path("records?kinds=StopRequested")).await.is(200).json();
    let record = &records["items"][0];
    assert_eq!((record["actor"].as_str(), records["items"].as_array().unwrap().len()), (Some("http:anonymous"), 1));
    assert!(record.to_string().contains("wrong file"), "{record}");
    std::fs::write(bed.gate(), "").unwrap();
    let again = bed.post(&path("retry"), json!({ "reason": "right file", "confirm_may_have_run": true })).await.is(202);
    let again = again.header("location").to_owned();
    let seen = bed.get(&format!("{again}?wait=30s")).await.is(200).json();
    assert_eq!((&seen["execution"]["retry_of"], &seen["output"]), (&json!(execution), &json!(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_cancels_and_retries_many_and_says_what_refused() {
    let bed = Bed::open().await;
    let mut begun = Vec::new();
    for n in 0..3 {
        begun.push(bed.begin("text.words.gate", json!({ "n": n })).await);
    }
    bed.run("text.words.echo", json!({})).await;
    let all = json!({ "filter": { "selector": "text.words" }, "reason": "closing time" });
    let report = bed.post("/v1/executions/cancel", all).await.is(200).json();
    assert_eq!((&report["matched"], &report["done"], &report["more"]), (&json!(3), &json!(3), &json!(false)));
    for execution in &begun {
        let seen = bed.get(&format!("/v1/executions/{execution}/outcome?wait=30s")).await.is(200).json();
        assert_eq!(seen["word"], "cancelled");
    }
    std::fs::write(bed.gate(), "").unwrap();
    let some = json!({ "filter": { "intent_type": "text.words.gate" }, "reason": "again", "limit": 2 });
    let report = bed.post("/v1/executions/retry", some).await.is(200).json();
    assert_eq!((&report["matched"], &report["done"], &report["more"]), (&json!(2), &json!(2), &json!(true)));
    let wrong = json!({ "filter": { "slector": "x" }, "reason": "r" });
    assert!(bed.post("/v1/executions/cancel", wrong).await.is(400).text().contains("slector"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_retried_is_left_to_its_retry_however_often_and_by_how_many_it_is_asked_for() {
    let bed = Bed::open().await;
    for n in 0..3 {
        let execution = bed.begin("text.words.fail", json!({ "n": n })).await;
        bed.get(&format!("/v1/executions/{execution}/outcome?wait=30s")).await.is(200);
    }
    let retry = async |limit: u32| {
        let all = json!({ "filter": { "selector": "text.words.fail", "outcome": "failed" }, "reason": "again", "limit": limit });
        bed.post("/v1/executions/retry", all).await.is(200).json()
    };
    // Three at once: each sees what the others have made, be it settled by then or not.
    let (a, b, c) = tokio::join!(retry(3), retry(3), retry(3));
    let of_first = async || {
        let page = bed.get("/v1/executions?selector=text.words.fail&limit=1000").await.is(200).json();
        let mut of: Vec<String> = page["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|item| item["execution"]["retry_of"].as_str().map(str::to_owned))
            .collect();
        let made = of.len();
        of.sort();
        of.dedup();
        (made, of.len())
    };
    let (made, different) = of_first().await;
    assert_eq!(made, different, "nothing has two retries: {a} {b} {c}");
    // What is retried now is what the last retries came to, and never more than those.
    let next = retry(1000).await;
    assert!(next["matched"].as_u64().unwrap() <= 3, "{next}");
    let (made, different) = of_first().await;
    assert_eq!(made, different, "{next}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bulk_retry_after_one_that_succeeded_repeats_nothing() {
    let bed = Bed::open().await;
    let execution = bed.begin("text.words.gate", json!({})).await;
    bed.post(&format!("/v1/executions/{execution}/cancel"), json!({ "reason": "too early" })).await.is(200);
    bed.get(&format!("/v1/executions/{execution}/outcome?wait=30s")).await.is(200);
    std::fs::write(bed.gate(), "").unwrap();
    let again = json!({ "reason": "now", "confirm_may_have_run": true });
    let again = bed.post(&format!("/v1/executions/{execution}/retry"), again).await.is(202);
    bed.get(&format!("{}?wait=30s", again.header("location"))).await.is(200);
    let all = json!({ "filter": { "outcome": "cancelled" }, "reason": "all", "confirm_may_have_run": true });
    let report = bed.post("/v1/executions/retry", all).await.is(200).json();
    assert_eq!((&report["matched"], &report["done"]), (&json!(0), &json!(0)), "{report}");
    let wrong = json!({ "filter": { "outcome": "canceled" }, "reason": "all" });
    assert!(bed.post("/v1/executions/retry", wrong).await.is(422).text().contains("cancelled"));
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_and_keys_of_state_have_pages_without_end_or_repetition() {
    let bed = Bed::open().await;
    let mut opened = Vec::new();
    for _ in 0..7 {
        let session = bed.post("/v1/sessions", json!({})).await.is(201).json();
        opened.push(session["session_id"].as_str().unwrap().to_owned());
    }
    opened.sort();
    opened.reverse();
    let keys: Vec<String> = ["a", "a.b", "b c", "z/1", "ü"].map(str::to_owned).into();
    let of = &opened[0];
    for key in ["a", "a.b", "b%20c", "%C3%BC", "z%2F1"] {
        bed.ask(Ask::new("PUT", &format!("/v1/state/{of}/{key}")).json(&json!(1))).await.is(200);
    }
    let pages = async |path: String, name: &str| {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = bed.get(&format!("{path}?limit=2{cursor}")).await.is(200).json();
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= 2);
            seen.extend(items.iter().map(|item| item[name].as_str().unwrap().to_owned()));
            let Some(next) = page["next"].as_str() else { return seen };
            let packed: String = next.bytes().map(|byte| format!("%{byte:02X}")).collect();
            cursor = format!("&cursor={packed}");
        }
    };
    let mut sessions = pages("/v1/sessions".to_owned(), "session_id").await;
    sessions.retain(|session| opened.contains(session));
    assert_eq!(sessions, opened);
    assert_eq!(pages(format!("/v1/state/{of}"), "key").await, keys);
    let page = bed.get(&format!("/v1/state/{of}?limit=2")).await.is(200).json();
    let next = page["next"].as_str().unwrap();
    bed.get(&format!("/v1/sessions?cursor={next}")).await.is(422);
    bed.get(&format!("/v1/state/{}?cursor={next}", opened[1])).await.is(422);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_is_made_only_if_none_is_there_when_that_is_asked_for() {
    let bed = Bed::open().await;
    let put = |name: &'static str, value: &'static str, n: u32| {
        Ask::new("PUT", "/v1/state/default/cart").json(&json!(n)).with(name, value)
    };
    bed.ask(put("if-none-match", "*", 1)).await.is(200);
    bed.ask(put("if-none-match", "*", 2)).await.is(409);
    assert!(bed.ask(put("if-none-match", "\"1\"", 2)).await.is(422).text().contains("If-None-Match: *"));
    bed.ask(put("if-match", "\"1\"", 3)).await.is(200);
    assert_eq!(bed.get("/v1/state/default/cart").await.is(200).json()["value"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_that_does_not_fit_fails_no_call() {
    let bed = Bed::open().await;
    for (name, value) in [("tracestate", "x=".to_owned() + &"1".repeat(5_000)), ("traceparent", "ü".to_owned())] {
        let ask = Ask::new("POST", "/rest/v1/text/words/echo").json(&json!({ "n": 1 })).with(name, &value);
        assert_eq!(bed.ask(ask).await.is(200).json(), json!({ "n": 1 }), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_go_on_where_they_were_while_others_write() {
    let bed = Bed::open().await;
    let mut begun = Vec::new();
    for n in 0..5 {
        begun.push(bed.run("text.words.echo", json!(n)).await["execution"]["id"].as_str().unwrap().to_owned());
    }
    begun.reverse();
    let (mut seen, mut path) = (Vec::new(), "/v1/executions?selector=text&limit=2".to_owned());
    loop {
        let page = bed.get(&path).await.is(200).json();
        seen.extend(
            page["items"].as_array().unwrap().iter().map(|item| item["execution"]["id"].as_str().unwrap().to_owned()),
        );
        // Newer ones belong to no later page.
        bed.run("text.words.echo", json!("later")).await;
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/executions?selector=text&limit=2&cursor={next}");
    }
    assert_eq!(seen, begun);
    let found = bed.get("/v1/executions?open=true").await.is(200).json();
    assert_eq!(found["items"], json!([]));
    let records = bed.get("/v1/records?kinds=Settled&limit=3").await.is(200).json();
    assert_eq!(records["items"].as_array().unwrap().len(), 3);
    let next = records["next"].as_str().unwrap();
    bed.get(&format!("/v1/records?kinds=Settled&limit=3&cursor={next}")).await.is(200);
    bed.get(&format!("/v1/records?kinds=IntentAccepted&limit=3&cursor={next}")).await.is(422);
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_and_their_state_are_versions_that_a_header_compares() {
    let bed = Bed::open().await;
    let session = bed.post("/v1/sessions", json!({ "ttl": "1h" })).await.is(201).json();
    let id =
        session["id"].as_str().or(session["session_id"].as_str()).unwrap_or_else(|| panic!("{session}")).to_owned();
    bed.ask(Ask::new("PATCH", &format!("/v1/sessions/{id}")).json(&json!({ "owner": "alice" }))).await.is(200);
    let key = format!("/v1/state/{id}/cart");
    bed.ask(Ask::new("PUT", &key).json(&json!({ "n": 1 }))).await.is(200);
    let value = bed.get(&key).await.is(200);
    assert_eq!((value.header("etag"), &value.json()["value"]["n"]), ("\"1\"", &json!(1)));
    let put = |n: u32| Ask::new("PUT", &key).json(&json!({ "n": n }));
    bed.ask(put(2).with("if-match", "\"1\"")).await.is(200);
    let lost = bed.ask(put(3).with("if-match", "\"1\"")).await;
    assert_eq!((lost.status, lost.json()["disposition"].clone()), (409, json!("retry-now")), "{lost:?}");
    assert_eq!(bed.get(&format!("/v1/state/{id}")).await.is(200).json()["items"][0]["value"]["n"], 2);
    bed.ask(Ask::new("DELETE", &key).with("if-match", "\"2\"")).await.is(200);
    bed.get(&key).await.is(404);
    bed.ask(Ask::new("PATCH", &format!("/v1/sessions/{id}")).json(&json!({ "closed": true }))).await.is(422);
    let closed = json!({ "closed": true, "reason": "done" });
    bed.ask(Ask::new("PATCH", &format!("/v1/sessions/{id}")).json(&closed)).await.is(200);
    bed.ask(put(4)).await.is(409);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_references_and_components_are_seen() {
    let bed = Bed::open().await;
    let kept = bed.run("text.words.keep", json!({ "n": 1 })).await;
    let execution = kept["execution"]["id"].as_str().unwrap();
    let outbox = bed.get("/v1/outbox").await.is(200).json();
    let message = outbox["items"][0]["message"]["id"].as_str().unwrap().to_owned();
    bed.get(&format!("/v1/outbox/{message}")).await.is(200);
    bed.post(&format!("/v1/outbox/{message}/redeliver"), json!({ "reason": "" })).await.is(422);
    let references = bed.get(&format!("/v1/references?made_by={execution}")).await.is(200).json();
    let reference = references["items"][0]["id"].as_str().unwrap().to_owned();
    bed.get(&format!("/v1/references/{reference}")).await.is(200);
    let lineage = bed.get(&format!("/v1/references/{reference}/lineage?direction=up")).await.is(200).json();
    assert_eq!(lineage["complete"], true);
    bed.get("/v1/references/ref_01jd0000000000000000000000").await.is(404);
    let components = bed.get("/v1/components").await.is(200).json();
    assert_eq!(components["items"][0]["name"], "text");
    assert!(bed.get("/v1/components/text").await.is(200).text().contains("additionalProperties"));
    bed.get("/v1/components/txet").await.is(404);
    bed.get("/v1/solutions").await.is(200);
    assert!(bed.get("/v1/intent-types").await.is(200).text().contains("text.words.echo"));
    bed.get("/v1/intent-types?solution=nobody").await.is(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_ends_says_so_where_it_is_watched() {
    let bed = Bed::open().await;
    bed.get("/healthz").await.is(200);
    assert_eq!(bed.get("/readyz").await.is(200).json()["status"], "ready");
    bed.hub().drain();
    bed.get("/healthz").await.is(200);
    let busy = bed.get("/readyz").await;
    assert_eq!((busy.status, busy.json()["reasons"][0].as_str()), (503, Some("the hub is shutting down")));
    let refused = bed.post("/v1/intents", json!({ "intent_type": "text.words.echo", "parameters": {} })).await.is(503);
    assert!(!refused.header("retry-after").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_is_there_over_both_versions_of_http_and_others_are_problems() {
    let bed = Bed::open().await;
    for route in ROUTES {
        let path = route.path.replace(['{', '}'], "");
        for answer in
            [bed.ask(Ask::new(route.method, &path)).await, Ask::new(route.method, &path).over_http2(bed.address).await]
        {
            assert!(!matches!(answer.status, 405 | 500), "{route:?}: {answer:?}");
            assert!(!answer.text().contains("no such route"), "{route:?}: {answer:?}");
        }
    }
    bed.get("/v1/nothing").await.is(404);
    bed.ask(Ask::new("DELETE", "/v1/intents")).await.is(405);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_packed_for_those_who_ask_for_it() {
    let bed = Bed::open().await;
    let answer = bed.ask(Ask::new("GET", "/v1/components/text").with("accept-encoding", "gzip")).await;
    assert_eq!((answer.status, answer.header("content-encoding")), (200, "gzip"));
}

#[test]
fn the_page_in_the_docs_lists_every_route() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/http.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (before, rest) = page.split_once("writes them -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- end -->").unwrap();
    let rows: String = ROUTES
        .iter()
        .map(|route| format!("| `{} {}` | {} |\n", route.method, route.path, route.summary.replace('|', "\\|")))
        .collect();
    let made = format!("{before}writes them -->\n\n| route | what it does |\n|---|---|\n{rows}\n<!-- end -->{after}");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &made).unwrap();
    }
    let stands = std::fs::read_to_string(path).unwrap();
    assert!(stands == made, "docs/http.md is old; `UPDATE_DOCS=1 cargo nextest run -p enact-server` writes it");
}
