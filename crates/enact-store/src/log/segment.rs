//! One segment: its name, its header, and where its records stand.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use enact_model::digest::Digest;
use enact_model::id::{Epoch, Lsn};

use crate::io::{File, Io};

use super::chain;
use super::chunk::Chunk;
use super::fault::{Fault, FaultKind};
use super::frame::{self, Found};
use super::{Error, frame::Head};

/// Length of a segment's header in bytes.
pub(super) const HEADER: u64 = 128;
/// Where the chain value stands in a header.
pub(super) const CHAIN_AT: u64 = 64;
/// Length of what every version of a header begins with, and of the whole header of version 1.
const HEADER_V1: u64 = 64;
/// The version of a segment, and of every frame in it.
pub(super) const VERSION: u32 = 2;
/// The version since which a header has the chain value of what stands before it.
const CHAINED: u32 = 2;
const MAGIC: [u8; 8] = *b"ENACTLOG";
/// One entry of the index for so many bytes of a segment.
const INDEX_STEP: u64 = 64 * 1024;
/// Read at once while looking for a record.
const LOOK_AHEAD: usize = 64 * 1024;

/// A segment that readers and the writer share.
pub(super) struct Segment<F> {
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) file: F,
    pub(super) first: Lsn,
    pub(super) before: Epoch,
    pub(super) salt: u32,
    pub(super) version: u32,
    /// The chain value of the last frame before it; segments of version 1 have none.
    pub(super) chain: Option<Digest>,
    /// Length of the file in bytes.
    pub(super) len: u64,
    /// The end of what may be read, in bytes.
    end: AtomicU64,
    index: Mutex<Index>,
}

/// Where some of the records stand, and how far the frames have been walked.
struct Index {
    entries: Vec<(Lsn, u64)>,
    walked: (Lsn, u64),
}

impl Index {
    fn step(&mut self, head: &Head, offset: u64) {
        if offset < self.walked.1 {
            return;
        }
        if self.entries.last().is_none_or(|(_, at)| offset >= at + INDEX_STEP) {
            self.entries.push((head.first, offset));
        }
        self.walked = (head.next(), offset + head.frame_len());
    }
}

/// Returns the name of the segment that begins with `first`.
pub(super) fn name(first: Lsn) -> String {
    format!("{:020}.log", first.0)
}

/// Reads the first position from a name; none when the file is no segment.
pub(super) fn first_of(name: &str) -> Option<Lsn> {
    let digits = name.strip_suffix(".log")?;
    (digits.len() == 20).then(|| digits.parse().ok().map(Lsn)).flatten()
}

/// What a segment begins with: its first record, and what stands before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    pub(super) first: Lsn,
    pub(super) epoch: Epoch,
    pub(super) chain: Digest,
}

/// Makes the bytes of a header.
pub(super) fn header(salt: u32, start: &Start) -> [u8; HEADER as usize] {
    let mut bytes = [0; HEADER as usize];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
    bytes[12..16].copy_from_slice(&salt.to_le_bytes());
    bytes[16..24].copy_from_slice(&start.first.0.to_le_bytes());
    bytes[24..32].copy_from_slice(&start.epoch.0.to_le_bytes());
    let crc = frame::checksum(0, &[&bytes[..32]]);
    bytes[32..36].copy_from_slice(&crc.to_le_bytes());
    bytes[64..96].copy_from_slice(start.chain.as_bytes());
    let crc = frame::checksum(0, &[&bytes[..36], &bytes[64..96]]);
    bytes[96..100].copy_from_slice(&crc.to_le_bytes());
    bytes
}

