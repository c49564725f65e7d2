//! One short scenario, over and over: the n-th call on the disk fails, or the power goes at it, for every n there is.

use enact_simulation::run::report;
use enact_simulation::violation::Verdict;
use enact_simulation::world::World;
use enact_simulation::world::hub::End;
use enact_simulation::world::weather::Weather;
use enact_store::io::FailKind;

const SEED: u64 = 11;
const STEPS: u64 = 45;
/// A little goes wrong with handlers and sinks, and nothing by itself with the hub.
const WEATHER: Weather = Weather { ends: 0, disk: 0, jumps: 0, rough: 25 };

/// Runs the scenario with one failure ahead; tells whether it has happened.
fn play(n: u64, kind: FailKind) -> Verdict<bool> {
    let mut world = World::new(SEED, WEATHER, false)?;
    world.hub().arm(n, kind);
    for _ in 0..STEPS {
        world.step()?;
    }
    world.hold_a_restart(End::Killed)?;
    let happened = world.hub().broken() > 0;
    world.come_to_rest()?;
    world.hold_the_end()?;
    assert!(report(&mut world).executions > 10);
    Ok(happened)
}

/// Lets every call of a sort fail, one in each run, until a run passes without.
fn each(kind: FailKind, at_least: u64) {
    for n in 1.. {
        match play(n, kind) {
            Ok(true) => {}
            Ok(false) => {
                assert!(n > at_least, "{kind:?} happened {} times only", n - 1);
                return;
            }
            Err(violation) => panic!("{kind:?} at call {n} of the scenario with seed {SEED}: {violation}"),
        }
    }
}

#[test]
fn an_append_that_fails_fails_its_commands_at_whichever_write() {
    each(FailKind::Write, 15);
    each(FailKind::ShortWrite, 15);
    each(FailKind::NoSpace, 15);
}

#[test]
fn a_sync_that_fails_fails_its_commands_whichever_it_is() {
    each(FailKind::Sync, 15);
    each(FailKind::DirSync, 0);
    each(FailKind::Rename, 0);
}

#[test]
fn nothing_acknowledged_is_lost_at_whichever_call_the_power_goes() {
    each(FailKind::Power, 30);
}
