//! Jars that a test makes: of bytes, or of sources that the compilers on this machine read.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use enact_inspect::descriptor::{Wish, write};
use enact_inspect::{Error, Facts, Filter, Jars, survey};

/// Lists a test as skipped, and says why.
pub fn skip(test: &str, reason: &str) {
    println!("skipped  {test}: {reason}");
    if let Some(list) = std::env::var_os("ENACT_SKIPPED_TESTS") {
        let mut list = fs::OpenOptions::new().append(true).create(true).open(list).unwrap();
        writeln!(list, "{test}\t{reason}").unwrap();
    }
}

/// Returns whether a compiler is here, and lists the test as skipped if not.
pub fn has(compiler: &str, test: &str) -> bool {
    let told_not = std::env::var("ENACT_TEST_JAVA").is_ok_and(|told| told == "0");
    let here = !told_not && Command::new(compiler).arg("-version").output().is_ok_and(|it| it.status.success());
    if !here {
        skip(test, &format!("there is no {compiler} on this machine"));
    }
    here
}

/// Makes a zip of names and bytes; the same name may come twice.
pub fn zip(path: &Path, entries: &[(&str, &[u8])]) {
    let mut archive = rawzip::ZipArchiveWriter::new(fs::File::create(path).unwrap());
    for (name, bytes) in entries {
        // A name that leads out is what some of these tests are about.
        let name = rawzip::path::EntryPath::verbatim(name.as_bytes());
        let file = archive.new_file(name).compression_method(rawzip::CompressionMethod::DEFLATE);
        let (mut entry, config) = file.start().unwrap();
        let encoder = flate2::write::DeflateEncoder::new(&mut entry, flate2::Compression::default());
        let mut writer = config.wrap(encoder);
        writer.write_all(bytes).unwrap();
        let (encoder, descriptor) = writer.finish().unwrap();
        encoder.finish().unwrap();
        entry.finish(descriptor).unwrap();
    }
    archive.finish().unwrap();
}

/// Makes the bytes of a public class without members.
pub fn class(name: &str, major: u16, minor: u16) -> Vec<u8> {
    let mut out = vec![0xca, 0xfe, 0xba, 0xbe];
    out.extend(minor.to_be_bytes());
    out.extend(major.to_be_bytes());
    out.extend(5_u16.to_be_bytes());
    for text in [name, "java/lang/Object"] {
        out.push(1);
        out.extend((text.len() as u16).to_be_bytes());
        out.extend(text.as_bytes());
    }
    out.extend([7, 0, 1, 7, 0, 2]);
    // public, itself, its parent, and no interfaces, fields, methods and attributes.
    out.extend([0, 1, 0, 3, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0]);
    out
}

/// Compiles sources into a jar with a manifest.
pub fn compiled(folder: &Path, compiler: &str, options: &[&str], source: &str, manifest: &str) -> PathBuf {
    // javac wants the file to be called as the public class in it.
    let class = source.split("\npublic class ").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap_or("All");
    let file = folder.join(format!("{class}.{}", if compiler == "javac" { "java" } else { "scala" }));
    fs::write(&file, source).unwrap();
    let classes = folder.join("classes");
    fs::create_dir_all(&classes).unwrap();
    let done = Command::new(compiler).args(options).arg("-d").arg(&classes).arg(&file).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let mut entries = vec![("META-INF/MANIFEST.MF".to_owned(), manifest.as_bytes().to_vec())];
    collect(&classes, "", &mut entries);
    let jar = folder.join("made-1.2.jar");
    let entries: Vec<(&str, &[u8])> = entries.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    zip(&jar, &entries);
    jar
}

fn collect(folder: &Path, prefix: &str, entries: &mut Vec<(String, Vec<u8>)>) {
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    for path in names {
        let name = format!("{prefix}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            collect(&path, &format!("{name}/"), entries);
        } else {
            entries.push((name, fs::read(&path).unwrap()));
        }
    }
}

/// Looks into jars.
pub fn look(paths: &[&Path], filter: &Filter) -> Result<Facts, Error> {
    let paths: Vec<PathBuf> = paths.iter().map(|path| (*path).to_owned()).collect();
    let mut jars = Jars::open(&paths)?;
    Ok(survey(&mut jars, filter, &mut |_, _| {}))
}

/// Looks into one jar that can be read.
pub fn facts(jar: &Path) -> Facts {
    look(&[jar], &Filter::default()).unwrap()
}

/// Writes the descriptor, or nothing.
pub fn descriptor(facts: &Facts) -> String {
    write(facts, &Wish { kind: "command", limit: 40 }).map(|it| it.text).unwrap_or_default()
}

/// Writes the operations as one reads them: `Class.method(name: Type): Type`.
pub fn told(facts: &Facts) -> Vec<String> {
    let line = |it: &enact_inspect::facts::Operation| {
        let class = it.class.rsplit('.').next().unwrap();
        let parameters: Vec<String> = it.parameters.iter().map(|it| format!("{}: {}", it.name, it.is)).collect();
        format!("{class}.{}({}): {}", it.method, parameters.join(", "), it.result)
    };
    facts.operations.iter().map(line).collect()
}

/// Returns why a method was left out.
pub fn why<'a>(facts: &'a Facts, method: &str) -> &'a str {
    let found = facts.left_out.iter().find(|it| it.method.starts_with(method));
    found.map_or_else(|| panic!("{method} was not left out: {:?}", facts.left_out), |it| it.why.as_str())
}
