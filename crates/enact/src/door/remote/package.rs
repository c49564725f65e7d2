//! Packs what a component needs: its descriptor and the files that this names, nothing else of its folder.

use std::fs::File;
use std::io::{Seek as _, SeekFrom};
use std::path::Path;

use enact_runtime::api::Refusal;
use enact_runtime::package::gather;

use crate::failure::Failure;

/// Packs a component as a tar in a file that goes with its handle. A descriptor that does not hold is a refusal.
///
/// # Errors
/// A file that cannot be read.
pub fn pack(path: &Path) -> Result<Result<File, Box<Refusal>>, Failure> {
    let files = match gather(path) {
        Ok(files) => files,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let temporary = std::env::temp_dir();
    let target = tempfile::tempfile().map_err(Failure::file(&temporary))?;
    let mut tar = tar::Builder::new(target);
    for (name, path) in files {
        let mut file = File::open(&path).map_err(Failure::file(&path))?;
        tar.append_file(name, &mut file).map_err(Failure::file(&path))?;
    }
    let mut target = tar.into_inner().map_err(Failure::file(&temporary))?;
    target.seek(SeekFrom::Start(0)).map_err(Failure::file(&temporary))?;
    Ok(Ok(target))
}
