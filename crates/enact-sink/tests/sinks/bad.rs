//! Bad days: endpoints that misbehave, and servers that are there and take nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use enact_model::id::SinkId;
use enact_model::message::{Message, MessageRow};
use enact_runtime::sink::{DeliveryResult, Sink};
use enact_sink::nats::{Login, NatsSetup, NatsSink};
use enact_sink::redis::{RedisSetup, RedisSink};
use enact_sink::secret::Secret;
use enact_sink::webhook::WebhookSink;

use crate::bed::{Bed, eventually};
use crate::endpoint::{Behaviour, Endpoint};
use crate::rig::{Rig as _, WebhookRig, jetstream_of, nats_setup, redis_ask, redis_setup};
use crate::server::Server;

/// Makes a message that no hub has.
pub fn message(number: u128) -> Arc<MessageRow> {
    let sinks: Vec<SinkId> = vec!["tested".parse().unwrap()];
    let message = Message {
        id: enact_model::id::MessageId::from_u128(number),
        tenant_id: "acme".parse().unwrap(),
        execution_id: enact_model::id::ExecutionId::from_u128(number),
        event_type: "order.placed".to_owned(),
        source: "/enact/shop/orders/place".to_owned(),
        subject: Some("order-7".to_owned()),
        key: Some("customer-1".to_owned()),
        time: enact_model::time::Timestamp(1_700_000_000_000),
        data: enact_model::json::Json::from(&serde_json::json!({ "cents": 1250 })),
        sinks,
    };
    Arc::new(MessageRow { message, lsn: enact_model::id::Lsn(1), deliveries: Vec::new() })
}

async fn deliver(sink: &impl Sink) -> DeliveryResult {
    sink.deliver(vec![message(1)]).await.remove(0)
}

#[track_caller]
fn failed(result: DeliveryResult, why: &str) -> Option<Duration> {
    match result {
        DeliveryResult::Failed { reason, retry_after } if reason.contains(why) => retry_after,
        other => panic!("{why:?} was expected, not {other:?}"),
    }
}

