//! Messages that came in over any socket, many per system call.

use super::{BATCH, MAX_QUERY, STRIDE, system};
use std::{io, mem, os::fd::AsRawFd, ptr};

/// Room for one batch of messages.
pub(crate) struct Inbox {
    buffers: Box<[[u8; STRIDE]]>,
    /// Of each message of the last receive; `None`: it was longer than the buffer.
    lengths: Vec<Option<usize>>,
}

impl Inbox {
    /// Empty.
    pub(crate) fn new() -> Self {
        Self { buffers: vec![[0; STRIDE]; BATCH].into(), lengths: Vec::with_capacity(BATCH) }
    }

    /// Takes what is there, without ever waiting; whether there may be more.
    pub(crate) fn receive(&mut self, socket: &impl AsRawFd) -> io::Result<bool> {
        self.lengths.clear();
        // SAFETY: integers and raw pointers, for which all zeros is a value.
        let (mut headers, mut parts): ([libc::mmsghdr; BATCH], [libc::iovec; BATCH]) = unsafe { mem::zeroed() };
        for ((buffer, header), part) in self.buffers.iter_mut().zip(&mut headers).zip(&mut parts) {
            part.iov_base = buffer.as_mut_ptr().cast();
            part.iov_len = MAX_QUERY;
            (header.msg_hdr.msg_iov, header.msg_hdr.msg_iovlen) = (ptr::from_mut(part), 1);
        }
        let descriptor = socket.as_raw_fd();
        // SAFETY: there are BATCH headers, each pointing to a buffer of its own that is longer than it says, borrowed mutably
        // until after the call (invariant 6). No names or control messages are asked for.
        let received = unsafe { system::recvmmsg(descriptor, headers.as_mut_ptr(), BATCH, libc::MSG_DONTWAIT) };
        let Ok(received) = usize::try_from(received) else { return Err(io::Error::last_os_error()) };
        let whole = |header: &libc::mmsghdr| header.msg_hdr.msg_flags & libc::MSG_TRUNC == 0;
        let lengths = headers.iter().take(received).map(|header| whole(header).then_some(header.msg_len as usize));
        self.lengths.extend(lengths);
        Ok(received >= BATCH)
    }

    /// Each message of the last receive; those that were too long are empty.
    pub(crate) fn contents(&self) -> impl Iterator<Item = &[u8]> {
        let messages = self.buffers.iter().zip(&self.lengths);
        messages.map(|(buffer, length)| length.and_then(|length| buffer.get(..length)).unwrap_or_default())
    }
}
