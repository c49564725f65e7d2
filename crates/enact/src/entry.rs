//! From what was typed to an exit status.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use enact_host::huge_pages;
use enact_model::exit_status;

use crate::cli::{Cli, Command};
use crate::command::desk::Desk;
use crate::command::reload::Again;
use crate::command::{self};
use crate::failure::{Failure, report};
use crate::logging;
use crate::output::Output;

/// Threads that run tasks; the hub waits for disks and children more than it computes.
const WORKERS_MAX: usize = 4;
/// Threads for calls that block.
const BLOCKING_MAX: usize = 64;
/// How long such a thread waits for its next call. They are called in turn, so with a longer time each would always have one
/// to wait for, and what a burst has begun would stay, with the memory that each thread keeps for itself.
const BLOCKING_IDLE: Duration = Duration::from_millis(50);

/// Reads the command line, carries it out, and returns the exit status.
pub fn enter() -> ExitCode {
    // What this process was started with besides its three streams is nothing for the programs that it starts.
    close_fds::set_fds_cloexec(3, &[]);
    // Without them it is what it is without this: larger.
    let _ = huge_pages::forgo();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let json = std::env::args_os().any(|word| word == "--json");
            return ExitCode::from(report::report_usage(&error, json));
        }
    };
    let mut out = Output::standard(cli.global.json, cli.global.quiet);
    let mut flags = cli.global.flags();
    if let Command::Client(client) = &cli.command {
        flags.extend(client.flags());
    }
    let mut again = Again { config: cli.global.config.clone(), flags, file: None };
    let sheet = match again.read() {
        Ok(sheet) => sheet,
        Err(faults) => return ExitCode::from(report::report(&Failure::Config(faults), &mut out)),
    };
    let level = logging::begin(&sheet, matches!(cli.command, Command::Serve(_)));
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(source) => {
            let failure = Failure::System { what: "start the threads", source };
            return ExitCode::from(report::report(&failure, &mut out));
        }
    };
    let mut desk = Desk::new(sheet, out);
    desk.again = Some((again, level));
    let result = runtime.block_on(async {
        let result = command::carry_out(cli.command, &mut desk).await;
        desk.close().await;
        result
    });
    let status = match result {
        Ok(()) => exit_status::OK,
        Err(failure) => report::report(&failure, &mut desk.out),
    };
    // A thread that blocks, such as one that reads standard input, must not hold the process.
    runtime.shutdown_timeout(Duration::from_millis(100));
    ExitCode::from(status)
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    let workers = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, WORKERS_MAX);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .max_blocking_threads(BLOCKING_MAX)
        .thread_keep_alive(BLOCKING_IDLE)
        .thread_name("enact")
        .enable_all()
        .build()
}
