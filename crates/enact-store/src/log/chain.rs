//! The hash chain over the frames: each one carries a digest of everything before it and of itself.

use std::fmt;
use std::str::FromStr;

use enact_model::digest::Digest;
use enact_model::id::Lsn;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The chain value before the first frame that has one.
pub(super) const ORIGIN: Digest = Digest::from_bytes([0; 32]);

/// Returns the chain value of a frame: the SHA-256 of that of the frame before it, of its header up to the checksums, and of its
/// records.
pub(super) fn link(before: &Digest, header: &[u8], records: &[u8]) -> Digest {
    let hasher = Sha256::new().chain_update(before.as_bytes()).chain_update(header).chain_update(records);
    Digest::from_bytes(hasher.finalize().into())
}

/// The last record of a frame and the chain value of that frame, which stands for every record up to it. Printed as
/// `LSN:HASH`, the hash in 64 hex digits, so that somebody can keep it where nobody can change it who can change the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ChainHead {
    /// The last record of the frame.
    pub lsn: Lsn,
    /// The chain value of the frame.
    pub chain: Digest,
}

/// A text that is no head of a chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "failed to read {0:?} as the head of a log: it is LSN:HASH, a position and 64 hex digits, as `enact wal verify` prints it"
)]
pub struct ParseChainHeadError(String);

impl fmt::Display for ChainHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.lsn, self.chain.hex())
    }
}

impl FromStr for ChainHead {
    type Err = ParseChainHeadError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (lsn, hash) = text.trim().split_once(':')?;
            Some(Self { lsn: Lsn(lsn.parse().ok()?), chain: format!("sha256:{hash}").parse().ok()? })
        };
        parse().ok_or_else(|| ParseChainHeadError(text.to_owned()))
    }
}

impl TryFrom<String> for ChainHead {
    type Error = ParseChainHeadError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ChainHead> for String {
    fn from(head: ChainHead) -> Self {
        head.to_string()
    }
}
