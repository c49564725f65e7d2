//! A store that takes no writes: every answer names the folder, says so and what to do about it, and nothing is changed.

use std::path::Path;
use std::process::{Command, Output};

use super::fake::text;
use super::hub::Store;
use super::inspect::skip;
use super::store::files;

/// Makes a folder read-only for what is run, and for nobody else: root, who writes wherever modes forbid it, included.
const SCRIPT: &str = r#"mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@""#;

/// A program that is run where a folder is read-only; none where nobody may mount, with the reason.
fn confined() -> Result<Vec<&'static str>, String> {
    let folder = tempfile::tempdir().unwrap();
    let mut reason = String::new();
    for words in [vec!["unshare", "--mount"], vec!["unshare", "--mount", "--map-root-user"]] {
        let mut trial = Command::new(words[0]);
        trial.args(&words[1..]).args(["sh", "-c", SCRIPT]).arg(folder.path());
        match trial.arg("touch").arg(folder.path().join("file")).output() {
            Ok(output) if text(&output.stderr).contains("Read-only file system") => return Ok(words),
            Ok(output) => reason = text(&output.stderr),
            Err(error) => reason = error.to_string(),
        }
    }
    Err(reason.trim_end().to_owned())
}

/// Runs a command of the binary where a folder is read-only.
fn run(confined: &[&str], read_only: &Path, store: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(confined[0]);
    command.args(&confined[1..]).args(["sh", "-c", SCRIPT]).arg(read_only).arg(env!("CARGO_BIN_EXE_enact"));
    command.arg("--store").arg(store).args(args).current_dir("/").env_clear();
    command.env("HOME", "/").env("PATH", std::env::var_os("PATH").unwrap()).env("ENACT_HTTP_LISTEN", "127.0.0.1:0");
    command.output().unwrap()
}

#[test]
fn a_read_only_store_is_named_with_the_way_out_and_is_as_it_was_afterwards() {
    let test = "enact::read_only::a_read_only_store_is_named_with_the_way_out_and_is_as_it_was_afterwards";
    let confined = match confined() {
        Ok(confined) => confined,
        Err(reason) => return skip(test, &format!("nothing can be mounted here: {reason}")),
    };
    let store = Store::new();
    let path = store.path();
    let ran = store.run(&["run", "c.s.echo", "--input", "7"]);
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    let before = files(path);
    let way_out = "make it writable (remount it, or mend its owner and mode), or name another with --store";
    let component = path.join("c").display().to_string();
    for args in [
        &["run", "c.s.echo", "--input", "8"][..],
        &["component", "add", &component],
        &["execution", "list"],
        &["doctor"],
        &["serve"],
    ] {
        let refused = run(&confined, path, path, args);
        let said = text(&refused.stderr);
        assert_eq!((refused.status.code(), refused.stdout.len()), (Some(13), 0), "{args:?}: {said}");
        let named =
            format!("enact: failed to open the store {}: it is read-only: Read-only file system", path.display());
        assert!(said.starts_with(&named) && said.contains(way_out), "{args:?}: {said}");
    }
    // Where there is no store yet, none can be made.
    let made = run(&confined, path, &path.join("new"), &["session", "open", "s-1"]);
    let said = text(&made.stderr);
    assert_eq!(made.status.code(), Some(13), "{said}");
    assert!(
        said.contains(&format!("failed to make {}/new: Read-only", path.display())) && said.contains(way_out),
        "{said}"
    );
    // What only reads goes on.
    for look in [&["wal", "verify"][..], &["store", "verify"]] {
        let verified = run(&confined, path, path, look);
        assert_eq!(verified.status.code(), Some(0), "{look:?}: {}", text(&verified.stderr));
    }
    assert!(files(path) == before, "something in the store was changed");

    // One folder of it alone: the log and the tables keep the hub from starting, artifacts only what needs one.
    for folder in ["log", "tables"] {
        let refused = run(&confined, &path.join(folder), path, &["run", "c.s.echo"]);
        let said = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(13), "{folder}: {said}");
        let named = format!("{}/{folder}", path.display());
        assert!(said.contains(&named) && said.contains("Read-only file system") && said.contains(way_out), "{said}");
    }
    let artifacts = path.join("artifacts");
    assert_eq!(run(&confined, &artifacts, path, &["run", "c.s.echo"]).status.code(), Some(0));
    let refused = run(&confined, &artifacts, path, &["artifact", "put", "/proc/self/status"]);
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(13), "{said}");
    assert!(said.contains(&artifacts.display().to_string()) && said.contains("it is read-only"), "{said}");
    assert!(said.contains(way_out), "{said}");

    // Writable again, everything is there, and it goes on.
    let listed = text(&store.run(&["execution", "list", "--json"]).stdout);
    assert!(listed.matches("c.s.echo").count() >= 2, "{listed}");
    assert_eq!(store.run(&["wal", "replay", "--verify"]).status.code(), Some(0));
}
