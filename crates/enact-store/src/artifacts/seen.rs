//! Which files were verified, and what tells each from what it became since.

use std::collections::VecDeque;
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{fs, io};

use enact_model::digest::Digest;

/// Most files that are remembered; the oldest is forgotten first.
const FILES_MAX: usize = 256;
/// A file that changed since may change again within the same tick of the file system's clock, and nothing would tell.
const SETTLED: Duration = Duration::from_secs(2);

/// What tells a file from another one, and from what it was before it was written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub size: u64,
    device: u64,
    inode: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
    /// The same; nobody can set this one back.
    changed: (i64, i64),
}

impl Stamp {
    pub fn of(file: &fs::File) -> io::Result<Self> {
        let found = file.metadata()?;
        Ok(Self {
            size: found.size(),
            device: found.dev(),
            inode: found.ino(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        })
    }
    pub fn is_settled(&self, now: SystemTime) -> bool {
        let changed = UNIX_EPOCH + Duration::from_secs(u64::try_from(self.changed.0).unwrap_or(0));
        now.duration_since(changed).is_ok_and(|age| age > SETTLED)
    }
}

/// The files that were verified last.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<VecDeque<(Digest, Stamp)>>);

impl Seen {
    pub fn has(&self, digest: &Digest, stamp: &Stamp) -> bool {
        let files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        files.iter().any(|(of, was)| of == digest && was == stamp)
    }
    pub fn add(&self, digest: Digest, stamp: Stamp) {
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        files.retain(|(of, _)| *of != digest);
        files.push_back((digest, stamp));
        if files.len() > FILES_MAX {
            files.pop_front();
        }
    }
}
