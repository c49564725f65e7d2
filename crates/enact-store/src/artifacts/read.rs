//! Artifacts are verified before anybody sees their bytes.

use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::SystemTime;

use enact_model::digest::Digest;

use super::seen::{Seen, Stamp};
use super::{Error, copy};

/// The bytes of an artifact, verified when it was opened; it reads and seeks as a file does.
#[derive(Debug)]
pub struct Content {
    file: fs::File,
    size: u64,
}

impl Content {
    pub(super) fn open(digest: &Digest, path: &Path) -> Result<Self, Error> {
        Self::verify(open(digest, path)?, digest, path)
    }
    /// Opens it without reading it if it is the file that was verified before; otherwise it is verified, and remembered.
    pub(super) fn open_seen(digest: &Digest, path: &Path, seen: &Seen, now: SystemTime) -> Result<Self, Error> {
        let file = open(digest, path)?;
        let before = Stamp::of(&file).map_err(Error::io("measure", path))?;
        if seen.has(digest, &before) {
            return Ok(Self { file, size: before.size });
        }
        let content = Self::verify(file, digest, path)?;
        if Stamp::of(&content.file).is_ok_and(|after| after == before) && before.is_settled(now) {
            seen.add(*digest, before);
        }
        Ok(content)
    }
    fn verify(mut file: fs::File, digest: &Digest, path: &Path) -> Result<Self, Error> {
        let found = copy(&mut file, &mut io::sink()).map_err(Error::io("read", path))?;
        if found != *digest {
            return Err(Error::Altered { digest: *digest, found });
        }
        let size = file.stream_position().map_err(Error::io("read", path))?;
        file.rewind().map_err(Error::io("read", path))?;
        Ok(Self { file, size })
    }
    /// Returns the size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}

impl Seek for Content {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// Copies an artifact; a link would let a child alter the original.
pub(super) fn materialise(digest: &Digest, path: &Path, target: &Path) -> Result<(), Error> {
    let mut from = open(digest, path)?;
    let mut to = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o444)
        .open(target)
        .map_err(Error::io("make", target))?;
    let copied = copy(&mut from, &mut to)
        .map_err(Error::io("write", target))
        .and_then(|found| if found == *digest { Ok(()) } else { Err(Error::Altered { digest: *digest, found }) });
    if copied.is_err() {
        let _ = fs::remove_file(target);
    }
    copied
}

fn open(digest: &Digest, path: &Path) -> Result<fs::File, Error> {
    match fs::File::open(path) {
        Ok(file) => Ok(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::Missing(*digest)),
        Err(error) => Err(Error::io("open", path)(error)),
    }
}
