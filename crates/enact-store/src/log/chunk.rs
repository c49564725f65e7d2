//! Walks over the frames of a file with few reads.

use std::io;

use crate::io::File;

use super::frame::{self, Found, HEADER, Head};

/// A part of a file, read ahead.
pub(super) struct Chunk {
    bytes: Vec<u8>,
    start: u64,
    ahead: usize,
}

/// What was read where a frame may begin.
pub(super) enum Read<'a> {
    /// A whole frame, header included.
    Frame(Head, &'a [u8]),
    /// Nothing was written here.
    End,
    /// A frame whose header is damaged.
    BadHeader,
    /// A frame whose body is damaged or cut short.
    BadBody,
    /// A frame of a newer format.
    Newer(u32),
}

impl Chunk {
    /// Reads `ahead` bytes at a time, or as many as a frame needs.
    pub(super) fn new(ahead: usize) -> Self {
        Self { bytes: Vec::new(), start: 0, ahead }
    }
    /// Returns up to `len` bytes at `offset`, and never any from `end` on.
    pub(super) fn bytes<F: File>(&mut self, file: &F, offset: u64, len: usize, end: u64) -> io::Result<&[u8]> {
        let len = len.min(usize::try_from(end.saturating_sub(offset)).unwrap_or(usize::MAX));
        let held = offset >= self.start && offset + len as u64 <= self.start + self.bytes.len() as u64;
        if !held {
            let want = len.max(self.ahead).min(usize::try_from(end - offset).unwrap_or(usize::MAX));
            self.bytes.resize(want, 0);
            let got = file.read_at(&mut self.bytes, offset)?;
            self.bytes.truncate(got);
            self.start = offset;
        }
        let from = (offset - self.start) as usize;
        Ok(&self.bytes[from..(from + len).min(self.bytes.len())])
    }
    /// Reads the header at `offset`; the frame ends before `end`.
    pub(super) fn head<F: File>(&mut self, file: &F, salt: u32, offset: u64, end: u64) -> io::Result<Found> {
        let bytes = self.bytes(file, offset, HEADER, end)?;
        Ok(match bytes.first_chunk::<HEADER>() {
            Some(header) => frame::head(header, salt),
            None if bytes.iter().all(|byte| *byte == 0) => Found::End,
            None => Found::Damaged,
        })
    }
    /// Reads and checks the frame at `offset`.
    pub(super) fn frame<F: File>(&mut self, file: &F, salt: u32, offset: u64, end: u64) -> io::Result<Read<'_>> {
        let head = match self.head(file, salt, offset, end)? {
            Found::Head(head) => head,
            Found::End => return Ok(Read::End),
            Found::Damaged => return Ok(Read::BadHeader),
            Found::Newer(version) => return Ok(Read::Newer(version)),
        };
        if offset + head.frame_len() > end {
            return Ok(Read::BadBody);
        }
        let bytes = self.bytes(file, offset, head.frame_len() as usize, end)?;
        if frame::is_whole(&head, bytes, salt) { Ok(Read::Frame(head, bytes)) } else { Ok(Read::BadBody) }
    }
}
