//! What the door counts of itself: requests by route, and what is open.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use enact_runtime::metrics::{DOOR, Histogram, Sample, Samples};

use crate::route::ROUTES;
use crate::server::Door;
use crate::tls::Validity;

/// The label of a route that is none, and of a method that no route has.
const OTHER: &str = "_other";
/// Bounds of the time until an answer begins, in seconds.
const SECONDS: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// Route and method: no more of them than there are routes.
type Asked = (&'static str, &'static str);

/// What was counted.
#[derive(Default)]
pub(crate) struct Figures {
    requests: Mutex<BTreeMap<Asked, OfRoute>>,
    connections: Arc<AtomicI64>,
    streams: Arc<AtomicI64>,
}

struct OfRoute {
    by_status: BTreeMap<u16, u64>,
    seconds: Histogram,
}

/// Something that is open until this is dropped.
pub(crate) struct Open(Arc<AtomicI64>);

impl Open {
    fn one(of: &Arc<AtomicI64>) -> Self {
        of.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(of))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Figures {
    /// Counts a connection for as long as it is open.
    pub(crate) fn connection(&self) -> Open {
        Open::one(&self.connections)
    }
    /// Counts a stream for as long as it is open.
    pub(crate) fn stream(&self) -> Open {
        Open::one(&self.streams)
    }
    fn request(&self, asked: Asked, status: u16, seconds: f64) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let empty = || OfRoute { by_status: BTreeMap::new(), seconds: Histogram::new(SECONDS) };
        let of = requests.entry(asked).or_insert_with(empty);
        *of.by_status.entry(status).or_default() += 1;
        of.seconds.note(seconds);
    }
    /// Returns every figure of the door; `certificate` is the one it shows.
    pub(crate) fn gather(&self, certificate: Option<Validity>) -> Vec<Sample> {
        let mut samples = Samples::of(DOOR);
        for ((route, method), of) in &*self.requests.lock().unwrap_or_else(PoisonError::into_inner) {
            for (status, count) in &of.by_status {
                samples.put("enact_http_requests_total", &[route, method, &status.to_string()], *count as f64);
            }
            samples.histogram("enact_http_request_seconds", &[route, method], &of.seconds);
        }
        samples.put("enact_http_connections", &[], self.connections.load(Ordering::Relaxed) as f64);
        samples.put("enact_http_streams", &[], self.streams.load(Ordering::Relaxed) as f64);
        if let Some(ends) = certificate.and_then(|held| held.until.duration_since(SystemTime::UNIX_EPOCH).ok()) {
            samples.put("enact_http_certificate_expires_timestamp_seconds", &[], ends.as_secs_f64());
        }
        samples.sorted()
    }
}

/// Counts a request once its answer begins.
pub(crate) async fn note(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let asked = asked(request.extensions().get::<MatchedPath>(), request.method());
    let response = next.run(request).await;
    door.figures.request(asked, response.status().as_u16(), begun.elapsed().as_secs_f64());
    response
}

/// Finds route and method in the list of routes, so that a label is never what a caller has written.
fn asked(matched: Option<&MatchedPath>, method: &Method) -> Asked {
    let path = matched.map_or("", |matched| matched.as_str());
    let of_path = || ROUTES.iter().filter(|route| route.path == path);
    let route = of_path().next().map_or(OTHER, |route| route.path);
    (route, of_path().find(|route| route.method == method.as_str()).map_or(OTHER, |route| route.method))
}
