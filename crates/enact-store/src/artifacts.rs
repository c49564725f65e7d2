//! Bytes by their digest, in a folder: written once, verified whenever they are read.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use enact_model::digest::Digest;
use sha2::{Digest as _, Sha256};

mod read;
mod seen;
mod staging;

pub use read::Content;
pub use staging::{Staging, Stored};

/// A content-addressed folder; clones are the same folder.
#[derive(Debug, Clone)]
pub struct Artifacts {
    root: PathBuf,
    taken_in: Arc<AtomicU64>,
    seen: Arc<seen::Seen>,
}

/// Why an artifact could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is none.
    #[error("failed to find the artifact {0}")]
    Missing(Digest),
    /// Its bytes are not those that were stored.
    #[error("failed to verify the artifact {digest}: its bytes have the digest {found}")]
    Altered {
        /// The digest by which it was asked for.
        digest: Digest,
        /// The digest that its bytes have.
        found: Digest,
    },
    /// It is larger than allowed.
    #[error("failed to take an artifact of more than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// There is no room.
    #[error("failed to {action} {}: the disk is full", path.display())]
    Full {
        /// What was tried.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
    },
    /// The folder does not take writes.
    #[error("failed to {action} {}: it is read-only", path.display())]
    ReadOnly {
        /// What was tried.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
    },
    /// Anything else.
    #[error("failed to {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { action, path },
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => Self::ReadOnly { action, path },
            _ => Self::Io { action, path, source },
        }
    }
}

