//! The key-value side on disk: a fjall keyspace for each large table, syncing off.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use enact_model::id::Lsn;
use enact_model::table::FIRST_COLD_TAG;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable, Snapshot};

use crate::contract::Order;

use super::cold::{Cold, ColdError, ColdSnapshot, ColdStorage, PairIter, Purpose, Put};
use super::tables::{OPEN, ROWS};

/// Memory for blocks that were read, in bytes: an idle hub stays small.
const CACHE_BYTES: u64 = 4 << 20;
/// Memory for what is in no table file yet, of all keyspaces together, in bytes.
const MEMTABLES_BYTES: usize = 8 << 20;
/// fjall's own journal, in bytes; its least value.
const JOURNAL_BYTES: u64 = 64 << 20;
/// What an entry of a memtable takes besides its key and its value, in bytes.
const ENTRY_BYTES: usize = 128;
const POSITION: &[u8] = b"\0position";
/// Longest key that fjall has, in bytes; to look for a longer one is a panic.
const KEY_MAX_BYTES: usize = u16::MAX as usize;
/// How long it may take to write what is in memory to table files.
const SYNC_LIMIT: Duration = Duration::from_secs(10);
/// Keyspaces of a database.
const PARTS: usize = 13;

/// Why a database was not synced.
#[derive(Debug, thiserror::Error)]
#[error("its tables were not written within {0:?}; the disk may be full")]
struct SyncError(Duration);

/// Folders of fjall databases inside the store's folder.
#[derive(Debug, Clone)]
pub struct FjallStorage {
    root: PathBuf,
}

impl FjallStorage {
    /// Uses folders inside `root`.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }
    fn path(&self, purpose: Purpose) -> PathBuf {
        self.root.join(purpose.folder())
    }
}

impl ColdStorage for FjallStorage {
    type Cold = FjallCold;

    fn exists(&self, purpose: Purpose) -> bool {
        self.path(purpose).exists()
    }
    fn open(&self, purpose: Purpose) -> Result<FjallCold, ColdError> {
        let path = self.path(purpose);
        let place = path.display().to_string();
        let open = || {
            let db = Database::builder(&path)
                .cache_size(CACHE_BYTES)
                .max_journaling_size(JOURNAL_BYTES)
                .worker_threads(1)
                .open()?;
            let parts = (0..PARTS).map(|part| db.keyspace(&format!("part-{part}"), KeyspaceCreateOptions::default));
            let parts = parts.collect::<Result<_, _>>()?;
            Ok((db, parts))
        };
        let (db, parts) = open().map_err(|error| failed("open", &place, error))?;
        Ok(FjallCold { db, parts, filled: Arc::default(), place: place.into() })
    }
    fn remove(&self, purpose: Purpose) -> Result<(), ColdError> {
        let path = self.path(purpose);
        match std::fs::remove_dir_all(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(ColdError::new("remove", &path.display().to_string(), error))
            }
            _ => Ok(()),
        }
    }
}

/// Says which keyspace holds a key: every large table has one, the resident tables and the position share the first, and the
/// marks of open rows have the last. Ids grow with time, so in a keyspace of one table what is new follows what is old, and
/// a compaction moves files that it would have to merge if they held several tables.
fn part_of(key: &[u8]) -> usize {
    match key {
        [ROWS, tag, ..] if *tag < FIRST_COLD_TAG => 0,
        [ROWS, tag, ..] => (1 + usize::from(tag - FIRST_COLD_TAG)).min(PARTS - 2),
        [area, ..] if *area >= OPEN => PARTS - 1,
        _ => 0,
    }
}

/// A fjall database.
#[derive(Clone)]
pub struct FjallCold {
    db: Database,
    parts: Arc<[Keyspace]>,
    filled: Arc<Mutex<Filled>>,
    place: Arc<str>,
}

/// What was written to each keyspace since its memtable was last sealed, in bytes.
type Filled = [usize; PARTS];

/// A snapshot of a [`FjallCold`].
pub struct FjallSnapshot {
    snapshot: Snapshot,
    parts: Arc<[Keyspace]>,
    place: Arc<str>,
}

