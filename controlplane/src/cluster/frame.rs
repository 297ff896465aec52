//! Frames of the peer protocol: a big-endian `u32` length, then that many octets.
//!
//! The length is a stranger's word. It is checked against a cap before anything else, and memory is taken as octets
//! arrive, never as announced. A frame may come in any pieces; several may come in one.

use std::{io, sync::Arc};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    sync::{OwnedSemaphorePermit, Semaphore},
};

/// Longest frame after authentication. Existing nodes have the same limit, so a longer one could not be sent to them.
pub(super) const MAX_FRAME: usize = 64 << 20;

/// Longest frame before authentication: many times a real `auth`, and all the memory that a stranger can make us hold.
pub(super) const MAX_FRAME_BEFORE_AUTH: usize = 64 << 10;

/// Frames longer than this are few at any time, whoever sends them.
const LARGE: usize = 1 << 20;

/// How many long frames are read and worked on at once: they bound what all peers together can make us hold.
const LARGE_AT_ONCE: usize = 4;

/// Octets of the length.
pub(super) const PREFIX: usize = 4;

/// Memory that an announced length gets before its octets are there.
const FIRST_RESERVE: usize = 16 << 10;

/// Why no frame could be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum FrameError {
    #[error("a frame of {length} bytes was announced; the limit is {limit}")]
    TooLong { length: usize, limit: usize },
    #[error("the connection was closed within a frame")]
    Torn,
    #[error("the connection failed")]
    Io(#[from] io::Error),
    #[error("what came over the connection was refused")]
    Refused,
}

/// Lets few long frames in at a time.
#[derive(Clone, Debug)]
pub(super) struct Budget(Arc<Semaphore>);

impl Default for Budget {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LARGE_AT_ONCE)))
    }
}

impl Budget {
    /// Reads one frame; a long one when its turn has come, which lasts until the permit is dropped.
    pub(super) async fn read(
        &self,
        from: &mut (impl AsyncRead + Unpin),
    ) -> Result<Option<(Vec<u8>, Option<OwnedSemaphorePermit>)>, FrameError> {
        let Some(length) = read_length(from, MAX_FRAME).await? else {
            return Ok(None);
        };
        // The semaphore is never closed.
        let permit = if length > LARGE { Arc::clone(&self.0).acquire_owned().await.ok() } else { None };
        Ok(Some((read_body(from, length).await?, permit)))
    }
}

/// Reads the length of the next frame; `None` when the other side has closed the connection before one began.
async fn read_length(from: &mut (impl AsyncRead + Unpin), limit: usize) -> Result<Option<usize>, FrameError> {
    let mut prefix = [0; PREFIX];
    let mut filled = 0;
    while filled < PREFIX {
        match from.read(&mut prefix[filled..]).await? {
            0 if filled == 0 => return Ok(None),
            0 => return Err(FrameError::Torn),
            count => filled += count,
        }
    }
    let length = u32::from_be_bytes(prefix) as usize;
    if length > limit {
        return Err(FrameError::TooLong { length, limit });
    }
    Ok(Some(length))
}

/// Reads a frame's octets, once its length is known and accepted.
async fn read_body(from: &mut (impl AsyncRead + Unpin), length: usize) -> Result<Vec<u8>, FrameError> {
    let mut body = Vec::with_capacity(length.min(FIRST_RESERVE));
    from.take(length as u64).read_to_end(&mut body).await?;
    if body.len() < length { Err(FrameError::Torn) } else { Ok(body) }
}

/// Reads one whole frame.
pub(super) async fn read(from: &mut (impl AsyncRead + Unpin), limit: usize) -> Result<Option<Vec<u8>>, FrameError> {
    match read_length(from, limit).await? {
        Some(length) => read_body(from, length).await.map(Some),
        None => Ok(None),
    }
}

/// Puts the length before a body, so that both leave in one write.
pub(super) fn encode(body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(PREFIX + body.len());
    frame.extend_from_slice(&prefix_of(body.len()));
    frame.extend_from_slice(body);
    frame
}

/// The length as sent. Whoever calls keeps to [`MAX_FRAME`].
pub(super) fn prefix_of(length: usize) -> [u8; PREFIX] {
    u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokio::io::AsyncWriteExt;

    fn on_a_runtime<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
    }

    proptest! {
        #[test]
        fn frames_arrive_whole_however_they_are_cut(
            bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..6),
            piece in 1usize..64,
        ) {
            let stream: Vec<u8> = bodies.iter().flat_map(|body| encode(body)).collect();
            on_a_runtime(async {
                let (mut near, mut far) = tokio::io::duplex(piece);
                let writing = async {
                    for part in stream.chunks(piece) {
                        near.write_all(part).await.unwrap();
                    }
                    drop(near);
                };
                let reading = async {
                    let mut read_back = Vec::new();
                    while let Some(body) = read(&mut far, MAX_FRAME).await.unwrap() {
                        read_back.push(body);
                    }
                    read_back
                };
                assert_eq!(tokio::join!(writing, reading).1, bodies);
            });
        }
    }

    #[test]
    fn a_length_over_the_limit_is_refused_before_any_of_it_is_read() {
        on_a_runtime(async {
            for length in [MAX_FRAME_BEFORE_AUTH as u32 + 1, (64 << 20) + 1, u32::MAX] {
                let prefix = length.to_be_bytes();
                let refused = read(&mut &prefix[..], MAX_FRAME_BEFORE_AUTH).await;
                assert!(matches!(refused, Err(FrameError::TooLong { .. })), "{length}");
            }
        });
    }

    #[test]
    fn an_announced_length_takes_no_memory() {
        on_a_runtime(async {
            let mut stream = prefix_of(MAX_FRAME).to_vec();
            stream.extend_from_slice(b"only this");
            assert!(matches!(read(&mut &stream[..], MAX_FRAME).await, Err(FrameError::Torn)));
            assert!(matches!(read(&mut &stream[..2], MAX_FRAME).await, Err(FrameError::Torn)));
            assert!(matches!(read(&mut &stream[..0], MAX_FRAME).await, Ok(None)));
        });
    }
}
