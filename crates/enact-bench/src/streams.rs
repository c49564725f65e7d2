//! Ten thousand idle streams: what each costs the hub in memory, and what all of them cost the intents beside them. The hub
//! is `enact serve` in its own process, and the streams are real connections.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::Failure;
use crate::options::Options;
use crate::report::Row;

/// Streams that are asked for; fewer where the system allows fewer descriptors.
const STREAMS: usize = 10_000;
/// Streams of one connection of HTTP/2, a little below what the hub lets through.
const MULTIPLEXED: usize = 250;
/// Descriptors for everything that is no stream.
const SPARE: u64 = 200;
/// Intents at once.
const IN_FLIGHT: usize = 8;
/// Intents before anything is measured, so that memory is what a hub at work has.
const WARM_UP: Duration = Duration::from_secs(2);

const COMPONENT: &str = "component: idle\nversion: 1.0.0\nprocess: { command: [cat], mode: oneshot }\n\
    services: { one: { echo: { kind: query, call: { command: [cat] } } } }\n";

/// Measures the release build of `enact` that lies beside this program.
pub fn measure(options: &Options) -> Result<Vec<Row>, Failure> {
    let streams = usize::try_from(raise_descriptors()?.saturating_sub(SPARE))?.min(STREAMS);
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let mut rows = Vec::new();
        for (kind, connections) in [("HTTP/2", streams.div_ceil(MULTIPLEXED)), ("HTTP/1.1", streams)] {
            let hub = Serve::start(&options.dir, COMPONENT)?;
            rate(hub.address, WARM_UP).await?;
            let without = rate(hub.address, options.time() / 2).await?;
            let idle = submit(hub.address).await?;
            let before = hub.resident_kib()?;
            let open = open(hub.address, connections, streams, &idle, kind == "HTTP/2").await?;
            let each = hub.resident_kib()?.saturating_sub(before) as f64 / open.len() as f64;
            let beside = rate(hub.address, options.time() / 2).await?;
            let count = u32::try_from(open.len())?;
            rows.push(Row::new(format!("stream, {kind}"), count, each, "KiB"));
            rows.push(Row::new(format!("intents beside, {kind}"), count, beside, "intents/s").beside(without));
            drop(open);
        }
        Ok(rows)
    })
}

/// Lets this process and its children have as many descriptors as the system allows; returns how many.
pub(crate) fn raise_descriptors() -> Result<u64, Failure> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum.map(|most| most.min(65_536)).or(Some(65_536));
    setrlimit(Resource::Nofile, limit)?;
    Ok(limit.current.unwrap_or(1_024))
}

/// A hub in a process of its own.
pub(crate) struct Serve {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Serve {
    /// Starts one in a new folder with one component, given as its descriptor.
    pub(crate) fn start(dir: &Path, component: &str) -> Result<Self, Failure> {
        let text = component;
        let program: PathBuf = std::env::current_exe()?.with_file_name("enact");
        if !program.exists() {
            return Err(format!("{} is missing: `cargo build --release -p enact` makes it", program.display()).into());
        }
        let folder = tempfile::tempdir_in(dir)?;
        let component = folder.path().join("idle");
        std::fs::create_dir(&component)?;
        std::fs::write(component.join("component.yaml"), text)?;
        let enact = || {
            let mut command = Command::new(&program);
            command.arg("--store").arg(folder.path().join("store")).current_dir(folder.path());
            command.env("ENACT_HTTP_LISTEN", "127.0.0.1:0").env("ENACT_LIMITS_RUNNING", "1024");
            command.stdin(Stdio::null()).stderr(Stdio::null());
            command
        };
        if !enact().args(["component", "add"]).arg(&component).stdout(Stdio::null()).status()?.success() {
            return Err("the component of the bench cannot be added".into());
        }
        let mut child = enact().args(["serve", "--json"]).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().ok_or("its output cannot be read")?).read_line(&mut line)?;
        let address = line.split_once("http://").ok_or("`enact serve` does not say where it listens")?.1;
        let address = address.split(|c: char| !c.is_ascii_digit() && c != '.' && c != ':').next();
        let address = address.unwrap_or_default().parse()?;
        Ok(Self { child, address, _folder: folder })
    }

