//! The few calls that the store makes on files, so that a simulated disk can stand in for the real one.

use std::io;
use std::path::Path;

mod disk;
mod sim;

pub use disk::{DiskIo, DiskLock};
pub use sim::{FailKind, SimDisk, SimFile, SimLock};

/// A file system: what the log and the store's small files need of one, and no more.
///
/// # Durability
/// A write is durable after [`File::sync_data`] of its file; a name that was made, moved or removed is durable after
/// [`Io::sync_dir`] of its folder.
pub trait Io: Clone + Send + Sync + 'static {
    /// An open file.
    type File: File;
    /// Held for as long as this process owns the store.
    type Lock: Send + 'static;

    /// Makes a folder that only its owner may enter, and its parents; one that is there is left alone.
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    /// Opens a file for reading and writing.
    fn open(&self, path: &Path) -> io::Result<Self::File>;
    /// Opens a file for reading.
    fn open_read(&self, path: &Path) -> io::Result<Self::File>;
    /// Makes a file of `len` zeros whose blocks are written, not only reserved; a file of that name is replaced.
    fn create(&self, path: &Path, len: u64) -> io::Result<Self::File>;
    /// Returns how many bytes may still be written to the file system of `path`, which need not be there.
    fn free(&self, path: &Path) -> io::Result<u64>;
    /// Moves a file over another name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Lists the names in a folder, sorted.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Makes the names in a folder durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Takes the lock file at `path`, or says who holds it.
    fn lock(&self, path: &Path) -> Result<Self::Lock, LockError>;
    /// Returns a number that nobody can foresee (in a simulation: that only the seed foresees).
    fn salt(&self) -> u32;
}

/// An open file, read and written at positions.
pub trait File: Send + Sync + 'static {
    /// Returns the length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Tells whether the file has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Reads into `buf` from `offset`; fewer bytes than asked for mean the end of the file.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all of `bytes` at `offset`; after an error any part of them may have been written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Makes what was written durable, and the length where it is needed to read it.
    fn sync_data(&self) -> io::Result<()>;
}

/// Why a lock could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error("failed to take the store: it is held by {}", .pid.map_or_else(|| "another process".to_owned(), |pid| format!("the process {pid}")))]
    Held {
        /// Its process id, where it could be read.
        pid: Option<u32>,
    },
    /// The lock file could not be used.
    #[error("failed to use the lock file")]
    Io(#[from] io::Error),
}
