//! `cargo xtask mutants`: breaks a copy of the code with each patch and expects the tests of its claim to notice.
//!
//! The copy and its target folder stay in `target/mutants`, so that the next run is warm. A patch that no longer
//! applies or no longer compiles proves nothing and is reported as broken.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::claims::{self, Claim, TestName};
use crate::failure::{Failure, Outcome, Place};
use crate::options::Options;
use crate::report::{say, seconds, table};
use crate::{shell, tree};

/// The longest that the named tests of one claim may take; a mutation that makes them hang has been noticed.
const TESTS_MAX: Duration = Duration::from_secs(240);
/// The longest that a build may take.
const BUILD_MAX: Duration = Duration::from_secs(1_800);

/// What became of a mutation.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    /// A named test failed.
    Noticed(String),
    /// Every named test passed.
    Survived,
    /// The patch proves nothing: it does not apply, or the code does not compile with it, or no named test ran.
    Broken(String),
}

/// Applies each mutation (or those named, by claim or by patch) to a copy of the tree.
///
/// # Errors
/// A mutation survived or is broken, or a named test fails on the clean tree.
pub fn run(options: &Options) -> Outcome<()> {
    let root = shell::root();
    let copy = Copy::new(&root)?;
    let chosen = choose(claims::read(&root)?, &options.names)?;
    if chosen.is_empty() {
        say("no claim names a mutation yet");
        return Ok(());
    }
    say("the clean tree first: a test that fails without a mutation notices nothing");
    copy.sync(&root)?;
    let tests: BTreeSet<&TestName> = chosen.iter().flat_map(|(claim, _)| &claim.tests).collect();
    let tests: Vec<TestName> = tests.into_iter().cloned().collect();
    match copy.verdict(&tests)? {
        Verdict::Survived => say(format!("{} named tests pass", tests.len())),
        Verdict::Noticed(what) => return Err(Failure::to(format!("pass the named tests on the clean tree: {what}"))),
        Verdict::Broken(why) => return Err(Failure::to(format!("run the named tests on the clean tree: {why}"))),
    }
    let mut rows = Vec::new();
    let mut bad = 0;
    for (claim, patch) in &chosen {
        let begin = Instant::now();
        copy.sync(&root)?;
        let verdict = match copy.apply(&root.join("mutations").join(patch))? {
            Some(fault) => Verdict::Broken(format!("it does not apply: {fault}")),
            None => copy.verdict(&claim.tests)?,
        };
        let (word, detail) = match verdict {
            Verdict::Noticed(what) => ("noticed", what),
            Verdict::Survived => ("SURVIVED", "every named test passed".to_owned()),
            Verdict::Broken(why) => ("BROKEN", why),
        };
        bad += usize::from(word != "noticed");
        say(format!("{patch}: {word} – {detail}"));
        let detail = detail.lines().next().unwrap_or_default().chars().take(90).collect();
        rows.push(vec![patch.clone(), word.to_owned(), seconds(begin.elapsed()), detail]);
    }
    copy.sync(&root)?;
    say(format!("\n{}", table(&["mutation", "verdict", "time", "by"], &rows)));
    if bad == 0 { Ok(()) } else { Err(Failure::to(format!("notice {bad} of {} mutations", rows.len()))) }
}

fn choose(claims: Vec<Claim>, names: &[String]) -> Outcome<Vec<(Claim, String)>> {
    let all: Vec<(Claim, String)> = claims
        .into_iter()
        .flat_map(|claim| claim.mutations.clone().into_iter().map(move |patch| (claim.clone(), patch)))
        .collect();
    let meant = |name: &String, (claim, patch): &(Claim, String)| {
        *name == claim.id || name == patch || *name == patch.trim_end_matches(".patch")
    };
    if let Some(name) = names.iter().find(|name| !all.iter().any(|one| meant(name, one))) {
        return Err(Failure::to(format!("find the mutation {name}")).hint("docs/claims.md names them"));
    }
    Ok(all.into_iter().filter(|one| names.is_empty() || names.iter().any(|name| meant(name, one))).collect())
}

/// A copy of the tree, uncommitted changes included, with a target folder of its own.
struct Copy {
    tree: PathBuf,
    target: PathBuf,
}

impl Copy {
    fn new(root: &Path) -> Outcome<Self> {
        let base = root.join("target/mutants");
        let copy = Self { tree: base.join("tree"), target: base.join("target") };
        fs::create_dir_all(&copy.tree).doing(|| format!("make {}", copy.tree.display()))?;
        Ok(copy)
    }

    /// Makes the copy equal to the tree. A file that is equal already keeps its time, so that cargo builds only what
    /// differs.
    fn sync(&self, root: &Path) -> Outcome<()> {
        let wanted: BTreeSet<String> = tree::files(root)?.into_iter().collect();
        for name in &wanted {
            let from = root.join(name);
            let to = self.tree.join(name);
            let bytes = fs::read(&from).doing(|| format!("read {}", from.display()))?;
            if fs::read(&to).is_ok_and(|there| there == bytes) {
                continue;
            }
            if let Some(folder) = to.parent() {
                fs::create_dir_all(folder).doing(|| format!("make {}", folder.display()))?;
            }
            fs::copy(&from, &to).doing(|| format!("copy {name}"))?;
        }
        for name in files_below(&self.tree, &self.tree)? {
            if !wanted.contains(&name) {
                fs::remove_file(self.tree.join(&name)).doing(|| format!("remove {name} from the copy"))?;
            }
        }
        Ok(())
    }

