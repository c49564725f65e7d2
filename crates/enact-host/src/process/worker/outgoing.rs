//! Frames on their way to a worker: written by whoever sends them while the wire takes them, and by a task once it does not.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::mpsc;

/// Frames that wait to be written; more would only hide that the worker does not read.
const WAITING_MAX: usize = 64;

/// The writing side of a wire.
pub(super) struct Outgoing {
    wire: OwnedWriteHalf,
    /// How many frames wait or are being written by the task; while there is one, the others line up behind it.
    waiting: Mutex<usize>,
    queue: mpsc::Sender<Vec<u8>>,
    closed: AtomicBool,
}

/// What became of a frame that was to be written at once.
enum Tried {
    Written,
    /// So many bytes of it are on the wire.
    Begun(usize),
    Broken,
}

impl Outgoing {
    /// Makes the writing side; whoever keeps the receiver hands it to [`Outgoing::write_waiting`].
    pub fn new(wire: OwnedWriteHalf) -> (Arc<Self>, mpsc::Receiver<Vec<u8>>) {
        let (queue, waiting) = mpsc::channel(WAITING_MAX);
        (Arc::new(Self { wire, waiting: Mutex::new(0), queue, closed: AtomicBool::new(false) }), waiting)
    }

    /// Tells whether the wire takes no more.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire) || self.queue.is_closed()
    }

    /// Writes or queues a frame; returns whether the wire still takes any.
    ///
    /// # Cancel safety
    /// If it is dropped, no byte of the frame is on the wire or will be.
    pub async fn send(&self, frame: Vec<u8>) -> bool {
        let frame = match self.at_once(frame) {
            Ok(taken) => return taken,
            Err(frame) => frame,
        };
        let Ok(place) = self.queue.reserve().await else { return false };
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        *waiting += 1;
        place.send(frame);
        !self.is_closed()
    }

    /// Writes or queues a frame if there is room.
    pub fn try_send(&self, frame: Vec<u8>) -> bool {
        let frame = match self.at_once(frame) {
            Ok(taken) => return taken,
            Err(frame) => frame,
        };
        let Ok(place) = self.queue.try_reserve() else { return false };
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        *waiting += 1;
        place.send(frame);
        !self.is_closed()
    }

    /// Takes a frame if none waits before it, and returns whether the wire still takes any; gives it back otherwise.
    pub fn at_once(&self, mut frame: Vec<u8>) -> Result<bool, Vec<u8>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if *waiting > 0 {
            return Err(frame);
        }
        match self.tried(&frame) {
            Tried::Written => Ok(true),
            Tried::Broken => Ok(false),
            Tried::Begun(bytes) => {
                // There is room, for nothing waits.
                let Ok(place) = self.queue.try_reserve() else { return Err(frame) };
                *waiting += 1;
                frame.drain(..bytes);
                place.send(frame);
                Ok(true)
            }
        }
    }

    fn tried(&self, frame: &[u8]) -> Tried {
        match self.wire.try_write(frame) {
            Ok(count) if count == frame.len() => Tried::Written,
            Ok(count) => Tried::Begun(count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Tried::Begun(0),
            Err(_) => {
                self.closed.store(true, Ordering::Release);
                Tried::Broken
            }
        }
    }

    /// Writes what could not be written at once, until the wire takes no more.
    pub async fn write_waiting(self: Arc<Self>, mut queue: mpsc::Receiver<Vec<u8>>) {
        while let Some(frame) = queue.recv().await {
            let mut rest = frame.as_slice();
            while !rest.is_empty() {
                if self.wire.writable().await.is_err() {
                    self.closed.store(true, Ordering::Release);
                }
                match self.tried(rest) {
                    Tried::Written => rest = &[],
                    Tried::Begun(count) => rest = rest.get(count..).unwrap_or_default(),
                    Tried::Broken => {}
                }
                if self.is_closed() {
                    return;
                }
            }
            *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::net::UnixStream;

    use super::*;

    fn wire() -> (Arc<Outgoing>, mpsc::Receiver<Vec<u8>>, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (_read, write) = ours.into_split();
        let (outgoing, waiting) = Outgoing::new(write);
        (outgoing, waiting, theirs)
    }

    #[tokio::test]
    async fn frames_arrive_whole_and_in_their_order_however_often_the_wire_is_full() {
        let (outgoing, waiting, mut theirs) = wire();
        tokio::spawn(outgoing.clone().write_waiting(waiting));
        let sends = async {
            for number in 0..100u8 {
                assert!(outgoing.send(vec![number; 50_000]).await);
            }
        };
        let reads = async {
            for number in 0..100u8 {
                let mut frame = vec![0; 50_000];
                theirs.read_exact(&mut frame).await.unwrap();
                assert!(frame.iter().all(|byte| *byte == number), "frame {number}");
            }
        };
        tokio::join!(sends, reads);
        assert_eq!(*outgoing.waiting.lock().unwrap(), 0);
        // Nothing waits any more, so the next one needs no task.
        assert!(outgoing.try_send(vec![7; 10]));
        assert_eq!(*outgoing.waiting.lock().unwrap(), 0);
    }

    #[tokio::test]
    async fn a_worker_that_does_not_read_is_sent_a_few_frames_and_no_more() {
        let (outgoing, _waiting, _theirs) = wire();
        let taken = (0..10_000).take_while(|_| outgoing.try_send(vec![0; 50_000])).count();
        assert!((WAITING_MAX..WAITING_MAX + 100).contains(&taken), "{taken}");
    }

    #[tokio::test]
    async fn a_wire_that_has_no_other_end_takes_nothing_and_says_so() {
        let (outgoing, _waiting, theirs) = wire();
        assert!(!outgoing.is_closed());
        drop(theirs);
        assert!(!outgoing.send(vec![0; 10]).await);
        assert!(outgoing.is_closed());
    }
}
