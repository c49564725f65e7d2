//! A disk in memory that keeps what the operating system shows apart from what would survive a loss of power.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{File, Io, LockError};

mod inode;
mod state;

use state::State;

/// What goes wrong at the n-th call of its sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailKind {
    /// A write fails and leaves nothing.
    Write,
    /// A write fails after a part of its bytes.
    ShortWrite,
    /// A write, or making a file, finds no space.
    NoSpace,
    /// A sync of a file fails; what it should have made durable may be kept or lost.
    Sync,
    /// A rename fails.
    Rename,
    /// A sync of a folder fails.
    DirSync,
    /// The power goes at this call, whatever it is: it and every later call fail, until [`SimDisk::crash`].
    Power,
}

impl FailKind {
    /// Every sort of failure.
    pub const ALL: [Self; 7] =
        [Self::Write, Self::ShortWrite, Self::NoSpace, Self::Sync, Self::Rename, Self::DirSync, Self::Power];
}

/// A simulated disk; clones are the same disk.
///
/// A write, a new length, a new name, a rename and a removal are visible at once. They survive [`SimDisk::crash`] for
/// certain only after the sync that covers them; until then each of them is kept, dropped or torn on its own.
#[derive(Clone)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

/// An open file of a [`SimDisk`]; it is dead after a crash, as its process is.
pub struct SimFile {
    disk: SimDisk,
    path: PathBuf,
    inode: usize,
    generation: u64,
}

/// The lock of a [`SimDisk`]; dropping it, or a crash, frees it.
pub struct SimLock {
    disk: SimDisk,
    path: PathBuf,
    generation: u64,
}

impl SimDisk {
    /// Makes an empty disk whose salts come from `seed`.
    pub fn new(seed: u64) -> Self {
        Self { state: Arc::new(Mutex::new(State::new(seed))) }
    }
    /// Cuts the power and brings it back: the same seed on the same history leaves the same bytes.
    pub fn crash(&self, seed: u64) {
        self.lock_state().crash(seed);
    }
    /// Lets the n-th call (from 1, counted from now) of the sort that `kind` concerns fail, once.
    pub fn fail_at(&self, n: u64, kind: FailKind) {
        self.lock_state().arm(n, kind);
    }
    /// Disarms what [`SimDisk::fail_at`] armed and tells whether it has happened.
    pub fn disarm(&self) -> bool {
        self.lock_state().disarm()
    }
    /// Gives the disk a size in bytes: no file is made that does not fit.
    pub fn resize(&self, bytes: u64) {
        self.lock_state().size = bytes;
    }
    /// Returns how many calls have been made.
    pub fn calls(&self) -> u64 {
        self.lock_state().calls
    }
    /// Flips one bit on the disk itself, as wear or a cosmic ray would.
    pub fn flip_bit(&self, path: &Path, offset: u64, bit: u8) {
        self.lock_state().flip_bit(path, offset, bit);
    }
    /// Returns the visible bytes of a file.
    pub fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        self.lock_state().bytes(path)
    }
    fn lock_state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn file(&self, path: &Path, inode: usize, generation: u64) -> SimFile {
        SimFile { disk: self.clone(), path: path.to_owned(), inode, generation }
    }
}

impl Io for SimDisk {
    type File = SimFile;
    type Lock = SimLock;

    fn create_dir(&self, _: &Path) -> io::Result<()> {
        self.lock_state().call(&[])
    }
    fn open(&self, path: &Path) -> io::Result<SimFile> {
        let mut state = self.lock_state();
        state.call(&[])?;
        let inode = state.find(path)?;
        Ok(self.file(path, inode, state.generation))
    }
    fn open_read(&self, path: &Path) -> io::Result<SimFile> {
        self.open(path)
    }
    fn create(&self, path: &Path, len: u64) -> io::Result<SimFile> {
        let mut state = self.lock_state();
        let full = state.call_failing(&[FailKind::NoSpace])?.is_some() || len > state.free_beside(path);
        let inode = state.create(path, if full { len / 2 } else { len });
        if full {
            // What was written until then stays.
            return Err(state::error(FailKind::NoSpace));
        }
        Ok(self.file(path, inode, state.generation))
    }
    fn free(&self, _: &Path) -> io::Result<u64> {
        Ok(self.lock_state().free_beside(Path::new("")))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.lock_state();
        state.call(&[FailKind::Rename])?;
        state.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock_state();
        state.call(&[])?;
        state.remove(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut state = self.lock_state();
        state.call(&[])?;
        Ok(state.list(dir))
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.lock_state();
        state.call(&[FailKind::DirSync])?;
        state.sync_dir(dir);
        Ok(())
    }
    fn lock(&self, path: &Path) -> Result<SimLock, LockError> {
        let mut state = self.lock_state();
        state.call(&[])?;
        if !state.locks.insert(path.to_owned()) {
            return Err(LockError::Held { pid: None });
        }
        Ok(SimLock { disk: self.clone(), path: path.to_owned(), generation: state.generation })
    }
    fn salt(&self) -> u32 {
        self.lock_state().salts.next() as u32
    }
}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut state = self.disk.lock_state();
        if state.generation == self.generation {
            state.locks.remove(&self.path);
        }
    }
}

impl SimFile {
    fn alive(&self, state: &State) -> io::Result<()> {
        if state.generation == self.generation {
            return Ok(());
        }
        Err(io::Error::other(format!("the power was lost after {} was opened", self.path.display())))
    }
}

impl File for SimFile {
    fn len(&self) -> io::Result<u64> {
        let mut state = self.disk.lock_state();
        self.alive(&state)?;
        Ok(state.inode(self.inode).visible.len() as u64)
    }
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.lock_state();
        self.alive(&state)?;
        state.call(&[])?;
        Ok(state.inode(self.inode).read(buf, offset))
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.lock_state();
        self.alive(&state)?;
        match state.call_failing(&[FailKind::Write, FailKind::ShortWrite, FailKind::NoSpace])? {
            None => {
                state.inode(self.inode).write(bytes, offset);
                Ok(())
            }
            Some(FailKind::ShortWrite) => {
                let part = state.cut(bytes.len());
                state.inode(self.inode).write(&bytes[..part], offset);
                Err(io::Error::from(io::ErrorKind::WriteZero))
            }
            Some(kind) => Err(state::error(kind)),
        }
    }
    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.disk.lock_state();
        self.alive(&state)?;
        match state.call_failing(&[FailKind::Sync])? {
            None => {
                state.inode(self.inode).sync();
                Ok(())
            }
            Some(kind) => {
                state.inode(self.inode).fail_sync();
                Err(state::error(kind))
            }
        }
    }
}

#[cfg(test)]
mod tests;
