//! `cargo xtask jvm`: builds the Java side of the jar host, the same bytes from the same sources every time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, Outcome, Place};
use crate::report::say;
use crate::{shell, tree};

/// Where the built archive stands; it is committed, so that a build of the hub needs no Java.
pub const JAR: &str = "crates/enact-host/src/jar/enact-jvm.jar";

const SOURCES: &str = "jvm/src/";

/// The JDK whose compiler made the committed archive: another one may choose other instructions.
pub const JDK: &str = "17";

/// Builds the archive from `jvm/src` and puts it where the host takes it from.
///
/// # Errors
/// There is no `javac`, or the sources do not compile.
pub fn build() -> Outcome<()> {
    let root = shell::root();
    let bytes = archive(&root)?;
    let target = root.join(JAR);
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder).doing(|| format!("make {}", folder.display()))?;
    }
    let same = fs::read(&target).is_ok_and(|old| old == bytes);
    fs::write(&target, &bytes).doing(|| format!("write {}", target.display()))?;
    say(format!("{JAR}: {} bytes, {}", bytes.len(), if same { "as before" } else { "changed" }));
    Ok(())
}

/// Returns the JDK that compiles here, such as `17`.
///
/// # Errors
/// There is no `javac`.
pub fn compiler() -> Outcome<String> {
    let said = shell::text(Command::new("javac").arg("-version")).map_err(|failure| {
        failure.hint("`apt-get install --no-install-recommends default-jdk-headless` brings javac")
    })?;
    let version = said.split_whitespace().nth(1).unwrap_or_default();
    Ok(version.split('.').next().unwrap_or_default().to_owned())
}

/// Compiles the sources and returns the archive.
///
/// # Errors
/// There is no `javac`, or the sources do not compile.
pub fn archive(root: &Path) -> Outcome<Vec<u8>> {
    let jdk = compiler()?;
    let classes = tempfile::tempdir().doing(|| "make a folder".to_owned())?;
    let sources = tree::files(root)?;
    let sources: Vec<&String> =
        sources.iter().filter(|name| name.starts_with(SOURCES) && name.ends_with(".java")).collect();
    let mut javac = Command::new("javac");
    javac.current_dir(root).args(["--release", "8", "-g:none", "-encoding", "UTF-8", "-Xlint:all,-options", "-Werror"]);
    shell::run(javac.arg("-d").arg(classes.path()).args(sources))?;
    let mut entries = vec![("META-INF/MANIFEST.MF".to_owned(), manifest(&jdk).into_bytes())];
    for path in class_files(classes.path())? {
        let name = path.strip_prefix(classes.path()).unwrap_or(&path).to_string_lossy().into_owned();
        entries.push((name, fs::read(&path).doing(|| format!("read {}", path.display()))?));
    }
    stored(&entries)
}

fn manifest(jdk: &str) -> String {
    format!("Manifest-Version: 1.0\r\nMain-Class: dev.enact.jvm.Main\r\nBuild-Jdk-Spec: {jdk}\r\n\r\n")
}

fn class_files(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let listed = fs::read_dir(&folder).doing(|| format!("list {}", folder.display()))?;
        for entry in listed {
            let path = entry.doing(|| format!("list {}", folder.display()))?.path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    Ok(found)
}

/// Midnight of 1 January 1980, as zip writes times.
const TIME: [u8; 4] = [0, 0, 0x21, 0];

/// Writes an archive whose entries are not compressed: no compressor's version can change the bytes.
fn stored(entries: &[(String, Vec<u8>)]) -> Outcome<Vec<u8>> {
    let number = |value: usize| {
        u32::try_from(value).map(u32::to_le_bytes).map_err(|_| Failure::to("write an archive of more than 4 GiB"))
    };
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in entries {
        let offset = number(archive.len())?;
        // Version, flags, method, time; then digest, both sizes, the length of the name, no extras.
        let mut described = vec![10, 0, 0, 0, 0, 0];
        described.extend(TIME);
        described.extend(crc32(bytes).to_le_bytes());
        described.extend(number(bytes.len())?);
        described.extend(number(bytes.len())?);
        described.extend(number(name.len())?.get(..2).unwrap_or_default());
        described.extend([0, 0]);
        archive.extend(b"PK\x03\x04");
        archive.extend(&described);
        archive.extend(name.as_bytes());
        archive.extend(bytes);
        directory.extend(b"PK\x01\x02\x0a\0");
        directory.extend(&described);
        // No comment, first disk, no attributes.
        directory.extend([0; 10]);
        directory.extend(offset);
        directory.extend(name.as_bytes());
    }
    let (at, count) = (number(archive.len())?, number(entries.len())?);
    let count = count.get(..2).unwrap_or_default();
    let size = number(directory.len())?;
    archive.extend(directory);
    archive.extend(b"PK\x05\x06\0\0\0\0");
    archive.extend(count);
    archive.extend(count);
    archive.extend(size);
    archive.extend(at);
    archive.extend([0, 0]);
    Ok(archive)
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 };
        }
    }
    !sum
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn the_digest_of_an_archive_is_the_usual_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn the_archive_that_is_committed_is_built_of_these_sources() {
        match compiler() {
            Ok(jdk) if jdk == JDK => {}
            Ok(jdk) => return skipped(&format!("the archive was made by the javac of JDK {JDK}, and this is {jdk}")),
            Err(_) => return skipped("there is no javac"),
        }
        let root = shell::root();
        let (first, second) = (archive(&root).unwrap(), archive(&root).unwrap());
        assert!(first == second, "two builds differ");
        assert!(
            fs::read(root.join(JAR)).unwrap() == first,
            "the sources changed: run `cargo xtask jvm` and commit {JAR}"
        );
    }

    fn skipped(why: &str) {
        println!("skipped 1: {why}");
        if let Some(list) = std::env::var_os("ENACT_SKIPPED_TESTS") {
            let mut list = fs::OpenOptions::new().append(true).open(list).unwrap();
            writeln!(list, "the archive of the Java side is rebuilt\t{why}").unwrap();
        }
    }
}
