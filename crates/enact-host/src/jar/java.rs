//! The Java runtimes of this machine: found where people put them, and the one that a component runs on.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use enact_model::descriptor::JavaRange;
use enact_model::observation::{Fault, FaultKind};

/// How long a runtime may take to say what it is.
const SAY_WAIT: Duration = Duration::from_secs(5);
/// Most runtimes that are named in a fault.
const NAMED_MAX: usize = 8;

/// Where runtimes are looked for.
#[derive(Debug, Clone, Default)]
pub struct JavaPlaces {
    /// Runtimes, or folders whose folders are runtimes, that somebody has named.
    pub homes: Vec<PathBuf>,
    /// `JAVA_HOME`.
    pub home: Option<PathBuf>,
    /// `PATH`.
    pub path: OsString,
    /// Folders whose folders are runtimes.
    pub folders: Vec<PathBuf>,
}

/// A Java runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Java {
    /// Its folder.
    pub home: PathBuf,
    /// Its program.
    pub program: PathBuf,
    /// Its release by the feature number: 8, 11, 17, 21.
    pub release: u32,
    /// Its whole version.
    pub version: String,
}

impl Java {
    /// Returns the number of the update within its release: 15 of `17.0.15`.
    fn update(&self) -> u32 {
        let update = self.version.split(['.', '-', '+', '_']).nth(2);
        update.and_then(|update| update.parse().ok()).unwrap_or_default()
    }

    /// Returns whether it can be told to give freed memory back to the system now and then; where it is not known, not.
    pub fn trims(&self) -> bool {
        match self.release {
            17 => self.update() >= 15,
            21 => self.update() >= 8,
            release => release >= 22,
        }
    }
}

impl fmt::Display for Java {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Java {} in {}", self.version, self.home.display())
    }
}

impl JavaPlaces {
    /// Finds every runtime: those that were named first, then `JAVA_HOME`, then the one in `PATH`, then the others from
    /// the oldest on.
    pub fn find(&self) -> Vec<Java> {
        let mut found = Vec::new();
        let mut seen = BTreeSet::new();
        let mut take = |home: PathBuf, into: &mut Vec<Java>| {
            let home = home.canonicalize().unwrap_or(home);
            if seen.insert(home.clone()) {
                into.extend(look(&home));
            }
        };
        for named in &self.homes {
            take(named.clone(), &mut found);
            let mut inside = Vec::new();
            folders_in(named).into_iter().for_each(|home| take(home, &mut inside));
            inside.sort_by_key(|java: &Java| java.release);
            found.extend(inside);
        }
        for home in self.home.iter().cloned().chain(in_path(&self.path)) {
            take(home, &mut found);
        }
        let mut others = Vec::new();
        self.folders.iter().flat_map(|folder| folders_in(folder)).for_each(|home| take(home, &mut others));
        others.sort_by_key(|java: &Java| java.release);
        found.extend(others);
        found
    }

    /// Returns the first runtime that fits.
    ///
    /// # Errors
    /// There is none; the fault says what is needed, what was found, and how to get it.
    pub fn choose(&self, wanted: JavaRange) -> Result<Java, Fault> {
        let found = self.find();
        match found.iter().find(|java| wanted.contains(java.release)) {
            Some(java) => Ok(java.clone()),
            None => Err(missing(wanted, &found)),
        }
    }
}

fn folders_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

fn missing(wanted: JavaRange, found: &[Java]) -> Fault {
    let have = if found.is_empty() {
        "no Java was found on this machine".to_owned()
    } else {
        let named: Vec<String> = found.iter().take(NAMED_MAX).map(Java::to_string).collect();
        format!("found here: {}", named.join(", "))
    };
    let release = wanted.least.max(8);
    let text = format!(
        "it needs {wanted}; {have}; install one (such as `apt install openjdk-{release}-jre-headless`, or from \
         https://adoptium.net) or name its folder in `java.homes` of enact.yaml or in JAVA_HOME"
    );
    FaultKind::ProgramMissing.fault(text)
}

/// Returns the folder of the runtime whose `java` is the first in a path.
fn in_path(path: &OsString) -> Option<PathBuf> {
    let program = std::env::split_paths(path).map(|folder| folder.join("java")).find(|program| program.is_file())?;
    // It is a link, mostly to another link.
    let program = program.canonicalize().ok()?;
    let home = program.parent()?.parent()?;
    // Java 8 keeps its runtime in a folder of its own inside of the development kit.
    let kit = home.parent().filter(|kit| home.ends_with("jre") && kit.join("release").is_file());
    Some(kit.unwrap_or(home).to_owned())
}

/// Looks at one folder.
fn look(home: &Path) -> Option<Java> {
    let program = ["bin/java", "jre/bin/java"].iter().map(|name| home.join(name)).find(|program| program.is_file())?;
    let version = std::fs::read_to_string(home.join("release")).ok().and_then(|text| of_release_file(&text));
    let version = version.or_else(|| ask(&program))?;
    Some(Java { home: home.to_owned(), program, release: feature(&version)?, version })
}

/// Reads `JAVA_VERSION="17.0.15"`.
fn of_release_file(text: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.trim().strip_prefix("JAVA_VERSION="))?;
    let version = line.trim().trim_matches('"');
    (!version.is_empty()).then(|| version.to_owned())
}

