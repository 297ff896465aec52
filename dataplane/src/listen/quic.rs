//! DNS over QUIC (RFC 9250): each query has a stream of its own.
//!
//! Handshakes are tasks, so that one that stalls delays nobody. While many are under way, an address must show that it
//! receives what we send before more is done for it (RFC 9000 §8.1.2). A connection takes its place when its handshake is
//! done: an address that somebody else writes into datagrams takes none.

use super::{
    desk::{Desk, NoReply},
    framing::{PREFIX, next_message},
    places::{Place, Places},
};
use crate::{answer::Transport, message::Query};
use quinn::{
    Connection, Endpoint, EndpointConfig, Incoming, RecvStream, SendStream, ServerConfig, TokioRuntime,
    TransportConfig, VarInt,
    crypto::rustls::{NoInitialCipherSuite, QuicServerConfig},
};
use socket2::{Protocol, Type};
use std::{
    io,
    net::{SocketAddr, UdpSocket},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// RFC 9250 §4.1.1.
pub(super) const ALPN: &[&[u8]] = &[b"doq"];

/// Error codes of RFC 9250 §4.3.
mod code {
    pub(super) const NO_ERROR: u32 = 0;
    pub(super) const INTERNAL_ERROR: u32 = 1;
    pub(super) const PROTOCOL_ERROR: u32 = 2;
    pub(super) const EXCESSIVE_LOAD: u32 = 4;
}

/// Queries that one connection may have under way.
const MAX_STREAMS: u32 = 100;
/// Handshakes under way in all.
const MAX_HANDSHAKES: usize = 256;
/// … beyond which an address must show that it is one.
const TRUSTING: usize = 32;
/// Octets that are kept of a handshake until it is looked at.
const MAX_EARLY: u64 = 16 << 10;
/// A query of the largest size, with its length.
const MAX_STREAM: usize = PREFIX + u16::MAX as usize;
/// How long connections have to hear that we are gone.
const GOODBYE: Duration = Duration::from_secs(1);

/// Opens the socket of an address.
pub(super) fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = super::socket(address, Type::DGRAM, Protocol::UDP)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// What QUIC makes of this TLS configuration.
pub(super) fn config(tls: rustls::ServerConfig, idle: Duration) -> Result<ServerConfig, NoInitialCipherSuite> {
    let mut config = ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls)?));
    config.max_incoming(MAX_HANDSHAKES);
    config.incoming_buffer_size(MAX_EARLY).incoming_buffer_size_total(MAX_EARLY * MAX_HANDSHAKES as u64);
    let mut transport = TransportConfig::default();
    transport.max_concurrent_bidi_streams(MAX_STREAMS.into()).max_concurrent_uni_streams(VarInt::from_u32(0));
    transport.stream_receive_window(VarInt::from_u32(MAX_STREAM as u32));
    transport.receive_window(VarInt::from_u32(4 * MAX_STREAM as u32)).send_window(4 * MAX_STREAM as u64);
    transport.datagram_receive_buffer_size(None);
    transport.max_idle_timeout(idle.try_into().ok());
    config.transport_config(Arc::new(transport));
    Ok(config)
}

/// A socket that QUIC is spoken on.
pub(super) fn open(socket: UdpSocket, config: ServerConfig) -> io::Result<Endpoint> {
    Endpoint::new(EndpointConfig::default(), Some(config), socket, Arc::new(TokioRuntime))
}

/// Accepts connections until `stop`; queries that are under way then are still answered.
pub(super) async fn serve(endpoint: Endpoint, desk: Arc<Desk>, stop: CancellationToken) {
    let handshakes = Arc::new(Semaphore::new(MAX_HANDSHAKES));
    let connections = TaskTracker::new();
    loop {
        let incoming = tokio::select! {
            () = stop.cancelled() => break,
            incoming = endpoint.accept() => incoming,
        };
        let Some(incoming) = incoming else { break };
        let Ok(handshake) = handshakes.clone().try_acquire_owned() else {
            incoming.ignore();
            continue;
        };
        if MAX_HANDSHAKES - handshakes.available_permits() > TRUSTING && incoming.may_retry() {
            // It comes again, and costs nothing until then.
            let _ = incoming.retry();
            continue;
        }
        let (desk, stop) = (desk.clone(), stop.clone());
        connections.spawn(async move {
            let connection = shake_hands(incoming, &desk).await;
            drop(handshake);
            if let Some(connection) = connection {
                answer_all(connection, desk, stop).await;
            }
        });
    }
    connections.close();
    connections.wait().await;
    endpoint.close(code::NO_ERROR.into(), b"");
    let _ = timeout(GOODBYE, endpoint.wait_idle()).await;
}

async fn shake_hands(incoming: Incoming, desk: &Desk) -> Option<Connection> {
    match timeout(desk.patience.handshake, incoming).await {
        Ok(Ok(connection)) => Some(connection),
        Ok(Err(_)) | Err(_) => {
            desk.counters.handshakes_failed.add(1);
            None
        }
    }
}

