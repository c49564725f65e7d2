//! Bodies that come too slowly, and those that are larger than they may be: each is answered, and leaves nothing behind.

use std::convert::Infallible;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use enact_engine::conclude::REQUEST_TOO_SLOW;
use enact_runtime::api::Role;
use hyper::body::{Body, Bytes, Frame};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::bed::{Bed, LIMIT};
use crate::http::{Ask, bytes, whole};

const MIB: usize = 1 << 20;

/// Every route that takes a body of its own kind.
const TAKING: [(&str, &str); 4] = [
    ("/v1/intents", "application/json"),
    ("/v1/artifacts?name=a", "text/plain"),
    ("/v1/components", "application/x-tar"),
    ("/v1/solutions", "application/yaml"),
];

fn head(bed: &Bed, admin: &str, (path, kind): (&str, &str), more: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {admin}\r\ncontent-type: {kind}\r\nconnection: close\r\n{more}\r\n",
        bed.address
    )
}

/// The files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_a_body_and_stops_is_answered_and_let_go() {
    let bed = Bed::with(|config| {
        config.body_limit = Duration::from_millis(100);
        config.connections = 1;
    })
    .await;
    let admin = bed.token("default", Role::Admin);
    let before = (bed.hub().status().position, files(&bed.store().join("artifacts")));
    for taking in TAKING {
        for length in ["content-length: 1000\r\n", "transfer-encoding: chunked\r\n"] {
            // The rest never comes, and the next connection is taken only once this one has gone.
            let said = head(&bed, &admin, taking, length) + "5\r\n{    \r\n";
            let answer = tokio::time::timeout(LIMIT, bytes(bed.address, said.as_bytes())).await.expect("it is closed");
            assert!(answer.starts_with("HTTP/1.1 408 "), "{taking:?}: {answer}");
            assert!(answer.contains("application/problem+json") && answer.contains("0.1 s"), "{taking:?}: {answer}");
        }
    }
    assert_eq!((bed.hub().status().position, files(&bed.store().join("artifacts"))), before);
    bed.get("/healthz").await.is(200);
}

