//! The relay: how fast it brings messages to each kind of sink, beside the same messages given to the sink without a hub.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_nats::jetstream;
use enact_host::contract::BoxFuture;
use enact_model::id::{ExecutionId, Lsn, MessageId, TenantId};
use enact_model::json::Json;
use enact_model::message::{Message, MessageRow};
use enact_model::time::Timestamp;
use enact_runtime::hub::HubConfig;
use enact_runtime::sink::{DeliveryResult, FileSink, Pace, Sink};
use enact_sink::Trust;
use enact_sink::nats::{Login, NatsSetup, NatsSink};
use enact_sink::redis::{RedisSetup, RedisSink};
use enact_sink::webhook::{WebhookSetup, WebhookSink};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch;

use crate::Failure;
use crate::options::Options;
use crate::report::Row;
use crate::world::{COMPONENT, World};

/// Messages of one figure.
const MESSAGES: u64 = 10_000;
/// How many intents at once promise them.
const IN_FLIGHT: u32 = 256;
/// Between two looks at how far it is.
const LOOK: Duration = Duration::from_millis(5);
/// Longest time for a server to start.
const START_LIMIT: Duration = Duration::from_secs(30);

/// Measures every kind of sink; one whose server cannot be started on this machine has a row that says why there is no figure.
pub fn measure(options: &Options) -> Result<Vec<Row>, Failure> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let mut rows = Vec::new();
        for kind in ["file", "webhook", "redis", "nats"] {
            let folder = tempfile::tempdir_in(&options.dir)?;
            let name = format!("relay {kind}");
            let place = match Place::open(kind, folder.path()).await? {
                Ok(place) => place,
                Err(absent) => {
                    rows.push(Row::skipped(name, absent.to_string()));
                    continue;
                }
            };
            let bare = bare(&*place.sink).await?;
            let (rate, mark) = relayed(Arc::clone(&place.sink), folder.path()).await?;
            rows.push(Row::new(name, 0, rate, "messages/s").beside(bare));
            rows.push(Row::new(format!("relay {kind}, one key"), 0, mark, "messages/s"));
        }
        Ok(rows)
    })
}

/// A server that cannot be had on this machine.
#[derive(Debug, thiserror::Error)]
#[error("{program} cannot be started: {source}")]
struct Absent {
    program: String,
    source: std::io::Error,
}

/// A sink and whatever stands behind it.
struct Place {
    sink: Arc<dyn Sink>,
    _server: Option<Server>,
}

impl Place {
    async fn open(kind: &str, folder: &Path) -> Result<Result<Self, Absent>, Failure> {
        let mut server = None;
        let sink: Arc<dyn Sink> = match kind {
            "webhook" => {
                let endpoint = WebhookSetup::endpoint(&format!("http://127.0.0.1:{}/", endpoint().await?))?;
                let (timeout, at_once) = (WebhookSetup::TIMEOUT, WebhookSetup::AT_ONCE);
                Arc::new(WebhookSink::new(WebhookSetup {
                    endpoint,
                    trust: Trust::System,
                    secrets: Vec::new(),
                    timeout,
                    at_once,
                }))
            }
            "redis" => {
                let words = ["--port", "PORT", "--bind", "127.0.0.1", "--dir", "FOLDER", "--appendonly", "yes"];
                let redis = match Server::start("redis-server", &words, folder)? {
                    Ok(redis) => redis,
                    Err(absent) => return Ok(Err(absent)),
                };
                let endpoint = RedisSetup::endpoint(&format!("redis://127.0.0.1:{}", redis.port))?;
                let stream = RedisSetup::STREAM.parse()?;
                server = Some(redis);
                let (username, password, max_length) = (None, None, None);
                Arc::new(RedisSink::new(RedisSetup {
                    endpoint,
                    username,
                    password,
                    trust: Trust::System,
                    stream,
                    max_length,
                }))
            }
            "nats" => {
                let words = ["-a", "127.0.0.1", "-p", "PORT", "-js", "-sd", "FOLDER"];
                let nats = match Server::start("nats-server", &words, folder)? {
                    Ok(nats) => nats,
                    Err(absent) => return Ok(Err(absent)),
                };
                let address = format!("nats://127.0.0.1:{}", nats.port);
                let context = jetstream::new(async_nats::connect(&address).await?);
                let subjects = vec![NatsSetup::SUBJECT.to_owned()];
                let config = jetstream::stream::Config { name: "EVENTS".to_owned(), subjects, ..Default::default() };
                context.create_stream(config).await?;
                let (endpoint, subject) = (NatsSetup::endpoint(&address)?, NatsSetup::subject(NatsSetup::SUBJECT)?);
                server = Some(nats);
                let (login, trust) = (Login::Nobody, Trust::System);
                Arc::new(NatsSink::new(NatsSetup { endpoint, login, trust, subject, stream: None }))
            }
            _ => Arc::new(FileSink::new(&folder.join("events.jsonl"))),
        };
        Ok(Ok(Self { sink, _server: server }))
    }
}

/// A server that ends with its measurement.
struct Server {
    port: u16,
    child: Child,
}