    /// Applies a patch to the copy and returns what is wrong with it, if something is.
    fn apply(&self, patch: &Path) -> Outcome<Option<String>> {
        let mut git = Command::new("git");
        git.current_dir(&self.tree).arg("apply").arg(patch);
        // The copy lies inside a checkout and must not be taken for a part of it.
        git.env("GIT_CEILING_DIRECTORIES", self.tree.parent().unwrap_or(&self.tree)).env_remove("GIT_DIR");
        let output = shell::output(&mut git)?;
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Ok((!output.status.success()).then_some(said))
    }

    fn verdict(&self, tests: &[TestName]) -> Outcome<Verdict> {
        let packages: BTreeSet<&str> = tests.iter().map(|test| test.package.as_str()).collect();
        if packages.is_empty() {
            return Ok(Verdict::Broken("its claim names no test".to_owned()));
        }
        for package in packages {
            let mut build = self.cargo(package);
            build.args(["--no-run", "--quiet"]);
            let built = shell::run_within(&mut build, BUILD_MAX)?;
            if !built.success {
                let error = built.output.lines().find(|line| line.starts_with("error")).unwrap_or("it took too long");
                return Ok(Verdict::Broken(format!("{package} does not compile: {error}")));
            }
            let named: Vec<&str> =
                tests.iter().filter(|test| test.package == package).map(|test| test.function.as_str()).collect();
            let mut command = self.cargo(package);
            command.args(["--no-fail-fast", "--"]).args(&named);
            let ended = shell::run_within(&mut command, TESTS_MAX)?;
            match judge(&named, &ended) {
                Verdict::Survived => {}
                other => return Ok(other),
            }
        }
        Ok(Verdict::Survived)
    }

    fn cargo(&self, package: &str) -> Command {
        let mut cargo = shell::cargo();
        cargo.current_dir(&self.tree).args(["test", "--package", package, "--tests"]);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CARGO_") && name != "CARGO_HOME") {
            cargo.env_remove(name);
        }
        cargo.env("CARGO_TARGET_DIR", &self.target).env("CARGO_TERM_COLOR", "never");
        cargo
    }
}

/// Reads what libtest printed about the named tests; its filter also lets tests through whose names contain a named one,
/// and those do not count.
fn judge(named: &[&str], ended: &shell::Ended) -> Verdict {
    let mut passed = BTreeSet::new();
    for line in ended.output.lines() {
        let Some((test, result)) = line.strip_prefix("test ").and_then(|rest| rest.rsplit_once(" ... ")) else {
            continue;
        };
        let function = test.rsplit("::").next().unwrap_or(test).trim();
        if let Some(name) = named.iter().find(|name| **name == function) {
            match result.trim() {
                "ok" => drop(passed.insert(*name)),
                "FAILED" => return Verdict::Noticed(function.to_owned()),
                _ => {}
            }
        }
    }
    let missing: Vec<&str> = named.iter().filter(|name| !passed.contains(*name)).copied().collect();
    if missing.is_empty() {
        return Verdict::Survived;
    }
    if ended.timed_out {
        return Verdict::Noticed(format!("{} hangs", missing.join(", ")));
    }
    // A test whose process dies (abort, stack overflow) prints no result; one that does not exist does not run at all.
    if !ended.success && ended.output.contains("signal:") {
        return Verdict::Noticed(format!("{} ended its process", missing.join(", ")));
    }
    Verdict::Broken(format!("no such test ran: {}", missing.join(", ")))
}

fn files_below(base: &Path, folder: &Path) -> Outcome<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).doing(|| format!("list {}", folder.display()))? {
        let path = entry.doing(|| format!("list {}", folder.display()))?.path();
        if path.is_dir() {
            found.extend(files_below(base, &path)?);
        } else if let Ok(name) = path.strip_prefix(base) {
            found.push(name.to_string_lossy().into_owned());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(output: &str) -> shell::Ended {
        shell::Ended { success: !output.contains("FAILED"), timed_out: false, output: output.to_owned() }
    }

    #[test]
    fn only_the_named_test_decides() {
        let output = "test a::torn ... ok\ntest a::torn_twice ... FAILED\n";
        assert_eq!(judge(&["torn"], &ended(output)), Verdict::Survived);
        assert_eq!(judge(&["torn_twice"], &ended(output)), Verdict::Noticed("torn_twice".to_owned()));
    }

    #[test]
    fn a_named_test_that_does_not_run_proves_nothing() {
        assert!(matches!(judge(&["gone"], &ended("running 0 tests\n")), Verdict::Broken(_)));
    }

    #[test]
    fn a_named_test_that_hangs_or_dies_has_noticed() {
        let hung = shell::Ended { success: false, timed_out: true, output: "running 1 test\n".to_owned() };
        assert!(matches!(judge(&["a"], &hung), Verdict::Noticed(_)));
        let output = "running 1 test\nerror: test failed (signal: 6, SIGABRT: process abort signal)".to_owned();
        let dead = shell::Ended { success: false, timed_out: false, output };
        assert!(matches!(judge(&["a"], &dead), Verdict::Noticed(_)));
    }
}
