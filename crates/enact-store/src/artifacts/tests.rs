//! What is stored is what is read, or an error that says so.

use std::os::unix::fs::PermissionsExt;

use super::*;

fn folder() -> (tempfile::TempDir, Artifacts) {
    let dir = tempfile::tempdir().unwrap();
    let artifacts = Artifacts::open(&dir.path().join("artifacts")).unwrap();
    (dir, artifacts)
}

fn alter(artifacts: &Artifacts, digest: &Digest) {
    let path = artifacts.path(digest);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(&path, b"other").unwrap();
}

#[test]
fn the_same_content_is_stored_once_under_its_digest() {
    let (dir, artifacts) = folder();
    let stored = artifacts.put_bytes(b"hello").unwrap();
    assert_eq!(stored, Stored { digest: Digest::of(b"hello"), size: 5 });
    let file = dir.path().join("in");
    fs::write(&file, b"hello").unwrap();
    assert_eq!(artifacts.put_file(&file, 5).unwrap(), stored);
    assert_eq!(artifacts.list().unwrap(), [stored.digest]);
    assert_eq!(artifacts.read_all(&stored.digest, 5).unwrap(), b"hello");
    assert_eq!(fs::read_dir(artifacts.tmp()).unwrap().count(), 0);
}

#[test]
fn an_altered_artifact_is_never_read_and_storing_it_again_repairs_it() {
    let (dir, artifacts) = folder();
    let digest = artifacts.put_bytes(b"hello").unwrap().digest;
    alter(&artifacts, &digest);
    let target = dir.path().join("copy");
    let found = Digest::of(b"other");
    for failed in [
        artifacts.read_all(&digest, 100).map(|_| ()),
        artifacts.open_verified(&digest).map(|_| ()),
        artifacts.materialise(&digest, &target),
    ] {
        assert!(matches!(failed, Err(Error::Altered { digest: d, found: f }) if d == digest && f == found));
    }
    assert!(!target.exists());
    artifacts.put_bytes(b"hello").unwrap();
    assert_eq!(artifacts.read_all(&digest, 100).unwrap(), b"hello");
}

#[test]
fn a_file_that_was_verified_is_not_read_again_until_it_is_touched() {
    let (_dir, artifacts) = folder();
    let digest = artifacts.put_bytes(b"hello").unwrap().digest;
    let later = SystemTime::now() + Duration::from_secs(10);
    let stamp = || seen::Stamp::of(&fs::File::open(artifacts.path(&digest)).unwrap()).unwrap();
    // What was written just now may still change without a trace.
    artifacts.open_seen(&digest, SystemTime::now()).unwrap();
    assert!(!artifacts.seen.has(&digest, &stamp()));
    artifacts.open_seen(&digest, later).unwrap();
    assert!(artifacts.seen.has(&digest, &stamp()));
    let mut text = String::new();
    artifacts.open_seen(&digest, later).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "hello");
    // Of another size: within one tick of the clock nothing else tells, and this file is said to be settled when it is not.
    fs::set_permissions(artifacts.path(&digest), fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(artifacts.path(&digest), b"altered").unwrap();
    assert!(matches!(artifacts.open_seen(&digest, later), Err(Error::Altered { .. })));
    artifacts.put_bytes(b"hello").unwrap();
    artifacts.open_seen(&digest, later).unwrap();
    // What is remembered is not read: a stamp that is said to be verified is believed.
    let other = artifacts.put_bytes(b"fifth").unwrap().digest;
    alter(&artifacts, &other);
    let file = fs::File::open(artifacts.path(&other)).unwrap();
    artifacts.seen.add(other, seen::Stamp::of(&file).unwrap());
    artifacts.open_seen(&other, later).unwrap();
}

#[test]
fn a_materialised_copy_is_read_only_and_is_no_link_to_the_original() {
    let (dir, artifacts) = folder();
    let digest = artifacts.put_bytes(b"hello").unwrap().digest;
    let target = dir.path().join("copy");
    artifacts.materialise(&digest, &target).unwrap();
    assert!(fs::metadata(&target).unwrap().permissions().readonly());
    fs::set_permissions(&target, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(&target, b"altered").unwrap();
    assert_eq!(artifacts.read_all(&digest, 100).unwrap(), b"hello");
    assert!(artifacts.materialise(&digest, &target).is_err());
}

#[test]
fn what_is_too_large_or_missing_is_refused_and_leaves_nothing() {
    let (_dir, artifacts) = folder();
    assert!(matches!(artifacts.put_reader(&[7; 11][..], Path::new("in"), 10), Err(Error::TooLarge { limit: 10 })));
    let mut staging = artifacts.stage(100).unwrap();
    staging.write(b"half").unwrap();
    drop(staging);
    assert_eq!(fs::read_dir(artifacts.tmp()).unwrap().count(), 0);
    let digest = artifacts.put_bytes(&[1; 20]).unwrap().digest;
    assert!(matches!(artifacts.read_all(&digest, 19), Err(Error::TooLarge { limit: 19 })));
    assert!(matches!(artifacts.read_all(&Digest::of(b"?"), 1), Err(Error::Missing(_))));
}

#[test]
fn what_is_no_regular_file_is_refused_and_not_waited_for() {
    let (dir, artifacts) = folder();
    let fifo = dir.path().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    for path in [fifo.as_path(), dir.path(), Path::new("/dev/zero")] {
        let refused = artifacts.put_file(path, 10).unwrap_err();
        let source = std::error::Error::source(&refused).map(ToString::to_string);
        assert_eq!(source.as_deref(), Some("it is not a regular file"), "{}", path.display());
    }
}

#[test]
fn only_old_artifacts_that_nobody_names_are_removed() {
    let (_dir, artifacts) = folder();
    let [kept, orphan] = [b"a", b"b"].map(|bytes| artifacts.put_bytes(bytes).unwrap().digest);
    assert_eq!(artifacts.remove_orphans(&|_| false, Duration::from_secs(3600)).unwrap(), 0);
    assert_eq!(artifacts.remove_orphans(&|digest| *digest == kept, Duration::ZERO).unwrap(), 1);
    assert!(artifacts.contains(&kept) && !artifacts.contains(&orphan));
}

#[test]
fn what_a_dead_process_left_half_written_is_removed() {
    let (dir, artifacts) = folder();
    fs::write(artifacts.tmp().join("1-1"), b"half").unwrap();
    Artifacts::open(&dir.path().join("artifacts")).unwrap();
    assert_eq!(fs::read_dir(artifacts.tmp()).unwrap().count(), 0);
}
