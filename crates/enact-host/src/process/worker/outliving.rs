//! A future that runs to its end once it has begun, in the background if nobody awaits it any more.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;

/// Wraps a future; awaited it costs no task of its own, dropped it becomes one.
pub(super) struct Outliving<T: Send + 'static>(Option<Pin<Box<dyn Future<Output = T> + Send>>>);

/// The future panicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("failed to end: it panicked")]
pub(super) struct Panicked;

impl<T: Send + 'static> Outliving<T> {
    pub fn new(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self(Some(Box::pin(future)))
    }
}

impl<T: Send + 'static> Future for Outliving<T> {
    type Output = Result<T, Panicked>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(future) = &mut self.0 else { return Poll::Ready(Err(Panicked)) };
        // What panicked is dropped at once and never looked at again.
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)));
        let ended = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(value)) => Ok(value),
            Err(_) => Err(Panicked),
        };
        self.0 = None;
        Poll::Ready(ended)
    }
}

impl<T: Send + 'static> Drop for Outliving<T> {
    fn drop(&mut self) {
        // Without a runtime nothing runs on any more, whoever owned it.
        if let Some(rest) = self.0.take()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn what_nobody_awaits_any_more_runs_to_its_end() {
        let (go, gone) = oneshot::channel::<()>();
        let (end, ended) = oneshot::channel();
        let outliving = Outliving::new(async move {
            let _ = gone.await;
            let _ = end.send(7);
        });
        assert!(tokio::time::timeout(Duration::ZERO, outliving).await.is_err());
        go.send(()).unwrap();
        assert_eq!(ended.await, Ok(7));
    }

    #[tokio::test]
    async fn what_panics_is_an_error_of_who_awaits_it() {
        assert_eq!(Outliving::new(async { 7 }).await, Ok(7));
        let panics = Outliving::new(async {
            if Handle::try_current().is_ok() {
                panic!("by intent")
            }
        });
        assert_eq!(panics.await, Err(Panicked));
    }
}
