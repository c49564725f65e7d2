//! Prepares the next segment ahead, so that no append waits for zeros to be written.

use std::io::ErrorKind;
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
    Coming(JoinHandle<Option<F>>),
    Ready(F),
    /// There was no room for it; only the next segment is a reason to try again.
    Refused,
}

/// Removes a segment that a former owner did not finish preparing: it holds room that others need. One of `len` bytes or more
/// is left for the next who needs it, and opened.
pub(super) fn sweep<I: Io>(io: &I, dir: &Path, len: u64) -> Result<Option<I::File>, Error> {
    let path = dir.join(NAME);
    let file = match io.open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("open", &path)(error)),
    };
    if file.len().map_err(Error::io("measure", &path))? >= len {
        return Ok(Some(file));
    }
    drop(file);
    io.remove(&path).map_err(Error::io("remove", &path))?;
    Ok(None)
}

impl<I: Io> Spare<I> {
    /// Begins with what a former owner left, if [`sweep`] found it whole.
    pub(super) fn new(dir: &Path, background: bool, left: Option<I::File>) -> Self {
        Self { path: dir.join(NAME), background, state: left.map_or(State::None, State::Ready) }
    }
    /// Begins to prepare a segment of `len` bytes unless one is there, or the disk has no room for it and as much again.
    pub(super) fn prepare(&mut self, io: &I, len: u64) {
        if !matches!(self.state, State::None) {
            return;
        }
        if io.free(&self.path).is_ok_and(|free| free / 2 < len) {
            tracing::warn!(bytes = len, "the disk has no room to prepare the next segment of the log");
            self.state = State::Refused;
            return;
        }
        let (io, path) = (io.clone(), self.path.clone());
        if !self.background {
            self.state = ahead(&io, &path, len).map_or(State::Refused, State::Ready);
            return;
        }
        let name = "enact-log-ahead".to_owned();
        match std::thread::Builder::new().name(name).spawn(move || ahead(&io, &path, len)) {
            Ok(thread) => self.state = State::Coming(thread),
            Err(error) => tracing::warn!(%error, "cannot start the thread that prepares the next segment"),
        }
    }
    /// Hands out the prepared segment if it has `least` bytes or more, or makes one now: of `len` bytes, or of fewer where the
    /// disk has no room for as many, but never of fewer than `least`.
    pub(super) fn take(&mut self, io: &I, len: u64, least: u64) -> Result<I::File, Error> {
        if let Some(file) = self.finish()
            && file.len().map_err(Error::io("measure", &self.path))? >= least
        {
            return Ok(file);
        }
        // Half of what is free is for the tables, the artifacts and everybody else.
        let mut len = io.free(&self.path).map_or(len, |free| len.min(free / 2)).max(least);
        loop {
            match make(io, &self.path, len) {
                Err(Error::Io { source, .. }) if len > least && is_full(&source) => len = (len / 2).max(least),
                made => return made,
            }
        }
    }
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
    fn finish(&mut self) -> Option<I::File> {
        match std::mem::replace(&mut self.state, State::None) {
            State::None | State::Refused => None,
            State::Ready(file) => Some(file),
            State::Coming(thread) => thread.join().ok().flatten(),
        }
    }
}

impl<I: Io> Drop for Spare<I> {
    fn drop(&mut self) {
        self.finish();
    }
}

fn is_full(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

fn ahead<I: Io>(io: &I, path: &Path, len: u64) -> Option<I::File> {
    let made = make(io, path, len);
    made.inspect_err(|error| tracing::warn!(%error, "the next segment could not be prepared ahead")).ok()
}

/// Writes the zeros and syncs them: a later append then changes no length and allocates no block. What cannot be made as a
/// whole is removed.
fn make<I: Io>(io: &I, path: &Path, len: u64) -> Result<I::File, Error> {
    let made = io.create(path, len).map_err(Error::io("make", path));
    let made = made.and_then(|file| file.sync_data().map_err(Error::io("sync", path)).map(|()| file));
    if made.is_err() {
        // It may not even be there; the next start sweeps what stays.
        let _ = io.remove(path);
    }
    made
}
