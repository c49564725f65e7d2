//! The packaged files of a component on this machine, and the program that its command names.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use enact_model::descriptor::ProcessShape;
use enact_model::digest::Digest;
use enact_model::observation::{Fault, FaultKind};

use super::seal::{Kept, Seals};
use super::spawn::os_error;
use crate::contract::{ArtifactSource, MaterialiseError};
use crate::scratch::Scratch;

/// The folder with the packaged files of one component version; removed with the version.
pub(super) struct Package {
    folder: Scratch,
    files: BTreeMap<String, Digest>,
    source: Arc<dyn ArtifactSource>,
    seals: Seals,
    bringing: Mutex<()>,
}

impl Package {
    /// Brings every packaged file to a new folder under `parent`, readable and executable and nothing else.
    pub fn materialise(shape: &ProcessShape, parent: &Path, source: Arc<dyn ArtifactSource>) -> Result<Self, Fault> {
        let folder = Scratch::new(parent, "package-").map_err(|e| scratch_fault(&e))?;
        let (files, seals) = (shape.files.clone(), Seals::default());
        let package = Self { folder, files, source, seals, bringing: Mutex::default() };
        package.bring()?;
        Ok(package)
    }

    /// Brings the files that are not there: all of them at first, and later those that somebody has deleted or altered. Blocks.
    pub fn bring(&self) -> Result<(), Fault> {
        let _bringing = self.bringing.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, digest) in &self.files {
            let plain = Path::new(name).components().all(|part| matches!(part, std::path::Component::Normal(_)));
            if name.is_empty() || !plain {
                let text = format!("the packaged file {name:?} leads out of its folder");
                return Err(FaultKind::ProgramMissing.fault(text));
            }
            let target = self.path().join(name);
            match self.seals.look(&target, digest) {
                Kept::Whole => {}
                Kept::Absent => self.place(digest, &target)?,
                Kept::Altered => again(&target, self.place(digest, &target))?,
            }
        }
        Ok(())
    }

    /// Puts a file in its place when it is whole.
    fn place(&self, digest: &Digest, target: &Path) -> Result<(), Fault> {
        let unwritable = |error: io::Error| scratch_fault(&error);
        let folder = target.parent().unwrap_or(self.path());
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(unwritable)?;
        let making = Scratch::new(self.path(), "making-").map_err(unwritable)?;
        let made = making.path().join("file");
        self.source.materialise(digest, &made).map_err(|e| materialise_fault(&e))?;
        std::fs::set_permissions(&made, std::fs::Permissions::from_mode(0o555)).map_err(unwritable)?;
        std::fs::rename(&made, target).map_err(unwritable)?;
        self.seals.placed(target);
        Ok(())
    }

    /// Returns the folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Returns the program and its leading arguments.
pub(super) fn command(
    words: &[String],
    files: &BTreeMap<String, Digest>,
    package: Option<&Path>,
    path: &OsStr,
) -> Result<(PathBuf, Vec<OsString>), Fault> {
    let packaged = |word: &String| files.contains_key(word).then(|| package.unwrap_or(Path::new("")).join(word));
    let (first, rest) = words.split_first().ok_or_else(|| FaultKind::ProgramMissing.fault("the command is empty"))?;
    let program = match packaged(first) {
        Some(program) => program,
        None if first.starts_with('/') => executable(PathBuf::from(first))?,
        None if first.contains('/') => {
            executable(package.map_or_else(|| PathBuf::from(first), |folder| folder.join(first)))?
        }
        None => search(first, path)?,
    };
    Ok((program, rest.iter().map(|word| packaged(word).map_or_else(|| word.into(), Into::into)).collect()))
}

