//! A copy of a store that is in use, put back elsewhere, and what is wrong with one.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use super::fake::{enact, text};
use super::hub::Store;

fn json(ran: &Output) -> Value {
    serde_json::from_slice(&ran.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", text(&ran.stdout), text(&ran.stderr)))
}

fn in_store(store: &Path, args: &[&str]) -> Output {
    enact(store, args).current_dir("/").env("PATH", std::env::var_os("PATH").unwrap()).output().unwrap()
}

/// Every file of a folder with its bytes.
pub fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path))
        } else {
            found.push((path.clone(), std::fs::read(&path).unwrap()))
        }
    }
    found.sort();
    found
}

#[test]
fn a_backup_of_a_hub_in_use_is_put_back_with_everything_that_was_acknowledged() {
    let store = Store::new();
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("backup");
    std::fs::write(store.path().join("in.txt"), "kept").unwrap();
    let put = json(&store.run(&["artifact", "put", "in.txt", "--json"]));
    assert_eq!(store.run(&["token", "create", "ci"]).status.code(), Some(0));
    let hub = store.serve();
    let before: Vec<String> = (0..20)
        .map(|n| {
            let ran = store.run(&["run", "c.s.echo", "--input", &format!("{{\"n\":{n}}}"), "--no-wait"]);
            text(&ran.stdout).trim().to_owned()
        })
        .collect();
    // Others go on while it is taken.
    let busy: Vec<_> = (0..4)
        .map(|n| {
            let mut command = store.command(&["run", "c.s.echo", "--input", &format!("{{\"late\":{n}}}")]);
            command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap()
        })
        .collect();
    let taken = store.run(&["store", "backup", backup.to_str().unwrap(), "--json"]);
    assert_eq!(taken.status.code(), Some(0), "{}", text(&taken.stderr));
    let taken = json(&taken);
    for mut child in busy {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(store.run(&["store", "verify"]).status.code(), Some(0), "the hub verifies its own");
    drop(hub);

    let as_taken = files(&backup);
    let verified = json(&store.run(&["store", "verify", backup.to_str().unwrap(), "--json"]));
    assert_eq!((&verified["last"], &verified["artifacts"]), (&taken["position"], &taken["artifacts"]));
    let restored = folder.path().join("restored");
    let put_back = in_store(&restored, &["store", "restore", backup.to_str().unwrap()]);
    assert_eq!(put_back.status.code(), Some(0), "{}", text(&put_back.stderr));
    assert!(files(&backup).iter().map(|(path, _)| path).eq(as_taken.iter().map(|(path, _)| path)), "nothing was added");

    for (n, id) in before.iter().enumerate() {
        let outcome = in_store(&restored, &["execution", "outcome", id, "--wait", "20s", "--json"]);
        let watched = in_store(&restored, &["execution", "watch", id]);
        assert_eq!(watched.status.code(), Some(0), "{id} of the restored: {}", text(&outcome.stderr));
        let outcome = json(&in_store(&restored, &["execution", "outcome", id, "--json"]));
        assert!(outcome.to_string().contains(&format!("{{\"n\":{n}}}")), "{outcome}");
    }
    let got = in_store(&restored, &["artifact", "get", put["id"].as_str().unwrap()]);
    assert_eq!(text(&got.stdout), "kept");
    assert!(text(&in_store(&restored, &["token", "list"]).stdout).contains("ci"));
    for look in [&["wal", "replay", "--verify"][..], &["doctor"], &["store", "verify"]] {
        let looked = in_store(&restored, look);
        assert_eq!(looked.status.code(), Some(0), "{look:?}: {}", text(&looked.stdout));
    }
}

#[test]
fn an_artifact_that_is_lost_is_told_by_every_verification_and_backup_and_the_rest_can_be_had() {
    let store = Store::new();
    std::fs::write(store.path().join("in.txt"), "kept").unwrap();
    std::fs::write(store.path().join("other.txt"), "other").unwrap();
    let put = json(&store.run(&["artifact", "put", "in.txt", "--json"]));
    assert_eq!(store.run(&["artifact", "put", "other.txt"]).status.code(), Some(0));
    let folder = tempfile::tempdir().unwrap();
    let name = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    assert_eq!(store.run(&["store", "backup", &name("whole")]).status.code(), Some(0));
    let (id, digest) = (put["id"].as_str().unwrap(), put["digest"].as_str().unwrap());
    let hex = digest.trim_start_matches("sha256:");
    let artifact = |store: &Path| store.join("artifacts/sha256").join(&hex[..2]).join(&hex[2..]);
    std::fs::remove_file(artifact(store.path())).unwrap();
    let told = |what: &str, ran: &Output| {
        let out = text(&ran.stdout);
        assert_eq!(ran.status.code(), Some(13), "{what}: {out}{}", text(&ran.stderr));
        assert!(out.contains(digest) && out.contains(id) && out.contains("enact artifact put"), "{what}: {out}");
        assert!(!out.contains("as it should be"), "{what}: {out}");
    };
    told("the folder", &store.run(&["store", "verify"]));
    let hub = store.serve();
    told("the hub", &store.run(&["store", "verify"]));
    told("the backup", &store.run(&["store", "backup", &name("holed")]));
    drop(hub);
    told("the backup's verification", &store.run(&["store", "verify", &name("holed")]));
    let restored = folder.path().join("restored");
    told("what is put back", &in_store(&restored, &["store", "restore", &name("holed")]));
    let ran = in_store(&restored, &["run", "c.s.echo", "--input", "{}"]);
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    told("what was put back", &in_store(&restored, &["store", "verify"]));

    // One that the backup lost itself is a fault of the backup, by name.
    std::fs::remove_file(artifact(Path::new(&name("whole")))).unwrap();
    told("a backup that lost one", &store.run(&["store", "verify", &name("whole")]));
    let again = in_store(&folder.path().join("again"), &["store", "restore", &name("whole")]);
    assert!(again.status.code() == Some(13) && text(&again.stderr).contains(digest), "{}", text(&again.stderr));

    assert_eq!(store.run(&["artifact", "put", "in.txt"]).status.code(), Some(0));
    let well = store.run(&["store", "verify"]);
    assert_eq!(well.status.code(), Some(0), "{}", text(&well.stdout));
}

#[test]
fn a_backup_that_is_damaged_or_in_the_way_is_refused_by_name_and_nothing_is_written() {
    let store = Store::new();
    std::fs::write(store.path().join("in.txt"), "kept").unwrap();
    let put = json(&store.run(&["artifact", "put", "in.txt", "--json"]));
    assert_eq!(store.run(&["token", "create", "ci"]).status.code(), Some(0));
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("backup");
    let name = backup.to_str().unwrap();
    assert_eq!(store.run(&["store", "backup", name]).status.code(), Some(0));
    let again = store.run(&["store", "backup", name]);
    assert!(
        again.status.code() == Some(10) && text(&again.stderr).contains("something in it"),
        "{}",
        text(&again.stderr)
    );
    let over = store.run(&["store", "restore", name]);
    assert!(over.status.code() == Some(10) && text(&over.stderr).contains("something in it"), "{}", text(&over.stderr));
    let restored = folder.path().join("restored");
    let none = in_store(&restored, &["store", "restore", store.path().to_str().unwrap()]);
    assert!(none.status.code() == Some(10) && text(&none.stderr).contains("backup.json"), "{}", text(&none.stderr));

    let hex = put["digest"].as_str().unwrap().trim_start_matches("sha256:").to_owned();
    let artifact = backup.join("artifacts/sha256").join(&hex[..2]).join(&hex[2..]);
    let log = backup.join("log/00000000000000000001.log");
    let tokens = backup.join("access/tokens.json");
    let refused = |what: &str| {
        let verified = store.run(&["store", "verify", name]);
        assert_eq!(verified.status.code(), Some(13), "{what}: {}", text(&verified.stdout));
        let put_back = in_store(&restored, &["store", "restore", name]);
        assert!(text(&put_back.stderr).contains(what), "{what}: {}", text(&put_back.stderr));
        assert_eq!(put_back.status.code(), Some(13));
        assert!(!restored.exists(), "{what}");
    };
    let whole = std::fs::read(&log).unwrap();
    let mut bent = whole.clone();
    bent[200] ^= 1;
    std::fs::write(&log, &bent).unwrap();
    refused("00000000000000000001.log");
    std::fs::write(&log, &whole[..whole.len() - 10]).unwrap();
    refused("00000000000000000001.log");
    std::fs::write(&log, &whole).unwrap();
    std::fs::remove_file(&artifact).unwrap();
    refused("0 artifacts are there, and the backup had 1");
    std::fs::write(&artifact, "kapt").unwrap();
    refused(&hex);
    std::fs::write(&artifact, "kept").unwrap();
    let who = std::fs::read(&tokens).unwrap();
    std::fs::write(&tokens, "{}").unwrap();
    refused("access/tokens.json is not as the backup had it");
    std::fs::remove_dir_all(backup.join("access")).unwrap();
    refused("access/tokens.json is not there, and the backup had it");
    std::fs::create_dir(backup.join("access")).unwrap();
    std::fs::write(&tokens, who).unwrap();
    assert_eq!(in_store(&restored, &["store", "restore", name]).status.code(), Some(0));

    let own = store.path().join("artifacts/sha256").join(&hex[..2]).join(&hex[2..]);
    std::fs::remove_file(&own).unwrap();
    std::fs::write(&own, "kapt").unwrap();
    let other = store.run(&["store", "backup", folder.path().join("other").to_str().unwrap()]);
    assert!(other.status.code() == Some(13) && text(&other.stderr).contains(&hex), "{}", text(&other.stderr));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "the backup and the restored, nothing unfinished");
}
