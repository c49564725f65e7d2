//! The files of the checkout: those that git tracks and those that it would.

use std::path::Path;
use std::process::Command;

use crate::failure::Outcome;
use crate::shell;

/// Lists every file that is tracked or would be (not ignored), relative to the root, that exists.
///
/// # Errors
/// Git is not here, or the root is no checkout.
pub fn files(root: &Path) -> Outcome<Vec<String>> {
    let mut git = Command::new("git");
    git.current_dir(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"]);
    let listed = shell::text(&mut git)?;
    let mut files: Vec<String> =
        listed.split('\0').filter(|name| !name.is_empty() && root.join(name).is_file()).map(str::to_owned).collect();
    files.sort();
    Ok(files)
}