impl<F: File> Segment<F> {
    /// Takes a segment that has just been begun.
    pub(super) fn new(path: PathBuf, file: F, start: &Start, salt: u32, len: u64) -> Self {
        Self {
            name: name(start.first),
            path,
            file,
            first: start.first,
            before: start.epoch,
            salt,
            version: VERSION,
            chain: Some(start.chain),
            len,
            end: AtomicU64::new(HEADER),
            index: Mutex::new(Index { entries: Vec::new(), walked: (start.first, HEADER) }),
        }
    }
    /// Where the first frame begins.
    pub(super) fn begin(&self) -> u64 {
        if self.version >= CHAINED { HEADER } else { HEADER_V1 }
    }
    /// Opens a segment and checks its header.
    pub(super) fn open<I: Io<File = F>>(io: &I, dir: &Path, first: Lsn, write: bool) -> Result<Self, Error> {
        let path = dir.join(name(first));
        let file = if write { io.open(&path) } else { io.open_read(&path) }.map_err(Error::io("open", &path))?;
        let len = file.len().map_err(Error::io("measure", &path))?;
        let mut bytes = [0; HEADER as usize];
        let got = file.read_at(&mut bytes, 0).map_err(Error::io("read", &path))?;
        let zeros = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
        let damaged = || {
            let kind = FaultKind::SegmentHeader;
            Error::Corrupt(Box::new(Fault { segment: name(first), offset: 0, lsn: first, kind }))
        };
        // What every version begins with: only then is it known which version this is.
        let known = got as u64 >= HEADER_V1
            && bytes[..8] == MAGIC
            && frame::checksum(0, &[&bytes[..32]]) == frame::u32_at(&bytes, 32)
            && frame::u64_at(&bytes, 16) == first.0;
        if !known {
            return Err(damaged());
        }
        let version = frame::u32_at(&bytes, 8);
        if version > VERSION {
            return Err(Error::Newer { segment: name(first), found: version, known: VERSION });
        }
        let chained = version >= CHAINED;
        let whole = got == bytes.len()
            && frame::checksum(0, &[&bytes[..36], &bytes[64..96]]) == frame::u32_at(&bytes, 96)
            && zeros(&bytes[100..]);
        if !zeros(&bytes[36..64]) || chained && !whole {
            return Err(damaged());
        }
        let chain = bytes[64..].first_chunk().map_or(chain::ORIGIN, |value| Digest::from_bytes(*value));
        let start = Start { first, epoch: Epoch(frame::u64_at(&bytes, 24)), chain };
        let mut segment = Self::new(path, file, &start, frame::u32_at(&bytes, 12), len);
        (segment.version, segment.chain) = (version, chained.then_some(chain));
        segment.set_end(len);
        segment.index().walked.1 = segment.begin();
        Ok(segment)
    }
    pub(super) fn fault(&self, offset: u64, lsn: Lsn, kind: FaultKind) -> Error {
        Error::Corrupt(Box::new(Fault { segment: self.name.clone(), offset, lsn, kind }))
    }
    pub(super) fn newer(&self, found: u32) -> Error {
        Error::Newer { segment: self.name.clone(), found, known: frame::VERSION.into() }
    }
    pub(super) fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }
    pub(super) fn set_end(&self, end: u64) {
        self.end.store(end, Ordering::Release);
    }
    /// Remembers a frame whose place has just become known.
    pub(super) fn note(&self, head: &Head, offset: u64) {
        self.index().step(head, offset);
    }
    /// Finds the frame that holds `lsn`, a durable record of this segment: its offset and its first record.
    pub(super) fn locate(&self, lsn: Lsn) -> Result<(u64, Lsn), Error> {
        let (mut at, mut offset) = {
            let index = self.index();
            let after = index.entries.partition_point(|(first, _)| *first <= lsn);
            let near = after.checked_sub(1).and_then(|i| index.entries.get(i)).copied();
            if index.walked.0 <= lsn { index.walked } else { near.unwrap_or((self.first, self.begin())) }
        };
        let (mut chunk, end) = (Chunk::new(LOOK_AHEAD), self.end());
        loop {
            let head = match chunk.head(&self.file, self.salt, offset, end).map_err(Error::io("read", &self.path))? {
                Found::Head(head) if head.first == at => head,
                Found::Head(head) => return Err(self.fault(offset, at, FaultKind::Sequence { found: head.first })),
                Found::End | Found::Damaged => return Err(self.fault(offset, at, FaultKind::FrameHeader)),
                Found::Newer(version) => return Err(self.newer(version)),
            };
            self.note(&head, offset);
            if lsn < head.next() {
                return Ok((offset, at));
            }
            (at, offset) = (head.next(), offset + head.frame_len());
        }
    }
    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
