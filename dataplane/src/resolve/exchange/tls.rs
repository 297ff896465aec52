//! Whom we believe to be the server, and the handshake that shows it (RFC 8310 §8.1: a name, or the address).

use super::{ExchangeError, witness::Witness};
use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

/// For the farewell of a connection that nobody needs any more.
pub(super) const FAREWELL: Duration = Duration::from_millis(500);

/// Authorities that certificates of servers are believed from, and sessions that may be resumed. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Trust {
    stream: Arc<ClientConfig>,
    https: Arc<ClientConfig>,
    judge: Arc<WebPkiServerVerifier>,
}

impl Trust {
    /// The public authorities, and those of `roots` (PEM). One that cannot be read is left out, and said so.
    pub fn new(roots: &[u8]) -> Self {
        let mut store = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for certificate in CertificateDer::pem_slice_iter(roots) {
            let added = certificate
                .map_err(|error| error.to_string())
                .and_then(|certificate| store.add(certificate).map_err(|error| error.to_string()));
            if let Err(error) = added {
                tracing::warn!(
                    "a certificate of the authorities for upstream servers is left out, it cannot be read: {error}"
                );
            }
        }
        let provider = Arc::new(ring::default_provider());
        let judge = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider).build();
        // The builder complains of revocation lists, and of a store without authorities. Ours has the public ones.
        let judge = judge.unwrap_or_else(|_| unreachable!("there are public authorities"));
        let stream = config(Arc::clone(&judge) as _, b"dot", rustls::ALL_VERSIONS);
        let https = config(Arc::clone(&judge) as _, b"h2", rustls::ALL_VERSIONS);
        Self { stream, https, judge }
    }

    /// For DNS over TLS (RFC 7858).
    pub(super) fn stream(&self) -> &Arc<ClientConfig> {
        &self.stream
    }

    /// For HTTP/2.
    pub(super) fn https(&self) -> &Arc<ClientConfig> {
        &self.https
    }

    /// For DNS over QUIC (RFC 9250), which has TLS 1.3 in it; and who knows afterwards why a certificate was not believed.
    pub(super) fn quic(&self) -> (Arc<ClientConfig>, Arc<Witness>) {
        let witness = Arc::new(Witness::new(&self.judge));
        (config(Arc::clone(&witness) as _, b"doq", &[&rustls::version::TLS13]), witness)
    }
}

fn config(
    verifier: Arc<dyn ServerCertVerifier>,
    protocol: &[u8],
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    // ring has cipher suites of both versions, which is all that this could complain of.
    let builder = builder.with_protocol_versions(versions);
    let builder = builder.unwrap_or_else(|_| unreachable!("ring speaks TLS 1.2 and 1.3"));
    // Dangerous would be a verifier that believes what it should not: ours is the usual one, or asks it.
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    let mut config = builder.with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    Arc::new(config)
}

/// Whom a certificate must name, and how we talk.
#[derive(Debug)]
pub(super) struct Tls {
    server: SocketAddr,
    name: ServerName<'static>,
    config: Arc<ClientConfig>,
    protocol: &'static str,
}

impl Tls {
    /// Believes whoever shows a certificate for this name; if it is empty, for the address.
    pub(super) fn new(
        server: SocketAddr,
        name: &str,
        config: &Arc<ClientConfig>,
        protocol: &'static str,
    ) -> Result<Self, ExchangeError> {
        Ok(Self { server, name: server_name(server, name)?, config: Arc::clone(config), protocol })
    }

    /// Returns when the server has shown who it is.
    pub(super) async fn handshake(&self, stream: TcpStream) -> Result<TlsStream<TcpStream>, ExchangeError> {
        let connector = TlsConnector::from(Arc::clone(&self.config));
        let stream = connector.connect(self.name.clone(), stream).await;
        stream.map_err(|error| ExchangeError::of_handshake(self.server, self.protocol, error))
    }
}

/// Whom a certificate must name: this name, or the address if it is empty.
pub(super) fn server_name(server: SocketAddr, name: &str) -> Result<ServerName<'static>, ExchangeError> {
    match name.trim_end_matches('.') {
        "" => Ok(ServerName::IpAddress(server.ip().into())),
        name => ServerName::try_from(name.to_owned()).map_err(|_| ExchangeError::BadName { name: name.to_owned() }),
    }
}

/// A TCP connection that sends what it is given at once.
pub(super) async fn connect(server: SocketAddr) -> Result<TcpStream, ExchangeError> {
    let stream = TcpStream::connect(server).await;
    let stream = stream.and_then(|stream| stream.set_nodelay(true).map(|()| stream));
    stream.map_err(|error| ExchangeError::Connect { server, source: Arc::new(error) })
}
