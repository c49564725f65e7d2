//! The files beside a descriptor, as the caller shows them: this room reads none by itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use enact_model::digest::Digest;

/// Why a file cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// There is none.
    #[error("does not exist")]
    Missing,
    /// There is a folder or something else.
    #[error("is not a plain file")]
    NotAFile,
    /// It, or a link in its path, leads out of the folder.
    #[error("lies outside of the folder of the descriptor")]
    Outside,
    /// It is there and cannot be run.
    #[error("is not executable")]
    NotExecutable,
    /// It is larger than the caller reads.
    #[error("is too large")]
    TooLarge,
    /// It is no jar.
    #[error("is not a jar: {0}")]
    NotAJar(String),
    /// The system says no.
    #[error("cannot be read: {0}")]
    Unreadable(String),
}

/// What is known of a file without reading it into memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFacts {
    /// The digest of its content.
    pub digest: Digest,
    /// Whether it may be executed.
    pub executable: bool,
}

/// What is known of a jar from its directory and the heads of its classes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JarFacts {
    /// How many classes it has.
    pub classes: usize,
    /// The Java release that they need; `None` without any.
    pub needs_java: Option<u32>,
    /// Where its classes are.
    pub layout: JarLayout,
}

/// Where the classes of a jar are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JarLayout {
    /// At its root, where every JVM finds them.
    Plain,
    /// In folders and archives inside of it, for which it brings a loader of its own.
    Nested,
}

/// The folder of a descriptor.
pub trait Files {
    /// Returns the folder as an absolute path; relative roots begin there.
    fn folder(&self) -> PathBuf;
    /// Reads a small file, such as a schema, by its name relative to the folder.
    ///
    /// # Errors
    /// Every way in which it cannot be had.
    fn read(&self, name: &str) -> Result<Vec<u8>, FileError>;
    /// Looks at a file of the package.
    ///
    /// # Errors
    /// Every way in which it cannot be had.
    fn facts(&self, name: &str) -> Result<FileFacts, FileError>;
    /// Returns whether an absolute path is a folder (for roots).
    fn is_folder(&self, path: &Path) -> bool;
    /// Looks for a program that is not part of the package: a name to be found in `PATH`, or an absolute path.
    ///
    /// # Errors
    /// A program that is missing or not executable.
    fn program(&self, program: &str) -> Result<(), FileError>;
    /// Looks into a jar of the package.
    ///
    /// # Errors
    /// Every way in which it cannot be had, and what is no jar.
    fn jar(&self, name: &str) -> Result<JarFacts, FileError>;
    /// Returns the name of the jar in which the descriptor stands, if it stands in one.
    fn itself(&self) -> Option<String> {
        None
    }
}

/// Brings a relative name to its normal form without `.`, `..` and empty parts; `None` if it is absolute or leaves the folder.
pub fn normal_name(name: &str) -> Option<String> {
    if name.starts_with('/') || name.contains('\\') || name.contains('\0') {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    if parts.is_empty() { None } else { Some(parts.join("/")) }
}

/// A folder in memory, for descriptors that come without one and for tests.
#[derive(Debug, Clone, Default)]
pub struct MemoryFiles {
    /// The files: content, and whether it may be executed.
    pub files: BTreeMap<String, (Vec<u8>, bool)>,
    /// The absolute paths that are folders.
    pub folders: Vec<PathBuf>,
    /// The programs that are there; without any, every program is.
    pub programs: Option<Vec<String>>,
}

impl MemoryFiles {
    /// Adds a file.
    #[must_use]
    pub fn file(mut self, name: &str, content: &[u8], executable: bool) -> Self {
        self.files.insert(name.to_owned(), (content.to_vec(), executable));
        self
    }
    fn get(&self, name: &str) -> Result<&(Vec<u8>, bool), FileError> {
        self.files.get(name).ok_or(FileError::Missing)
    }
}

impl Files for MemoryFiles {
    fn folder(&self) -> PathBuf {
        PathBuf::from("/package")
    }
    fn read(&self, name: &str) -> Result<Vec<u8>, FileError> {
        self.get(name).map(|(content, _)| content.clone())
    }
    fn facts(&self, name: &str) -> Result<FileFacts, FileError> {
        self.get(name).map(|(content, executable)| FileFacts { digest: Digest::of(content), executable: *executable })
    }
    fn is_folder(&self, path: &Path) -> bool {
        self.folders.iter().any(|folder| folder == path)
    }
    fn program(&self, program: &str) -> Result<(), FileError> {
        match &self.programs {
            Some(programs) if !programs.iter().any(|known| known == program) => Err(FileError::Missing),
            _ => Ok(()),
        }
    }
    /// In memory a jar is the word `jar` and the release that its classes need, `jar 17`; `jar empty` has none and
    /// `jar nested` keeps them inside.
    fn jar(&self, name: &str) -> Result<JarFacts, FileError> {
        let (content, _) = self.get(name)?;
        let text = String::from_utf8_lossy(content);
        let word = text.strip_prefix("jar").ok_or_else(|| FileError::NotAJar("it has no directory".to_owned()))?;
        Ok(match word.trim() {
            "empty" => JarFacts { classes: 0, needs_java: None, layout: JarLayout::Plain },
            "nested" => JarFacts { classes: 1, needs_java: Some(8), layout: JarLayout::Nested },
            release => JarFacts { classes: 1, needs_java: release.parse().ok().or(Some(8)), layout: JarLayout::Plain },
        })
    }
}
