//! Opens what a former owner left: cuts what nobody was told about, refuses what had been durable and is damaged.

use std::path::Path;
use std::sync::Arc;

use enact_model::digest::Digest;
use enact_model::id::{Epoch, Lsn};

use crate::io::{File, Io};

use super::chain;
use super::chunk::{Chunk, Read};
use super::fault::{Fault, FaultKind};
use super::frame::{self, Head};
use super::segment::{self, Segment};
use super::{Error, LogConfig, Recovered, TornTail};

/// Read at once while scanning a segment, in bytes.
const SCAN_AHEAD: usize = 256 * 1024;

pub(super) struct Found<F> {
    /// The segments before the active one.
    pub(super) segments: Vec<Arc<Segment<F>>>,
    /// The last segment when it can be appended to; otherwise a new one must begin.
    pub(super) active: Option<Arc<Segment<F>>>,
    pub(super) recovered: Recovered,
    /// The chain value of the last frame.
    pub(super) chain: Digest,
}

/// Returns the first positions of the segments in a folder, in order; one that is not there has none.
pub(super) fn firsts<I: Io>(io: &I, dir: &Path) -> Result<Vec<Lsn>, Error> {
    let names = match io.list(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        names => names.map_err(Error::io("list", dir))?,
    };
    Ok(names.iter().filter_map(|name| segment::first_of(name)).collect())
}

pub(super) fn recover<I: Io>(io: &I, dir: &Path, config: &LogConfig) -> Result<Found<I::File>, Error> {
    io.create_dir(dir).map_err(Error::io("make", dir))?;
    if let Some(parent) = dir.parent() {
        io.sync_dir(parent).map_err(Error::io("sync", parent))?;
    }
    let firsts = firsts(io, dir)?;
    let Some((last, older)) = firsts.split_last() else {
        if config.proven > Lsn::ZERO {
            let kind = FaultKind::Missing { proven: config.proven };
            return Err(Error::Corrupt(Box::new(Fault {
                segment: segment::name(Lsn(1)),
                offset: 0,
                lsn: Lsn(1),
                kind,
            })));
        }
        let recovered = Recovered { last: Lsn::ZERO, last_epoch: Epoch(0), cut: None };
        return Ok(Found { segments: Vec::new(), active: None, recovered, chain: chain::ORIGIN });
    };
    let mut segments = Vec::with_capacity(firsts.len());
    for first in older {
        segments.push(Arc::new(Segment::open(io, dir, *first, false)?));
    }
    let active = Segment::open(io, dir, *last, true)?;
    let tail = scan(&active, config.proven)?;
    // From here on the folder is changed: everything in it is known to be of our format and whole.
    settle(&active, &tail)?;
    io.sync_dir(dir).map_err(Error::io("sync", dir))?;
    active.set_end(tail.end);
    let recovered = Recovered { last: Lsn(tail.next.0 - 1), last_epoch: tail.epoch, cut: tail.torn };
    if let Some(cut) = &recovered.cut {
        tracing::warn!(segment = %cut.segment, at = cut.at, bytes = cut.bytes, "cut a torn tail of the log");
    }
    // A segment of an older format takes nothing more.
    let active = if recovered.cut.is_some() || active.version < segment::VERSION {
        // A segment without a record is replaced by the one that begins at the same position.
        if tail.next > active.first {
            segments.push(Arc::new(active));
        }
        None
    } else {
        Some(Arc::new(active))
    };
    Ok(Found { segments, active, recovered, chain: tail.chain.unwrap_or(chain::ORIGIN) })
}

/// What stands at the end of the last segment.
pub(super) struct Tail {
    pub(super) next: Lsn,
    pub(super) epoch: Epoch,
    /// The chain value of the last frame; none where nobody knows it, and in segments of version 1.
    pub(super) chain: Option<Digest>,
    /// Where the frames end.
    pub(super) end: u64,
    /// Where the frames begin that no later frame proves.
    unproven: u64,
    pub(super) torn: Option<TornTail>,
}

/// Walks the whole frames of the last segment and judges what stands behind them.
fn scan<F: File>(segment: &Segment<F>, proven: Lsn) -> Result<Tail, Error> {
    let mut chunk = Chunk::new(SCAN_AHEAD);
    let mut tail = Tail::of(segment);
    let mut synced_to = Lsn(segment.first.0 - 1);
    let kind = loop {
        match next_frame(&mut chunk, segment, &tail)? {
            Ok((head, chain)) => {
                if head.synced_to > synced_to {
                    (synced_to, tail.unproven) = (head.synced_to, tail.end);
                }
                segment.note(&head, tail.end);
                tail.step(&head, chain);
            }
            Err(kind) => break kind,
        }
    };
    let written = last_written(segment, tail.end)?;
    if proven >= tail.next {
        let kind = if written > tail.end { kind } else { FaultKind::Missing { proven } };
        return Err(segment.fault(tail.end, tail.next, kind));
    }
    if written > tail.end {
        if is_proven(segment, &tail)? {
            return Err(segment.fault(tail.end, tail.next, kind));
        }
        tail.torn = Some(TornTail { segment: segment.name.clone(), at: tail.end, bytes: written - tail.end });
    }
    Ok(tail)
}

