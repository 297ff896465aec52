//! Claims about doors as clients find them: rustls and quinn on the other side.

use super::*;
use crate::{Cookies, Current, Snapshot, counters::Registry, listen::desk::Patience};
use dnsplane_proto::Door;
use quinn::{ConnectionError, Endpoint, VarInt, crypto::rustls::QuicClientConfig};
use rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::CertificateDer};
use std::{fs, time::Duration};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// Longest wait for anything here.
const LIMIT: Duration = Duration::from_secs(30);

/// Doors on ports of their own, with a certificate for `localhost`, answering from an empty snapshot.
struct Fixture {
    doors: Doors,
    wanted: dnsplane_proto::Doors,
    certificate: CertificateDer<'static>,
    registry: Registry,
    folder: TempDir,
}

impl Fixture {
    async fn new(patience: Patience) -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: String| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let door = Door {
            listen: vec!["127.0.0.1:0".parse().unwrap()],
            certificate: file("chain.pem", made.cert.pem()),
            key: file("key.pem", made.signing_key.serialize_pem()),
            path: "/dns-query".to_owned(),
        };
        let wanted = dnsplane_proto::Doors { tls: Some(door.clone()), https: Some(door.clone()), quic: Some(door) };
        let registry = Registry::default();
        let current = Arc::new(Current::new(Snapshot::empty()));
        let cookies = Arc::new(Cookies::with_secret([0; 16]));
        let desk =
            Desk::new(current, &registry, cookies, Arc::default(), Arc::new(|_, _| {}), Arc::default(), patience);
        let doors = Doors::new(desk);
        let mut fixture = Self { doors, wanted, certificate: made.cert.der().clone(), registry, folder };
        assert_eq!(fixture.until(|doors| doors.open.len() == 3).await, [""; 0]);
        fixture
    }

    /// Has the doors match until it is so; returns what was wrong then.
    async fn until(&mut self, is_so: impl Fn(&Doors) -> bool) -> Vec<String> {
        let matched = async {
            loop {
                let errors = self.doors.match_to(&self.wanted);
                if is_so(&self.doors) {
                    break errors;
                }
                self.doors.news().await;
            }
        };
        timeout(LIMIT, matched).await.expect("it comes to be so")
    }

    fn at(&self, kind: Kind) -> SocketAddr {
        let (_, open) = self.doors.open.iter().find(|((this, _), _)| *this == kind).expect("a door of this kind");
        open.bound
    }

    fn client(&self, alpn: &[&[u8]]) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        config
    }

    async fn tls(&self) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(self.at(Kind::Tls)).await.unwrap();
        let connector = TlsConnector::from(Arc::new(self.client(tls::ALPN)));
        connector.connect("localhost".try_into().unwrap(), stream).await.unwrap()
    }

    async fn quic(&self) -> quinn::Connection {
        let mut endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
        let config = QuicClientConfig::try_from(self.client(quic::ALPN)).unwrap();
        endpoint.set_default_client_config(quinn::ClientConfig::new(Arc::new(config)));
        endpoint.connect(self.at(Kind::Quic), "localhost").unwrap().await.unwrap()
    }

    fn count(&self, name: &str) -> u64 {
        self.registry.totals().iter().find(|(counter, _)| *counter == name).expect("a counter").1
    }
}

/// A question for the root's NS, with its length in front. Its reply, REFUSED, is as long.
fn question(id: u16) -> [u8; 19] {
    let [high, low] = id.to_be_bytes();
    [0, 17, high, low, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1]
}