async fn hook(behaviour: Behaviour) -> (WebhookRig, WebhookSink) {
    let endpoint = Endpoint::open().await;
    endpoint.behaves(behaviour);
    let rig = WebhookRig(endpoint);
    let mut setup = rig.setup();
    setup.timeout = Duration::from_millis(700);
    let sink = WebhookSink::new(setup);
    (rig, sink)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_fails_is_tried_again_when_it_says_and_one_that_refuses_is_not() {
    let (rig, sink) = hook(Behaviour::status("500 Internal Server Error")).await;
    assert_eq!(failed(deliver(&sink).await, "500 Internal Server Error"), None);
    for status in ["429 Too Many Requests", "503 Service Unavailable"] {
        let answer = format!("HTTP/1.1 {status}\r\nretry-after: 7\r\ncontent-length: 4\r\n\r\nbusy");
        rig.0.behaves(Behaviour::Says(answer));
        assert_eq!(failed(deliver(&sink).await, status), Some(Duration::from_secs(7)));
    }
    for status in ["410 Gone", "400 Bad Request", "404 Not Found"] {
        rig.0.behaves(Behaviour::status(status));
        let result = deliver(&sink).await;
        assert!(matches!(&result, DeliveryResult::Poison { reason } if reason.contains(status)), "{result:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_redirects_to_what_a_machine_must_not_tell_is_not_followed() {
    let answer = "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/latest/meta-data\r\ncontent-length: 0\r\n\r\n";
    let (rig, sink) = hook(Behaviour::Says(answer.to_owned())).await;
    failed(deliver(&sink).await, "redirects are not followed");
    assert_eq!(rig.0.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_hangs_or_drips_its_head_is_given_its_time_and_no_more() {
    for behaviour in [Behaviour::Hangs, Behaviour::DripsHead] {
        let (_rig, sink) = hook(behaviour).await;
        failed(deliver(&sink).await, "gave no answer within 700 ms");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_answers_200_with_garbage_without_end_has_taken_the_message() {
    let (rig, sink) = hook(Behaviour::Drips).await;
    let begin = Instant::now();
    for _ in 0..2 {
        assert_eq!(deliver(&sink).await, DeliveryResult::Delivered);
    }
    assert!(begin.elapsed() < Duration::from_secs(30), "it would go on for an hour");
    assert_eq!(rig.0.received().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_does_not_speak_http_or_closes_is_tried_again() {
    let (_rig, sink) = hook(Behaviour::Says("220 mail.example ESMTP\r\n".to_owned())).await;
    failed(deliver(&sink).await, "gave no answer");
    let (mut rig, sink) = hook(Behaviour::status("204 No Content")).await;
    assert_eq!(deliver(&sink).await, DeliveryResult::Delivered);
    // The connection that was kept is gone; that is no failure.
    rig.stop().await;
    rig.start().await;
    assert_eq!(deliver(&sink).await, DeliveryResult::Delivered);
    rig.stop().await;
    failed(deliver(&sink).await, "cannot be reached");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_hangs_at_its_endpoint_lets_other_keys_go_on() {
    let (rig, _) = hook(Behaviour::Hangs).await;
    let mut bed = Bed::open(rig.sink(), 1_000).await;
    bed.say("default", "slow", 0).await;
    eventually("it hangs", async || rig.0.received().len() == 1).await;
    rig.0.behaves(Behaviour::status("204 No Content"));
    bed.say("default", "quick", 1).await;
    eventually("the other one is there", async || bed.lag().pending == 1).await;
    bed.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_without_its_secret_says_which_and_sends_nothing_unsigned() {
    let (rig, _) = hook(Behaviour::status("204 No Content")).await;
    let mut setup = rig.setup();
    setup.secrets = vec!["env:ENACT_NO_SUCH_SECRET".parse().unwrap()];
    let sink = WebhookSink::new(setup);
    failed(deliver(&sink).await, "the variable ENACT_NO_SUCH_SECRET is not set");
    assert!(sink.check().await.unwrap_err().contains("ENACT_NO_SUCH_SECRET"));
    assert!(rig.0.received().is_empty());
}

fn secret(folder: &tempfile::TempDir, text: &str) -> Secret {
    let path = folder.path().join("secret");
    std::fs::write(&path, text).unwrap();
    Secret::File(path)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_server_with_another_password_says_so_without_repeating_it() {
    let Some(server) = Server::redis(&["--requirepass", "right"]) else { return };
    let folder = tempfile::tempdir().unwrap();
    let with = |password| RedisSink::new(RedisSetup { password, ..redis_setup(server.port) });
    failed(deliver(&with(None)).await, "look at username and password");
    let wrong = deliver(&with(Some(secret(&folder, "hunter2")))).await;
    assert!(!format!("{wrong:?}").contains("hunter2"));
    failed(wrong, "look at username and password");
    assert!(with(None).check().await.unwrap_err().contains("look at username and password"));
    assert_eq!(deliver(&with(Some(secret(&folder, "right\n")))).await, DeliveryResult::Delivered);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_replica_a_full_one_and_a_key_of_another_type_are_told_apart() {
    let nobody = crate::server::free_port().to_string();
    let Some(replica) = Server::redis(&["--replicaof", "127.0.0.1", &nobody]) else { return };
    let sink = RedisSink::new(redis_setup(replica.port));
    failed(deliver(&sink).await, "it is a replica: name its primary");
    assert!(sink.check().await.unwrap_err().contains("is a replica"));
    // It is promoted, and the sink goes on by itself.
    let _: String = redis_ask(replica.port, &["REPLICAOF", "NO", "ONE"]).await.unwrap();
    assert_eq!(deliver(&sink).await, DeliveryResult::Delivered);
    let _: String = redis_ask(replica.port, &["CONFIG", "SET", "maxmemory", "1"]).await.unwrap();
    failed(deliver(&sink).await, "give the server memory");
    let _: String = redis_ask(replica.port, &["CONFIG", "SET", "maxmemory", "0"]).await.unwrap();
    let _: String = redis_ask(replica.port, &["SET", RedisSetup::STREAM, "x"]).await.unwrap();
    failed(deliver(&sink).await, "the key holds something else");
    assert!(sink.check().await.unwrap_err().contains("holds a string"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_stream_keeps_about_as_many_entries_as_it_was_told_and_each_tenant_has_its_own() {
    let Some(server) = Server::redis(&[]) else { return };
    let stream = "{tenant}:events".parse().unwrap();
    let sink = RedisSink::new(RedisSetup { stream, max_length: Some(10), ..redis_setup(server.port) });
    let messages = (0..1_000).map(message).collect();
    assert!(sink.deliver(messages).await.iter().all(|result| *result == DeliveryResult::Delivered));
    let length: u64 = redis_ask(server.port, &["XLEN", "acme:events"]).await.unwrap();
    assert!((10..500).contains(&length), "{length}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nats_without_the_stream_says_how_to_make_one_and_goes_on_once_it_is_there() {
    let Some(server) = Server::nats(&[]) else { return };
    let sink = NatsSink::new(nats_setup(server.port));
    failed(deliver(&sink).await, "nats stream add EVENTS --subjects enact.events");
    assert!(sink.check().await.unwrap_err().contains("nats stream add"));
    let subjects = vec![NatsSetup::SUBJECT.to_owned()];
    let config = async_nats::jetstream::stream::Config { name: "OTHER".to_owned(), subjects, ..Default::default() };
    jetstream_of(server.port).await.create_stream(config).await.unwrap();
    assert_eq!(deliver(&sink).await, DeliveryResult::Delivered);
    let picky = NatsSink::new(NatsSetup { stream: Some("EVENTS".to_owned()), ..nats_setup(server.port) });
    failed(deliver(&picky).await, "expected stream does not match");
    assert!(picky.check().await.unwrap_err().contains("OTHER"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nats_with_another_token_says_so_without_repeating_it() {
    let Some(server) = Server::nats(&["--auth", "right"]) else { return };
    let folder = tempfile::tempdir().unwrap();
    let with = |text: &str| {
        let login = Login::Token(secret(&folder, text));
        NatsSink::new(NatsSetup { login, ..nats_setup(server.port) })
    };
    let wrong = deliver(&with("hunter2")).await;
    assert!(!format!("{wrong:?}").contains("hunter2"));
    failed(wrong, "does not let this user in");
    failed(deliver(&with("right")).await, "nats stream add");
}

const PAYLOAD: &str = "payload-of-somebody";

#[derive(Clone, Default)]
struct Lines(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What a webhook writes back does not stand in the log of the hub, nor with the message (A5).
#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_echoes_the_event_brings_no_payload_into_the_log() {
    let lines = Lines::default();
    let made = lines.clone();
    tracing_subscriber::fmt().with_writer(move || made.clone()).init();
    let (rig, sink) = hook(Behaviour::Echoes("422 Unprocessable Entity")).await;
    let bed = Bed::open(Arc::new(sink), 3).await;
    bed.say("default", PAYLOAD, 0).await;
    eventually("it is given up", async || {
        String::from_utf8_lossy(&lines.0.lock().unwrap()).contains("a message is given up")
    })
    .await;
    assert!(rig.0.received().iter().any(|received| received.body.contains(PAYLOAD)));
    let text = String::from_utf8_lossy(&lines.0.lock().unwrap()).into_owned();
    assert_eq!(text.lines().find(|line| line.contains(PAYLOAD)), None, "the log says it");
    assert!(text.contains("it answered 422 Unprocessable Entity"), "{text}");
}
