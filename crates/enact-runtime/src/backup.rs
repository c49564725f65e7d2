//! Copies of a store: made while a hub goes on, verified where they lie, and put back where no store is.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use enact_model::digest::Digest;
use enact_model::id::Lsn;
use enact_model::record::Record;
use enact_model::time::Timestamp;
use enact_store::artifacts::{self, Artifacts};
use enact_store::contract::ReadError;
use enact_store::embedded::{self, CopyError, EmbeddedView, FjallStorage, OpenError, copy_folder};
use enact_store::io::DiskIo;
use enact_store::log::{self, ChainHead, Known};
use serde::{Deserialize, Serialize};

use crate::api::VerifyReport;
use crate::driver::describe;
use crate::named::Named;

/// What a copy says of itself; a store has no such file.
const MANIFEST: &str = "backup.json";
/// The folder of a store with those who may ask it.
const ACCESS: &str = "access";
/// The folder of a store with its artifacts.
const ARTIFACTS: &str = "artifacts";
/// Appended to the name of a folder while it is being written.
const UNFINISHED: &str = "unfinished";

/// What a copy of a store holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// The release that made it.
    pub release: String,
    /// When.
    pub taken_at: Timestamp,
    /// The last record in it.
    pub position: Lsn,
    /// The chain value at its end, which a log that was changed cannot have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<ChainHead>,
    /// Bytes of the log.
    pub log_bytes: u64,
    /// Artifacts.
    pub artifacts: u64,
    /// Artifacts that the store named and did not have any more, with who named them and the way out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub missing: BTreeMap<Digest, String>,
    /// The files that say who may ask, by name, with the digests of their bytes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub access: BTreeMap<String, Digest>,
}

