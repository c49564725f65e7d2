//! `cargo xtask torture`: builds the torture with its named places and hands it the rest of the command line.

use crate::failure::Outcome;
use crate::shell::{cargo, root, run};

/// Runs the torture to its end; `words` are its own options.
///
/// # Errors
/// It does not build, or something broke: it has said what by then.
pub fn torture(words: impl Iterator<Item = String>) -> Outcome<()> {
    let mut command = cargo();
    command.current_dir(root()).args(["run", "--quiet", "--package", "enact-torture", "--"]);
    run(command.args(words))
}
