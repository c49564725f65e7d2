//! Reads a whole log without changing it and reports every fault.

use std::path::Path;

use enact_model::digest::Digest;
use enact_model::id::Lsn;

use crate::io::{File, Io};

use super::chain::{self, ChainHead};
use super::chunk::Chunk;
use super::fault::{Fault, FaultKind};
use super::frame::{self, Head};
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
    /// The first record whose frame has a chain value; none where no frame has one.
    pub chained: Option<Lsn>,
    /// The last frame and its chain value, for somebody to keep elsewhere.
    pub head: Option<ChainHead>,
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
    /// A position behind which somebody may be writing; no head is told beyond it.
    pub until: Option<Lsn>,
    /// A head that this log had, from wherever it was kept.
    pub head: Option<ChainHead>,
}

/// Takes the position and the bytes of a record.
pub type Each<'a> = &'a mut (dyn FnMut(Lsn, &[u8]) + 'a);

/// What a walk over the log carries from segment to segment.
struct Walk<'a> {
    each: Option<Each<'a>>,
    known: Known,
    report: Report,
    /// The chain values that the next segment may begin with: that of the last frame with records, and of the seals behind it.
    /// None where that is not known.
    ends: Vec<Digest>,
    /// Where the last segment ended, for a fault that has no place.
    end: (String, u64),
    /// What the frame that ends with the record of the known head has.
    met: Option<(String, u64, Digest)>,
    /// Whether one of them is the known head itself.
    agreed: bool,
}

/// Reads every frame of the log in `dir`, follows the chain through them, and compares its beginning and its end with what is
/// known of it.
///
/// # Errors
/// Only when the log cannot be read at all or is of a newer format; damage stands in the report.
pub fn verify<I: Io>(io: &I, dir: &Path, known: Known) -> Result<Report, Error> {
    verify_each(io, dir, known, None)
}

/// Does what [`verify`] does, and gives every record of a whole frame to `each`, in the order of the log.
///
/// # Errors
/// As [`verify`].
pub fn verify_each<I: Io>(io: &I, dir: &Path, known: Known, each: Option<Each<'_>>) -> Result<Report, Error> {
    let firsts = recovery::firsts(io, dir)?;
    let report = Report { first: firsts.first().copied().unwrap_or(Lsn(1)), ..Report::default() };
    let end = (segment::name(Lsn(1)), 0);
    let ends = if report.first == Lsn(1) { vec![chain::ORIGIN] } else { Vec::new() };
    let mut walk = Walk { each, known, report, ends, end, met: None, agreed: false };
    walk.compare_beginning();
    let mut durable = known.durable;
    for (n, first) in firsts.iter().enumerate() {
        walk.report.segments += 1;
        match Segment::open(io, dir, *first, false) {
            Ok(segment) => {
                walk.report.last = walk.report.last.max(Lsn(first.0.saturating_sub(1)));
                walk.join(&segment);
                durable = durable.max(walk.segment(&segment, firsts.get(n + 1).copied())?);
            }
            Err(Error::Corrupt(fault)) => {
                walk.report.faults.push(*fault);
                walk.ends.clear();
            }
            Err(error) => return Err(error),
        }
    }
    Ok(walk.finish(durable))
}

