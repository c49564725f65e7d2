//! Keeps pages of other origins out: a hub on loopback is reached by every browser of its machine, and by every name that
//! somebody lets point there.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use enact_engine::conclude as code;

use crate::problem::Problem;
use crate::server::Door;

/// Lets a request pass if its host and its origin may.
pub(crate) async fn guard(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    match check(&door, &request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

fn check(door: &Door, request: &Request) -> Result<(), Problem> {
    let live = door.live.borrow();
    let authority = request.uri().authority().map(|authority| authority.as_str().to_owned());
    let host = authority.or_else(|| text(request.headers(), header::HOST.as_str())).unwrap_or_default();
    let name = name_of(&host);
    let known = live.hosts.iter().any(|known| known.eq_ignore_ascii_case(name));
    let of_loopback = matches!(name.to_ascii_lowercase().as_str(), "localhost" | "127.0.0.1" | "[::1]");
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
            _ => Ok(()),
        };
    };
    let scheme = if door.config.tls.is_some() { "https" } else { "http" };
    let own = format!("{scheme}://{host}");
    if origin.eq_ignore_ascii_case(&own) || live.origins.iter().any(|known| known.eq_ignore_ascii_case(&origin)) {
        return Ok(());
    }
    Err(foreign(&origin))
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
