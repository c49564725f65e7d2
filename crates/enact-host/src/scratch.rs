//! The scratch folder of one attempt: made for it, confined to it, removed with its observation.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags};

/// A folder that only one attempt uses; dropping it removes it with everything in it.
#[derive(Debug)]
pub struct Scratch {
    folder: tempfile::TempDir,
}

/// Why a path beneath a folder could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum BeneathError {
    /// It leads out of the folder: absolute, `..`, or a link.
    #[error("failed to open {0:?}: it leads out of its folder")]
    Escapes(String),
    /// There is nothing.
    #[error("failed to open {0:?}: it is not there")]
    Missing(String),
    /// It is no regular file.
    #[error("failed to open {0:?}: it is no regular file")]
    NotAFile(String),
    /// The system refused for another reason.
    #[error("failed to open {path:?}")]
    Io {
        /// The path.
        path: String,
        /// The reason.
        source: io::Error,
    },
}

impl Scratch {
    /// Makes a folder in `parent`, readable by the owner only. A parent that somebody has deleted is made again.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn new(parent: &Path, prefix: &str) -> io::Result<Self> {
        let make = || tempfile::Builder::new().prefix(prefix).tempdir_in(parent);
        let made = make().or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => std::fs::create_dir_all(parent).and_then(|()| make()),
            _ => Err(error),
        });
        Ok(Self { folder: made? })
    }
    /// Returns its path.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
    /// Opens a regular file beneath it.
    ///
    /// # Errors
    /// As [`open_beneath`].
    pub fn open(&self, path: &str) -> Result<(File, u64), BeneathError> {
        open_beneath(self.path(), path)
    }
}

/// Opens the regular file `path` beneath `folder` without following any link, and returns it with its size. The
/// kernel resolves it (`openat2`), so that nothing can be swapped between a check and the use.
///
/// # Errors
/// The path leads out, is not there or is no regular file.
pub fn open_beneath(folder: &Path, path: &str) -> Result<(File, u64), BeneathError> {
    let escapes = || BeneathError::Escapes(path.to_owned());
    let climbs = Path::new(path).components().any(|part| !matches!(part, std::path::Component::Normal(_)));
    if path.is_empty() || path.contains('\0') || climbs {
        return Err(escapes());
    }
    let fail = |e: rustix::io::Errno| match e {
        rustix::io::Errno::XDEV | rustix::io::Errno::LOOP => escapes(),
        rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR => BeneathError::Missing(path.to_owned()),
        other => BeneathError::Io { path: path.to_owned(), source: other.into() },
    };
    let root: OwnedFd =
        rustix::fs::openat(CWD, folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .map_err(fail)?;
    // NONBLOCK: a FIFO that the handler left must not hang the hub.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let file = loop {
        match rustix::fs::openat2(&root, path, flags, Mode::empty(), resolve) {
            // The kernel gives up when something is renamed while it looks; looking again is what it asks for.
            Err(rustix::io::Errno::AGAIN) => {}
            other => break other.map_err(fail)?,
        }
    };
    let stat = rustix::fs::fstat(&file).map_err(fail)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(BeneathError::NotAFile(path.to_owned()));
    }
    Ok((File::from(file), u64::try_from(stat.st_size).unwrap_or(0)))
}

/// Returns the last part of a name that somebody else chose, made harmless as a file name.
pub fn file_name(name: &str) -> PathBuf {
    let last = name.rsplit(['/', '\\']).next().unwrap_or("");
    let safe: String = last.chars().filter(|c| !c.is_control()).take(100).collect();
    let safe = safe.trim_start_matches(['.', '-']);
    PathBuf::from(if safe.is_empty() { "file" } else { safe })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_path_that_leads_out_of_its_folder_is_refused_however_it_is_written() {
        let scratch = Scratch::new(&std::env::temp_dir(), "t-").unwrap();
        let at = |name: &str| scratch.path().join(name);
        std::fs::create_dir(at("sub")).unwrap();
        std::fs::write(at("sub/in"), "inside").unwrap();
        symlink("/etc/passwd", at("link")).unwrap();
        symlink("sub", at("folder-link")).unwrap();
        for path in ["/etc/passwd", "../x", "sub/../../x", "sub/../sub/in", "link", "folder-link/in", "", ".", "a\0b"] {
            assert!(matches!(scratch.open(path), Err(BeneathError::Escapes(_))), "{path:?}: {:?}", scratch.open(path));
        }
        assert!(matches!(scratch.open("none"), Err(BeneathError::Missing(_))));
        assert!(matches!(scratch.open("sub"), Err(BeneathError::NotAFile(_))));
        assert_eq!(scratch.open("sub/in").unwrap().1, 6);
    }

    #[test]
    fn a_fifo_is_refused_and_does_not_hang() {
        let scratch = Scratch::new(&std::env::temp_dir(), "t-").unwrap();
        let path = scratch.path().join("fifo");
        rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        assert!(matches!(scratch.open("fifo"), Err(BeneathError::NotAFile(_))));
    }

    #[test]
    fn a_name_chosen_by_others_becomes_a_plain_file_name() {
        assert_eq!(file_name("a/b/c.pdf"), PathBuf::from("c.pdf"));
        assert_eq!(file_name("../.."), PathBuf::from("file"));
        assert_eq!(file_name("-rf"), PathBuf::from("rf"));
        assert_eq!(file_name(""), PathBuf::from("file"));
    }
}
