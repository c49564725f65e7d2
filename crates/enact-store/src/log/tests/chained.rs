//! What somebody changed who knows the checksums, and how old and new segments stand beside each other.

use super::damage::{copy, segments, write};
use super::*;
use crate::io::File;

/// A frame of a segment: where it begins and ends.
type Place = (usize, usize);

fn places(bytes: &[u8]) -> Vec<Place> {
    let (mut at, mut places) = (128, Vec::new());
    while bytes[at..at + 4] == *b"eFRM" {
        let end = at + 48 + frame::u32_at(bytes, at + 8) as usize;
        places.push((at, end));
        at = end;
    }
    places
}

/// Gives a frame the checksums that its bytes must have; the salt stands in the segment for everybody to read.
fn make_right(bytes: &mut [u8], (at, end): Place) {
    let salt = frame::u32_at(bytes, 12);
    let crc = frame::checksum(salt, &[&bytes[at..at + 40], &bytes[at + 48..end]]);
    bytes[at + 40..at + 44].copy_from_slice(&crc.to_le_bytes());
    let crc = frame::checksum(salt, &[&bytes[at..at + 44]]);
    bytes[at + 44..at + 48].copy_from_slice(&crc.to_le_bytes());
}

/// Gives a header the checksums that its bytes must have.
fn make_header_right(bytes: &mut [u8]) {
    let crc = frame::checksum(0, &[&bytes[..32]]);
    bytes[32..36].copy_from_slice(&crc.to_le_bytes());
    let crc = frame::checksum(0, &[&bytes[..36], &bytes[64..96]]);
    bytes[96..100].copy_from_slice(&crc.to_le_bytes());
}

fn look(disk: &SimDisk, head: Option<ChainHead>) -> Report {
    verify(disk, &dir(), Known { head, ..Known::default() }).unwrap()
}

fn rewritten(disk: &SimDisk, path: &Path, bytes: &[u8]) -> SimDisk {
    let disk = copy(disk);
    write(&disk, path, 0, bytes);
    disk
}

/// A log of several segments, sealed, and its head.
fn sealed(groups: u64, seed: u64) -> (SimDisk, ChainHead) {
    let (disk, _) = filled(groups, seed);
    let (mut log, _) = Log::open(disk.clone(), &dir(), small()).unwrap();
    log.seal().unwrap();
    let report = look(&disk, None);
    assert_eq!((report.faults.len(), report.chained), (0, Some(Lsn(1))), "{report:?}");
    (disk, report.head.unwrap())
}

#[test]
fn a_record_that_was_changed_with_a_right_checksum_is_named_wherever_it_stands() {
    let (disk, head) = sealed(30, 5);
    let mut changed = 0;
    for (path, bytes) in segments(&disk) {
        // A seal has no record.
        for place in places(&bytes).into_iter().filter(|(at, _)| frame::u32_at(&bytes, at + 12) > 0) {
            let (at, end) = place;
            let mut bytes = bytes.clone();
            bytes[end - 1] ^= 1;
            make_right(&mut bytes, place);
            let disk = rewritten(&disk, &path, &bytes);
            // The checksums are right: nothing else of the log notices.
            let (log, _) = Log::open(copy(&disk), &dir(), small()).unwrap();
            assert!(log.reader().read_from(Lsn(1)).all(|record| record.is_ok()));
            let report = look(&disk, Some(head));
            let lsn = Lsn(frame::u64_at(&bytes, at + 16));
            let fault = report.faults.first().unwrap_or_else(|| panic!("{}:{at} went unseen", path.display()));
            assert!(path.ends_with(&fault.segment), "{fault}");
            assert_eq!((fault.offset, fault.lsn, fault.kind), (at as u64, lsn, FaultKind::Chain), "{fault}");
            assert_eq!(report.faults.len(), 1, "one change is one fault: {report:?}");
            changed += 1;
        }
    }
    assert!(changed > 40, "{changed} frames were changed");
}

#[test]
fn a_whole_chain_that_was_made_anew_is_another_than_the_known_head() {
    let (disk, head) = sealed(30, 6);
    let all = segments(&disk);
    let (disk, mut chain) = (copy(&disk), chain::ORIGIN);
    for (n, (path, bytes)) in all.iter().enumerate() {
        let mut bytes = bytes.clone();
        bytes[64..96].copy_from_slice(chain.as_bytes());
        make_header_right(&mut bytes);
        for (m, (at, end)) in places(&bytes).into_iter().enumerate() {
            bytes[end - 1] ^= u8::from(n == 1 && m == 2);
            chain = chain::link(&chain, &bytes[at..at + 40], &bytes[at + 80..end]);
            bytes[at + 48..at + 80].copy_from_slice(chain.as_bytes());
            make_right(&mut bytes, (at, end));
        }
        write(&disk, path, 0, &bytes);
    }
    assert_eq!(look(&disk, None).faults, [], "nobody can tell who does not know what it was");
    let report = look(&disk, Some(head));
    let fault = &report.faults[0];
    assert!(matches!(fault.kind, FaultKind::Head { found: Some(found), .. } if found == chain), "{fault}");
    assert!(fault.to_string().contains(&format!("and was {}", head.chain.hex())), "{fault}");
}

