//! The binary.

use std::process::ExitCode;

/// Half a dozen threads make records and rows and others of them let them go, which the allocator of libc is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    enact_cli::entry::enter()
}
