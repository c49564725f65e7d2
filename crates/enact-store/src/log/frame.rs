//! The bytes of one frame.

use enact_model::digest::Digest;
use enact_model::id::{Epoch, Lsn};

use super::{Frame, chain};

/// Length of a frame's header in bytes.
pub(super) const HEADER: usize = 48;
/// Largest body of a frame in bytes.
pub(super) const BODY_MAX: u64 = u32::MAX as u64;
pub(super) const MAGIC: [u8; 4] = *b"eFRM";
pub(super) const VERSION: u16 = 2;
/// The version since which a body begins with the chain value of its frame.
const CHAINED: u16 = 2;
/// Length of a chain value in bytes.
const CHAIN: usize = 32;

/// The header of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) version: u16,
    pub(super) body_len: u32,
    pub(super) count: u32,
    pub(super) first: Lsn,
    pub(super) epoch: Epoch,
    pub(super) synced_to: Lsn,
    crc: u32,
}

/// What stands where a frame may begin.
pub(super) enum Found {
    Head(Head),
    /// Zeros in place of the magic: nothing was written here.
    End,
    /// Neither.
    Damaged,
    /// A whole header of a version that is not known.
    Newer(u32),
}

impl Head {
    /// The position of the first record of the next frame.
    pub(super) fn next(&self) -> Lsn {
        self.first.plus(u64::from(self.count))
    }
    pub(super) fn frame_len(&self) -> u64 {
        HEADER as u64 + u64::from(self.body_len)
    }
}

/// Returns the length of the frame that `records` make.
pub(super) fn length(records: Frame<'_>) -> u64 {
    (HEADER + CHAIN) as u64 + records.iter().map(|record| 4 + record.len() as u64).sum::<u64>()
}

/// Writes the frame that follows the one with the chain value `before` behind what `out` holds; returns its own chain value.
pub(super) fn encode(
    out: &mut Vec<u8>,
    salt: u32,
    before: &Digest,
    (first, synced_to): (Lsn, Lsn),
    epoch: Epoch,
    records: Frame<'_>,
) -> Digest {
    let start = out.len();
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&[0; 2]);
    out.extend_from_slice(&((length(records) - HEADER as u64) as u32).to_le_bytes());
    out.extend_from_slice(&(records.len() as u32).to_le_bytes());
    for number in [first.0, epoch.0, synced_to.0] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    out.extend_from_slice(&[0; 8 + CHAIN]);
    for record in records {
        out.extend_from_slice(&(record.len() as u32).to_le_bytes());
        out.extend_from_slice(record);
    }
    let (head, body) = out[start..].split_at_mut(HEADER);
    let link = chain::link(before, &head[..40], &body[CHAIN..]);
    body[..CHAIN].copy_from_slice(link.as_bytes());
    let crc = checksum(salt, &[&head[..40], body]);
    head[40..44].copy_from_slice(&crc.to_le_bytes());
    let crc = checksum(salt, &[&head[..44]]);
    head[44..].copy_from_slice(&crc.to_le_bytes());
    link
}

/// Reads a header; `bytes` are the 48 of it.
pub(super) fn head(bytes: &[u8; HEADER], salt: u32) -> Found {
    if bytes[..4] == [0; 4] {
        return Found::End;
    }
    if bytes[..4] != MAGIC || checksum(salt, &[&bytes[..44]]) != u32_at(bytes, 44) {
        return Found::Damaged;
    }
    let version = u16::from_le_bytes([bytes[4], bytes[5]]);
    if version > VERSION {
        return Found::Newer(version.into());
    }
    Found::Head(Head {
        version,
        body_len: u32_at(bytes, 8),
        count: u32_at(bytes, 12),
        first: Lsn(u64_at(bytes, 16)),
        epoch: Epoch(u64_at(bytes, 24)),
        synced_to: Lsn(u64_at(bytes, 32)),
        crc: u32_at(bytes, 40),
    })
}

/// Tells whether a frame has its checksum; `bytes` are the whole frame.
pub(super) fn is_whole(head: &Head, bytes: &[u8], salt: u32) -> bool {
    bytes.len() as u64 == head.frame_len() && checksum(salt, &[&bytes[..40], &bytes[HEADER..]]) == head.crc
}

/// Returns the chain value that stands in a whole frame; frames of version 1 have none.
pub(super) fn chain(head: &Head, bytes: &[u8]) -> Option<Digest> {
    let value = bytes.get(HEADER..)?.first_chunk::<CHAIN>()?;
    (head.version >= CHAINED).then_some(Digest::from_bytes(*value))
}

/// Tells whether a whole frame has the chain value that follows from the one before it.
pub(super) fn follows(before: &Digest, head: &Head, bytes: &[u8]) -> bool {
    let records = bytes.get(HEADER + CHAIN..).unwrap_or_default();
    chain(head, bytes) == Some(chain::link(before, &bytes[..40], records))
}

/// Splits the body of a whole frame into its records; none when the lengths do not add up.
pub(super) fn records<'a>(head: &Head, mut body: &'a [u8]) -> Option<Vec<&'a [u8]>> {
    if head.version >= CHAINED {
        body = body.get(CHAIN..)?;
    }
    let mut records = Vec::with_capacity((head.count as usize).min(body.len() / 4));
    for _ in 0..head.count {
        let (len, rest) = body.split_at_checked(4)?;
        let (record, rest) = rest.split_at_checked(u32::from_le_bytes(len.try_into().ok()?) as usize)?;
        records.push(record);
        body = rest;
    }
    body.is_empty().then_some(records)
}

pub(super) fn checksum(salt: u32, parts: &[&[u8]]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&salt.to_le_bytes());
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize()
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..at + 8].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}
