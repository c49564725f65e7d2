//! Reads a whole log without changing it and reports every fault.

use std::path::Path;

use enact_model::id::Lsn;

use crate::io::{File, Io};

use super::chunk::Chunk;
use super::fault::{Fault, FaultKind};
use super::recovery::{self, Tail};
use super::segment::{self, Segment};
use super::{Error, TornTail};

/// Read at once, in bytes.
const SCAN_AHEAD: usize = 256 * 1024;

/// What a log holds and what is wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Segments.
    pub segments: u64,
    /// Whole frames.
    pub frames: u64,
    /// Records in whole frames.
    pub records: u64,
    /// Bytes of whole frames.
    pub bytes: u64,
    /// The first record kept.
    pub first: Lsn,
    /// The last record.
    pub last: Lsn,
    /// Every damaged place.
    pub faults: Vec<Fault>,
    /// A torn tail, which the next start will cut, or a write that is under way.
    pub torn: Option<TornTail>,
}

/// What the rest of a store knows of its log.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known {
    /// A position that is known to have been durable, such as that of the tables.
    pub durable: Lsn,
    /// The last record that was dropped on purpose, which is the position of the base; none when nobody has looked.
    pub base: Option<Lsn>,
}

/// Reads every frame of the log in `dir`, and compares its beginning and its end with what is known of it.
///
/// # Errors
/// Only when the log cannot be read at all or is of a newer format; damage stands in the report.
pub fn verify<I: Io>(io: &I, dir: &Path, known: Known) -> Result<Report, Error> {
    let firsts = recovery::firsts(io, dir)?;
    let mut report = Report { first: firsts.first().copied().unwrap_or(Lsn(1)), ..Report::default() };
    report.compare_beginning(known);
    let (mut durable, mut end) = (known.durable, (segment::name(Lsn(1)), 0));
    for (n, first) in firsts.iter().enumerate() {
        report.segments += 1;
        match Segment::open(io, dir, *first, false) {
            Ok(segment) => {
                report.last = report.last.max(Lsn(first.0.saturating_sub(1)));
                let (at, synced_to) = report.walk(&segment, firsts.get(n + 1).copied())?;
                (durable, end) = (durable.max(synced_to), (segment.name, at));
            }
            Err(Error::Corrupt(fault)) => report.faults.push(fault),
            Err(error) => return Err(error),
        }
    }
    if report.last < durable {
        let ((segment, offset), lsn) = (end, report.last.plus(1));
        report.faults.push(Fault { segment, offset, lsn, kind: FaultKind::Missing { proven: durable } });
    }
    Ok(report)
}

impl Report {
    fn compare_beginning(&mut self, known: Known) {
        let Some(base) = known.base.filter(|base| base.plus(1) < self.first) else { return };
        let (segment, kind) = (segment::name(self.first), FaultKind::Beginning { base });
        self.faults.push(Fault { segment, offset: 0, lsn: base.plus(1), kind });
    }
    /// Walks a segment and returns where its frames end and which position they say was durable.
    fn walk<F: File>(&mut self, segment: &Segment<F>, successor: Option<Lsn>) -> Result<(u64, Lsn), Error> {
        let (mut tail, mut chunk, mut synced_to) = (Tail::of(segment), Chunk::new(SCAN_AHEAD), Lsn::ZERO);
        loop {
            if successor.is_some_and(|next| tail.next >= next) {
                return Ok((tail.end, synced_to));
            }
            let kind = match recovery::next_frame(&mut chunk, segment, &tail) {
                Ok(Ok(head)) => {
                    self.frames += 1;
                    self.records += u64::from(head.count);
                    self.bytes += head.frame_len();
                    (tail.next, tail.epoch, tail.end) = (head.next(), head.epoch, tail.end + head.frame_len());
                    synced_to = synced_to.max(head.synced_to);
                    self.last = self.last.max(Lsn(tail.next.0 - 1));
                    continue;
                }
                Ok(Err(kind)) => kind,
                Err(Error::Corrupt(fault)) => fault.kind,
                Err(error) => return Err(error),
            };
            if !self.judge(segment, &tail, kind, successor)? {
                return Ok((tail.end, synced_to));
            }
            // Go on behind the damage, so that every damaged place is found.
            let Some((offset, head)) = recovery::next_whole(segment, tail.end + 1)? else {
                return Ok((tail.end, synced_to));
            };
            (tail.next, tail.epoch, tail.end) = (head.first, head.epoch, offset);
        }
    }
    /// Notes a place where the frames stop; tells whether it is damage.
    fn judge<F: File>(
        &mut self,
        segment: &Segment<F>,
        tail: &Tail,
        kind: FaultKind,
        successor: Option<Lsn>,
    ) -> Result<bool, Error> {
        if successor.is_none() {
            let written = recovery::last_written(segment, tail.end)?;
            if written == tail.end {
                return Ok(false);
            }
            if !recovery::is_proven(segment, tail)? {
                let (name, at) = (segment.name.clone(), tail.end);
                self.torn = Some(TornTail { segment: name, at, bytes: written - tail.end });
                return Ok(false);
            }
        }
        let (name, offset, lsn) = (segment.name.clone(), tail.end, tail.next);
        self.faults.push(Fault { segment: name, offset, lsn, kind });
        Ok(true)
    }
}
