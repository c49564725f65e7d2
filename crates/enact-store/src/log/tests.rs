//! What the log promises, over simulated crashes and failures and on a real disk.

use std::path::{Path, PathBuf};

use enact_model::id::{Epoch, Lsn};

use super::*;
use crate::io::{DiskIo, FailKind, Io, SimDisk};

mod chained;
mod damage;
mod power;
mod spare;

const DIR: &str = "/store/log";

fn dir() -> PathBuf {
    PathBuf::from(DIR)
}

fn small() -> LogConfig {
    LogConfig { segment_bytes: 4096, first_segment_bytes: 4096, background: false, proven: Lsn::ZERO }
}

/// A deterministic source of choices.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// A record that tells its position, and which frame of how many records it belongs to.
fn record(lsn: u64, frame: u64, of: u64, len: u64) -> Vec<u8> {
    let mut bytes = format!("{lsn} {frame} {of} ").into_bytes();
    bytes.extend((0..len).map(|n| (n * 31 + lsn) as u8 | 1));
    bytes
}

/// Makes a group of frames whose first record will be `next`.
fn group(dice: &mut Dice, mut next: u64) -> Vec<Vec<Vec<u8>>> {
    let frames = 1 + dice.below(3);
    let mut frame = |next: &mut u64| {
        let (first, count) = (*next, 1 + dice.below(4));
        *next += count;
        (first..*next).map(|lsn| record(lsn, first, count, dice.below(200))).collect()
    };
    (0..frames).map(|_| frame(&mut next)).collect()
}

fn append<I: Io>(log: &mut Log<I>, epoch: u64, group: &[Vec<Vec<u8>>]) -> Result<Lsn, Error> {
    let frames = group.iter().map(Vec::as_slice).collect::<Vec<_>>();
    log.append(Epoch(epoch), &frames)
}

/// Reads everything and checks that positions have no gap and that the last frame is there as a whole.
fn read_all<I: Io>(log: &Log<I>) -> Vec<Vec<u8>> {
    try_read_all(log).unwrap()
}

fn try_read_all<I: Io>(log: &Log<I>) -> Result<Vec<Vec<u8>>, Error> {
    let reader = log.reader();
    let records = reader.read_from(reader.first()).collect::<Result<Vec<_>, _>>()?;
    for (n, record) in records.iter().enumerate() {
        assert_eq!(record.lsn, reader.first().plus(n as u64));
        assert!(record.bytes.starts_with(format!("{} ", record.lsn).as_bytes()), "at {}", record.lsn);
        assert_eq!(reader.get(record.lsn)?.as_ref(), Some(record));
    }
    if let Some(last) = records.last() {
        let text = String::from_utf8_lossy(&last.bytes);
        let numbers = text.split(' ').take(3).map(|number| number.parse::<u64>().unwrap()).collect::<Vec<_>>();
        assert_eq!(numbers[0] + 1, numbers[1] + numbers[2], "half a frame is visible");
        assert_eq!(last.lsn, log.last());
    }
    Ok(records.into_iter().map(|record| record.bytes).collect())
}

fn filled(groups: u64, seed: u64) -> (SimDisk, Vec<Vec<u8>>) {
    let (disk, mut dice) = (SimDisk::new(seed), Dice(seed));
    let (mut log, _) = Log::open(disk.clone(), &dir(), small()).unwrap();
    let mut written = Vec::new();
    for epoch in 1..=groups {
        let group = group(&mut dice, log.last().0 + 1);
        append(&mut log, epoch, &group).unwrap();
        written.extend(group.into_iter().flatten());
    }
    assert_eq!(read_all(&log), written);
    (disk, written)
}

#[test]
fn a_log_that_is_opened_again_goes_on_where_it_ended() {
    let (disk, written) = filled(60, 1);
    let (mut log, found) = Log::open(disk.clone(), &dir(), small()).unwrap();
    assert_eq!(found, Recovered { last: Lsn(written.len() as u64), last_epoch: Epoch(60), cut: None });
    assert_eq!(read_all(&log), written);
    assert!(disk.list(&dir()).unwrap().len() > 5);
    let next = found.last.0 + 1;
    assert_eq!(append(&mut log, 61, &[vec![record(next, next, 1, 9)]]).unwrap().0, next);
    assert!(matches!(append(&mut log, 60, &[vec![vec![1]]]), Err(Error::StaleEpoch { .. })));
}

