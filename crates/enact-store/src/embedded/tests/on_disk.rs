//! What only a real disk can show: the lock, the format file, and tables that are damaged.

use std::fs;

use super::*;

fn error(result: Result<(DiskStore, Opened), OpenError>) -> String {
    let error = result.err().expect("it must not open");
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    text
}

#[test]
fn a_second_hub_is_told_who_holds_the_store() {
    let disk = Disk::new();
    let (store, _) = disk.try_open().unwrap();
    let text = error(disk.try_open());
    assert!(text.contains(&format!("held by the process {}", std::process::id())), "{text}");
    drop(store);
    disk.try_open().unwrap();
}

#[test]
fn a_store_that_is_made_is_for_its_owner_only_and_one_that_is_there_is_left_as_it_is() {
    use std::os::unix::fs::PermissionsExt as _;
    let disk = Disk::new();
    let mode = || fs::metadata(disk.store()).unwrap().permissions().mode() & 0o777;
    drop(disk.try_open().unwrap());
    assert_eq!(mode(), 0o700);
    fs::set_permissions(disk.store(), fs::Permissions::from_mode(0o750)).unwrap();
    drop(disk.try_open().unwrap());
    assert_eq!(mode(), 0o750);
}

#[test]
fn a_newer_store_is_refused_untouched() {
    let disk = Disk::new();
    fs::create_dir(disk.store()).unwrap();
    fs::write(disk.store().join("FORMAT"), "enact store 3\n").unwrap();
    let text = error(disk.try_open());
    assert!(text.contains("it has format 3, and this enact knows formats up to 2"), "{text}");
    let refused = verify_log(&DiskIo, &FjallStorage::new(&disk.store()), &disk.store(), None).unwrap_err();
    assert!(refused.to_string().contains("it has format 3"), "{refused}");
    let left = fs::read_dir(disk.store()).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
    assert_eq!(left, ["FORMAT"]);
    fs::write(disk.store().join("FORMAT"), "something else").unwrap();
    assert!(error(disk.try_open()).contains("does not name a format"));
}

#[test]
fn tables_that_are_gone_or_damaged_are_made_anew_from_the_log() {
    let (disk, mut dice, mut model) = (Disk::new(), Dice::new(1), Model::default());
    let (mut store, _) = disk.try_open().unwrap();
    commits(&mut store, &mut model, &mut dice, 50);
    store.close().unwrap();
    fs::remove_dir_all(disk.store().join("tables")).unwrap();
    let (store, opened) = disk.try_open().unwrap();
    assert_eq!((opened.replayed, opened.position), (model.position().0, model.position()));
    assert_eq!(rows(&store.view()), model.rows());
    store.close().unwrap();
    for entry in fs::read_dir(disk.store().join("tables")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::write(path, b"garbage").unwrap();
        }
    }
    let (store, opened) = disk.try_open().unwrap();
    assert!(opened.rebuilt.is_some());
    assert_eq!(rows(&store.view()), model.rows());
}

#[test]
fn a_clean_end_leaves_no_journal_to_read_and_every_row_in_its_place() {
    let (disk, mut dice, mut model) = (Disk::new(), Dice::new(4), Model::default());
    let journals = || {
        let entries = fs::read_dir(disk.store().join("tables")).unwrap().map(|entry| entry.unwrap());
        let journals = entries.filter(|entry| entry.path().extension().is_some_and(|ending| ending == "jnl"));
        journals.map(|entry| entry.metadata().unwrap().len()).collect::<Vec<_>>()
    };
    for round in 0..6 {
        let (mut store, opened) = disk.try_open().unwrap();
        assert_eq!((opened.position, opened.rebuilt), (model.position(), None), "round {round}");
        assert!(rows(&store.view()) == model.rows(), "rows are missing in round {round}");
        commits(&mut store, &mut model, &mut dice, 60);
        // Every other end is that of a hub that is killed, and one of a hub that did nothing.
        if round % 2 == 0 {
            store.close().unwrap();
            assert!(journals().iter().all(|bytes| *bytes == 0), "{:?}", journals());
            let (store, opened) = disk.try_open().unwrap();
            assert_eq!((opened.replayed, opened.rebuilt), (0, None), "round {round}");
            store.close().unwrap();
            assert_eq!(journals().iter().sum::<u64>(), 0);
        }
    }
}

#[test]
fn a_log_that_lost_what_the_tables_have_does_not_open() {
    let (disk, mut dice, mut model) = (Disk::new(), Dice::new(2), Model::default());
    let (mut store, _) = disk.try_open().unwrap();
    commits(&mut store, &mut model, &mut dice, 50);
    store.close().unwrap();
    let verify = || verify_log(&DiskIo, &FjallStorage::new(&disk.store()), &disk.store(), None);
    assert_eq!(verify().unwrap().faults, []);
    fs::remove_dir_all(disk.store().join("log")).unwrap();
    let text = verify().unwrap().faults[0].to_string();
    assert!(text.contains("is known to have been durable; the first record lost is 1"), "{text}");
    let text = error(disk.try_open());
    assert!(text.contains("is known to have been durable; the first record lost is 1"), "{text}");
}

