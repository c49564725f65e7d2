//! Whole simulations from seeds.

use enact_simulation::coverage::{Coverage, PROMISED_SEEDS, PROMISED_STEPS};
use enact_simulation::run::{Options, run};

const STEPS: u64 = PROMISED_STEPS;

fn simulate(seeds: impl Iterator<Item = u64>, steps: u64) -> Coverage {
    let mut coverage = Coverage::default();
    for seed in seeds {
        match run(Options { seed, steps, trace: false }) {
            Ok(report) => coverage.add(&report.coverage),
            Err(failure) => panic!("{failure}"),
        }
    }
    coverage
}

#[test]
fn the_same_seed_makes_the_same_log_byte_for_byte() {
    for seed in [3, 14] {
        let once = run(Options { seed, steps: STEPS, trace: false }).unwrap();
        let again = run(Options { seed, steps: STEPS, trace: false }).unwrap();
        assert_eq!(once, again, "seed {seed}");
        let other = run(Options { seed: seed + 1_000, steps: STEPS, trace: false }).unwrap();
        assert_ne!(once.log, other.log);
        assert_ne!(once.records, other.records);
    }
}

#[test]
fn a_hub_does_in_every_weather_what_the_oracle_foretells() {
    simulate(1_000..1_030, STEPS);
}

#[test]
fn a_hub_that_lives_for_long_does_what_the_oracle_foretells() {
    simulate(2_000..2_003, 500);
}

#[test]
fn no_run_ends_before_every_kind_of_command_has_succeeded_and_been_refused() {
    let mut coverage = Coverage::default();
    for seed in 1..=PROMISED_SEEDS {
        coverage.add(&simulate(std::iter::once(seed), STEPS));
        if seed >= 12 && coverage.missing().is_empty() {
            return;
        }
    }
    panic!("{PROMISED_SEEDS} seeds have not seen that {}", coverage.missing().join(", "));
}
