//! Connections that ask for nothing: each is closed in its time, and others get in.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::bed::{Bed, LIMIT};
use crate::tls;

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
