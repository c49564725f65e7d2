//! Bodies of requests: nothing, a few bytes, or a file in blocks.

use std::fs::File;
use std::io::{self, Read as _};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Bytes, Frame, SizeHint};
use tokio::sync::mpsc;

use super::Piece;

/// Bytes that are read at once.
const BLOCK: usize = 64 * 1024;
/// Blocks that wait for a slow hub.
const BLOCKS_AHEAD: usize = 4;

/// The body of a request.
pub struct Body {
    size: u64,
    rest: Rest,
}

enum Rest {
    Bytes(Option<Bytes>),
    Blocks(mpsc::Receiver<Piece>),
}

impl Body {
    /// Nothing.
    pub fn none() -> Self {
        Self::of(Bytes::new())
    }

    /// A few bytes.
    pub fn of(bytes: Bytes) -> Self {
        Self { size: bytes.len() as u64, rest: Rest::Bytes(Some(bytes).filter(|bytes| !bytes.is_empty())) }
    }

    /// A file as long as it is now, from where it stands.
    ///
    /// # Errors
    /// A file that cannot be looked at.
    pub fn of_file(file: File) -> io::Result<Self> {
        let size = file.metadata()?.len();
        let (sender, blocks) = mpsc::channel(BLOCKS_AHEAD);
        tokio::task::spawn_blocking(move || {
            let mut file = file.take(size);
            let mut left = size;
            while left > 0 {
                let mut block = vec![0; BLOCK];
                let read = match file.read(&mut block) {
                    Ok(0) => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
                    Ok(count) => {
                        block.truncate(count);
                        left = left.saturating_sub(count as u64);
                        Ok(Bytes::from(block))
                    }
                    Err(error) => Err(error),
                };
                let ends = read.is_err();
                // Whoever sends has gone.
                if sender.blocking_send(read).is_err() || ends {
                    return;
                }
            }
        });
        Ok(Self { size, rest: Rest::Blocks(blocks) })
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut self.rest {
            Rest::Bytes(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Rest::Blocks(blocks) => blocks.poll_recv(context).map(|piece| piece.map(|piece| piece.map(Frame::data))),
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.size)
    }
}
