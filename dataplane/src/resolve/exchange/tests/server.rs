//! Servers of streams that keep to a script, and certificates.

use crate::{listen::framing::next_message, resolve::exchange::tls::FAREWELL};
use bytes::{Buf, BytesMut};
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

/// What a server does with the queries of a connection.
#[derive(Clone, Copy)]
pub(super) enum Script {
    /// Answers each.
    Answers,
    /// Answers the first, and closes.
    ClosesAfterEach,
    /// Waits for so many, and answers the last first.
    Backwards(usize),
    /// Reads, and says nothing on the first connection; answers on all others.
    SilentAtFirst,
    /// Answers another question.
    OtherQuestion,
    /// Closes each connection without a word.
    Closes,
}

/// A server that is there until it is dropped.
pub(super) struct Scripted {
    pub(super) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    tasks: JoinSet<()>,
}

impl Scripted {
    pub(super) async fn tcp(script: Script) -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), script, None).await
    }

    pub(super) async fn tls(script: Script, config: ServerConfig) -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), script, Some(config)).await
    }

    pub(super) async fn at(address: SocketAddr, script: Script, tls: Option<ServerConfig>) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(
            listener,
            script,
            Arc::clone(&connections),
            tls.map(|tls| TlsAcceptor::from(Arc::new(tls))),
        ));
        Self { address, connections, tasks }
    }

    /// How many connections there were.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Relaxed)
    }

    /// Ends it and its connections; its address is free then.
    pub(super) async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

async fn accept(listener: TcpListener, script: Script, count: Arc<AtomicUsize>, tls: Option<TlsAcceptor>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let nth = count.fetch_add(1, Relaxed);
        let tls = tls.clone();
        connections.spawn(async move { begin(stream, script, nth, tls).await });
    }
}

async fn begin(stream: TcpStream, script: Script, nth: usize, tls: Option<TlsAcceptor>) {
    match tls {
        None => converse(stream, script, nth).await,
        Some(acceptor) => {
            if let Ok(stream) = acceptor.accept(stream).await {
                converse(stream, script, nth).await;
            }
        }
    }
}

async fn converse(mut stream: impl AsyncRead + AsyncWrite + Unpin, script: Script, nth: usize) {
    let (mut buffer, mut held) = (BytesMut::new(), Vec::new());
    while !matches!(script, Script::Closes) && stream.read_buf(&mut buffer).await.is_ok_and(|read| read > 0) {
        while let Some(query) = next_message(&buffer).map(<[u8]>::to_vec) {
            buffer.advance(query.len() + 2);
            match script {
                Script::SilentAtFirst if nth == 0 => continue,
                Script::OtherQuestion => held.push(renamed(reply_to(&query))),
                _ => held.push(reply_to(&query)),
            }
            if matches!(script, Script::Backwards(count) if held.len() < count) {
                continue;
            }
            while let Some(reply) = held.pop() {
                let length = u16::try_from(reply.len()).unwrap().to_be_bytes();
                if stream.write_all(&[&length[..], &reply].concat()).await.is_err() {
                    return;
                }
            }
            if matches!(script, Script::ClosesAfterEach) {
                let _ = tokio::time::timeout(FAREWELL, stream.shutdown()).await;
                return;
            }
        }
    }
}

/// A response without records.
pub(super) fn reply_to(query: &[u8]) -> Vec<u8> {
    let mut reply = query.to_vec();
    reply[2] |= 0x80;
    reply[3] |= 0x80;
    reply
}

fn renamed(mut reply: Vec<u8>) -> Vec<u8> {
    reply[13] ^= 0x02;
    reply
}

/// An authority that nobody knows, and certificates of it.
pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        Self { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap() }
    }

    pub(super) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A server whose certificate is for these names, or addresses.
    pub(super) fn server(&self, names: &[&str], protocol: &str) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let names = names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let mut config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        config
    }
}
