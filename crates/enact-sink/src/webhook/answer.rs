//! What an answer of an endpoint means for a message, and when it wants the next one.
//!
//! The reason is logged and shown by the doctor, so it has nothing of what the endpoint wrote: many an endpoint repeats in
//! its answer what it was sent, which is the payload.

use std::time::{Duration, SystemTime};

use enact_runtime::sink::DeliveryResult;
use hyper::{HeaderMap, StatusCode, header};

/// Longest pause that an endpoint is granted.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);
/// Longest name of a host, in bytes.
const HOST_MAX: usize = 253;

/// Judges an answer by its head; its body is nobody's to repeat.
pub(super) fn judge(status: StatusCode, headers: &HeaderMap, now: SystemTime) -> DeliveryResult {
    if status.is_success() {
        return DeliveryResult::Delivered;
    }
    let mut reason = format!("it answered {status}");
    if status.is_redirection() {
        let to = headers.get(header::LOCATION).and_then(|to| to.to_str().ok()).and_then(host);
        let to = to.unwrap_or_else(|| "somewhere else".to_owned());
        reason.push_str(&format!(", which points to {to}; redirects are not followed"));
    }
    let passing = matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS);
    if status.is_client_error() && !passing {
        return DeliveryResult::Poison { reason };
    }
    DeliveryResult::Failed { reason, retry_after: retry_after(headers, now) }
}

/// Returns scheme and host of an address, without what may stand behind them.
fn host(address: &str) -> Option<String> {
    let address: hyper::Uri = address.parse().ok()?;
    let host = address.host().filter(|host| host.len() <= HOST_MAX)?;
    Some(format!("{}://{host}", address.scheme_str()?))
}

/// Reads `Retry-After`, in seconds or as a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let pause = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        // More seconds than can be counted.
        Err(_) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => RETRY_AFTER_MAX,
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default(),
    };
    Some(pause.min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, headers: &[(&'static str, &str)]) -> DeliveryResult {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        judge(StatusCode::from_u16(status).unwrap(), &map, now)
    }

    #[test]
    fn every_status_is_delivered_tried_again_or_given_up() {
        for status in 100..600 {
            let expected = match status {
                200..300 => "delivered",
                408 | 425 | 429 => "again",
                400..500 => "given up",
                _ => "again",
            };
            let found = match judged(status, &[]) {
                DeliveryResult::Delivered => "delivered",
                DeliveryResult::Failed { .. } => "again",
                DeliveryResult::Poison { .. } => "given up",
            };
            assert_eq!(found, expected, "{status}");
        }
    }

    #[test]
    fn a_pause_is_read_in_seconds_and_as_a_date_and_has_a_limit() {
        for (text, seconds) in [
            ("7", Some(7)),
            ("0", Some(0)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("999999999999", Some(3_600)),
            ("soon", None),
            ("-1", None),
        ] {
            let DeliveryResult::Failed { retry_after, .. } = judged(503, &[("retry-after", text)]) else { panic!() };
            assert_eq!(retry_after.map(|pause| pause.as_secs()), seconds, "{text}");
        }
    }

    #[test]
    fn the_reason_says_what_was_answered_and_nothing_that_the_endpoint_wrote() {
        let DeliveryResult::Poison { reason } = judged(410, &[]) else { panic!() };
        assert_eq!(reason, "it answered 410 Gone");
        let DeliveryResult::Failed { reason, .. } =
            judged(302, &[("location", "http://169.254.169.254/payload?of=somebody")])
        else {
            panic!()
        };
        assert!(reason.ends_with("points to http://169.254.169.254; redirects are not followed"), "{reason}");
    }
}
