//! The binary for `cargo xtask soak`: the same, but that history may go away after minutes (the feature `short-keep`).

use std::process::ExitCode;

/// As in the binary that is released.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    enact_cli::entry::enter()
}