impl Cold for FjallCold {
    type Snapshot = FjallSnapshot;

    fn position(&self) -> Result<Lsn, ColdError> {
        let Some(bytes) = self.get(POSITION)? else { return Ok(Lsn::ZERO) };
        let number = bytes
            .try_into()
            .map_err(|_| ColdError::new("read the position of", &self.place, "it is not 8 bytes").damaged(true))?;
        Ok(Lsn(u64::from_le_bytes(number)))
    }
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ColdError> {
        if key.len() > KEY_MAX_BYTES {
            return Ok(None);
        }
        let value = self.parts[part_of(key)].get(key).map_err(|error| failed("read", &self.place, error))?;
        Ok(value.map(|value| value.to_vec()))
    }
    fn snapshot(&self) -> FjallSnapshot {
        FjallSnapshot { snapshot: self.db.snapshot(), parts: Arc::clone(&self.parts), place: self.place.clone() }
    }
    fn write(&self, batch: impl IntoIterator<Item = Put>, position: Lsn) -> Result<(), ColdError> {
        let mut writes = self.db.batch().durability(Some(PersistMode::Buffer));
        let mut written = Filled::default();
        for (key, value) in batch {
            let part = part_of(&key);
            written[part] += key.len() + value.as_ref().map_or(0, Vec::len) + ENTRY_BYTES;
            match value {
                Some(value) => writes.insert(&self.parts[part], key, value),
                None => writes.remove(&self.parts[part], key),
            }
        }
        writes.insert(&self.parts[part_of(POSITION)], POSITION, position.0.to_le_bytes());
        writes.commit().and_then(|()| self.seal(&written)).map_err(|error| failed("write", &self.place, error))
    }
    fn sync(&self) -> Result<(), ColdError> {
        // Table files instead of a long journal: the next start has nothing to read back into memory.
        *self.filled.lock().unwrap_or_else(PoisonError::into_inner) = Filled::default();
        let (tell, told) = std::sync::mpsc::channel();
        let parts = Arc::clone(&self.parts);
        // The one worker writes them in this order, so that the last one says of all of them that they are written.
        let written = move || parts.iter().rev().try_for_each(Keyspace::rotate_memtable_and_wait);
        // fjall waits for its worker, which is gone for ever after an error such as a full disk.
        std::thread::spawn(move || tell.send(written()));
        match told.recv_timeout(SYNC_LIMIT) {
            Ok(synced) => synced.map_err(|error| failed("sync", &self.place, error))?,
            Err(_) => return Err(ColdError::new("sync", &self.place, SyncError(SYNC_LIMIT))),
        }
        self.db.persist(PersistMode::SyncAll).map_err(|error| failed("sync", &self.place, error))
    }
    fn close(&self) -> Result<(), ColdError> {
        // With the position in it the first part, which `sync` writes last, is never without something to write.
        self.write([], self.position()?)?;
        self.sync()?;
        // A start reads these two whole, and what was removed from them stays in their files until these are compacted.
        for part in [&self.parts[0], &self.parts[PARTS - 1]] {
            if let Err(error) = part.major_compact() {
                tracing::debug!(%error, "the next start reads what was removed, too");
            }
        }
        // fjall reads its journal whole at a start, whatever of it is in table files by now: 64 MiB. Emptied and not removed:
        // only with a journal, be it empty, does it take its sequence number from the table files.
        self.empty_journals().map_err(|error| ColdError::new("empty the journal of", &self.place, error))
    }
}

