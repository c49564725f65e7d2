//! The jars of one class path: what stands in each, and a class by its name.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde::Serialize;

use crate::archive::{Archive, ArchiveError, EntryError};
use crate::manifest::Manifest;

/// Most bytes of classes that are held, beside what one class needs.
const HELD_MAX_BYTES: usize = 16 << 20;

/// Why there is nothing to say of a file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not read as a jar.
    #[error("failed to read {} as a jar: {source}", path.display())]
    Archive {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ArchiveError,
    },
    /// It is a zip with something else in it.
    #[error("failed to find a class in {}: it is a zip of {entries} entries and no jar", path.display())]
    NoClasses {
        /// The file.
        path: PathBuf,
        /// How many there are.
        entries: usize,
        /// The jars that are in it.
        jars: Vec<String>,
    },
}

impl Error {
    /// Returns the way out.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Archive { source, .. } => match source {
                ArchiveError::Folder => Some("name the jars in it: `enact component inspect folder/*.jar`".to_owned()),
                ArchiveError::CutOff | ArchiveError::Empty | ArchiveError::Damaged(_) => {
                    Some("fetch or build it again; `unzip -t` shows what can still be read".to_owned())
                }
                ArchiveError::NotZip => Some("a jar is made by `jar --create --file x.jar -C classes .`".to_owned()),
                ArchiveError::TooMuch { .. } | ArchiveError::Read(_) => None,
            },
            Self::NoClasses { jars, .. } if !jars.is_empty() => {
                Some(format!("unpack it and inspect the jars in it, such as {}", some(jars, 3)))
            }
            Self::NoClasses { .. } => Some("name a jar with `.class` files in it".to_owned()),
        }
    }
}

/// Returns the first few of a list, and says how many more there are.
pub fn some(all: &[String], most: usize) -> String {
    let shown = all.get(..most.min(all.len())).unwrap_or_default().join(", ");
    if all.len() > most { format!("{shown} and {} more", all.len() - most) } else { shown }
}

/// How a jar is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// Packages at the top, as Java's own class loader reads it.
    Plain,
    /// Spring Boot's: own classes and whole jars inside.
    SpringBoot,
    /// A web application for a server.
    War,
}

impl Layout {
    fn prefix(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::SpringBoot => "BOOT-INF/classes/",
            Self::War => "WEB-INF/classes/",
        }
    }
}

/// One jar.
pub struct Jar {
    /// The file.
    pub path: PathBuf,
    /// Its directory.
    pub archive: Archive,
    /// Its manifest, empty if there is none.
    pub manifest: Manifest,
    /// How it is laid out.
    pub layout: Layout,
    /// Jars inside.
    pub nested: Vec<String>,
}

impl Jar {
    /// Returns the classes, by name with slashes; those for other releases of Java apart.
    pub fn classes(&self) -> impl Iterator<Item = (usize, &str)> {
        let entries = self.archive.entries.iter().enumerate();
        entries.filter_map(|(index, entry)| Some((index, class_name(&entry.name, self.layout)?)))
    }
    /// Returns the file's name.
    pub fn name(&self) -> String {
        self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

fn class_name(entry: &str, layout: Layout) -> Option<&str> {
    let name = entry.strip_suffix(".class")?;
    if name.starts_with("META-INF/") || name.ends_with("module-info") || name.ends_with("package-info") {
        return None;
    }
    // Outside of the prefix stands the program that starts the application; it is a class like any other.
    let name = name.strip_prefix(layout.prefix()).unwrap_or(name);
    Some(name).filter(|name| !name.is_empty())
}

/// Where a class stands: the jar and the entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// The jar.
    pub jar: usize,
    /// Its entry.
    pub entry: usize,
}

/// The jars of one class path.
pub struct Jars {
    /// In their order.
    pub jars: Vec<Jar>,
    places: HashMap<String, Place>,
    buffer: Vec<u8>,
    /// Classes that were asked for by name, which are asked for again soon.
    held: HashMap<Place, Rc<[u8]>>,
    held_bytes: usize,
}

impl Jars {
    /// Reads the directories of files.
    ///
    /// # Errors
    /// One of them is not read as a jar.
    pub fn open(paths: &[PathBuf]) -> Result<Self, Error> {
        let jars = paths.iter().map(|path| open(path)).collect::<Result<Vec<_>, _>>()?;
        let mut places = HashMap::new();
        for (jar, found) in jars.iter().enumerate() {
            for (entry, name) in found.classes() {
                // Java loads it from the first jar that has it, and there takes the last entry of that name.
                let place = places.entry(name.to_owned()).or_insert(Place { jar, entry });
                if place.jar == jar {
                    place.entry = entry;
                }
            }
        }
        Ok(Self { jars, places, buffer: Vec::new(), held: HashMap::new(), held_bytes: 0 })
    }

