//! Frames: a `u32` big-endian length and so many bytes of JSON; a limit is checked before anything is allocated.

use std::io;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// Largest frame to a hub, in bytes: parameters at their limit, escaped once, and what stands around them.
pub const TO_HUB_MAX_BYTES: usize = 36 * 1024 * 1024;
/// Largest frame from a hub, in bytes: a page of records with payloads.
pub const FROM_HUB_MAX_BYTES: usize = 128 * 1024 * 1024;
/// How long the rest of a frame may take once its first byte is there, and how long a peer may take to read one.
pub const SLOW_LIMIT: Duration = Duration::from_secs(30);

/// Why a frame did not come or go.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The length is above the limit.
    #[error("failed to pass a frame: {size} bytes are more than {limit}")]
    TooLarge {
        /// The length.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// The peer is too slow.
    #[error("failed to pass a frame: the other side took longer than {} s", SLOW_LIMIT.as_secs())]
    Slow,
    /// The bytes are not the JSON they should be.
    #[error("failed to pass a frame: {0}")]
    Malformed(#[from] serde_json::Error),
    /// The connection broke.
    #[error("failed to pass a frame: {0}")]
    Io(#[from] io::Error),
}

/// Waits for the beginning of a frame; returns whether there is one, or the connection ended.
///
/// # Cancel safety
/// Nothing is taken from the stream.
pub async fn begins<R: AsyncBufRead + Unpin>(reader: &mut R) -> Result<bool, FrameError> {
    Ok(!reader.fill_buf().await?.is_empty())
}

/// Reads one frame; memory grows with the bytes that came, not with the length that was claimed.
///
/// # Errors
/// A length above `limit`, a slow peer, the end of the connection, bytes that are no `T`.
pub async fn read<T: DeserializeOwned, R: AsyncRead + Unpin>(reader: &mut R, limit: usize) -> Result<T, FrameError> {
    let bytes = timeout(SLOW_LIMIT, read_bytes(reader, limit)).await.map_err(|_| FrameError::Slow)??;
    Ok(serde_json::from_slice(&bytes)?)
}

async fn read_bytes<R: AsyncRead + Unpin>(reader: &mut R, limit: usize) -> Result<Vec<u8>, FrameError> {
    let size = reader.read_u32().await? as usize;
    if size > limit {
        return Err(FrameError::TooLarge { size, limit });
    }
    let mut bytes = Vec::with_capacity(size.min(64 * 1024));
    reader.take(size as u64).read_to_end(&mut bytes).await?;
    if bytes.len() < size {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    Ok(bytes)
}

/// Writes one frame.
///
/// # Errors
/// A value above `limit` (nothing is written then), a slow peer, a broken connection.
pub async fn write<T: Serialize + ?Sized, W: AsyncWrite + Unpin>(
    writer: &mut W,
    value: &T,
    limit: usize,
) -> Result<(), FrameError> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, value)?;
    let size = bytes.len() - 4;
    let length = u32::try_from(size).ok().filter(|_| size <= limit).ok_or(FrameError::TooLarge { size, limit })?;
    bytes.splice(..4, length.to_be_bytes());
    let send = async {
        writer.write_all(&bytes).await?;
        writer.flush().await
    };
    Ok(timeout(SLOW_LIMIT, send).await.map_err(|_| FrameError::Slow)??)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_frame_comes_back_as_it_went() {
        let (mut near, mut far) = tokio::io::duplex(16);
        let sent = "x".repeat(1_000);
        let (wrote, read) = tokio::join!(write(&mut near, &sent, 2_000), read::<String, _>(&mut far, 2_000));
        wrote.unwrap();
        assert_eq!(read.unwrap(), sent);
    }

    #[tokio::test]
    async fn a_frame_above_the_limit_is_refused_on_both_sides() {
        let mut bytes = Vec::new();
        assert!(matches!(write(&mut bytes, &"xxxxxxxx", 4).await, Err(FrameError::TooLarge { size: 10, limit: 4 })));
        assert!(bytes.is_empty());
        let claim = u32::MAX.to_be_bytes();
        assert!(matches!(read::<String, _>(&mut &claim[..], 64).await, Err(FrameError::TooLarge { .. })));
    }

    #[tokio::test]
    async fn a_frame_that_is_cut_or_no_json_is_refused() {
        assert!(matches!(read::<String, _>(&mut &[0, 0, 0, 9, b'"'][..], 64).await, Err(FrameError::Io(_))));
        assert!(matches!(read::<String, _>(&mut &[0, 0, 0, 1, b'x'][..], 64).await, Err(FrameError::Malformed(_))));
    }

    #[tokio::test]
    async fn a_peer_that_stops_in_the_middle_of_a_frame_is_given_up() {
        tokio::time::pause();
        let (mut near, mut far) = tokio::io::duplex(16);
        near.write_all(&[0, 0, 0, 9, b'"']).await.unwrap();
        assert!(matches!(read::<String, _>(&mut far, 64).await, Err(FrameError::Slow)));
        assert!(matches!(write(&mut near, &"y".repeat(100), 200).await, Err(FrameError::Slow)));
    }
}
