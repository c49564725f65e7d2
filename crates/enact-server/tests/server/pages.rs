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
