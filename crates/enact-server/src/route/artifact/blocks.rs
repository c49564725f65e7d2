//! The bytes of an artifact, block by block as they are asked for: a thread reads one when it is wanted, and none waits for
//! whoever takes them.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Bytes;
use enact_runtime::hub;
use tokio::task::{AbortHandle, JoinHandle};

/// Bytes that are read at once.
const BLOCK: usize = 128 * 1024;

/// So many bytes of an artifact, as the body of an answer.
///
/// # Limits
/// A file that nobody wants a block of for a time is closed, and the body fails when it is asked again: a stream of HTTP/2
/// may wait as long as its connection lives.
pub(super) struct Blocks {
    rest: Arc<Rest>,
    left: u64,
    reading: Option<JoinHandle<io::Result<(hub::Bytes, Bytes)>>>,
    closing: AbortHandle,
}

struct Rest {
    /// None while a block is read, after the last one, and once it was closed.
    file: Mutex<Option<hub::Bytes>>,
    asked: AtomicU64,
}

impl Rest {
    fn put(&self, file: Option<hub::Bytes>) -> Option<hub::Bytes> {
        std::mem::replace(&mut self.file.lock().unwrap_or_else(PoisonError::into_inner), file)
    }
}

impl Blocks {
    pub fn new(file: hub::Bytes, length: u64, limit: Duration) -> Self {
        let rest = Arc::new(Rest { file: Mutex::new(Some(file)), asked: AtomicU64::new(0) });
        let closing = tokio::spawn(close(Arc::clone(&rest), limit)).abort_handle();
        Self { rest, left: length, reading: None, closing }
    }

    fn fail(&mut self, error: io::Error) -> Option<io::Result<Bytes>> {
        self.left = 0;
        Some(Err(error))
    }
}

/// Closes the file once no block was asked for between two looks.
async fn close(rest: Arc<Rest>, limit: Duration) {
    let mut before = 0;
    loop {
        tokio::time::sleep(limit).await;
        let asked = rest.asked.load(Ordering::Relaxed);
        // A block that is being read is waited for by somebody.
        if asked == before && rest.put(None).is_some() {
            return;
        }
        before = asked;
    }
}

impl Drop for Blocks {
    fn drop(&mut self) {
        self.closing.abort();
    }
}

impl futures_core::Stream for Blocks {
    type Item = io::Result<Bytes>;
    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let mut reading = match self.reading.take() {
            Some(reading) => reading,
            None => {
                self.rest.asked.fetch_add(1, Ordering::Relaxed);
                let Some(file) = self.rest.put(None) else {
                    let error = io::Error::new(io::ErrorKind::TimedOut, "nobody took the artifact for too long");
                    return Poll::Ready(self.fail(error));
                };
                let count = usize::try_from(self.left).map_or(BLOCK, |left| left.min(BLOCK));
                tokio::task::spawn_blocking(move || read(file, count))
            }
        };
        let read = match Pin::new(&mut reading).poll(context) {
            Poll::Ready(read) => read,
            Poll::Pending => {
                self.reading = Some(reading);
                return Poll::Pending;
            }
        };
        Poll::Ready(match read.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok((file, block)) => {
                self.left = self.left.saturating_sub(block.len() as u64);
                if self.left > 0 {
                    self.rest.put(Some(file));
                }
                Some(Ok(block))
            }
            Err(error) => self.fail(error),
        })
    }
}

/// Reads a block. Blocks.
fn read(mut file: hub::Bytes, count: usize) -> io::Result<(hub::Bytes, Bytes)> {
    let mut block = vec![0; count];
    match file.read(&mut block)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        read => {
            block.truncate(read);
            Ok((file, Bytes::from(block)))
        }
    }
}
