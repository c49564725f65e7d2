//! The segment that is prepared ahead never takes room that others need.

use super::*;

fn next() -> PathBuf {
    dir().join("next.tmp")
}

/// Segments of 64 KiB after a first one of 4 KiB.
fn large() -> LogConfig {
    LogConfig { segment_bytes: 64 * 1024, ..small() }
}

/// Appends records of 500 bytes one by one until one fails or `bytes` are written.
fn fill(log: &mut Log<SimDisk>, bytes: u64) -> Result<(), Error> {
    for _ in 0..bytes / 500 {
        let next = log.last().0 + 1;
        append(log, 1, &[vec![record(next, next, 1, 408)]])?;
    }
    Ok(())
}

#[test]
fn a_disk_without_room_for_a_whole_segment_gets_smaller_ones_until_nothing_fits() {
    let disk = SimDisk::new(1);
    disk.resize(40 * 1024);
    let (mut log, _) = Log::open(disk.clone(), &dir(), large()).unwrap();
    let refused = fill(&mut log, 100 * 1024).unwrap_err();
    assert!(!refused.may_have_been_written(), "{refused}");
    assert!(log.last().0 > 70, "only {} records of 500 bytes fit into 40 KiB", log.last());
    assert_eq!(disk.bytes(&next()), None, "what did not fit holds no room");
    let written = read_all(&log);
    drop(log);
    let (log, _) = Log::open(disk, &dir(), large()).unwrap();
    assert_eq!(read_all(&log), written);
}

/// Lets each call in turn find no room and returns the lengths of the segments that came of those that did no harm.
fn lengths_after_no_room(size: u64) -> Vec<Vec<usize>> {
    let mut lengths = Vec::new();
    for n in 1.. {
        let disk = SimDisk::new(n);
        disk.resize(size);
        let (mut log, _) = Log::open(disk.clone(), &dir(), large()).unwrap();
        disk.fail_at(n, FailKind::NoSpace);
        let filled = fill(&mut log, 5000);
        if !disk.disarm() {
            return lengths;
        }
        if filled.is_ok() {
            assert_eq!(disk.bytes(&next()), None, "call {n}: what was refused holds no room");
            let names = disk.list(&dir()).unwrap();
            lengths.push(names.iter().map(|name| disk.bytes(&dir().join(name)).unwrap().len()).collect());
        }
    }
    lengths
}

#[test]
fn a_segment_that_turns_out_not_to_fit_is_made_later_or_smaller() {
    assert_eq!(
        lengths_after_no_room(u64::MAX),
        [[4096, 64 * 1024]],
        "it could not be prepared ahead, and is made later"
    );
    assert_eq!(lengths_after_no_room(64 * 1024), [[4096, 15 * 1024]], "a half of 60 KiB did not fit, a quarter did");
}

#[test]
fn what_a_former_owner_has_prepared_is_used_when_it_is_whole_and_removed_when_it_is_not() {
    let disk = SimDisk::new(3);
    let (mut log, _) = Log::open(disk.clone(), &dir(), large()).unwrap();
    fill(&mut log, 2500).unwrap();
    drop(log);
    assert_eq!(disk.bytes(&next()).map(|bytes| bytes.len()), Some(64 * 1024));
    let (log, _) = Log::open(disk.clone(), &dir(), large()).unwrap();
    assert!(disk.bytes(&next()).is_some(), "it waits for whoever needs it");
    drop(log);
    disk.create(&next(), 1000).unwrap();
    disk.resize(4096 + 1000);
    let (log, _) = Log::open(disk.clone(), &dir(), large()).unwrap();
    assert_eq!(disk.bytes(&next()), None);
    assert_eq!(read_all(&log).len(), 5);
}

#[test]
fn an_owner_that_appends_little_prepares_nothing() {
    let disk = SimDisk::new(4);
    let (mut log, _) = Log::open(disk.clone(), &dir(), large()).unwrap();
    fill(&mut log, 2000).unwrap();
    disk.remove(&next()).unwrap();
    drop(log);
    let (mut log, _) = Log::open(disk.clone(), &dir(), large()).unwrap();
    fill(&mut log, 500).unwrap();
    assert_eq!(disk.bytes(&next()), None);
    fill(&mut log, 1000).unwrap();
    assert!(disk.bytes(&next()).is_some(), "who goes on will need it");
}