    fn resident_kib(&self) -> Result<u64, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("VmRSS is not told")?;
        Ok(line.split_ascii_whitespace().next().ok_or("VmRSS is empty")?.parse()?)
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        // It holds nothing that anybody needs.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection of either kind.
pub(crate) enum Connection {
    One(http1::SendRequest<Full<Bytes>>),
    Many(http2::SendRequest<Full<Bytes>>),
}

impl Connection {
    /// Opens one, of HTTP/2 if it is to carry several questions at once.
    pub(crate) async fn open(address: SocketAddr, multiplexed: bool) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let io = TokioIo::new(stream);
        Ok(if multiplexed {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
            tokio::spawn(connection);
            Self::Many(sender)
        } else {
            let (sender, connection) = http1::handshake(io).await?;
            tokio::spawn(connection);
            Self::One(sender)
        })
    }

    /// Asks; an answer that is no success is a failure.
    pub(crate) async fn ask(
        &mut self,
        address: SocketAddr,
        path: &str,
        body: Option<&str>,
    ) -> Result<Response<Incoming>, Failure> {
        let method = if body.is_some() { "POST" } else { "GET" };
        let (uri, json) = (format!("http://{address}{path}"), "application/json");
        let body = Full::new(Bytes::from(body.unwrap_or_default().to_owned()));
        let response = match self {
            Self::Many(sender) => {
                sender
                    .send_request(Request::builder().method(method).uri(uri).header("content-type", json).body(body)?)
                    .await?
            }
            Self::One(sender) => {
                let request = Request::builder().method(method).uri(path).header("host", address.to_string());
                sender.send_request(request.header("content-type", json).body(body)?).await?
            }
        };
        if !response.status().is_success() {
            return Err(format!("{path} is answered with {}", response.status()).into());
        }
        Ok(response)
    }
}

/// Submits an intent that begins tomorrow; returns its execution.
async fn submit(address: SocketAddr) -> Result<String, Failure> {
    let mut connection = Connection::open(address, false).await?;
    let draft = r#"{"intent_type":"idle.one.echo","parameters":{},"start_after":"24h"}"#;
    let body = connection.ask(address, "/v1/intents", Some(draft)).await?.into_body().collect().await?.to_bytes();
    let answer: serde_json::Value = serde_json::from_slice(&body)?;
    Ok(answer["execution_id"].as_str().ok_or("an answer has no execution")?.to_owned())
}

/// A stream that has told its first record, and what keeps it open.
struct Stream(#[allow(dead_code)] Incoming, #[allow(dead_code)] Arc<Connection>);

async fn open(
    address: SocketAddr,
    connections: usize,
    streams: usize,
    execution: &str,
    multiplexed: bool,
) -> Result<Vec<Stream>, Failure> {
    let path = format!("/v1/executions/{execution}/stream");
    let mut open = Vec::with_capacity(streams);
    for _ in 0..connections {
        let mut connection = Connection::open(address, multiplexed).await?;
        let most = if multiplexed { MULTIPLEXED.min(streams - open.len()) } else { 1 };
        let mut bodies = Vec::with_capacity(most);
        for _ in 0..most {
            let mut body = connection.ask(address, &path, None).await?.into_body();
            body.frame().await.ok_or("a stream ends")??;
            bodies.push(body);
        }
        let connection = Arc::new(connection);
        open.extend(bodies.into_iter().map(|body| Stream(body, Arc::clone(&connection))));
    }
    Ok(open)
}

/// Settles intents one after the other on a few connections; returns how many a second.
async fn rate(address: SocketAddr, time: Duration) -> Result<f64, Failure> {
    let (done, begun) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let mut load = tokio::task::JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let done = Arc::clone(&done);
        load.spawn(async move {
            let mut connection = Connection::open(address, false).await?;
            while begun.elapsed() < time {
                let answer = connection.ask(address, "/rest/v1/idle/one/echo", Some("{}")).await?;
                answer.into_body().collect().await?;
                done.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<(), Failure>(())
        });
    }
    while let Some(result) = load.join_next().await {
        result??;
    }
    Ok(done.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64())
}
