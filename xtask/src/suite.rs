//! `cargo xtask test`: the set-up, then every test of the workspace, one profile and one feature set.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::failure::{Failure, Outcome, Place};
use crate::options::Options;
use crate::report::{Stages, say};
use crate::setup::{self, Here, Need};
use crate::{demo, fixtures, image, jars, javas, libraries, mutants, readers, shell, tree};

const NEXTEST_VERSION: &str = "0.9.143";

/// Sets up and runs every test; `--full` adds a browser, hundreds of real jars, the image, the demo and every mutation.
///
/// # Errors
/// A test fails, or a stage cannot be run.
pub fn run(options: &Options) -> Outcome<()> {
    let mut stages = Stages::default();
    let result = all(options, &mut stages);
    stages.print();
    result
}

fn all(options: &Options, stages: &mut Stages) -> Outcome<()> {
    let root = shell::root();
    let here = stages.run("set-up", |_| {
        let needs = if fixtures::cached() && readers::cached() { Need::WITHOUT_PIP } else { Need::ALL };
        let browser = options.full.then_some(Need::Chromium);
        let needs: Vec<Need> = needs.iter().copied().chain(browser).collect();
        Ok(setup::ensure(options, &needs))
    })?;
    let fixtures = stages.run("fixtures", |stages| Ok(fixtures_or_skip(&here, stages)))?;
    let readers = stages.run("readers of messages", |stages| Ok(readers_or_skip(&here, stages)))?;
    let runner = stages.run("test runner", |_| runner(options, &root))?;
    stages.run("tests", |stages| {
        tests(&root, &runner, &here, &[("ENACT_TEST_FIXTURES", fixtures), ("ENACT_TEST_READERS", readers)], stages)
    })?;
    if has_doc_tests(&root)? {
        stages.run("doc tests", |_| {
            shell::run(shell::cargo().current_dir(&root).args(["test", "--workspace", "--doc", "--locked"]))
        })?;
    }
    if options.full {
        stages.run("real jars through inspect", |stages| jars::run(&here, stages))?;
        stages.run("conflicting libraries in one JVM", |stages| libraries::run(&here, stages))?;
        stages.run("the jar host on every Java", |stages| javas::run(&here, stages))?;
        stages.run("the run stage of the image", image::run)?;
        stages.run("demo", |_| demo::run(options))?;
        stages.run("mutations", |_| mutants::run(&Options::default()))?;
    }
    Ok(())
}

fn fixtures_or_skip(here: &Here, stages: &mut Stages) -> Option<PathBuf> {
    match fixtures::fetch(here) {
        Ok(fixtures) => Some(fixtures.folder),
        Err(failure) => {
            stages.skip("tests on the real JAR and PDFs", failure.to_string());
            None
        }
    }
}

fn readers_or_skip(here: &Here, stages: &mut Stages) -> Option<PathBuf> {
    match readers::fetch(here) {
        Ok(folder) => Some(folder),
        Err(failure) => {
            stages.skip("what outside tools make of messages", failure.to_string());
            None
        }
    }
}

/// What runs the tests. nextest gives every test its own process and a limit on its time; without it they run one after
/// the other, because some count the processes and descriptors of their own process.
enum Runner {
    Nextest(PathBuf),
    OneByOne,
}

