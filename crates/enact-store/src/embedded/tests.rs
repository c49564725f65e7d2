//! The embedded store keeps what it has acknowledged and rebuilds its tables from the log, whatever is lost.

use std::path::PathBuf;

use enact_model::table::KeyRange;

use super::*;
use crate::conformance::World;
use crate::conformance::toy::{Dice, Model, apply};
use crate::contract::{Order, View};
use crate::io::SimDisk;

mod backup;
mod behind;
mod crash;
mod history;
mod on_disk;

type SimStore = Embedded<SimDisk, MemoryStorage>;

fn path() -> PathBuf {
    PathBuf::from("/s")
}

fn small(background: bool) -> Config {
    Config { segment_bytes: 16 * 1024, first_segment_bytes: 4096, background, dirty_max: 40, ..Config::default() }
}

struct Sim {
    disk: SimDisk,
    storage: MemoryStorage,
}

impl Sim {
    fn new(seed: u64) -> Self {
        Self { disk: SimDisk::new(seed), storage: MemoryStorage::new() }
    }
    fn try_open(&self) -> Result<(SimStore, Opened), OpenError> {
        Embedded::open(self.disk.clone(), self.storage.clone(), &path(), small(false), &mut apply)
    }
}

impl World for Sim {
    type Store = SimStore;
    fn open(&mut self) -> SimStore {
        self.try_open().unwrap().0
    }
    fn settle(&mut self, store: &mut SimStore) {
        store.flush().unwrap();
    }
}

struct Disk {
    dir: tempfile::TempDir,
}

impl Disk {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }
    fn store(&self) -> PathBuf {
        self.dir.path().join("store")
    }
    fn try_open(&self) -> Result<(DiskStore, Opened), OpenError> {
        DiskStore::on_disk(&self.store(), small(true), &mut apply)
    }
}

impl World for Disk {
    type Store = DiskStore;
    fn open(&mut self) -> DiskStore {
        self.try_open().unwrap().0
    }
    fn settle(&mut self, store: &mut DiskStore) {
        store.flush().unwrap();
    }
}

fn rows<V: View>(view: &V) -> Vec<crate::contract::Entry> {
    view.scan(&KeyRange::all(), Order::Ascending, usize::MAX).unwrap()
}

fn commits<S: Store>(store: &mut S, model: &mut Model, dice: &mut Dice, count: u64) {
    for _ in 0..count {
        let batch = model.batch(dice);
        store.commit(Epoch(1), store.position(), &batch).unwrap();
    }
}

mod simulated {
    crate::store_conformance!(super::Sim::new(1));
}

mod on_a_real_disk {
    crate::store_conformance!(super::Disk::new());
}
