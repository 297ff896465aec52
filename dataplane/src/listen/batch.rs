//! Many datagrams per system call: `recvmmsg` and `sendmmsg`. The one module of the workspace with `unsafe`, because no
//! crate that we know offers both with a source address for each message.
//!
//! [`Batch`] is what a thread that answers owns: a socket, what came, and the replies to it. [`Inbox`] and [`Post`] are for whoever
//! has many sockets, or sends later: one takes what came, the other gives away what was written.
//!
//! # Invariants
//!
//! 1. [`Memory`] is one allocation that never moves and that only its [`Batch`] points to. It consists of integers and raw
//!    pointers, for which all zeros is a value, so what the kernel has not written may be read, too.
//! 2. In `Memory::incoming` each header points to the name, control message and buffer of its own number and says their
//!    sizes. The pointers are made once, by [`Memory::link`]; whatever the kernel overwrites (lengths and flags) is set
//!    again before each receive, for the messages that were received. So the kernel writes nowhere else.
//! 3. In `Memory::outgoing` the first `n` headers are written in the same call of [`Batch::send`] that gives them to the
//!    kernel; what they point to is borrowed, unchanged, for as long as that call lasts. Their pointers are not used after.
//! 4. References into `Memory` are made from `&self` or `&mut self` and end with that borrow; the kernel is called with
//!    `&mut self`. So nobody reads while the kernel writes.
//! 5. Lengths that the kernel returns only ever index slices, with bounds checked.
//! 6. [`Inbox`] and [`Post`] keep no pointers: they write headers on the stack, all of whose pointers lead to what is borrowed
//!    until after the one call of the kernel that these are for; mutably, where the kernel writes.

#![expect(unsafe_code, reason = "recvmmsg, sendmmsg and the options that no safe crate has")]

mod address;
mod inbox;
mod post;
#[cfg(test)]
mod tests;

pub(crate) use address::Return;
pub(crate) use inbox::Inbox;
pub(crate) use post::Post;

use address::{Control, Name};
use std::{
    alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error},
    io,
    net::{IpAddr, SocketAddr},
    os::fd::{AsRawFd, OwnedFd},
    ptr::{self, NonNull},
    sync::{Arc, Weak},
};

/// Messages for one system call.
pub(super) const BATCH: usize = 64;
/// Octets of the longest query taken. A question, and an OPT record with every option that clients send, padded to the
/// packet size of a usual network, fill less than half of it. What is longer is no query, and dropped.
pub(super) const MAX_QUERY: usize = 4096;
/// From one buffer to the next. Not a power of two: or else the first lines of all buffers, which are all that is used of
/// most, would compete for the same few places of the processor's cache.
const STRIDE: usize = MAX_QUERY + 64;
/// Room for the replies of a usual batch.
const REPLIES: usize = 64 << 10;
/// Replies that one batch of large ones made this buffer grow beyond are not kept room for.
const MAX_REPLIES_KEPT: usize = 256 << 10;

/// A socket, and room for the datagrams of one batch in and out.
pub(super) struct Batch {
    socket: Arc<OwnedFd>,
    memory: NonNull<Memory>,
    /// Messages that the last receive brought.
    received: usize,
    /// All replies, one after the other.
    replies: Vec<u8>,
    /// Whom each reply is for, by number of the message, and where it ends.
    ends: Vec<(usize, usize)>,
}

/// A message that was received.
pub(super) struct Query<'a> {
    /// Its content; `None`: it was longer than [`MAX_QUERY`].
    pub(super) content: Option<&'a [u8]>,
    /// Who sent it.
    pub(super) client: SocketAddr,
    /// Which of our addresses was asked; `None` on a socket that is bound to one by name.
    #[cfg_attr(not(test), expect(dead_code, reason = "replies leave from it without anybody looking at it"))]
    pub(super) asked: Option<IpAddr>,
    from: &'a Name,
    from_length: libc::socklen_t,
    control: &'a Control,
    control_length: usize,
}

