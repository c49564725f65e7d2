//! The outbox of the real binary over real servers: killed between sending and marking, and asked how its sinks are.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::fake::text;
use super::hub::Store;
use super::rig::{NatsRig, RedisRig, Rig, WebhookRig};
use super::server::free_port;
use super::skip::skip;

/// Longest wait for anything that must happen.
const LIMIT: Duration = Duration::from_secs(60);

/// Stands before a server and keeps back its answer to the first message, and whatever comes after.
struct Proxy {
    port: u16,
    keeps_back: Arc<AtomicBool>,
    /// What was sent to the server since the last look.
    sent: Arc<Mutex<Vec<u8>>>,
}

impl Proxy {
    /// `sends` are the bytes with which a message begins.
    fn before(server: u16, sends: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let proxy = Self { port, keeps_back: Arc::new(AtomicBool::new(true)), sent: Arc::default() };
        let (keeps_back, all) = (Arc::clone(&proxy.keeps_back), Arc::clone(&proxy.sent));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(upstream) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                let sent = Arc::new(AtomicBool::new(false));
                let (from, to) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
                let (marks, all, mut own) = (Arc::clone(&sent), Arc::clone(&all), Vec::new());
                pump(from, to, move |bytes| {
                    own.extend_from_slice(bytes);
                    all.lock().unwrap().extend_from_slice(bytes);
                    if own.windows(sends.len()).any(|word| word == sends) {
                        marks.store(true, Ordering::SeqCst);
                    }
                    true
                });
                let keeps_back = Arc::clone(&keeps_back);
                pump(upstream, client, move |_| !(sent.load(Ordering::SeqCst) && keeps_back.load(Ordering::SeqCst)));
            }
        });
        proxy
    }

    /// The ids of messages that were sent since the last look.
    fn ids(&self) -> BTreeSet<String> {
        let sent = String::from_utf8_lossy(&std::mem::take(&mut *self.sent.lock().unwrap())).into_owned();
        let ids = sent.match_indices("msg_").filter_map(|(at, _)| sent.get(at..at + 30));
        ids.filter(|id| id[4..].bytes().all(|byte| byte.is_ascii_alphanumeric())).map(str::to_owned).collect()
    }
}

/// Carries bytes over until one side ends; those that do not pass are dropped.
fn pump(mut from: TcpStream, mut to: TcpStream, mut passes: impl FnMut(&[u8]) -> bool + Send + 'static) {
    std::thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            if passes(&buffer[..read]) && to.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    });
}

/// Returns the ids of the messages that a consumer finds, in the order in which they came.
async fn ids<R: Rig>(rig: &R) -> Vec<String> {
    rig.received().await.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect()
}

fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < end, "it never came to be: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// How a sink is reached, and what is seen of it on the way.
struct Way {
    /// What the setting of its address is called.
    setting: &'static str,
    /// The address, whose port is put in.
    address: &'static str,
    /// With what a message begins.
    sends: &'static [u8],
    /// Whether a consumer sees what comes twice; a server that knows the ids keeps the first.
    repeats: bool,
}

