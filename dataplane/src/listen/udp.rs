//! Answers over UDP: one thread per core and address, each with a socket of its own.
//!
//! The sockets of an address form an `SO_REUSEPORT` group, so the kernel spreads clients over the threads and no two
//! threads share anything. A hit costs one receive, one lookup and one send: no allocation, no lock, no log line, no task.
//!
//! A receive waits for a quarter of a second at most. Between waits a thread notices that it should stop, lets go of a
//! snapshot that was replaced, and shows the watchdog that it lives.
//!
//! On a wildcard address (`0.0.0.0`, `[::]`) the kernel chooses the source address of a reply by its routes, which on a
//! host with several addresses may not be the one that was asked. Listen on each address by name where that matters.

use crate::{
    Cookies,
    answer::{Asker, Outcome, Transport, answer},
    counters::{Counters, Registry},
    current::{Current, Reader},
};
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    io,
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread::JoinHandle,
    time::Duration,
};

/// Longest wait for a query before a thread looks whether it should stop.
const WAIT: Duration = Duration::from_millis(250);
/// Holds a burst of some ten thousand queries while a thread is scheduled away.
const RECEIVE_BUFFER: usize = 4 << 20;
/// A UDP message cannot be longer.
const MAX_MESSAGE: usize = 65_535;

/// Opens one socket of the group for an address.
pub(super) fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = super::socket(address, Type::DGRAM, Protocol::UDP)?;
    // More than `net.core.rmem_max` is cut down to it, silently; then that is what the operator wants.
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.set_read_timeout(Some(WAIT))?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// Whether another process holds this address. Sockets of one user may share an address through `SO_REUSEPORT`, and would
/// then share the queries, too; a socket without that option is told.
pub(super) fn is_taken(address: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())
}

/// A running thread.
pub(super) struct Worker {
    thread: Option<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    heartbeat: Arc<AtomicU64>,
}

impl Worker {
    /// Starts answering on this socket.
    pub(super) fn start(
        socket: UdpSocket,
        current: &Current,
        registry: &Registry,
        cookies: &Arc<Cookies>,
    ) -> io::Result<Self> {
        let (stop, heartbeat) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let work = Work {
            socket,
            reader: current.reader(),
            counters: registry.register(),
            cookies: cookies.clone(),
            stop: stop.clone(),
            heartbeat: heartbeat.clone(),
        };
        let thread = std::thread::Builder::new().name("udp".to_owned()).spawn(move || work.run())?;
        Ok(Self { thread: Some(thread), stop, heartbeat })
    }

    /// Asks the thread to end; it does so within [`WAIT`].
    pub(super) fn stop(&self) {
        self.stop.store(true, Relaxed);
    }

    /// Grows as long as the thread lives.
    pub(super) fn heartbeat(&self) -> u64 {
        self.heartbeat.load(Relaxed)
    }

    /// Whether the thread has ended.
    pub(super) fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so on stderr.
            let _ = thread.join();
        }
    }
}

/// What a thread owns.
struct Work {
    socket: UdpSocket,
    reader: Reader,
    counters: Arc<Counters>,
    cookies: Arc<Cookies>,
    stop: Arc<AtomicBool>,
    heartbeat: Arc<AtomicU64>,
}

impl Work {
    fn run(mut self) {
        let mut query = vec![0; MAX_MESSAGE];
        let mut reply = Vec::with_capacity(MAX_MESSAGE);
        while !self.stop.load(Relaxed) {
            self.heartbeat.store(self.heartbeat.load(Relaxed) + 1, Relaxed);
            match self.socket.recv_from(&mut query) {
                Ok((length, client)) => self.handle(&query[..length], client, &mut reply),
                Err(error) => self.idle(&error),
            }
        }
    }

    #[inline]
    fn handle(&mut self, query: &[u8], client: SocketAddr, reply: &mut Vec<u8>) {
        self.counters.udp_queries.increment();
        reply.clear();
        // Nothing can be sent to port 0; only a forger writes it.
        let outcome = if client.port() == 0 {
            Outcome::Dropped
        } else {
            let asker =
                Asker { transport: Transport::Udp, address: client.ip(), now: super::now(), cookies: &self.cookies };
            answer(query, &asker, self.reader.load(), reply)
        };
        self.counters.count(outcome);
        if !reply.is_empty() && self.socket.send_to(reply, client).is_err() {
            self.counters.send_errors.increment();
        }
    }

    /// Nothing came, or the kernel reports what became of an earlier reply (ICMP); neither is worth a log line.
    fn idle(&mut self, error: &io::Error) {
        self.reader.load();
        if !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted) {
            // Should an error be there to stay, this keeps it from taking a whole core.
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