impl Query<'_> {
    /// The way back, for a reply that is sent later.
    pub(super) fn way_back(&self) -> Return {
        Return::new(*self.from, self.from_length, *self.control, self.control_length)
    }
}

/// A socket that somebody else receives from, for replies that are sent later. Does not keep it open.
#[derive(Clone, Debug)]
pub(crate) struct Outlet(Weak<OwnedFd>);

impl Outlet {
    /// Whether both are the same socket.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.0.ptr_eq(&other.0)
    }

    /// The socket, unless it was closed.
    pub(crate) fn socket(&self) -> Option<Arc<OwnedFd>> {
        self.0.upgrade()
    }
}

/// What the kernel reads and writes.
#[repr(C)]
struct Memory {
    incoming: [libc::mmsghdr; BATCH],
    incoming_parts: [libc::iovec; BATCH],
    outgoing: [libc::mmsghdr; BATCH],
    outgoing_parts: [libc::iovec; BATCH],
    names: [Name; BATCH],
    controls: [Control; BATCH],
    buffers: [[u8; STRIDE]; BATCH],
}

// SAFETY: a batch is the only owner of its memory, and that memory has nothing that belongs to a thread.
unsafe impl Send for Batch {}

impl Batch {
    /// Takes a socket that is bound, with a timeout for reading.
    pub(super) fn new(socket: impl Into<OwnedFd>) -> Self {
        let layout = Layout::new::<Memory>();
        // SAFETY: the layout is not of size zero.
        let memory = unsafe { alloc_zeroed(layout) }.cast::<Memory>();
        let Some(memory) = NonNull::new(memory) else { handle_alloc_error(layout) };
        // SAFETY: allocated for a `Memory` just now, all zeros (invariant 1).
        unsafe { Memory::link(memory.as_ptr()) };
        Self {
            socket: Arc::new(socket.into()),
            memory,
            received: 0,
            replies: Vec::with_capacity(REPLIES),
            ends: Vec::with_capacity(BATCH),
        }
    }

    /// Its socket, for replies that are sent later.
    pub(super) fn outlet(&self) -> Outlet {
        Outlet(Arc::downgrade(&self.socket))
    }

    /// Waits for a message, and takes along those that are there as well; returns how many there are.
    pub(super) fn receive(&mut self) -> io::Result<usize> {
        let memory = self.memory.as_ptr();
        // SAFETY: `memory` is ours alone (invariants 1 and 4).
        unsafe { Memory::reset(memory, self.received) };
        self.received = 0;
        let descriptor = self.socket.as_raw_fd();
        // SAFETY: the headers are as invariant 2 says, and there are as many as we say. No timeout is given: the one of the
        // socket holds for the first message, and with MSG_WAITFORONE no other is waited for.
        let received =
            unsafe { system::recvmmsg(descriptor, (&raw mut (*memory).incoming).cast(), BATCH, libc::MSG_WAITFORONE) };
        match usize::try_from(received) {
            Ok(received) => {
                self.received = received.min(BATCH);
                Ok(self.received)
            }
            Err(_) => Err(io::Error::last_os_error()),
        }
    }

    /// The content of each message of the last receive, but for those that were too long.
    pub(super) fn contents(&self) -> impl Iterator<Item = &[u8]> {
        // SAFETY: a shared borrow of our own memory, that lasts as long as the one of `self` (invariants 1 and 4).
        let memory = unsafe { self.memory.as_ref() };
        let headers = memory.incoming.iter().take(self.received);
        let whole = headers.zip(&memory.buffers).filter(|(header, _)| header.msg_hdr.msg_flags & libc::MSG_TRUNC == 0);
        whole.filter_map(|(header, buffer)| buffer.get(..header.msg_len as usize))
    }

