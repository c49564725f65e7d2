//! Packages on disk: a descriptor and the files beside it, read for the catalog and copied into the artifact store.

mod jar;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use enact_catalog::component::{FileError, FileFacts, Files, JarFacts, component_digest, read_component};
use enact_catalog::fault::DescriptorFault;
use enact_catalog::solution::read_solution;
use enact_host::scratch::{BeneathError, open_beneath};
use enact_model::descriptor::{Component, Solution};
use enact_model::digest::Digest;
use enact_store::artifacts::{self, Artifacts};

use crate::api::Refusal;
use crate::hub::component::{unusable, unusable_solution};

/// The name of a component's descriptor.
const DESCRIPTOR: &str = "component.yaml";
/// The name of a solution's descriptor.
const SOLUTION: &str = "solution.yaml";
/// Largest descriptor or schema, in bytes.
const TEXT_MAX_BYTES: u64 = 4 * 1024 * 1024;
/// Largest packaged file, in bytes.
const FILE_MAX_BYTES: u64 = 4 * 1024 * 1024 * 1024;

/// Why a package cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PackageError {
    #[error("failed to read {path}: {source}")]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("failed to find a descriptor in {0}: it has no META-INF/enact/component.yaml, and none beside it names it")]
    NoDescriptor(PathBuf),
    #[error("failed to read the descriptor in {path}: it {source}")]
    Jar { path: PathBuf, source: FileError },
    #[error("failed to read the descriptor: it has {} faults", .0.len())]
    Faults(Vec<DescriptorFault>),
    #[error(transparent)]
    Store(#[from] artifacts::Error),
}

/// A component as it stands on disk.
#[derive(Clone)]
pub(crate) struct Package {
    pub(crate) component: Component,
    pub(crate) digest: Digest,
    folder: PathBuf,
}

impl Package {
    /// Reads a component from its folder, its descriptor, or its jar.
    pub(crate) fn read(path: &Path) -> Result<Self, PackageError> {
        if !path.is_dir() && jar::is_jar(path) {
            return match jar::beside(path) {
                Some(descriptor) => Self::of_file(&descriptor),
                None => Self::inside(path),
            };
        }
        Self::of_file(&descriptor(path, DESCRIPTOR))
    }

    fn of_file(file: &Path) -> Result<Self, PackageError> {
        let text = read_text(file)?;
        let folder = file.parent().unwrap_or(Path::new("/")).to_owned();
        Self::of_text(&text, &file.display().to_string(), &Folder(folder.clone()), folder)
    }

    fn inside(path: &Path) -> Result<Self, PackageError> {
        let jar = jar::Inside::new(path).ok_or_else(|| PackageError::NoDescriptor(path.to_owned()))?;
        let text = jar.descriptor().map_err(|source| PackageError::Jar { path: path.to_owned(), source })?;
        let text = text.ok_or_else(|| PackageError::NoDescriptor(path.to_owned()))?;
        Self::of_text(&text, &jar.file_name(), &jar, jar.folder())
    }

    fn of_text(text: &str, name: &str, files: &dyn Files, folder: PathBuf) -> Result<Self, PackageError> {
        let component = read_component(text, name, files).map_err(PackageError::Faults)?;
        let digest = component_digest(&component);
        Ok(Self { component, digest, folder })
    }

    /// Copies the packaged files into the artifact store.
    pub(crate) fn keep(&self, artifacts: &Artifacts) -> Result<(), PackageError> {
        for (name, digest) in self.component.shape.files() {
            if artifacts.contains(digest) {
                continue;
            }
            let path = self.folder.join(name);
            let stored = artifacts.put_file(&path, FILE_MAX_BYTES)?;
            if stored.digest != *digest {
                let source = std::io::Error::other("it changed while it was read");
                return Err(PackageError::Unreadable { path, source });
            }
        }
        Ok(())
    }
}

/// Lists the files of a component by their names in its package, the descriptor first: what another machine needs of it. The
/// descriptor is judged, but for what only the hub's machine can say.
///
/// # Errors
/// A descriptor that cannot be read, with every fault.
pub fn gather(path: &Path) -> Result<Vec<(String, PathBuf)>, Box<Refusal>> {
    let file_name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let jar = (!path.is_dir() && jar::is_jar(path)).then_some(path);
    let descriptor = match jar {
        Some(jar) => match jar::beside(jar) {
            Some(descriptor) => descriptor,
            None => return Package::inside(jar).map(|_| vec![(file_name(jar), jar.to_owned())]).map_err(unusable),
        },
        None => descriptor(path, DESCRIPTOR),
    };
    let text = read_text(&descriptor).map_err(unusable)?;
    let folder = descriptor.parent().unwrap_or(Path::new("/")).to_owned();
    let seen = Seen { folder: Folder(folder.clone()), names: RefCell::default() };
    let read = read_component(&text, &descriptor.display().to_string(), &seen);
    read.map_err(|faults| unusable(PackageError::Faults(faults)))?;
    let mut files = vec![(file_name(&descriptor), descriptor)];
    files.extend(seen.names.into_inner().into_iter().map(|name| (name.clone(), folder.join(name))));
    Ok(files)
}

