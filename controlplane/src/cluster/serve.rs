//! One connection that a peer opened to us.
//!
//! Its frames are handled in order, each to the end before the next is read: a `pong` therefore says that everything sent
//! before it has been applied and is on disk, and senders use it as a receipt. Snapshots are never answered.

use super::{
    Shared,
    frame::{self, FrameError, MAX_FRAME_BEFORE_AUTH},
    link::FEATURES,
    message::{self, Auth, Greeting, Message, text_of},
    offer::{self, Request, Source},
    policy::Kind,
};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    sync::OwnedSemaphorePermit,
    time::timeout,
};
use tracing::{debug, warn};

/// Time to show the token.
const AUTHENTICATE: Duration = Duration::from_secs(60);
/// Time for the next frame to come, and for a reply to be taken. Existing nodes wait as long.
const FRAME: Duration = Duration::from_secs(120);
/// Time and octets for which a refused peer may go on sending before its connection is cut.
const LINGER: Duration = Duration::from_secs(1);

/// The connection.
struct Connection<'a> {
    shared: &'a Arc<Shared>,
    stream: BufReader<TcpStream>,
    from: SocketAddr,
    /// What the client said of itself; existing nodes say nothing.
    greeting: Option<Greeting>,
}

/// Serves a connection until either side has had enough. `unproven` is its place among those not yet authenticated.
pub(super) async fn connection(
    shared: Arc<Shared>,
    stream: TcpStream,
    from: SocketAddr,
    unproven: OwnedSemaphorePermit,
) {
    let mut presence = shared.inbound.connected();
    // Latency only; the connection works without.
    let _ = stream.set_nodelay(true);
    let mut connection = Connection { shared: &shared, stream: BufReader::new(stream), from, greeting: None };
    match timeout(AUTHENTICATE, connection.authenticate()).await {
        Ok(Ok(())) => {}
        Ok(Err(refusal)) => {
            shared.inbound.auth_failed(from, &refusal);
            return connection.linger().await;
        }
        Err(_) => {
            shared.inbound.auth_failed(from, "it sent no auth in time");
            return;
        }
    }
    drop(unproven);
    presence.authenticated();
    debug!(%from, kind = ?connection.kind(), "peer connected");
    match connection.serve().await {
        Ok(()) => {}
        Err(error @ FrameError::TooLong { .. }) => shared.inbound.bad_frame(from, &error),
        Err(error) => debug!(%from, %error, "peer connection ended"),
    }
}

impl Connection<'_> {
    fn kind(&self) -> Kind {
        if self.greeting.is_some() { Kind::Ours } else { Kind::Existing }
    }

    /// The first frame: `auth` with our token, or the end. The error says why.
    async fn authenticate(&mut self) -> Result<(), String> {
        let body = match frame::read(&mut self.stream, MAX_FRAME_BEFORE_AUTH).await {
            Ok(Some(body)) => body,
            Ok(None) => return Err("it closed the connection without sending auth".to_owned()),
            Err(error) => return Err(error.to_string()),
        };
        let text = text_of(body);
        let auth = match Message::parse(&text) {
            Ok(message) if message.kind() == "auth" => message.auth(),
            Ok(_) => return self.refuse("error", "auth required", "its first frame was not auth").await,
            Err(bad) => Err(bad),
        };
        let Ok(Auth { token, greeting }) = auth else {
            return self.refuse("error", "auth required", "its first frame could not be read").await;
        };
        let ours = &self.shared.settings().token;
        if ours.is_empty() {
            return self.refuse("auth_fail", "unauthorized", "we have no cluster_auth_token, so nobody fits").await;
        }
        if !ours.matches(&token) {
            return self.refuse("auth_fail", "unauthorized", "its token is not our cluster_auth_token").await;
        }
        self.greeting = greeting;
        let (node_id, instance) = (self.shared.node_id(), &self.shared.instance);
        let about_us = self.greeting.as_ref().map(|_| (FEATURES, node_id.as_str(), instance.as_str()));
        self.reply(&message::auth_ok(about_us)).await.map_err(|error| error.to_string())?;
        if let Some(greeting) = &self.greeting {
            self.shared.met(greeting, self.from);
        }
        Ok(())
    }

    async fn refuse(&mut self, kind: &str, message: &str, reason: &str) -> Result<(), String> {
        // It is turned away whether it hears why or not.
        let _ = self.reply(&message::plain(kind, message)).await;
        Err(reason.to_owned())
    }

    async fn serve(&mut self) -> Result<(), FrameError> {
        loop {
            let Ok(read) = timeout(FRAME, self.shared.budget.read(&mut self.stream)).await else {
                return Ok(());
            };
            let Some((body, _share)) = read? else {
                return Ok(());
            };
            match offer::read(body).await {
                Request::Ping => self.reply(&message::plain("pong", "")).await?,
                Request::Pull => self.answer_pull().await?,
                Request::Records(prepared) => self.take(prepared).await,
                Request::Bad(bad) => self.shared.inbound.bad_frame(self.from, &bad),
                Request::Error(_) | Request::Other => {}
            }
        }
    }

    /// Our records, unless nobody ever wrote them (R1).
    async fn answer_pull(&mut self) -> Result<(), FrameError> {
        let view = self.shared.store.view();
        if view.own.seq == 0 {
            let reply = message::plain("error", "this node has never accepted a write; it has nothing to offer");
            return self.reply(&reply).await;
        }
        match self.shared.snapshots.of(self.shared.node_id(), view).await {
            Ok(snapshot) => self.reply(&snapshot.frame).await,
            Err(too_large) => {
                self.shared.tell_too_large(too_large);
                self.reply(&message::plain("error", &too_large.to_string())).await
            }
        }
    }

    /// A snapshot. There is no answer to it, ever.
    async fn take(&mut self, prepared: offer::Prepared) {
        let sender = prepared.node_id.clone();
        // A sequence that repeats is news only from the node that writes it, which for existing nodes is who pushes.
        let source = Source { via: format!("pushed from {}", self.from), kind: self.kind(), acknowledged: u64::MAX };
        match offer::take(self.shared, prepared, &source).await {
            Ok(outcome) => offer::note_for_peers(&self.shared.peers(), &sender, &outcome),
            Err(error) => warn!(sender, %error, "a peer's snapshot could not be stored; it is not marked as seen"),
        }
    }

    async fn reply(&mut self, frame: &[u8]) -> Result<(), FrameError> {
        let writing = timeout(FRAME, self.stream.get_mut().write_all(frame));
        writing.await.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into())).map_err(FrameError::Io)
    }

    /// Ends a connection so that our last words arrive: closing while octets wait to be read would discard them.
    async fn linger(mut self) {
        let _ = self.stream.get_mut().shutdown().await;
        let mut rest = [0; 4096];
        let drain = async {
            for _ in 0..MAX_FRAME_BEFORE_AUTH / rest.len() {
                if !matches!(self.stream.read(&mut rest).await, Ok(count) if count > 0) {
                    break;
                }
            }
        };
        let _ = timeout(LINGER, drain).await;
    }
}
