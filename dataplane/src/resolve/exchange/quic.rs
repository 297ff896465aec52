//! DNS over QUIC (RFC 9250): one stream per question, the id 0, the length in front of both messages.
//!
//! quinn as it is, and not hickory's client over the same quinn: that one parses each reply and would have us write it anew.

use super::{
    ExchangeError, Trust, error,
    pool::{Connect, Link},
    reply::{self, MAX_MESSAGE},
    tls::server_name,
    witness::Witness,
};
use crate::listen::framing::{PREFIX, next_message};
use quinn::{
    ClientConfig, Connection, ConnectionError, Endpoint, IdleTimeout, ReadToEndError, TransportConfig,
    TransportErrorCode, VarInt,
    crypto::rustls::{NoInitialCipherSuite, QuicClientConfig},
};
use rustls::pki_types::ServerName;
use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

/// The server forgets a connection that was silent for so long; the pool closes it earlier.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);
/// RFC 9250 §8.4.
const DOQ_NO_ERROR: VarInt = VarInt::from_u32(0);

/// What we say we speak.
const PROTOCOL: &str = "DNS over QUIC";

/// How connections to a server of DNS over QUIC are opened.
#[derive(Debug)]
pub(super) struct Quic {
    server: SocketAddr,
    target: Result<Target, ExchangeError>,
}

#[derive(Debug)]
struct Target {
    name: ServerName<'static>,
    config: ClientConfig,
    witness: Arc<Witness>,
}

impl Quic {
    pub(super) fn new(server: SocketAddr, name: &str, trust: &Trust) -> Self {
        let target = server_name(server, name).and_then(|name| {
            let (tls, witness) = trust.quic();
            let config = config(tls).map_err(|_| ExchangeError::Protocol { server, protocol: PROTOCOL })?;
            Ok(Target { name, config, witness })
        });
        Self { server, target }
    }

    /// Of what TLS found wrong QUIC tells a number and a text.
    fn refused(&self, witness: &Witness, error: ConnectionError) -> ExchangeError {
        const NO_APPLICATION_PROTOCOL: u8 = 120;
        let server = self.server;
        let closed = match &error {
            ConnectionError::ConnectionClosed(close) => Some(close.error_code),
            ConnectionError::TransportError(error) => Some(error.code),
            _ => None,
        };
        match witness.take() {
            Some(error) => ExchangeError::of_tls(server, PROTOCOL, error),
            None if closed == Some(TransportErrorCode::crypto(NO_APPLICATION_PROTOCOL)) => {
                ExchangeError::Protocol { server, protocol: PROTOCOL }
            }
            None => ExchangeError::Connect { server, source: Arc::new(error.into()) },
        }
    }
}

fn config(tls: Arc<rustls::ClientConfig>) -> Result<ClientConfig, NoInitialCipherSuite> {
    let mut transport = TransportConfig::default();
    // A server has nothing to say unasked.
    transport.max_concurrent_bidi_streams(VarInt::from_u32(0)).max_concurrent_uni_streams(VarInt::from_u32(0));
    transport.max_idle_timeout(IdleTimeout::try_from(IDLE_TIMEOUT).ok());
    let mut config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?));
    config.transport_config(Arc::new(transport));
    Ok(config)
}

impl Connect for Quic {
    type Link = QuicLink;

    async fn connect(&self) -> Result<QuicLink, ExchangeError> {
        let server = self.server;
        let Target { name, config, witness } = self.target.as_ref().map_err(Clone::clone)?;
        let unreachable = |error| ExchangeError::Connect { server, source: Arc::new(error) };
        // A socket of its own for each connection: its port is the kernel's choice.
        let any = if server.is_ipv6() { (Ipv6Addr::UNSPECIFIED, 0).into() } else { (Ipv4Addr::UNSPECIFIED, 0).into() };
        let endpoint = Endpoint::client(any).map_err(unreachable)?;
        let connecting = endpoint.connect_with(config.clone(), server, &name.to_str());
        let connecting = connecting.map_err(|error| unreachable(io::Error::other(error)))?;
        witness.take();
        let connection = connecting.await.map_err(|error| self.refused(witness, error))?;
        Ok(QuicLink { connection })
    }
}

/// A QUIC connection.
#[derive(Debug)]
pub(super) struct QuicLink {
    connection: Connection,
}

impl Link for QuicLink {
    async fn ask(&self, query: &[u8]) -> Result<Vec<u8>, ExchangeError> {
        let length = u16::try_from(query.len()).map_err(|_| ExchangeError::BadQuery)?;
        let (mut send, mut receive) = self.connection.open_bi().await.map_err(|error| lost(&error))?;
        let message = [length.to_be_bytes().as_slice(), &reply::with_id(query, [0, 0])].concat();
        send.write_all(&message).await.map_err(|error| lost(&error))?;
        let _ = send.finish(); // fails only if the server wants no more of it, and then it has what it wants
        let reply = receive.read_to_end(PREFIX + MAX_MESSAGE).await.map_err(|error| match error {
            ReadToEndError::TooLong => ExchangeError::TooLong,
            ReadToEndError::Read(error) => lost(&error),
        })?;
        next_message(&reply).map(<[u8]>::to_vec).ok_or(ExchangeError::OtherQuestion)
    }

    fn is_open(&self) -> bool {
        self.connection.close_reason().is_none()
    }
}

impl Drop for QuicLink {
    fn drop(&mut self) {
        self.connection.close(DOQ_NO_ERROR, b"");
    }
}

fn lost(error: &(dyn std::error::Error + 'static)) -> ExchangeError {
    ExchangeError::lost(error::text(error))
}