impl Server {
    /// Starts one, if its program is here.
    fn start(program: &str, words: &[&str], folder: &Path) -> Result<Result<Self, Absent>, Failure> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let folder = folder.display().to_string();
        let word = |word: &&str| word.replace("PORT", &port.to_string()).replace("FOLDER", &folder);
        let mut command = Command::new(program);
        command.args(words.iter().map(word)).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = match command.spawn() {
            Ok(child) => child,
            Err(source) => return Ok(Err(Absent { program: program.to_owned(), source })),
        };
        let (server, end) = (Self { port, child }, Instant::now() + START_LIMIT);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            if Instant::now() > end {
                return Err(format!("{program} does not listen").into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(Ok(server))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves HTTP that takes everything; returns its port.
async fn endpoint() -> Result<u16, Failure> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut buffer = vec![0; 64 * 1024];
                // A request is written at once and is smaller than the buffer.
                while matches!(stream.read(&mut buffer).await, Ok(1..)) {
                    if stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    Ok(port)
}

/// Gives messages to a sink as the relay would, with as many at once, and without a hub; returns messages per second.
async fn bare(sink: &dyn Sink) -> Result<f64, Failure> {
    let Pace { batch, at_once } = sink.pace();
    let messages: Vec<Arc<MessageRow>> = (0..MESSAGES).map(message).collect::<Result<_, _>>()?;
    let begin = Instant::now();
    let mut chunks = messages.chunks(batch);
    loop {
        let round: Vec<_> = chunks.by_ref().take(at_once).map(|chunk| sink.deliver(chunk.to_vec())).collect();
        if round.is_empty() {
            return Ok(MESSAGES as f64 / begin.elapsed().as_secs_f64());
        }
        for results in together(round).await {
            if let Some(failed) = results.iter().find(|result| **result != DeliveryResult::Delivered) {
                return Err(format!("a message was not delivered: {failed:?}").into());
            }
        }
    }
}

/// Lets futures run at once.
async fn together<T: Send>(mut futures: Vec<BoxFuture<'_, T>>) -> Vec<T> {
    let mut done: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, done) in futures.iter_mut().zip(&mut done).filter(|(_, done)| done.is_none()) {
            if let std::task::Poll::Ready(value) = future.as_mut().poll(context) {
                *done = Some(value);
            }
        }
        if done.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}

fn message(number: u64) -> Result<Arc<MessageRow>, Failure> {
    let message = Message {
        id: MessageId::from_parts(1_700_000_000_000, number.into()),
        tenant_id: TenantId::default_tenant(),
        execution_id: ExecutionId::from_u128(number.into()),
        event_type: "added".to_owned(),
        source: "/enact/nothing/nothing/add".to_owned(),
        subject: None,
        key: None,
        time: Timestamp(1_700_000_000_000),
        data: Json::parse(r#"{"account":"A-1029384756","cents":125000}"#)?,
        sinks: vec!["measured".parse()?],
    };
    Ok(Arc::new(MessageRow { message, lsn: Lsn(number), deliveries: Vec::new() }))
}

/// A sink behind a gate: what is promised while it is shut waits in the outbox.
struct Gate {
    open: watch::Receiver<bool>,
    sink: Arc<dyn Sink>,
    passed: Arc<AtomicU64>,
}

impl Sink for Gate {
    fn pace(&self) -> Pace {
        self.sink.pace()
    }
    fn deliver<'a>(&'a self, messages: Vec<Arc<MessageRow>>) -> BoxFuture<'a, Vec<DeliveryResult>> {
        Box::pin(async move {
            let mut open = self.open.clone();
            // A gate that is gone is open.
            let _ = open.wait_for(|open| *open).await;
            let results = self.sink.deliver(messages).await;
            self.passed.fetch_add(results.len() as u64, Ordering::Relaxed);
            results
        })
    }
    fn check<'a>(&'a self) -> BoxFuture<'a, Result<String, String>> {
        self.sink.check()
    }
}

/// Promises messages, then lets the relay bring them all; returns messages per second without a key, and with one for all.
async fn relayed(sink: Arc<dyn Sink>, folder: &Path) -> Result<(f64, f64), Failure> {
    let each = through(Arc::clone(&sink), &folder.join("each"), "added", MESSAGES).await?;
    let one = through(sink, &folder.join("one"), "{ type: added, key: /input/account }", MESSAGES / 20).await?;
    Ok((each, one))
}

async fn through(sink: Arc<dyn Sink>, store: &Path, emits: &str, messages: u64) -> Result<f64, Failure> {
    let (gate, open) = watch::channel(false);
    let mut config = HubConfig::new(store);
    let passed = Arc::new(AtomicU64::new(0));
    config.sinks.insert("measured".parse()?, Arc::new(Gate { open, sink, passed: Arc::clone(&passed) }));
    config.policy.default_sinks = vec!["measured".parse()?];
    let world = World::open_with(config).await?;
    std::fs::create_dir_all(store)?;
    let component = COMPONENT.replace("      kind: query\n", &format!("      kind: query\n      emits: [{emits}]\n"));
    world.add(store, &component).await?;
    world.load(IN_FLIGHT, Instant::now() + START_LIMIT, messages).await?;
    let pending = world.hub.status().pending_messages;
    if pending != messages {
        return Err(format!("{pending} messages wait where {messages} were promised").into());
    }
    let begin = Instant::now();
    gate.send_replace(true);
    // To count what waits costs more the more it is; the last marks follow soon after the last message.
    while passed.load(Ordering::Relaxed) < messages || world.hub.status().pending_messages > 0 {
        tokio::time::sleep(LOOK).await;
    }
    let seconds = begin.elapsed().as_secs_f64();
    world.hub.shutdown().await?;
    Ok(messages as f64 / seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_not_here_is_named_with_its_reason() {
        let folder = tempfile::tempdir().unwrap();
        let absent = Server::start("no-such-server-anywhere", &[], folder.path()).unwrap().err().unwrap();
        let mut report = crate::report::Report::new(false);
        report.extend([Row::skipped("relay none", absent.to_string())]);
        let text = report.to_string();
        let line = text.lines().last().unwrap();
        assert!(line.starts_with("relay none ") && line.contains("skipped: no-such-server-anywhere cannot"), "{text}");
    }
}
