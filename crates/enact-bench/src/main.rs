//! `cargo xtask bench`: what the hub reaches on this machine, each figure beside the floor that was measured in the same run.

mod floor;
mod http;
mod idle;
mod jar;
mod latency;
mod options;
mod peers;
mod placement;
mod relay;
mod report;
mod ring;
mod round_trip;
mod start;
mod streams;
mod world;

use std::process::ExitCode;

use options::{Options, Task};
use report::{Report, Row};

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Whatever stops a measurement; a bench has nobody who could act on its kind.
type Failure = Box<dyn std::error::Error + Send + Sync>;

const USAGE: &str = "\
usage: cargo xtask bench [--json] [--seconds N] [--row NAME]… [--in-flight N]… [--full] [--dir FOLDER]

  --json         prints an array of rows {name, in_flight, value, unit, ratio}; what was not measured
                 has no value, and says why in `skipped`
  --seconds N    how long each load of `floor`, `stages` and `ring` goes on (10; a full figure is 60)
  --row NAME     only floor, stages, ring, relay, worker, oneshot, jar, jar-start, jar-many, start, idle,
                 streams or http; may stand more than once. `http` fetches Restate and DBOS by npm and pip
                 into a folder that is gone afterwards, and measures them beside the hub
  --in-flight N  only this load of the first three instead of 1, 8, 64 and 512; may stand more than once
  --full         starts with 1,000,000 settled executions instead of 100,000
  --dir FOLDER   where the stores are made: the disk that is measured (target)
";

#[allow(clippy::print_stdout, clippy::print_stderr)]
fn main() -> ExitCode {
    // As the hub that is released.
    let _ = enact_host::huge_pages::forgo();
    let result = match Task::parse(std::env::args().skip(1)) {
        Ok(Task::Bench(options)) => bench(&options).map(|report| print!("{report}")),
        Ok(Task::Answer) => round_trip::answer(),
        Ok(Task::Fill { store, executions }) => start::fill(&store, executions),
        Ok(Task::Open { store }) => start::open(&store).map(|opened| println!("{opened}")),
        Err(failure) => {
            eprint!("{failure}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("failed to measure: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn bench(options: &Options) -> Result<Report, Failure> {
    let mut report = Report::new(options.json);
    if ["floor", "stages", "ring"].iter().any(|row| options.wants(row)) {
        for in_flight in &options.in_flight {
            load(options, *in_flight, &mut report)?;
        }
    }
    for (name, measure) in [
        ("relay", relay::measure as fn(&Options) -> Result<Vec<Row>, Failure>),
        ("worker", round_trip::worker),
        ("oneshot", round_trip::oneshot),
        ("jar", jar::calls),
        ("jar-start", jar::starts),
        ("jar-many", jar::many),
        ("start", start::measure),
        ("idle", idle::measure),
        ("streams", streams::measure),
        ("http", http::measure),
    ] {
        if options.wants(name) {
            report.say(name);
            report.extend(measure(options)?);
        }
    }
    Ok(report)
}

/// One load, with half of the floor before and half of it after: a neighbour who comes or goes meets both.
fn load(options: &Options, in_flight: u32, report: &mut Report) -> Result<(), Failure> {
    report.say(&format!("{in_flight} in flight"));
    let half = options.time() / 2;
    let (dir, commits) = (&options.dir, ring::commits(&options.dir)?);
    let mut disk = floor::bytes(dir, &commits, in_flight, half)?;
    let mut bare = floor::records(dir, &commits, in_flight, half)?;
    let hub = options.wants("ring").then(|| ring::measure(dir, in_flight, options.time())).transpose()?;
    bare.merge(floor::records(dir, &commits, in_flight, half)?);
    let stages = || floor::records(dir, &floor::stages(&commits), in_flight, options.time());
    let mut stages = options.wants("stages").then(stages).transpose()?;
    report.extend(disk.rows("disk", in_flight));
    report.extend(bare.rows("floor", in_flight));
    report.extend(stages.iter_mut().flat_map(|stages| stages.rows("stages", in_flight)));
    if let Some(hub) = hub {
        report.extend(stages.map(|stages| hub.beside(in_flight, &stages)));
        report.extend(hub.rows(in_flight, &mut bare));
    }
    Ok(())
}
