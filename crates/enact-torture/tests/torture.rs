//! A short round of the torture, with whatever crash points this build has.

use std::time::Duration;

use enact_torture::{Plan, run};

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_is_killed_again_and_again_loses_nothing_and_runs_nothing_twice() {
    let plan = Plan {
        program: env!("CARGO_BIN_EXE_enact-torture").into(),
        rounds: 200,
        time: Duration::from_secs(20),
        seed: std::process::id().into(),
        named: cfg!(feature = "crash-points"),
    };
    let account = run(&plan).await.unwrap_or_else(|broken| panic!("{broken}"));
    assert!(account.rounds >= 3 && account.acknowledged >= 20, "{account:?}");
}