#[test]
fn a_store_in_a_place_that_takes_no_folder_is_a_clear_error() {
    let disk = Disk::new();
    fs::write(disk.store(), "a file").unwrap();
    let text = error(disk.try_open());
    assert!(text.starts_with("failed to ") && text.contains(&disk.store().display().to_string()), "{text}");
}

#[test]
fn commits_beyond_the_bound_of_dirty_rows_wait_for_the_writer_behind() {
    let (disk, mut dice, mut model) = (Disk::new(), Dice::new(3), Model::default());
    let (mut store, _) = disk.try_open().unwrap();
    commits(&mut store, &mut model, &mut dice, 400);
    assert!(store.shared.tables.dirty() <= store.config.dirty_max + 24);
    assert_eq!(rows(&store.view()), model.rows());
}

#[test]
fn readers_see_whole_commits_only_while_tables_are_written_behind() {
    let (disk, mut dice, mut model) = (Disk::new(), Dice::new(4), Model::default());
    let (mut store, _) = disk.try_open().unwrap();
    let view = store.view();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let reader = std::thread::spawn(move || {
        let mut last = (Lsn::ZERO, 0);
        while stopped.try_recv().is_err() {
            let at = view.position();
            let seen = rows(&view);
            assert!(at >= last.0);
            last = (at, seen.len());
        }
        view.verify_tables(&mut apply).unwrap()
    });
    commits(&mut store, &mut model, &mut dice, 300);
    stop.send(()).unwrap();
    assert_eq!(reader.join().unwrap().differing, 0);
    assert_eq!(rows(&store.view()), model.rows());
}

#[test]
fn tables_that_somebody_has_open_are_not_taken_for_damaged() {
    let (disk, mut dice, mut model) = (Disk::new(), Dice::new(5), Model::default());
    let (mut store, _) = disk.try_open().unwrap();
    commits(&mut store, &mut model, &mut dice, 5);
    let view = store.view();
    drop(store);
    let text = error(disk.try_open());
    assert!(text.contains("tables") && text.contains("Locked"), "{text}");
    assert_eq!(rows(&view), model.rows());
    drop(view);
    let (store, opened) = disk.try_open().unwrap();
    assert_eq!(opened.rebuilt, None);
    assert_eq!(rows(&store.view()), model.rows());
}

#[test]
fn a_store_of_format_1_opens_with_all_of_its_records_and_is_raised() {
    let disk = Disk::new();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/format-1");
    fs::create_dir_all(disk.store().join("log")).unwrap();
    fs::copy(fixture.join("FORMAT"), disk.store().join("FORMAT")).unwrap();
    for name in fs::read_dir(fixture.join("log")).unwrap().map(|entry| entry.unwrap().file_name()) {
        fs::copy(fixture.join("log").join(&name), disk.store().join("log").join(&name)).unwrap();
    }
    let verify = || verify_log(&DiskIo, &FjallStorage::new(&disk.store()), &disk.store(), None).unwrap();
    assert_eq!((verify().records, verify().faults), (92, vec![]));
    assert_eq!(
        fs::read_to_string(disk.store().join("FORMAT")).unwrap(),
        "enact store 1\n",
        "who looks changes nothing"
    );
    let (mut store, opened) = disk.try_open().unwrap();
    assert_eq!((opened.position, opened.replayed), (Lsn(92), 92));
    let records = store.view().read_log(Lsn(1)).collect::<Result<Vec<_>, _>>().unwrap();
    let encoded = records.iter().flat_map(enact_model::record::Record::encode).collect::<Vec<_>>();
    let digest = enact_model::digest::Digest::of(&encoded).to_string();
    assert_eq!(
        digest, "sha256:fbe1e35af9d60823b6ad425d2bbe1809c5e5a78be93b8c6ad999ee0ecd48d945",
        "the records are those that the old release wrote"
    );
    // An older enact will not open what it does not know.
    assert_eq!(fs::read_to_string(disk.store().join("FORMAT")).unwrap(), "enact store 2\n");
    let mut record = records.last().unwrap().clone();
    record.lsn = Lsn(93);
    let batch = crate::contract::Batch { frames: vec![vec![record]], changes: Vec::new() };
    store.commit(store.epoch(), Lsn(92), &batch).unwrap();
    store.close().unwrap();
    let report = verify();
    assert_eq!((report.records, report.chained, report.faults), (93, Some(Lsn(93)), vec![]));
}