fn search(name: &str, path: &OsStr) -> Result<PathBuf, Fault> {
    let mut forbidden = None;
    for folder in std::env::split_paths(path).filter(|folder| folder.is_absolute()) {
        match executable(folder.join(name)) {
            Ok(program) => return Ok(program),
            Err(fault) if fault.kind == FaultKind::ProgramNotExecutable => forbidden = Some(fault),
            Err(_) => {}
        }
    }
    Err(forbidden.unwrap_or_else(|| {
        let text = format!("the program {name} is in no folder of the path {}", path.display());
        FaultKind::ProgramMissing.fault(text).with(|e| e.os_error = Some("NOENT".to_owned()))
    }))
}

fn executable(program: PathBuf) -> Result<PathBuf, Fault> {
    match std::fs::metadata(&program) {
        Ok(meta) if meta.is_file() && meta.permissions().mode() & 0o111 != 0 => Ok(program),
        Ok(_) => {
            let text = format!("{} is no executable file", program.display());
            Err(FaultKind::ProgramNotExecutable.fault(text).with(|e| e.os_error = Some("ACCESS".to_owned())))
        }
        Err(error) => {
            let text = format!("the program {} is not there", program.display());
            Err(FaultKind::ProgramMissing.fault(text).with(|e| e.os_error = Some(os_error(&error))))
        }
    }
}

/// Says that a packaged file which somebody has altered was brought again, or that it is altered and could not be.
pub(crate) fn again(path: &Path, brought: Result<(), Fault>) -> Result<(), Fault> {
    match brought {
        Ok(()) => {
            tracing::warn!(path = %path.display(), "a packaged file was altered and is brought again from the store");
            Ok(())
        }
        Err(fault) => {
            let message = format!(
                "the packaged file {} was altered and cannot be brought again: {}; nothing is started from it",
                path.display(),
                fault.message
            );
            Err(Fault { message, ..fault })
        }
    }
}

/// A folder of the hub's that cannot be written.
pub(crate) fn scratch_fault(error: &io::Error) -> Fault {
    let text = format!("the scratch folder cannot be written: {error}");
    FaultKind::ScratchUnavailable.fault(text).with(|e| e.os_error = Some(os_error(error)))
}

/// An artifact that could not be brought here.
pub(crate) fn materialise_fault(error: &MaterialiseError) -> Fault {
    match error {
        MaterialiseError::Missing(digest) => {
            FaultKind::ArtifactMissing.fault(format!("the artifact {digest} is not in the store"))
        }
        MaterialiseError::Altered(digest) => {
            FaultKind::ArtifactAltered.fault(format!("the artifact {digest} is not what its digest says"))
        }
        MaterialiseError::Io(error) => scratch_fault(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(words: &[&str]) -> Result<PathBuf, FaultKind> {
        let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        command(&words, &BTreeMap::new(), None, OsStr::new("/usr/bin:/bin:/etc")).map(|c| c.0).map_err(|f| f.kind)
    }

    #[test]
    fn a_program_that_is_missing_and_one_that_may_not_run_are_told_apart() {
        assert_eq!(kind(&["/bin/sh"]), Ok("/bin/sh".into()));
        assert!(kind(&["sh"]).unwrap().ends_with("bin/sh"));
        assert_eq!(kind(&["no-such-program"]), Err(FaultKind::ProgramMissing));
        assert_eq!(kind(&["/no/such/program"]), Err(FaultKind::ProgramMissing));
        assert_eq!(kind(&["passwd.no"]), Err(FaultKind::ProgramMissing));
        assert_eq!(kind(&["fstab"]), Err(FaultKind::ProgramNotExecutable));
        assert_eq!(kind(&["/etc"]), Err(FaultKind::ProgramNotExecutable));
        assert_eq!(kind(&[]), Err(FaultKind::ProgramMissing));
    }

    #[test]
    fn a_word_equal_to_a_packaged_file_stands_for_its_path() {
        let files = BTreeMap::from([("worker.py".to_owned(), enact_model::digest::Digest::of(b""))]);
        let words = ["sh", "worker.py", "other.py"].map(str::to_owned);
        let (_, args) = command(&words, &files, Some(Path::new("/package")), OsStr::new("/usr/bin:/bin")).unwrap();
        assert_eq!(args, ["/package/worker.py", "other.py"]);
    }
}
