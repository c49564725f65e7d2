//! Copies a store while it is in use: the log up to a durable position, and the tables before its beginning.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use enact_model::id::Lsn;

use crate::contract::View as _;
use crate::io::Io;
use crate::log;

use super::cold::{ColdStorage, Purpose};
use super::view::EmbeddedView;

/// What a copy holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// The last record.
    pub position: Lsn,
    /// Bytes of the log.
    pub log_bytes: u64,
}

/// Why a store could not be copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The log could not be read or its copy not be written.
    #[error(transparent)]
    Log(#[from] log::Error),
    /// A file could not be used.
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

impl CopyError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

impl<I: Io, S: ColdStorage> EmbeddedView<I, S> {
    /// Copies the store in the folder `store` of a real disk to the folder `target`, which is there and empty: every record
    /// that is durable now, and the base. Commits go on; retention waits. The tables are not copied: whoever opens the copy
    /// makes them from the log.
    ///
    /// # Durability
    /// The copy is durable when it returns.
    ///
    /// # Errors
    /// When something cannot be read or written; what was copied stays.
    pub fn copy(&self, store: &Path, target: &Path) -> Result<Copied, CopyError> {
        let _one = self.shared.base.lock().unwrap_or_else(PoisonError::into_inner);
        let position = self.position();
        let log = target.join("log");
        fs::create_dir(&log).map_err(CopyError::io("make", &log))?;
        let log_bytes = self.shared.reader.copy(position, &log)?;
        let base = Purpose::Base.folder();
        if self.shared.storage.exists(Purpose::Base) {
            copy_folder(&store.join(base), &target.join(base))?;
        }
        // The name that makes it a store comes last.
        copy_file(&store.join(super::folder::NAME), &target.join(super::folder::NAME))?;
        sync(target)?;
        Ok(Copied { position, log_bytes })
    }
}

/// Copies a folder with everything in it, and makes the copy durable.
///
/// # Errors
/// When something cannot be read or written; a link is not followed, and refused.
pub fn copy_folder(from: &Path, to: &Path) -> Result<(), CopyError> {
    fs::create_dir(to).map_err(CopyError::io("make", to))?;
    for entry in fs::read_dir(from).map_err(CopyError::io("list", from))? {
        let entry = entry.map_err(CopyError::io("list", from))?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().map_err(CopyError::io("look at", &path))?;
        match (kind.is_dir(), kind.is_file()) {
            (true, _) => copy_folder(&path, &target)?,
            (_, true) => copy_file(&path, &target)?,
            _ => return Err(CopyError::io("copy", &path)(io::Error::other("it is no plain file"))),
        }
    }
    sync(to)
}

fn copy_file(from: &Path, to: &Path) -> Result<(), CopyError> {
    fs::copy(from, to).map_err(CopyError::io("copy", from))?;
    sync(to)
}

fn sync(path: &Path) -> Result<(), CopyError> {
    fs::File::open(path).and_then(|file| file.sync_all()).map_err(CopyError::io("sync", path))
}
