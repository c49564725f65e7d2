//! Lists take turns: a caller has so many answered at once, each until its answer is taken, and what it asks beyond that waits.
//! One page may have megabytes, and a connection of HTTP/2 asks for hundreds with a few bytes.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use enact_engine::conclude as code;
use enact_runtime::api::Caller;
use hyper::body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::Problem;

/// Lists of one caller that are answered at once.
const LISTS_MAX: usize = 16;
/// How long one waits for its turn before it is refused.
const WAIT_LIMIT: Duration = Duration::from_secs(10);
/// Callers that are known at once before those are forgotten that ask for nothing.
const CALLERS_MAX: usize = 1_000;
/// Bytes that are given out at once.
const BLOCK: usize = 64 * 1024;

/// The turns of all callers.
#[derive(Default)]
pub(crate) struct Turns {
    callers: Mutex<HashMap<(String, String), Weak<Semaphore>>>,
}

/// The turn of one list, until this is dropped.
pub(crate) struct Turn {
    _one: OwnedSemaphorePermit,
    /// Forgotten with the last turn that is taken or waited for.
    _of: Arc<Semaphore>,
}

impl Turns {
    /// Waits for a turn.
    pub async fn take(&self, caller: &Caller) -> Result<Turn, Problem> {
        let of = self.of(caller);
        match tokio::time::timeout(WAIT_LIMIT, Arc::clone(&of).acquire_owned()).await {
            Ok(Ok(one)) => Ok(Turn { _one: one, _of: of }),
            _ => {
                let text = format!(
                    "{LISTS_MAX} lists are being answered to you, and none was taken for {} s",
                    WAIT_LIMIT.as_secs()
                );
                let problem = Problem::new(code::RATE_LIMITED, text).retry_after_ms(WAIT_LIMIT.as_millis() as u64);
                Err(problem.hint("ask for fewer lists at once, and read each answer to its end"))
            }
        }
    }

    fn of(&self, caller: &Caller) -> Arc<Semaphore> {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if callers.len() >= CALLERS_MAX {
            callers.retain(|_, of| of.strong_count() > 0);
        }
        let of = callers.entry((caller.tenant.to_string(), caller.actor.clone())).or_default();
        of.upgrade().unwrap_or_else(|| {
            let new = Arc::new(Semaphore::new(LISTS_MAX));
            *of = Arc::downgrade(&new);
            new
        })
    }
}

impl Turn {
    /// Returns a body that keeps the turn until the last of its bytes was given out.
    pub fn keep(self, body: Body) -> Body {
        Body::new(Kept { body, rest: Bytes::new(), turn: Some(self) })
    }
}

/// A body that is given out in blocks, since one of HTTP/2 is asked for as soon as a single byte of it may be sent.
struct Kept {
    body: Body,
    rest: Bytes,
    turn: Option<Turn>,
}

impl HttpBody for Kept {
    type Data = Bytes;
    type Error = axum::Error;
    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        while self.rest.is_empty() {
            match std::task::ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) => self.rest = bytes,
                    Err(frame) => return Poll::Ready(Some(Ok(frame))),
                },
                other => {
                    self.turn = None;
                    return Poll::Ready(other);
                }
            }
        }
        let count = self.rest.len().min(BLOCK);
        let block = self.rest.split_to(count);
        if self.is_end_stream() {
            self.turn = None;
        }
        Poll::Ready(Some(Ok(Frame::data(block))))
    }
    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }
    fn size_hint(&self) -> SizeHint {
        let (rest, hint) = (self.rest.len() as u64, self.body.size_hint());
        match hint.exact() {
            Some(exact) => SizeHint::with_exact(exact + rest),
            None => {
                let mut all = SizeHint::new();
                all.set_lower(hint.lower() + rest);
                all
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse as _;
    use enact_runtime::api::Role;
    use http_body_util::BodyExt as _;

    use super::*;

    fn caller(actor: &str) -> Caller {
        Caller::new("default".parse().expect("a tenant"), actor, Role::Viewer)
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_has_so_many_lists_at_once_until_they_are_taken_and_another_its_own() {
        let turns = Turns::default();
        let mut bodies = Vec::new();
        for _ in 0..LISTS_MAX {
            bodies.push(turns.take(&caller("a")).await.expect("a turn").keep(Body::from(vec![7; 3 * BLOCK])));
        }
        let refused = turns.take(&caller("a")).await.err().expect("no turn").into_response();
        assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (429, &"10".parse().expect("10")));
        assert!(turns.take(&caller("b")).await.is_ok());
        // The last bytes of one make room for the next.
        let mut first = bodies.remove(0);
        assert_eq!(first.size_hint().exact(), Some(3 * BLOCK as u64));
        for _ in 0..2 {
            first.frame().await.expect("a block").expect("of bytes");
            assert!(turns.take(&caller("a")).await.is_err());
        }
        let last = first.frame().await.expect("a block").expect("of bytes").into_data().expect("of data");
        assert_eq!(last.len(), BLOCK);
        assert!(turns.take(&caller("a")).await.is_ok());
        // So does one that nobody wants any more.
        let taken = turns.take(&caller("a")).await.expect("a turn");
        assert!(turns.take(&caller("a")).await.is_err());
        drop(bodies.pop());
        assert!(turns.take(&caller("a")).await.is_ok());
        drop(taken);
    }

    #[tokio::test]
    async fn callers_that_ask_for_nothing_are_forgotten() {
        let turns = Turns::default();
        let held = turns.take(&caller("held")).await.expect("a turn");
        for number in 0..2 * CALLERS_MAX {
            assert!(turns.take(&caller(&number.to_string())).await.is_ok());
        }
        let known = turns.callers.lock().expect("not poisoned").len();
        assert!(known <= CALLERS_MAX, "{known}");
        assert_eq!(turns.of(&caller("held")).available_permits(), LISTS_MAX - 1);
        drop(held);
    }
}
