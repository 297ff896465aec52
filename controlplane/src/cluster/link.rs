//! A connection that we opened to a peer, authenticated.

use super::{
    extension::{self, Ack},
    features::{Features, NAMES},
    frame::{self, Budget, FrameError, MAX_FRAME_BEFORE_AUTH},
    message::{self, BadFrame, Greeting, Message, text_of},
    offer::{self, Pulse, Request},
};
use crate::config::Secret;
use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncWriteExt, BufReader},
    net::TcpStream,
    sync::OwnedSemaphorePermit,
    time::timeout,
};

/// A host that does not answer a SYN by then will not soon; existing nodes wait as long.
const DIAL: Duration = Duration::from_secs(5);

/// Frames passed over while waiting for `pong`. Existing nodes send none; a peer may not keep us busy.
const MAX_UNASKED: usize = 16;

/// An idle connection is given up when the other host has vanished: data that nobody takes in for so long.
const UNHEARD: Duration = Duration::from_secs(15);

/// Why a peer could not be dealt with. Each is a sentence for status.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkError {
    #[error("cannot connect: {0}")]
    Dial(io::Error),
    #[error("cannot connect: no answer within {} seconds", DIAL.as_secs())]
    DialTimeout,
    #[error("we have no cluster_auth_token: without one nothing is exchanged")]
    NoToken,
    #[error("auth failed: the peer says `{0}`; is its cluster_auth_token the same as ours?")]
    AuthFailed(String),
    #[error("auth failed: the peer answered with neither auth_ok nor auth_fail")]
    AuthJunk,
    #[error("auth failed: the peer closed the connection without an answer")]
    AuthClosed,
    #[error("the peer closed the connection before it answered")]
    Closed,
    #[error("the peer's answer cannot be read: {0}")]
    Frame(#[from] FrameError),
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    #[error("the peer sent other frames instead of an answer")]
    Unasked,
    #[error("the peer did not answer within {0} seconds")]
    Timeout(u64),
    #[error("the peer's answer was refused: {0}")]
    Bad(#[from] BadFrame),
}

/// The connection.
#[derive(Debug)]
pub(super) struct Link {
    stream: BufReader<TcpStream>,
    /// What the peer said of itself; existing nodes say nothing.
    pub(super) greeting: Option<Greeting>,
    /// What both of us know beside the plain protocol.
    pub(super) features: Features,
    traffic: Arc<Traffic>,
    /// The token it was opened with: a connection does not outlive its token's replacement for long.
    pub(super) token: Secret,
}

/// Octets over all connections that we opened to a peer, for status.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    sent: AtomicU64,
    received: AtomicU64,
}

impl Traffic {
    /// Sent and received.
    pub(super) fn octets(&self) -> (u64, u64) {
        (self.sent.load(Ordering::Relaxed), self.received.load(Ordering::Relaxed))
    }
}

/// Who we say we are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Introduction<'a> {
    pub(super) node_id: &'a str,
    pub(super) instance: &'a str,
}

