//! Jackson and Guava in the versions of Spark and of Debian, in one JVM: only in `cargo xtask test --full`.
//!
//! Spark's come with its source distribution, which the inspection of real jars fetches anyway; Debian's are asked from apt by
//! the names of their packages and unpacked, not installed. Whether a package is what Debian made, apt checks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, Outcome, Place};
use crate::jars::spark;
use crate::options::Options;
use crate::report::{Stages, say};
use crate::setup::{self, Here, Need};
use crate::shell;

/// Where the beginnings of their names tell what of Spark's is wanted.
const OF_SPARK: &[&str] = &["guava-", "jackson-annotations-", "jackson-core-2", "jackson-databind-"];
const OF_DEBIAN: &[(&str, &str)] = &[
    ("libguava-java", "guava.jar"),
    ("libjackson2-annotations-java", "jackson-annotations.jar"),
    ("libjackson2-core-java", "jackson-core.jar"),
    ("libjackson2-databind-java", "jackson-databind.jar"),
];

/// Sets up and runs the test, as a task of its own.
///
/// # Errors
/// As [`run`].
pub fn task(options: &Options) -> Outcome<()> {
    let mut stages = Stages::default();
    let here = setup::ensure(options, &[Need::Java, Need::Javac, Need::Pip]);
    let result = stages.run("conflicting libraries in one JVM", |stages| run(&here, stages));
    stages.print();
    result
}

/// Runs the test on the libraries; without them it is skipped and counted.
///
/// # Errors
/// The test fails.
pub fn run(here: &Here, stages: &mut Stages) -> Outcome<()> {
    let folder = match fetch(here) {
        Ok(folder) => folder,
        Err(failure) => {
            stages.skip("conflicting versions of Jackson and Guava in one JVM", failure.to_string());
            return Ok(());
        }
    };
    let mut nextest = shell::cargo();
    // With the whole workspace, as all tests are built.
    nextest.current_dir(shell::root()).args(["nextest", "run", "--locked", "--workspace"]);
    nextest.args(["-E", "package(enact-host) & test(jar_libraries)"]);
    shell::run(nextest.env("ENACT_TEST_LIBRARIES", folder))
}

/// Returns a folder with the jars of each in a folder of its own.
fn fetch(here: &Here) -> Outcome<PathBuf> {
    let folder = shell::root().join("target/fixtures/libraries");
    let jars = |of: &str| fs::read_dir(folder.join(of)).map_or(0, Iterator::count);
    if jars("spark") == OF_SPARK.len() && jars("debian") == OF_DEBIAN.len() {
        return Ok(folder);
    }
    let fresh = folder.with_extension("fresh");
    let _old = fs::remove_dir_all(&fresh);
    for of in ["spark", "debian"] {
        let of = fresh.join(of);
        fs::create_dir_all(&of).doing(|| format!("make {}", of.display()))?;
    }
    debian(&fresh)?;
    for jar in spark(here)? {
        let name = jar.file_name().unwrap_or_default();
        if OF_SPARK.iter().any(|begin| name.to_string_lossy().starts_with(begin)) {
            copy(&jar, &fresh.join("spark").join(name))?;
        }
    }
    let _old = fs::remove_dir_all(&folder);
    fs::rename(&fresh, &folder).doing(|| format!("move {} to {}", fresh.display(), folder.display()))?;
    Ok(folder)
}

fn debian(fresh: &Path) -> Outcome<()> {
    let unpacked = fresh.join("unpacked");
    for (package, jar) in OF_DEBIAN {
        say(format!("fetching {package}"));
        let mut apt = Command::new("apt-get");
        shell::text(apt.current_dir(fresh).args(["--quiet", "download", package])).map_err(|failure| {
            failure.hint("`apt-get update` brings the list of packages; other systems have no package of that name")
        })?;
        let named = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            name.starts_with(&format!("{package}_")) && name.ends_with(".deb")
        };
        let entries = fs::read_dir(fresh).doing(|| format!("list {}", fresh.display()))?;
        let archive = entries.flatten().map(|entry| entry.path()).find(named);
        let archive = archive.ok_or_else(|| Failure::to(format!("find what apt-get has brought of {package}")))?;
        shell::text(Command::new("dpkg-deb").arg("--extract").arg(&archive).arg(&unpacked))?;
        fs::remove_file(&archive).doing(|| format!("remove {}", archive.display()))?;
        copy(&unpacked.join("usr/share/java").join(jar), &fresh.join("debian").join(jar))?;
    }
    fs::remove_dir_all(&unpacked).doing(|| format!("remove {}", unpacked.display()))
}

fn copy(from: &Path, to: &Path) -> Outcome<()> {
    fs::copy(from, to).map(drop).doing(|| format!("copy {}", from.display()))
}
