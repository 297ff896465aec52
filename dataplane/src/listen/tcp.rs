//! Answers over TCP (RFC 7766): many questions per read, all their replies in one write.
//!
//! A connection may ask again before it was answered (§6.2.1.1). Everything that arrived is answered from one snapshot into
//! one buffer, which is written before more is read; so what a connection can make us hold is bounded, and a client that
//! does not read stops being read from, then is closed. So is one that starts a query and does not finish it.

use super::framing::{PREFIX, next_message};
use crate::{
    Cookies, Limiter,
    answer::{Asker, Outcome, Transport},
    counters::{Counters, Registry},
    current::Current,
};
use socket2::{Protocol, Type};
use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Connections in all: below the usual limit of 1024 open files, with room for everything else.
const MAX_CONNECTIONS: usize = 768;
/// Connections of one address.
const MAX_PER_CLIENT: u32 = 128;
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
    /// How long a connection may be silent, or take for one query (RFC 7766 §6.2.3 asks for seconds).
    idle: Duration,
    /// How long a client may take to read what it asked for.
    write: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { idle: Duration::from_secs(10), write: Duration::from_secs(5) }
    }
}

/// What all TCP connections of this process share.
pub(super) struct Shared {
    current: Arc<Current>,
    counters: Arc<Counters>,
    cookies: Arc<Cookies>,
    limiter: Arc<Limiter>,
    slots: Arc<Semaphore>,
    clients: Mutex<HashMap<IpAddr, u32>>,
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
            slots: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
            clients: Mutex::default(),
            tasks: TaskTracker::new(),
        })
    }

    /// Waits until all connections are closed.
    pub(super) async fn drained(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Room for one more connection of this client, if there is any.
    fn admit(self: &Arc<Self>, client: IpAddr) -> Option<Admission> {
        let slot = self.slots.clone().try_acquire_owned().ok()?;
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let connections = clients.entry(client).or_default();
        if *connections >= MAX_PER_CLIENT {
            return None;
        }
        *connections += 1;
        Some(Admission { shared: self.clone(), client, _slot: slot })
    }
}

/// A place among the connections, given back when dropped.
struct Admission {
    shared: Arc<Shared>,
    client: IpAddr,
    _slot: OwnedSemaphorePermit,
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut clients = self.shared.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connections) = clients.get_mut(&self.client) {
            *connections -= 1;
            if *connections == 0 {
                clients.remove(&self.client);
            }
        }
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
        let Some(admission) = shared.admit(client.ip()) else {
            shared.counters.tcp_rejected.increment();
            continue;
        };
        shared.counters.tcp_connections.increment();
        let connection = Connection { stream, admission, read: Vec::new(), write: Vec::new() };
        shared.tasks.spawn(connection.run(stop.clone()));
    }
}

