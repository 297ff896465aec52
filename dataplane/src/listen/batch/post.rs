//! Messages on their way out, many per system call, over any socket.

use super::{BATCH, Return, give};
use std::{mem, os::fd::AsRawFd, ptr};

/// Octets that a batch of large messages made the buffer grow beyond are not kept.
const MOST_KEPT: usize = 256 << 10;

/// Messages that were written and not sent yet.
#[derive(Default)]
pub(crate) struct Post {
    content: Vec<u8>,
    letters: Vec<Letter>,
}

struct Letter {
    /// `None`: to whom the socket is connected.
    to: Option<Return>,
    /// Where its content ends; it starts where the one before it ends.
    end: usize,
}

/// What became of a post.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    /// Messages that the kernel did not take.
    pub(crate) unsent: usize,
    /// The other side has said of earlier messages that nobody is there to take them.
    pub(crate) refused: bool,
}

impl Post {
    /// Adds a message: what `write` appends. If that is nothing, there is none.
    #[inline]
    pub(crate) fn write<T>(&mut self, to: Option<&Return>, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        let start = self.content.len();
        let result = write(&mut self.content);
        let end = self.content.len();
        if end > start {
            self.letters.push(Letter { to: to.cloned(), end });
        }
        result
    }

    /// Messages that were written and not sent yet.
    pub(crate) fn len(&self) -> usize {
        self.letters.len()
    }

    /// Sends everything, without ever waiting: what the kernel has no room for is lost, as on any other part of the way.
    pub(crate) fn send(&mut self, socket: &impl AsRawFd) -> Sent {
        let (mut sent, mut start) = (Sent::default(), 0);
        for letters in self.letters.chunks_mut(BATCH) {
            // SAFETY: integers and raw pointers, for which all zeros is a value.
            let (mut headers, mut parts): ([libc::mmsghdr; BATCH], [libc::iovec; BATCH]) = unsafe { mem::zeroed() };
            for ((letter, header), part) in letters.iter_mut().zip(&mut headers).zip(&mut parts) {
                let content = self.content.get(start..letter.end).unwrap_or_default();
                start = letter.end;
                // The kernel only reads from it.
                part.iov_base = content.as_ptr().cast_mut().cast();
                part.iov_len = content.len();
                let header = &mut header.msg_hdr;
                (header.msg_iov, header.msg_iovlen) = (ptr::from_mut(part), 1);
                if let Some(to) = &mut letter.to {
                    header.msg_name = (&raw mut to.name).cast();
                    header.msg_namelen = to.name_length;
                    if to.control_length > 0 {
                        header.msg_control = (&raw mut to.control).cast();
                        header.msg_controllen = to.control_length;
                    }
                }
            }
            // SAFETY: as many headers as letters were written just now, and what they point to, `self.content`, `self.letters`
            // and `parts`, lives and stays as it is until after the call (invariant 6). Lengths are those of what is pointed to.
            let (unsent, refused) = unsafe { give(socket, headers.as_mut_ptr(), letters.len(), libc::MSG_DONTWAIT) };
            sent.unsent += unsent;
            sent.refused |= refused;
        }
        self.letters.clear();
        self.content.clear();
        if self.content.capacity() > MOST_KEPT {
            self.content = Vec::new();
        }
        sent
    }
}