    /// Returns how many classes there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Returns whether there is none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Returns whether a class is here, by its name with dots.
    pub fn has(&self, name: &str) -> bool {
        self.places.contains_key(&name.replace('.', "/"))
    }

    /// Returns where a class stands, by its name with slashes.
    pub fn place(&self, name: &str) -> Option<Place> {
        self.places.get(name).copied()
    }

    /// Unpacks one entry; the bytes hold until the next one is asked for.
    ///
    /// # Errors
    /// It cannot be unpacked.
    pub fn entry(&mut self, place: Place) -> Result<&[u8], EntryError> {
        if let Some(jar) = self.jars.get_mut(place.jar) {
            jar.archive.read(place.entry, &mut self.buffer)?;
        }
        Ok(&self.buffer)
    }

    /// Unpacks a class by its name with dots.
    pub fn class(&mut self, name: &str) -> Option<Rc<[u8]>> {
        let place = self.place(&name.replace('.', "/"))?;
        if let Some(held) = self.held.get(&place) {
            return Some(held.clone());
        }
        let bytes: Rc<[u8]> = self.entry(place).ok()?.into();
        if self.held_bytes + bytes.len() > HELD_MAX_BYTES {
            self.held.clear();
            self.held_bytes = 0;
        }
        self.held_bytes += bytes.len();
        self.held.insert(place, bytes.clone());
        Some(bytes)
    }
}

fn open(path: &Path) -> Result<Jar, Error> {
    let archive_error = |source| Error::Archive { path: path.to_owned(), source };
    let metadata = fs::metadata(path).map_err(|error| archive_error(error.into()))?;
    if metadata.is_dir() {
        return Err(archive_error(ArchiveError::Folder));
    }
    if !metadata.is_file() {
        // A pipe would block, and has no end to look at.
        return Err(archive_error(ArchiveError::NotZip));
    }
    let file = File::open(path).map_err(|error| archive_error(error.into()))?;
    let mut archive = Archive::open(file).map_err(archive_error)?;
    let mut buffer = Vec::new();
    let at = archive.entries.iter().rposition(|entry| entry.name.eq_ignore_ascii_case("META-INF/MANIFEST.MF"));
    let manifest = at.filter(|at| archive.read(*at, &mut buffer).is_ok()).map(|_| Manifest::read(&buffer));
    // A jar may hold nothing but a library for native code.
    let says_it_is_a_jar = at.is_some();
    let begins = |prefix| archive.entries.iter().any(|entry| entry.name.starts_with(prefix));
    let layout = match (begins("BOOT-INF/"), begins("WEB-INF/")) {
        (true, _) => Layout::SpringBoot,
        (_, true) => Layout::War,
        _ => Layout::Plain,
    };
    let nested = archive.entries.iter().filter(|entry| entry.name.ends_with(".jar") || entry.name.ends_with(".war"));
    let nested = nested.map(|entry| entry.name.clone()).collect();
    let jar = Jar { path: path.to_owned(), archive, manifest: manifest.unwrap_or_default(), layout, nested };
    if !says_it_is_a_jar && jar.classes().next().is_none() {
        let (path, entries) = (jar.path, jar.archive.entries.len());
        return Err(Error::NoClasses { path, entries, jars: jar.nested });
    }
    Ok(jar)
}
