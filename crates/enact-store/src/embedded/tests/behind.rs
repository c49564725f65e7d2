//! Tables that cannot be written behind for a while.

use std::time::Instant;

use super::*;

fn eventually(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < end, "it never came to be that {what}");
        std::thread::yield_now();
    }
}

#[test]
fn a_cold_side_without_room_is_reported_until_it_has_some_again_and_is_not_asked_all_the_time() {
    let (sim, mut dice, mut model) = (Sim::new(1), Dice::new(1), Model::default());
    let config = Config { flush_every: Duration::from_millis(1), dirty_max: 10_000, ..small(true) };
    let open = Embedded::open(sim.disk.clone(), sim.storage.clone(), &path(), config, &mut apply);
    let (mut store, _) = open.unwrap();
    let view = store.view();
    assert_eq!(view.trouble(), None);
    sim.storage.fill(true);
    commits(&mut store, &mut model, &mut dice, 1);
    eventually("the trouble is known", || view.trouble().is_some());
    let begun = Instant::now();
    let first = view.trouble().unwrap();
    assert!(first.reason.starts_with("failed to write the tables in memory: "), "{first:?}");
    // The log goes on, and commits are no reason to try more often.
    commits(&mut store, &mut model, &mut dice, 300);
    let refused = sim.storage.fill(true);
    let tries = begun.elapsed().as_millis() as u64 / 100 + 2;
    assert!(refused <= tries, "{refused} tries in {:?}", begun.elapsed());
    assert_eq!(view.trouble().map(|trouble| trouble.since), Some(first.since), "it counts from the first failure");
    sim.storage.fill(false);
    eventually("the tables are written", || view.trouble().is_none() && view.behind() == 0);
    assert_eq!(rows(&view), model.rows());
}

#[test]
fn a_commit_beyond_the_bound_goes_by_what_a_try_comes_to_now_and_not_by_what_failed_before() {
    let (sim, mut dice, mut model) = (Sim::new(2), Dice::new(2), Model::default());
    let config = Config { flush_every: Duration::from_millis(1), ..small(true) };
    let open = Embedded::open(sim.disk.clone(), sim.storage.clone(), &path(), config, &mut apply);
    let (mut store, _) = open.unwrap();
    let view = store.view();
    sim.storage.fill(true);
    while store.shared.tables.dirty() <= store.config.dirty_max {
        commits(&mut store, &mut model, &mut dice, 1);
    }
    eventually("the trouble is known", || view.trouble().is_some());
    sim.storage.fill(false);
    commits(&mut store, &mut model, &mut dice, 20);
    assert_eq!(rows(&view), model.rows());
}

#[test]
fn the_first_write_of_every_start_is_synced_so_that_no_journal_grows_over_many_starts() {
    let (sim, mut dice, mut model) = (Sim::new(3), Dice::new(3), Model::default());
    let config = Config { flush_every: Duration::from_millis(1), dirty_max: 10_000, ..small(true) };
    for _ in 0..3 {
        let open = Embedded::open(sim.disk.clone(), sim.storage.clone(), &path(), config.clone(), &mut apply);
        let (mut store, _) = open.unwrap();
        let view = store.view();
        commits(&mut store, &mut model, &mut dice, 1);
        eventually("the first write is synced", || view.behind() == 0 && sim.storage.unsynced() == 0);
        commits(&mut store, &mut model, &mut dice, 1);
        eventually("the second is written, and waits for its sync", || {
            view.behind() == 0 && sim.storage.unsynced() == 1
        });
    }
}
