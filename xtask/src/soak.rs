//! `cargo xtask soak`: sets up what an hour of mixed load needs, builds the hub as it is released, and soaks it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Outcome, Place};
use crate::options::Options;
use crate::report::say;
use crate::setup::{self, Here, Need};
use crate::shell::{cargo, root, run};

/// What a soak can do without, and does more with.
const NEEDS: &[Need] = &[Need::Java, Need::Javac, Need::Scalac, Need::Python, Need::Redis];

/// Soaks a hub; the words are the soak's own, but for those on installing.
///
/// # Errors
/// What does not build, or a verdict that does not hold: it has said which by then.
pub fn soak(words: impl Iterator<Item = String>) -> Outcome<()> {
    let (ours, mut words): (Vec<String>, Vec<String>) =
        words.partition(|word| ["-y", "--yes", "--no-install"].contains(&word.as_str()));
    let helped = words.iter().any(|word| word == "-h" || word == "--help");
    if !helped {
        let here = setup::ensure(&Options::parse(ours.into_iter())?, NEEDS);
        if let Some(jar) = jar(&here)? {
            words.extend(["--jar".to_owned(), jar.display().to_string()]);
        }
        if !words.iter().any(|word| word == "--hub") {
            words.extend(["--hub".to_owned(), hub()?.display().to_string()]);
        }
    }
    let package = ["--package", "enact-torture", "--bin", "enact-soak", "--"];
    run(cargo().current_dir(root()).args(["run", "--quiet"]).args(package).args(words))
}

/// Builds the hub, optimised as a release is; only the time that history must be kept is another.
fn hub() -> Outcome<PathBuf> {
    let words = ["build", "--release", "--package", "enact", "--bin", "enact-soak-hub", "--features", "short-keep"];
    say(format!("$ cargo {}", words.join(" ")));
    run(cargo().current_dir(root()).args(words))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir));
    Ok(target.join("release/enact-soak-hub"))
}

/// Builds the Scala assembly of the examples once; none where it cannot be built or run.
fn jar(here: &Here) -> Outcome<Option<PathBuf>> {
    if let Some(missing) = [Need::Java, Need::Javac, Need::Scalac].into_iter().find(|need| !here.has(*need)) {
        say(format!("skipped: the jar of the soak – {}", here.why_not(missing)));
        return Ok(None);
    }
    let example = root().join("examples/jar-scala-pricing");
    let jar = root().join("target/soak/pricing-assembly.jar");
    if newer(&jar, &example.join("src")) {
        return Ok(Some(jar));
    }
    if let Some(folder) = jar.parent() {
        fs::create_dir_all(folder).doing(|| format!("make {}", folder.display()))?;
    }
    say("$ sh examples/jar-scala-pricing/build.sh");
    run(Command::new("sh").arg(example.join("build.sh")).arg(&jar))?;
    Ok(Some(jar))
}

/// Whether a file was made after everything in a folder and below it.
fn newer(made: &Path, folder: &Path) -> bool {
    let time = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    let Some(at) = time(made) else { return false };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .all(|path| if path.is_dir() { newer(made, &path) } else { time(&path).is_some_and(|changed| changed < at) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_before_its_source_was_changed_is_not_newer() {
        let folder = std::env::temp_dir().join(format!("enact-newer-{}", std::process::id()));
        fs::create_dir_all(folder.join("src/below")).unwrap();
        let (made, source) = (folder.join("made"), folder.join("src/below/source"));
        fs::write(&made, "").unwrap();
        fs::write(&source, "").unwrap();
        let at = |path: &Path, s| {
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(s);
            fs::File::options().append(true).open(path).unwrap().set_modified(time).unwrap();
        };
        at(&source, 1_000);
        at(&made, 2_000);
        assert!(newer(&made, &folder.join("src")));
        at(&source, 3_000);
        assert!(!newer(&made, &folder.join("src")));
        assert!(!newer(&folder.join("never"), &folder.join("src")));
        fs::remove_dir_all(folder).unwrap();
    }
}
