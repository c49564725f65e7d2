//! A page in somebody's browser cannot drive a hub on loopback (A9).

use serde_json::json;

use crate::bed::Bed;
use crate::http::Ask;

fn submit() -> Ask {
    Ask::new("POST", "/v1/intents").json(&json!({ "intent_type": "text.words.echo", "parameters": {} }))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_origin_is_refused_whatever_it_asks() {
    let bed = Bed::open().await;
    let before = bed.hub().status().position;
    for origin in ["https://evil.example", "null", "http://127.0.0.1:1", "http://localhost.evil.example"] {
        bed.ask(submit().with("origin", origin)).await.is(403);
        bed.ask(Ask::new("GET", "/v1/executions").with("origin", origin)).await.is(403);
    }
    bed.ask(submit().with("sec-fetch-site", "cross-site")).await.is(403);
    // A form cannot send JSON, and an image cannot submit.
    let form =
        Ask::new("POST", "/v1/intents").raw("text/plain", r#"{"intent_type":"text.words.echo","parameters":{}}"#);
    bed.ask(form).await.is(415);
    bed.get("/rest/v1/text/words/echo").await.is(405);
    assert_eq!(bed.hub().status().position, before, "nothing was logged, and nothing ran");
    // Its own page may, and so may a program.
    bed.ask(submit().with("origin", &format!("http://{}", bed.address))).await.is(202);
    bed.ask(submit()).await.is(202);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_was_made_to_point_here_is_refused() {
    let bed = Bed::open().await;
    for host in ["evil.example", "evil.example:7400", "127.0.0.1.evil.example", "", "169.254.169.254"] {
        bed.ask(submit().with("host", host)).await.is(403);
        bed.ask(Ask::new("GET", "/v1/executions").with("host", host)).await.is(403);
    }
    let port = bed.address.port();
    for host in
        ["localhost".to_owned(), format!("localhost:{port}"), format!("[::1]:{port}"), format!("127.0.0.1:{port}")]
    {
        bed.ask(submit().with("host", &host)).await.is(202);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_origins_that_the_configuration_knows_may_ask() {
    let bed = Bed::with(|config| {
        config.live.hosts = vec!["hub.example.org".to_owned()];
        config.live.origins = vec!["https://console.example.org".to_owned()];
    })
    .await;
    bed.ask(submit().with("host", "hub.example.org:8443")).await.is(202);
    bed.ask(submit().with("origin", "https://console.example.org")).await.is(202);
    bed.ask(submit().with("origin", "http://console.example.org")).await.is(403);
}

/// What a browser sends before a request of a page on another origin.
fn preflight(path: &str, origin: &str, method: &str) -> Ask {
    Ask::new("OPTIONS", path)
        .with("origin", origin)
        .with("access-control-request-method", method)
        .with("access-control-request-headers", "authorization,content-type")
}

const CONSOLE: &str = "https://console.example.org";

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_is_told_on_every_route_that_a_page_of_a_known_origin_may_ask() {
    let bed = Bed::with(|config| config.live.origins = vec![CONSOLE.to_owned()]).await;
    let list = |answer: &crate::http::Answer, name: &str| {
        answer.header(name).split(", ").map(str::to_owned).collect::<std::collections::BTreeSet<_>>()
    };
    for route in enact_server::route::ROUTES {
        let path = route.path.replace(['{', '}'], "");
        // Without credentials: a browser sends none before it may.
        let answer = bed.ask(preflight(&path, CONSOLE, route.method)).await.is(204);
        assert_eq!(answer.header("access-control-allow-origin"), CONSOLE, "{path}");
        assert!(list(&answer, "access-control-allow-methods").contains(route.method), "{path}");
        for header in ["authorization", "content-type", "idempotency-key", "last-event-id", "if-match", "range"] {
            assert!(list(&answer, "access-control-allow-headers").contains(header), "{header}");
        }
        assert!(answer.text().is_empty() && answer.header("access-control-allow-credentials").is_empty());
        let other = bed.ask(preflight(&path, "https://evil.example", route.method)).await.is(403);
        assert!(other.header("access-control-allow-origin").is_empty(), "{path}");
    }
    let answer = bed.ask(submit().with("origin", CONSOLE)).await.is(202);
    assert_eq!(answer.header("access-control-allow-origin"), CONSOLE);
    for header in ["location", "etag", "content-range", "retry-after", "enact-execution-id"] {
        assert!(list(&answer, "access-control-expose-headers").contains(header), "{header}");
    }
    // A refusal can be read, too: a page that has no right still learns that, and why.
    let refused = Ask::new("GET", "/v1/executions").with("origin", CONSOLE).token("enact_0_0");
    let refused = bed.ask(refused).await.is(401);
    assert_eq!(refused.header("access-control-allow-origin"), CONSOLE);
    // Whoever is no such page is told nothing of it, but for caches.
    let own = bed.get("/v1/executions").await.is(200);
    assert!(own.header("access-control-allow-origin").is_empty());
    assert!(own.header("vary").contains("origin"), "{:?}", own.header("vary"));
    // OPTIONS that is no preflight is no method of a route.
    bed.ask(Ask::new("OPTIONS", "/v1/executions").with("origin", CONSOLE)).await.is(405);
    bed.ask(Ask::new("OPTIONS", "/v1/executions")).await.is(405);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_browser_reads_is_on_the_wire_as_it_looks_for_it() {
    let bed = Bed::with(|config| config.live.origins = vec![CONSOLE.to_owned()]).await;
    let ask = |origin: &str| {
        format!(
            "OPTIONS /v1/intents HTTP/1.1\r\nhost: 127.0.0.1\r\norigin: {origin}\r\naccess-control-request-method: POST\r\n\
             access-control-request-private-network: true\r\nconnection: close\r\n\r\n"
        )
    };
    let known = crate::http::bytes(bed.address, ask(CONSOLE).as_bytes()).await;
    assert!(known.starts_with("HTTP/1.1 204 "), "{known}");
    for line in [
        "access-control-allow-origin: https://console.example.org\r\n",
        "access-control-allow-methods: GET, POST, PUT, PATCH, DELETE\r\n",
        "access-control-allow-private-network: true\r\n",
        "vary: origin\r\n",
    ] {
        assert!(known.contains(line), "{line:?} is not in {known}");
    }
    let other = crate::http::bytes(bed.address, ask("https://evil.example").as_bytes()).await;
    assert!(other.starts_with("HTTP/1.1 403 ") && !other.contains("access-control"), "{other}");
}

#[tokio::test(flavor = "multi_thread")]
async fn origins_that_change_while_it_serves_hold_for_the_next_question() {
    let bed = Bed::open().await;
    let ask = || preflight("/v1/intents", CONSOLE, "POST");
    bed.ask(ask()).await.is(403);
    bed.live().send_modify(|live| live.origins = vec![CONSOLE.to_owned()]);
    bed.ask(ask()).await.is(204);
    bed.live().send_modify(|live| live.origins.clear());
    bed.ask(ask()).await.is(403);
    bed.ask(submit().with("origin", CONSOLE)).await.is(403);
}
