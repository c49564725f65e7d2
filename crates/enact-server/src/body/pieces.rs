//! An upload, piece by piece as it comes: no larger than it may be, and never slower than a pace.

use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody as _};
use enact_engine::conclude as code;
use tokio::time::Instant;

use super::unread;
use crate::problem::Problem;

/// What every minute in which the hub waits for an upload must bring, in bytes, unpacked.
const PACE_MIN_BYTES: u64 = 32 * 1024;
/// The minute.
const PACE_TIME: Duration = Duration::from_secs(60);

/// The pieces of a body.
///
/// # Limits
/// A piece that does not come for `gap` ends it, and so does a minute that brings less than 32 KiB: who sends a byte now and then
/// would hold a connection and a file for years. Only the time counts in which the hub waits, not that in which it writes.
pub(crate) struct Pieces {
    body: Body,
    most: u64,
    gap: Duration,
    came: u64,
    pace: Pace,
}

/// What came in the present minute of waiting.
#[derive(Default)]
struct Pace {
    waited: Duration,
    came: u64,
}

impl Pieces {
    /// Begins to read a body of at most `most` bytes, unpacked; one that says it is larger is not read at all.
    pub(crate) fn of(body: Body, most: u64, gap: Duration) -> Result<Self, Problem> {
        if body.size_hint().lower() > most {
            return Err(too_large(most));
        }
        Ok(Self { body, most, gap, came: 0, pace: Pace::default() })
    }

    /// Returns the next one; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        loop {
            let began = Instant::now();
            let next = std::future::poll_fn(|context| Pin::new(&mut self.body).poll_frame(context));
            let frame = tokio::time::timeout(self.gap, next)
                .await
                .map_err(|_| slow(format!("nothing more of the body came for {}", told(self.gap))))?;
            let bytes = match frame {
                None => return Ok(None),
                Some(Err(error)) => return Err(unread(&error)),
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            };
            self.came += bytes.len() as u64;
            if self.came > self.most {
                return Err(too_large(self.most));
            }
            self.pace.note(began.elapsed(), bytes.len() as u64)?;
            if !bytes.is_empty() {
                return Ok(Some(bytes));
            }
        }
    }
}

impl Pace {
    fn note(&mut self, waited: Duration, came: u64) -> Result<(), Problem> {
        self.waited += waited;
        self.came += came;
        if self.waited < PACE_TIME {
            return Ok(());
        }
        let (waited, came) = (self.waited, self.came);
        *self = Self::default();
        if came < PACE_MIN_BYTES {
            let least = PACE_MIN_BYTES >> 10;
            return Err(slow(format!(
                "the body comes too slowly: {came} bytes in {}, and a minute must bring {least} KiB",
                told(waited)
            )));
        }
        Ok(())
    }
}

/// Says how long something took, in seconds.
pub(super) fn told(time: Duration) -> String {
    if time.subsec_millis() == 0 { format!("{} s", time.as_secs()) } else { format!("{:.1} s", time.as_secs_f64()) }
}

pub(super) fn slow(text: String) -> Problem {
    let problem = Problem::new(code::REQUEST_TOO_SLOW, text);
    problem
        .hint("nothing was kept of it; send it again over a faster connection, or packed with `Content-Encoding: gzip`")
}

