//! Torn tails, flipped bits, missing files and newer formats.

use super::*;

/// Bytes of each segment of the disk, newest last.
pub(super) fn segments(disk: &SimDisk) -> Vec<(PathBuf, Vec<u8>)> {
    let names = disk.list(&dir()).unwrap().into_iter().filter(|name| name.ends_with(".log"));
    names.map(|name| (dir().join(&name), disk.bytes(&dir().join(name)).unwrap())).collect()
}

fn written(bytes: &[u8]) -> u64 {
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at as u64 + 1)
}

pub(super) fn write(disk: &SimDisk, path: &Path, at: u64, bytes: &[u8]) {
    use crate::io::File;
    let file = disk.open(path).unwrap();
    file.write_at(bytes, at).unwrap();
    file.sync_data().unwrap();
}

#[test]
fn a_torn_tail_is_cut_at_the_last_whole_frame() {
    let disk = SimDisk::new(1);
    let (mut log, _) = Log::open(disk.clone(), &dir(), small()).unwrap();
    append(&mut log, 1, &[vec![record(1, 1, 1, 100)]]).unwrap();
    let (path, before) = segments(&disk).remove(0);
    append(&mut log, 1, &[vec![record(2, 2, 1, 900)]]).unwrap();
    drop(log);
    let (start, end) = (written(&before), written(&segments(&disk)[0].1));
    for keep in start..end {
        let disk = copy(&disk);
        write(&disk, &path, keep, &vec![0; (end - keep) as usize]);
        let (mut log, found) = Log::open(disk.clone(), &dir(), small()).unwrap();
        assert_eq!(found.last, Lsn(1));
        assert_eq!(found.cut.as_ref().map(|cut| cut.at), (keep > start).then_some(start), "kept {keep}");
        // What stands behind the cut never comes back, whatever is written before it.
        append(&mut log, 2, &[vec![record(2, 2, 1, 5)]]).unwrap();
        disk.crash(keep);
        let (log, _) = Log::open(disk, &dir(), small()).unwrap();
        assert_eq!(read_all(&log), [record(1, 1, 1, 100), record(2, 2, 1, 5)]);
    }
}

pub(super) fn copy(disk: &SimDisk) -> SimDisk {
    let other = SimDisk::new(99);
    for (path, bytes) in segments(disk) {
        other.create(&path, bytes.len() as u64).unwrap();
        write(&other, &path, 0, &bytes);
    }
    other.sync_dir(&dir()).unwrap();
    other
}

#[test]
fn a_flipped_bit_is_reported_where_it_is_and_never_skipped() {
    let (disk, written_records) = filled(14, 5);
    let all = segments(&disk);
    assert!(all.len() > 2);
    let last_group = disk_last_group(&disk);
    for (n, (path, bytes)) in all.iter().enumerate() {
        let is_last = n + 1 == all.len();
        for at in 0..written(bytes) {
            disk.flip_bit(path, at, (at % 8) as u8);
            let place = format!("{}:{at}", path.display());
            let report = verify(&disk, &dir(), Known::default());
            if is_last && at >= last_group {
                // Nothing proves the last group: damage there looks like a write that never ended.
                assert!(report.is_ok_and(|report| report.torn.is_some() && report.faults.is_empty()), "{place}");
            } else {
                let report = report.unwrap_or_else(|error| panic!("{place}: {error}"));
                let fault = report.faults.first().unwrap_or_else(|| panic!("{place} went unseen"));
                assert!(path.ends_with(&fault.segment) && fault.offset <= at, "{place}: {fault}");
                read_until_damage(&copy(&disk), &written_records, is_last || at < 128, &place);
            }
            disk.flip_bit(path, at, (at % 8) as u8);
        }
    }
}

/// Opens a damaged log, or reads it up to the damage: only true records, and then an error.
fn read_until_damage(disk: &SimDisk, written: &[Vec<u8>], must_not_open: bool, place: &str) {
    let log = match Log::open(disk.clone(), &dir(), small()) {
        Ok((log, _)) => log,
        Err(Error::Corrupt(_)) => return,
        Err(error) => panic!("{place}: {error}"),
    };
    assert!(!must_not_open, "{place}: opened");
    let mut failed = false;
    for (n, record) in log.reader().read_from(Lsn(1)).enumerate() {
        match record {
            Ok(record) => assert_eq!(record.bytes, written[n], "{place}"),
            Err(error) => failed = matches!(error, Error::Corrupt(_)),
        }
    }
    assert!(failed, "{place}: read without an error");
}

/// Where the frames of the last append begin in the last segment.
fn disk_last_group(disk: &SimDisk) -> u64 {
    let (_, bytes) = segments(disk).pop().unwrap();
    let (mut at, mut synced_to, mut begin) = (128, 0, 128);
    while bytes[at..at + 4] == *b"eFRM" {
        let here = frame::u64_at(&bytes, at + 32);
        if here > synced_to {
            (synced_to, begin) = (here, at);
        }
        at += 48 + frame::u32_at(&bytes, at + 8) as usize;
    }
    begin as u64
}

