//! Prepares the next segment ahead, so that no append waits for zeros to be written.

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use crate::io::{File, Io};

use super::Error;

const NAME: &str = "next.tmp";

/// The segment to come.
pub(super) struct Spare<I: Io> {
    path: PathBuf,
    background: bool,
    state: State<I::File>,
}

enum State<F> {
    None,
    Coming(JoinHandle<Result<F, Error>>),
    Ready(F),
}

impl<I: Io> Spare<I> {
    pub(super) fn new(dir: &Path, background: bool) -> Self {
        Self { path: dir.join(NAME), background, state: State::None }
    }
    /// Begins to prepare a segment of `len` bytes unless one is there.
    pub(super) fn prepare(&mut self, io: &I, len: u64) {
        if !matches!(self.state, State::None) {
            return;
        }
        if self.background {
            let (io, path) = (io.clone(), self.path.clone());
            let name = "enact-log-ahead".to_owned();
            match std::thread::Builder::new().name(name).spawn(move || make(&io, &path, len)) {
                Ok(thread) => self.state = State::Coming(thread),
                Err(error) => tracing::warn!(%error, "cannot start the thread that prepares the next segment"),
            }
        } else {
            match make(io, &self.path, len) {
                Ok(file) => self.state = State::Ready(file),
                Err(error) => tracing::warn!(%error, "cannot prepare the next segment yet"),
            }
        }
    }
    /// Hands out the prepared segment if it has `len` bytes or more, or makes one now.
    pub(super) fn take(&mut self, io: &I, len: u64) -> Result<I::File, Error> {
        if let Some(file) = self.finish()
            && file.len().map_err(Error::io("measure", &self.path))? >= len
        {
            return Ok(file);
        }
        make(io, &self.path, len)
    }
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
    fn finish(&mut self) -> Option<I::File> {
        match std::mem::replace(&mut self.state, State::None) {
            State::None => None,
            State::Ready(file) => Some(file),
            State::Coming(thread) => match thread.join() {
                Ok(Ok(file)) => Some(file),
                Ok(Err(error)) => {
                    tracing::warn!(%error, "the next segment could not be prepared ahead");
                    None
                }
                Err(_) => None,
            },
        }
    }
}

impl<I: Io> Drop for Spare<I> {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Writes the zeros and syncs them: a later append then changes no length and allocates no block.
fn make<I: Io>(io: &I, path: &Path, len: u64) -> Result<I::File, Error> {
    let file = io.create(path, len).map_err(Error::io("make", path))?;
    file.sync_data().map_err(Error::io("sync", path))?;
    Ok(file)
}