    /// Gives each message of the last receive to `answer`; what that appends is the reply to it, if it appends anything.
    pub(super) fn answer(&mut self, mut answer: impl FnMut(Query<'_>, &mut Vec<u8>)) {
        self.replies.clear();
        self.ends.clear();
        // SAFETY: a shared borrow of our own memory; the kernel is not called before it ends (invariants 1 and 4).
        let memory = unsafe { self.memory.as_ref() };
        for (at, header) in memory.incoming.iter().take(self.received).enumerate() {
            let Some(client) = memory.names[at].parse(header.msg_hdr.msg_namelen) else { continue };
            let whole = header.msg_hdr.msg_flags & libc::MSG_TRUNC == 0;
            let content = memory.buffers[at].get(..header.msg_len as usize).filter(|_| whole);
            let control_length = header.msg_hdr.msg_controllen;
            let query = Query {
                content,
                client,
                asked: memory.controls[at].parse(control_length),
                from: &memory.names[at],
                from_length: header.msg_hdr.msg_namelen,
                control: &memory.controls[at],
                control_length,
            };
            let start = self.replies.len();
            answer(query, &mut self.replies);
            if self.replies.len() > start {
                self.ends.push((at, self.replies.len()));
            }
        }
    }

    /// Sends the replies, each from the address that was asked; returns how many the kernel did not take.
    pub(super) fn send(&mut self) -> usize {
        let replies = self.ends.len();
        let memory = self.memory.as_ptr();
        let mut start = 0;
        for (number, (at, end)) in self.ends.iter().copied().enumerate() {
            let reply = &self.replies[start..end];
            start = end;
            // SAFETY: there are at most as many replies as messages, and both numbers belong to messages; `reply` lives and
            // stays as it is until after the call below (invariant 3).
            unsafe { Memory::address(memory, number, at, reply) };
        }
        // SAFETY: the first `replies` headers were written for this (invariant 3).
        let (unsent, _) = unsafe { give(&self.socket, (&raw mut (*memory).outgoing).cast(), replies, 0) };
        if self.replies.capacity() > MAX_REPLIES_KEPT {
            self.replies = Vec::with_capacity(REPLIES);
        }
        unsent
    }
}

/// Sends this many messages. One that the kernel does not take is left out, and those behind it are sent all the same; returns
/// how many those are, and whether the other side said that nobody is there (ICMP), which concerns earlier messages.
///
/// # Safety
/// The kernel may read all that the headers from `first` on point to, `count` of them.
unsafe fn give(socket: &impl AsRawFd, first: *mut libc::mmsghdr, count: usize, flags: libc::c_int) -> (usize, bool) {
    let descriptor = socket.as_raw_fd();
    let (mut next, mut unsent, mut refused) = (0, 0, false);
    while next < count {
        // SAFETY: `next` is below `count`; for the rest, as the caller promises.
        let sent = unsafe { system::sendmmsg(descriptor, first.add(next), count - next, flags) };
        // An error is that of the first message; had others gone before, their number would have been returned.
        match usize::try_from(sent) {
            Ok(sent @ 1..) => next += sent,
            Ok(0) => return (unsent + count - next, refused),
            Err(_) => match io::Error::last_os_error().kind() {
                io::ErrorKind::Interrupted => {}
                // The way out is blocked; by the time it is free again nobody waits for these replies.
                io::ErrorKind::WouldBlock => return (unsent + count - next, refused),
                // Said once; it keeps this message from being sent only if it is said again.
                io::ErrorKind::ConnectionRefused if !refused => refused = true,
                _ => {
                    unsent += 1;
                    next += 1;
                }
            },
        }
    }
    (unsent, refused)
}

impl Drop for Batch {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout in `new`, and nobody else has it (invariant 1). Nothing in it needs dropping.
        unsafe { dealloc(self.memory.as_ptr().cast(), Layout::new::<Memory>()) };
    }
}