impl FjallCold {
    /// Seals the fullest memtables once all together have their bytes. fjall has a limit for each of them only, and a quiet hub would
    /// fill every one for hours.
    fn seal(&self, written: &Filled) -> fjall::Result<()> {
        let mut filled = self.filled.lock().unwrap_or_else(PoisonError::into_inner);
        filled.iter_mut().zip(written).for_each(|(filled, written)| *filled += written);
        while filled.iter().sum::<usize>() > MEMTABLES_BYTES {
            let Some((part, fullest)) = self.parts.iter().zip(filled.iter_mut()).max_by_key(|(_, filled)| **filled)
            else {
                break;
            };
            *fullest = 0;
            part.rotate_memtable()?;
        }
        Ok(())
    }
    fn empty_journals(&self) -> std::io::Result<()> {
        for entry in std::fs::read_dir(&*self.place)? {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == "jnl") {
                std::fs::OpenOptions::new().write(true).open(path)?.set_len(0)?;
            }
        }
        Ok(())
    }
}

impl ColdSnapshot for FjallSnapshot {
    fn range(&self, from: &[u8], to: &[u8], order: Order) -> PairIter {
        let place = Arc::clone(&self.place);
        let read = move |guard: fjall::Guard| {
            let (key, value) = guard.into_inner().map_err(|error| failed("read", &place, error))?;
            Ok((key.to_vec(), value.to_vec()))
        };
        // Their order is that of the keys they hold.
        let parts: Vec<_> = self.parts[part_of(from)..=part_of(to)]
            .iter()
            .map(|part| self.snapshot.range(part, from.to_vec()..to.to_vec()))
            .collect();
        match order {
            Order::Ascending => Box::new(parts.into_iter().flatten().map(read)),
            Order::Descending => Box::new(parts.into_iter().rev().flat_map(Iterator::rev).map(read)),
        }
    }
}

fn failed(action: &'static str, place: &str, error: fjall::Error) -> ColdError {
    let damaged = is_damage(&error);
    ColdError::new(action, place, error).damaged(damaged)
}

/// Tells whether the files are not what was written; a full disk, a missing permission or another owner is not that.
fn is_damage(error: &fjall::Error) -> bool {
    use fjall::{Error, LsmError};
    match error {
        Error::Io(error) | Error::Storage(LsmError::Io(error)) => {
            use std::io::ErrorKind;
            matches!(error.kind(), ErrorKind::NotFound | ErrorKind::UnexpectedEof | ErrorKind::InvalidData)
        }
        Error::Poisoned | Error::KeyspaceDeleted | Error::Locked => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_too_long_to_be_there_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let cold = FjallStorage::new(folder.path()).open(Purpose::Tables).unwrap();
        for bytes in [1, KEY_MAX_BYTES, KEY_MAX_BYTES + 1, 1 << 20] {
            assert_eq!(cold.get(&vec![ROWS; bytes]).unwrap(), None, "{bytes}");
        }
    }

    #[test]
    fn what_is_in_no_table_file_yet_has_a_bound_over_all_tables() {
        let folder = tempfile::tempdir().unwrap();
        let cold = FjallStorage::new(folder.path()).open(Purpose::Tables).unwrap();
        let tables = (PARTS - 2) as u8;
        // Four times the bound, and of each table less than would fill its own memtable.
        let rows = 4 * MEMTABLES_BYTES / 1_024;
        for (number, batch) in (0..rows as u64).collect::<Vec<_>>().chunks(512).enumerate() {
            let row = |id: &u64| {
                let key =
                    [&[ROWS, FIRST_COLD_TAG + (*id % u64::from(tables)) as u8][..], &id.to_be_bytes()[..]].concat();
                (key, Some(vec![id.to_le_bytes()[0]; 1_024]))
            };
            cold.write(batch.iter().map(row), Lsn(number as u64 + 1)).unwrap();
        }
        let end = std::time::Instant::now() + SYNC_LIMIT;
        while cold.db.write_buffer_size() > MEMTABLES_BYTES as u64 {
            assert!(std::time::Instant::now() < end, "{} bytes stay in memory", cold.db.write_buffer_size());
            std::thread::yield_now();
        }
        let kept = cold.snapshot().range(&[ROWS], &[ROWS + 1], Order::Ascending).filter(|pair| pair.is_ok()).count();
        assert_eq!(kept, rows);
        assert_eq!(cold.position().unwrap(), Lsn(rows.div_ceil(512) as u64));
    }
}
