//! Files that are no jars, or strange ones: each has an answer that says what to do.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use enact_inspect::descriptor::warnings;
use enact_inspect::{Facts, Filter};

use crate::made::{class, descriptor, facts, look, zip};

/// Returns what is said of a file that cannot be read as a jar, and the hint.
fn refused(path: &Path) -> (String, String) {
    let error = look(&[path], &Filter::default()).map(|_| ()).unwrap_err();
    (error.to_string(), error.hint().unwrap_or_default())
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }
    fn jar(&self, entries: &[(&str, &[u8])]) -> PathBuf {
        let path = self.0.path().join("a.jar");
        zip(&path, entries);
        path
    }
}

fn said(facts: &Facts, part: &str) -> bool {
    warnings(facts).iter().any(|line| line.contains(part))
}

#[test]
fn what_is_no_jar_is_refused_by_name_with_a_way_out() {
    let folder = Folder::new();
    let text = folder.file("text.jar", b"hello");
    assert!(
        refused(&text).0.ends_with("text.jar as a jar: it is not a zip file, and so not a jar"),
        "{:?}",
        refused(&text)
    );
    assert!(refused(&folder.file("empty.jar", b"")).0.ends_with("it is empty"));
    assert!(refused(folder.0.path()).0.ends_with("it is a folder, not a jar"));
    assert!(refused(folder.0.path()).1.contains("*.jar"));
    assert!(refused(&folder.0.path().join("none.jar")).0.contains("No such file"));
    let zip = folder.jar(&[("readme.txt", b"hello"), ("lib/x.jar", b"")]);
    let (error, hint) = refused(&zip);
    assert!(error.contains("it is a zip of 2 entries and no jar") && hint.contains("lib/x.jar"), "{error} {hint}");
}

#[test]
fn a_jar_that_is_cut_off_says_so() {
    let folder = Folder::new();
    let whole = fs::read(folder.jar(&[("A.class", &class("A", 52, 0)), ("B.class", &class("B", 52, 0))])).unwrap();
    for len in 1..whole.len() {
        let path = folder.file("cut.jar", &whole[..len]);
        // Shorter than the mark of a zip it could be anything.
        let expected = if len < 4 { "it is not a zip file" } else { "its end is missing" };
        assert!(refused(&path).0.contains(expected), "{len}: {}", refused(&path).0);
    }
}

#[test]
fn damaged_bytes_anywhere_are_an_answer_and_no_panic() {
    let folder = Folder::new();
    let whole = fs::read(folder.jar(&[("A.class", &class("A", 52, 0)), ("META-INF/MANIFEST.MF", b"A: b\n")])).unwrap();
    for at in 0..whole.len() {
        for flipped in [0xff, 0x01] {
            let mut bytes = whole.clone();
            bytes[at] ^= flipped;
            let _ = look(&[&folder.file("bad.jar", &bytes)], &Filter::default());
        }
    }
}

#[test]
fn a_hundred_mebibytes_of_zeros_are_refused_at_once_in_every_disguise() {
    let folder = Folder::new();
    let begin = Instant::now();
    let plain = folder.file("zeros.jar", b"");
    fs::File::options().write(true).open(&plain).unwrap().set_len(100 << 20).unwrap();
    assert!(refused(&plain).0.contains("it is not a zip file"));
    let zeros = vec![0; 100 << 20];
    let bomb = folder.jar(&[("Bomb.class", &zeros), ("A.class", &class("A", 52, 0)), ("data.bin", &zeros)]);
    let facts = facts(&bomb);
    assert_eq!(facts.unreadable.len(), 1, "{:?}", facts.unreadable);
    assert_eq!(facts.unreadable[0].why, "it has more than 16 MiB");
    // The directory may lie about the size: what is unpacked is counted.
    let mut bytes = fs::read(&bomb).unwrap();
    let directory = bytes.windows(4).position(|it| it == b"PK\x01\x02").unwrap();
    bytes[directory + 24..directory + 28].copy_from_slice(&1000_u32.to_le_bytes());
    let lying = self::facts(&folder.file("lying.jar", &bytes));
    assert_eq!(lying.unreadable.len(), 1, "{:?}", lying.unreadable);
    assert!(begin.elapsed() < Duration::from_secs(60), "{:?}", begin.elapsed());
}

#[test]
fn encrypted_damaged_and_escaping_entries_are_told_and_the_others_read() {
    let folder = Folder::new();
    let path = folder.jar(&[
        ("A.class", &class("A", 52, 0)),
        ("../../Out.class", &class("Out", 52, 0)),
        ("Garbage.class", b"no class"),
        ("Short.class", &class("Short", 52, 0)[..40]),
        ("Other.class", &class("Name", 52, 0)),
    ]);
    let mut bytes = fs::read(&path).unwrap();
    let directory = bytes.windows(4).position(|it| it == b"PK\x01\x02").unwrap();
    bytes[directory + 8] |= 1;
    let facts = facts(&folder.file("b.jar", &bytes));
    let whys: Vec<(&str, &str)> = facts.unreadable.iter().map(|it| (it.entry.as_str(), it.why.as_str())).collect();
    for expected in [
        ("A.class", "it is encrypted"),
        ("Garbage.class", "it is no class file"),
        ("Short.class", "it ends too early"),
        ("Other.class", "it holds the class Name"),
    ] {
        assert!(whys.contains(&expected), "{whys:?}");
    }
    assert_eq!(facts.jars[0].escaping_entries, ["../../Out.class"]);
    assert!(said(&facts, "lead out of it"));
}

