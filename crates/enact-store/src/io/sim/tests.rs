//! The simulated disk loses what was not synced, keeps what was, and does so the same way for the same seed.

use super::*;

const A: &str = "/s/a";

fn disk_with(synced: &[u8], then: &[u8]) -> SimDisk {
    let disk = SimDisk::new(1);
    let file = disk.create(Path::new(A), 4096).unwrap();
    file.write_at(synced, 0).unwrap();
    file.sync_data().unwrap();
    disk.sync_dir(Path::new("/s")).unwrap();
    file.write_at(then, 0).unwrap();
    disk
}

#[test]
fn what_was_synced_survives_and_what_was_not_is_kept_dropped_or_torn_by_sector() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..64 {
        let disk = disk_with(&[1; 1024], &[2; 1024]);
        disk.crash(seed);
        let bytes = disk.bytes(Path::new(A)).unwrap();
        for sector in bytes[..1024].chunks(512) {
            assert!(sector.iter().all(|b| *b == sector[0]), "seed {seed}");
        }
        assert_eq!(bytes.len(), 4096);
        seen.insert((bytes[0], bytes[512]));
    }
    assert_eq!(seen.len(), 4, "{seen:?}");
}

#[test]
fn a_name_that_was_not_synced_may_be_lost() {
    let lost = (0..32).filter(|seed| {
        let disk = SimDisk::new(1);
        disk.create(Path::new(A), 1).unwrap().sync_data().unwrap();
        disk.crash(*seed);
        disk.bytes(Path::new(A)).is_none()
    });
    assert!((1..32).contains(&lost.count()));
}

#[test]
fn after_a_failed_sync_a_later_sync_does_not_help() {
    let lost = (0..32).filter(|seed| {
        let disk = disk_with(&[1; 8], &[]);
        let file = disk.open(Path::new(A)).unwrap();
        file.write_at(&[2; 8], 0).unwrap();
        disk.fail_at(1, FailKind::Sync);
        assert!(file.sync_data().is_err());
        file.sync_data().unwrap();
        disk.crash(*seed);
        disk.bytes(Path::new(A)).unwrap()[0] == 1
    });
    assert!((1..32).contains(&lost.count()));
}

#[test]
fn an_open_file_is_dead_after_the_crash() {
    let disk = disk_with(&[1], &[]);
    let file = disk.open(Path::new(A)).unwrap();
    disk.crash(0);
    assert!(file.read_at(&mut [0], 0).is_err());
    assert!(file.write_at(&[0], 0).is_err());
}

#[test]
fn the_same_seed_leaves_the_same_bytes() {
    let run = || {
        let disk = disk_with(&[1; 4096], &[3; 3000]);
        disk.crash(7);
        disk.bytes(Path::new(A))
    };
    assert_eq!(run(), run());
}