impl Link {
    /// Connects and authenticates. Whoever calls sets the deadline for all of it.
    pub(super) async fn open(
        address: &str,
        token: &Secret,
        us: Introduction<'_>,
        traffic: Arc<Traffic>,
    ) -> Result<Self, LinkError> {
        if token.is_empty() {
            return Err(LinkError::NoToken);
        }
        let stream = match timeout(DIAL, TcpStream::connect(address)).await {
            Ok(connected) => connected.map_err(LinkError::Dial)?,
            Err(_) => return Err(LinkError::DialTimeout),
        };
        stream.set_nodelay(true)?;
        // Without it a vanished host is noticed later, by the deadlines of what we do.
        let _ = socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(UNHEARD));
        let (stream, features) = (BufReader::new(stream), Features::default());
        let mut link = Self { stream, greeting: None, features, traffic, token: token.clone() };
        link.send(&message::auth(token.expose(), &NAMES, us.node_id, us.instance)).await?;
        let body = link.short().await?.ok_or(LinkError::AuthClosed)?;
        let text = text_of(body);
        let answer = Message::parse(&text).map_err(|_| LinkError::AuthJunk)?;
        match answer.kind() {
            "auth_ok" => {
                link.greeting = answer.greeting();
                link.features = link.greeting.as_ref().map(|ours| Features::agreed(&ours.features)).unwrap_or_default();
            }
            "auth_fail" | "error" => {
                let said: String = answer.message().unwrap_or_default().chars().take(200).collect();
                return Err(LinkError::AuthFailed(said));
            }
            _ => return Err(LinkError::AuthJunk),
        }
        Ok(link)
    }

    /// Sends one or more whole frames.
    pub(super) async fn send(&mut self, frames: &[u8]) -> Result<(), LinkError> {
        self.traffic.sent.fetch_add(frames.len() as u64, Ordering::Relaxed);
        self.stream.get_mut().write_all(frames).await.map_err(LinkError::Io)
    }

    /// The next frame, with its length and its share of the budget.
    pub(super) async fn receive(&mut self, budget: &Budget) -> Result<Received, LinkError> {
        let (body, share) = budget.read(&mut self.stream).await?.ok_or(LinkError::Closed)?;
        let octets = body.len();
        self.traffic.received.fetch_add(octets as u64, Ordering::Relaxed);
        Ok(Received { request: offer::read(body).await, octets, _share: share })
    }

    /// A frame that is short if the peer means well.
    async fn short(&mut self) -> Result<Option<Vec<u8>>, FrameError> {
        let body = frame::read(&mut self.stream, MAX_FRAME_BEFORE_AUTH).await?;
        self.traffic.received.fetch_add(body.as_ref().map_or(0, Vec::len) as u64, Ordering::Relaxed);
        Ok(body)
    }

    /// What the peer made of what we sent (`ack`).
    pub(super) async fn ack(&mut self) -> Result<Ack, LinkError> {
        self.await_answer(|request| match request {
            Request::Ack(ack) => Some(ack),
            _ => None,
        })
        .await
    }

    /// Where it leads.
    pub(super) fn peer_address(&self) -> io::Result<SocketAddr> {
        self.stream.get_ref().peer_addr()
    }

    /// What became of a change of the peer's settings.
    pub(super) async fn admin_answer(&mut self) -> Result<Result<(), String>, LinkError> {
        self.await_answer(|request| match request {
            Request::AdminAnswer(answer) => Some(answer),
            Request::Error(reason) => Some(Err(reason)),
            _ => None,
        })
        .await
    }

    /// Asks what the peer holds and what time it is there; on plain connections nothing but a sign of life. Frames of one
    /// connection are handled in order, so whatever was sent before has been applied and saved when the answer comes.
    pub(super) async fn pulse(&mut self, ours: Pulse) -> Result<Pulse, LinkError> {
        let ping = match ours {
            Pulse { hash: Some(hash), clock: Some(clock) } if self.features.keep => {
                extension::pulse("ping", hash, clock)
            }
            _ => message::plain("ping", ""),
        };
        self.send(&ping).await?;
        self.await_answer(|request| match request {
            Request::Pong(pulse) => Some(pulse),
            _ => None,
        })
        .await
    }

    async fn await_answer<T>(&mut self, wanted: impl Fn(Request) -> Option<T>) -> Result<T, LinkError> {
        for _ in 0..MAX_UNASKED {
            let body = self.short().await?.ok_or(LinkError::Closed)?;
            if let Some(answer) = wanted(offer::read(body).await) {
                return Ok(answer);
            }
        }
        Err(LinkError::Unasked)
    }
}

/// A frame that came, understood.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) request: Request,
    /// Its length.
    pub(super) octets: usize,
    _share: Option<OwnedSemaphorePermit>,
}

/// Gives an operation its deadline.
pub(super) async fn within<T, E: From<LinkError>>(
    limit: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    timeout(limit, work).await.unwrap_or_else(|_| Err(LinkError::Timeout(limit.as_secs()).into()))
}
