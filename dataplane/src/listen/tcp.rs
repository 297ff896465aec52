//! Answers over TCP (RFC 7766): many questions per read, all their replies in one write.
//!
//! A connection may ask again before it was answered (§6.2.1.1). Everything that arrived is answered from one snapshot into
//! one buffer, which is written before more is read; so what a connection can make us hold is bounded, and a client that
//! does not read stops being read from, then is closed. So is one that starts a query and does not finish it. When all places
//! are taken, the connection that has been idle for the longest time makes room for the next one.

mod places;

use super::framing::{PREFIX, next_message};
use crate::{
    Cookies, Limiter, Snapshot,
    answer::{Asker, Known, Outcome, TCP_IDLE, Transport},
    counters::{Counters, Registry},
    current::Current,
};
use places::{Place, Places};
use socket2::{Protocol, Type};
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{Instant, timeout, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Queue of the kernel for connections that were not accepted yet.
const BACKLOG: i32 = 1024;
/// A read buffer holds one message of the largest size, or many usual ones.
const READ_BUFFER: usize = PREFIX + u16::MAX as usize;
/// Room for further queries before a read.
const READ_AHEAD: usize = 16 << 10;
/// Replies are written once so many octets are there, before further queries are looked at.
const WRITE_AT: usize = 64 << 10;

/// Opens the listening socket of an address. `SO_REUSEPORT`, so that a wildcard and an address by name can follow each
/// other without a gap.
pub(super) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = super::socket(address, Type::STREAM, Protocol::TCP)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// How patient we are.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    /// How long a connection may be silent, or take for one query.
    idle: Duration,
    /// How long a client may take to read what it asked for.
    write: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { idle: TCP_IDLE, write: Duration::from_secs(5) }
    }
}

/// What all TCP connections of this process share.
pub(super) struct Shared {
    current: Arc<Current>,
    counters: Arc<Counters>,
    cookies: Arc<Cookies>,
    limiter: Arc<Limiter>,
    places: Arc<Places>,
    tasks: TaskTracker,
    patience: Patience,
}

impl Shared {
    pub(super) fn new(
        current: Arc<Current>,
        registry: &Registry,
        cookies: Arc<Cookies>,
        limiter: Arc<Limiter>,
        patience: Patience,
    ) -> Arc<Self> {
        Arc::new(Self {
            patience,
            cookies,
            limiter,
            current,
            counters: registry.register(),
            places: Arc::default(),
            tasks: TaskTracker::new(),
        })
    }

    /// Waits until all connections are closed.
    pub(super) async fn drained(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Accepts connections until `stop`; those that are open then finish what they are at.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, client)) = accepted else {
            // Out of file descriptors, most likely. The kernel keeps the queue meanwhile.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let Some((place, evicted)) = shared.places.enter(client.ip()) else {
            shared.counters.tcp_rejected.add(1);
            continue;
        };
        shared.counters.tcp_connections.add(1);
        shared.counters.tcp_evicted.add(u64::from(evicted));
        let connection = Connection { stream, place, shared: shared.clone(), read: Vec::new(), write: Vec::new() };
        shared.tasks.spawn(connection.run(stop.clone()));
    }
}

struct Connection {
    stream: TcpStream,
    place: Place,
    shared: Arc<Shared>,
    read: Vec<u8>,
    write: Vec<u8>,
}

/// Why a connection is closed from our side.
enum Close {
    /// The client went away, or sent what no client sends.
    Quietly,
    /// The client took too long.
    TooSlow,
}

impl Connection {
    async fn run(mut self, stop: CancellationToken) {
        // Whole batches are written at once; waiting for more to send would only add delay.
        let _ = self.stream.set_nodelay(true);
        if let Err(Close::TooSlow) = self.serve(&stop).await {
            self.shared.counters.tcp_timeouts.add(1);
        }
    }

    async fn serve(&mut self, stop: &CancellationToken) -> Result<(), Close> {
        let idle = self.shared.patience.idle;
        let mut deadline = Instant::now() + idle;
        loop {
            let room = READ_BUFFER - self.read.len();
            self.read.reserve(room.min(READ_AHEAD));
            let mut stream = (&mut self.stream).take(room as u64);
            // Told to stop only here, between batches: what was asked before is still answered.
            let read = tokio::select! {
                read = timeout_at(deadline, stream.read_buf(&mut self.read)) => read,
                () = stop.cancelled() => return Ok(()),
                () = self.place.wanted() => return Ok(()),
            };
            match read {
                // Silence between queries is no fault; a query that was begun and not finished is one.
                Err(_) if self.read.is_empty() => return Ok(()),
                Err(_) => return Err(Close::TooSlow),
                Ok(Ok(1..)) => {}
                Ok(_) => return Err(Close::Quietly),
            }
            if self.answer_all().await? > 0 {
                let now = Instant::now();
                self.place.used(now);
                deadline = now + idle;
            }
        }
    }

    /// Answers what has arrived whole; returns how many octets that was.
    async fn answer_all(&mut self) -> Result<usize, Close> {
        let (snapshot, now) = (self.shared.current.load(), super::now());
        let (mut used, mut counts) = (0, Counters::default());
        let result = loop {
            let Some(message) = next_message(&self.read[used..]) else { break Ok(()) };
            let length = message.len();
            if !self.reply_to(used + PREFIX, length, &snapshot, now, &counts) {
                break Err(Close::Quietly);
            }
            used += PREFIX + length;
            if self.write.len() >= WRITE_AT {
                // Counted by now, should the client not take them.
                self.shared.counters.add_all(&std::mem::take(&mut counts));
                self.flush().await?;
            }
        };
        self.shared.counters.add_all(&counts);
        self.flush().await?;
        result?;
        if used > 0 {
            self.read.drain(..used);
            self.read.shrink_to(READ_AHEAD);
        }
        Ok(used)
    }

    /// Answers the message at this place of the read buffer. `false`: it was no query, so this is no client.
    fn reply_to(&mut self, at: usize, length: usize, snapshot: &Snapshot, now: u32, counts: &Counters) -> bool {
        counts.tcp_queries.increment();
        let start = self.write.len();
        self.write.extend_from_slice(&[0; PREFIX]);
        let address = self.place.client();
        let asker =
            Asker { transport: Transport::Tcp, address, now, cookies: &self.shared.cookies, known: Known::default() };
        let outcome = self.shared.limiter.answer(&self.read[at..at + length], &asker, snapshot, &mut self.write);
        counts.count(&outcome);
        if outcome == Outcome::Dropped {
            self.write.truncate(start);
            return false;
        }
        // `answer` keeps to what the prefix can say.
        let length = (self.write.len() - start - PREFIX) as u16;
        self.write[start..start + PREFIX].copy_from_slice(&length.to_be_bytes());
        true
    }

    async fn flush(&mut self) -> Result<(), Close> {
        if self.write.is_empty() {
            return Ok(());
        }
        let written = tokio::select! {
            written = timeout(self.shared.patience.write, self.stream.write_all(&self.write)) => written,
            // Who does not read is not kept at the expense of others.
            () = self.place.wanted() => return Err(Close::Quietly),
        };
        match written {
            Err(_) => Err(Close::TooSlow),
            Ok(Err(_)) => Err(Close::Quietly),
            Ok(Ok(())) => {
                self.write.clear();
                // One large reply should not be paid for as long as the connection lives.
                self.write.shrink_to(WRITE_AT);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests;