struct Connection {
    stream: TcpStream,
    admission: Admission,
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
            self.admission.shared.counters.tcp_timeouts.increment();
        }
    }

    async fn serve(&mut self, stop: &CancellationToken) -> Result<(), Close> {
        let idle = self.admission.shared.patience.idle;
        let mut deadline = Instant::now() + idle;
        loop {
            let room = READ_BUFFER - self.read.len();
            self.read.reserve(room.min(READ_AHEAD));
            let mut stream = (&mut self.stream).take(room as u64);
            // Told to stop only here, between batches: what was asked before is still answered.
            let read = tokio::select! {
                read = timeout_at(deadline, stream.read_buf(&mut self.read)) => read,
                () = stop.cancelled() => return Ok(()),
            };
            match read {
                // Silence between queries is no fault; a query that was begun and not finished is one.
                Err(_) if self.read.is_empty() => return Ok(()),
                Err(_) => return Err(Close::TooSlow),
                Ok(Ok(1..)) => {}
                Ok(_) => return Err(Close::Quietly),
            }
            let mut used = 0;
            while let Some(message) = next_message(&self.read[used..]) {
                let length = message.len();
                if !self.reply_to(used + PREFIX, length) {
                    self.flush().await?;
                    return Err(Close::Quietly);
                }
                used += PREFIX + length;
                if self.write.len() >= WRITE_AT {
                    self.flush().await?;
                }
            }
            self.flush().await?;
            if used > 0 {
                self.read.drain(..used);
                self.read.shrink_to(READ_AHEAD);
                deadline = Instant::now() + idle;
            }
        }
    }

    /// Answers the message at this place of the read buffer. `false`: it was no query, so this is no client.
    fn reply_to(&mut self, at: usize, length: usize) -> bool {
        let shared = &self.admission.shared;
        shared.counters.tcp_queries.increment();
        let start = self.write.len();
        self.write.extend_from_slice(&[0; PREFIX]);
        let snapshot = shared.current.load();
        let asker = Asker {
            transport: Transport::Tcp,
            address: self.admission.client,
            now: super::now(),
            cookies: &shared.cookies,
        };
        let outcome = shared.limiter.answer(&self.read[at..at + length], &asker, &snapshot, &mut self.write);
        shared.counters.count(outcome);
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
        match timeout(self.admission.shared.patience.write, self.stream.write_all(&self.write)).await {
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
mod tests {
    use super::*;
    use crate::{Snapshot, message::HEADER};

    /// A listener on a free port, answering from an empty snapshot.
    async fn start() -> (SocketAddr, Arc<Registry>, CancellationToken, Arc<Shared>) {
        start_with(Patience::default()).await
    }

    async fn start_with(patience: Patience) -> (SocketAddr, Arc<Registry>, CancellationToken, Arc<Shared>) {
        let registry = Arc::new(Registry::default());
        let current = Arc::new(Current::new(Snapshot::empty()));
        let shared = Shared::new(current, &registry, Arc::new(Cookies::with_secret([0; 16])), Arc::default(), patience);
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        tokio::spawn(serve(listener, shared.clone(), stop.clone()));
        (address, registry, stop, shared)
    }

    /// A question for the root's NS, with its length in front.
    fn question(id: u16) -> Vec<u8> {
        let [high, low] = id.to_be_bytes();
        vec![0, 17, high, low, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1]
    }

    #[tokio::test]
    async fn rfc7766_s6_2_1_1_questions_in_a_row_are_all_answered() {
        let (address, ..) = start().await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let questions: Vec<u8> = (0..5000).flat_map(question).collect();
        let (mut reader, mut writer) = stream.split();
        let send = async { writer.write_all(&questions).await.unwrap() };
        let receive = async {
            for id in 0..5000u16 {
                let mut reply = [0; 19];
                reader.read_exact(&mut reply).await.unwrap();
                assert_eq!((&reply[2..4], reply[5] & 15), (&id.to_be_bytes()[..], 5));
            }
        };
        tokio::join!(send, receive);
    }

    #[tokio::test]
    async fn a_question_in_many_pieces_is_answered() {
        let (address, ..) = start().await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        for octet in question(7) {
            stream.write_all(&[octet]).await.unwrap();
            tokio::task::yield_now().await;
        }
        let mut reply = [0; 2 + HEADER];
        stream.read_exact(&mut reply).await.unwrap();
        assert_eq!(reply[2..4], [0, 7]);
    }

    #[tokio::test]
    async fn what_is_no_query_ends_the_connection_after_earlier_replies() {
        let (address, ..) = start().await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&[question(7), vec![0, 0]].concat()).await.unwrap();
        let mut received = Vec::new();
        stream.read_to_end(&mut received).await.unwrap();
        assert_eq!(received.len(), 19);
    }

    #[tokio::test]
    async fn one_client_cannot_take_all_connections() {
        let (address, registry, ..) = start().await;
        let mut streams = Vec::new();
        for _ in 0..MAX_PER_CLIENT {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(&question(1)).await.unwrap();
            stream.read_exact(&mut [0; 19]).await.unwrap();
            streams.push(stream);
        }
        let mut surplus = TcpStream::connect(address).await.unwrap();
        assert_eq!(surplus.read(&mut [0; 1]).await.unwrap_or(0), 0, "closed at once");
        assert!(registry.totals().contains(&("tcp_rejected", 1)));
        drop(streams.pop());
        loop {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(&question(1)).await.unwrap();
            if stream.read_exact(&mut [0; 19]).await.is_ok() {
                break;
            }
        }
    }

    #[tokio::test]
    async fn stopping_closes_connections_that_wait() {
        let (address, _, stop, shared) = start().await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&question(1)).await.unwrap();
        stream.read_exact(&mut [0; 19]).await.unwrap();
        stop.cancel();
        shared.drained().await;
        assert_eq!(stream.read(&mut [0; 1]).await.unwrap_or(0), 0);
    }

    #[tokio::test]
    async fn a_query_that_is_begun_and_not_finished_costs_the_connection() {
        let patience = Patience { idle: Duration::from_millis(50), ..Patience::default() };
        let (address, registry, ..) = start_with(patience).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&[0, 17, 1]).await.unwrap();
        assert_eq!(stream.read(&mut [0; 1]).await.unwrap_or(0), 0);
        assert!(registry.totals().contains(&("tcp_timeouts", 1)));
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_closed() {
        let patience = Patience { write: Duration::from_millis(50), ..Patience::default() };
        let (address, registry, ..) = start_with(patience).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let questions: Vec<u8> = (0..5000).flat_map(question).collect();
        while stream.write_all(&questions).await.is_ok() {}
        assert!(registry.totals().contains(&("tcp_timeouts", 1)));
    }
}
