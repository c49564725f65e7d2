//! The binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    enact_cli::entry::enter()
}
