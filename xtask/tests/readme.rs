//! The README's first five minutes, run as they stand there.

use std::fs;
use std::io::Write as _;
use std::process::Command;
use std::time::Duration;

use xtask::shell;

/// Returns the shell blocks below the marks, without the line that builds the binary: the test builds the one of its own
/// profile.
fn blocks(readme: &str) -> Vec<String> {
    let marked = readme.split("<!-- xtask/tests/readme.rs").skip(1).map(|after| {
        let (_, after) = after.split_once("```sh\n").expect("a shell block follows the mark");
        let (block, _) = after.split_once("```").expect("the block ends");
        block.lines().filter(|line| !line.starts_with("cargo build")).collect::<Vec<_>>().join("\n")
    });
    marked.collect()
}

/// Says that a part was left out, where `cargo xtask test` counts it.
fn skip(why: &str) {
    if let Some(list) = std::env::var_os("ENACT_SKIPPED_TESTS") {
        let mut list = fs::OpenOptions::new().append(true).create(true).open(list).expect("the list of skips");
        writeln!(list, "the_first_five_minutes_of_the_readme_run_as_they_stand_there\t{why}").expect("a line");
    }
}

#[test]
fn the_first_five_minutes_of_the_readme_run_as_they_stand_there() {
    let root = shell::root();
    let mut build = shell::cargo();
    shell::run(build.current_dir(&root).args(["build", "--quiet", "--locked", "--package", "enact", "--bin", "enact"]))
        .expect("the binary builds");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir));
    let path = format!("{}:{}", target.join("debug").display(), std::env::var("PATH").unwrap_or_default());
    let scratch = target.join(format!("readme-{}", std::process::id()));
    fs::create_dir_all(&scratch).expect("a scratch folder");
    let mut script = blocks(&fs::read_to_string(root.join("README.md")).expect("the README"));
    assert_eq!(script.len(), 2);
    let has_curl = shell::works(Command::new("curl").arg("--version"));
    if !has_curl {
        skip("curl is not there, so the block over HTTP was left out");
        script.truncate(1);
    }
    // A line that fails must not leave the hub of the block behind.
    let script = format!("trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{}", script.join("\n"));
    let mut bash = Command::new("bash");
    bash.current_dir(&root).args(["-euxo", "pipefail", "-c", &script]).env("PATH", path).env("TMPDIR", &scratch);
    bash.env_remove("ENACT_CONFIG").env_remove("ENACT_STORE");
    let ended = shell::run_within(&mut bash, Duration::from_secs(60)).expect("bash starts");
    let _gone = fs::remove_dir_all(&scratch);
    assert!(ended.success, "\n{}", ended.output);
    assert!(ended.output.contains("HELLO"), "\n{}", ended.output);
    assert!(!has_curl || ended.output.contains("OVER THE WIRE"), "\n{}", ended.output);
    assert!(!has_curl || ended.output.contains("event: settled"), "\n{}", ended.output);
}
