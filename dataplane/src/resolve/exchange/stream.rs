//! Messages over a stream, TCP or TLS: each has its length in front, many are under way at once, and replies come in any
//! order (RFC 7766 §6.2.1.1, §7). Each question has an id of its own on the connection.

use super::{
    ExchangeError, Trust,
    pool::{Connect, Link},
    reply,
    tls::{self, Tls},
};
use crate::listen::framing::{PREFIX, next_message};
use bytes::{Buf, BytesMut};
use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::{mpsc, oneshot},
};

/// Messages that wait to be written. The pool has fewer under way.
const QUEUE: usize = 256;
/// Octets that are written in one call at most.
const BATCH: usize = 16 << 10;
/// Octets that are read in one call at least.
const CHUNK: usize = 4 << 10;

/// How streams to a server are opened.
#[derive(Debug)]
pub(super) struct Stream {
    server: SocketAddr,
    tls: Option<Result<Tls, ExchangeError>>,
}

impl Stream {
    /// DNS over TCP.
    pub(super) fn plain(server: SocketAddr) -> Self {
        Self { server, tls: None }
    }

    /// DNS over TLS (RFC 7858).
    pub(super) fn tls(server: SocketAddr, name: &str, trust: &Trust) -> Self {
        Self { server, tls: Some(Tls::new(server, name, trust.stream(), "DNS over TLS")) }
    }
}

impl Connect for Stream {
    type Link = StreamLink;

    async fn connect(&self) -> Result<StreamLink, ExchangeError> {
        let tls = self.tls.as_ref().map(Result::as_ref).transpose().map_err(Clone::clone)?;
        let stream = tls::connect(self.server).await?;
        match tls {
            None => Ok(StreamLink::over(stream)),
            Some(tls) => Ok(StreamLink::over(tls.handshake(stream).await?)),
        }
    }
}

/// A stream, and who waits for what on it.
#[derive(Debug)]
pub(super) struct StreamLink {
    outgoing: mpsc::Sender<Vec<u8>>,
    waiting: Arc<Waiting>,
}

impl StreamLink {
    /// Starts a task that owns the stream. It ends when the stream does, or when the link is dropped.
    fn over(stream: impl AsyncRead + AsyncWrite + Send + 'static) -> Self {
        let (outgoing, queue) = mpsc::channel(QUEUE);
        let waiting = Arc::new(Waiting::default());
        let replies = Arc::clone(&waiting);
        tokio::spawn(async move {
            let (mut reader, mut writer) = tokio::io::split(stream);
            let ended = tokio::select! {
                ended = read(&mut reader, &replies) => ended,
                ended = write(&mut writer, queue) => ended,
            };
            replies.close(&ended.map_or_else(|error| crate::chain(&error), |()| "the server closed it".to_owned()));
            // A farewell, such as TLS has one (RFC 8446 §6.1). Nobody waits for it.
            let _ = tokio::time::timeout(tls::FAREWELL, writer.shutdown()).await;
        });
        Self { outgoing, waiting }
    }
}

impl Link for StreamLink {
    async fn ask(&self, query: &[u8]) -> Result<Vec<u8>, ExchangeError> {
        let place = self.waiting.enter()?;
        let length = u16::try_from(query.len()).map_err(|_| ExchangeError::BadQuery)?;
        let mut framed = Vec::with_capacity(PREFIX + query.len());
        framed.extend_from_slice(&length.to_be_bytes());
        framed.extend_from_slice(&reply::with_id(query, place.id.to_be_bytes()));
        self.outgoing.try_send(framed).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => ExchangeError::Busy,
            mpsc::error::TrySendError::Closed(_) => ExchangeError::lost("it was closed before the question was sent"),
        })?;
        place.reply().await
    }

    fn is_open(&self) -> bool {
        !self.outgoing.is_closed()
    }
}

/// Writes what is queued, as much as there is in one call.
async fn write(stream: &mut (impl AsyncWrite + Unpin), mut queue: mpsc::Receiver<Vec<u8>>) -> io::Result<()> {
    let mut batch = Vec::new();
    while let Some(message) = queue.recv().await {
        batch.clear();
        batch.extend_from_slice(&message);
        while batch.len() < BATCH
            && let Ok(more) = queue.try_recv()
        {
            batch.extend_from_slice(&more);
        }
        stream.write_all(&batch).await?;
        stream.flush().await?;
    }
    Ok(())
}

/// Hands out replies until the stream ends. What nobody waits for, or no longer, is dropped (RFC 7766 §7).
async fn read(stream: &mut (impl AsyncRead + Unpin), waiting: &Waiting) -> io::Result<()> {
    // Grows to one message at most: whole ones are taken out before more is read.
    let mut buffer = BytesMut::new();
    loop {
        while let Some(message) = next_message(&buffer) {
            waiting.reply(message);
            let taken = PREFIX + message.len();
            buffer.advance(taken);
        }
        buffer.reserve(CHUNK);
        if stream.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
    }
}

/// Who waits for which reply, by the id on this connection.
#[derive(Debug, Default)]
struct Waiting {
    state: Mutex<Places>,
}

#[derive(Debug, Default)]
struct Places {
    taken: HashMap<u16, oneshot::Sender<Vec<u8>>>,
    /// Why nobody can wait here any more.
    closed: Option<Arc<str>>,
}

/// A place among those that wait; given back when it is dropped.
struct Place<'a> {
    waiting: &'a Waiting,
    id: u16,
    reply: oneshot::Receiver<Vec<u8>>,
}

impl Waiting {
    fn state(&self) -> MutexGuard<'_, Places> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self) -> Result<Place<'_>, ExchangeError> {
        let mut state = self.state();
        if let Some(why) = &state.closed {
            return Err(ExchangeError::Lost { why: Arc::clone(why) });
        }
        if state.taken.len() >= QUEUE {
            return Err(ExchangeError::Busy);
        }
        // At most one in 256 ids is taken, so this ends soon.
        let mut id = fresh();
        while state.taken.contains_key(&id) {
            id = id.wrapping_add(1);
        }
        let (sender, reply) = oneshot::channel();
        state.taken.insert(id, sender);
        Ok(Place { waiting: self, id, reply })
    }

    fn reply(&self, message: &[u8]) {
        let Some(id) = message.first_chunk() else { return };
        let taker = self.state().taken.remove(&u16::from_be_bytes(*id));
        if let Some(taker) = taker {
            let _ = taker.send(message.to_vec()); // whoever waited may have left
        }
    }

    fn close(&self, why: &str) {
        let mut state = self.state();
        state.closed = Some(why.into());
        state.taken.clear();
    }
}

impl Place<'_> {
    async fn reply(mut self) -> Result<Vec<u8>, ExchangeError> {
        let reply = (&mut self.reply).await;
        reply.map_err(|_| ExchangeError::Lost { why: self.waiting.state().closed.clone().unwrap_or_default() })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.waiting.state().taken.remove(&self.id);
    }
}

/// A random id. Nobody else sees this connection, so it need not be unpredictable; where there is no randomness, any will do.
fn fresh() -> u16 {
    getrandom::u32().map_or(0, |random| (random >> 16) as u16)
}
