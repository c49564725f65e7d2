//! The one writer: a group of frames is one write and one fdatasync.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use enact_model::digest::Digest;
use enact_model::id::{Epoch, Lsn};

use crate::crash;
use crate::io::{File, Io};

use super::reader::{LogReader, Shared};
use super::segment::{self, Segment, Start};
use super::spare::{self, Spare};
use super::{Error, Frame, LogConfig, Recovered, frame, recovery};

/// The write-ahead log, open for appending; there is one writer and any number of [`LogReader`]s.
pub struct Log<I: Io> {
    io: I,
    dir: PathBuf,
    config: LogConfig,
    shared: Arc<Shared<I::File>>,
    active: Arc<Segment<I::File>>,
    spare: Spare<I>,
    last: Lsn,
    epoch: Epoch,
    /// The chain value of the last frame.
    chain: Digest,
    poisoned: bool,
    /// Bytes that were appended since it was opened.
    appended: u64,
    buffer: Vec<u8>,
}

/// An owner that has appended less, in bytes, prepares nothing ahead: it may be a command that is over in a moment.
const PREPARE_AFTER: u64 = 1 << 20;
/// Least length of a segment that is begun before it is known what goes into it, in bytes.
const BEGIN_LEAST: u64 = 64 << 10;
/// Larger buffers are not kept between appends, in bytes.
const BUFFER_KEEP: usize = 4 << 20;

