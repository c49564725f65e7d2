//! Clients that ask for much and take nothing: they hold no thread, and are let go.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2::SendRequest;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::bed::{Bed, LIMIT};
use crate::http::Ask;

/// Threads that may block, and readers of whom each held one.
const BLOCKING: usize = 6;
const READERS: usize = 2 * BLOCKING;
/// More than the buffers of the system take in.
const SIZE: usize = 16 * 1024 * 1024;

/// Runs with few threads that may block.
fn narrow(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(BLOCKING)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async { tokio::time::timeout(2 * LIMIT, test).await.expect("nobody is kept waiting") });
}

/// Puts an artifact and returns its path.
async fn put(bed: &Bed) -> String {
    let bytes: Vec<u8> = (0..SIZE).map(|n| (n % 251) as u8).collect();
    let answer = bed.ask(Ask::new("POST", "/v1/artifacts?name=a.bin").raw("application/x-test", bytes)).await;
    format!("/v1/artifacts/{}", answer.is(201).json()["digest"].as_str().unwrap())
}

/// Asks over HTTP/1.1 and takes no more than the first byte.
async fn begin(address: SocketAddr, path: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n").as_bytes()).await.unwrap();
    stream.peek(&mut [0]).await.unwrap();
    stream
}

/// A connection of HTTP/2 whose streams take no byte of a body.
async fn shut(address: SocketAddr) -> SendRequest<Full<Bytes>> {
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let mut builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    let (sender, connection) = builder.initial_stream_window_size(0).handshake(stream).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn ask(sender: &mut SendRequest<Full<Bytes>>, address: SocketAddr, path: &str) -> Response<Incoming> {
    let request = Request::get(format!("http://{address}{path}")).body(Full::default()).unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), 200);
    response
}

/// Others ask, and are answered.
async fn others(bed: &Bed) {
    bed.get("/v1/executions").await.is(200);
    assert_eq!(bed.run("text.words.echo", json!({ "n": 1 })).await["output"]["n"], 1);
    bed.get("/metrics").await.is(200);
}

#[test]
fn more_slow_readers_than_threads_keep_nobody_out() {
    narrow(async {
        let bed = Bed::open().await;
        let path = put(&bed).await;
        let mut slow = Vec::new();
        for _ in 0..READERS {
            slow.push(begin(bed.address, &path).await);
        }
        others(&bed).await;
        // Who takes them after all gets every byte.
        let mut whole = Vec::new();
        let mut first = slow.remove(0);
        while whole.len() < SIZE {
            assert_ne!(first.read_buf(&mut whole).await.unwrap(), 0);
        }
    });
}

#[test]
fn a_connection_of_streams_that_take_nothing_keeps_nobody_out() {
    narrow(async {
        let bed = Bed::open().await;
        let path = put(&bed).await;
        let mut sender = shut(bed.address).await;
        let mut slow = Vec::new();
        for _ in 0..READERS {
            slow.push(ask(&mut sender, bed.address, &path).await);
        }
        others(&bed).await;
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_nothing_is_let_go() {
    let bed = Bed::with(|config| {
        config.connections = 1;
        config.stall_limit = Duration::from_millis(100);
    })
    .await;
    let path = put(&bed).await;
    let mut slow = begin(bed.address, &path).await;
    // There is room for another only once it has gone.
    tokio::time::timeout(LIMIT, bed.get("/healthz")).await.expect("there is room").is(200);
    let mut taken = Vec::new();
    let _ = tokio::time::timeout(LIMIT, slow.read_to_end(&mut taken)).await.expect("it is closed");
    assert!(taken.len() < SIZE, "{} bytes came", taken.len());
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_takes_nothing_keeps_no_file_open() {
    let bed = Bed::with(|config| config.stall_limit = Duration::from_millis(100)).await;
    let path = put(&bed).await;
    let artifacts = bed.store().join("artifacts");
    let open = || {
        let all = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
        all.filter(|fd| std::fs::read_link(fd.path()).is_ok_and(|file| file.starts_with(&artifacts))).count()
    };
    let before = open();
    let mut sender = shut(bed.address).await;
    let slow = ask(&mut sender, bed.address, &path).await;
    let begun = Instant::now();
    while open() > before {
        assert!(begun.elapsed() < LIMIT, "the file is open");
        tokio::task::yield_now().await;
    }
    // The connection is as good as before, for what is not slow.
    let health = ask(&mut sender, bed.address, "/healthz").await;
    drop((health, slow));
    assert_eq!(bed.get(&path).await.is(200).body.len(), SIZE);
    let taken = Ask::new("GET", &path).over_http2(bed.address).await.is(200);
    assert_eq!(taken.body.len(), SIZE);
}
