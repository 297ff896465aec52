//! A connection that we opened to a peer, authenticated.

use super::{
    frame::{self, Budget, FrameError, MAX_FRAME_BEFORE_AUTH},
    message::{self, Greeting, Message, text_of},
};
use crate::config::Secret;
use std::{io, time::Duration};
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

/// What features we offer. None is built yet; the list itself says that we are not an existing node.
pub(super) const FEATURES: &[&str] = &[];

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
}

/// The connection.
#[derive(Debug)]
pub(super) struct Link {
    stream: BufReader<TcpStream>,
    /// What the peer said of itself; existing nodes say nothing.
    pub(super) greeting: Option<Greeting>,
    /// The token it was opened with: a connection does not outlive its token's replacement for long.
    pub(super) token: Secret,
}

/// Who we say we are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Introduction<'a> {
    pub(super) node_id: &'a str,
    pub(super) instance: &'a str,
}

impl Link {
    /// Connects and authenticates. Whoever calls sets the deadline for all of it.
    pub(super) async fn open(address: &str, token: &Secret, us: Introduction<'_>) -> Result<Self, LinkError> {
        if token.is_empty() {
            return Err(LinkError::NoToken);
        }
        let stream = match timeout(DIAL, TcpStream::connect(address)).await {
            Ok(connected) => connected.map_err(LinkError::Dial)?,
            Err(_) => return Err(LinkError::DialTimeout),
        };
        stream.set_nodelay(true)?;
        let mut link = Self { stream: BufReader::new(stream), greeting: None, token: token.clone() };
        link.send(&message::auth(token.expose(), FEATURES, us.node_id, us.instance)).await?;
        let body = frame::read(&mut link.stream, MAX_FRAME_BEFORE_AUTH).await?.ok_or(LinkError::AuthClosed)?;
        let text = text_of(body);
        let answer = Message::parse(&text).map_err(|_| LinkError::AuthJunk)?;
        match answer.kind() {
            "auth_ok" => link.greeting = answer.greeting(),
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
        self.stream.get_mut().write_all(frames).await.map_err(LinkError::Io)
    }

    /// The next frame, with its share of the budget.
    pub(super) async fn receive(
        &mut self,
        budget: &Budget,
    ) -> Result<(Vec<u8>, Option<OwnedSemaphorePermit>), LinkError> {
        budget.read(&mut self.stream).await?.ok_or(LinkError::Closed)
    }

    /// Asks for a `pong`. Frames of one connection are handled in order, so whatever was sent before has been applied
    /// and saved when it comes: a receipt, at existing nodes too (R10).
    pub(super) async fn receipt(&mut self) -> Result<(), LinkError> {
        self.send(&message::plain("ping", "")).await?;
        for _ in 0..MAX_UNASKED {
            let body = frame::read(&mut self.stream, MAX_FRAME_BEFORE_AUTH).await?.ok_or(LinkError::Closed)?;
            let text = text_of(body);
            if Message::parse(&text).is_ok_and(|answer| answer.kind() == "pong") {
                return Ok(());
            }
        }
        Err(LinkError::Unasked)
    }
}

/// Gives an operation its deadline.
pub(super) async fn within<T, E: From<LinkError>>(
    limit: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    timeout(limit, work).await.unwrap_or_else(|_| Err(LinkError::Timeout(limit.as_secs()).into()))
}
