//! A real browser on a page of another origin: it submits by CORS, and its `EventSource` gets every event once across a restart of
//! the hub (A4, A9). Only where `cargo xtask test --full` says which browser there is.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::bed::{Bed, LIMIT};
use crate::skip::skip;

/// What the page does; it tells everything that it has seen so far after each event.
const PAGE: &str = r#"<!doctype html><title>console</title><script>
const hub = "HUB", seen = { ids: [], kinds: [], opens: 0, closed: false };
const tell = () => fetch("/seen", { method: "POST", body: JSON.stringify(seen) });
const headers = { "content-type": "application/json", "idempotency-key": "from-a-page" };
const body = JSON.stringify({ intent_type: "text.words.gate", parameters: {} });
fetch(hub + "/v1/intents", { method: "POST", headers, body }).then(async answer => {
  seen.status = answer.status;
  seen.execution = answer.headers.get("enact-execution-id");
  seen.told = (await answer.json()).execution_id;
  await tell();
  const events = new EventSource(hub + "/v1/executions/" + seen.execution + "/stream");
  const take = event => { seen.ids.push(event.lastEventId); seen.kinds.push(event.type); tell(); };
  events.addEventListener("record", take);
  events.addEventListener("settled", take);
  events.onopen = () => { seen.opens += 1; tell(); };
  events.onerror = () => { seen.closed = events.readyState === EventSource.CLOSED; tell(); };
}).catch(error => { seen.refused = String(error); tell(); });
</script>"#;

/// A server of one page, and what the page tells.
struct Site {
    address: SocketAddr,
    told: mpsc::Receiver<Value>,
}

impl Site {
    async fn listen() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    fn serve(listener: TcpListener, hub: SocketAddr) -> Self {
        let (tell, told) = mpsc::channel(1_000);
        let (page, address) = (PAGE.replace("HUB", &format!("http://{hub}")), listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, page.clone(), tell.clone()));
            }
        });
        Self { address, told }
    }

    /// Waits until the page has seen something.
    async fn until(&mut self, is: impl Fn(&Value) -> bool) -> Value {
        let wait = async {
            loop {
                let seen = self.told.recv().await.unwrap();
                if is(&seen) {
                    return seen;
                }
            }
        };
        tokio::time::timeout(2 * LIMIT, wait).await.expect("the page sees it in time")
    }
}

/// Answers one request of the page's own site.
async fn answer(stream: TcpStream, page: String, tell: mpsc::Sender<Value>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let (mut first, mut length) = (String::new(), 0);
    stream.read_line(&mut first).await.ok()?;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        if let Some(said) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = said.trim().parse().ok()?;
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let shown = if first.starts_with("POST /seen ") {
        tell.send(serde_json::from_slice(&body).ok()?).await.ok()?;
        String::new()
    } else {
        page
    };
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\n", shown.len());
    stream.write_all(format!("{head}connection: close\r\n\r\n{shown}").as_bytes()).await.ok()
}

/// A browser without a window, ended with the test.
struct Browser {
    child: Child,
    _folder: TempDir,
}

impl Browser {
    fn open(program: &str, address: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let own = format!("--user-data-dir={}", folder.path().display());
        let mut command = Command::new(program);
        command.args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]);
        command.args(["--disable-background-networking", "--remote-debugging-port=0", &own]);
        command.arg(format!("http://{address}/")).env("HOME", folder.path());
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Self { child, _folder: folder }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn texts(seen: &Value, name: &str) -> Vec<String> {
    seen[name].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_source_of_a_page_gets_every_event_once_across_a_restart_of_the_hub() {
    let Some(program) = std::env::var("ENACT_TEST_BROWSER").ok() else {
        return skip("a browser is large: only `cargo xtask test --full` brings one");
    };
    let (known, its) = Site::listen().await;
    let (stranger, _) = Site::listen().await;
    let mut bed = Bed::with(|config| config.live.origins = vec![format!("http://{its}")]).await;
    let mut site = Site::serve(known, bed.address);
    let browser = Browser::open(&program, site.address);

    // What a page may do only after a preflight was answered, and may read only where it is told so.
    let seen = site.until(|seen| seen["refused"].is_string() || !seen["ids"].as_array().unwrap().is_empty()).await;
    assert_eq!((&seen["refused"], &seen["status"]), (&Value::Null, &202.into()), "{seen}");
    assert!(seen["execution"].is_string() && seen["execution"] == seen["told"], "{seen}");
    let execution = seen["execution"].as_str().unwrap().to_owned();

    // The hub ends while the page watches, and starts again; the browser comes back by itself.
    bed.stop().await;
    bed.start().await;
    std::fs::write(bed.gate(), "").unwrap();
    let seen = site.until(|seen| seen["closed"] == true).await;
    let records = bed.get(&format!("/v1/executions/{execution}/records?limit=1000")).await.is(200).json();
    let positions = records["items"].as_array().unwrap().iter().map(|record| record["lsn"].to_string());
    assert_eq!(texts(&seen, "ids"), positions.collect::<Vec<_>>(), "{seen}");
    assert_eq!(texts(&seen, "kinds").last().unwrap(), "settled");
    assert!(seen["opens"].as_u64().unwrap() >= 2, "it was away in between: {seen}");
    drop(browser);

    // The same page of an origin that nobody named gets nothing.
    let mut site = Site::serve(stranger, bed.address);
    let before = bed.hub().status().position;
    let _browser = Browser::open(&program, site.address);
    let seen = site.until(|seen| seen["refused"].is_string() || seen["status"].is_number()).await;
    assert!(seen["refused"].is_string() && seen["status"].is_null(), "{seen}");
    assert_eq!(bed.hub().status().position, before, "nothing was logged");
}