#[test]
fn damage_to_the_last_frame_is_corruption_when_its_position_is_proven() {
    let (disk, written_records) = filled(3, 6);
    let (path, bytes) = segments(&disk).pop().unwrap();
    disk.flip_bit(&path, written(&bytes) - 1, 0);
    let proven = LogConfig { proven: Lsn(written_records.len() as u64), ..small() };
    let refused = Log::open(disk.clone(), &dir(), proven).err().unwrap();
    assert!(matches!(&refused, Error::Corrupt(fault) if fault.lsn.0 <= written_records.len() as u64), "{refused}");
    assert!(Log::open(disk, &dir(), small()).unwrap().1.cut.is_some());
}

#[test]
fn a_log_that_is_shorter_than_what_is_proven_does_not_open() {
    let (disk, written_records) = filled(3, 6);
    let ahead = LogConfig { proven: Lsn(written_records.len() as u64 + 1), ..small() };
    assert!(matches!(Log::open(disk, &dir(), ahead.clone()), Err(Error::Corrupt(_))));
    assert!(matches!(Log::open(SimDisk::new(1), &dir(), ahead), Err(Error::Corrupt(_))));
}

#[test]
fn a_missing_segment_is_reported() {
    let (disk, _) = filled(30, 8);
    let all = segments(&disk);
    disk.remove(&all[1].0).unwrap();
    let report = verify(&disk, &dir(), Known::default()).unwrap();
    assert_eq!(report.faults.len(), 1, "{report:?}");
    let (log, _) = Log::open(disk, &dir(), small()).unwrap();
    assert!(log.reader().read_from(Lsn(1)).any(|record| record.is_err()));
}

#[test]
fn a_newer_format_is_refused_untouched() {
    let (disk, _) = filled(3, 9);
    let (path, bytes) = segments(&disk).pop().unwrap();
    for (crc_at, salted, range, at, version) in
        [(32, false, 0..32, 8, vec![3, 0, 0, 0]), (128 + 44, true, 128..128 + 44, 128 + 4, vec![3, 0])]
    {
        let disk = copy(&disk);
        let mut newer = bytes.clone();
        newer[at..at + version.len()].copy_from_slice(&version);
        let salt = if salted { frame::u32_at(&newer, 12) } else { 0 };
        let crc = frame::checksum(salt, &[&newer[range]]);
        newer[crc_at..crc_at + 4].copy_from_slice(&crc.to_le_bytes());
        write(&disk, &path, 0, &newer);
        assert!(matches!(Log::open(disk.clone(), &dir(), small()), Err(Error::Newer { found: 3, .. })));
        assert_eq!(disk.bytes(&path).unwrap(), newer);
    }
}

#[test]
fn a_frame_inside_a_payload_is_no_frame() {
    let disk = SimDisk::new(3);
    let (mut log, _) = Log::open(disk.clone(), &dir(), small()).unwrap();
    let mut image = Vec::new();
    frame::encode(&mut image, 0, &chain::ORIGIN, (Lsn(u64::MAX), Lsn(u64::MAX - 1)), Epoch(9), &[vec![1]]);
    append(&mut log, 1, &[vec![image, vec![7; 900]]]).unwrap();
    drop(log);
    let (path, bytes) = segments(&disk).remove(0);
    disk.flip_bit(&path, written(&bytes) - 1, 1);
    let (_, found) = Log::open(disk, &dir(), small()).unwrap();
    assert_eq!((found.last, found.cut.map(|cut| cut.at)), (Lsn(0), Some(128)));
}

/// Verifies against what is known and returns the faults in words.
fn faults(disk: &SimDisk, durable: u64, base: u64) -> Vec<String> {
    let report =
        verify(disk, &dir(), Known { durable: Lsn(durable), base: Some(Lsn(base)), ..Known::default() }).unwrap();
    report.faults.iter().map(ToString::to_string).collect()
}

#[test]
fn a_log_that_ends_or_begins_where_it_must_not_is_at_fault_although_every_frame_is_whole() {
    let (disk, written_records) = filled(30, 8);
    let last = written_records.len() as u64;
    assert_eq!(faults(&disk, last, 0), Vec::<String>::new());
    // The last frame is gone, to the last byte.
    let (path, bytes) = segments(&disk).pop().unwrap();
    let begin = disk_last_group(&disk);
    write(&disk, &path, begin, &vec![0; bytes.len() - begin as usize]);
    let found = faults(&disk, last, 0);
    let name = path.file_name().unwrap().to_str().unwrap();
    let words = format!("{name} ends at {begin} although record {last} is known to have been durable");
    assert!(found.len() == 1 && found[0].starts_with(&words), "{found:?}");
    // The first segment is gone, and nothing says that it was dropped.
    let all = segments(&disk);
    disk.remove(&all[0].0).unwrap();
    assert!(faults(&disk, 0, 0)[0].contains("only the records up to 0 were dropped; the first record lost is 1"));
    let second = segment::first_of(all[1].0.file_name().unwrap().to_str().unwrap()).unwrap();
    assert_eq!(faults(&disk, 0, second.0 - 1), Vec::<String>::new());
    // And then all of them.
    all[1..].iter().for_each(|(path, _)| disk.remove(path).unwrap());
    assert!(faults(&disk, last, 0)[0].contains(&format!("record {last} is known to have been durable")));
}
