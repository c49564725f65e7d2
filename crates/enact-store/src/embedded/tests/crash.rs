//! Loss of power and failing calls under the whole store.

use super::*;
use crate::contract::CommitError;
use crate::io::FailKind;

/// Commits until something fails; what was acknowledged is in `model`, what may have been written in the result.
fn run(sim: &Sim, model: &mut Model, dice: &mut Dice, count: u64) -> Option<Model> {
    let Ok((mut store, _)) = sim.try_open() else { return None };
    let view = store.view();
    for _ in 0..count {
        let mut next = model.clone();
        let batch = next.batch(dice);
        match store.commit(Epoch(1), store.position(), &batch) {
            Ok(last) => {
                *model = next;
                assert_eq!(last, model.position());
            }
            Err(error) => {
                assert_eq!(view.position(), model.position(), "a failed commit is visible");
                assert_eq!(rows(&view), model.rows());
                assert!(matches!(store.commit(Epoch(1), store.position(), &batch), Err(CommitError::Refused(_))));
                return matches!(error, CommitError::Unknown(_)).then_some(next);
            }
        }
        if dice.below(3) == 0 {
            store.flush().unwrap();
        }
    }
    None
}

#[test]
fn a_restart_after_any_loss_of_power_has_every_acknowledged_commit_and_the_tables_of_its_log() {
    for seed in 0..60 {
        let (sim, mut dice, mut model) = (Sim::new(seed), Dice::new(seed), Model::default());
        for round in 0..5 {
            sim.disk.fail_at(1 + dice.below(150), FailKind::Power);
            let maybe = run(&sim, &mut model, &mut dice, 30);
            sim.disk.crash(seed * 101 + round);
            sim.storage.crash(seed * 103 + round);
            let (store, opened) = sim.try_open().unwrap_or_else(|error| panic!("seed {seed} round {round}: {error}"));
            assert!(opened.position >= model.position(), "seed {seed} round {round}: an acknowledged commit is gone");
            model = maybe.unwrap_or(model).at(opened.position);
            assert_eq!(model.position(), opened.position, "seed {seed} round {round}");
            assert_eq!(rows(&store.view()), model.rows(), "seed {seed} round {round}");
            let report = store.view().verify_tables(&mut apply).unwrap();
            assert_eq!((report.differing, report.position), (0, opened.position), "seed {seed} round {round}");
        }
    }
}

#[test]
fn each_failing_call_fails_its_commit_and_nothing_of_it_is_visible() {
    for kind in FailKind::ALL {
        let mut fired = 0;
        for n in 1.. {
            let (sim, mut model) = (Sim::new(n), Model::default());
            sim.disk.fail_at(n, kind);
            let maybe = run(&sim, &mut model, &mut Dice::new(5), 30);
            if !sim.disk.disarm() {
                break;
            }
            fired += 1;
            sim.disk.crash(n);
            sim.storage.crash(n);
            let (store, opened) = sim.try_open().unwrap();
            assert!(opened.position >= model.position(), "{kind:?} at its call {n}");
            assert_eq!(
                rows(&store.view()),
                maybe.unwrap_or(model).at(opened.position).rows(),
                "{kind:?} at its call {n}"
            );
        }
        assert!(fired > 2, "{kind:?} happened {fired} times");
    }
}

#[test]
fn the_same_seed_leaves_the_same_bytes() {
    let run = || {
        let (sim, mut dice, mut model) = (Sim::new(3), Dice::new(3), Model::default());
        sim.disk.fail_at(90, FailKind::Power);
        run(&sim, &mut model, &mut dice, 40);
        sim.disk.crash(4);
        sim.disk.bytes(&path().join("log").join("00000000000000000001.log"))
    };
    assert!(run().is_some());
    assert_eq!(run(), run());
}
