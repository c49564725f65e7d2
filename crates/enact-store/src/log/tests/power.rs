//! Loss of power at every moment, and every failure of a call at its every turn.

use super::*;

/// Appends until something fails; returns the acknowledged records and those whose fate is open.
fn run(disk: &SimDisk, dice: &mut Dice, groups: u64, kept: &mut Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let Ok((mut log, found)) = Log::open(disk.clone(), &dir(), small()) else { return Vec::new() };
    let Ok(seen) = try_read_all(&log) else { return Vec::new() };
    assert!(seen.starts_with(kept), "an acknowledged record is gone: {} of {}", found.last, kept.len());
    *kept = seen;
    for epoch in 0..groups {
        let group = group(dice, log.last().0 + 1);
        match append(&mut log, found.last_epoch.0 + epoch, &group) {
            Ok(last) => {
                kept.extend(group.into_iter().flatten());
                assert_eq!(last.0, kept.len() as u64);
            }
            Err(_) => {
                assert_eq!(log.reader().last().0, kept.len() as u64, "a failed append is served");
                assert!(matches!(append(&mut log, u64::MAX, &[vec![vec![1]]]), Err(Error::Poisoned)));
                return group.into_iter().flatten().collect();
            }
        }
    }
    Vec::new()
}

#[test]
fn acknowledged_records_survive_every_loss_of_power_and_no_frame_is_ever_half_there() {
    for seed in 0..200 {
        let (disk, mut dice, mut kept) = (SimDisk::new(seed), Dice(seed), Vec::new());
        for round in 0..6 {
            disk.fail_at(1 + dice.below(120), FailKind::Power);
            let acknowledged = kept.len();
            let open = run(&disk, &mut dice, 40, &mut kept);
            disk.crash(seed * 31 + round);
            let (log, found) = Log::open(disk.clone(), &dir(), small()).unwrap_or_else(|error| {
                panic!("seed {seed} round {round}: {error}");
            });
            let seen = read_all(&log);
            assert!(seen.starts_with(&kept), "seed {seed} round {round}: lost {} of {}", kept.len(), found.last);
            assert!(seen.len() <= kept.len() + open.len(), "seed {seed} round {round}");
            assert!(open.starts_with(&seen[kept.len()..]), "seed {seed} round {round}");
            assert!(acknowledged <= seen.len());
            kept = seen;
            drop(log);
            // What was served once must survive the next loss of power although nothing was appended since.
            disk.crash(seed * 37 + round);
        }
    }
}

#[test]
fn each_failing_call_fails_its_append_and_loses_nothing_that_was_acknowledged() {
    for kind in FailKind::ALL {
        let mut fired = 0;
        for n in 1.. {
            let (disk, mut kept) = (SimDisk::new(n), Vec::new());
            disk.fail_at(n, kind);
            run(&disk, &mut Dice(7), 60, &mut kept);
            if !disk.disarm() {
                break;
            }
            fired += 1;
            disk.crash(n);
            run(&disk, &mut Dice(8), 5, &mut kept);
        }
        assert!(fired > 5, "{kind:?} happened {fired} times");
    }
}

#[test]
fn what_a_dead_process_wrote_but_did_not_sync_is_synced_before_it_is_served() {
    for seed in 0..64 {
        let (disk, mut kept) = (SimDisk::new(seed), Vec::new());
        run(&disk, &mut Dice(seed), 10, &mut kept);
        let (mut log, _) = Log::open(disk.clone(), &dir(), small()).unwrap();
        disk.fail_at(1, FailKind::Sync);
        let next = log.last().0 + 1;
        assert!(append(&mut log, 99, &[vec![record(next, next, 1, 30)]]).is_err());
        // The process dies, the system does not: the write is visible, and its pages count as clean.
        drop(log);
        let (log, _) = Log::open(disk.clone(), &dir(), small()).unwrap();
        let served = read_all(&log);
        drop(log);
        disk.crash(seed);
        let (log, _) = Log::open(disk.clone(), &dir(), small()).unwrap();
        assert_eq!(read_all(&log), served, "seed {seed}");
    }
}
