//! Reads durable records, also while the writer appends.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use enact_model::id::{Epoch, Lsn};

use crate::io::Io;

use super::chunk::{Chunk, Read};
use super::fault::FaultKind;
use super::segment::Segment;
use super::{Error, frame};

/// Read at once by an iteration, in bytes.
const SCAN_AHEAD: usize = 256 * 1024;
/// Read at once for a single record, in bytes.
const GET_AHEAD: usize = 4 * 1024;

/// A record as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// Its position.
    pub lsn: Lsn,
    /// The epoch of the owner that wrote it.
    pub epoch: Epoch,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// What the writer and the readers share.
pub(super) struct Shared<F> {
    durable: AtomicU64,
    segments: RwLock<Vec<Arc<Segment<F>>>>,
}

impl<F> Shared<F> {
    pub(super) fn new(segments: Vec<Arc<Segment<F>>>, durable: Lsn) -> Self {
        Self { durable: AtomicU64::new(durable.0), segments: RwLock::new(segments) }
    }
    pub(super) fn durable(&self) -> Lsn {
        Lsn(self.durable.load(Ordering::Acquire))
    }
    pub(super) fn set_durable(&self, lsn: Lsn) {
        self.durable.store(lsn.0, Ordering::Release);
    }
    pub(super) fn first(&self) -> Lsn {
        self.read().first().map_or(Lsn(1), |segment| segment.first)
    }
    pub(super) fn push(&self, segment: Arc<Segment<F>>) {
        self.write().push(segment);
    }
    pub(super) fn remove(&self, first: Lsn) {
        self.write().retain(|segment| segment.first != first);
    }
    pub(super) fn boundary_before(&self, lsn: Lsn) -> Lsn {
        let segments = self.read();
        let after = segments.partition_point(|segment| segment.first <= lsn);
        segments.get(after.saturating_sub(1)).map_or(Lsn(1), |segment| segment.first)
    }
    pub(super) fn older_than(&self, first: Lsn) -> Vec<Arc<Segment<F>>> {
        self.read().iter().filter(|segment| segment.first < first).cloned().collect()
    }
    fn until(&self, lsn: Lsn) -> Vec<Arc<Segment<F>>> {
        let segments = self.read();
        let until = segments.partition_point(|segment| segment.first <= lsn).max(1);
        segments.iter().take(until).cloned().collect()
    }
    fn find(&self, lsn: Lsn) -> Result<Arc<Segment<F>>, Error> {
        let segments = self.read();
        let after = segments.partition_point(|segment| segment.first <= lsn);
        match after.checked_sub(1).and_then(|i| segments.get(i)) {
            Some(segment) => Ok(Arc::clone(segment)),
            None => Err(Error::Dropped { lsn, first: segments.first().map_or(Lsn(1), |segment| segment.first) }),
        }
    }
    fn read(&self) -> RwLockReadGuard<'_, Vec<Arc<Segment<F>>>> {
        self.segments.read().unwrap_or_else(PoisonError::into_inner)
    }
    fn write(&self) -> RwLockWriteGuard<'_, Vec<Arc<Segment<F>>>> {
        self.segments.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the durable records of a log.
pub struct LogReader<I: Io> {
    shared: Arc<Shared<I::File>>,
}

