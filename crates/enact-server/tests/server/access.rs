//! Who may ask what: tokens, roles, and what a solution allows (A2).

use std::time::SystemTime;

use enact_model::time::Timestamp;
use enact_runtime::api::Role;
use enact_server::access::NewToken;
use serde_json::json;

use crate::bed::Bed;
use crate::http::Ask;

fn submit(intent_type: &str, solution: &str) -> Ask {
    let draft = json!({ "intent_type": intent_type, "solution_id": solution, "parameters": {} });
    Ask::new("POST", "/v1/intents?wait=30s").json(&draft)
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_is_anonymous_only_a_token_that_holds_is_answered() {
    let bed = Bed::with(|config| config.live.anonymous = None).await;
    let missing = bed.get("/v1/executions").await.is(401);
    assert_eq!(missing.header("www-authenticate"), "Bearer");
    let secret = bed.token("default", Role::Operator);
    let get = |secret: &str| Ask::new("GET", "/v1/executions").token(secret);
    bed.ask(get(&secret)).await.is(200);
    for wrong in ["", "enact_0_0", &secret[..secret.len() - 1], &format!("{secret}0")] {
        bed.ask(get(wrong)).await.is(401);
    }
    bed.ask(Ask::new("GET", "/v1/executions").with("authorization", "Basic YTpi")).await.is(401);
    // Of two, whoever stands between may have read the other one.
    for (first, second) in [(secret.as_str(), "x"), ("x", &secret), (&secret, &secret)] {
        assert!(bed.ask(get(first).token(second)).await.is(401).text().contains("two headers Authorization"));
    }
    // An unsigned claim is no token of this hub.
    bed.ask(get("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.")).await.is(401);
    bed.tokens().revoke("default-operator", "test").unwrap();
    assert!(bed.ask(get(&secret)).await.is(401).text().contains("revoked"));
    let past = NewToken {
        name: "past".to_owned(),
        tenant: "default".parse().unwrap(),
        role: Role::Admin,
        expires_at: Some(Timestamp::from_system(SystemTime::now())),
        created_by: "test".to_owned(),
    };
    let (_, expired) = bed.tokens().create(past).unwrap();
    assert!(bed.ask(get(expired.reveal())).await.is(401).text().contains("expired"));
    // Whoever watches the hub needs none.
    bed.get("/healthz").await.is(200);
    bed.get("/readyz").await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn off_loopback_nobody_is_anonymous() {
    let bed = Bed::with(|config| config.listen = "0.0.0.0:0".parse().unwrap()).await;
    let near = std::net::SocketAddr::from(([127, 0, 0, 1], bed.address.port()));
    Ask::new("GET", "/v1/executions").to(near).await.is(401);
    let secret = bed.token("default", Role::Viewer);
    Ask::new("GET", "/v1/executions").token(&secret).to(near).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_does_not_cover_a_question_is_refused_before_admission_and_the_log_says_so() {
    let bed = Bed::open().await;
    let viewer = bed.token("default", Role::Viewer);
    let execution = bed.run("text.words.echo", json!({})).await["execution"]["id"].as_str().unwrap().to_owned();
    let before = bed.get("/v1/executions").await.json()["items"].as_array().unwrap().len();
    bed.ask(submit("text.words.echo", "default").token(&viewer)).await.is(403);
    let retry = format!("/v1/executions/{execution}/retry");
    bed.ask(Ask::new("POST", &retry).json(&json!({ "reason": "r" })).token(&viewer)).await.is(403);
    bed.ask(Ask::new("POST", "/v1/artifacts?name=a").raw("text/plain", "a").token(&viewer)).await.is(403);
    let all = json!({ "filter": {}, "reason": "r" });
    bed.ask(Ask::new("POST", "/v1/executions/cancel").json(&all).token(&viewer)).await.is(403);
    bed.ask(Ask::new("GET", &format!("/v1/executions/{execution}")).token(&viewer)).await.is(200);
    assert_eq!(bed.get("/v1/executions").await.json()["items"].as_array().unwrap().len(), before);
    let denied = bed.denied("default", 4).await;
    assert!(denied.iter().any(|what| what.contains("operator")), "{denied:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_without_a_token_reaches_as_far_as_the_tenant_of_the_configuration() {
    for (tenant, status) in [("default", 200), ("acme", 403)] {
        let set = |config: &mut enact_server::Config| {
            config.live.anonymous = Some(Role::Admin);
            config.anonymous_tenant = tenant.parse().unwrap();
        };
        let bed = Bed::with(set).await;
        bed.post("/v1/ask", json!("status")).await.is(status);
        bed.get("/v1/executions").await.is(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_solution_says_which_role_calls_what() {
    let bed = Bed::open().await;
    bed.bind(
        "solution: shop\ncomponents: { text: '*' }\nallow: { viewer: [text.words.echo], operator: [text.words.keep] }\n",
    )
    .await;
    let (viewer, operator) = (bed.token("default", Role::Viewer), bed.token("default", Role::Operator));
    // An admin has its rights inside of its own tenant, whichever that is.
    let (admin, other) = (bed.token("default", Role::Admin), bed.token("acme", Role::Admin));
    for (token, operation, status) in [
        (&viewer, "echo", 200),
        (&viewer, "keep", 403),
        (&operator, "echo", 200),
        (&operator, "keep", 200),
        (&operator, "typed", 403),
        (&admin, "typed", 422),
        (&other, "typed", 422),
    ] {
        let ask = submit(&format!("text.words.{operation}"), "shop").token(token);
        let answer = bed.ask(ask).await;
        assert_eq!(answer.status, status, "{operation}: {}", answer.text());
    }
    assert!(bed.denied("default", 2).await.iter().any(|what| what.contains("text.words.typed")));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_too_often_is_told_when_to_come_back() {
    let bed = Bed::with(|config| config.live.requests_per_second = Some(3)).await;
    let mut refused = None;
    for _ in 0..50 {
        let answer = bed.get("/v1/executions").await;
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
    }
    assert_eq!(refused.expect("one of fifty is refused").is(429).header("retry-after"), "1");
    // Somebody else is not.
    let other = bed.token("other", Role::Viewer);
    bed.ask(Ask::new("GET", "/v1/executions").token(&other)).await.is(200);
}
