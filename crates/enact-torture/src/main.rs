//! `cargo xtask torture`: rounds until one breaks or all are done; and the hub itself, when the torture starts this program.

use std::process::ExitCode;
use std::time::Duration;

use enact_store::crash::{HERE, POINTS};
use enact_torture::{BE_THE_HUB, Plan, run};

const USAGE: &str = "usage: enact-torture [--rounds N] [--minutes M] [--seed S]";

fn main() -> ExitCode {
    if std::env::var_os(BE_THE_HUB).is_some() {
        return enact_cli::entry::enter();
    }
    match torture() {
        Ok(text) => {
            say(&text);
            ExitCode::SUCCESS
        }
        Err(text) => {
            say(&text);
            ExitCode::FAILURE
        }
    }
}

#[allow(clippy::print_stdout)]
fn say(text: &str) {
    println!("{text}");
}

fn torture() -> Result<String, String> {
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let mut plan = Plan {
        program: std::env::current_exe().map_err(|error| format!("failed to find this program: {error}"))?,
        rounds: 200,
        time: Duration::from_secs(3_600),
        seed: clock.as_secs(),
        named: HERE,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let number = words.next().and_then(|text| text.parse::<u64>().ok()).ok_or(USAGE)?;
        match word.as_str() {
            "--rounds" => plan.rounds = number,
            "--minutes" => (plan.time, plan.rounds) = (Duration::from_secs(number * 60), u64::MAX),
            "--seed" => plan.seed = number,
            _ => return Err(USAGE.to_owned()),
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("failed to start: {error}"))?;
    let account = runtime.block_on(run(&plan)).map_err(|broken| broken.to_string())?;
    Ok(format!(
        "{} rounds, {} hubs ended at {} of {} named places, {} intents acknowledged, {} in doubt; nothing is lost, nothing ran twice (seed {})",
        account.rounds,
        account.named,
        account.places.len(),
        POINTS.len(),
        account.acknowledged,
        account.in_doubt,
        plan.seed
    ))
}
