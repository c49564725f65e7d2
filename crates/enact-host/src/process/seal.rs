//! Whether a file that was brought here is still what its digest says. Nobody reads hundreds of megabytes before each start:
//! a file whose stamp is that of the one that was verified is that one.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use enact_model::digest::Digest;
use sha2::{Digest as _, Sha256};

/// How much is read at once, in bytes.
const CHUNK_BYTES: usize = 256 * 1024;
/// A file that changed so lately may change again within the same tick of the system's clock, and its stamp would stay.
const TICK: Duration = Duration::from_millis(50);

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// It is what its digest says.
    Whole,
    /// Nothing is there.
    Absent,
    /// Something else is there, or it cannot be read.
    Altered,
}

/// What tells a file from another one, and from what it was before somebody wrote to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    size: u64,
    device: u64,
    inode: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
    /// The same; nobody can set this one back.
    changed: (i64, i64),
}

impl Stamp {
    fn of(found: &Metadata) -> Self {
        Self {
            size: found.size(),
            device: found.dev(),
            inode: found.ino(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }

    fn is_settled(&self, now: SystemTime) -> bool {
        let part = |number: i64| u64::try_from(number).unwrap_or(0);
        let changed = Duration::from_secs(part(self.changed.0)) + Duration::from_nanos(part(self.changed.1));
        now.duration_since(UNIX_EPOCH + changed).is_ok_and(|age| age > TICK)
    }
}

/// The stamps of the files that were verified, by path. Whoever asks blocks.
#[derive(Debug, Default)]
pub(crate) struct Seals(Mutex<BTreeMap<PathBuf, Stamp>>);

impl Seals {
    fn stamps(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Stamp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers a file that was verified on its way to its place.
    pub fn placed(&self, path: &Path) {
        if let Ok(found) = std::fs::symlink_metadata(path) {
            self.stamps().insert(path.to_owned(), Stamp::of(&found));
        }
    }

    /// Tells what became of a file; it is read only if its stamp is another one than when it was verified.
    pub fn look(&self, path: &Path, digest: &Digest) -> Kept {
        let found = match std::fs::symlink_metadata(path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Kept::Absent,
            Err(_) => return Kept::Altered,
        };
        let stamp = Stamp::of(&found);
        if !found.is_file() {
            return Kept::Altered;
        }
        if self.stamps().get(path) == Some(&stamp) {
            return Kept::Whole;
        }
        if digest_of(path).is_ok_and(|read| read == *digest) {
            let settled = stamp.is_settled(SystemTime::now());
            let same = std::fs::symlink_metadata(path).is_ok_and(|after| Stamp::of(&after) == stamp);
            if settled && same {
                self.stamps().insert(path.to_owned(), stamp);
            }
            return Kept::Whole;
        }
        Kept::Altered
    }
}

/// Reads a whole file, which may be large. Blocks.
pub(crate) fn digest_of(path: &Path) -> io::Result<Digest> {
    let (mut file, mut hasher, mut chunk) = (File::open(path)?, Sha256::new(), vec![0; CHUNK_BYTES]);
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(Digest::from_bytes(hasher.finalize().into())),
            count => hasher.update(chunk.get(..count).unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_file_is_whole_until_somebody_writes_to_it_takes_it_away_or_puts_something_in_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("file"), folder.path().join("other"));
        let digest = Digest::of(b"whole");
        let seals = Seals::default();
        assert_eq!(seals.look(&path, &digest), Kept::Absent);
        std::fs::write(&path, "whole").unwrap();
        seals.placed(&path);
        assert_eq!(seals.look(&path, &digest), Kept::Whole);
        // Of the same size and with the same time, but another file.
        std::fs::write(&other, "whose").unwrap();
        let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
        File::options().write(true).open(&other).unwrap().set_modified(modified).unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert_eq!(seals.look(&path, &digest), Kept::Altered);
        std::fs::write(&path, "whole and more").unwrap();
        assert_eq!(seals.look(&path, &digest), Kept::Altered);
        // Who touches it, or writes the same once more, has altered nothing.
        std::fs::write(&path, "whole").unwrap();
        assert_eq!(seals.look(&path, &digest), Kept::Whole);
        std::fs::write(&other, "whole").unwrap();
        std::fs::remove_file(&path).unwrap();
        symlink(&other, &path).unwrap();
        assert_eq!(seals.look(&path, &digest), Kept::Altered);
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert_eq!(seals.look(&path, &digest), Kept::Altered);
    }

    #[test]
    fn a_file_that_changed_within_the_tick_is_read_again_the_next_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "whole").unwrap();
        let stamp = Stamp::of(&std::fs::metadata(&path).unwrap());
        let seconds = u64::try_from(stamp.changed.0).unwrap();
        let changed = UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_nanos(stamp.changed.1.unsigned_abs());
        assert!(!stamp.is_settled(changed) && !stamp.is_settled(changed + TICK) && !stamp.is_settled(UNIX_EPOCH));
        assert!(stamp.is_settled(changed + 2 * TICK));
    }
}
