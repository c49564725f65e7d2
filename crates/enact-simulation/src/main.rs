//! Runs simulations by hand: `cargo run -p enact-simulation -- --seed 123 --steps 400`.

use std::io::Write as _;
use std::process::ExitCode;

use enact_simulation::coverage::Coverage;
use enact_simulation::run::{Options, run};

const USAGE: &str = "usage: enact-simulation [--seed N] [--seeds COUNT] [--steps N] [--trace]";

fn main() -> ExitCode {
    let mut options = Options { seed: 1, steps: 200, trace: false };
    let mut seeds = 1;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let target = match argument.as_str() {
            "--seed" => &mut options.seed,
            "--seeds" => &mut seeds,
            "--steps" => &mut options.steps,
            "--trace" => {
                options.trace = true;
                continue;
            }
            other => return say(2, &format!("unknown argument {other}\n{USAGE}")),
        };
        match arguments.next().and_then(|text| text.parse().ok()) {
            Some(number) => *target = number,
            None => return say(2, &format!("{argument} needs a number\n{USAGE}")),
        }
    }
    let mut coverage = Coverage::default();
    for seed in options.seed..options.seed.saturating_add(seeds) {
        match run(Options { seed, ..options }) {
            Ok(report) => {
                coverage.add(&report.coverage);
                let enact_simulation::run::Report { log, records, position, executions, runs, restarts, .. } = report;
                let line = format!(
                    "seed {seed}: {position} records, {executions} executions, {runs} runs, {restarts} starts, records {records:016x}, log {log}"
                );
                say(0, &line);
            }
            Err(failure) => return say(1, &failure.to_string()),
        }
    }
    for (kind, succeeded, refused) in coverage.iter() {
        say(0, &format!("{kind}: {succeeded} done, {refused} refused"));
    }
    match coverage.verdict(seeds, options.steps) {
        Ok(text) => say(0, &text),
        Err(text) => say(1, &text),
    }
}

fn say(status: u8, text: &str) -> ExitCode {
    let written = writeln!(std::io::stdout().lock(), "{text}");
    ExitCode::from(if written.is_ok() { status } else { 1 })
}