fn too_large(most: u64) -> Problem {
    Problem::new(code::BODY_TOO_LARGE, format!("the body is larger than {} MiB, unpacked", most >> 20))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::task::{Context, Poll};

    use axum::http::StatusCode;
    use axum::response::IntoResponse as _;
    use tokio::sync::mpsc;

    use super::*;

    const GAP: Duration = Duration::from_secs(30);

    /// A body that a test sends.
    struct Sent(mpsc::Receiver<Bytes>);

    impl futures_core::Stream for Sent {
        type Item = Result<Bytes, Infallible>;
        fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            self.0.poll_recv(context).map(|bytes| bytes.map(Ok))
        }
    }

    /// A body of pieces of so many bytes, one in each `every`, that ends after so many of them.
    fn sent(bytes: usize, every: Duration, pieces: usize, most: u64) -> Pieces {
        let (send, receive) = mpsc::channel(1);
        tokio::spawn(async move {
            for _ in 0..pieces {
                tokio::time::sleep(every).await;
                if send.send(Bytes::from(vec![7; bytes])).await.is_err() {
                    return;
                }
            }
        });
        Pieces::of(Body::from_stream(Sent(receive)), most, GAP).expect("nothing is said of its length")
    }

    /// Takes all of it; returns the bytes, or the status and how long it took to come to it.
    async fn taken(mut pieces: Pieces) -> Result<usize, (StatusCode, Duration)> {
        let (began, mut came) = (Instant::now(), 0);
        loop {
            match pieces.next().await {
                Ok(Some(bytes)) => came += bytes.len(),
                Ok(None) => return Ok(came),
                Err(problem) => return Err((problem.into_response().status(), began.elapsed())),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_byte_now_and_then_is_no_upload() {
        let dripping = sent(1, Duration::from_secs(29), usize::MAX, u64::MAX);
        let (status, after) = taken(dripping).await.expect_err("it is ended");
        assert_eq!(status, StatusCode::REQUEST_TIMEOUT);
        assert!(after >= PACE_TIME && after <= PACE_TIME + GAP, "{after:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn much_at_once_buys_no_time_for_a_drip_afterwards() {
        let (send, receive) = mpsc::channel(1);
        tokio::spawn(async move {
            let _ = send.send(Bytes::from(vec![7; 1 << 30 >> 4])).await;
            while send.send(Bytes::from_static(b"x")).await.is_ok() {
                tokio::time::sleep(Duration::from_secs(10)).await;
            }
        });
        let pieces =
            Pieces::of(Body::from_stream(Sent(receive)), u64::MAX, GAP).expect("nothing is said of its length");
        let (status, after) = taken(pieces).await.expect_err("it is ended");
        assert_eq!(status, StatusCode::REQUEST_TIMEOUT);
        assert!(after <= 2 * PACE_TIME + GAP, "{after:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_piece_that_does_not_come_ends_it() {
        let (status, after) = taken(sent(1 << 20, GAP + Duration::from_secs(1), 3, u64::MAX)).await.expect_err("it is");
        assert_eq!(status, StatusCode::REQUEST_TIMEOUT);
        assert!(after >= GAP && after < GAP + Duration::from_secs(1), "{after:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_keeps_the_pace_may_take_all_day() {
        let pieces = 24 * 60 * 4;
        let slow = sent(PACE_MIN_BYTES as usize / 4, Duration::from_secs(15), pieces, u64::MAX);
        assert_eq!(taken(slow).await, Ok(pieces * PACE_MIN_BYTES as usize / 4));
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_in_which_the_hub_writes_is_not_the_senders() {
        let mut pieces = sent(1, Duration::from_millis(1), 1_000, u64::MAX);
        let mut came = 0;
        while let Some(bytes) = pieces.next().await.expect("it is as fast as it can be") {
            came += bytes.len();
            tokio::time::sleep(Duration::from_secs(90)).await;
        }
        assert_eq!(came, 1_000);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_larger_than_it_may_be_ends_with_the_piece_that_makes_it_so() {
        let most = 10 * 1024;
        assert_eq!(taken(sent(1024, Duration::ZERO, 10, most)).await, Ok(10 * 1024));
        let endless = sent(1024, Duration::ZERO, usize::MAX, most);
        assert_eq!(taken(endless).await.expect_err("it is ended").0, StatusCode::PAYLOAD_TOO_LARGE);
        let said = Pieces::of(Body::from(vec![7; most as usize + 1]), most, GAP);
        assert_eq!(said.err().expect("it is not read").into_response().status(), StatusCode::PAYLOAD_TOO_LARGE);
    }
}
