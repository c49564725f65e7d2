//! Retention, the base, and the verification of the tables.

use super::*;
use crate::contract::ReplayView;
use enact_model::record::{Body, Record};
use enact_model::table::Change;

#[test]
fn retention_drops_whole_segments_only_after_the_base_has_their_records() {
    let (mut sim, mut dice, mut model) = (Sim::new(1), Dice::new(1), Model::default());
    let mut store = sim.open();
    commits(&mut store, &mut model, &mut dice, 150);
    let before = Lsn(model.position().0 / 2);
    assert_eq!(store.drop_before(before).unwrap(), Lsn(1), "there is no base yet");
    let keep = store.view().extend_base(before, &mut apply).unwrap();
    assert!(keep > Lsn(1) && keep <= before);
    assert_eq!(store.drop_before(model.position()).unwrap(), keep);
    assert_eq!(store.view().first_record(), keep);
    assert!(store.view().record(Lsn(1)).is_err());
    assert_eq!(rows(&store.view()), model.rows());
    let report = store.view().verify_tables(&mut apply).unwrap();
    assert_eq!((report.differing, report.from.plus(1), report.rows), (0, keep, model.rows().len() as u64));
    // Tables that are lost altogether begin anew from the base.
    drop(store);
    crate::embedded::ColdStorage::remove(&sim.storage, Purpose::Tables).unwrap();
    let (mut store, opened) = sim.try_open().unwrap();
    assert!(opened.rebuilt.is_some());
    assert_eq!(rows(&store.view()), model.rows());
    commits(&mut store, &mut model, &mut dice, 100);
    let keep = store.view().extend_base(model.position(), &mut apply).unwrap();
    assert_eq!(store.drop_before(keep).unwrap(), keep);
    assert_eq!(store.view().verify_tables(&mut apply).unwrap().differing, 0);
}

#[test]
fn a_loss_of_power_during_retention_leaves_a_store_that_opens() {
    use crate::io::FailKind;
    for n in 1.. {
        let (mut sim, mut dice, mut model) = (Sim::new(n), Dice::new(n), Model::default());
        let mut store = sim.open();
        commits(&mut store, &mut model, &mut dice, 120);
        sim.disk.fail_at(n, FailKind::Power);
        let kept = store.view().extend_base(model.position(), &mut apply).map(|keep| store.drop_before(keep));
        let finished = matches!(kept, Ok(Ok(_)));
        drop(store);
        sim.disk.crash(n);
        sim.storage.crash(n);
        let store = sim.open();
        assert_eq!(rows(&store.view()), model.rows(), "power lost at call {n}");
        assert_eq!(store.view().verify_tables(&mut apply).unwrap().differing, 0, "power lost at call {n}");
        if finished {
            break;
        }
    }
}

#[test]
fn a_row_that_no_record_made_is_found_by_the_verification() {
    let (mut sim, mut dice, mut model) = (Sim::new(2), Dice::new(2), Model::default());
    let mut store = sim.open();
    commits(&mut store, &mut model, &mut dice, 20);
    let (key, row) = model.rows().pop().unwrap();
    store.shared.tables.publish(&[Change { key: key.clone(), row: None }], store.position());
    let report = store.view().verify_tables(&mut apply).unwrap();
    let expected = Difference { key, live: None, rebuilt: Some(row) };
    assert_eq!((report.differing, report.differences), (1, vec![expected]));
}

#[test]
fn rules_that_changed_since_are_found_by_the_verification() {
    let (mut sim, mut dice, mut model) = (Sim::new(3), Dice::new(3), Model::default());
    let mut store = sim.open();
    commits(&mut store, &mut model, &mut dice, 20);
    let mut other = |view: &dyn ReplayView, record: &Record| match &record.body {
        Body::StateDeleted { .. } => Ok(Vec::new()),
        _ => apply(view, record),
    };
    assert!(store.view().verify_tables(&mut other).unwrap().differing > 0);
}

#[test]
fn settled_rows_leave_memory_and_resident_ones_stay() {
    use crate::contract::Cached;
    let (mut sim, mut dice, mut model) = (Sim::new(4), Dice::new(4), Model::default());
    let mut store = sim.open();
    commits(&mut store, &mut model, &mut dice, 20);
    let cached = |store: &SimStore, model: &Model| {
        model.rows().iter().filter(|(key, _)| matches!(store.view().cached(key), Cached::Row(_))).count()
    };
    store.flush().unwrap();
    assert_eq!(cached(&store, &model), model.rows().iter().filter(|(key, _)| key.resident()).count());
    drop(store);
    let store = sim.open();
    assert_eq!(cached(&store, &model), model.rows().iter().filter(|(key, _)| key.resident()).count());
}
