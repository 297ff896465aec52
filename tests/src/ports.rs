//! Ports that no other test is using.
//!
//! Ports come in blocks below the range from which the kernel takes ports for outgoing connections, so that a restarted
//! daemon finds its port free. The first port of a block stays bound as long as the [`Ports`] live: it keeps other tests,
//! also those of another process, from taking the same block.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    process,
    sync::atomic::{AtomicU16, Ordering},
    time::Duration,
};

/// First port that is handed out.
const FIRST: u16 = 20_000;
/// Blocks of [`BLOCK`] ports; the last one ends below 32768, where Linux starts its own range.
const BLOCKS: u16 = 3_000;
const BLOCK: u16 = 4;

/// The ports of one node, on 127.0.0.1.
#[derive(Debug)]
pub struct Ports {
    base: u16,
    _guard: TcpListener,
}

impl Ports {
    /// Finds a block of which every port is free for UDP and TCP.
    pub fn reserve() -> Self {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        // Processes that run at once start at different places; the guard decides when they meet anyway.
        let start = (process::id() % u32::from(BLOCKS)) as u16 * 7;
        for _ in 0..BLOCKS {
            let block = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % BLOCKS;
            let base = FIRST + block * BLOCK;
            let Ok(guard) = TcpListener::bind((Ipv4Addr::LOCALHOST, base)) else { continue };
            if (base + 1..base + BLOCK).all(is_free) {
                return Self { base, _guard: guard };
            }
        }
        panic!("no free ports from {FIRST} to {}", FIRST + BLOCKS * BLOCK);
    }

    /// Where the data plane answers.
    pub fn dns(&self) -> SocketAddr {
        self.at(1)
    }

    /// Where the REST API listens.
    pub fn api(&self) -> SocketAddr {
        self.at(2)
    }

    /// Where peers connect.
    pub fn peer(&self) -> SocketAddr {
        self.at(3)
    }

    fn at(&self, offset: u16) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.base + offset).into()
    }
}

/// Sockets on one port that is free for UDP and TCP: the first waits so long for a datagram, the second for no connection.
pub(crate) fn both_kinds(tick: Duration) -> (UdpSocket, TcpListener) {
    for _ in 0..100 {
        let tcp = TcpListener::bind("127.0.0.1:0").expect("a free port");
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr().expect("a bound socket has an address")) {
            udp.set_read_timeout(Some(tick)).expect("a read timeout above zero can be set");
            tcp.set_nonblocking(true).expect("a listener need not block");
            return (udp, tcp);
        }
    }
    panic!("no port is free for both UDP and TCP");
}

/// Whether nobody has this port, for UDP or for TCP.
fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() && UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait::{PATIENCE, within};

    #[test]
    fn blocks_do_not_overlap_and_are_free() {
        let blocks: Vec<_> = (0..8).map(|_| Ports::reserve()).collect();
        let mut ports: Vec<_> = blocks.iter().flat_map(|b| [b.dns(), b.api(), b.peer()]).collect();
        ports.sort();
        ports.dedup();
        assert_eq!(ports.len(), 24);
        for port in ports {
            // A program that another test starts has copies of our sockets, those of `is_free` too, until it is executed.
            let free = within(PATIENCE, || TcpListener::bind(port).map(drop).map_err(|error| error.to_string()));
            free.unwrap_or_else(|error| panic!("{port}, which is reserved, is not free: {error}"));
        }
    }
}
