//! Keeps pages of other origins out, and lets those of `http.origins` in by CORS: a hub on loopback is reached by every browser
//! of its machine, and by every name that somebody lets point there.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use enact_engine::conclude as code;

use crate::problem::Problem;
use crate::server::Door;

/// What a page of another origin may send.
const METHODS: &str = "GET, POST, PUT, PATCH, DELETE";
/// The headers that it may send, each of which some route reads.
const SENT: &str = "authorization, content-type, content-encoding, idempotency-key, if-match, if-none-match, if-range, \
                    last-event-id, prefer, range, traceparent, tracestate";
/// The headers of an answer that it may read beside those that every page may.
const READ: &str = "accept-ranges, content-disposition, content-encoding, content-range, enact-execution-id, enact-intent-id, \
                    etag, location, retry-after, www-authenticate";
/// How long a browser may keep what it was told of a route, in seconds: an origin that is taken out of the configuration is
/// refused at once all the same, by the request itself.
const KEPT_SECONDS: &str = "600";

/// Whose page asks, if one does.
enum Page {
    /// No page of another origin: a program, or a page of this hub's own.
    Own,
    /// A page of an origin of the configuration.
    Known(HeaderValue),
}

/// Lets a request pass if its host and its origin may, and tells a browser so.
pub(crate) async fn guard(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    let listed = !door.live.borrow().origins.is_empty();
    let mut response = match check(&door, &request) {
        Ok(Page::Own) => next.run(request).await,
        Ok(Page::Known(origin)) => {
            let asks = request.method() == Method::OPTIONS
                && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
            let mut response = if asks { preflight(&request) } else { next.run(request).await };
            let headers = response.headers_mut();
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            if !asks {
                headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(READ));
            }
            response
        }
        Err(problem) => problem.into_response(),
    };
    if listed {
        // What is kept for one origin is not for another.
        response.headers_mut().append(header::VARY, HeaderValue::from_static("origin"));
    }
    response
}

/// Answers what a browser asks before it sends a request; no route is asked, and no credentials come with it.
fn preflight(request: &Request) -> Response {
    let mut answer = vec![
        (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, SENT),
        (header::ACCESS_CONTROL_MAX_AGE, KEPT_SECONDS),
        (header::VARY, "access-control-request-method, access-control-request-headers"),
    ];
    // A page of the network that asks for this machine is let in by browsers only where it is said.
    let private = HeaderName::from_static("access-control-request-private-network");
    if request.headers().contains_key(&private) {
        answer.push((HeaderName::from_static("access-control-allow-private-network"), "true"));
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    for (name, value) in answer {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn check(door: &Door, request: &Request) -> Result<Page, Problem> {
    let mut named = request.headers().get_all(header::HOST).iter();
    if let Some(first) = named.next()
        && named.any(|other| other != first)
    {
        // Who stands between may have read the other one.
        return Err(Problem::new(code::REQUEST_MALFORMED, "there are two headers Host that differ"));
    }
    let live = door.live.borrow();
    let authority = request.uri().authority().map(|authority| authority.as_str().to_owned());
    let host = authority.or_else(|| text(request.headers(), header::HOST.as_str())).unwrap_or_default();
    let name = name_of(&host);
    let known = live.hosts.iter().any(|known| known.eq_ignore_ascii_case(name));
    let of_loopback = is_loopback(name);
    let passes =
        if door.config.listen.ip().is_loopback() { known || of_loopback } else { known || live.hosts.is_empty() };
    if !passes {
        let problem = Problem::new(code::ACCESS_DENIED, format!("the host {host:?} is not a name of this hub"));
        return Err(problem.hint("ask for 127.0.0.1 or localhost, or add the name to `http.hosts`"));
    }
    let Some(origin) = text(request.headers(), header::ORIGIN.as_str()) else {
        // A browser that sends no origin says so by this.
        return match text(request.headers(), "sec-fetch-site").as_deref() {
            Some("cross-site") if !request.method().is_safe() => Err(foreign("another site")),
            _ => Ok(Page::Own),
        };
    };
    let scheme = if door.config.tls.is_some() { "https" } else { "http" };
    let own = format!("{scheme}://{host}");
    if origin.eq_ignore_ascii_case(&own) {
        return Ok(Page::Own);
    }
    match request.headers().get(header::ORIGIN) {
        Some(value) if live.origins.iter().any(|known| known.eq_ignore_ascii_case(&origin)) => {
            Ok(Page::Known(value.clone()))
        }
        _ => Err(foreign(&origin)),
    }
}

/// Returns whether a name, without a port, is this machine's for itself.
pub(crate) fn is_loopback(name: &str) -> bool {
    matches!(name.to_ascii_lowercase().as_str(), "localhost" | "127.0.0.1" | "[::1]")
}

fn foreign(origin: &str) -> Problem {
    let problem = Problem::new(code::ACCESS_DENIED, format!("a page of {origin:?} may not ask this hub"));
    problem.hint("add the origin to `http.origins` if it should")
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// Takes the port off a host.
fn name_of(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::name_of;

    #[test]
    fn a_port_is_no_part_of_a_name() {
        for (host, name) in [("a:80", "a"), ("a", "a"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]"), ("", "")] {
            assert_eq!(name_of(host), name);
        }
    }
}
