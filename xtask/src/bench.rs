//! `cargo xtask bench`: builds the hub and the bench as they are released, then measures.

use crate::failure::Outcome;
use crate::shell::{cargo, root, run};

/// Builds what is measured and measures; the words are the bench's own.
///
/// # Errors
/// What does not build, or what cannot be measured.
pub fn bench(words: impl Iterator<Item = String>) -> Outcome<()> {
    run(cargo().current_dir(root()).args(["build", "--quiet", "--release", "-p", "enact", "-p", "enact-bench"]))?;
    run(cargo().current_dir(root()).args(["run", "--quiet", "--release", "-p", "enact-bench", "--"]).args(words))
}
