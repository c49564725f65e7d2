//! What is said to the hub does not stand in its own log, nor in its figures (A5).

use std::io::Write;
use std::sync::{Arc, Mutex};

use enact_runtime::api::Role;
use serde_json::json;

use crate::bed::Bed;
use crate::http::Ask;
use crate::issuer::{Issuer, Pair};

const PAYLOAD: &str = "payload-of-somebody";

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_secrets_nor_payloads_stand_in_the_log_of_the_hub_or_in_its_figures() {
    let lines = Lines::default();
    let made = lines.clone();
    tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || made.clone()).init();
    let pair = Pair::ed25519();
    let issuer = Issuer::open(vec![pair.public("a")]).await;
    let oidc = issuer.config(std::time::Duration::ZERO);
    let bed = Bed::with(move |config| config.oidc = Some(oidc)).await;
    let signed = pair.token("a", &issuer.claims());
    bed.ask(Ask::new("GET", "/v1/executions").token(&signed)).await.is(200);
    bed.ask(Ask::new("GET", "/v1/executions").token(&format!("{signed}x"))).await.is(401);
    bed.ask(Ask::new("GET", "/v1/executions").token(&pair.token("b", &issuer.claims()))).await.is(401);
    let secret = bed.token("default", Role::Operator);
    let ask = |method: &str, path: &str| Ask::new(method, path).token(&secret);
    let parameters = json!({ "text": PAYLOAD });
    for operation in ["echo", "fail", "keep", "typed", "nothing"] {
        let draft = json!({
            "intent_type": format!("text.words.{operation}"), "parameters": parameters, "metadata": { "note": PAYLOAD },
        });
        bed.ask(ask("POST", "/v1/intents?wait=30s").json(&draft)).await;
    }
    bed.ask(ask("POST", "/v1/intents").raw("application/json", format!("{{\"{PAYLOAD}\": 1}}"))).await.is(400);
    bed.ask(ask("PUT", "/v1/state/default/k").json(&json!(PAYLOAD))).await;
    bed.ask(ask("POST", "/v1/artifacts?name=a").raw("text/plain", PAYLOAD)).await.is(201);
    bed.ask(Ask::new("GET", "/v1/executions").token(&format!("{secret}x"))).await.is(401);
    bed.ask(ask("GET", &format!("/v1/executions/{PAYLOAD}"))).await.is(422);
    // No figure has it in a label either: neither what was said, nor an id of what it became.
    let figures = bed.get("/metrics").await.is(200).text();
    for hidden in [PAYLOAD, secret.as_str(), "exe_", "int_", "msg_", "sha256"] {
        assert!(!figures.contains(hidden), "{hidden} stands in\n{figures}");
    }
    // That it is heard at all is shown by a line of the test's own.
    tracing::warn!("heard");
    let text = String::from_utf8_lossy(&lines.0.lock().unwrap()).into_owned();
    assert!(text.contains("heard"));
    for hidden in [PAYLOAD, secret.as_str(), signed.as_str(), signed.split('.').nth(1).unwrap()] {
        let line = text.lines().find(|line| line.contains(hidden));
        assert_eq!(line, None, "the log says it");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_in_an_address_is_not_told_back() {
    let bed = Bed::open().await;
    let secret = bed.token("default", Role::Operator);
    for path in [
        format!("/v1/executions?access_token={secret}"),
        format!("/v1/executions?limit=-1&access_token={secret}"),
        format!("/v1/executions?access_token={secret}&access_token={secret}"),
        format!("/v1/executions?{secret}"),
        format!("/v1/sessions?token={secret}&limit=x"),
    ] {
        let answer = bed.get(&path).await.is(422);
        assert!(!answer.text().contains(&secret), "{}", answer.text());
    }
    let answer = bed.get(&format!("/v1/executions?access_token={secret}")).await.text();
    assert!(answer.contains("access_token") && answer.contains("phase"), "what is wrong and what there is: {answer}");
}
