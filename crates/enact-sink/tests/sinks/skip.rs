//! What a test says that cannot run here; the tests of the doors take this file in, too.

use std::io::Write as _;

/// Says that a test is skipped, and why, where `cargo xtask test` counts it.
#[allow(clippy::print_stdout, reason = "it is for whoever runs the test")]
pub fn skip(why: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    println!("{test} is skipped: {why}");
    if let Some(file) = std::env::var_os("ENACT_SKIPPED_TESTS") {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(file).unwrap();
        writeln!(file, "{test}\t{why}").unwrap();
    }
}
