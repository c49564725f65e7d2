//! A copy of a store has exactly what was durable when it was taken.

use super::*;

/// Opens a copy as a store of its own.
fn opened(copy: &Disk) -> DiskStore {
    let (store, opened) = copy.try_open().unwrap();
    assert_eq!(opened.cut, None, "a copy ends with a whole frame");
    store
}

#[test]
fn a_copy_opens_with_every_record_that_was_durable_and_no_other() {
    let (mut disk, mut dice, mut model) = (Disk::new(), Dice::new(3), Model::default());
    let mut store = disk.open();
    for round in 0..12 {
        commits(&mut store, &mut model, &mut dice, 1 + 7 * round);
        let (view, expected, position) = (store.view(), model.rows(), model.position());
        let copy = Disk::new();
        std::fs::create_dir(copy.store()).unwrap();
        let copied = view.copy(&disk.store(), &copy.store()).unwrap();
        assert_eq!(copied.position, position);
        // What comes afterwards is not in it.
        commits(&mut store, &mut model, &mut dice, 3);
        let report =
            crate::embedded::verify_log(&crate::io::DiskIo, &FjallStorage::new(&copy.store()), &copy.store(), None);
        let report = report.unwrap();
        assert_eq!((report.last, report.faults, report.torn), (position, Vec::new(), None));
        let copy = opened(&copy);
        assert_eq!((copy.position(), rows(&copy.view())), (position, expected), "round {round}");
    }
}

#[test]
fn a_copy_of_a_store_whose_beginning_was_dropped_has_its_base() {
    let (mut disk, mut dice, mut model) = (Disk::new(), Dice::new(4), Model::default());
    let mut store = disk.open();
    commits(&mut store, &mut model, &mut dice, 200);
    let keep = store.view().extend_base(Lsn(model.position().0 / 2), &mut apply).unwrap();
    assert_eq!(store.drop_before(keep).unwrap(), keep);
    let copy = Disk::new();
    std::fs::create_dir(copy.store()).unwrap();
    store.view().copy(&disk.store(), &copy.store()).unwrap();
    let copy = opened(&copy);
    assert_eq!(copy.view().first_record(), keep);
    assert_eq!(rows(&copy.view()), model.rows());
    assert_eq!(copy.view().verify_tables(&mut apply).unwrap().differing, 0);
}

#[test]
fn no_segment_is_dropped_while_a_copy_is_made() {
    let (mut disk, mut dice, mut model) = (Disk::new(), Dice::new(5), Model::default());
    let mut store = disk.open();
    commits(&mut store, &mut model, &mut dice, 200);
    let view = store.view();
    let keep = view.extend_base(model.position(), &mut apply).unwrap();
    let copying = view.shared.base.lock().unwrap();
    assert_eq!(store.drop_before(keep).unwrap(), Lsn(1));
    drop(copying);
    assert_eq!(store.drop_before(keep).unwrap(), keep);
}