impl<I: Io> Clone for LogReader<I> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<I: Io> LogReader<I> {
    pub(super) fn new(shared: Arc<Shared<I::File>>) -> Self {
        Self { shared }
    }
    /// Returns the position of the last durable record.
    pub fn last(&self) -> Lsn {
        self.shared.durable()
    }
    /// Returns the position of the first record kept.
    pub fn first(&self) -> Lsn {
        self.shared.first()
    }
    /// Returns how many segments are kept, and the bytes that were written to them.
    pub fn size(&self) -> (usize, u64) {
        let segments = self.shared.read();
        (segments.len(), segments.iter().map(|segment| segment.end()).sum())
    }
    /// Returns the first position of the segment that holds `lsn`: what a drop of everything before `lsn` would keep.
    pub fn boundary_before(&self, lsn: Lsn) -> Lsn {
        self.shared.boundary_before(lsn)
    }
    /// Returns one record; none when it is not durable yet.
    ///
    /// # Errors
    /// [`Error::Dropped`] for a record before the first one kept, [`Error::Corrupt`] for a damaged one.
    pub fn get(&self, lsn: Lsn) -> Result<Option<StoredRecord>, Error> {
        if lsn > self.last() {
            return Ok(None);
        }
        let mut records = self.records(lsn, lsn, GET_AHEAD);
        records.next().transpose()
    }
    /// Returns the records from `lsn` up to the one that is the last durable one now.
    pub fn read_from(&self, lsn: Lsn) -> Records<I> {
        self.records(lsn, self.last(), SCAN_AHEAD)
    }
    /// Returns the records from `lsn` up to `until`, but none that is not durable now.
    pub fn read_range(&self, lsn: Lsn, until: Lsn) -> Records<I> {
        self.records(lsn, until.min(self.last()), SCAN_AHEAD)
    }
    /// Returns the segments that hold records up to `lsn`, and the first one in any case.
    pub(super) fn segments_until(&self, lsn: Lsn) -> Vec<Arc<Segment<I::File>>> {
        self.shared.until(lsn)
    }
    fn records(&self, from: Lsn, until: Lsn, ahead: usize) -> Records<I> {
        let (shared, chunk) = (Arc::clone(&self.shared), Chunk::new(ahead));
        Records { shared, from, until, place: None, chunk, ready: VecDeque::new(), failed: false }
    }
}

/// An iteration over records in order; it ends after the first error.
pub struct Records<I: Io> {
    shared: Arc<Shared<I::File>>,
    from: Lsn,
    until: Lsn,
    place: Option<Place<I::File>>,
    chunk: Chunk,
    ready: VecDeque<StoredRecord>,
    failed: bool,
}

struct Place<F> {
    segment: Arc<Segment<F>>,
    offset: u64,
    /// The first record of the frame at `offset`.
    at: Lsn,
}

impl<I: Io> Records<I> {
    fn fill(&mut self) -> Result<(), Error> {
        let mut place = match self.place.take() {
            Some(place) => place,
            None => {
                let segment = self.shared.find(self.from)?;
                let (offset, at) = segment.locate(self.from)?;
                Place { segment, offset, at }
            }
        };
        let segment = self.shared.find(place.at)?;
        if segment.first > place.segment.first {
            self.chunk = Chunk::new(SCAN_AHEAD);
            place = Place { offset: segment.begin(), at: segment.first, segment };
        }
        let Place { segment, offset, at } = &mut place;
        let read = self.chunk.frame(&segment.file, segment.salt, *offset, segment.end());
        let (head, bytes) = match read.map_err(Error::io("read", &segment.path))? {
            Read::Frame(head, bytes) => (head, bytes),
            Read::End | Read::BadHeader => return Err(segment.fault(*offset, *at, FaultKind::FrameHeader)),
            Read::BadBody => return Err(segment.fault(*offset, *at, FaultKind::FrameBody)),
            Read::Newer(version) => return Err(segment.newer(version)),
        };
        if head.first != *at {
            return Err(segment.fault(*offset, *at, FaultKind::Sequence { found: head.first }));
        }
        let Some(records) = frame::records(&head, &bytes[frame::HEADER..]) else {
            return Err(segment.fault(*offset, *at, FaultKind::FrameBody));
        };
        for (n, bytes) in (0..).zip(records) {
            let lsn = head.first.plus(n);
            if lsn >= self.from && lsn <= self.until {
                self.ready.push_back(StoredRecord { lsn, epoch: head.epoch, bytes: bytes.to_vec() });
            }
        }
        segment.note(&head, *offset);
        (*offset, *at) = (*offset + head.frame_len(), head.next());
        self.from = self.from.max(head.next());
        self.place = Some(place);
        Ok(())
    }
}

impl<I: Io> Iterator for Records<I> {
    type Item = Result<StoredRecord, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(record) = self.ready.pop_front() {
                return Some(Ok(record));
            }
            if self.failed || self.from > self.until {
                return None;
            }
            if let Err(error) = self.fill() {
                self.failed = true;
                return Some(Err(error));
            }
        }
    }
}
