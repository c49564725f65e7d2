//! The store's folder: who holds it, and which format it has.

use std::path::{Path, PathBuf};

use crate::io::{File, Io, LockError};

/// The format of the store's folder that this build writes.
pub const FORMAT: u32 = 2;
pub(super) const NAME: &str = "FORMAT";
const WORDS: &str = "enact store ";

/// Why the folder of a store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another hub holds it.
    #[error("failed to open the store {}", path.display())]
    Lock {
        /// The store.
        path: PathBuf,
        /// Who holds it, or what the system said.
        source: LockError,
    },
    /// A newer enact made it; nothing was touched.
    #[error("failed to open the store {}: it has format {found}, and this enact knows formats up to {FORMAT}", path.display())]
    Newer {
        /// The store.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// The file says something else than a format.
    #[error("failed to open the store {}: its file FORMAT does not name a format", path.display())]
    Unreadable {
        /// The store.
        path: PathBuf,
    },
    /// It does not take writes, and a hub writes from its first moment on; nothing was touched.
    #[error("failed to open the store {}: it is read-only", path.display())]
    ReadOnly {
        /// The store.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The system refused.
    #[error("failed to {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl FolderError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

/// Checks the format of a store, makes the folder where there is none, and takes it for this process. An older format is raised
/// to that of this build, which may write from here on what an older one does not know.
pub(super) fn take<I: Io>(io: &I, path: &Path) -> Result<I::Lock, FolderError> {
    // The format first: a newer one is left untouched.
    let known = read_format(io, path)?;
    io.create_dir(path).map_err(FolderError::io("make", path))?;
    let lock = io.lock(&path.join("lock")).map_err(|source| match source {
        LockError::Io(source) if is_read_only(&source) => FolderError::ReadOnly { path: path.to_owned(), source },
        source => FolderError::Lock { path: path.to_owned(), source },
    })?;
    if known != Some(FORMAT) && read_format(io, path)? != Some(FORMAT) {
        write_format(io, path)?;
    }
    Ok(lock)
}

/// Tells whether the system takes no writes there, from this user or from anybody.
pub(super) fn is_read_only(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::ReadOnlyFilesystem | std::io::ErrorKind::PermissionDenied)
}

/// Returns the format of a store, which this build knows; none where no store is.
pub(super) fn read_format<I: Io>(io: &I, path: &Path) -> Result<Option<u32>, FolderError> {
    let name = path.join(NAME);
    let file = match io.open_read(&name) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(FolderError::io("open", &name)(error)),
    };
    let mut bytes = [0; 64];
    let count = file.read_at(&mut bytes, 0).map_err(FolderError::io("read", &name))?;
    let text = String::from_utf8_lossy(bytes.get(..count).unwrap_or_default());
    match text.strip_prefix(WORDS).and_then(|rest| rest.lines().next()).and_then(|number| number.parse().ok()) {
        Some(found) if found > FORMAT => Err(FolderError::Newer { path: path.to_owned(), found }),
        Some(found) => Ok(Some(found)),
        None => Err(FolderError::Unreadable { path: path.to_owned() }),
    }
}

fn write_format<I: Io>(io: &I, path: &Path) -> Result<(), FolderError> {
    let (name, draft) = (path.join(NAME), path.join("FORMAT.tmp"));
    let file = io.create(&draft, 0).map_err(FolderError::io("make", &draft))?;
    file.write_at(format!("{WORDS}{FORMAT}\n").as_bytes(), 0).map_err(FolderError::io("write", &draft))?;
    file.sync_data().map_err(FolderError::io("sync", &draft))?;
    io.rename(&draft, &name).map_err(FolderError::io("rename", &draft))?;
    for dir in [Some(path), path.parent()].into_iter().flatten().filter(|dir| *dir != Path::new("")) {
        io.sync_dir(dir).map_err(FolderError::io("sync", dir))?;
    }
    Ok(())
}
