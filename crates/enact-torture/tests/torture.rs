//! A short torture at random moments, one at every named place, and a short soak.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::collections::BTreeSet;
use std::time::Duration;

use enact_store::crash::{HERE, POINTS};
use enact_torture::{Plan, run, soak};
use skip::skip;

#[path = "../../enact-sink/tests/sinks/skip.rs"]
mod skip;

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_is_killed_again_and_again_loses_nothing_and_runs_nothing_twice() {
    let plan = Plan {
        program: env!("CARGO_BIN_EXE_enact-torture").into(),
        rounds: 200,
        time: Duration::from_secs(20),
        seed: std::process::id().into(),
        named: false,
    };
    let account = run(&plan).await.unwrap_or_else(|broken| panic!("{broken}"));
    assert!(account.rounds >= 3 && account.acknowledged >= 20, "{account:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_ends_at_each_named_place_in_turn_loses_nothing_and_runs_nothing_twice() {
    if !HERE {
        return skip("a build without debug assertions has no named places");
    }
    let plan = Plan {
        program: env!("CARGO_BIN_EXE_enact-torture").into(),
        rounds: POINTS.len() as u64,
        time: Duration::MAX,
        seed: std::process::id().into(),
        named: true,
    };
    let account = run(&plan).await.unwrap_or_else(|broken| panic!("{broken}"));
    assert_eq!(account.places.iter().copied().collect::<BTreeSet<_>>(), POINTS.iter().copied().collect());
    assert_eq!((account.rounds, account.named), (plan.rounds, plan.rounds), "{account:?}");
    assert!(account.acknowledged >= 20, "{account:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_under_mixed_load_that_is_killed_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let plan = soak::Plan {
        program: env!("CARGO_BIN_EXE_enact-soak").into(),
        short_keep: false,
        time: Duration::from_secs(15),
        kill_every: Duration::from_secs(8),
        rate: 10.0,
        seed: std::process::id().into(),
        window: Duration::from_secs(3),
        keep: Duration::from_secs(3_600),
        jar: None,
        python: soak::has_python(),
        dir: dir.path().to_path_buf(),
    };
    if !soak::has_redis() {
        skip("there is no redis-server; `cargo xtask setup` brings it");
    }
    if !plan.python {
        skip("there is no python3; `cargo xtask setup` brings it");
    }
    let report = soak::run(&plan).await.unwrap_or_else(|broken| panic!("{broken} (seed {})", plan.seed));
    let lost = report.verdicts.iter().find(|verdict| verdict.name == "nothing is lost").unwrap();
    assert_eq!(lost.holds, Some(true), "{} (seed {})", lost.said, plan.seed);
    let kills = report.rows.iter().find(|row| row.name == "killed to first answer, how often").unwrap();
    let calls = report.rows.iter().find(|row| row.name == "calls with an outcome").unwrap();
    assert!(kills.value >= 1.0 && calls.value >= 60.0, "{}", report.table());
}
