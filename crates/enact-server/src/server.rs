//! The listening side: takes connections within a limit, and ends with the hub.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use enact_runtime::hub::Hub;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::access::{Oidc, Rate, Tokens};
use crate::connection::{Limits, serve};
use crate::figures::Figures;
use crate::problem::Problem;
use crate::tls::{Tls, TlsError};
use crate::turn::Turns;
use crate::{Config, Live, route};

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
    pub turns: Turns,
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
            turns: Turns::default(),
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
                        let _ = serve(stream, peer, tls, limits, router, watcher).await;
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
