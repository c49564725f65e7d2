//! The README's first five minutes, run as they stand there.

use std::fs;
use std::process::Command;
use std::time::Duration;

use xtask::shell;

/// Returns the shell block below the mark, without the line that builds the binary: the test builds the one of its own
/// profile.
fn block(readme: &str) -> String {
    let (_, after) = readme.split_once("<!-- xtask/tests/readme.rs").expect("the README marks its block");
    let (_, after) = after.split_once("```sh\n").expect("a shell block follows the mark");
    let (block, _) = after.split_once("```").expect("the block ends");
    block.lines().filter(|line| !line.starts_with("cargo build")).collect::<Vec<_>>().join("\n")
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
    let script = block(&fs::read_to_string(root.join("README.md")).expect("the README"));
    let mut bash = Command::new("bash");
    bash.current_dir(&root).args(["-euxo", "pipefail", "-c", &script]).env("PATH", path).env("TMPDIR", &scratch);
    bash.env_remove("ENACT_CONFIG").env_remove("ENACT_STORE");
    let ended = shell::run_within(&mut bash, Duration::from_secs(60)).expect("bash starts");
    let _gone = fs::remove_dir_all(&scratch);
    assert!(ended.success, "\n{}", ended.output);
    assert!(ended.output.contains("HELLO"), "\n{}", ended.output);
}
