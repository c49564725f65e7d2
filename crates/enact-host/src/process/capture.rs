//! Bounded capture of what a child writes: standard output up to a limit, and the end of its log.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use enact_model::limits::LOG_TAIL_MAX_BYTES;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::unix::pipe;
use tokio::sync::watch;

use crate::contract::Content;

/// How much is held in memory before it goes to a file, in bytes.
const SPILL_BYTES: usize = 64 * 1024;
/// How much is read at once, in bytes.
const CHUNK_BYTES: usize = 32 * 1024;

/// What was captured: in memory if it is little, otherwise in a file without a name, which the child cannot reach.
#[derive(Debug, Default)]
pub(super) struct Captured {
    memory: Vec<u8>,
    file: Option<File>,
    size: u64,
}

/// Why a capture ended before its stream did.
#[derive(Debug, thiserror::Error)]
pub(super) enum CaptureError {
    /// More came than the limit.
    #[error("failed to capture the output: it is larger than {0} bytes")]
    TooLarge(u64),
    /// The scratch folder cannot be written.
    #[error("failed to keep the output")]
    Io(#[from] io::Error),
}

impl Captured {
    /// Returns the number of bytes.
    pub fn size(&self) -> u64 {
        self.size
    }
    /// Returns all of it, if it is at most `limit` bytes.
    pub fn bytes(&self, limit: usize) -> io::Result<Option<Vec<u8>>> {
        if self.size > limit as u64 {
            return Ok(None);
        }
        let Some(file) = &self.file else { return Ok(Some(self.memory.clone())) };
        let mut file = file.try_clone()?;
        file.seek(SeekFrom::Start(0))?;
        let mut bytes = Vec::with_capacity(usize::try_from(self.size).unwrap_or(0));
        file.take(limit as u64).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }
    /// Returns it as content: bytes in memory, or the file at its beginning.
    pub fn content(&self) -> io::Result<Content> {
        let Some(file) = &self.file else { return Ok(Content::Bytes(self.memory.clone())) };
        // Opened anew, because each content has its own position; by descriptor, because the file has no name.
        File::open(format!("/proc/self/fd/{}", file.as_raw_fd())).map(Content::File)
    }
}

/// A stream that can be asked for what it holds now.
pub(super) trait Holds {
    /// Reads what is there without waiting for more.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when nothing is.
    fn read_now(&mut self, into: &mut [u8]) -> io::Result<usize>;
}

impl Holds for pipe::Receiver {
    fn read_now(&mut self, into: &mut [u8]) -> io::Result<usize> {
        // The runtime may not have been told yet that there is something; the pipe itself knows.
        Ok(rustix::io::read(&*self, into)?)
    }
}

/// Captures a stream to its end, at most `limit` bytes; `held` can be read while it goes on, and after it was given up. From
/// when `gone` holds, what the stream has is all that is waited for: somebody else may keep it open.
pub(super) async fn capture<R: AsyncRead + Holds + Unpin>(
    mut from: R,
    folder: PathBuf,
    limit: u64,
    held: Arc<Mutex<Captured>>,
    mut gone: watch::Receiver<bool>,
) -> Result<(), CaptureError> {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let read = tokio::select! {
            biased;
            read = from.read(&mut chunk) => read,
            // One who no longer says when it is gone is gone.
            _ = gone.wait_for(|gone| *gone) => from.read_now(&mut chunk),
        };
        let count = match read {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(e) => return Err(e.into()),
        };
        let spill = {
            let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
            let room = usize::try_from(limit - held.size).unwrap_or(usize::MAX);
            let fits = chunk.get(..count.min(room)).unwrap_or(&chunk);
            held.memory.extend_from_slice(fits);
            held.size += fits.len() as u64;
            if count > room {
                return Err(CaptureError::TooLarge(limit));
            }
            held.file.is_some() || held.memory.len() > SPILL_BYTES
        };
        if spill {
            let (held, folder) = (held.clone(), folder.clone());
            let written = tokio::task::spawn_blocking(move || {
                let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
                let memory = std::mem::take(&mut held.memory);
                if held.file.is_none() {
                    held.file = Some(tempfile::tempfile_in(folder)?);
                }
                held.file.as_mut().map_or(Ok(()), |file| file.write_all(&memory))
            });
            written.await.map_err(io::Error::other)??;
        }
    }
}

