//! Each kind of sink with what stands behind it: a place that can be read, ended and started again.

use std::path::PathBuf;
use std::sync::Arc;

use async_nats::jetstream;
use enact_runtime::sink::{FileSink, Sink};
use enact_sink::Trust;
use enact_sink::nats::{Login, NatsSetup, NatsSink};
use enact_sink::redis::{RedisSetup, RedisSink};
use enact_sink::webhook::{WebhookSetup, WebhookSink};
use serde_json::Value;
use tempfile::TempDir;

use crate::endpoint::Endpoint;
use crate::server::Server;

/// A sink and what stands behind it.
pub trait Rig: Sized {
    /// Sets it up, or says why that cannot be.
    async fn open() -> Option<Self>;
    /// Makes a sink that leads there.
    fn sink(&self) -> Arc<dyn Sink>;
    /// Returns every event there, in the order in which they came.
    async fn received(&self) -> Vec<Value>;
    /// Ends what stands behind it.
    async fn stop(&mut self);
    /// Starts it again, with what it had.
    async fn start(&mut self);
}

pub struct FileRig(TempDir);

impl FileRig {
    fn lines(&self) -> PathBuf {
        self.0.path().join("up/events.jsonl")
    }
}

impl Rig for FileRig {
    async fn open() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("up")).unwrap();
        Some(Self(folder))
    }
    fn sink(&self) -> Arc<dyn Sink> {
        Arc::new(FileSink::new(&self.lines()))
    }
    async fn received(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.lines()).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
    async fn stop(&mut self) {
        std::fs::rename(self.0.path().join("up"), self.0.path().join("down")).unwrap();
    }
    async fn start(&mut self) {
        std::fs::rename(self.0.path().join("down"), self.0.path().join("up")).unwrap();
    }
}

pub struct WebhookRig(pub Endpoint);

impl WebhookRig {
    pub fn setup(&self) -> WebhookSetup {
        WebhookSetup {
            endpoint: WebhookSetup::endpoint(&format!("http://127.0.0.1:{}/in", self.0.port)).unwrap(),
            trust: Trust::System,
            secrets: Vec::new(),
            timeout: WebhookSetup::TIMEOUT,
            at_once: WebhookSetup::AT_ONCE,
        }
    }
}

impl Rig for WebhookRig {
    async fn open() -> Option<Self> {
        Some(Self(Endpoint::open().await))
    }
    fn sink(&self) -> Arc<dyn Sink> {
        Arc::new(WebhookSink::new(self.setup()))
    }
    async fn received(&self) -> Vec<Value> {
        let received = self.0.received();
        received.iter().map(|request| serde_json::from_str(&request.body).unwrap()).collect()
    }
    async fn stop(&mut self) {
        self.0.stop().await;
    }
    async fn start(&mut self) {
        self.0.start().await;
    }
}

pub struct RedisRig(pub Server);

pub fn redis_setup(port: u16) -> RedisSetup {
    RedisSetup {
        endpoint: RedisSetup::endpoint(&format!("redis://127.0.0.1:{port}")).unwrap(),
        username: None,
        password: None,
        trust: Trust::System,
        stream: RedisSetup::STREAM.parse().unwrap(),
        max_length: None,
    }
}

/// Asks a Redis server something.
pub async fn redis_ask<T: redis::FromRedisValue>(port: u16, words: &[&str]) -> redis::RedisResult<T> {
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}")).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await?;
    redis::cmd(words[0]).arg(&words[1..]).query_async(&mut connection).await
}

impl Rig for RedisRig {
    async fn open() -> Option<Self> {
        Server::redis(&[]).map(Self)
    }
    fn sink(&self) -> Arc<dyn Sink> {
        Arc::new(RedisSink::new(redis_setup(self.0.port)))
    }
    async fn received(&self) -> Vec<Value> {
        type Entries = Vec<(String, Vec<(String, String)>)>;
        let entries: Entries = redis_ask(self.0.port, &["XRANGE", RedisSetup::STREAM, "-", "+"]).await.unwrap();
        let event = |fields: Vec<(String, String)>| {
            let field = |name: &str| fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
            let event: Value = serde_json::from_str(&field("event").unwrap()).unwrap();
            assert_eq!(event["id"].as_str(), field("id").as_deref());
            assert_eq!(event["type"].as_str(), field("type").as_deref());
            assert_eq!(event["partitionkey"].as_str(), field("key").as_deref());
            event
        };
        entries.into_iter().map(|(_, fields)| event(fields)).collect()
    }
    async fn stop(&mut self) {
        self.0.stop();
    }
    async fn start(&mut self) {
        self.0.start();
    }
}

pub struct NatsRig(pub Server);

pub fn nats_setup(port: u16) -> NatsSetup {
    NatsSetup {
        endpoint: NatsSetup::endpoint(&format!("nats://127.0.0.1:{port}")).unwrap(),
        login: Login::Nobody,
        trust: Trust::System,
        subject: NatsSetup::subject(NatsSetup::SUBJECT).unwrap(),
        stream: None,
    }
}

pub async fn jetstream_of(port: u16) -> jetstream::Context {
    jetstream::new(async_nats::connect(format!("nats://127.0.0.1:{port}")).await.unwrap())
}

impl Rig for NatsRig {
    async fn open() -> Option<Self> {
        let server = Server::nats(&[])?;
        let subjects = vec![NatsSetup::SUBJECT.to_owned()];
        let config = jetstream::stream::Config { name: "EVENTS".to_owned(), subjects, ..Default::default() };
        jetstream_of(server.port).await.create_stream(config).await.unwrap();
        Some(Self(server))
    }
    fn sink(&self) -> Arc<dyn Sink> {
        Arc::new(NatsSink::new(nats_setup(self.0.port)))
    }
    async fn received(&self) -> Vec<Value> {
        let stream = jetstream_of(self.0.port).await.get_stream("EVENTS").await.unwrap();
        let mut events = Vec::new();
        for sequence in 1..=stream.cached_info().state.last_sequence {
            let message = stream.get_raw_message(sequence).await.unwrap();
            let event: Value = serde_json::from_slice(&message.payload).unwrap();
            let id = message.headers.get(async_nats::header::NATS_MESSAGE_ID).unwrap();
            assert_eq!(event["id"].as_str(), Some(id.as_str()));
            events.push(event);
        }
        events
    }
    async fn stop(&mut self) {
        self.0.stop();
    }
    async fn start(&mut self) {
        self.0.start();
    }
}
