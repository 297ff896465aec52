//! Questions to servers that are asked over a connection: TCP, TLS, HTTPS and QUIC.
//!
//! ```text
//! engine → Client → Pool (which connection, opens, retries, closes) → Link of its way (stream | https | quic)
//! ```
//! Connections are kept while they are used, and carry many questions at once (RFC 7766 §6.2.1.1). A server may close one at
//! any time, so a question that met the end of a kept connection is asked again on a new one; asking twice does no harm. The
//! message id is the caller's own affair: on the wire there is another, and the reply carries the caller's again.
//!
//! Plain UDP is the engine's own. A server of datagrams has a client here too, for what datagrams do not carry (TC).

mod error;
mod https;
mod pool;
mod quic;
mod reply;
mod stream;
#[cfg(test)]
mod tests;
mod tls;
mod witness;

pub use error::ExchangeError;
pub use tls::Trust;

use dnsplane_proto::{Server, Way};
use https::Https;
use pool::Pool;
use quic::Quic;
use std::{sync::Arc, time::Instant};
use stream::Stream;

/// One server that is asked over connections. Cheap to clone; all clones share the connections, on whatever runtime they are.
#[derive(Clone, Debug)]
pub struct Client {
    way: Arc<Connections>,
}

/// The connections to the server, by how it is reached.
#[derive(Debug)]
enum Connections {
    Stream(Pool<Stream>),
    Https(Pool<Https>),
    Quic(Pool<Quic>),
}

impl Client {
    /// Opens nothing yet. A server of datagrams is asked over TCP.
    pub fn new(server: &Server, trust: &Trust) -> Self {
        let way = match &server.way {
            Way::Udp | Way::Tcp => Connections::Stream(Pool::new(Stream::plain(server.address))),
            Way::Tls { name } => Connections::Stream(Pool::new(Stream::tls(server.address, name, trust))),
            Way::Https { name, path } => Connections::Https(Pool::new(Https::new(server.address, name, path, trust))),
            Way::Quic { name } => Connections::Quic(Pool::new(Quic::new(server.address, name, trust))),
        };
        Self { way: Arc::new(way) }
    }

    /// The server's reply to a query of one question: a message with the id of the query, QR set and the same question, of at
    /// most 65,535 octets. Nothing else in it has been looked at. May be dropped at any time.
    ///
    /// Must be called on a tokio runtime with I/O and time.
    pub async fn exchange(&self, query: &[u8], deadline: Instant) -> Result<Vec<u8>, ExchangeError> {
        match &*self.way {
            Connections::Stream(pool) => pool.exchange(query, deadline).await,
            Connections::Https(pool) => pool.exchange(query, deadline).await,
            Connections::Quic(pool) => pool.exchange(query, deadline).await,
        }
    }
}