/// The end of what a child wrote to its log.
#[derive(Debug, Clone, Default)]
pub(super) struct Tail(Arc<Mutex<VecDeque<u8>>>);

impl Tail {
    /// Adds bytes and forgets the oldest above the limit.
    pub fn push(&self, bytes: &[u8]) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = bytes.get(bytes.len().saturating_sub(LOG_TAIL_MAX_BYTES)..).unwrap_or(bytes);
        held.extend(bytes);
        let over = held.len().saturating_sub(LOG_TAIL_MAX_BYTES);
        held.drain(..over);
    }
    /// Returns it as text, if there is any.
    pub fn text(&self) -> Option<String> {
        let held: Vec<u8> = self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect();
        (!held.is_empty()).then(|| String::from_utf8_lossy(&held).into_owned())
    }
    /// Follows a stream to its end.
    pub async fn follow<R: AsyncRead + Unpin>(self, mut from: R) {
        let mut chunk = vec![0; 8 * 1024];
        while let Ok(count @ 1..) = from.read(&mut chunk).await {
            self.push(chunk.get(..count).unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Holds for &[u8] {
        fn read_now(&mut self, into: &mut [u8]) -> io::Result<usize> {
            std::io::Read::read(self, into)
        }
    }
    impl Holds for tokio::io::Repeat {
        fn read_now(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::WouldBlock.into())
        }
    }

    #[tokio::test]
    async fn what_a_pipe_holds_when_its_writers_are_gone_is_captured_although_somebody_keeps_it_open() {
        let folder = tempfile::tempdir().unwrap();
        let (sender, receiver) = pipe::pipe().unwrap();
        let bytes = vec![7; 60_000];
        let mut written = 0;
        while written < bytes.len() {
            match sender.try_write(&bytes[written..]) {
                Ok(count) => written += count,
                Err(_) => sender.writable().await.unwrap(),
            }
        }
        // Whoever holds it open writes nothing more, and is not waited for.
        let (tell, gone) = watch::channel(true);
        let held = Arc::new(Mutex::new(Captured::default()));
        capture(receiver, folder.path().to_owned(), 100_000, held.clone(), gone).await.unwrap();
        assert_eq!(held.lock().unwrap().size(), 60_000);
        drop((sender, tell));
    }

    #[tokio::test]
    async fn a_flood_ends_the_capture_and_never_fills_the_memory() {
        let folder = tempfile::tempdir().unwrap();
        let held = Arc::new(Mutex::new(Captured::default()));
        let flood = tokio::io::repeat(b'x');
        let end = capture(flood, folder.path().to_owned(), 1_000_000, held.clone(), watch::channel(false).1).await;
        assert!(matches!(end, Err(CaptureError::TooLarge(1_000_000))));
        let held = held.lock().unwrap();
        assert_eq!(held.size(), 1_000_000);
        assert!(held.memory.capacity() < 4 * SPILL_BYTES, "{}", held.memory.capacity());
        assert!(held.file.as_ref().unwrap().metadata().unwrap().len() > 900_000);
    }

    #[tokio::test]
    async fn what_is_little_stays_in_memory_and_what_is_more_comes_back_whole() {
        let folder = tempfile::tempdir().unwrap();
        for size in [0usize, 10, SPILL_BYTES, SPILL_BYTES + 1, 300_000] {
            let bytes: Vec<u8> = (0..size).map(|i| i as u8).collect();
            let held = Arc::new(Mutex::new(Captured::default()));
            capture(&bytes[..], folder.path().to_owned(), 300_000, held.clone(), watch::channel(true).1).await.unwrap();
            let held = held.lock().unwrap();
            assert_eq!(held.bytes(300_000).unwrap().as_deref(), Some(&bytes[..]));
            assert_eq!(held.file.is_some(), size > SPILL_BYTES);
            for _ in 0..2 {
                let mut read = Vec::new();
                held.content().unwrap().into_reader().read_to_end(&mut read).unwrap();
                assert_eq!(read, bytes);
            }
        }
    }

    #[test]
    fn the_tail_keeps_the_end() {
        let tail = Tail::default();
        assert_eq!(tail.text(), None);
        tail.push(&vec![b'a'; 3 * LOG_TAIL_MAX_BYTES]);
        tail.push(b"end");
        let text = tail.text().unwrap();
        assert_eq!(text.len(), LOG_TAIL_MAX_BYTES);
        assert!(text.ends_with("aend"));
    }
}