impl<I: Io> Log<I> {
    /// Opens the log in `dir`, or makes one; cuts a torn tail. First of all it removes a segment that a former owner was
    /// preparing and did not finish.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when bytes that had been durable are damaged, [`Error::Newer`] for a newer format; then nothing
    /// else was changed.
    pub fn open(io: I, dir: &Path, config: LogConfig) -> Result<(Self, Recovered), Error> {
        let left = spare::sweep(&io, dir, config.segment_bytes)?;
        let found = recovery::recover(&io, dir, &config)?;
        let mut spare = Spare::new(dir, config.background, left);
        let mut segments = found.segments;
        let (last, epoch) = (found.recovered.last, found.recovered.last_epoch);
        let active = match found.active {
            Some(active) => active,
            None => {
                let first = segments.is_empty();
                let len =
                    if first { config.first_segment_bytes.min(config.segment_bytes) } else { config.segment_bytes };
                let least = len.min(BEGIN_LEAST);
                let start = Start { first: last.plus(1), epoch, chain: found.chain };
                Arc::new(begin(&io, dir, &mut spare, (len, least), &start)?)
            }
        };
        segments.push(Arc::clone(&active));
        let shared = Arc::new(Shared::new(segments, last));
        let log = Self {
            io,
            dir: dir.to_owned(),
            config,
            shared,
            active,
            spare,
            last,
            epoch,
            chain: found.chain,
            poisoned: false,
            appended: 0,
            buffer: Vec::new(),
        };
        Ok((log, found.recovered))
    }
    /// Appends frames and returns the position of the last record.
    ///
    /// # Durability
    /// Everything is durable when it returns, and each frame is there as a whole or not at all whatever happens.
    ///
    /// # Errors
    /// After any error nothing of the append is served and the log takes no more; [`Error::may_have_been_written`] tells
    /// whether a restart may find it.
    pub fn append(&mut self, epoch: Epoch, frames: &[Frame<'_>]) -> Result<Lsn, Error> {
        if self.poisoned {
            return Err(Error::Poisoned);
        }
        let result = self.write(epoch, frames);
        self.poisoned = result.is_err();
        self.buffer.clear();
        self.buffer.shrink_to(BUFFER_KEEP);
        result
    }
    /// Writes an empty frame that proves what stands before it, for a clean end.
    ///
    /// # Errors
    /// As [`Log::append`].
    pub fn seal(&mut self) -> Result<(), Error> {
        self.append(self.epoch, &[&[]]).map(|_| ())
    }
    /// Returns the position of the last durable record.
    pub fn last(&self) -> Lsn {
        self.last
    }
    /// Returns the position of the first record kept.
    pub fn first(&self) -> Lsn {
        self.shared.first()
    }
    /// Returns the epoch of the last append.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }
    /// Tells whether an append has failed.
    pub fn is_poisoned(&self) -> bool {
        self.poisoned
    }
    /// Returns a reader.
    pub fn reader(&self) -> LogReader<I> {
        LogReader::new(Arc::clone(&self.shared))
    }
    /// Removes the segments all of whose records lie before `lsn` and returns the first position kept.
    ///
    /// # Errors
    /// When a file cannot be removed; the log is whole then, only longer.
    pub fn drop_before(&mut self, lsn: Lsn) -> Result<Lsn, Error> {
        let keep = self.shared.boundary_before(lsn);
        for segment in self.shared.older_than(keep) {
            self.io.remove(&segment.path).map_err(Error::io("remove", &segment.path))?;
            // One at a time: a power loss must not leave a gap.
            self.io.sync_dir(&self.dir).map_err(Error::io("sync", &self.dir))?;
            self.shared.remove(segment.first);
        }
        Ok(keep)
    }

    fn write(&mut self, epoch: Epoch, frames: &[Frame<'_>]) -> Result<Lsn, Error> {
        if epoch < self.epoch {
            return Err(Error::StaleEpoch { given: epoch, seen: self.epoch });
        }
        let lengths = frames.iter().map(|records| frame::length(records));
        if let Some(bytes) = lengths.clone().find(|len| len - frame::HEADER as u64 > frame::BODY_MAX) {
            return Err(Error::TooLarge { bytes, limit: frame::BODY_MAX });
        }
        let total = lengths.sum::<u64>();
        let mut offset = self.active.end();
        if offset + total > self.active.len {
            self.roll(total)?;
            offset = self.active.end();
        }
        let mut next = self.last.plus(1);
        for records in frames {
            // What fails from here on poisons the log: nobody goes on with the chain.
            let (salt, before) = (self.active.salt, self.chain);
            self.chain = frame::encode(&mut self.buffer, salt, &before, (next, self.last), epoch, records);
            next = next.plus(records.len() as u64);
        }
        let path = &self.active.path;
        crash::point("log-before-write");
        self.active.file.write_at(&self.buffer, offset).map_err(Error::unsettled(path))?;
        crash::point("log-before-sync");
        self.active.file.sync_data().map_err(Error::unsettled(path))?;
        crash::point("log-after-sync");
        self.publish(offset, Lsn(next.0 - 1), epoch);
        Ok(self.last)
    }
    /// Lets readers see what has just become durable.
    fn publish(&mut self, offset: u64, last: Lsn, epoch: Epoch) {
        let mut at = 0;
        while let Some(header) = self.buffer.get(at..).and_then(|rest| rest.first_chunk()) {
            let frame::Found::Head(head) = frame::head(header, self.active.salt) else { break };
            self.active.note(&head, offset + at as u64);
            at += head.frame_len() as usize;
        }
        let end = offset + self.buffer.len() as u64;
        self.active.set_end(end);
        (self.last, self.epoch) = (last, epoch);
        self.shared.set_durable(last);
        self.appended += self.buffer.len() as u64;
        if end > self.active.len / 2 && self.appended >= PREPARE_AFTER.min(self.active.len / 4) {
            self.spare.prepare(&self.io, self.config.segment_bytes);
        }
    }
    fn roll(&mut self, total: u64) -> Result<(), Error> {
        let least = segment::HEADER + total;
        let lengths = (self.config.segment_bytes.max(least), least);
        let start = Start { first: self.last.plus(1), epoch: self.epoch, chain: self.chain };
        let next = begin(&self.io, &self.dir, &mut self.spare, lengths, &start)?;
        self.active = Arc::new(next);
        self.shared.push(Arc::clone(&self.active));
        Ok(())
    }
}

/// Begins a segment of the first length, or of the second at least: a segment that has its name has its header, and what lies before it is durable.
fn begin<I: Io>(
    io: &I,
    dir: &Path,
    spare: &mut Spare<I>,
    (len, least): (u64, u64),
    start: &Start,
) -> Result<Segment<I::File>, Error> {
    let file = spare.take(io, len, least)?;
    let (salt, path) = (io.salt(), dir.join(segment::name(start.first)));
    let header = segment::header(salt, start);
    let headed = file.write_at(&header, 0).map_err(Error::io("write", spare.path()));
    if let Err(error) = headed.and_then(|()| file.sync_data().map_err(Error::io("sync", spare.path()))) {
        // Nobody knows what of it is on the disk: the next owner must not find a whole segment to go on with.
        let _ = io.remove(spare.path());
        return Err(error);
    }
    io.rename(spare.path(), &path).map_err(Error::io("rename", spare.path()))?;
    io.sync_dir(dir).map_err(Error::io("sync", dir))?;
    let len = file.len().map_err(Error::io("measure", &path))?;
    Ok(Segment::new(path, file, start, salt, len))
}
