//! Answers over UDP: one thread per core and address, each with a socket of its own.
//!
//! The sockets of an address form an `SO_REUSEPORT` group, so the kernel spreads clients over the threads and no two
//! threads share anything. Queries are taken and replies given many at a time. A hit costs one lookup and one copy: no
//! allocation, no lock, no log line, no task, no look at the clock.
//!
//! A receive waits for a quarter of a second at most. Between waits a thread notices that it should stop, lets go of a
//! snapshot that was replaced, and shows the watchdog that it lives.
//!
//! What is not known here is for the [`Engine`]: it is given what a whole batch wants at once, and sends those replies by the same
//! socket when they are there.
//!
//! On a wildcard address (`0.0.0.0`, `[::]`) a reply leaves from the address that was asked, whatever the routes say:
//! clients believe no other. Sockets that are bound to one address do not pay for it.

use super::batch::{self, Batch};
use crate::{
    Cookies, Limiter,
    answer::{Asker, Known, Outcome, Transport},
    counters::{Counters, Registry},
    current::{Current, Reader},
    message::{HEADER, Question},
    resolve::{Client, Engine, Wanted, WayBack, engine::Datagram},
    wire_name,
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

/// Opens one socket of the group for an address.
pub(super) fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = super::socket(address, Type::DGRAM, Protocol::UDP)?;
    // More than `net.core.rmem_max` is cut down to it, silently; then that is what the operator wants.
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.set_read_timeout(Some(WAIT))?;
    // Nor may a way out that is blocked keep a thread from looking up.
    socket.set_write_timeout(Some(WAIT))?;
    if address.ip().is_unspecified() {
        batch::tell_asked_address(&socket, address.is_ipv6())?;
    }
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
        limiter: &Arc<Limiter>,
        engine: &Engine,
    ) -> io::Result<Self> {
        let (stop, heartbeat) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let work = Work {
            reader: current.reader(),
            counters: registry.register(),
            cookies: cookies.clone(),
            limiter: limiter.clone(),
            engine: engine.clone(),
            jobs: Vec::new(),
            stop: stop.clone(),
            heartbeat: heartbeat.clone(),
        };
        let batch = Batch::new(socket);
        let thread = std::thread::Builder::new().name("udp".to_owned()).spawn(move || work.run(batch))?;
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

/// What a thread owns, beside its socket.
struct Work {
    reader: Reader,
    counters: Arc<Counters>,
    cookies: Arc<Cookies>,
    limiter: Arc<Limiter>,
    engine: Engine,
    /// What a batch wants fetched.
    jobs: Vec<(Box<Wanted>, Option<Client>)>,
    stop: Arc<AtomicBool>,
    heartbeat: Arc<AtomicU64>,
}

impl Work {
    fn run(mut self, mut batch: Batch) {
        while !self.stop.load(Relaxed) {
            self.heartbeat.store(self.heartbeat.load(Relaxed) + 1, Relaxed);
            match batch.receive() {
                Ok(received) => self.handle(&mut batch, received),
                Err(error) => self.idle(&error),
            }
        }
    }

    #[inline]
    fn handle(&mut self, batch: &mut Batch, received: usize) {
        let (snapshot, counters, cookies) = (self.reader.load(), &*self.counters, &*self.cookies);
        let (limiter, jobs) = (&*self.limiter, &mut self.jobs);
        let (now, outlet, known) =
            (super::now(), batch.outlet(), Known { cache: Some(self.engine.cache()), fetched: None });
        if received > 1 {
            snapshot.warm(batch.contents().filter_map(|query| wire_name::split(query.get(HEADER..)?)));
            let questions = batch.contents().filter_map(|query| Question::parse(query).ok());
            self.engine.cache().warm(questions.map(|question| (question.name, question.kind)));
        }
        batch.answer(|query, reply| {
            counters.udp_queries.increment();
            let outcome = match query.content {
                // Nothing can be sent to port 0; only a forger writes it.
                Some(content) if query.client.port() != 0 => {
                    let asker = Asker { transport: Transport::Udp, address: query.client.ip(), now, cookies, known };
                    limiter.answer(content, &asker, snapshot, reply)
                }
                _ => Outcome::Dropped,
            };
            counters.count(&outcome);
            match outcome {
                Outcome::Unresolved(wanted) => jobs.push((wanted, waiting(&query, &outlet))),
                Outcome::ToRenew(_, wanted) => jobs.push((wanted, None)),
                Outcome::Dropped | Outcome::Withheld | Outcome::Replied(_) => {}
            }
        });
        let unsent = batch.send();
        if unsent > 0 {
            counters.send_errors.add(unsent as u64);
        }
        // Only now: who has an answer does not wait for who has none.
        if !jobs.is_empty() {
            self.engine.resolve_all(jobs);
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

/// The client of a query, with all that its reply will need.
fn waiting(query: &batch::Query<'_>, outlet: &batch::Outlet) -> Option<Client> {
    let way_back = WayBack::Udp(Datagram { outlet: outlet.clone(), to: query.way_back() });
    Some(Client { query: query.content?.into(), transport: Transport::Udp, address: query.client.ip(), way_back })
}

#[cfg(test)]
mod tests;