impl Artifacts {
    /// Opens the folder, makes it where it is missing, and removes what a former owner left half written.
    ///
    /// # Errors
    /// When the folder cannot be made or listed.
    pub fn open(root: &Path) -> Result<Self, Error> {
        let artifacts = Self { root: root.to_owned(), taken_in: Arc::default(), seen: Arc::default() };
        for dir in [artifacts.tmp(), artifacts.contents()] {
            fs::create_dir_all(&dir).map_err(Error::io("make", &dir))?;
        }
        let tmp = artifacts.tmp();
        for entry in fs::read_dir(&tmp).map_err(Error::io("list", &tmp))? {
            let path = entry.map_err(Error::io("list", &tmp))?.path();
            fs::remove_file(&path).map_err(Error::io("remove", &path))?;
        }
        Ok(artifacts)
    }
    /// Names a folder of artifacts that is only read, such as that of a backup; nothing of it is touched.
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned(), taken_in: Arc::default(), seen: Arc::default() }
    }
    /// Stores bytes.
    ///
    /// # Durability
    /// The bytes and their name are durable when it returns.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn put_bytes(&self, bytes: &[u8]) -> Result<Stored, Error> {
        let stored = Stored { digest: Digest::of(bytes), size: bytes.len() as u64 };
        if self.holds(&stored) {
            return self.settle(stored);
        }
        let mut staging = self.stage(stored.size)?;
        staging.write(bytes)?;
        staging.finish()
    }
    /// Stores the content of a file of at most `limit` bytes, in a stream.
    ///
    /// # Errors
    /// When it cannot be read or written, or is larger.
    pub fn put_file(&self, path: &Path, limit: u64) -> Result<Stored, Error> {
        let file = open_file(path).map_err(Error::io("open", path))?;
        self.put_reader(file, path, limit)
    }
    /// Stores what a reader gives, at most `limit` bytes; `path` names it in errors.
    ///
    /// # Errors
    /// When it cannot be read or written, or is larger.
    pub fn put_reader(&self, mut from: impl Read, path: &Path, limit: u64) -> Result<Stored, Error> {
        let mut staging = self.stage(limit)?;
        let mut buffer = vec![0; BLOCK];
        loop {
            match from.read(&mut buffer) {
                Ok(0) => return staging.finish(),
                Ok(count) => staging.write(&buffer[..count])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::io("read", path)(error)),
            }
        }
    }
    /// Returns the bytes that were stored since the folder was opened, those that were there already included.
    pub fn taken_in(&self) -> u64 {
        self.taken_in.load(Ordering::Relaxed)
    }
    /// Begins to write an artifact of at most `limit` bytes whose digest is not known yet.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn stage(&self, limit: u64) -> Result<Staging, Error> {
        Staging::begin(self.clone(), limit)
    }
    /// Tells whether an artifact is there, without verifying it.
    pub fn contains(&self, digest: &Digest) -> bool {
        self.path(digest).is_file()
    }
    /// Returns the size of an artifact in bytes, without verifying it.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is none.
    pub fn size(&self, digest: &Digest) -> Result<u64, Error> {
        let path = self.path(digest);
        match fs::metadata(&path) {
            Ok(metadata) => Ok(metadata.len()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::Missing(*digest)),
            Err(error) => Err(Error::io("measure", &path)(error)),
        }
    }
    /// Opens an artifact after all of its bytes were verified; the bytes read later are those of the file that was verified.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Altered`], or the disk's.
    pub fn open_verified(&self, digest: &Digest) -> Result<Content, Error> {
        Content::open(digest, &self.path(digest))
    }
    /// Opens an artifact as [`Artifacts::open_verified`] does, but does not read a file again that it verified before and that
    /// was not touched since: its size, its times and its inode are the same. `now` is the time of the system.
    ///
    /// # Errors
    /// As [`Artifacts::open_verified`].
    pub fn open_seen(&self, digest: &Digest, now: SystemTime) -> Result<Content, Error> {
        Content::open_seen(digest, &self.path(digest), &self.seen, now)
    }
    /// Reads a whole artifact of at most `max` bytes.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Altered`], [`Error::TooLarge`], or the disk's.
    pub fn read_all(&self, digest: &Digest, max: u64) -> Result<Vec<u8>, Error> {
        if self.size(digest)? > max {
            return Err(Error::TooLarge { limit: max });
        }
        let path = self.path(digest);
        let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
        let found = Digest::of(&bytes);
        if found == *digest { Ok(bytes) } else { Err(Error::Altered { digest: *digest, found }) }
    }
    /// Writes a read-only copy of an artifact to `target`, which must not exist; it is verified while it is copied.
    ///
    /// # Errors
    /// As [`Artifacts::open_verified`]; a copy that is not right is removed.
    pub fn materialise(&self, digest: &Digest, target: &Path) -> Result<(), Error> {
        read::materialise(digest, &self.path(digest), target)
    }
    /// Copies every artifact into another folder of artifacts, verified on the way; returns how many were copied. One that is
    /// removed meanwhile is nobody's.
    ///
    /// # Durability
    /// The copies are durable when it returns.
    ///
    /// # Errors
    /// An artifact that is not what its digest says; a disk that refuses.
    pub fn copy_all(&self, target: &Self) -> Result<u64, Error> {
        let mut copied = 0;
        for digest in self.list()? {
            let path = target.path(&digest);
            let folder = path.parent().unwrap_or(&target.root).to_owned();
            fs::create_dir_all(&folder).map_err(Error::io("make", &folder))?;
            match self.materialise(&digest, &path) {
                Ok(()) => copied += 1,
                Err(Error::Missing(_)) => continue,
                Err(error) => return Err(error),
            }
            for name in [&path, &folder] {
                fs::File::open(name).and_then(|name| name.sync_all()).map_err(Error::io("sync", name))?;
            }
        }
        fs::create_dir_all(target.contents()).map_err(Error::io("make", &target.contents()))?;
        Ok(copied)
    }
    /// Reads every artifact, and returns how many there are and what is wrong with which.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn verify_all(&self) -> Result<(u64, Vec<Error>), Error> {
        let (mut count, mut faults) = (0, Vec::new());
        for digest in self.list()? {
            match self.open_verified(&digest) {
                Ok(_) => count += 1,
                Err(Error::Missing(_)) => {}
                Err(error) => faults.push(error),
            }
        }
        Ok((count, faults))
    }
    /// Lists the artifacts, in no order.
    ///
    /// # Errors
    /// When a folder cannot be listed.
    pub fn list(&self) -> Result<Vec<Digest>, Error> {
        let mut digests = Vec::new();
        self.each(&mut |digest, _| {
            digests.push(digest);
            Ok(())
        })?;
        Ok(digests)
    }
    /// Removes the artifacts that nobody names and that are older than `older_than`; returns how many.
    ///
    /// The age is what protects an artifact that is stored and about to be named by a record.
    ///
    /// # Errors
    /// When a folder cannot be listed or a file not removed.
    pub fn remove_orphans(&self, live: &dyn Fn(&Digest) -> bool, older_than: Duration) -> Result<u64, Error> {
        let mut removed = 0;
        self.each(&mut |digest, path| {
            let written = fs::metadata(path).and_then(|metadata| metadata.modified());
            let age = SystemTime::now().duration_since(written.map_err(Error::io("measure", path))?);
            if age.is_ok_and(|age| age >= older_than) && !live(&digest) {
                fs::remove_file(path).map_err(Error::io("remove", path))?;
                removed += 1;
            }
            Ok(())
        })?;
        Ok(removed)
    }

    fn each(&self, visit: &mut dyn FnMut(Digest, &Path) -> Result<(), Error>) -> Result<(), Error> {
        let contents = self.contents();
        for dir in fs::read_dir(&contents).map_err(Error::io("list", &contents))? {
            let dir = dir.map_err(Error::io("list", &contents))?.path();
            for entry in fs::read_dir(&dir).map_err(Error::io("list", &dir))? {
                let path = entry.map_err(Error::io("list", &dir))?.path();
                let parts =
                    [&dir, &path].map(|path| path.file_name().unwrap_or_default().to_string_lossy().into_owned());
                if let Ok(digest) = format!("sha256:{}", parts.concat()).parse() {
                    visit(digest, &path)?;
                }
            }
        }
        Ok(())
    }
    fn holds(&self, stored: &Stored) -> bool {
        self.size(&stored.digest).is_ok_and(|size| size == stored.size) && self.open_verified(&stored.digest).is_ok()
    }
    /// Makes the name of stored bytes durable, also when somebody else gave it and died.
    fn settle(&self, stored: Stored) -> Result<Stored, Error> {
        let contents = self.contents();
        for dir in [self.path(&stored.digest).parent().unwrap_or(&contents), &contents] {
            fs::File::open(dir).and_then(|dir| dir.sync_all()).map_err(Error::io("sync", dir))?;
        }
        self.taken_in.fetch_add(stored.size, Ordering::Relaxed);
        Ok(stored)
    }
    fn contents(&self) -> PathBuf {
        self.root.join("sha256")
    }
    fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }
    fn path(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        self.contents().join(&hex[..2]).join(&hex[2..])
    }
}

/// Opens a regular file for reading. A FIFO or a device, which may give nothing for ever, is refused and not waited for.
///
/// # Errors
/// The system's, and when it is no regular file.
pub fn open_file(path: &Path) -> io::Result<fs::File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    let file = fs::OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    Ok(file)
}

/// Bytes that are copied or hashed at once.
const BLOCK: usize = 64 * 1024;

/// Copies all of `from` to `to` and returns the digest of what was copied.
fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<Digest> {
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; BLOCK]);
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(Digest::from_bytes(hasher.finalize().into())),
            Ok(count) => {
                hasher.update(&buffer[..count]);
                to.write_all(&buffer[..count])?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests;
