//! One connection: its handshake, the limits of HTTP, and its end when it asks for nothing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use http_body_util::BodyExt as _;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::Watcher;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::access::Peer;
use crate::line::Line;

/// How often a quiet connection of HTTP/2 is asked whether it is there.
const PING_INTERVAL: Duration = Duration::from_secs(30);
/// Most headers of one request.
const HEADERS_MAX: usize = 100;
/// Most bytes of the headers of one request.
const HEADERS_MAX_BYTES: usize = 64 * 1024;
/// Most streams of one connection of HTTP/2.
const STREAMS_MAX: u32 = 256;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What a connection is given, as [`Config`](crate::Config) says it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub hello: Duration,
    pub stall: Duration,
    pub idle: Duration,
}

/// Answers what comes over a connection until it ends.
pub(crate) async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<tokio_rustls::TlsAcceptor>,
    limits: Limits,
    router: Router,
    watcher: Watcher,
) -> Result<(), Failure> {
    // Answers are small and wanted at once.
    stream.set_nodelay(true)?;
    let stream = Line::new(stream, limits.stall);
    match tls {
        None => talk(stream, peer, limits, router, watcher).await,
        Some(tls) => {
            let stream = tokio::time::timeout(limits.hello, tls.accept(stream)).await??;
            talk(stream, peer, limits, router, watcher).await
        }
    }
}

async fn talk<S>(stream: S, peer: SocketAddr, limits: Limits, router: Router, watcher: Watcher) -> Result<(), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.hello)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEADERS_MAX_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADERS_MAX_BYTES as u32)
        .keep_alive_interval(Some(PING_INTERVAL))
        .keep_alive_timeout(limits.hello);
    let requests = Arc::new(Requests::default());
    let of_service = Arc::clone(&requests);
    // The router is shared as it is: a layer of its own for each connection would be a copy of every route.
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        let open = of_service.open();
        request.extensions_mut().insert(Peer(peer));
        let answer = router.call(request);
        // It is open until its answer is sent: whoever drops the body drops this.
        let sent = move |error| {
            let _open = &open;
            error
        };
        async move { answer.await.map(|answer| answer.map(|body| body.map_err(sent))) }
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
    tokio::select! {
        // A hub that is late itself reads what has come before it calls anybody silent.
        biased;
        done = watcher.watch(connection) => done,
        () = requests.silence(limits) => Err("no request came".into()),
    }
}

/// The requests of a connection that are open. The limits of hyper begin once it knows which HTTP is spoken, and HTTP/2 has none for
/// a connection that asks for nothing and answers its pings.
#[derive(Default)]
struct Requests {
    open: AtomicUsize,
    /// One begins or ends.
    changed: Notify,
}

/// A request until it is answered whole.
struct OpenRequest(Arc<Requests>);

impl Requests {
    fn open(self: &Arc<Self>) -> OpenRequest {
        self.open.fetch_add(1, Ordering::Relaxed);
        self.changed.notify_one();
        OpenRequest(Arc::clone(self))
    }

    /// Ends when the first request does not come in time, and when none has been open for too long.
    async fn silence(&self, limits: Limits) {
        let mut limit = limits.hello;
        while tokio::time::timeout(limit, self.changed.notified()).await.is_ok()
            || self.open.load(Ordering::Relaxed) > 0
        {
            limit = limits.idle;
        }
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
        self.0.changed.notify_one();
    }
}
