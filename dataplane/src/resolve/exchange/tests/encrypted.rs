//! TLS and QUIC.

use super::{
    server::{Authority, Script, Scripted, reply_to},
    *,
};
use quinn::{Endpoint, crypto::rustls::QuicServerConfig};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

fn tls(name: &str) -> Way {
    Way::Tls { name: name.to_owned() }
}

fn quic(name: &str) -> Way {
    Way::Quic { name: name.to_owned() }
}

#[tokio::test]
async fn rfc8310_s8_1_a_server_over_tls_shows_its_name_or_its_address() {
    let authority = Authority::new();
    let server = Scripted::tls(Script::Answers, authority.server(&["dns.example", "127.0.0.1"], "dot")).await;
    for name in ["dns.example", "DNS.example.", ""] {
        let client = believer(server.address, tls(name), &authority);
        asks(&client, 3, "a").await.expect(name);
        asks(&client, 4, "b").await.expect(name);
    }
    assert_eq!(server.connections(), 3);
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused_and_says_whose_it_is() {
    let authority = Authority::new();
    let server = Scripted::tls(Script::Answers, authority.server(&["dns.example"], "dot")).await;
    let address = server.address;
    let client = believer(address, tls("other.example"), &authority);
    let expected = format!("the certificate of {address} is for dns.example, not for other.example");
    assert_eq!(complaint(&client).await, expected);
    let client = believer(address, tls(""), &authority);
    let expected = format!("the certificate of {address} is for dns.example, not for 127.0.0.1");
    assert_eq!(complaint(&client).await, expected);
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused() {
    let server = Scripted::tls(Script::Answers, Authority::new().server(&["dns.example"], "dot")).await;
    let text = complaint(&client(server.address, tls("dns.example"))).await;
    assert!(text.starts_with(&format!("the certificate of {} cannot be believed: ", server.address)), "{text}");
}

#[tokio::test]
async fn a_server_over_tls_that_closes_after_each_answer_is_asked_on_a_new_connection() {
    let authority = Authority::new();
    let server = Scripted::tls(Script::ClosesAfterEach, authority.server(&["dns.example"], "dot")).await;
    let client = believer(server.address, tls("dns.example"), &authority);
    for id in 1..=5 {
        asks(&client, id, "a").await.expect("a reply");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_an_error_that_names_it() {
    let server = Scripted::tcp(Script::Closes).await;
    let text = complaint(&client(server.address, tls("dns.example"))).await;
    assert!(text.starts_with(&format!("cannot connect to {}: ", server.address)), "{text}");
    let text = complaint(&client(server.address, tls("no name"))).await;
    assert_eq!(text, "`no name` is not a name that a certificate can be for");
}

/// A server of DNS over QUIC that closes each connection after so many replies.
fn quic_server(config: rustls::ServerConfig, replies: usize, zero_ids: &'static AtomicBool) -> (Endpoint, SocketAddr) {
    let config = quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(config).unwrap()));
    let endpoint = Endpoint::server(config, "127.0.0.1:0".parse().unwrap()).unwrap();
    let (incoming, address) = (endpoint.clone(), endpoint.local_addr().unwrap());
    tokio::spawn(async move {
        while let Some(connecting) = incoming.accept().await {
            let Ok(connection) = connecting.await else { continue };
            for _ in 0..replies {
                let Ok((mut send, mut receive)) = connection.accept_bi().await else { break };
                let query = receive.read_to_end(70_000).await.unwrap();
                zero_ids.fetch_and(query[2..4] == [0, 0], Relaxed);
                let reply = reply_to(&query[2..]);
                let length = u16::try_from(reply.len()).unwrap().to_be_bytes();
                send.write_all(&[&length[..], &reply].concat()).await.unwrap();
                send.finish().unwrap();
                let _ = send.stopped().await;
            }
        }
    });
    (endpoint, address)
}

#[tokio::test]
async fn rfc9250_s4_2_1_questions_over_quic_have_the_id_0_and_callers_theirs() {
    static ZERO: AtomicBool = AtomicBool::new(true);
    let authority = Authority::new();
    let (_server, address) = quic_server(authority.server(&["dns.example", "127.0.0.1"], "doq"), 100, &ZERO);
    for name in ["dns.example", ""] {
        let client = believer(address, quic(name), &authority);
        for id in 1..=5 {
            asks(&client, id, "a").await.expect("a reply");
        }
    }
    assert!(ZERO.load(Relaxed));
}

#[tokio::test]
async fn a_server_over_quic_that_closes_after_each_answer_is_asked_on_a_new_connection() {
    static ZERO: AtomicBool = AtomicBool::new(true);
    let authority = Authority::new();
    let (_server, address) = quic_server(authority.server(&["dns.example"], "doq"), 1, &ZERO);
    let client = believer(address, quic("dns.example"), &authority);
    for id in 1..=4 {
        asks(&client, id, "a").await.expect("a reply");
    }
}

#[tokio::test]
async fn over_quic_too_a_wrong_certificate_and_another_protocol_say_so() {
    static ZERO: AtomicBool = AtomicBool::new(true);
    let authority = Authority::new();
    let (_server, address) = quic_server(authority.server(&["dns.example"], "doq"), 1, &ZERO);
    let client = believer(address, quic("other.example"), &authority);
    let expected = format!("the certificate of {address} is for dns.example, not for other.example");
    assert_eq!(complaint(&client).await, expected);
    let (_server, address) = quic_server(authority.server(&["dns.example"], "h3"), 1, &ZERO);
    let client = believer(address, quic("dns.example"), &authority);
    assert_eq!(complaint(&client).await, format!("{address} does not speak DNS over QUIC"));
}

#[tokio::test]
async fn an_idle_connection_is_closed_by_us() {
    let server = Scripted::tcp(Script::Answers).await;
    let pool = Pool::new(Stream::plain(server.address)).closing_after(Duration::from_millis(20));
    pool.exchange(&query(1, "a"), Instant::now() + SOON).await.expect("a reply");
    let begun = Instant::now();
    while pool.connections() > 0 {
        assert!(begun.elapsed() < SOON, "it is still open");
        tokio::task::yield_now().await;
    }
    pool.exchange(&query(1, "a"), Instant::now() + SOON).await.expect("a reply on another connection");
    assert_eq!(server.connections(), 2);
}
