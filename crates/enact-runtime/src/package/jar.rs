//! Jars as packages: what the catalog asks of one, and the descriptor that one may bring along.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use enact_catalog::component::files::normal_name;
use enact_catalog::component::{FileError, FileFacts, Files, JarFacts, JarLayout, names_archive};
use enact_inspect::archive::Archive;
use enact_inspect::class::Version;
use enact_store::artifacts;

use super::{Folder, TEXT_MAX_BYTES, read_text};

/// Where a jar keeps its descriptor and what belongs to it.
const INSIDE: &str = "META-INF/enact/";
/// The name of the descriptor there, and beside a jar.
const DESCRIPTOR: &str = "component.yaml";
/// Where frameworks that start themselves keep the classes of an application.
const NESTED: [&str; 2] = ["BOOT-INF/classes/", "WEB-INF/classes/"];

/// Returns whether a file begins as jars do.
pub(super) fn is_jar(path: &Path) -> bool {
    let mut head = [0; 4];
    // What would block whoever opens it is refused there.
    artifacts::open_file(path).is_ok_and(|mut file| file.read_exact(&mut head).is_ok()) && head == *b"PK\x03\x04"
}

/// Returns the descriptor beside a jar that counts instead of the one inside: one of its name, or one that names it.
pub(super) fn beside(jar: &Path) -> Option<PathBuf> {
    let own = jar.with_extension("yaml");
    if own.is_file() {
        return Some(own);
    }
    let general = jar.with_file_name(DESCRIPTOR);
    let name = jar.file_name()?.to_str()?;
    let text = read_text(&general).ok()?;
    names_archive(&text, name).then_some(general)
}

/// Looks into a jar.
pub(super) fn facts(file: File) -> Result<JarFacts, FileError> {
    let mut archive = Archive::open(file).map_err(|error| FileError::NotAJar(error.to_string()))?;
    let nested = archive.entries.iter().any(|entry| NESTED.iter().any(|prefix| entry.name.starts_with(prefix)));
    let (mut classes, mut needs_java, mut bytes) = (0, None, Vec::new());
    for at in 0..archive.entries.len() {
        // What stands in META-INF/versions is for newer releases alone.
        let name = archive.entries.get(at).map_or("", |entry| entry.name.as_str());
        if !name.ends_with(".class") || name.starts_with("META-INF/") || name.ends_with("module-info.class") {
            continue;
        }
        classes += 1;
        // One that is damaged is found by whoever loads it.
        if archive.read(at, &mut bytes).is_ok()
            && let Ok(version) = Version::read(&bytes)
        {
            needs_java = needs_java.max(Some(u32::from(version.java())));
        }
    }
    Ok(JarFacts { classes, needs_java, layout: if nested { JarLayout::Nested } else { JarLayout::Plain } })
}

/// A jar with its descriptor inside, and the folder in which it stands.
pub(super) struct Inside {
    folder: Folder,
    name: String,
    jar: PathBuf,
}

impl Inside {
    /// Takes a jar; `None` if its path has no name that can be read.
    pub(super) fn new(jar: &Path) -> Option<Self> {
        let name = jar.file_name()?.to_str()?.to_owned();
        let parent = jar.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Some(Self { folder: Folder(parent.to_owned()), name, jar: jar.to_owned() })
    }

    /// Reads the descriptor; `None` if the jar has none.
    pub(super) fn descriptor(&self) -> Result<Option<String>, FileError> {
        match self.entry(&format!("{INSIDE}{DESCRIPTOR}")) {
            Ok(bytes) => {
                let text = String::from_utf8(bytes);
                text.map(Some).map_err(|_| FileError::Unreadable("it is no UTF-8 text".to_owned()))
            }
            Err(FileError::Missing) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns what faults of the descriptor name as its file.
    pub(super) fn file_name(&self) -> String {
        format!("{}!/{INSIDE}{DESCRIPTOR}", self.jar.display())
    }

    fn entry(&self, name: &str) -> Result<Vec<u8>, FileError> {
        let file = artifacts::open_file(&self.jar).map_err(|error| FileError::Unreadable(error.to_string()))?;
        let mut archive = Archive::open(file).map_err(|error| FileError::NotAJar(error.to_string()))?;
        let at = archive.entries.iter().position(|entry| entry.name == name).ok_or(FileError::Missing)?;
        let mut bytes = Vec::new();
        archive.read(at, &mut bytes).map_err(|error| FileError::Unreadable(error.to_string()))?;
        if bytes.len() as u64 > TEXT_MAX_BYTES { Err(FileError::TooLarge) } else { Ok(bytes) }
    }
}

impl Files for Inside {
    fn folder(&self) -> PathBuf {
        self.folder.folder()
    }
    fn read(&self, name: &str) -> Result<Vec<u8>, FileError> {
        let name = normal_name(name).ok_or(FileError::Outside)?;
        self.entry(&format!("{INSIDE}{name}"))
    }
    fn facts(&self, name: &str) -> Result<FileFacts, FileError> {
        self.folder.facts(name)
    }
    fn is_folder(&self, path: &Path) -> bool {
        self.folder.is_folder(path)
    }
    fn program(&self, program: &str) -> Result<(), FileError> {
        self.folder.program(program)
    }
    fn jar(&self, name: &str) -> Result<JarFacts, FileError> {
        self.folder.jar(name)
    }
    fn itself(&self) -> Option<String> {
        Some(self.name.clone())
    }
}
