//! The real disk.

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt as _, FileExt};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, test_kill_process};

use super::{File, Io, LockError};

/// The file system of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct DiskIo;

/// A lock file that is locked; dropping it unlocks it.
#[derive(Debug)]
pub struct DiskLock {
    _file: fs::File,
}

/// A holder that was killed while it started a child leaves the lock to the child, which lets go of it at its exec: where the holder
/// is gone the lock is waited for so long.
const LEFT_BEHIND: Duration = Duration::from_secs(10);
/// How often the lock is tried meanwhile.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Bytes of zeros that are on their way to the disk at once, at most: the sync of an append waits behind so many and no more.
const ZEROS_AT_ONCE: u64 = 2 << 20;

static ZEROS: [u8; 256 * 1024] = [0; 256 * 1024];

impl Io for DiskIo {
    type File = fs::File;
    type Lock = DiskLock;

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        // What is in a store is its owner's only, whatever the mode of the files in it.
        match fs::DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            made => made,
        }
    }
    fn open(&self, path: &Path) -> io::Result<fs::File> {
        fs::OpenOptions::new().read(true).write(true).open(path)
    }
    fn open_read(&self, path: &Path) -> io::Result<fs::File> {
        fs::File::open(path)
    }
    fn create(&self, path: &Path, len: u64) -> io::Result<fs::File> {
        let mut file = fs::OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
        let (mut left, mut unsynced) = (len, 0);
        while left > 0 {
            let part = left.min(ZEROS.len() as u64) as usize;
            file.write_all(&ZEROS[..part])?;
            left -= part as u64;
            unsynced += part as u64;
            if unsynced >= ZEROS_AT_ONCE && left > 0 {
                file.sync_data()?;
                unsynced = 0;
            }
        }
        Ok(file)
    }
    fn free(&self, path: &Path) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(path.parent().unwrap_or(path))?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(dir)? {
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        fs::File::open(dir)?.sync_all()
    }
    fn lock(&self, path: &Path) -> Result<DiskLock, LockError> {
        let mut file = fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let begun = Instant::now();
        while let Err(errno) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
            if errno != rustix::io::Errno::WOULDBLOCK {
                return Err(LockError::Io(errno.into()));
            }
            let mut text = String::new();
            file.rewind()?;
            let _ = (&mut file).take(20).read_to_string(&mut text);
            let pid = text.trim().parse().ok();
            if pid.is_none_or(is_there) || begun.elapsed() > LEFT_BEHIND {
                return Err(LockError::Held { pid });
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())?;
        Ok(DiskLock { _file: file })
    }
    fn salt(&self) -> u32 {
        RandomState::new().hash_one(std::process::id()) as u32
    }
}

fn is_there(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

impl File for fs::File {
    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < buf.len() {
            match FileExt::read_at(self, &mut buf[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }
    fn sync_data(&self) -> io::Result<()> {
        fs::File::sync_data(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_owner_is_told_who_holds_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = DiskIo.lock(&path).unwrap();
        let refused = DiskIo.lock(&path).unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!("failed to take the store: it is held by the process {}", std::process::id())
        );
        drop(held);
        DiskIo.lock(&path).unwrap();
    }

    #[test]
    fn a_lock_that_a_dead_owner_has_left_to_a_child_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let mut gone = std::process::Command::new("true").spawn().unwrap();
        let pid = gone.id();
        gone.wait().unwrap();
        let held = DiskIo.lock(&path).unwrap();
        fs::write(&path, format!("{pid}\n")).unwrap();
        let child = std::thread::spawn(move || {
            std::thread::sleep(5 * LOOK_AGAIN);
            drop(held);
        });
        DiskIo.lock(&path).unwrap();
        child.join().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
    }
}