/// Asks a runtime without such a file: `openjdk version "17.0.15" 2025-04-15`.
fn ask(program: &Path) -> Option<String> {
    let mut command = Command::new(program);
    command.arg("-version").env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().ok()?;
    let begun = Instant::now();
    while child.try_wait().ok()?.is_none() {
        if begun.elapsed() > SAY_WAIT {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut text = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take()?, &mut text).ok()?;
    of_answer(&text)
}

fn of_answer(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("version \"")?;
    rest.split('"').next().map(str::to_owned)
}

/// Returns the feature number of a version: 8 of `1.8.0_392`, 17 of `17.0.15`, 25 of `25-ea`.
fn feature(version: &str) -> Option<u32> {
    let version = version.strip_prefix("1.").unwrap_or(version);
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtime(folder: &Path, name: &str, version: &str) -> PathBuf {
        let home = folder.join(name);
        std::fs::create_dir_all(home.join("bin")).unwrap();
        std::fs::write(home.join("bin/java"), "").unwrap();
        std::fs::write(home.join("release"), format!("IMPLEMENTOR=\"x\"\nJAVA_VERSION=\"{version}\"\n")).unwrap();
        home
    }

    #[test]
    fn a_version_of_any_age_has_its_feature_number() {
        for (version, release) in [("1.8.0_392", 8), ("11.0.21", 11), ("17.0.15", 17), ("25-ea", 25), ("21", 21)] {
            assert_eq!(feature(version), Some(release), "{version}");
        }
        assert_eq!(feature("unknown"), None);
        assert_eq!(of_answer("openjdk version \"1.8.0_392\"\nOpenJDK").as_deref(), Some("1.8.0_392"));
    }

    #[test]
    fn what_is_freed_is_given_back_by_every_java_that_knows_how() {
        for (version, trims) in [
            ("1.8.0_392", false),
            ("11.0.21", false),
            ("17", false),
            ("17.0.14", false),
            ("17.0.15", true),
            ("17.0.15+6-Debian", true),
            ("21.0.2", false),
            ("21.0.8", true),
            ("22", true),
            ("25-ea", true),
        ] {
            let release = feature(version).unwrap();
            let java = Java { home: PathBuf::new(), program: PathBuf::new(), release, version: version.to_owned() };
            assert_eq!(java.trims(), trims, "{version}");
        }
    }

    #[test]
    fn java_home_comes_first_then_the_path_then_the_oldest_that_fits() {
        let folder = tempfile::tempdir().unwrap();
        let jvms = folder.path().join("jvm");
        for (name, version) in [("a25", "25.0.1"), ("b11", "11.0.2"), ("c8", "1.8.0_392"), ("d17", "17.0.1")] {
            runtime(&jvms, name, version);
        }
        std::os::unix::fs::symlink(jvms.join("b11"), jvms.join("default")).unwrap();
        let path = runtime(folder.path(), "in-path", "17.0.9");
        let home = runtime(folder.path(), "home", "21.0.1");
        let named = folder.path().join("named");
        for (name, version) in [("x22", "22.0.1"), ("x9", "9.0.1")] {
            runtime(&named, name, version);
        }
        let places = JavaPlaces {
            home: Some(home),
            path: path.join("bin").into(),
            folders: vec![jvms.clone()],
            ..JavaPlaces::default()
        };
        let releases = |places: &JavaPlaces| places.find().iter().map(|java| java.release).collect::<Vec<u32>>();
        assert_eq!(releases(&places), [21, 17, 8, 11, 17, 25], "a link is no second runtime");
        // What somebody has named comes first: a runtime itself, or a folder of some.
        let named = JavaPlaces { homes: vec![jvms.join("d17"), named, folder.path().join("none")], ..places.clone() };
        assert_eq!(releases(&named), [17, 9, 22, 21, 17, 8, 11, 25]);
        let chosen = |least, most| places.choose(JavaRange { least, most }).map(|java| java.version);
        assert_eq!(chosen(8, None).unwrap(), "21.0.1");
        assert_eq!(chosen(8, Some(17)).unwrap(), "17.0.9");
        assert_eq!(chosen(8, Some(11)).unwrap(), "1.8.0_392");
        assert_eq!(chosen(22, None).unwrap(), "25.0.1");
    }

    #[test]
    fn without_one_that_fits_it_says_what_is_needed_what_was_found_and_how_to_get_it() {
        let folder = tempfile::tempdir().unwrap();
        runtime(folder.path(), "old", "1.8.0_392");
        let places = JavaPlaces { folders: vec![folder.path().to_owned()], ..JavaPlaces::default() };
        let fault = places.choose(JavaRange { least: 17, most: None }).unwrap_err();
        assert_eq!(fault.kind, FaultKind::ProgramMissing);
        for part in ["needs Java 17 or newer", "found here: Java 1.8.0_392 in ", "openjdk-17-jre", "JAVA_HOME"] {
            assert!(fault.message.contains(part), "{part}: {}", fault.message);
        }
        let none = JavaPlaces::default().choose(JavaRange { least: 8, most: None }).unwrap_err();
        assert!(none.message.contains("no Java was found on this machine"), "{}", none.message);
    }
}
