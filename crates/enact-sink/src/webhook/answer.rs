//! What an answer of an endpoint means for a message, and when it wants the next one.

use std::time::{Duration, SystemTime};

use enact_runtime::sink::DeliveryResult;
use hyper::{HeaderMap, StatusCode, header};

use crate::excerpt;

/// Longest pause that an endpoint is granted.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3_600);

/// Judges an answer; `said` is the beginning of its body.
pub(super) fn judge(status: StatusCode, headers: &HeaderMap, said: &str, now: SystemTime) -> DeliveryResult {
    if status.is_success() {
        return DeliveryResult::Delivered;
    }
    let mut reason = format!("it answered {status}");
    if status.is_redirection() {
        let to = headers.get(header::LOCATION).and_then(|to| to.to_str().ok()).unwrap_or("somewhere else");
        reason.push_str(&format!(", which points to {}; redirects are not followed", excerpt(to)));
    } else if !excerpt(said).is_empty() {
        reason.push_str(&format!(": {}", excerpt(said)));
    }
    let passing = matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS);
    if status.is_client_error() && !passing {
        return DeliveryResult::Poison { reason };
    }
    DeliveryResult::Failed { reason, retry_after: retry_after(headers, now) }
}

/// Reads `Retry-After`, in seconds or as a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let pause = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
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
        judge(StatusCode::from_u16(status).unwrap(), &map, "no\nroom", now)
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
    fn the_reason_says_what_was_answered_on_one_line() {
        let DeliveryResult::Poison { reason } = judged(410, &[]) else { panic!() };
        assert_eq!(reason, "it answered 410 Gone: no room");
        let DeliveryResult::Failed { reason, .. } = judged(302, &[("location", "http://169.254.169.254/")]) else {
            panic!()
        };
        assert!(reason.ends_with("points to http://169.254.169.254/; redirects are not followed"), "{reason}");
    }
}