/// Reads the frame at the end of `tail` and the chain value that stands in it, which is not judged here; what is not a frame, or not the next one, is told by its kind.
pub(super) fn next_frame<F: File>(
    chunk: &mut Chunk,
    segment: &Segment<F>,
    tail: &Tail,
) -> Result<Result<(Head, Option<Digest>), FaultKind>, Error> {
    let read = chunk.frame(&segment.file, segment.salt, tail.end, segment.len);
    match read.map_err(Error::io("read", &segment.path))? {
        Read::Frame(head, _) if head.first != tail.next => {
            Err(segment.fault(tail.end, tail.next, FaultKind::Sequence { found: head.first }))
        }
        Read::Frame(head, _) if head.epoch < tail.epoch => Err(segment.fault(tail.end, tail.next, FaultKind::Epoch)),
        // The frames of a segment have its version; another one would be a way around the chain.
        Read::Frame(head, _) if u32::from(head.version) != segment.version => Ok(Err(FaultKind::FrameHeader)),
        Read::Frame(head, bytes) if frame::records(&head, &bytes[frame::HEADER..]).is_some() => {
            Ok(Ok((head, frame::chain(&head, bytes))))
        }
        Read::Frame(..) | Read::BadBody => Ok(Err(FaultKind::FrameBody)),
        Read::End | Read::BadHeader => Ok(Err(FaultKind::FrameHeader)),
        Read::Newer(version) => Err(segment.newer(version)),
    }
}

/// Tells whether a whole frame behind the damage says that the missing record had been durable.
pub(super) fn is_proven<F: File>(segment: &Segment<F>, tail: &Tail) -> Result<bool, Error> {
    let mut from = tail.end;
    while let Some((offset, head)) = next_whole(segment, from)? {
        if head.synced_to >= tail.next && head.first > head.synced_to {
            return Ok(true);
        }
        from = offset + head.frame_len();
    }
    Ok(false)
}

/// Finds the next whole frame at or behind `from`, wherever it begins.
pub(super) fn next_whole<F: File>(segment: &Segment<F>, from: u64) -> Result<Option<(u64, Head)>, Error> {
    let (mut search, mut probe) = (Chunk::new(SCAN_AHEAD), Chunk::new(SCAN_AHEAD));
    let read = Error::io("read", &segment.path);
    let mut find = || -> std::io::Result<Option<(u64, Head)>> {
        let mut at = from;
        while at < segment.len {
            let block = search.bytes(&segment.file, at, 4096 + frame::MAGIC.len() - 1, segment.len)?;
            for near in places(block) {
                let offset = at + near as u64;
                if let Read::Frame(head, _) = probe.frame(&segment.file, segment.salt, offset, segment.len)? {
                    return Ok(Some((offset, head)));
                }
            }
            at += 4096;
        }
        Ok(None)
    };
    find().map_err(read)
}

/// Returns where the magic of a frame stands in a block.
fn places(block: &[u8]) -> Vec<usize> {
    if is_zero(block) {
        return Vec::new();
    }
    let magic = block.windows(frame::MAGIC.len()).enumerate().filter(|(_, window)| **window == frame::MAGIC);
    magic.map(|(near, _)| near).collect()
}

/// Returns the position behind the last byte that is not zero, or `from`.
pub(super) fn last_written<F: File>(segment: &Segment<F>, from: u64) -> Result<u64, Error> {
    let (mut chunk, mut at, mut written) = (Chunk::new(SCAN_AHEAD), from, from);
    while at < segment.len {
        let read = chunk.bytes(&segment.file, at, SCAN_AHEAD, segment.len);
        let block = read.map_err(Error::io("read", &segment.path))?;
        if block.is_empty() {
            break;
        }
        if !is_zero(block) {
            let last = block.iter().rposition(|byte| *byte != 0).unwrap_or(0);
            written = at + last as u64 + 1;
        }
        at += block.len() as u64;
    }
    Ok(written)
}

fn is_zero(bytes: &[u8]) -> bool {
    static ZEROS: [u8; 4096] = [0; 4096];
    bytes.chunks(ZEROS.len()).all(|part| ZEROS.get(..part.len()) == Some(part))
}

/// Writes the unproven frames again and syncs them.
///
/// The former owner may have died between its write and its sync, or after a sync that failed, which leaves pages that the
/// system takes for clean: only a new write brings them to the disk.
fn settle<F: File>(segment: &Segment<F>, tail: &Tail) -> Result<(), Error> {
    let mut chunk = Chunk::new(SCAN_AHEAD);
    let mut at = tail.unproven;
    while at < tail.end {
        let read = chunk.bytes(&segment.file, at, SCAN_AHEAD, tail.end);
        let bytes = read.map_err(Error::io("read", &segment.path))?;
        segment.file.write_at(bytes, at).map_err(Error::io("write", &segment.path))?;
        at += bytes.len() as u64;
    }
    segment.file.sync_data().map_err(Error::io("sync", &segment.path))
}

impl Tail {
    pub(super) fn of<F: File>(segment: &Segment<F>) -> Self {
        let begin = segment.begin();
        let (next, epoch, chain) = (segment.first, segment.before, segment.chain);
        Self { next, epoch, chain, end: begin, unproven: begin, torn: None }
    }
    /// Goes on behind a frame.
    pub(super) fn step(&mut self, head: &Head, chain: Option<Digest>) {
        (self.next, self.epoch, self.chain) = (head.next(), head.epoch, chain);
        self.end += head.frame_len();
    }
}
