//! An artifact that is being written.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use enact_model::digest::Digest;
use sha2::{Digest as _, Sha256};

use super::{Artifacts, Error};

/// What was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// The digest of the bytes.
    pub digest: Digest,
    /// How many there are.
    pub size: u64,
}

/// Takes the bytes of an artifact in a stream; what is dropped before [`Staging::finish`] leaves nothing.
#[derive(Debug)]
pub struct Staging {
    artifacts: Artifacts,
    path: PathBuf,
    file: fs::File,
    hasher: Sha256,
    size: u64,
    limit: u64,
}

static NEXT: AtomicU64 = AtomicU64::new(0);

impl Staging {
    pub(super) fn begin(artifacts: Artifacts, limit: u64) -> Result<Self, Error> {
        let name = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = artifacts.tmp().join(name);
        let file = fs::File::create(&path).map_err(Error::io("make", &path))?;
        Ok(Self { artifacts, path, file, hasher: Sha256::new(), size: 0, limit })
    }
    /// Takes more bytes.
    ///
    /// # Errors
    /// [`Error::TooLarge`] when they pass the limit, or the disk's.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.size += bytes.len() as u64;
        if self.size > self.limit {
            return Err(Error::TooLarge { limit: self.limit });
        }
        self.hasher.update(bytes);
        self.file.write_all(bytes).map_err(Error::io("write", &self.path))
    }
    /// Returns how many bytes were taken.
    pub fn size(&self) -> u64 {
        self.size
    }
    /// Gives the bytes their name; it is a no-op where the same bytes already have it.
    ///
    /// # Durability
    /// The bytes and their name are durable when it returns.
    ///
    /// # Errors
    /// The disk's.
    pub fn finish(self) -> Result<Stored, Error> {
        let digest = Digest::from_bytes(self.hasher.clone().finalize().into());
        let stored = Stored { digest, size: self.size };
        if self.artifacts.holds(&stored) {
            return self.artifacts.settle(stored);
        }
        let mut permissions = self.file.metadata().map_err(Error::io("measure", &self.path))?.permissions();
        permissions.set_readonly(true);
        self.file.set_permissions(permissions).map_err(Error::io("protect", &self.path))?;
        self.file.sync_all().map_err(Error::io("sync", &self.path))?;
        let target = self.artifacts.path(&digest);
        let dir = target.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(dir).map_err(Error::io("make", dir))?;
        fs::rename(&self.path, &target).map_err(Error::io("rename", &self.path))?;
        self.artifacts.settle(stored)
    }
}

impl Write for Staging {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Self::write(self, bytes).map_err(std::io::Error::other)?;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // After a finish that renamed it the name is gone, and that is fine.
        let _ = fs::remove_file(&self.path);
    }
}