/// Asks in a stream of its own.
async fn ask(connection: &quinn::Connection, octets: &[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let (mut send, mut receive) = connection.open_bi().await?;
    send.write_all(octets).await?;
    send.finish()?;
    Ok(receive.read_to_end(1000).await?)
}

#[tokio::test]
async fn rfc7858_s3_3_questions_in_a_row_are_all_answered_over_tls() {
    let fixture = Fixture::new(Patience::default()).await;
    let (mut reader, mut writer) = tokio::io::split(fixture.tls().await);
    let send = async {
        for id in 0..3000 {
            writer.write_all(&question(id)).await.unwrap();
        }
        writer.flush().await.unwrap();
    };
    let receive = async {
        for id in 0..3000u16 {
            let mut reply = [0; 19];
            reader.read_exact(&mut reply).await.unwrap();
            assert_eq!((&reply[2..4], reply[5] & 15), (&id.to_be_bytes()[..], 5));
        }
    };
    timeout(LIMIT, async { tokio::join!(send, receive) }).await.unwrap();
    assert_eq!((fixture.count("dot_queries"), fixture.count("dot_connections")), (3000, 1));
}

#[tokio::test]
async fn who_says_nothing_in_a_handshake_delays_nobody_and_is_closed() {
    let patience = Patience { handshake: Duration::from_millis(300), ..Patience::default() };
    let fixture = Fixture::new(patience).await;
    let mut silent = Vec::new();
    for kind in [Kind::Tls, Kind::Https] {
        for _ in 0..20 {
            silent.push(TcpStream::connect(fixture.at(kind)).await.unwrap());
        }
    }
    let mut stream = fixture.tls().await;
    stream.write_all(&question(7)).await.unwrap();
    stream.read_exact(&mut [0; 19]).await.unwrap();
    for stream in &mut silent {
        assert_eq!(timeout(LIMIT, stream.read(&mut [0; 1])).await.unwrap().unwrap_or(0), 0);
    }
    assert_eq!(fixture.count("handshakes_failed"), 40);
}

#[tokio::test]
async fn rfc9250_s4_2_each_query_has_a_stream_and_all_are_answered() {
    let fixture = Fixture::new(Patience::default()).await;
    let connection = fixture.quic().await;
    let question = question(0);
    let asked = (0..300).map(|_| ask(&connection, &question));
    for reply in timeout(LIMIT, futures_util::future::join_all(asked)).await.unwrap() {
        let reply = reply.unwrap();
        assert_eq!((&reply[..4], reply[5] & 15, reply.len()), (&[0, 17, 0, 0][..], 5, 19));
    }
    assert_eq!((fixture.count("doq_queries"), fixture.count("doq_connections")), (300, 1));
}

#[tokio::test]
async fn rfc9250_s4_3_3_an_id_other_than_0_ends_the_connection() {
    let fixture = Fixture::new(Patience::default()).await;
    for octets in [&question(1)[..], &question(0)[..18], &[&question(0)[..], &[0]].concat()] {
        let connection = fixture.quic().await;
        assert!(ask(&connection, octets).await.is_err());
        match timeout(LIMIT, connection.closed()).await.unwrap() {
            ConnectionError::ApplicationClosed(closed) => assert_eq!(closed.error_code, VarInt::from_u32(2)),
            other => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn a_door_follows_its_settings_and_keeps_its_port() {
    let mut fixture = Fixture::new(Patience::default()).await;
    let (tls, https) = (fixture.at(Kind::Tls), fixture.at(Kind::Https));
    // Files that are not there: what is open stays open.
    let door = fixture.wanted.tls.as_mut().unwrap();
    let key = std::mem::replace(&mut door.key, fixture.folder.path().join("none.pem"));
    fixture.wanted.https.as_mut().unwrap().path = "/other".to_owned();
    let unread = |doors: &Doors| doors.identities.values().any(|identity| identity.fault().is_some());
    let errors = fixture.until(unread).await;
    assert!(errors.len() == 1 && errors[0].ends_with("none.pem`: there is no such file"), "{errors:?}");
    assert_eq!((fixture.at(Kind::Tls), fixture.at(Kind::Https)), (tls, https));
    fixture.tls().await;
    fixture.wanted.tls.as_mut().unwrap().key = key;
    fixture.wanted.quic = None;
    let errors = fixture.until(|doors| doors.open.len() == 2).await;
    assert_eq!(errors, [""; 0]);
    fixture.tls().await;
}
