//! One connection that a peer opened to us.
//!
//! Its frames are handled in order, each to the end before the next is read: a `pong` therefore says that everything sent
//! before it has been applied and is on disk, and senders use it as a receipt. Snapshots are never answered.

use super::{
    Shared,
    chunk::Incoming,
    extension::{self, Begin, Label, Word},
    features::Features,
    frame::{self, FrameError, MAX_FRAME_BEFORE_AUTH},
    message::{self, Auth, BadFrame, Greeting, Message, text_of},
    offer::{self, Outcome, Prepared, Pulse, Request, Source, Taken},
    outgoing::Outgoing,
    peer::Peer,
    policy::Kind,
};
use crate::{blocking::beside, hash::ContentHash};
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
    /// What both of us know beside the plain protocol.
    features: Features,
    /// A snapshot in parts that has begun, with its place among those taken in at a time.
    incoming: Option<(Incoming, OwnedSemaphorePermit)>,
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
    let (stream, features) = (BufReader::new(stream), Features::default());
    let mut connection = Connection { shared: &shared, stream, from, greeting: None, features, incoming: None };
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
        self.features = self.greeting.as_ref().map(|theirs| Features::agreed(&theirs.features)).unwrap_or_default();
        let (node_id, instance) = (self.shared.node_id(), &self.shared.instance);
        let agreed = if self.greeting.is_some() { self.features.names() } else { Vec::new() };
        let about_us = self.greeting.as_ref().map(|_| (agreed.as_slice(), node_id.as_str(), instance.as_str()));
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
            let octets = body.len();
            let request = offer::read(body).await;
            self.handle(request, octets).await?;
        }
    }

    /// One frame, to the end. Frames of features that were not agreed are as unknown as any other.
    async fn handle(&mut self, request: Request, octets: usize) -> Result<(), FrameError> {
        let Features { keep, delta, chunk, .. } = self.features;
        match request {
            Request::Ping(theirs) if keep => self.pulse(theirs).await,
            Request::Ping(_) => self.reply(&message::plain("pong", "")).await,
            Request::Pull(theirs) => self.answer_pull(theirs.filter(|_| delta)).await,
            Request::Records(prepared) if delta || !prepared.is_delta() => self.take(prepared).await,
            Request::Begin(begin) if chunk => self.begin(begin).await,
            Request::Part(records) if chunk => {
                let taken = match &mut self.incoming {
                    Some((incoming, _)) => incoming.part(records, octets),
                    None => Ok(()),
                };
                self.refuse_parts(taken)
            }
            Request::End if chunk => self.end().await,
            Request::Admin(apply) => {
                let node_id = self.greeting.as_ref().map(|greeting| greeting.node_id.as_str());
                let answer = apply.answer(self.shared, self.from, node_id).await;
                self.reply(&answer).await
            }
            Request::Bad(bad) => {
                self.incoming = None;
                self.shared.inbound.bad_frame(self.from, &bad);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// What we hold, for what the peer holds.
    async fn pulse(&mut self, theirs: Pulse) -> Result<(), FrameError> {
        let ours = self.shared.our_pulse();
        self.reply(&extension::pulse("pong", ours.hash.unwrap_or_default(), ours.clock.unwrap_or_default())).await?;
        for peer in self.peers() {
            let Some(hash) = theirs.hash else { continue };
            peer.it_holds(hash);
            self.shared.compare(&peer);
        }
        Ok(())
    }

    /// Our records: under the name of whoever wrote them for a peer that takes that, else under our own; not if nobody ever
    /// wrote them (R1).
    async fn answer_pull(&mut self, theirs: Option<ContentHash>) -> Result<(), FrameError> {
        let view = self.shared.store.view();
        let Some(label) = self.shared.label_for(self.features, &view) else {
            let reply = message::plain("error", "this node has never accepted a write; it has nothing to offer");
            return self.reply(&reply).await;
        };
        let outgoing = match Outgoing::of(self.shared, &view, &label, self.features, theirs).await {
            Ok(outgoing) => outgoing,
            Err(too_large) => {
                self.shared.tell_too_large(too_large);
                return self.reply(&message::plain("error", &too_large.to_string())).await;
            }
        };
        if self.greeting.is_none() {
            self.shared.store.offered(label.timestamp);
        }
        // Meanwhile nothing of it is pushed there, too.
        let peers: Vec<Served> = self.peers().into_iter().map(Served::begin).collect();
        for frame in outgoing.frames() {
            self.reply(frame.as_ref()).await?;
        }
        drop(peers);
        Ok(())
    }

    /// Peers of ours that are the node at the other end.
    fn peers(&self) -> Vec<Arc<Peer>> {
        let Some(greeting) = &self.greeting else { return Vec::new() };
        self.shared.of_node(&greeting.node_id)
    }

    /// A snapshot in parts begins. One is taken in at a time, whoever sends it; the others wait, and so do their senders.
    async fn begin(&mut self, begin: Begin) -> Result<(), FrameError> {
        self.incoming = None;
        // The semaphore is never closed.
        if let Ok(turn) = Arc::clone(&self.shared.long_ones).acquire_owned().await {
            self.incoming = Some((Incoming::new(begin), turn));
        }
        Ok(())
    }

    async fn end(&mut self) -> Result<(), FrameError> {
        let Some((incoming, _turn)) = self.incoming.take() else { return Ok(()) };
        match beside(move || incoming.finish()).await {
            Ok(prepared) => self.take(prepared).await,
            Err(bad) => self.refuse_parts(Err(bad)),
        }
    }

    /// A fault in one part is one in all of it (R8). Its sender waits for an answer, and gets it by the end of the connection.
    fn refuse_parts(&mut self, taken: Result<(), BadFrame>) -> Result<(), FrameError> {
        let Err(bad) = taken else { return Ok(()) };
        self.incoming = None;
        self.shared.inbound.bad_frame(self.from, &bad);
        Err(FrameError::Refused)
    }

    /// A snapshot or a difference. Only who agreed to `ack` gets an answer to it.
    async fn take(&mut self, prepared: Prepared) -> Result<(), FrameError> {
        let (label, hash) = (prepared.label.clone(), prepared.hash);
        // A sequence that repeats is news only from the node that writes it, which for existing nodes is who pushes.
        let writer_held = match self.kind() {
            Kind::Existing => self.shared.writer_held(&label.node_id),
            Kind::Ours => None,
        };
        let via = format!("pushed from {}", self.from);
        let peer = self.greeting.as_ref().map(|greeting| greeting.node_id.clone());
        let source = Source { via, kind: self.kind(), peer, acknowledged: u64::MAX, not_before: None, writer_held };
        match offer::take(self.shared, prepared, &source).await {
            Ok(taken) => {
                let Taken { outcome, hash: ours } = &taken;
                offer::note_for_peers(&self.shared.of_node(&label.node_id), outcome);
                self.learn(&label, hash, outcome);
                self.acknowledge(&label, outcome, *ours).await
            }
            Err(error) => {
                warn!(sender = label.node_id, %error, "a peer's snapshot could not be stored; it is not marked as seen");
                // Without an answer the sender tries again, which is what should happen.
                if self.features.ack { Err(FrameError::Refused) } else { Ok(()) }
            }
        }
    }

    /// Who sent us this holds it.
    fn learn(&self, label: &Label, hash: ContentHash, outcome: &Outcome) {
        if self.greeting.is_none() {
            self.shared.of_node(&label.node_id).iter().for_each(|peer| peer.it_holds(hash));
        }
        for peer in self.peers() {
            let mut known = peer.known();
            (known.hash, known.holds) = (Some(hash), Some(label.clone()));
            drop(known);
            if !matches!(outcome, Outcome::Applied { .. } | Outcome::NeedFull) {
                self.shared.compare(&peer);
            }
        }
    }

    async fn acknowledge(&mut self, label: &Label, outcome: &Outcome, ours: ContentHash) -> Result<(), FrameError> {
        if !self.features.ack {
            return Ok(());
        }
        let (word, reason) = match outcome {
            Outcome::Applied { .. } => (Word::Applied, ""),
            Outcome::Duplicate => (Word::Duplicate, ""),
            Outcome::NeedFull => (Word::NeedFull, ""),
            Outcome::Refused(reason) => (Word::Refused, reason.as_str()),
        };
        self.reply(&extension::ack(label, word, reason, ours)).await
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

/// A peer that is being sent our records because it asked.
struct Served(Arc<Peer>);

impl Served {
    fn begin(peer: Arc<Peer>) -> Self {
        peer.known().being_served += 1;
        Self(peer)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.0.known().being_served -= 1;
        // A push may have waited for this.
        self.0.poke.notify_one();
    }
}
