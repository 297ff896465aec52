//! DNS over TLS (RFC 7858): connections as over TCP, behind a handshake. Also what HTTPS needs of TLS.

use super::{
    certificate::Identity,
    desk::Desk,
    places::Place,
    tcp::{self, connection::Connection},
};
use crate::answer::Transport;
use rustls::{ServerConfig, crypto::ring, server::ProducesTickets};
use std::sync::Arc;
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;

/// How a client says that it wants DNS over TLS (RFC 7858 §3.1 has the port for it; RFC 9461 §6 registers the name).
pub(super) const ALPN: &[&[u8]] = &[b"dot"];

/// TLS 1.2 and 1.3 with the newest pair of this identity.
pub(super) fn config(
    identity: &Identity,
    tickets: Option<&Arc<dyn ProducesTickets>>,
    alpn: &[&[u8]],
) -> Result<ServerConfig, rustls::Error> {
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions()?.with_no_client_auth();
    let mut config = builder.with_cert_resolver(identity.resolver());
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    // What a client may resume with is kept by the client: it costs us no memory.
    if let Some(tickets) = tickets {
        config.ticketer = tickets.clone();
        config.send_tls13_tickets = 1;
    }
    Ok(config)
}

/// Accepts connections until `stop`.
pub(super) async fn serve(listener: TcpListener, config: Arc<ServerConfig>, desk: Arc<Desk>, stop: CancellationToken) {
    let acceptor = TlsAcceptor::from(config);
    while let Some((stream, place)) = tcp::accept(&listener, &desk, &stop).await {
        desk.counters.dot_connections.add(1);
        let (acceptor, from, stop) = (acceptor.clone(), desk.clone(), stop.clone());
        desk.tasks.spawn(async move {
            if let Some(stream) = handshake(stream, &acceptor, &place, &from, &stop).await {
                Connection::new(stream, Transport::Tls, place, from).run(stop).await;
            }
        });
    }
}

/// A connection after its handshake, if there is one in time. It has a place meanwhile, which others can have if it says
/// nothing: that is what bounds handshakes under way.
pub(super) async fn handshake(
    stream: TcpStream,
    acceptor: &TlsAcceptor,
    place: &Place,
    desk: &Desk,
    stop: &CancellationToken,
) -> Option<TlsStream<TcpStream>> {
    let done = tokio::select! {
        done = timeout(desk.patience.handshake, acceptor.accept(stream)) => done,
        () = place.wanted() => return None,
        () = stop.cancelled() => return None,
    };
    match done {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err(_)) | Err(_) => {
            desk.counters.handshakes_failed.add(1);
            None
        }
    }
}
