//! What the pages tell a newcomer to type, run as it stands there: the README's first five minutes, and those with a jar.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use xtask::shell;

/// Returns the shell blocks below the marks, without the line that builds the binary: the test builds the one of its own
/// profile.
fn blocks(page: &str) -> Vec<String> {
    let marked = page.split("<!-- xtask/tests/readme.rs").skip(1).map(|after| {
        let (_, after) = after.split_once("```sh\n").expect("a shell block follows the mark");
        let (block, _) = after.split_once("```").expect("the block ends");
        block.lines().filter(|line| !line.starts_with("cargo build")).collect::<Vec<_>>().join("\n")
    });
    marked.collect()
}

/// Says that a part was left out, where `cargo xtask test` counts it.
fn skip(test: &str, why: &str) {
    if let Some(list) = std::env::var_os("ENACT_SKIPPED_TESTS") {
        let mut list = fs::OpenOptions::new().append(true).create(true).open(list).expect("the list of skips");
        writeln!(list, "{test}\t{why}").expect("a line");
    }
}

/// The blocks of a page, ready to be typed.
struct Page {
    blocks: Vec<String>,
    path: String,
    scratch: PathBuf,
}

impl Page {
    /// Reads a page, and builds the binary that its commands call.
    fn open(name: &str) -> Self {
        let root = shell::root();
        let mut build = shell::cargo();
        build.current_dir(&root).args(["build", "--quiet", "--locked", "--package", "enact", "--bin", "enact"]);
        shell::run(&mut build).expect("the binary builds");
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir));
        let path = format!("{}:{}", target.join("debug").display(), std::env::var("PATH").unwrap_or_default());
        let scratch = target.join(format!("page-{}", std::process::id()));
        fs::create_dir_all(&scratch).expect("a scratch folder");
        let blocks = blocks(&fs::read_to_string(root.join(name)).expect("the page"));
        Self { blocks, path, scratch }
    }

    /// Types its blocks one after the other into one shell, which ends at the first line that fails; returns what was said.
    fn typed(self) -> String {
        // A line that fails must not leave the hub of the block behind.
        let script = format!("trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{}", self.blocks.join("\n"));
        let mut bash = Command::new("bash");
        bash.current_dir(shell::root()).args(["-euxo", "pipefail", "-c", &script]);
        bash.env("PATH", self.path).env("TMPDIR", &self.scratch).env_remove("ENACT_CONFIG").env_remove("ENACT_STORE");
        let ended = shell::run_within(&mut bash, Duration::from_secs(60)).expect("bash starts");
        let _gone = fs::remove_dir_all(&self.scratch);
        assert!(ended.success, "\n{}", ended.output);
        ended.output
    }
}

#[test]
fn the_first_five_minutes_of_the_readme_run_as_they_stand_there() {
    let mut page = Page::open("README.md");
    assert_eq!(page.blocks.len(), 2);
    let has_curl = shell::works(Command::new("curl").arg("--version"));
    if !has_curl {
        let test = "the_first_five_minutes_of_the_readme_run_as_they_stand_there";
        skip(test, "curl is not there, so the block over HTTP was left out");
        page.blocks.truncate(1);
    }
    let output = page.typed();
    assert!(output.contains("HELLO"), "\n{output}");
    assert!(!has_curl || output.contains("OVER THE WIRE"), "\n{output}");
    assert!(!has_curl || output.contains("event: settled"), "\n{output}");
}

#[test]
fn the_way_from_a_jar_to_a_durable_call_runs_as_it_stands_in_its_page() {
    let here = std::env::var("ENACT_TEST_JAVA").is_ok_and(|told| told == "1");
    if !here && !shell::works(Command::new("javac").arg("-version")) {
        let test = "the_way_from_a_jar_to_a_durable_call_runs_as_it_stands_in_its_page";
        return skip(test, "there is no javac on this machine");
    }
    let page = Page::open("docs/bring-a-jar.md");
    assert_eq!(page.blocks.len(), 2);
    let output = page.typed();
    assert!(output.contains("\"Hello Ada! Hello Ada!\""), "\n{output}");
    // Under its key once before the kill and once after it; two executions in all, and each ran once.
    assert_eq!(output.matches("\"Hello Grace!\"").count(), 2, "\n{output}");
    for kind in ["IntentAccepted", "AttemptStarted", "Settled"] {
        assert_eq!(output.lines().filter(|line| line.contains(kind)).count(), 2, "{kind}\n{output}");
    }
    assert!(output.contains("all of it is as it should be"), "\n{output}");
}