/// Why a store could not be copied, verified or put back.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum BackupError {
    #[error("failed to use the folder {}: there is something in it", .0.display())]
    Taken(PathBuf),
    #[error("failed to find a backup in {}: it has no {MANIFEST}", .0.display())]
    NoBackup(PathBuf),
    #[error("failed to copy {}, which is damaged: {}", path.display(), faults.join("; "))]
    Damaged { path: PathBuf, faults: Vec<String> },
    #[error(transparent)]
    Copy(#[from] CopyError),
    #[error(transparent)]
    Artifacts(#[from] artifacts::Error),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("failed to {action} {}", path.display())]
    Io { action: &'static str, path: PathBuf, source: std::io::Error },
}

impl BackupError {
    /// Returns what went wrong, with every cause.
    pub fn told(&self) -> String {
        describe(self)
    }
    fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

type DiskView = EmbeddedView<DiskIo, FjallStorage>;

/// Copies a store that a hub of this process holds to a folder that is not there yet, or empty.
///
/// # Durability
/// The copy has its name, and is durable, when it returns.
///
/// # Errors
/// A folder with something in it, a disk that refuses, an artifact that is damaged.
pub(crate) fn take(view: &DiskView, store: &Path, target: &Path, now: Timestamp) -> Result<Backup, BackupError> {
    let unfinished = begin(target)?;
    let taken = fill(view, store, &unfinished, now).and_then(|backup| finish(&unfinished, target).map(|()| backup));
    if taken.is_err() {
        // A disk that is full should not stay full of what is no backup. The next one begins with this otherwise.
        let _ = fs::remove_dir_all(&unfinished);
    }
    taken
}

/// Copies everything to the folder that does not have its name yet.
fn fill(view: &DiskView, store: &Path, unfinished: &Path, now: Timestamp) -> Result<Backup, BackupError> {
    let copied = view.copy(store, unfinished)?;
    // Every artifact is durable before a record names it, so what the copied records name is there by now, unless it was lost.
    let named = Named::by_rows(view)?;
    let copies = Artifacts::at(&unfinished.join(ARTIFACTS));
    let artifacts = Artifacts::at(&store.join(ARTIFACTS)).copy_all(&copies)?;
    let missing = named.missing(&copies);
    let access = store.join(ACCESS);
    if access.is_dir() {
        copy_folder(&access, &unfinished.join(ACCESS))?;
    }
    let access = access_files(unfinished)?;
    let log = verify_copy(unfinished, copied.position, None, None)?;
    if !log.faults.is_empty() {
        let faults = log.faults.iter().map(ToString::to_string).collect();
        return Err(BackupError::Damaged { path: store.to_owned(), faults });
    }
    let backup = Backup {
        release: env!("CARGO_PKG_VERSION").to_owned(),
        taken_at: now,
        position: copied.position,
        head: log.head,
        log_bytes: copied.log_bytes,
        artifacts,
        missing,
        access,
    };
    let manifest = unfinished.join(MANIFEST);
    let text = serde_json::to_vec_pretty(&backup).map_err(|error| BackupError::io("write", &manifest)(error.into()))?;
    fs::write(&manifest, text).map_err(BackupError::io("write", &manifest))?;
    sync(&manifest)?;
    Ok(backup)
}

/// Verifies a store or a backup that nobody holds: every frame of its log, every artifact, and that none is missing that is named
/// or that a backup had.
///
/// # Errors
/// A store that is held, of a newer format, or cannot be read at all; what is damaged stands in the report.
pub fn verify(path: &Path) -> Result<VerifyReport, BackupError> {
    let (mut report, known) = examine(path)?;
    report.faults.extend(known);
    Ok(report)
}

/// Does it, and tells apart what the store from which a backup was taken had lost before.
fn examine(path: &Path) -> Result<(VerifyReport, Vec<String>), BackupError> {
    let backup = manifest(path)?;
    let mut named = Named::default();
    let log = match &backup {
        // Nobody holds a backup, and nothing of it is touched.
        Some(backup) => verify_copy(path, backup.position, backup.head, Some(&mut |record| named.record(record)))?,
        None => embedded::verify_each(&DiskIo, &FjallStorage::new(path), path, &mut |found| named.take(&found))?,
    };
    let mut faults: Vec<String> = log.faults.iter().map(ToString::to_string).collect();
    let folder = path.join(ARTIFACTS);
    let (artifacts, broken) = if folder.is_dir() { Artifacts::at(&folder).verify_all()? } else { (0, Vec::new()) };
    faults.extend(broken.iter().map(ToString::to_string));
    let mut missing = named.missing(&Artifacts::at(&folder));
    let mut known = Vec::new();
    if let Some(backup) = backup {
        // One may have been put into its place by hand.
        let lost = |digest: &Digest| !Artifacts::at(&folder).contains(digest);
        for (digest, told) in backup.missing.into_iter().filter(|(digest, _)| lost(digest)) {
            missing.remove(&digest);
            known.push(told);
        }
        let there = artifacts + broken.len() as u64;
        if there < backup.artifacts {
            faults.push(format!("{there} artifacts are there, and the backup had {}", backup.artifacts));
        }
        let access = access_files(path)?;
        for (name, digest) in &backup.access {
            match access.get(name) {
                None => faults.push(format!("{ACCESS}/{name} is not there, and the backup had it")),
                Some(found) if found != digest => faults.push(format!("{ACCESS}/{name} is not as the backup had it")),
                Some(_) => {}
            }
        }
    }
    faults.extend(missing.into_values());
    let (records, first, last) = (log.records, log.first, log.last);
    let (head, chained) = (log.head, log.chained);
    Ok((VerifyReport { records, first, last, rows: 0, artifacts, head, chained, faults }, known))
}

/// Reads the digests of the files that say who may ask; none where nobody was given a token.
fn access_files(store: &Path) -> Result<BTreeMap<String, Digest>, BackupError> {
    let folder = store.join(ACCESS);
    if !folder.is_dir() {
        return Ok(BTreeMap::new());
    }
    let entries = fs::read_dir(&folder).map_err(BackupError::io("read", &folder))?;
    let mut files = BTreeMap::new();
    for entry in entries {
        let path = entry.map_err(BackupError::io("read", &folder))?.path();
        // Its lock says nothing.
        if path.extension().is_some_and(|ending| ending == "json") {
            let bytes = fs::read(&path).map_err(BackupError::io("read", &path))?;
            files.insert(path.file_name().unwrap_or_default().to_string_lossy().into_owned(), Digest::of(&bytes));
        }
    }
    Ok(files)
}

/// Verifies the log of a copy against the record that it ends with, and the chain value of that record.
fn verify_copy(
    path: &Path,
    position: Lsn,
    head: Option<ChainHead>,
    each: Option<&mut dyn FnMut(&Record)>,
) -> Result<log::Report, OpenError> {
    let known = Known { durable: position, head, ..Known::default() };
    let dir = path.join("log");
    let Some(each) = each else { return Ok(log::verify(&DiskIo, &dir, known)?) };
    // What a newer release wrote is verified, and not understood.
    let mut give = |_, bytes: &[u8]| {
        if let Ok(record) = Record::decode(bytes) {
            each(&record);
        }
    };
    Ok(log::verify_each(&DiskIo, &dir, known, Some(&mut give))?)
}

/// Verifies a backup and copies it to a folder in which there is no store yet. The tables are made at the first start.
///
/// # Durability
/// The store has its name, and is durable, when it returns.
///
/// # Errors
/// A backup that is damaged or none, a folder with something in it, a disk that refuses.
pub fn restore(backup: &Path, store: &Path) -> Result<Backup, BackupError> {
    let found = manifest(backup)?.ok_or_else(|| BackupError::NoBackup(backup.to_owned()))?;
    // What the store itself had lost keeps nobody from having the rest of it.
    let (report, _) = examine(backup)?;
    if !report.faults.is_empty() {
        return Err(BackupError::Damaged { path: backup.to_owned(), faults: report.faults });
    }
    let unfinished = begin(store)?;
    fs::remove_dir(&unfinished).map_err(BackupError::io("remove", &unfinished))?;
    copy_folder(backup, &unfinished)?;
    let manifest = unfinished.join(MANIFEST);
    fs::remove_file(&manifest).map_err(BackupError::io("remove", &manifest))?;
    finish(&unfinished, store)?;
    Ok(found)
}

fn manifest(path: &Path) -> Result<Option<Backup>, BackupError> {
    let manifest = path.join(MANIFEST);
    match fs::read(&manifest) {
        Ok(bytes) => {
            let read = serde_json::from_slice(&bytes);
            read.map(Some).map_err(|error| BackupError::io("read", &manifest)(error.into()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(BackupError::io("read", &manifest)(error)),
    }
}

/// Makes the folder beside `target` in which it is put together; what a former attempt left there goes.
fn begin(target: &Path) -> Result<PathBuf, BackupError> {
    if fs::read_dir(target).is_ok_and(|mut entries| entries.next().is_some()) || target.is_file() {
        return Err(BackupError::Taken(target.to_owned()));
    }
    let unfinished = target.with_added_extension(UNFINISHED);
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(BackupError::io("remove", &unfinished))?;
    }
    let mut builder = fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(builder.recursive(true), 0o700);
    builder.create(&unfinished).map_err(BackupError::io("make", &unfinished))?;
    Ok(unfinished)
}

/// Gives it its name.
fn finish(unfinished: &Path, target: &Path) -> Result<(), BackupError> {
    sync(unfinished)?;
    fs::rename(unfinished, target).map_err(BackupError::io("rename", unfinished))?;
    sync(target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))
}

fn sync(path: &Path) -> Result<(), BackupError> {
    fs::File::open(path).and_then(|file| file.sync_all()).map_err(BackupError::io("sync", path))
}