impl Memory {
    /// Makes each incoming header point to its own buffers.
    ///
    /// # Safety
    /// `memory` is valid, and nobody else uses it now.
    unsafe fn link(memory: *mut Self) {
        for at in 0..BATCH {
            // SAFETY: `at` is within all the arrays.
            unsafe {
                let part = &raw mut (*memory).incoming_parts[at];
                (*part).iov_base = (&raw mut (*memory).buffers[at]).cast();
                (*part).iov_len = MAX_QUERY;
                let header = &raw mut (*memory).incoming[at].msg_hdr;
                (*header).msg_name = (&raw mut (*memory).names[at]).cast();
                (*header).msg_control = (&raw mut (*memory).controls[at]).cast();
                (*header).msg_iov = part;
                (*header).msg_iovlen = 1;
            }
        }
        // SAFETY: as the caller promises.
        unsafe { Self::reset(memory, BATCH) };
    }

    /// Sets again what the kernel has written into the first `count` headers.
    ///
    /// # Safety
    /// `memory` is valid, and nobody else uses it now.
    unsafe fn reset(memory: *mut Self, count: usize) {
        for at in 0..count.min(BATCH) {
            // SAFETY: `at` is within the array.
            let header = unsafe { &mut (*memory).incoming[at].msg_hdr };
            header.msg_namelen = size_of::<Name>() as libc::socklen_t;
            header.msg_controllen = size_of::<Control>();
            header.msg_flags = 0;
        }
    }

    /// Makes outgoing message `number` carry `reply` to whoever sent incoming message `at`, from the address that was asked.
    ///
    /// # Safety
    /// `memory` is valid, and nobody else uses it now. The kernel must not be given the message after `reply` has changed.
    unsafe fn address(memory: *mut Self, number: usize, at: usize, reply: &[u8]) {
        // SAFETY: indices are checked against the arrays; nothing but single fields of `memory` is borrowed.
        unsafe {
            let part = &raw mut (*memory).outgoing_parts[number];
            // The kernel only reads from it.
            (*part).iov_base = reply.as_ptr().cast_mut().cast();
            (*part).iov_len = reply.len();
            let received = (*memory).incoming[at].msg_hdr;
            let control = &raw mut (*memory).controls[at];
            let control_length = (&mut *control).turn_round(received.msg_controllen);
            let header = &raw mut (*memory).outgoing[number].msg_hdr;
            (*header).msg_name = received.msg_name;
            (*header).msg_namelen = received.msg_namelen;
            (*header).msg_iov = part;
            (*header).msg_iovlen = 1;
            (*header).msg_control = if control_length > 0 { control.cast() } else { ptr::null_mut() };
            (*header).msg_controllen = control_length;
            (*header).msg_flags = 0;
        }
    }
}

/// Has the kernel say of each message which of our addresses it was sent to. To be called before the socket is bound.
pub(super) fn tell_asked_address(socket: &impl AsRawFd, v6: bool) -> io::Result<()> {
    let (level, option) =
        if v6 { (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO) } else { (libc::IPPROTO_IP, libc::IP_PKTINFO) };
    let on: libc::c_int = 1;
    // SAFETY: the kernel reads one integer, which lives until after the call.
    let result = unsafe {
        let length = size_of_val(&on) as libc::socklen_t;
        libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const on).cast(), length)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(not(miri))]
mod system {
    use libc::{c_int, c_uint, mmsghdr};
    use std::ptr;

    /// # Safety
    /// `messages` points to `count` headers whose pointers and lengths the kernel may write to.
    pub(super) unsafe fn recvmmsg(socket: c_int, messages: *mut mmsghdr, count: usize, flags: c_int) -> c_int {
        // SAFETY: as the caller promises.
        unsafe { libc::recvmmsg(socket, messages, count as c_uint, flags, ptr::null_mut()) }
    }

    /// # Safety
    /// `messages` points to `count` headers whose pointers and lengths the kernel may read from.
    pub(super) unsafe fn sendmmsg(socket: c_int, messages: *mut mmsghdr, count: usize, flags: c_int) -> c_int {
        // SAFETY: as the caller promises.
        unsafe { libc::sendmmsg(socket, messages, count as c_uint, flags) }
    }
}

/// A kernel for Miri, which has no such system calls.
#[cfg(miri)]
use tests::system;
