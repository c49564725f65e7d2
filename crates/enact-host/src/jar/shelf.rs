//! Archives on disk, at the same path with the same time whenever they are brought here: by both of them a JVM knows
//! whether an archive of classes still belongs to its class path.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use enact_model::descriptor::JarShape;
use enact_model::digest::Digest;
use enact_model::observation::{Fault, FaultKind};

use super::Base;
use crate::contract::MaterialiseError;
use crate::process::package::{again, materialise_fault, scratch_fault};
use crate::process::seal::Kept;

/// The time of every archive: 2001-09-09.
const TIME: Duration = Duration::from_secs(1_000_000_000);

/// Writes a file of the hub's own, unless it is there already.
pub(super) fn keep(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if std::fs::read(path).is_ok_and(|held| held == bytes) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().set_modified(SystemTime::UNIX_EPOCH + TIME)?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

/// Brings the class path of a component here, as far as it is not or was altered, and returns it. What is here stays until the
/// hub starts again: other versions may share it.
pub(super) fn class_path(base: &Base, shape: &JarShape) -> Result<Vec<PathBuf>, Fault> {
    shape.paths.iter().map(|name| bring(base, shape, name)).collect()
}

fn bring(base: &Base, shape: &JarShape, name: &str) -> Result<PathBuf, Fault> {
    let file_name = Path::new(name).file_name();
    let (Some(digest), Some(file_name)) = (shape.files.get(name), file_name) else {
        return Err(FaultKind::ProgramMissing.fault(format!("the archive {name:?} is not part of the package")));
    };
    let path = base.ground.packages.join("jars").join(digest.to_string().replace(':', "-")).join(file_name);
    match base.seals.look(&path, digest) {
        Kept::Whole => {}
        Kept::Absent => place(base, digest, &path, name)?,
        // A JVM that runs has the former one open, as it is.
        Kept::Altered => again(&path, place(base, digest, &path, name))?,
    }
    Ok(path)
}

/// Puts an archive in its place when it is whole.
fn place(base: &Base, digest: &Digest, path: &Path, name: &str) -> Result<(), Fault> {
    let unwritable = |error: io::Error| scratch_fault(&error);
    let folder = path.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(folder).map_err(unwritable)?;
    let making = tempfile::Builder::new().prefix("making-").tempdir_in(folder).map_err(unwritable)?;
    let made = making.path().join("archive");
    base.ground.artifacts.materialise(digest, &made).map_err(|error| match error {
        MaterialiseError::Missing(_) => {
            FaultKind::ProgramMissing.fault(format!("the archive {name} of the package is not in the store"))
        }
        other => materialise_fault(&other),
    })?;
    let dated = File::options().write(true).open(&made).and_then(|file| {
        file.set_modified(SystemTime::UNIX_EPOCH + TIME)?;
        let mut mode = file.metadata()?.permissions();
        mode.set_readonly(true);
        file.set_permissions(mode)
    });
    dated.map_err(unwritable)?;
    // Whoever came first has put the same there.
    std::fs::rename(&made, path).map_err(unwritable)?;
    base.seals.placed(path);
    Ok(())
}
