//! Answers over TCP (RFC 7766): many questions per read, all their replies in one write.
//!
//! [`connection`] is the part that TLS has, too; [`carrier`] is where they differ.

mod carrier;
pub(super) mod connection;
mod late;

use super::{
    desk::Desk,
    places::{Place, Places},
};
use crate::answer::Transport;
use connection::Connection;
use socket2::{Domain, Protocol, Socket, Type};
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// Queue of the kernel for connections that were not accepted yet.
const BACKLOG: i32 = 1024;

/// Opens the listening socket of an address. `SO_REUSEPORT`, so that a wildcard and an address by name can follow each
/// other without a gap.
pub(super) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = super::socket(address, Type::STREAM, Protocol::TCP)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Whether another process listens on this address. One of the same user could share it with us through `SO_REUSEPORT`,
/// and connections would then go to either; a socket without that option is told.
pub(super) fn is_taken(address: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())
}

/// Accepts connections until `stop`; those that are open then finish what they are at.
pub(super) async fn serve(listener: TcpListener, desk: Arc<Desk>, stop: CancellationToken) {
    while let Some((stream, place)) = accept(&listener, &desk, &stop).await {
        desk.counters.tcp_connections.add(1);
        let connection = Connection::new(stream, Transport::Tcp, place, desk.clone());
        desk.tasks.spawn(connection.run(stop.clone()));
    }
}

/// The next connection that there is a place for; `None`: it is time to stop.
pub(super) async fn accept(
    listener: &TcpListener,
    desk: &Desk,
    stop: &CancellationToken,
) -> Option<(TcpStream, Place)> {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return None,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, client)) = accepted else {
            // Out of file descriptors, most likely. The kernel keeps the queue meanwhile.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        if let Some((place, evicted)) = Places::enter(&desk.places, client.ip()) {
            desk.counters.tcp_evicted.add(u64::from(evicted));
            // Whole batches are written at once; waiting for more to send would only add delay.
            let _ = stream.set_nodelay(true);
            return Some((stream, place));
        }
        desk.counters.tcp_rejected.add(1);
    }
}

#[cfg(test)]
mod tests;