#[test]
fn a_frame_longer_than_a_segment_gets_one_of_its_own() {
    let disk = SimDisk::new(2);
    let (mut log, _) = Log::open(disk.clone(), &dir(), small()).unwrap();
    append(&mut log, 1, &[vec![record(1, 1, 1, 50_000)]]).unwrap();
    append(&mut log, 1, &[vec![record(2, 2, 1, 10)]]).unwrap();
    let (log, _) = Log::open(disk, &dir(), small()).unwrap();
    assert_eq!(read_all(&log), [record(1, 1, 1, 50_000), record(2, 2, 1, 10)]);
}

#[test]
fn retention_removes_whole_segments_and_never_one_with_a_record_that_is_kept() {
    let (disk, written) = filled(60, 3);
    let (mut log, _) = Log::open(disk.clone(), &dir(), small()).unwrap();
    let reader = log.reader();
    let first = log.drop_before(Lsn(50)).unwrap();
    assert!(first.0 > 1 && first.0 <= 50);
    assert_eq!(log.first(), first);
    assert!(matches!(reader.get(Lsn(1)), Err(Error::Dropped { .. })));
    assert!(reader.read_from(Lsn(1)).next().unwrap().is_err());
    assert_eq!(read_all(&log), written[first.0 as usize - 1..]);
    disk.crash(9);
    let (mut log, _) = Log::open(disk, &dir(), small()).unwrap();
    assert_eq!(read_all(&log), written[first.0 as usize - 1..]);
    assert_eq!(log.drop_before(Lsn(u64::MAX)).unwrap(), log.first());
    assert_eq!(log.last().0, written.len() as u64);
}

#[test]
fn a_reader_sees_the_records_while_they_are_written_on_a_real_disk() {
    let folder = tempfile::tempdir().unwrap();
    let config = LogConfig { segment_bytes: 64 * 1024, first_segment_bytes: 16 * 1024, ..LogConfig::default() };
    let path = folder.path().join("log");
    let (mut log, _) = Log::open(DiskIo, &path, config.clone()).unwrap();
    let reader = log.reader();
    let watcher = std::thread::spawn(move || {
        let mut next = Lsn(1);
        while next.0 <= 2000 {
            for record in reader.read_from(next) {
                let record = record.unwrap();
                assert_eq!(record.lsn, next);
                assert!(record.bytes.starts_with(format!("{next} ").as_bytes()));
                next = next.plus(1);
            }
            std::thread::yield_now();
        }
    });
    for first in (1..=2000).step_by(4) {
        append(&mut log, 1, &[(first..first + 4).map(|lsn| record(lsn, first, 4, 100)).collect()]).unwrap();
    }
    watcher.join().unwrap();
    log.seal().unwrap();
    drop(log);
    let report = verify(&DiskIo, &path, Known::default()).unwrap();
    assert_eq!((report.records, report.faults.len(), report.torn.clone()), (2000, 0, None), "{report:?}");
    let (log, found) = Log::open(DiskIo, &path, config).unwrap();
    assert_eq!((found.last, found.cut), (Lsn(2000), None));
    assert_eq!(read_all(&log).len(), 2000);
}

#[test]
fn the_bytes_are_those_that_the_format_document_draws() {
    let disk = SimDisk::new(4);
    let (mut log, _) = Log::open(disk.clone(), &dir(), small()).unwrap();
    append(&mut log, 3, &[vec![b"ab".to_vec(), b"c".to_vec()]]).unwrap();
    let bytes = disk.bytes(&dir().join("00000000000000000001.log")).unwrap();
    assert_eq!(
        (&bytes[..12], &bytes[16..32]),
        (&b"ENACTLOG\x02\0\0\0"[..], &[1u64.to_le_bytes(), [0; 8]].concat()[..])
    );
    assert!(bytes[36..96].iter().chain(&bytes[100..128]).all(|byte| *byte == 0));
    let frame = &bytes[128..];
    assert_eq!(frame[..16], *b"eFRM\x02\0\0\0\x2b\0\0\0\x02\0\0\0");
    assert_eq!(frame[16..40], [1u64.to_le_bytes(), 3u64.to_le_bytes(), [0; 8]].concat()[..]);
    assert_eq!(frame[80..91], *b"\x02\0\0\0ab\x01\0\0\0c");
    let chained = [&[0; 32], &frame[..40], &frame[80..91]].concat();
    assert_eq!(frame[48..80], *enact_model::digest::Digest::of(&chained).as_bytes());
    assert!(frame[91..].iter().all(|byte| *byte == 0));
}
