//! What an attempt needs before its handler is reached: a scratch folder and the referenced files in it.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use enact_model::descriptor::Pointer;
use enact_model::observation::Fault;

use super::Ground;
use super::package::{materialise_fault, scratch_fault};
use crate::contract::ResolvedFile;
use crate::scratch::{Scratch, file_name};

/// The scratch folder of an attempt, with its files.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub scratch: Scratch,
    /// Where the referenced artifacts are, read-only.
    pub files: BTreeMap<Pointer, PathBuf>,
}

/// Makes the scratch folder and brings the referenced artifacts to it. Blocks.
pub(super) fn prepare(ground: &Ground, files: &BTreeMap<Pointer, ResolvedFile>) -> Result<Prepared, Fault> {
    let scratch = Scratch::new(&ground.scratch, "attempt-").map_err(|e| scratch_fault(&e))?;
    let mut placed = BTreeMap::new();
    for (at, (pointer, file)) in files.iter().enumerate() {
        // A folder for each, so that two files of one name do not meet.
        let folder = scratch.path().join(format!("in-{at}"));
        std::fs::create_dir(&folder).map_err(|e| scratch_fault(&e))?;
        let target = folder.join(file_name(&file.name));
        ground.artifacts.materialise(&file.digest, &target).map_err(|e| materialise_fault(&e))?;
        let mode = std::fs::Permissions::from_mode(0o444);
        std::fs::set_permissions(&target, mode).map_err(|e| scratch_fault(&e))?;
        placed.insert(pointer.clone(), target);
    }
    Ok(Prepared { scratch, files: placed })
}
