//! What is wrong with stored bytes, and where.

use std::fmt;

use enact_model::digest::Digest;
use enact_model::id::Lsn;

use super::ChainHead;

/// A damaged place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The segment.
    pub segment: String,
    /// Bytes from the start of the segment.
    pub offset: u64,
    /// The first record that cannot be read.
    pub lsn: Lsn,
    /// What is wrong there.
    pub kind: FaultKind,
}

/// What is wrong with a place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The header of the segment does not have its checksum.
    SegmentHeader,
    /// There is no frame where one must be, or its header does not have its checksum.
    FrameHeader,
    /// The body of the frame does not have its checksum.
    FrameBody,
    /// The frame is whole, but belongs to another position.
    Sequence {
        /// The position it gives itself.
        found: Lsn,
    },
    /// The frame is whole, but its epoch lies before that of the frame before it.
    Epoch,
    /// The log ends although this position is known to have been durable.
    Missing {
        /// The position that is known to have been durable.
        proven: Lsn,
    },
    /// The frame is whole, but its chain value does not follow from the frame before it.
    Chain,
    /// The segment is whole, but does not follow from the segment before it.
    Joint,
    /// The log is not the one whose head was known, or nobody can tell any more.
    Head {
        /// The head that was known.
        known: ChainHead,
        /// The chain value that the log has there; none where no frame ends with that record.
        found: Option<Digest>,
    },
    /// The log begins later than the base reaches.
    Beginning {
        /// The last record that went into the base.
        base: Lsn,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { segment, offset, lsn, kind } = self;
        match kind {
            FaultKind::SegmentHeader => write!(f, "the header of {segment} is damaged")?,
            FaultKind::FrameHeader => write!(f, "the frame header at {segment}:{offset} is damaged")?,
            FaultKind::FrameBody => write!(f, "the frame at {segment}:{offset} does not have its checksum")?,
            FaultKind::Sequence { found } => {
                write!(f, "the frame at {segment}:{offset} gives itself position {found}")?
            }
            FaultKind::Epoch => {
                write!(f, "the frame at {segment}:{offset} has an epoch before that of its predecessor")?
            }
            FaultKind::Missing { proven } => {
                write!(f, "{segment} ends at {offset} although record {proven} is known to have been durable")?;
            }
            FaultKind::Chain => {
                write!(f, "the frame at {segment}:{offset} does not follow from the one before it: ")?;
                return write!(
                    f,
                    "one of the two was changed, or one between them removed, after record {}",
                    before(*lsn)
                );
            }
            FaultKind::Joint => {
                write!(
                    f,
                    "{segment} does not follow from the segment before it: the end of that one was changed or removed"
                )?;
                return write!(f, ", or the header at {segment}:{offset}, before record {lsn}");
            }
            FaultKind::Head { known, found: Some(found) } => {
                write!(
                    f,
                    "the log up to record {} at {segment}:{offset} is not the one whose head was known: ",
                    known.lsn
                )?;
                return write!(f, "its chain value is {} and was {}", found.hex(), known.chain.hex());
            }
            FaultKind::Head { known, found: None } => {
                return write!(
                    f,
                    "the head {known} cannot be found: no frame that is kept and chained ends with record {}, from {segment}:{offset} on",
                    known.lsn
                );
            }
            FaultKind::Beginning { base } => {
                write!(f, "the log begins with {segment} although only the records up to {base} were dropped")?;
            }
        }
        write!(f, "; the first record lost is {lsn}")
    }
}

fn before(lsn: Lsn) -> Lsn {
    Lsn(lsn.0.saturating_sub(1))
}
