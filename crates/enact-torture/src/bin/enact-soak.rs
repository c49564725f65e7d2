//! `cargo xtask soak`: reads what is asked for and tells what was found; and the hub itself, when a test starts this program.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use enact_torture::BE_THE_HUB;
use enact_torture::soak::{Plan, has_python, keeps_briefly, run};

const USAGE: &str = "\
usage: cargo xtask soak [OPTIONS]

An hour of mixed load with kills: nothing lost, memory flat, p99 steady. Ends with 1 when one of them does not hold.

options:
  --minutes M          how long the load goes on [default: 60]
  --kill-every S       the hub is killed about every S seconds, at random moments [default: 120]
  --rate N             calls in a second, whether or not the former are answered [default: 60]
  --window S           length of one window of the figures, in seconds [default: 10]
  --seed N             repeats the troubles and the calls of another run [default: the clock]
  --dir FOLDER         where its folder is made: the disk that is measured [default: target]
  --hub FILE           another build of the hub; one without the feature `short-keep` keeps its history
  --json               prints figures and verdicts as JSON; progress goes to standard error
  -y, --yes            installs what is missing without asking (CI=true says the same)
  --no-install         installs nothing; what cannot run is skipped, with its reason, and counted

examples:
  cargo xtask soak
  cargo xtask soak --minutes 3 --kill-every 30
  cargo xtask soak --minutes 600 --kill-every 600 --rate 50 --json > soak.json
";

fn main() -> ExitCode {
    if std::env::var_os(BE_THE_HUB).is_some() {
        return enact_cli::entry::enter();
    }
    let mut words = std::env::args().skip(1);
    match soak(&mut words) {
        Ok((text, holds)) => {
            say(&text);
            if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(text) => {
            complain(&text);
            ExitCode::FAILURE
        }
    }
}

#[allow(clippy::print_stdout)]
fn say(text: &str) {
    println!("{text}");
}

#[allow(clippy::print_stderr)]
fn complain(text: &str) {
    eprintln!("{text}");
}

fn soak(words: &mut dyn Iterator<Item = String>) -> Result<(String, bool), String> {
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let mut plan = Plan {
        program: std::env::current_exe().map_err(|error| format!("failed to find this program: {error}"))?,
        short_keep: false,
        time: Duration::from_secs(3_600),
        kill_every: Duration::from_secs(120),
        rate: 60.0,
        seed: clock.as_secs(),
        window: Duration::from_secs(10),
        keep: Duration::ZERO,
        jar: None,
        python: has_python(),
        dir: PathBuf::from("target"),
    };
    let mut json = false;
    while let Some(word) = words.next() {
        match word.as_str() {
            "--json" => json = true,
            "-h" | "--help" => return Ok((USAGE.to_owned(), true)),
            _ => {
                let value = words.next().ok_or_else(|| format!("{word} needs a value\n\n{USAGE}"))?;
                option(&mut plan, &word, &value)?;
            }
        }
    }
    plan.short_keep =
        keeps_briefly(&plan.program).map_err(|broken| format!("--hub {}: {broken}", plan.program.display()))?;
    // History goes away many times over within the run, and stays longer than a hub is away.
    plan.keep = (plan.time / 8).clamp(Duration::from_secs(45), Duration::from_secs(300));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("failed to start: {error}"))?;
    let report = runtime.block_on(run(&plan)).map_err(|broken| broken.to_string())?;
    Ok((if json { report.json() } else { report.table() }, report.holds()))
}

fn option(plan: &mut Plan, word: &str, value: &str) -> Result<(), String> {
    let number = |least: f64, most: f64| match value.parse::<f64>() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!("{word} {value}: write a number from {least} to {most}")),
    };
    match word {
        "--minutes" => plan.time = Duration::from_secs_f64(number(0.2, 10_000.0)? * 60.0),
        "--kill-every" => plan.kill_every = Duration::from_secs_f64(number(5.0, 100_000.0)?),
        "--rate" => plan.rate = number(1.0, 1_000.0)?,
        "--window" => plan.window = Duration::from_secs_f64(number(1.0, 600.0)?),
        "--seed" => plan.seed = value.parse().map_err(|_| format!("--seed {value}: write a whole number"))?,
        "--dir" => plan.dir = value.into(),
        // The hub is started in another folder.
        "--hub" => plan.program = std::path::absolute(value).map_err(|error| format!("--hub {value}: {error}"))?,
        "--jar" => plan.jar = Some(value.into()),
        _ => return Err(format!("{word} means nothing here\n\n{USAGE}")),
    }
    Ok(())
}
