//! The Java runtimes of this machine: found where people put them, and the one that a component runs on.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use enact_model::descriptor::JavaRange;
use enact_model::observation::{Fault, FaultKind};

use answers::Said;

mod answers;

/// Most folders that are looked at together.
const ASKED_TOGETHER_MAX: usize = 16;
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

/// The runtimes of a machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Runtimes {
    /// Those that said what they are, the one to be preferred first.
    pub found: Vec<Java>,
    /// The folders of those that gave no answer within a few seconds.
    pub silent: Vec<PathBuf>,
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
    /// the oldest on; and the homes whose Java gave no answer. It takes a few seconds at most.
    pub fn find(&self) -> Runtimes {
        // In groups, of which some are ordered by the release of what is in them.
        let mut groups: Vec<(bool, Vec<PathBuf>)> = Vec::new();
        for named in &self.homes {
            groups.push((false, vec![named.clone()]));
            groups.push((true, folders_in(named)));
        }
        groups.push((false, self.home.iter().cloned().chain(in_path(&self.path)).collect()));
        groups.push((true, self.folders.iter().flat_map(|folder| folders_in(folder)).collect()));
        let mut seen = BTreeSet::new();
        for (_, homes) in &mut groups {
            homes.iter_mut().for_each(|home| *home = home.canonicalize().unwrap_or_else(|_| home.clone()));
            homes.retain(|home| seen.insert(home.clone()));
        }
        let mut looked = look_at(groups.iter().flat_map(|(_, homes)| homes)).into_iter();
        let mut found = Runtimes::default();
        for (ordered, homes) in groups {
            let mut inside = Vec::new();
            for (home, looked) in homes.into_iter().zip(looked.by_ref()) {
                match looked {
                    Looked::Java(java) => inside.push(java),
                    Looked::Silent => found.silent.push(home),
                    Looked::Nothing => {}
                }
            }
            if ordered {
                inside.sort_by_key(|java: &Java| java.release);
            }
            found.found.extend(inside);
        }
        found
    }

    /// Returns the first runtime that fits.
    ///
    /// # Errors
    /// There is none; the fault says what is needed, what was found, and how to get it.
    pub fn choose(&self, wanted: JavaRange) -> Result<Java, Fault> {
        let all = self.find();
        match all.found.iter().find(|java| wanted.contains(java.release)) {
            Some(java) => Ok(java.clone()),
            None => Err(missing(wanted, &all)),
        }
    }
}

fn folders_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

fn missing(wanted: JavaRange, Runtimes { found, silent }: &Runtimes) -> Fault {
    let mut have = if found.is_empty() {
        "no Java was found on this machine".to_owned()
    } else {
        let named: Vec<String> = found.iter().take(NAMED_MAX).map(Java::to_string).collect();
        format!("found here: {}", named.join(", "))
    };
    for home in silent.iter().take(NAMED_MAX) {
        have.push_str(&format!("; the one in {} gave no answer", home.display()));
    }
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

/// What is in a folder.
enum Looked {
    Java(Java),
    /// A Java that does not say what it is.
    Silent,
    Nothing,
}

/// Looks at folders, at several at once where a Java must be asked.
fn look_at<'a>(homes: impl Iterator<Item = &'a PathBuf>) -> Vec<Looked> {
    let homes: Vec<_> = homes.collect();
    let mut looked = Vec::with_capacity(homes.len());
    for some in homes.chunks(ASKED_TOGETHER_MAX) {
        looked.extend(std::thread::scope(|scope| {
            let looking: Vec<_> = some.iter().map(|home| scope.spawn(|| look(home))).collect();
            let looked = looking.into_iter().map(|one| one.join().unwrap_or(Looked::Nothing));
            looked.collect::<Vec<_>>()
        }));
    }
    looked
}

/// Looks at one folder.
fn look(home: &Path) -> Looked {
    let mut programs = ["bin/java", "jre/bin/java"].iter().map(|name| home.join(name));
    let Some(program) = programs.find(|program| program.is_file()) else { return Looked::Nothing };
    let release = std::fs::read_to_string(home.join("release")).ok().and_then(|text| of_release_file(&text));
    let version = match release.map_or_else(|| answers::of(&program), Said::Version) {
        Said::Version(version) => version,
        Said::Silent => return Looked::Silent,
        Said::Nothing => return Looked::Nothing,
    };
    match feature(&version) {
        Some(release) => Looked::Java(Java { home: home.to_owned(), program, release, version }),
        None => Looked::Nothing,
    }
}

/// Reads `JAVA_VERSION="17.0.15"`.
fn of_release_file(text: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.trim().strip_prefix("JAVA_VERSION="))?;
    let version = line.trim().trim_matches('"');
    (!version.is_empty()).then(|| version.to_owned())
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
        let releases = |places: &JavaPlaces| places.find().found.iter().map(|java| java.release).collect::<Vec<u32>>();
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

    #[test]
    fn a_java_that_hangs_keeps_no_other_from_being_found_and_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let good = runtime(folder.path(), "good", "21.0.1");
        let hang = |name: &str| {
            let home = runtime(folder.path(), name, "1");
            std::fs::remove_file(home.join("release")).unwrap();
            std::fs::write(home.join("bin/java"), "#!/bin/sh\nwhile :; do sleep 100; done\n").unwrap();
            let runs = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(home.join("bin/java"), runs).unwrap();
            home.canonicalize().unwrap()
        };
        let silent = vec![hang("one"), hang("two")];
        let places = JavaPlaces { homes: [silent.clone(), vec![good]].concat(), ..JavaPlaces::default() };
        let all = places.find();
        assert_eq!((all.found.len(), &all.silent), (1, &silent));
        let any = JavaRange { least: 8, most: None };
        assert_eq!(places.choose(any).unwrap().release, 21);
        let fault = places.choose(JavaRange { least: 22, most: None }).unwrap_err();
        let named = format!("the one in {} gave no answer", silent[1].display());
        assert!(fault.message.contains(&named), "{}", fault.message);
    }
}