#[test]
fn records_that_changed_places_or_are_gone_with_their_frames_are_noticed() {
    let (disk, _) = sealed(30, 7);
    let (path, bytes) = segments(&disk).remove(1);
    let all = places(&bytes);
    for n in 0..all.len() - 1 {
        let ((at, mid), (_, end)) = (all[n], all[n + 1]);
        // Both frames, the other way round, with the positions that they must have there.
        let (one, two) = (bytes[at..mid].to_vec(), bytes[mid..end].to_vec());
        let first = frame::u64_at(&one, 16);
        let count = u64::from(frame::u32_at(&two, 12));
        let mut swapped = bytes.clone();
        swapped[at..at + two.len()].copy_from_slice(&two);
        swapped[at + two.len()..end].copy_from_slice(&one);
        swapped[at + 16..at + 24].copy_from_slice(&first.to_le_bytes());
        let behind = at + two.len();
        swapped[behind + 16..behind + 24].copy_from_slice(&(first + count).to_le_bytes());
        make_right(&mut swapped, (at, behind));
        make_right(&mut swapped, (behind, end));
        let fault = look(&rewritten(&disk, &path, &swapped), None).faults.remove(0);
        assert_eq!((fault.offset, fault.kind), (at as u64, FaultKind::Chain), "{fault}");
    }
    // The last frame of a segment is gone, and the next segment counts on from there.
    let (at, end) = *all.last().unwrap();
    let mut short = bytes.clone();
    short[at..end].fill(0);
    let faults = look(&rewritten(&disk, &path, &short), None).faults;
    assert!(!faults.is_empty());
    // A header that says something else of what stands before it.
    let (path, mut bytes) = segments(&disk).remove(2);
    bytes[64] ^= 1;
    make_header_right(&mut bytes);
    let faults = look(&rewritten(&disk, &path, &bytes), None).faults;
    assert_eq!(faults.iter().map(|fault| fault.kind).collect::<Vec<_>>(), [FaultKind::Joint, FaultKind::Chain]);
}

#[test]
fn a_tail_that_was_cut_off_a_verified_log_is_noticed_when_its_head_is_known() {
    let (disk, head) = sealed(30, 8);
    assert_eq!(look(&disk, Some(head)).faults, []);
    let (path, bytes) = segments(&disk).pop().unwrap();
    let all = places(&bytes);
    for cut in 1..=all.len() {
        let mut short = bytes.clone();
        short[all[all.len() - cut].0..].fill(0);
        let disk = rewritten(&disk, &path, &short);
        if cut <= 2 {
            // Without the head the end looks like that of any log; a seal proves what stands before it and nothing more.
            assert_eq!(look(&disk, None).faults, []);
        }
        let report = look(&disk, Some(head));
        assert!(!report.faults.is_empty(), "{cut} frames were cut");
        let fault = report.faults.last().unwrap();
        let noticed = matches!(fault.kind, FaultKind::Missing { .. } | FaultKind::Head { .. });
        assert!(noticed && report.head != Some(head), "{fault}");
    }
    // What is written on does not disturb it: the head is still in there.
    let (mut log, _) = Log::open(disk.clone(), &dir(), small()).unwrap();
    let next = log.last().0 + 1;
    append(&mut log, 99, &[vec![record(next, next, 1, 30)]]).unwrap();
    assert_eq!(look(&disk, Some(head)).faults, []);
    // A position inside of a frame, or one that nobody has, is no head.
    let other = ChainHead { lsn: Lsn(next + 5), ..head };
    assert!(matches!(look(&disk, Some(other)).faults[..], [Fault { kind: FaultKind::Missing { .. }, .. }]));
}