async fn answer_all(connection: Connection, desk: Arc<Desk>, stop: CancellationToken) {
    let Some((place, evicted)) = Places::enter(&desk.places, connection.remote_address().ip()) else {
        desk.counters.tcp_rejected.add(1);
        return connection.close(code::EXCESSIVE_LOAD.into(), b"");
    };
    desk.counters.doq_connections.add(1);
    desk.counters.tcp_evicted.add(u64::from(evicted));
    let place = Arc::new(place);
    let queries = TaskTracker::new();
    loop {
        let stream = tokio::select! {
            stream = connection.accept_bi() => stream,
            () = place.wanted() => return connection.close(code::EXCESSIVE_LOAD.into(), b""),
            () = stop.cancelled() => break,
        };
        // Closed by the client, or silent for too long.
        let Ok((send, receive)) = stream else { return };
        place.used(Instant::now() + desk.longest_wait());
        let visit = Visit { connection: connection.clone(), desk: desk.clone(), place: place.clone() };
        queries.spawn(visit.answer(send, receive));
    }
    queries.close();
    // Each is over when its reply was fetched, and then needs a moment to arrive.
    let _ = timeout(desk.longest_wait(), queries.wait()).await;
    connection.close(code::NO_ERROR.into(), b"");
}

/// One query of a connection.
struct Visit {
    connection: Connection,
    desk: Arc<Desk>,
    place: Arc<Place>,
}

impl Visit {
    async fn answer(self, mut send: SendStream, mut receive: RecvStream) {
        // The end of the stream says that the query is whole (RFC 9250 §4.2).
        let received = timeout(self.desk.patience.idle, receive.read_to_end(MAX_STREAM)).await;
        let stream = match received {
            Ok(Ok(stream)) => stream,
            Ok(Err(quinn::ReadToEndError::TooLong)) => return self.protocol_error(),
            // Cancelled by the client.
            Ok(Err(quinn::ReadToEndError::Read(_))) => return,
            Err(_) => return self.desk.counters.tcp_timeouts.add(1),
        };
        let Some(query) = only_message(&stream) else { return self.protocol_error() };
        let address = self.connection.remote_address().ip();
        match self.desk.reply_to(query, Transport::Quic, address).await {
            Ok(reply) => self.send(&mut send, &reply).await,
            Err(NoReply::NotAQuery) => self.protocol_error(),
            Err(NoReply::Nothing) => drop(send.reset(code::INTERNAL_ERROR.into())),
        }
        self.place.used(Instant::now());
    }

    async fn send(&self, stream: &mut SendStream, reply: &[u8]) {
        let Ok(length) = u16::try_from(reply.len()) else { return };
        let framed = [&length.to_be_bytes(), reply].concat();
        let sent = timeout(self.desk.patience.write, async {
            stream.write_all(&framed).await.ok()?;
            stream.finish().ok()?;
            // Until it has arrived: the connection may be closed right after.
            stream.stopped().await.ok()
        });
        if sent.await.is_err() {
            self.desk.counters.tcp_timeouts.add(1);
        }
    }

    fn protocol_error(&self) {
        self.connection.close(code::PROTOCOL_ERROR.into(), b"");
    }
}

/// The query of a stream that keeps to RFC 9250: one message with its length (§4.2), its id 0 (§4.2.1), and without the
/// option that is for TCP alone (§5.5.2).
fn only_message(stream: &[u8]) -> Option<&[u8]> {
    let message = next_message(stream)?;
    let is_all = PREFIX + message.len() == stream.len();
    let asks_for_tcp = || Query::parse(message).is_ok_and(|query| query.edns.is_some_and(|edns| edns.keepalive));
    (is_all && message.starts_with(&[0, 0]) && !asks_for_tcp()).then_some(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc9250_s4_3_3_a_stream_is_one_query_with_id_0() {
        let query = b"\0\0\x01\0\0\x01\0\0\0\0\0\0\0\0\x02\0\x01";
        let stream = |message: &[u8]| [&(message.len() as u16).to_be_bytes(), message].concat();
        assert_eq!(only_message(&stream(query)), Some(&query[..]));
        let mut keepalive = [&query[..], b"\0\0\x29\x04\xd0\0\0\0\0\0\x04\0\x0b\0\0"].concat();
        keepalive[11] = 1;
        for (why, stream) in [
            ("an id", stream(&[&[0, 1], &query[2..]].concat())),
            ("more behind it", [&stream(query)[..], &[0]].concat()),
            ("two", [stream(query), stream(query)].concat()),
            ("cut", stream(query)[..18].to_vec()),
            ("no length", vec![0]),
            ("nothing", vec![]),
            ("edns-tcp-keepalive", stream(&keepalive)),
        ] {
            assert_eq!(only_message(&stream), None, "{why}");
        }
    }
}
