//! A real hub that is asked for more than it takes: its memory stays bounded (A8), and it answers all the while.

use std::net::SocketAddr;
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::hub::Store;

/// Longest wait for anything that must happen.
const LIMIT: Duration = Duration::from_secs(300);
/// Connections over which the questions come.
const CONNECTIONS: usize = 50;
const MIB: u64 = 1024;

/// A hub in a process of its own, and its store.
struct Loaded {
    child: Child,
    address: SocketAddr,
    _store: Store,
}

impl Loaded {
    fn start(store: Store) -> Self {
        let (child, http) = super::hub::ready(&mut store.command(&["serve", "-q", "--json"]));
        let address = http.trim_start_matches("http://").parse().unwrap();
        Self { child, address, _store: store }
    }

    /// What it has in memory by now or had at most, in KiB.
    fn kib(&self, what: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(what)).unwrap();
        line.split_ascii_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Forgets what it had at most before.
    fn forget_peak(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5").unwrap();
    }

    async fn connect(&self) -> SendRequest<Full<Bytes>> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (sender, connection) = Builder::new(TokioExecutor::new()).handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        sender
    }

    fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Request<Full<Bytes>> {
        let request = Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        let body = body.map(Value::to_string).unwrap_or_default();
        request.header("content-type", "application/json").body(Full::from(body)).unwrap()
    }

    async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let answer = self.connect().await.send_request(self.request(method, path, body)).await.unwrap();
        let status = answer.status().as_u16();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    /// Answers as before, and soon.
    async fn is_well(&self) {
        let asked = async {
            assert_eq!(self.ask("GET", "/readyz", None).await.0, 200);
            let (status, page) = self.ask("GET", "/v1/executions?limit=1", None).await;
            assert_eq!((status, page["items"].as_array().map(Vec::len)), (200, Some(1)), "{page}");
        };
        tokio::time::timeout(LIMIT, asked).await.expect("it answers");
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends so many questions over all connections, so many of each at once, and looks at every answer.
async fn flood(
    hub: &Arc<Loaded>,
    (count, at_once): (usize, usize),
    request: Request<Full<Bytes>>,
    look: fn(&Response<()>, &[u8]),
) {
    let mut all = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (hub, request) = (Arc::clone(hub), request.clone());
        all.spawn(async move {
            let sender = hub.connect().await;
            let mut own = JoinSet::new();
            for _ in 0..count / CONNECTIONS {
                if own.len() >= at_once {
                    own.join_next().await.unwrap().unwrap();
                }
                let (mut sender, request) = (sender.clone(), request.clone());
                own.spawn(async move {
                    sender.ready().await.unwrap();
                    let (head, body) = sender.send_request(request).await.unwrap().into_parts();
                    let body = body.collect().await.unwrap().to_bytes();
                    look(&Response::from_parts(head, ()), &body);
                });
            }
            while let Some(asked) = own.join_next().await {
                asked.unwrap();
            }
        });
    }
    let joined = async {
        while let Some(asked) = all.join_next().await {
            asked.unwrap();
        }
    };
    tokio::time::timeout(LIMIT, joined).await.expect("everything is answered");
}