/// A folder that remembers which of its files were asked for, and takes the hub's machine to have everything.
struct Seen {
    folder: Folder,
    names: RefCell<BTreeSet<String>>,
}

impl Seen {
    fn note(&self, name: &str) {
        self.names.borrow_mut().insert(name.to_owned());
    }
}

impl Files for Seen {
    fn folder(&self) -> PathBuf {
        self.folder.folder()
    }
    fn read(&self, name: &str) -> Result<Vec<u8>, FileError> {
        self.note(name);
        self.folder.read(name)
    }
    fn facts(&self, name: &str) -> Result<FileFacts, FileError> {
        self.note(name);
        self.folder.facts(name)
    }
    fn jar(&self, name: &str) -> Result<JarFacts, FileError> {
        self.note(name);
        self.folder.jar(name)
    }
    fn is_folder(&self, _: &Path) -> bool {
        true
    }
    fn program(&self, _: &str) -> Result<(), FileError> {
        Ok(())
    }
}

/// Reads a solution from its folder or its descriptor.
pub(crate) fn solution(path: &Path) -> Result<Solution, PackageError> {
    let file = descriptor(path, SOLUTION);
    let text = read_text(&file)?;
    read_solution(&text, &file.display().to_string()).map_err(PackageError::Faults)
}

/// Returns the file of a solution, which is judged: what another machine needs of it.
///
/// # Errors
/// A file that cannot be read, with every fault.
pub fn gather_solution(path: &Path) -> Result<PathBuf, Box<Refusal>> {
    solution(path).map(|_| descriptor(path, SOLUTION)).map_err(unusable_solution)
}

fn descriptor(path: &Path, name: &str) -> PathBuf {
    if path.is_dir() { path.join(name) } else { path.to_owned() }
}

fn read_text(path: &Path) -> Result<String, PackageError> {
    let unreadable = |source| PackageError::Unreadable { path: path.to_owned(), source };
    let file = artifacts::open_file(path).map_err(unreadable)?;
    let mut text = String::new();
    file.take(TEXT_MAX_BYTES).read_to_string(&mut text).map_err(unreadable)?;
    Ok(text)
}

/// The folder of a descriptor on the hub's machine.
struct Folder(PathBuf);

impl Folder {
    fn open(&self, name: &str) -> Result<File, FileError> {
        open_beneath(&self.0, name).map(|(file, _)| file).map_err(|error| match error {
            BeneathError::Escapes(_) => FileError::Outside,
            BeneathError::Missing(_) => FileError::Missing,
            BeneathError::NotAFile(_) => FileError::NotAFile,
            other => FileError::Unreadable(other.to_string()),
        })
    }
}

impl Files for Folder {
    fn folder(&self) -> PathBuf {
        std::path::absolute(&self.0).unwrap_or_else(|_| self.0.clone())
    }
    fn read(&self, name: &str) -> Result<Vec<u8>, FileError> {
        let mut bytes = Vec::new();
        let mut file = self.open(name)?.take(TEXT_MAX_BYTES + 1);
        file.read_to_end(&mut bytes).map_err(|error| FileError::Unreadable(error.to_string()))?;
        if bytes.len() as u64 > TEXT_MAX_BYTES { Err(FileError::TooLarge) } else { Ok(bytes) }
    }
    fn facts(&self, name: &str) -> Result<FileFacts, FileError> {
        let file = self.open(name)?;
        let metadata = file.metadata().map_err(|error| FileError::Unreadable(error.to_string()))?;
        if !metadata.is_file() {
            return Err(FileError::NotAFile);
        }
        let executable = metadata.permissions().mode() & 0o111 != 0;
        let digest = digest_of(file).map_err(|error| FileError::Unreadable(error.to_string()))?;
        Ok(FileFacts { digest, executable })
    }
    fn jar(&self, name: &str) -> Result<JarFacts, FileError> {
        jar::facts(self.open(name)?)
    }
    fn is_folder(&self, path: &Path) -> bool {
        path.is_dir()
    }
    fn program(&self, program: &str) -> Result<(), FileError> {
        let found = |path: &Path| path.is_file();
        let executable = |path: &Path| path.metadata().is_ok_and(|m| m.permissions().mode() & 0o111 != 0);
        let candidates: Vec<PathBuf> = if program.contains('/') {
            vec![PathBuf::from(program)]
        } else {
            let path = std::env::var_os("PATH").unwrap_or_default();
            std::env::split_paths(&path).map(|folder| folder.join(program)).collect()
        };
        if candidates.iter().any(|path| found(path) && executable(path)) {
            Ok(())
        } else if candidates.iter().any(|path| found(path)) {
            Err(FileError::NotExecutable)
        } else {
            Err(FileError::Missing)
        }
    }
}

fn digest_of(mut file: File) -> std::io::Result<Digest> {
    use sha2::Digest as _;
    let mut hasher = sha2::Sha256::new();
    let mut block = vec![0; 64 * 1024];
    loop {
        let read = file.read(&mut block)?;
        if read == 0 {
            return Ok(Digest::from_bytes(hasher.finalize().into()));
        }
        hasher.update(block.get(..read).unwrap_or_default());
    }
}