/// Kills a hub that has sent a message and was not told that it came, and looks at what the next one sends.
async fn comes_again_with_the_same_id<R: Rig>(rig: &R, server: u16, way: Way) {
    let proxy = Proxy::before(server, way.sends);
    let store = Store::new().with("ENACT_OUTBOX_DEFAULT_SINKS", "stream");
    let store = store.with(way.setting, &way.address.replace("PORT", &proxy.port.to_string()));
    let hub = store.serve();
    for _ in 0..3 {
        let ran = store.run(&["run", "c.s.slow"]);
        assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    }
    let end = Instant::now() + LIMIT;
    while ids(rig).await.is_empty() {
        assert!(Instant::now() < end, "nothing came to the server");
    }
    // It is killed as by `kill -9`: the message is there, its mark is not.
    drop(hub);
    let before = ids(rig).await;
    let sent: BTreeSet<String> = before.iter().cloned().collect();
    assert!(proxy.ids().is_superset(&sent), "{before:?}");
    proxy.keeps_back.store(false, Ordering::SeqCst);
    let _hub = store.serve();
    let list = |more: &[&str]| {
        let listed = store.run(&[&["outbox", "list", "--json"], more].concat());
        let page: Value = serde_json::from_slice(&listed.stdout).unwrap();
        page["items"].as_array().unwrap_or_else(|| panic!("{page}")).clone()
    };
    eventually("the hub finds what is pending by itself", || list(&["--state", "pending"]).is_empty());
    let again = proxy.ids();
    assert!(again.is_superset(&sent), "{before:?} is sent again: {again:?}");
    let after = ids(rig).await;
    assert_eq!(after[..before.len()], before, "what is there stays");
    let comes_twice = before.iter().all(|id| after[before.len()..].contains(id));
    assert_eq!(comes_twice, way.repeats, "{before:?} came again: {after:?}");
    let promised: BTreeSet<String> =
        list(&[]).iter().map(|row| row["message"]["id"].as_str().unwrap().to_owned()).collect();
    // A consumer that drops what it knows has each message once.
    let consumed: BTreeSet<String> = after.into_iter().collect();
    assert_eq!((consumed.len(), consumed), (3, promised));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_hub_has_sent_and_not_marked_comes_again_with_the_same_id() {
    let Some(rig) = RedisRig::open().await else { return };
    let (setting, address) = ("ENACT_SINKS_STREAM_REDIS", "redis://127.0.0.1:PORT");
    comes_again_with_the_same_id(&rig, rig.0.port, Way { setting, address, sends: b"XADD", repeats: true }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_hub_has_posted_and_not_marked_comes_again_with_the_same_id() {
    let rig = WebhookRig::open().await.unwrap();
    let (setting, address) = ("ENACT_SINKS_STREAM_WEBHOOK", "http://127.0.0.1:PORT/in");
    comes_again_with_the_same_id(&rig, rig.0.port, Way { setting, address, sends: b"POST ", repeats: true }).await;
    // A consumer that reads no body knows it by its header.
    for request in rig.0.received() {
        let event: Value = serde_json::from_str(&request.body).unwrap();
        assert_eq!(event["id"].as_str(), request.headers.get("webhook-id").map(String::as_str));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_hub_has_published_and_not_marked_comes_again_and_the_stream_keeps_it_once() {
    let Some(rig) = NatsRig::open().await else { return };
    let (setting, address) = ("ENACT_SINKS_STREAM_NATS", "nats://127.0.0.1:PORT");
    let way = Way { setting, address, sends: b"HPUB enact.events", repeats: false };
    comes_again_with_the_same_id(&rig, rig.0.port, way).await;
}

#[test]
fn a_sink_that_cannot_be_reached_is_told_by_doctor_status_and_lag_and_no_secret_is() {
    let nobody = free_port();
    let store = Store::new().with("ENACT_SINKS_HOOK_WEBHOOK", &format!("http://127.0.0.1:{nobody}/in"));
    let store = store.with("ENACT_SINKS_HOOK_SECRET", "env:HOOK_SECRET").with("ENACT_OUTBOX_DEFAULT_SINKS", "hook");
    let store = store.with("HOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let _hub = store.serve();
    assert_eq!(store.run(&["run", "c.s.slow"]).status.code(), Some(0));
    eventually("status says what is wrong", || {
        text(&store.run(&["status"]).stdout).contains("hook: 1 pending, the oldest for ")
            && text(&store.run(&["status"]).stdout).contains("cannot be reached")
    });
    let lag: Value = serde_json::from_slice(&store.run(&["outbox", "lag", "--json"]).stdout).unwrap();
    let hook = lag.as_array().unwrap().iter().find(|lag| lag["sink"] == "hook").unwrap().clone();
    assert!(hook["pending"] == 1 && hook["oldest_ms"].is_u64() && hook["trouble"].is_string(), "{lag}");
    let doctor = store.run(&["doctor"]);
    assert_ne!(doctor.status.code(), Some(0));
    let said = text(&doctor.stdout);
    assert!(said.contains(&format!("the sink hook: http://127.0.0.1:{nobody} cannot be reached")), "{said}");
    let shown = store.run(&["config", "show"]);
    let all = format!("{said}{}{}", text(&shown.stdout), text(&store.run(&["outbox", "list"]).stdout));
    assert!(all.contains("env:HOOK_SECRET") && !all.contains("MfKQ9r8"), "{all}");
}

#[test]
fn a_webhook_is_called_only_if_the_system_trusts_its_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let openssl = |words: &str| {
        let mut command = Command::new("openssl");
        command.current_dir(folder.path()).args(words.split(' ')).stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(Stdio::null());
        command
    };
    let make = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out cert.pem -days 2 \
                -subj /CN=hook -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE";
    if !openssl(make).status().is_ok_and(|status| status.success()) {
        return skip("openssl is not here, or makes no certificates");
    }
    let serve = format!("s_server -accept 127.0.0.1:{port} -cert cert.pem -key key.pem -www");
    let _server = Ends(openssl(&serve).spawn().unwrap());
    eventually("it listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    let store = Store::new().with("ENACT_SINKS_HOOK_WEBHOOK", &format!("https://127.0.0.1:{port}/in"));
    let stranger = text(&store.run(&["doctor"]).stdout);
    assert!(stranger.contains("is not trusted") || stranger.contains("trusts no certificate"), "{stranger}");
    let certificate = folder.path().join("cert.pem");
    let known = |store: &Store| {
        let friend = store.run(&["doctor"]);
        assert_eq!(friend.status.code(), Some(0), "{}", text(&friend.stdout));
        assert!(text(&friend.stdout).contains(&format!("hook (webhook https://127.0.0.1:{port} at ")));
        text(&friend.stdout)
    };
    let store = store.with("SSL_CERT_FILE", certificate.to_str().unwrap());
    known(&store);
    // Or an authority of its own is named, for the webhook and for a collector.
    let hub = || Store::new().with("ENACT_SINKS_HOOK_WEBHOOK", &format!("https://127.0.0.1:{port}/in"));
    let store = hub().with("ENACT_SINKS_HOOK_CA", certificate.to_str().unwrap());
    let store = store.with("ENACT_TELEMETRY_OTLP_ENDPOINT", &format!("https://127.0.0.1:{port}"));
    let half = text(&store.run(&["doctor"]).stdout);
    assert!(
        half.contains("is not trusted") || half.contains("trusts no certificate"),
        "the collector is apart: {half}"
    );
    let store = store.with("ENACT_TELEMETRY_OTLP_CA", certificate.to_str().unwrap());
    assert!(known(&store).contains(&format!("OTLP https://127.0.0.1:{port} at ")));
}

#[test]
fn the_doctor_tells_a_certificate_that_has_ended_and_one_that_cannot_be_used() {
    let store = Store::new();
    let (certificate, key) = (store.path().join("cert.pem"), store.path().join("key.pem"));
    let make = |year: i32| {
        let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        (params.not_before, params.not_after) = (rcgen::date_time_ymd(2000, 1, 1), rcgen::date_time_ymd(year, 1, 1));
        let pair = rcgen::KeyPair::generate().unwrap();
        std::fs::write(&certificate, params.self_signed(&pair).unwrap().pem()).unwrap();
        std::fs::write(&key, pair.serialize_pem()).unwrap();
    };
    make(4096);
    let store = store.with("ENACT_HTTP_TLS_CERTIFICATE", certificate.to_str().unwrap());
    let store = store.with("ENACT_HTTP_TLS_KEY", key.to_str().unwrap());
    let doctor = || store.run(&["doctor"]);
    let good = doctor();
    assert_eq!(good.status.code(), Some(0), "{}", text(&good.stdout));
    assert!(text(&good.stdout).contains("certificate: ") && text(&good.stdout).contains("cert.pem, until 4096-01-01"));
    make(2024);
    let bad = doctor();
    let said = text(&bad.stdout);
    assert_ne!(bad.status.code(), Some(0), "{said}");
    assert!(
        said.contains("has expired at 2024-01-01") && said.contains("cert.pem") && said.contains("without a restart"),
        "{said}"
    );
    std::fs::write(&certificate, "nonsense").unwrap();
    let unfit = text(&doctor().stdout);
    assert!(unfit.contains("cert.pem") && unfit.contains("the certificate it had before"), "{unfit}");
}

/// A child that ends with its test.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