fn has_retry_after(answer: &Response<()>) -> bool {
    answer.headers().get("retry-after").is_some_and(|value| value.to_str().unwrap().parse::<u32>().unwrap() >= 1)
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_intents_that_are_refused_leave_nothing_in_memory() {
    const OPEN: usize = 20;
    const COUNT: usize = 2_500;
    /// Of one connection, a hundred of all.
    const AT_ONCE: usize = 2;
    /// What one of them brings, so that keeping them all would be seen.
    const BYTES: usize = 48 * 1024;
    let store = Store::new().with("ENACT_LIMITS_OPEN_EXECUTIONS", "20").with("ENACT_LIMITS_RUNNING", "1");
    let hub = Arc::new(Loaded::start(store.with("ENACT_LIMITS_OPEN_EXECUTIONS_PER_TENANT", "20")));
    let open = json!({ "intent_type": "c.s.never", "parameters": {} });
    for _ in 0..OPEN {
        assert_eq!(hub.ask("POST", "/v1/intents", Some(&open)).await.0, 202);
    }
    let refused = |answer: &Response<()>, body: &[u8]| {
        let said = String::from_utf8_lossy(body);
        assert!(matches!(answer.status().as_u16(), 429 | 503) && has_retry_after(answer), "{answer:?} {said}");
    };
    let large = json!({ "intent_type": "c.s.echo", "parameters": { "pad": "x".repeat(BYTES) } });
    let large = hub.request("POST", "/v1/intents", Some(&large));
    // What a hub at work has anyway.
    flood(&hub, (COUNT / 10, AT_ONCE), large.clone(), refused).await;
    hub.forget_peak();
    let before = hub.kib("VmRSS");
    flood(&hub, (COUNT, AT_ONCE), large, refused).await;
    let more = hub.kib("VmHWM").saturating_sub(before);
    println!("{COUNT} that are refused: {} MiB before, {more} KiB more at most", before / MIB);
    // All of them would be 117 MiB, without what stands around them.
    assert!(more < 40 * MIB, "{before} KiB, and {more} KiB more");
    hub.is_well().await;
    let (_, page) = hub.ask("GET", "/v1/executions?open=true&limit=1000", None).await;
    assert_eq!(page["items"].as_array().map(Vec::len), Some(OPEN), "nothing more was taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_who_wait_cost_a_few_kilobytes_each() {
    const COUNT: usize = 2_500;
    let hub = Arc::new(Loaded::start(Store::new()));
    let draft = json!({ "intent_type": "c.s.never", "parameters": {} });
    let (status, begun) = hub.ask("POST", "/v1/intents", Some(&draft)).await;
    assert_eq!(status, 202);
    let id = begun["execution_id"].as_str().unwrap().to_owned();
    hub.is_well().await;
    hub.forget_peak();
    let before = hub.kib("VmRSS");
    let asked = Arc::new(AtomicUsize::new(0));
    let mut waiting = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let sender = hub.connect().await;
        for _ in 0..COUNT / CONNECTIONS {
            let request = hub.request("GET", &format!("/v1/executions/{id}?wait=10m"), None);
            let (mut sender, asked) = (sender.clone(), Arc::clone(&asked));
            waiting.spawn(async move {
                sender.ready().await.unwrap();
                let answer = sender.send_request(request);
                asked.fetch_add(1, Ordering::SeqCst);
                let answer = answer.await.unwrap();
                (answer.status().as_u16(), answer.into_body().collect().await.unwrap().to_bytes().len())
            });
        }
        // What came before this on its connection has been read.
        let mut sender = sender;
        sender.ready().await.unwrap();
        assert_eq!(sender.send_request(hub.request("GET", "/healthz", None)).await.unwrap().status(), 200);
    }
    let begun = std::time::Instant::now();
    while asked.load(Ordering::SeqCst) < COUNT {
        assert!(begun.elapsed() < LIMIT);
        tokio::task::yield_now().await;
    }
    hub.is_well().await;
    let cancel = json!({ "reason": "they have waited long enough" });
    assert_eq!(hub.ask("POST", &format!("/v1/executions/{id}/cancel"), Some(&cancel)).await.0, 200);
    let mut answered = 0;
    let all = async {
        while let Some(answer) = waiting.join_next().await {
            let (status, bytes) = answer.unwrap();
            assert!(status == 200 && bytes > 0, "{status}");
            answered += 1;
        }
    };
    tokio::time::timeout(LIMIT, all).await.expect("all of them are answered");
    assert_eq!(answered, COUNT);
    let more = hub.kib("VmHWM").saturating_sub(before);
    println!("{COUNT} that wait: {} MiB before, {more} KiB more at most", before / MIB);
    // A thread for each would be at least twice as much.
    assert!(more < 80 * MIB, "{before} KiB, and {more} KiB more");
    hub.is_well().await;
}

/// Queued for later, so that there is something to list and nothing runs; a page of them has about 200 KiB.
const ITEMS: usize = 100;

async fn listed(hub: &Loaded) {
    let later = json!({
        "intent_type": "c.s.echo", "parameters": { "pad": "x".repeat(1_200) }, "start_after": "1h",
    });
    for _ in 0..ITEMS {
        assert_eq!(hub.ask("POST", "/v1/intents", Some(&later)).await.0, 202);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_pages_that_are_asked_for_at_once_are_answered_in_bounded_memory() {
    const COUNT: usize = 2_000;
    static WHOLE: AtomicUsize = AtomicUsize::new(0);
    let hub = Arc::new(Loaded::start(Store::new()));
    listed(&hub).await;
    let page = hub.request("GET", &format!("/v1/executions?limit={ITEMS}"), None);
    let look = |answer: &Response<()>, body: &[u8]| match answer.status().as_u16() {
        200 => {
            let page: Value = serde_json::from_slice(body).unwrap();
            assert_eq!(page["items"].as_array().map(Vec::len), Some(ITEMS));
            WHOLE.fetch_add(1, Ordering::SeqCst);
        }
        429 => assert!(has_retry_after(answer), "{answer:?}"),
        _ => panic!("{answer:?}"),
    };
    flood(&hub, (CONNECTIONS, 1), page.clone(), look).await;
    hub.forget_peak();
    let (before, whole) = (hub.kib("VmRSS"), WHOLE.load(Ordering::SeqCst));
    flood(&hub, (COUNT, COUNT / CONNECTIONS), page, look).await;
    let more = hub.kib("VmHWM").saturating_sub(before);
    let whole = WHOLE.load(Ordering::SeqCst) - whole;
    println!("two thousand pages, {whole} whole: {} MiB before, {more} KiB more at most", before / MIB);
    // All of them at once would be 400 MiB.
    assert!(more < 96 * MIB, "{before} KiB, and {more} KiB more");
    assert!(whole > COUNT / 100, "{whole} are answered with a page");
    hub.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_none_of_the_pages_he_asks_for_has_few_of_them_made_and_keeps_nobody_else_out() {
    const EACH: usize = 200;
    let store = Store::new();
    let made = store.run(&["token", "create", "other", "--role", "viewer", "--json"]);
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    let hub = Loaded::start(store);
    listed(&hub).await;
    let path = format!("/v1/executions?limit={ITEMS}");
    let before = hub.kib("VmRSS");
    hub.forget_peak();
    let mut asked = JoinSet::new();
    let mut connections = Vec::new();
    for _ in 0..4 {
        let stream = TokioIo::new(TcpStream::connect(hub.address).await.unwrap());
        let mut builder = Builder::new(TokioExecutor::new());
        // No byte of a body may be sent.
        let (sender, connection) = builder.initial_stream_window_size(0).handshake(stream).await.unwrap();
        connections.push(tokio::spawn(connection));
        for _ in 0..EACH {
            let (mut sender, page) = (sender.clone(), hub.request("GET", &path, None));
            asked.spawn(async move {
                sender.ready().await.unwrap();
                sender.send_request(page).await.unwrap()
            });
        }
    }
    let (mut made_for_him, mut refused, mut kept) = (0, 0, Vec::new());
    let all = async {
        while let Some(answer) = asked.join_next().await {
            let answer = answer.unwrap();
            match answer.status().as_u16() {
                200 => made_for_him += 1,
                429 => refused += 1,
                _ => panic!("{answer:?}"),
            }
            kept.push(answer);
        }
    };
    tokio::time::timeout(LIMIT, all).await.expect("each has an answer that begins");
    assert_eq!(made_for_him + refused, 4 * EACH);
    assert!((1..=32).contains(&made_for_him), "{made_for_him}");
    // Another caller's are answered, and what is no list to him, too.
    let mut theirs = hub.request("GET", &path, None);
    let bearer = format!("Bearer {}", made_of(&made)).parse().unwrap();
    theirs.headers_mut().insert("authorization", bearer);
    let answer = hub.connect().await.send_request(theirs).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.into_body().collect().await.unwrap().to_bytes().len() > ITEMS * 1_200);
    let draft = json!({ "intent_type": "c.s.echo", "parameters": {} });
    assert_eq!(hub.ask("POST", "/v1/intents?wait=30s", Some(&draft)).await.0, 200);
    let more = hub.kib("VmHWM").saturating_sub(before);
    println!("{} pages that nobody takes: {} MiB before, {more} KiB more at most", 4 * EACH, before / MIB);
    assert!(more < 64 * MIB, "{before} KiB, and {more} KiB more");
    // He has his turns again once he has gone.
    drop(kept);
    for connection in connections {
        connection.abort();
    }
    hub.is_well().await;
}

fn made_of(token: &Value) -> &str {
    token["secret"].as_str().unwrap_or_else(|| panic!("{token}"))
}