/// A body of which something comes, or nothing ever does.
enum Sent {
    Nothing,
    Never,
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Infallible;
    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match *self {
            Self::Nothing => Poll::Ready(None),
            Self::Never => Poll::Pending,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_whose_body_does_not_come_ends_and_its_connection_goes_on() {
    let bed = Bed::with(|config| config.body_limit = Duration::from_millis(100)).await;
    let admin = bed.token("default", Role::Admin);
    let stream = TokioIo::new(TcpStream::connect(bed.address).await.unwrap());
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    let mut ask = async |method: &str, path: &str, kind: &str, body: Sent| {
        let request = hyper::Request::builder().method(method).uri(format!("http://{}{path}", bed.address));
        let request = request.header("authorization", format!("Bearer {admin}")).header("content-type", kind);
        whole(sender.send_request(request.body(body).unwrap()).await.unwrap()).await
    };
    for (path, kind) in TAKING {
        // Nothing is wrong with what was asked: it is the network's, and may be sent again.
        let answer = ask("POST", path, kind, Sent::Never).await.is(408).json();
        assert_eq!((&answer["code"], &answer["disposition"]), (&json!(REQUEST_TOO_SLOW), &json!("retry-now")));
    }
    ask("GET", "/healthz", "text/plain", Sent::Nothing).await.is(200);
}

/// The beginning of a file of gzip that unpacks to so many bytes and then goes on.
fn bomb(size: usize) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let zeros = vec![0; MIB];
    for _ in 0..size / MIB {
        packed.write_all(&zeros).unwrap();
    }
    packed.flush().unwrap();
    packed.get_ref().clone()
}

/// Sends a chunk of a body that never ends, and returns the answer that comes all the same.
async fn endless(bed: &Bed, head: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(bed.address).await.unwrap();
    let said = [head.as_bytes(), format!("{:x}\r\n", body.len()).as_bytes(), body, b"\r\n"].concat();
    // The other side may have closed before it has read all of it.
    let _ = stream.write_all(&said).await;
    let mut answer = Vec::new();
    let end = stream.read_to_end(&mut answer);
    let _ = tokio::time::timeout(LIMIT, end).await.expect("it is answered before it ends");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_too_large_packed_or_not_is_cut_where_it_is_and_leaves_no_file() {
    let bed =
        Bed::with_hub(|hub| hub.artifact_max_bytes = MIB as u64, |config| config.package_max_bytes = MIB as u64).await;
    let admin = bed.token("default", Role::Admin);
    let before = files(&bed.store().join("artifacts"));
    let (bomb, plain) = (bomb(64 * MIB), vec![0; 5 * MIB]);
    assert!(bomb.len() < MIB / 8, "{}", bomb.len());
    for taking in &TAKING[1..] {
        let most = if taking.0 == "/v1/solutions" { "4 MiB" } else { "1 MiB" };
        for (more, body) in [("content-encoding: gzip\r\n", &bomb), ("", &plain)] {
            let head = head(&bed, &admin, *taking, &format!("{more}transfer-encoding: chunked\r\n"));
            let answer = endless(&bed, &head, body).await;
            assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains(most), "{taking:?} {more:?}: {answer}");
        }
        // One that says it is larger is not read at all.
        let head = head(&bed, &admin, *taking, "content-length: 99999999999\r\n");
        let answer = bytes(bed.address, head.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains(most), "{taking:?}: {answer}");
    }
    assert_eq!(files(&bed.store().join("artifacts")), before);
    // What is as large as it may be is taken.
    let most = Ask::new("POST", "/v1/artifacts?name=most").raw("text/plain", vec![7; MIB]).token(&admin);
    assert_eq!(bed.ask(most).await.is(201).json()["size"], MIB);
    let more = Ask::new("POST", "/v1/artifacts?name=more").raw("text/plain", vec![7; MIB + 1]).token(&admin);
    bed.ask(more).await.is(413);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_that_unpacks_to_too_much_is_refused_by_its_sizes_alone() {
    let bed = Bed::with(|config| config.package_max_bytes = MIB as u64).await;
    let admin = bed.token("default", Role::Admin);
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_path("big.bin").unwrap();
    header.set_mode(0o644);
    // It says so, and nothing of it comes.
    header.set_size(1 << 40);
    header.set_cksum();
    tar.append(&header, std::io::empty()).unwrap();
    let ask = Ask::new("POST", "/v1/components").raw("application/x-tar", tar.into_inner().unwrap()).token(&admin);
    let refused = bed.ask(ask).await.is(413);
    assert!(refused.text().contains("larger than 1 MiB"), "{}", refused.text());
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn the_folder_of_a_package_that_was_refused_is_gone() {
    let bed = Bed::with(|config| config.package_max_bytes = MIB as u64).await;
    let admin = bed.token("default", Role::Admin);
    let mut stream = TcpStream::connect(bed.address).await.unwrap();
    let head = head(&bed, &admin, TAKING[2], "transfer-encoding: chunked\r\n");
    let chunk = |size: usize| [format!("{size:x}\r\n").as_bytes(), &vec![0; size], b"\r\n"].concat();
    stream.write_all(&[head.into_bytes(), chunk(MIB)].concat()).await.unwrap();
    // This process has the file open while it comes.
    let open = || {
        let all = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
        let mut files = all.filter_map(|fd| std::fs::read_link(fd.path()).ok());
        files.find(|file| file.ends_with("package.tar"))
    };
    let begun = Instant::now();
    let file = loop {
        if let Some(file) = open() {
            break file;
        }
        assert!(begun.elapsed() < LIMIT, "no file is written");
        tokio::task::yield_now().await;
    };
    assert!(file.exists());
    let _ = stream.write_all(&chunk(1)).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.starts_with(b"HTTP/1.1 413 "), "{}", String::from_utf8_lossy(&answer));
    assert!(!file.parent().unwrap().exists() && open().is_none());
}
