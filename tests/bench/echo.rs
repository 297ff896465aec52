//! The floor: receives queries and sends them back as replies, with nothing looked up in between.
//!
//! A thread and a socket for each core, many datagrams for each system call, as our data plane does it; what a name server
//! costs above this is its own doing. Shares no code with the data plane, so that a weakness there does not hide in both.

use nix::sys::socket::{
    AddressFamily, MsgFlags, MultiHeaders, SockFlag, SockType, SockaddrIn, bind, recvmmsg, sendmmsg, setsockopt,
    socket, sockopt,
};
use std::{
    env,
    io::{IoSlice, IoSliceMut},
    net::{SocketAddr, SocketAddrV4},
    os::fd::{AsRawFd, OwnedFd},
    process::Command,
    thread,
};

/// Datagrams for one system call.
const BATCH: usize = 64;
/// Far above any question here.
const MAX_QUERY: usize = 512;
/// As large as our data plane's.
const RECEIVE_BUFFER: usize = 4 << 20;

/// How to start it, in a process of its own.
pub(crate) fn command(address: SocketAddr, threads: usize) -> Command {
    let mut command = Command::new(env::current_exe().expect("a running program has a path"));
    command.args(["echo", &address.to_string(), &threads.to_string()]);
    command
}

/// Runs until killed.
pub(crate) fn run(address: SocketAddrV4, threads: usize) {
    let sockets: Vec<_> = (0..threads).map(|_| open(address)).collect();
    let threads: Vec<_> = sockets.into_iter().map(|socket| thread::spawn(move || reflect(&socket))).collect();
    threads.into_iter().for_each(|thread| thread.join().expect("a thread of the echo does not panic"));
}

fn open(address: SocketAddrV4) -> OwnedFd {
    let open = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None);
    let open = open.expect("a UDP socket");
    setsockopt(&open, sockopt::ReusePort, &true).expect("Linux has SO_REUSEPORT");
    setsockopt(&open, sockopt::RcvBuf, &RECEIVE_BUFFER).expect("a buffer size is taken or cut down");
    bind(open.as_raw_fd(), &SockaddrIn::from(address)).unwrap_or_else(|error| panic!("{address}: {error}"));
    open
}

fn reflect(socket: &OwnedFd) {
    let descriptor = socket.as_raw_fd();
    let mut buffers = [[0; MAX_QUERY]; BATCH];
    let [mut incoming, mut outgoing] = [(); 2].map(|()| MultiHeaders::<SockaddrIn>::preallocate(BATCH, None));
    loop {
        let (mut clients, mut lengths) = ([None; BATCH], [0; BATCH]);
        let mut received = 0;
        let mut parts = buffers.each_mut().map(|buffer| [IoSliceMut::new(buffer)]);
        let messages = recvmmsg(descriptor, &mut incoming, &mut parts, MsgFlags::MSG_WAITFORONE, None);
        for message in messages.expect("a bound socket receives") {
            (clients[received], lengths[received]) = (message.address, message.bytes);
            received += 1;
        }
        for buffer in &mut buffers[..received] {
            // QR: a reply (RFC 1035 §4.1.1).
            buffer[2] |= 0x80;
        }
        let parts: [_; BATCH] = std::array::from_fn(|at| [IoSlice::new(&buffers[at][..lengths[at]])]);
        let sent = sendmmsg(descriptor, &mut outgoing, &parts[..received], &clients[..received], [], MsgFlags::empty());
        // A client that is gone is reported here, and is nobody's loss.
        let _ = sent;
    }
}