fn runner(options: &Options, root: &Path) -> Outcome<Runner> {
    let private = root.join("target/tools/nextest/bin/cargo-nextest");
    for candidate in [PathBuf::from("cargo-nextest"), private.clone()] {
        if shell::works(Command::new(&candidate).args(["nextest", "--version"])) {
            say(format!("cargo-nextest: {}", candidate.display()));
            return Ok(Runner::Nextest(candidate));
        }
    }
    if options.no_install || !options.yes {
        say("cargo-nextest is not here: cargo test runs the tests one by one, without a limit on the time of each;");
        say(format!(
            "--yes builds it into target/tools (some minutes), or `cargo install cargo-nextest@{NEXTEST_VERSION} --locked`"
        ));
        return Ok(Runner::OneByOne);
    }
    say(format!("building cargo-nextest {NEXTEST_VERSION} into target/tools; this takes some minutes, once"));
    let tools = root.join("target/tools/nextest");
    let mut install = shell::cargo();
    install
        .current_dir(root)
        .args(["install", "--quiet", "--locked", "--version", NEXTEST_VERSION, "--root"])
        .arg(&tools);
    install.arg("--target-dir").arg(root.join("target/tools/build")).arg("cargo-nextest");
    match shell::run(&mut install) {
        Ok(()) => Ok(Runner::Nextest(private)),
        Err(failure) => {
            say(format!("{failure}; cargo test runs the tests one by one"));
            Ok(Runner::OneByOne)
        }
    }
}

fn tests(
    root: &Path,
    runner: &Runner,
    here: &Here,
    folders: &[(&str, Option<PathBuf>)],
    stages: &mut Stages,
) -> Outcome<()> {
    let skips = root.join("target/skipped-tests.txt");
    fs::write(&skips, "").doing(|| format!("write {}", skips.display()))?;
    let mut command = match runner {
        Runner::Nextest(program) => {
            let mut command = Command::new(program);
            command.args(["nextest", "run", "--workspace", "--locked", "--no-tests=pass"]);
            command
        }
        Runner::OneByOne => {
            let mut command = shell::cargo();
            command.args(["test", "--workspace", "--locked", "--all-targets", "--no-fail-fast", "--quiet", "--"]);
            command.arg("--test-threads=1");
            command
        }
    };
    command.current_dir(root).env("ENACT_SKIPPED_TESTS", &skips);
    for (need, variable) in [(Need::Java, "ENACT_TEST_JAVA"), (Need::Python, "ENACT_TEST_PYTHON")] {
        command.env(variable, if here.has(need) { "1" } else { "0" });
    }
    if here.has(Need::Chromium) {
        command.env("ENACT_TEST_BROWSER", "chromium");
    }
    for (variable, folder) in folders {
        if let Some(folder) = folder {
            command.env(variable, folder);
        }
    }
    let status = command.stdin(Stdio::null()).status().doing(|| format!("start `{}`", shell::typed(&command)))?;
    let skipped = fs::read_to_string(&skips).unwrap_or_default();
    for line in skipped.lines() {
        let (test, why) = line.split_once('\t').unwrap_or((line, "it did not say why"));
        stages.skip(test, why);
    }
    if status.success() { Ok(()) } else { Err(Failure::to(format!("pass every test: {status}"))) }
}

/// Returns whether a comment of a library holds a code block that cargo would run.
fn has_doc_tests(root: &Path) -> Outcome<bool> {
    let sources = tree::files(root)?;
    let sources = sources.iter().filter(|name| name.starts_with("crates/") && name.ends_with(".rs"));
    Ok(sources.filter_map(|name| fs::read_to_string(root.join(name)).ok()).any(|text| runs_in_a_comment(&text)))
}

fn runs_in_a_comment(text: &str) -> bool {
    let mut inside = false;
    for line in text.lines() {
        let line = line.trim_start();
        let Some(comment) = line.strip_prefix("///").or_else(|| line.strip_prefix("//!")) else { continue };
        if let Some(kind) = comment.trim().strip_prefix("```") {
            let runs = kind.is_empty() || ["rust", "should_panic", "no_run", "compile_fail"].contains(&kind);
            if !inside && runs {
                return true;
            }
            inside = !inside;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_code_block_of_rust_in_a_comment_is_a_doc_test() {
        assert!(runs_in_a_comment("/// ```\n/// let a = 1;\n/// ```\n"));
        assert!(runs_in_a_comment("//! ```no_run\n"));
        assert!(!runs_in_a_comment("/// ```text\n/// a\n/// ```\nlet a = \"```\";\n"));
        assert!(!runs_in_a_comment("//! ```yaml\n//! ```\n"));
    }
}