#[test]
fn a_class_file_of_a_newer_format_still_tells_its_java() {
    let folder = Folder::new();
    let mut newer = class("New", 80, 0);
    newer[10] = 99;
    let facts = facts(&folder.jar(&[("New.class", &newer), ("A.class", &class("A", 61, 0))]));
    assert_eq!(facts.java.classes.keys().copied().collect::<Vec<_>>(), [17, 36]);
    assert_eq!(facts.unreadable[0].java, Some(36));
    assert!(facts.unreadable[0].why.contains("unknown kind 99; its format is newer"), "{:?}", facts.unreadable);
    assert_eq!((facts.java.whole, facts.java.newest_class.as_str()), (36, "New"));
}

#[test]
fn a_version_that_no_java_has_is_a_damaged_class_and_no_need_of_that_java() {
    let folder = Folder::new();
    for major in [0, 44, 145, 65_535] {
        let facts = facts(&folder.jar(&[("Bad.class", &class("Bad", major, 0)), ("A.class", &class("A", 61, 0))]));
        assert_eq!((facts.java.whole, facts.unreadable.len()), (17, 1), "{major}: {:?}", facts.unreadable);
        assert!(facts.unreadable[0].why.starts_with("it is damaged: it says that it is of version"), "{facts:?}");
    }
}

#[test]
fn what_would_steer_a_terminal_is_written_out() {
    let folder = Folder::new();
    let name = "A\u{1b}[2J\u{202e}B";
    let path = format!("{name}.class");
    let facts = facts(&folder.jar(&[(&path, b"no class"), ("D.class", &class("D", 52, 0))]));
    assert!(said(&facts, "A\\u{1b}[2J\\u{202e}B.class"), "{:?}", warnings(&facts));
    assert!(facts.looked_at.starts_with("all packages, ") || facts.looked_at.contains("default package"));
}

#[test]
fn the_default_package_has_a_name() {
    let folder = Folder::new();
    let jar = folder.jar(&[("A.class", &class("A", 52, 0)), ("org/slf4j/L.class", &class("org/slf4j/L", 52, 0))]);
    assert!(facts(&jar).looked_at.starts_with("the default package, because"), "{}", facts(&jar).looked_at);
}

#[test]
fn layouts_signatures_releases_and_class_paths_are_said() {
    let folder = Folder::new();
    let manifest = b"Manifest-Version: 1.0\nMulti-Release: true\nClass-Path: lib/one.jar two.jar\n\n";
    let jar = facts(&folder.jar(&[
        ("META-INF/MANIFEST.MF", manifest),
        ("META-INF/A.SF", b""),
        ("META-INF/A.RSA", b""),
        ("META-INF/versions/11/A.class", &class("A", 55, 0)),
        ("module-info.class", &class("module-info", 53, 0)),
        ("A.class", &class("A", 52, 0)),
        ("P.class", &class("P", 61, 65535)),
    ]));
    assert!(jar.jars[0].signed && jar.jars[0].multi_release && jar.jars[0].releases == [11]);
    assert_eq!(jar.jars[0].class_path, ["lib/one.jar", "two.jar"]);
    assert!(
        said(&jar, "is signed") && said(&jar, "named in `paths`") && said(&jar, "preview features, which only Java 17")
    );
    let boot = facts(&folder.jar(&[
        ("BOOT-INF/classes/com/acme/A.class", &class("com/acme/A", 61, 0)),
        ("BOOT-INF/lib/x.jar", b""),
        ("org/springframework/boot/loader/Launcher.class", &class("org/springframework/boot/loader/Launcher", 52, 0)),
    ]));
    assert!(boot.unreadable.is_empty() && boot.packages.contains_key("com.acme"), "{boot:?}");
    assert!(said(&boot, "a Spring Boot jar") && said(&boot, "BOOT-INF/lib/*.jar"));
    let war = facts(&folder.jar(&[("WEB-INF/classes/A.class", &class("A", 52, 0)), ("WEB-INF/lib/x.jar", b"")]));
    assert!(said(&war, "a web application"));
}

#[test]
fn a_class_that_stands_more_than_once_is_told_with_its_jars() {
    let folder = Folder::new();
    let first = folder.0.path().join("first.jar");
    zip(&first, &[("A.class", &class("A", 52, 0)), ("B.class", &class("B", 52, 0)), ("B.class", &class("B", 61, 0))]);
    let second = folder.jar(&[("A.class", &class("A", 61, 0))]);
    let facts = look(&[&first, &second], &Filter::default()).unwrap();
    let told: Vec<(&str, String)> = facts.duplicates.iter().map(|it| (it.class.as_str(), it.jars.join(" "))).collect();
    assert_eq!(told, [("A", "first.jar a.jar".to_owned()), ("B", "first.jar first.jar".to_owned())]);
    assert_eq!(facts.java.whole, 17, "of one jar Java loads the last B, of two jars the first A");
    assert_eq!(facts.java.classes.values().sum::<usize>(), 2);
    let alone = look(&[&second, &first], &Filter::default()).unwrap();
    assert_eq!(alone.java.classes.keys().copied().collect::<Vec<_>>(), [17], "A of the first jar, and the last B");
    assert!(said(&alone, "from the first jar that has it, and of one jar the last one"));
}

#[test]
fn a_jar_with_nothing_to_call_gives_no_descriptor() {
    let folder = Folder::new();
    let nothing = facts(&folder.jar(&[("A.class", &class("A", 52, 0))]));
    assert_eq!(descriptor(&nothing), "");
    let native = facts(&folder.jar(&[("META-INF/MANIFEST.MF", b"A: b\n"), ("lib.so", b"")]));
    assert_eq!(descriptor(&native), "");
    assert!(said(&native, "has no classes"));
}
