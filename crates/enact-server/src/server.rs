//! The listening side: takes connections within a limit, gives each its time for handshake and headers, and ends with the hub.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use enact_runtime::hub::Hub;
use http_body_util::BodyExt as _;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;

use crate::access::{Oidc, Peer, Rate, Tokens};
use crate::figures::Figures;
use crate::line::Line;
use crate::problem::Problem;
use crate::tls::{Tls, TlsError};
use crate::{Config, Live, route};

/// How often a quiet connection of HTTP/2 is asked whether it is there.
const PING_INTERVAL: Duration = Duration::from_secs(30);
/// Most headers of one request.
const HEADERS_MAX: usize = 100;
/// Most bytes of the headers of one request.
const HEADERS_MAX_BYTES: usize = 64 * 1024;
/// Most streams of one connection of HTTP/2.
const STREAMS_MAX: u32 = 256;
/// How long answers that are on their way may take when the hub ends.
const LEAVE_LIMIT: Duration = Duration::from_secs(2);

/// What every route needs.
pub(crate) struct Door {
    pub hub: Arc<Hub>,
    pub config: Config,
    /// What may change; in `config` it is what it was at the start.
    pub live: watch::Receiver<Live>,
    pub tokens: Tokens,
    pub rate: Rate,
    /// Whose signed tokens hold beside those of the hub.
    pub oidc: Option<Oidc>,
    pub figures: Arc<Figures>,
    pub tls: Option<Arc<Tls>>,
    /// True once the door closes: what streams ends then.
    pub end: watch::Receiver<bool>,
}

impl Door {
    /// Takes one question out of what a caller may ask in a second.
    pub fn take_rate(&self, caller: &str) -> Result<(), Problem> {
        let per_second = self.live.borrow().requests_per_second;
        self.rate.take(caller, per_second)
    }
}

/// Why a door could not be opened.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum BindError {
    /// The address is taken, or not this machine's.
    #[error("failed to listen on {address}: {source}")]
    Listen { address: SocketAddr, source: io::Error },
    /// A certificate or key that cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// A bound door.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    config: Config,
    tls: Option<Arc<Tls>>,
    live: watch::Sender<Live>,
}

impl Server {
    /// Binds the address; nothing is answered yet.
    ///
    /// # Errors
    /// An address that is taken, a certificate that cannot be used.
    pub async fn bind(config: Config) -> Result<Self, BindError> {
        let tls = config.tls.clone().map(Tls::open).transpose()?.map(Arc::new);
        let address = config.listen;
        let listen = |source| BindError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let live = watch::Sender::new(config.live.clone());
        Ok(Self { listener, address, config, tls, live })
    }

    /// Returns where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns where it is reached, such as `http://127.0.0.1:7400`.
    pub fn url(&self) -> String {
        format!("{}://{}", if self.tls.is_some() { "https" } else { "http" }, self.address)
    }

    /// Returns what changes the values that may change while it serves.
    pub fn live(&self) -> watch::Sender<Live> {
        self.live.clone()
    }

    /// Serves until `end` is true, then waits a moment for answers that are on their way.
    pub async fn serve(self, hub: Arc<Hub>, mut end: watch::Receiver<bool>) {
        let Self { listener, config, tls, address, live } = self;
        if let Some(name) = config.trusts_its_proxy() {
            tracing::warn!(
                name,
                "`http.hosts` has a name that is not loopback's while callers without credentials are taken: behind a proxy on \
                 this machine everybody is such a caller; set `http.anonymous: none`"
            );
        }
        let slots = Arc::new(Semaphore::new(config.connections));
        let figures = Arc::new(Figures::default());
        let door = Arc::new(Door {
            hub,
            tokens: Tokens::at(&config.tokens),
            rate: Rate::default(),
            live: live.subscribe(),
            oidc: config.oidc.clone().map(Oidc::new),
            figures: Arc::clone(&figures),
            tls: tls.clone(),
            config: Config { listen: address, ..config },
            end: end.clone(),
        });
        let Config { hello_limit, stall_limit, idle_limit, .. } = door.config;
        let limits = Limits { hello: hello_limit, stall: stall_limit, idle: idle_limit };
        let router = route::router(door);
        let graceful = GracefulShutdown::new();
        let certificate = tls.clone();
        let mut watching = JoinSet::new();
        watching.spawn(async move {
            if let Some(certificate) = certificate {
                certificate.watch().await;
            }
        });
        loop {
            // A connection beyond the limit waits in the system's queue.
            let slot = tokio::select! {
                slot = Arc::clone(&slots).acquire_owned() => slot,
                () = ended(&mut end) => break,
            };
            let Ok(slot) = slot else { break };
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = ended(&mut end) => break,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let (router, watcher) = (router.clone(), graceful.watcher());
                    let tls = tls.as_ref().map(|tls| tls.acceptor());
                    let open = figures.connection();
                    tokio::spawn(async move {
                        // A caller that goes away is no news.
                        let _ = connection(stream, peer, tls, limits, router, watcher).await;
                        drop((slot, open));
                    });
                }
                Err(error) => {
                    // Out of descriptors, most likely: others must be closed first.
                    tracing::warn!(%error, "failed to take a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        drop(listener);
        let _ = tokio::time::timeout(LEAVE_LIMIT, graceful.shutdown()).await;
    }
}

/// Waits until the door is to close; also if nobody is left to say so.
pub(crate) async fn ended(end: &mut watch::Receiver<bool>) {
    while !*end.borrow_and_update() {
        if end.changed().await.is_err() {
            return;
        }
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Watcher = hyper_util::server::graceful::Watcher;

/// What a connection is given, as [`Config`] says it.
#[derive(Debug, Clone, Copy)]
struct Limits {
    hello: Duration,
    stall: Duration,
    idle: Duration,
}

async fn connection(
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
