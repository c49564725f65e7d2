//! Hundreds of jars that nobody here made, each through `enact component inspect`: only in `cargo xtask test --full`.
//!
//! The Scala 2.12 jars of Spark come with the source distribution of `pyspark`, asked from pip and pinned like the other
//! fixtures; what Debian's packages of Java libraries have put under `/usr/share/java` is taken as it is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::failure::{Failure, Outcome, Place};
use crate::fixtures::Source;
use crate::options::Options;
use crate::report::{Stages, say, seconds};
use crate::setup::{self, Here, Need};
use crate::{demo, shell};

const SPARK: Source = Source {
    package: "pyspark",
    version: "3.5.7",
    archive: "pyspark-3.5.7.tar.gz",
    sha256: "80e36514e0c5c126d35a26adf4f405cd4a69de96a8ea8a3c1e9a65fce2fb4eaa",
};
/// How many jars it has.
const SPARK_JARS: usize = 252;
/// Where Debian's packages put jars.
const DEBIAN: &str = "/usr/share/java";
/// Longest time for one jar, in seconds, with a build that is not optimised; a release build takes a tenth.
const LIMIT: Duration = Duration::from_secs(120);

/// Sets up and inspects every jar, as a task of its own.
///
/// # Errors
/// As [`run`].
pub fn task(options: &Options) -> Outcome<()> {
    let mut stages = Stages::default();
    let here = setup::ensure(options, &[Need::Pip]);
    let result = stages.run("real jars through inspect", |stages| run(&here, stages));
    stages.print();
    result
}

/// Inspects every jar.
///
/// # Errors
/// One of them is an error, takes too long, or is not there.
pub fn run(here: &Here, stages: &mut Stages) -> Outcome<()> {
    let mut jars = match spark(here) {
        Ok(jars) => jars,
        Err(failure) => {
            stages.skip("the jars of Spark through inspect", failure.to_string());
            Vec::new()
        }
    };
    let debian = in_folder(Path::new(DEBIAN));
    if debian.is_empty() {
        stages.skip("Debian's jars through inspect", format!("there are none in {DEBIAN}"));
    }
    jars.extend(debian);
    let enact = demo::build()?;
    let (mut described, mut slowest, mut broken) = (0, (Duration::ZERO, String::new()), Vec::new());
    for jar in &jars {
        let begin = Instant::now();
        let name = jar.file_name().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
        match inspect(&enact, jar) {
            Ok(something) => described += usize::from(something),
            Err(why) => broken.push(format!("{name}: {why}")),
        }
        let took = begin.elapsed();
        if took > slowest.0 {
            slowest = (took, name);
        }
    }
    say(format!(
        "{} jars inspected, {described} have something to call, {} failed; the slowest took {} ({})",
        jars.len(),
        broken.len(),
        seconds(slowest.0),
        slowest.1
    ));
    if broken.is_empty() { Ok(()) } else { Err(Failure::to(format!("inspect every jar:\n  {}", broken.join("\n  ")))) }
}

/// Returns whether a jar has something to call; what cannot be read of it is an error.
fn inspect(enact: &Path, jar: &Path) -> Result<bool, String> {
    let mut command = Command::new(enact);
    command.args(["component", "inspect"]).arg(jar);
    let ended = shell::run_within(&mut command, LIMIT).map_err(|failure| failure.to_string())?;
    let line = |part: &str| ended.output.lines().find(|line| line.contains(part)).map(str::to_owned);
    if ended.timed_out {
        return Err(format!("it took longer than {}", seconds(LIMIT)));
    }
    if let Some(unread) = line("could not be read") {
        return Err(unread);
    }
    // A jar of nothing but interfaces, or of a library in native code, has an answer, too.
    match (ended.success, line("failed to find anything to call")) {
        (true, _) => Ok(true),
        (false, Some(_)) => Ok(false),
        (false, None) => Err(ended.output.lines().last().unwrap_or("it said nothing").to_owned()),
    }
}

/// Returns the jars of Spark, fetched if they are not there.
pub(crate) fn spark(here: &Here) -> Outcome<Vec<PathBuf>> {
    let folder = SPARK.folder();
    let jars = in_folder(&folder);
    if jars.len() == SPARK_JARS {
        return Ok(jars);
    }
    if !here.has(Need::Pip) {
        return Err(Failure::to(format!("fetch {}: {}", SPARK.package, here.why_not(Need::Pip))));
    }
    say(format!("fetching {} {}, about 300 MiB, once", SPARK.package, SPARK.version));
    let fresh = folder.with_extension("fresh");
    let _old = fs::remove_dir_all(&fresh);
    fs::create_dir_all(&fresh).doing(|| format!("make {}", fresh.display()))?;
    let archive = SPARK.ask(&fresh)?;
    let inside = SPARK.archive.strip_suffix(".tar.gz").unwrap_or(SPARK.archive);
    let mut tar = Command::new("tar");
    tar.current_dir(&fresh).args(["--extract", "--gzip", "--no-same-owner", "--strip-components=3", "--file"]);
    shell::run(tar.arg(&archive).arg(format!("{inside}/deps/jars")))?;
    fs::remove_file(&archive).doing(|| format!("remove {}", archive.display()))?;
    let _old = fs::remove_dir_all(&folder);
    fs::rename(&fresh, &folder).doing(|| format!("move {} to {}", fresh.display(), folder.display()))?;
    let jars = in_folder(&folder);
    if jars.len() == SPARK_JARS {
        Ok(jars)
    } else {
        Err(Failure::to(format!("find {SPARK_JARS} jars: {}", jars.len())))
    }
}

/// The jars in a folder and below it, without links that lead to them once more.
fn in_folder(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut jars: Vec<PathBuf> = Vec::new();
    for entry in entries.flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => jars.extend(in_folder(&path)),
            Ok(kind) if kind.is_file() && path.extension().is_some_and(|it| it == "jar") => jars.push(path),
            _ => {}
        }
    }
    jars.sort();
    jars
}
