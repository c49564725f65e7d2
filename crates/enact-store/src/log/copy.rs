//! Copies the durable part of a log, while the writer goes on.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use enact_model::id::Lsn;

use crate::io::{File, Io};

use super::Error;
use super::chunk::Chunk;
use super::fault::FaultKind;
use super::frame::{self, Found};
use super::reader::LogReader;
use super::segment::Segment;

/// Copied at once, in bytes.
const BLOCK: usize = 256 * 1024;

impl<I: Io> LogReader<I> {
    /// Copies every record kept, up to and with `until`, into the folder `dir` of a real disk: segments of the same names, the
    /// last of which ends behind that record. Whoever calls it keeps segments from being dropped meanwhile. Returns the bytes
    /// copied.
    ///
    /// # Durability
    /// The files and their names are durable when it returns.
    ///
    /// # Errors
    /// When a segment cannot be read or a copy not written; what was copied stays.
    pub fn copy(&self, until: Lsn, dir: &Path) -> Result<u64, Error> {
        let segments = self.segments_until(until.min(self.last()));
        let mut copied = 0;
        for (n, segment) in segments.iter().enumerate() {
            let end = if n + 1 < segments.len() { segment.end() } else { end_of(segment, until)? };
            copy_bytes(segment, end, &dir.join(&segment.name))?;
            copied += end;
        }
        fs::File::open(dir).and_then(|dir| dir.sync_all()).map_err(Error::io("sync", dir))?;
        Ok(copied)
    }
}

/// Finds the end of the frame that holds a record.
fn end_of<F: File>(segment: &Segment<F>, lsn: Lsn) -> Result<u64, Error> {
    if lsn < segment.first {
        return Ok(segment.begin());
    }
    let (offset, _) = segment.locate(lsn)?;
    let mut chunk = Chunk::new(frame::HEADER);
    let head = chunk.head(&segment.file, segment.salt, offset, segment.end());
    match head.map_err(Error::io("read", &segment.path))? {
        Found::Head(head) => Ok(offset + head.frame_len()),
        _ => Err(segment.fault(offset, lsn, FaultKind::FrameHeader)),
    }
}

fn copy_bytes<F: File>(segment: &Segment<F>, end: u64, target: &Path) -> Result<(), Error> {
    let mut file = fs::File::create_new(target).map_err(Error::io("make", target))?;
    let (mut block, mut offset) = (vec![0; BLOCK], 0);
    while offset < end {
        let want = BLOCK.min(usize::try_from(end - offset).unwrap_or(BLOCK));
        let part = &mut block[..want];
        let got = segment.file.read_at(part, offset).map_err(Error::io("read", &segment.path))?;
        if got == 0 {
            let cut = io::Error::from(io::ErrorKind::UnexpectedEof);
            return Err(Error::io("read", &segment.path)(cut));
        }
        file.write_all(&part[..got]).map_err(Error::io("write", target))?;
        offset += got as u64;
    }
    file.sync_all().map_err(Error::io("sync", target))
}
