//! One zip: its directory, and one entry at a time, within limits.

use std::fs::File;
use std::io::{self, Read};

use rawzip::{CompressionMethod, ErrorKind, FileReader, ZipArchive, ZipArchiveEntryWayfinder, ZipLocator};

/// Most entries of a jar; the largest that are known have a quarter of it.
const ENTRIES_MAX: usize = 400_000;
/// Longest name of an entry, in bytes.
const NAME_MAX: usize = 4096;
/// Most bytes of all names; the directory is held in memory.
const NAMES_MAX_BYTES: usize = 64 << 20;
/// Largest entry that is read, in bytes: no compiler makes a class file of this size.
const ENTRY_MAX_BYTES: u64 = 16 << 20;
/// Most bytes that are unpacked of one jar.
const UNPACKED_MAX_BYTES: u64 = 4 << 30;
/// How far from the end of the file the directory's own end is looked for: its longest comment, and a bit of padding.
const SEARCH_MAX_BYTES: u64 = 128 << 10;

/// Why a file is not read as a jar.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It is not a file.
    #[error("it is a folder, not a jar")]
    Folder,
    /// It has no bytes.
    #[error("it is empty")]
    Empty,
    /// It is something else.
    #[error("it is not a zip file, and so not a jar")]
    NotZip,
    /// It begins like a zip and has no directory at its end.
    #[error("its end is missing: the zip is cut off or damaged")]
    CutOff,
    /// Its directory cannot be followed.
    #[error("its zip directory is damaged: {0}")]
    Damaged(String),
    /// More than anybody's jar has.
    #[error("it has more than {limit} {what}")]
    TooMuch {
        /// How many are allowed.
        limit: usize,
        /// Of what.
        what: &'static str,
    },
    /// The file cannot be read.
    #[error("{0}")]
    Read(#[from] io::Error),
}

/// Why one entry is not read.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// It needs a password.
    #[error("it is encrypted")]
    Encrypted,
    /// It is compressed in a way that jars do not know.
    #[error("it is compressed by method {0}, which Java does not read")]
    Method(u16),
    /// It unpacks to too much.
    #[error("it has more than {} MiB", ENTRY_MAX_BYTES >> 20)]
    TooLarge,
    /// The whole jar unpacks to too much.
    #[error("more than {} GiB of this jar were unpacked before it", UNPACKED_MAX_BYTES >> 30)]
    Bomb,
    /// It does not unpack, or its checksum is wrong.
    #[error("it is damaged: {0}")]
    Damaged(String),
}

/// One entry of the directory.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its name, as it stands.
    pub name: String,
    /// Its unpacked size, as the directory says, in bytes.
    pub size: u64,
    /// Whether it needs a password.
    pub encrypted: bool,
    method: CompressionMethod,
    place: ZipArchiveEntryWayfinder,
}

impl Entry {
    /// Returns whether the name leads out of a folder into which it would be unpacked.
    pub fn escapes(&self) -> bool {
        self.name.starts_with('/') || self.name.split(['/', '\\']).any(|part| part == "..")
    }
}

/// A zip whose directory was read.
pub struct Archive {
    zip: ZipArchive<FileReader>,
    /// What is in it, in the order of the directory.
    pub entries: Vec<Entry>,
    unpacked: u64,
}

impl Archive {
    /// Reads the directory of a file.
    ///
    /// # Errors
    /// It is no zip, is damaged, or has more than a jar may have.
    pub fn open(file: File) -> Result<Self, ArchiveError> {
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(ArchiveError::Folder);
        }
        if metadata.len() == 0 {
            return Err(ArchiveError::Empty);
        }
        let mut head = [0; 4];
        let begins_like_a_zip = (&file).read_exact(&mut head).is_ok() && head == *b"PK\x03\x04";
        let mut buffer = vec![0; rawzip::MAX_CENTRAL_DIRECTORY_RECORD_SIZE];
        let locator = ZipLocator::new().max_search_space(SEARCH_MAX_BYTES);
        let zip = locator.locate_in_file(file, &mut buffer).map_err(|(_, error)| match error.kind() {
            ErrorKind::MissingEndOfCentralDirectory | ErrorKind::Eof if begins_like_a_zip => ArchiveError::CutOff,
            ErrorKind::MissingEndOfCentralDirectory => ArchiveError::NotZip,
            _ => ArchiveError::Damaged(error.to_string()),
        })?;
        let mut entries = Vec::new();
        let mut names_bytes = 0;
        let mut walk = zip.entries(&mut buffer);
        while let Some(record) = walk.next_entry().map_err(|error| ArchiveError::Damaged(error.to_string()))? {
            let path = record.file_path();
            let name = path.as_bytes();
            names_bytes += name.len();
            let over = [
                (name.len(), NAME_MAX, "bytes in a name"),
                (names_bytes, NAMES_MAX_BYTES, "bytes in its names"),
                (entries.len() + 1, ENTRIES_MAX, "entries"),
            ];
            if let Some((_, limit, what)) = over.into_iter().find(|(has, limit, _)| has > limit) {
                return Err(ArchiveError::TooMuch { limit, what });
            }
            entries.push(Entry {
                name: String::from_utf8_lossy(name).into_owned(),
                size: record.uncompressed_size_hint(),
                encrypted: record.flags().is_encrypted(),
                method: record.compression_method(),
                place: record.wayfinder(),
            });
        }
        Ok(Self { zip, entries, unpacked: 0 })
    }

    /// Unpacks one entry into a buffer.
    ///
    /// # Errors
    /// It cannot be unpacked, or not within the limits.
    pub fn read(&mut self, index: usize, into: &mut Vec<u8>) -> Result<(), EntryError> {
        into.clear();
        let Some(entry) = self.entries.get(index) else { return Ok(()) };
        if entry.encrypted {
            return Err(EntryError::Encrypted);
        }
        if entry.size > ENTRY_MAX_BYTES {
            return Err(EntryError::TooLarge);
        }
        if self.unpacked > UNPACKED_MAX_BYTES {
            return Err(EntryError::Bomb);
        }
        let damaged = |error: &dyn std::fmt::Display| EntryError::Damaged(error.to_string());
        let found = self.zip.get_entry(entry.place).map_err(|error| damaged(&error))?;
        let packed = found.reader();
        // The size that the directory tells is a claim; what is read is counted.
        let read = match entry.method {
            CompressionMethod::STORE => found.verifying_reader(packed).take(ENTRY_MAX_BYTES + 1).read_to_end(into),
            CompressionMethod::DEFLATE => found
                .verifying_reader(flate2::read::DeflateDecoder::new(packed))
                .take(ENTRY_MAX_BYTES + 1)
                .read_to_end(into),
            other => return Err(EntryError::Method(other.as_u16())),
        };
        self.unpacked += into.len() as u64;
        read.map_err(|error| damaged(&error))?;
        if into.len() as u64 > ENTRY_MAX_BYTES { Err(EntryError::TooLarge) } else { Ok(()) }
    }
}
