//! Connections that ask for nothing: each is closed in its time, and others get in.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2::SendRequest;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::bed::{Bed, LIMIT};
use crate::{http, tls};

/// What is said before the silence: nothing, less than a preface of HTTP/2, one without and with its settings, and less than the
/// head of a request.
const SAID: [&[u8]; 6] = [
    b"",
    b"P",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
    b"POST /v1/int",
];

/// As many as there may be connections.
fn few(config: &mut enact_server::Config) {
    config.connections = SAID.len();
    config.hello_limit = Duration::from_secs(1);
}

async fn is_closed(mut stream: impl AsyncRead + Unpin, said: &[u8]) {
    // What the server says first, such as its settings, may come; and then the end.
    let end = tokio::time::timeout(LIMIT, stream.read_to_end(&mut Vec::new())).await;
    assert!(end.is_ok(), "after {:?} it stays open", String::from_utf8_lossy(said));
}

async fn say<S: AsyncWrite + Unpin>(mut stream: S, said: &[u8]) -> S {
    stream.write_all(said).await.unwrap();
    stream.flush().await.unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_nothing_or_not_enough_is_closed_and_others_get_in() {
    let bed = Bed::with(few).await;
    let mut silent = Vec::new();
    for said in SAID {
        silent.push((say(TcpStream::connect(bed.address).await.unwrap(), said).await, said));
    }
    tokio::time::timeout(LIMIT, bed.get("/healthz")).await.expect("there is room").is(200);
    for (stream, said) in silent {
        is_closed(stream, said).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_nothing_over_tls_is_closed_and_others_get_in() {
    let folder = tempfile::tempdir().unwrap();
    let trusted = tls::write(folder.path());
    let bed = Bed::with(|config| {
        few(config);
        config.tls = Some(tls::files(folder.path()));
    })
    .await;
    let mut silent = Vec::new();
    for said in SAID {
        silent.push((say(tls::connect(bed.address.port(), &trusted).await.unwrap(), said).await, said));
    }
    let answer = tokio::time::timeout(LIMIT, tls::ask(bed.address.port(), &trusted)).await.expect("there is room");
    assert!(answer.unwrap().starts_with("HTTP/1.1 200"));
    for (stream, said) in silent {
        is_closed(stream, said).await;
    }
}

/// A connection of HTTP/2 that answers pings by itself, and its first answer.
struct Kept {
    _sender: SendRequest<Full<Bytes>>,
    ended: JoinHandle<hyper::Result<()>>,
    answer: Response<Incoming>,
}

impl Kept {
    async fn ask(address: SocketAddr, path: &str) -> Self {
        let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
        let ended = tokio::spawn(connection);
        let request = Request::get(format!("http://{address}{path}")).body(Full::default()).unwrap();
        let answer = sender.send_request(request).await.unwrap();
        Self { _sender: sender, ended, answer }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_of_http2_with_nothing_open_is_closed_and_one_with_a_stream_goes_on() {
    let bed = Bed::with(|config| {
        config.connections = 2;
        config.idle_limit = Duration::from_millis(200);
    })
    .await;
    let execution = bed.begin("text.words.gate", json!({})).await;
    let watching = Kept::ask(bed.address, &format!("/v1/executions/{execution}/stream")).await;
    let idle = Kept::ask(bed.address, "/healthz").await;
    http::whole(idle.answer).await.is(200);
    let _ = tokio::time::timeout(LIMIT, idle.ended).await.expect("it is closed");
    // The other one is older, and nothing has come over it for as long.
    std::fs::write(bed.gate(), "").unwrap();
    let events = http::whole(watching.answer).await.is(200);
    assert!(String::from_utf8_lossy(&events.body).contains("event: settled"), "{:?}", events.body);
    let _ = tokio::time::timeout(LIMIT, watching.ended).await.expect("now it is closed, too");
}

/// On one thread, so that nothing of the hub goes on while the test keeps it.
#[tokio::test]
async fn a_hub_that_is_late_itself_takes_nobody_for_silent() {
    let limit = Duration::from_millis(50);
    let bed = Bed::with(|config| config.hello_limit = limit).await;
    for _ in 0..16 {
        let mut stream = std::net::TcpStream::connect(bed.address).unwrap();
        // Who came later is answered, so this one is waited for by now.
        bed.get("/healthz").await.is(200);
        let said = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        std::io::Write::write_all(&mut stream, said).unwrap();
        let begun = std::time::Instant::now();
        while begun.elapsed() < 2 * limit {
            std::hint::spin_loop();
        }
        stream.set_nonblocking(true).unwrap();
        let mut answer = String::new();
        let read = TcpStream::from_std(stream).unwrap().read_to_string(&mut answer).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{read:?}: {answer:?}");
    }
}