#[test]
fn the_chain_goes_on_over_restarts_cuts_and_retention() {
    let (disk, mut dice) = (SimDisk::new(9), Dice(9));
    let mut heads = Vec::new();
    for round in 0..12 {
        let (mut log, _) = Log::open(disk.clone(), &dir(), small()).unwrap();
        for _ in 0..4 {
            let group = group(&mut dice, log.last().0 + 1);
            append(&mut log, round, &group).unwrap();
        }
        match round % 3 {
            0 => log.seal().unwrap(),
            // A write that nobody was told about is torn, and the next owner cuts it.
            1 => {
                heads.push(look(&disk, None).head.unwrap());
                disk.fail_at(1, FailKind::ShortWrite);
                let next = log.last().0 + 1;
                append(&mut log, round, &[vec![record(next, next, 1, 900)]]).unwrap_err();
                disk.crash(round);
                continue;
            }
            _ => {}
        }
        heads.push(look(&disk, None).head.unwrap());
    }
    for head in &heads {
        assert_eq!(look(&disk, Some(*head)).faults, [], "{head}");
    }
    let (mut log, _) = Log::open(disk.clone(), &dir(), small()).unwrap();
    let first = log.drop_before(heads[6].lsn).unwrap();
    assert!(first > Lsn(1));
    let base = Some(Lsn(first.0 - 1));
    for head in &heads {
        let report = verify(&disk, &dir(), Known { base, head: Some(*head), ..Known::default() }).unwrap();
        // What was dropped cannot be compared any more, and is not taken for right.
        assert_eq!(report.faults.is_empty(), head.lsn >= Lsn(first.0 - 1), "{head}: {report:?}");
    }
}

#[test]
fn what_is_being_written_is_no_head_yet() {
    let (disk, written) = filled(10, 3);
    let last = Lsn(written.len() as u64);
    let until = Some(Lsn(last.0 - 1));
    let head = verify(&disk, &dir(), Known { until, ..Known::default() }).unwrap().head.unwrap();
    assert!(head.lsn < last, "{head}");
    assert_eq!(look(&disk, None).head.unwrap().lsn, last);
}

#[test]
fn a_head_is_read_as_it_is_printed() {
    let (_, head) = sealed(3, 1);
    assert_eq!(head.to_string().parse(), Ok(head));
    for text in ["", "12", "12:", ":00", "x:00", "12:abc", &format!("12:{}0", head.chain.hex())] {
        let refused = text.parse::<ChainHead>().unwrap_err().to_string();
        assert!(refused.contains(&format!("{text:?}")) && refused.contains("LSN:HASH"), "{refused}");
    }
}

/// The log of a store that enact wrote before frames had chain values.
fn old() -> SimDisk {
    let disk = SimDisk::new(1);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/format-1/log");
    for name in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()) {
        let (bytes, path) = (std::fs::read(name.path()).unwrap(), dir().join(name.file_name()));
        let file = disk.create(&path, bytes.len() as u64).unwrap();
        file.write_at(&bytes, 0).unwrap();
        file.sync_data().unwrap();
    }
    disk.sync_dir(&dir()).unwrap();
    disk
}

#[test]
fn a_log_of_format_1_is_read_and_goes_on_in_a_new_segment_where_the_chain_begins() {
    let disk = old();
    let report = look(&disk, None);
    assert_eq!((report.last, report.chained, report.head, report.faults), (Lsn(92), None, None, vec![]));
    let before = segments(&disk);
    let (mut log, found) = Log::open(disk.clone(), &dir(), small()).unwrap();
    assert_eq!((found.last, found.cut), (Lsn(92), None));
    append(&mut log, 9, &[vec![record(93, 93, 1, 10)], vec![record(94, 94, 1, 10)]]).unwrap();
    assert_eq!(log.reader().read_from(Lsn(1)).filter(|record| record.is_ok()).count(), 94);
    drop(log);
    let after = segments(&disk);
    assert_eq!(after[..before.len()], before, "what was there is not touched");
    let report = look(&disk, None);
    assert_eq!((report.last, report.chained, report.faults), (Lsn(94), Some(Lsn(93)), vec![]));
    // What stands before the chain is said to stand outside of it, and only there.
    let (path, mut bytes) = segments(&disk).pop().unwrap();
    bytes[64] ^= 1;
    make_header_right(&mut bytes);
    let faults = look(&rewritten(&disk, &path, &bytes), None).faults;
    assert_eq!(faults.first().map(|fault| fault.kind), Some(FaultKind::Joint));
}

#[test]
fn segments_without_a_chain_come_before_those_that_have_one() {
    let (disk, _) = sealed(30, 5);
    let (path, mut bytes) = segments(&disk).pop().unwrap();
    // As an older enact would have written it: no chain in the header.
    bytes[8] = 1;
    bytes[64..128].fill(0);
    let crc = frame::checksum(0, &[&bytes[..32]]);
    bytes[32..36].copy_from_slice(&crc.to_le_bytes());
    let faults = look(&rewritten(&disk, &path, &bytes), None).faults;
    assert_eq!(faults.first().map(|fault| fault.kind), Some(FaultKind::Joint));
}
