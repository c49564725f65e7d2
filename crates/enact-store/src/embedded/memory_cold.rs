//! The key-value side in memory, for the simulator: a crash keeps only the first of the batches that were not synced.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use enact_model::id::Lsn;

use crate::contract::Order;

use super::cold::{Cold, ColdError, ColdSnapshot, ColdStorage, PairIter, Purpose, Put};

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// Key-value stores in memory; clones are the same stores, and they outlive the hub that uses them.
#[derive(Clone, Default)]
pub struct MemoryStorage {
    stores: Arc<Mutex<BTreeMap<Purpose, MemoryCold>>>,
}

/// One of them.
#[derive(Clone, Default)]
pub struct MemoryCold {
    state: Arc<Mutex<State>>,
}

/// A snapshot of a [`MemoryCold`].
pub struct MemorySnapshot {
    rows: Arc<Rows>,
}

#[derive(Default)]
struct State {
    now: (Arc<Rows>, Lsn),
    durable: (Arc<Rows>, Lsn),
    /// What a crash may lose, oldest first.
    unsynced: Vec<Write>,
    /// Whether it takes no batch, and how many it has refused.
    full: bool,
    refused: u64,
}

enum Write {
    Put(Put),
    Position(Lsn),
    /// The end of a batch: only here may a crash cut.
    End,
}

impl MemoryStorage {
    /// Makes storage without any store.
    pub fn new() -> Self {
        Self::default()
    }
    /// Cuts the power: of the batches that were not synced, the seed decides how many of the first are kept.
    pub fn crash(&self, seed: u64) {
        for (n, cold) in (1..).zip(self.lock().values()) {
            cold.crash(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(17) ^ n);
        }
    }
    /// Lets every store that is there refuse batches for want of room, or take them again; returns how many were refused.
    pub fn fill(&self, full: bool) -> u64 {
        let fill = |cold: &MemoryCold| {
            let mut state = cold.lock();
            state.full = full;
            state.refused
        };
        self.lock().values().map(fill).sum()
    }
    /// Returns how many batches were not synced.
    pub fn unsynced(&self) -> usize {
        let of = |cold: &MemoryCold| cold.lock().unsynced.iter().filter(|write| matches!(write, Write::End)).count();
        self.lock().values().map(of).sum()
    }
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Purpose, MemoryCold>> {
        self.stores.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ColdStorage for MemoryStorage {
    type Cold = MemoryCold;

    fn exists(&self, purpose: Purpose) -> bool {
        self.lock().contains_key(&purpose)
    }
    fn open(&self, purpose: Purpose) -> Result<MemoryCold, ColdError> {
        Ok(self.lock().entry(purpose).or_default().clone())
    }
    fn remove(&self, purpose: Purpose) -> Result<(), ColdError> {
        self.lock().remove(&purpose);
        Ok(())
    }
}

impl MemoryCold {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn crash(&self, seed: u64) {
        let mut state = self.lock();
        let unsynced = std::mem::take(&mut state.unsynced);
        let ends = unsynced.iter().filter(|write| matches!(write, Write::End)).count() as u64;
        let mut kept = seed % (ends + 1);
        state.now = state.durable.clone();
        for write in unsynced {
            if kept == 0 {
                break;
            }
            if matches!(write, Write::End) {
                kept -= 1;
            }
            write.apply(&mut state.now);
        }
        state.durable = state.now.clone();
    }
}

impl Write {
    fn apply(&self, (rows, position): &mut (Arc<Rows>, Lsn)) {
        match self {
            Self::Put((key, Some(value))) => {
                Arc::make_mut(rows).insert(key.clone(), value.clone());
            }
            Self::Put((key, None)) => {
                Arc::make_mut(rows).remove(key);
            }
            Self::Position(to) => *position = *to,
            Self::End => {}
        }
    }
}

impl Cold for MemoryCold {
    type Snapshot = MemorySnapshot;

    fn position(&self) -> Result<Lsn, ColdError> {
        Ok(self.lock().now.1)
    }
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ColdError> {
        Ok(self.lock().now.0.get(key).cloned())
    }
    fn snapshot(&self) -> MemorySnapshot {
        MemorySnapshot { rows: Arc::clone(&self.lock().now.0) }
    }
    fn write(&self, batch: impl IntoIterator<Item = Put>, position: Lsn) -> Result<(), ColdError> {
        let mut state = self.lock();
        if state.full {
            state.refused += 1;
            let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
            return Err(ColdError::new("write", "the tables in memory", full));
        }
        for write in batch.into_iter().map(Write::Put).chain([Write::Position(position), Write::End]) {
            write.apply(&mut state.now);
            state.unsynced.push(write);
        }
        Ok(())
    }
    fn sync(&self) -> Result<(), ColdError> {
        let mut state = self.lock();
        state.unsynced.clear();
        state.durable = state.now.clone();
        Ok(())
    }
}

impl ColdSnapshot for MemorySnapshot {
    fn range(&self, from: &[u8], to: &[u8], order: Order) -> PairIter {
        let pairs = self.rows.range(from.to_vec()..to.to_vec()).map(|(key, value)| Ok((key.clone(), value.clone())));
        let mut pairs = pairs.collect::<Vec<_>>();
        if order == Order::Descending {
            pairs.reverse();
        }
        Box::new(pairs.into_iter())
    }
}