impl Walk<'_> {
    fn compare_beginning(&mut self) {
        let first = self.report.first;
        let Some(base) = self.known.base.filter(|base| base.plus(1) < first) else { return };
        self.fault(segment::name(first), 0, base.plus(1), FaultKind::Beginning { base });
    }
    fn fault(&mut self, segment: String, offset: u64, lsn: Lsn, kind: FaultKind) {
        self.report.faults.push(Fault { segment, offset, lsn, kind });
    }
    /// Compares what a segment says of its predecessor with how that one ended.
    fn join<F>(&mut self, segment: &Segment<F>) {
        // What has no chain value comes before everything that has one.
        if !self.ends.is_empty() && !self.ends.contains(&segment.chain.unwrap_or(chain::ORIGIN)) {
            self.fault(segment.name.clone(), segment::CHAIN_AT, segment.first, FaultKind::Joint);
        }
        if let Some(chain) = segment.chain {
            self.meet(&segment.name, segment::CHAIN_AT, Lsn(segment.first.0.saturating_sub(1)), chain);
            self.report.chained.get_or_insert(segment.first);
        }
        self.ends.clear();
    }
    /// Takes note of a frame that ends with `last`.
    fn meet(&mut self, segment: &str, offset: u64, last: Lsn, chain: Digest) {
        if let Some(known) = self.known.head.filter(|known| known.lsn == last) {
            self.met = Some((segment.to_owned(), offset, chain));
            self.agreed |= known.chain == chain;
        }
    }
    /// Walks a segment and returns which position its frames say was durable.
    fn segment<F: File>(&mut self, segment: &Segment<F>, successor: Option<Lsn>) -> Result<Lsn, Error> {
        let (mut tail, mut chunk, mut synced_to) = (Tail::of(segment), Chunk::new(SCAN_AHEAD), Lsn::ZERO);
        loop {
            if successor.is_some_and(|next| tail.next >= next) {
                self.seals(segment, &mut chunk, &mut tail)?;
                break;
            }
            let kind = match recovery::next_frame(&mut chunk, segment, &tail) {
                Ok(Ok((head, chain))) => {
                    self.frame(segment, &mut chunk, &mut tail, &head, chain)?;
                    synced_to = synced_to.max(head.synced_to);
                    continue;
                }
                Ok(Err(kind)) => kind,
                Err(Error::Corrupt(fault)) => fault.kind,
                Err(error) => return Err(error),
            };
            if !self.report.judge(segment, &tail, kind, successor)? {
                break;
            }
            // Go on behind the damage, so that every damaged place is found.
            let Some((offset, head)) = recovery::next_whole(segment, tail.end + 1)? else {
                break;
            };
            (tail.next, tail.epoch, tail.chain, tail.end) = (head.first, head.epoch, None, offset);
        }
        self.end = (segment.name.clone(), tail.end);
        Ok(synced_to)
    }
    /// Counts a whole frame, follows the chain over it and steps behind it.
    fn frame<F: File>(
        &mut self,
        segment: &Segment<F>,
        chunk: &mut Chunk,
        tail: &mut Tail,
        head: &Head,
        chain: Option<Digest>,
    ) -> Result<(), Error> {
        if let Some(before) = &tail.chain {
            let bytes = chunk.bytes(&segment.file, tail.end, head.frame_len() as usize, segment.len);
            if !frame::follows(before, head, bytes.map_err(Error::io("read", &segment.path))?) {
                self.fault(segment.name.clone(), tail.end, head.first, FaultKind::Chain);
            }
        }
        self.give(segment, chunk, tail.end, head)?;
        let (at, last) = (tail.end, Lsn(head.next().0 - 1));
        self.report.frames += 1;
        self.report.records += u64::from(head.count);
        self.report.bytes += head.frame_len();
        self.report.last = self.report.last.max(last);
        tail.step(head, chain);
        if let Some(chain) = chain {
            self.meet(&segment.name, at, last, chain);
            if self.known.until.is_none_or(|until| last <= until) {
                self.report.head = Some(ChainHead { lsn: last, chain });
            }
        }
        Ok(())
    }
    /// Gives the records of the frame at `offset` to whoever wants them.
    fn give<F: File>(
        &mut self,
        segment: &Segment<F>,
        chunk: &mut Chunk,
        offset: u64,
        head: &Head,
    ) -> Result<(), Error> {
        let Some(each) = &mut self.each else { return Ok(()) };
        let bytes = chunk.bytes(&segment.file, offset, head.frame_len() as usize, segment.len);
        let body = bytes.map_err(Error::io("read", &segment.path))?.get(frame::HEADER..).unwrap_or_default();
        for (number, record) in (0..).zip(frame::records(head, body).unwrap_or_default()) {
            each(head.first.plus(number), record);
        }
        Ok(())
    }
    /// Reads the seals behind the last record of a segment with a successor, which begins with the chain value of the last of
    /// those that were there when it was begun; what lies behind them was cut.
    fn seals<F: File>(&mut self, segment: &Segment<F>, chunk: &mut Chunk, tail: &mut Tail) -> Result<(), Error> {
        self.ends.extend(if segment.chain.is_some() { tail.chain } else { Some(chain::ORIGIN) });
        while tail.chain.is_some() {
            match recovery::next_frame(chunk, segment, tail) {
                Ok(Ok((head, chain))) if head.count == 0 => {
                    self.frame(segment, chunk, tail, &head, chain)?;
                    self.ends.extend(tail.chain);
                }
                Ok(_) | Err(Error::Corrupt(_)) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
    /// Compares the end with what is known of it.
    fn finish(mut self, durable: Lsn) -> Report {
        let (segment, offset) = self.end.clone();
        if self.report.last < durable {
            let lsn = self.report.last.plus(1);
            self.fault(segment.clone(), offset, lsn, FaultKind::Missing { proven: durable });
        }
        let Some(known) = self.known.head.filter(|_| !self.agreed) else { return self.report };
        match self.met.take() {
            Some((segment, at, found)) => {
                self.fault(segment, at, known.lsn, FaultKind::Head { known, found: Some(found) });
            }
            None if self.report.last < known.lsn => {
                let lsn = self.report.last.plus(1);
                self.fault(segment, offset, lsn, FaultKind::Missing { proven: known.lsn });
            }
            None => {
                let first = segment::name(self.report.first);
                self.fault(first, 0, known.lsn, FaultKind::Head { known, found: None });
            }
        }
        self.report
    }
}

impl Report {
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
