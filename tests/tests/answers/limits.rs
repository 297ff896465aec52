//! Limits on queries and replies: off until they are set, and changed while a node runs.

use dnsplane_tests::{
    Node, Record,
    dns::{Question, Reply, encode, exchange, read_tcp, receive, with_length},
};
use hickory_proto::op::ResponseCode;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::{
    io::Write,
    net::{TcpStream, UdpSocket},
};

/// A node with a name.
fn node() -> Node {
    let mut node = Node::start("limits");
    node.add(&Record::a("www.example", "192.0.2.7"));
    node.eventually_answers("www.example", "A", &["192.0.2.7"]);
    node
}

fn set(node: &mut Node, keys: &Value) {
    node.configure(keys);
    node.control().signal(Signal::SIGHUP);
}

fn www() -> Question {
    Question::new("www.example", "A")
}

/// The code of the reply over UDP.
fn code(node: &Node) -> ResponseCode {
    www().udp(node.dns()).expect("a reply").code()
}

/// How often a data plane has counted this.
fn counter(node: &mut Node, name: &str) -> u64 {
    node.data_plane_status().expect("it follows")["counters"][name].as_u64().unwrap_or(0)
}

#[track_caller]
fn eventually_counts(node: &mut Node, name: &str, least: u64) {
    node.eventually(&format!("{name} is counted"), |node| {
        let now = counter(node, name);
        if now >= least { Ok(()) } else { Err(format!("{now} of {least}")) }
    });
}

#[test]
fn without_limits_everything_is_answered() {
    let node = node();
    assert!((0..300).all(|_| code(&node) == ResponseCode::NoError));
}

#[test]
fn too_many_queries_are_refused_from_the_moment_that_a_limit_is_set_until_it_is_lifted() {
    let mut node = node();
    let before = counter(&mut node, "rate_limited");
    set(&mut node, &json!({"dns_rate_limit_rps": 0.001, "dns_rate_limit_burst": 5}));
    node.eventually("a query is refused", |node| match code(node) {
        ResponseCode::Refused => Ok(()),
        code => Err(code.to_string()),
    });
    assert_eq!(www().tcp(node.dns()).expect("a reply").code(), ResponseCode::Refused);
    assert_eq!(with_cookie(&node, b"abcdefgh").0, ResponseCode::Refused);
    // The refusal brings a cookie along, and who shows it again is answered.
    let (_, cookie) = with_cookie(&node, b"abcdefgh");
    assert_eq!(with_cookie(&node, &cookie).0, ResponseCode::NoError);
    let mut forged = cookie;
    *forged.last_mut().expect("a cookie") ^= 1;
    assert_eq!(with_cookie(&node, &forged).0, ResponseCode::Refused);
    eventually_counts(&mut node, "rate_limited", before + 4);

    set(&mut node, &json!({"dns_rate_limit_rps": 0}));
    node.eventually("a query is answered", |node| match code(node) {
        ResponseCode::NoError => Ok(()),
        code => Err(code.to_string()),
    });
    assert!((0..20).all(|_| code(&node) == ResponseCode::NoError));
}

/// The code and the cookie of a reply to a query with this one.
fn with_cookie(node: &Node, cookie: &[u8]) -> (ResponseCode, Vec<u8>) {
    let reply = exchange(node.dns(), &query_with(cookie)).expect("a reply");
    (reply.code(), cookie_of(&reply))
}

fn query_with(cookie: &[u8]) -> Vec<u8> {
    let mut query = encode(&www().message());
    query[11] = 1;
    let length = u8::try_from(cookie.len()).expect("short");
    query.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, length + 4, 0, 10, 0, length]);
    query.extend_from_slice(cookie);
    query
}

/// Ours is the only option of a reply, and the OPT record comes last.
fn cookie_of(reply: &Reply) -> Vec<u8> {
    reply.bytes[reply.bytes.len() - 24..].to_vec()
}

#[test]
fn too_many_replies_to_one_client_are_refused_but_not_over_tcp() {
    let mut node = node();
    set(&mut node, &json!({"dns_max_responses_per_ip_window": 5, "dns_sliding_window_seconds": 3600}));
    node.eventually("a reply is REFUSED", |node| match code(node) {
        ResponseCode::Refused => Ok(()),
        code => Err(code.to_string()),
    });
    assert!((0..20).all(|_| code(&node) == ResponseCode::Refused));
    assert!((0..20).all(|_| www().tcp(node.dns()).expect("a reply").code() == ResponseCode::NoError));
}

#[test]
fn of_too_many_replies_that_say_the_same_some_slip_and_the_others_are_not_sent() {
    let mut node = node();
    let before = counter(&mut node, "withheld");
    set(
        &mut node,
        &json!({
            "dns_response_limit_mode": "rrl", "dns_rrl_max_per_bucket": 5, "dns_rrl_window_seconds": 3600,
            "dns_rrl_slip": 2
        }),
    );
    node.eventually("replies are limited", |node| {
        let (real, slipped) = burst(node, 40);
        if real <= 5 && slipped > 0 { Ok(()) } else { Err(format!("{real} answers, {slipped} with TC")) }
    });
    assert_eq!(burst(&node, 40), (0, 20));
    eventually_counts(&mut node, "withheld", before + 20);
    assert_eq!(www().tcp(node.dns()).expect("a reply").values(), ["192.0.2.7"]);
}

/// Asks so many times without waiting; how many answers came, and how many with TC and nothing else.
fn burst(node: &Node, queries: usize) -> (usize, usize) {
    let mut stream = TcpStream::connect(node.dns()).expect("a connection");
    stream.write_all(&with_length(&query_with(b"abcdefgh"))).expect("sent");
    let cookie = cookie_of(&read_tcp(&mut stream).expect("a reply"));
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(node.dns()).expect("an address");
    for _ in 0..queries {
        socket.send(&encode(&www().message())).expect("sent");
    }
    // Queries from one port are answered in order, and one with a cookie is answered for sure.
    let last = query_with(&cookie);
    socket.send(&last).expect("sent");
    let (mut real, mut slipped) = (0, 0);
    loop {
        let reply = receive(&socket, &[]).expect("the last query is answered");
        if reply.bytes[..2] == last[..2] {
            assert_eq!(reply.values(), ["192.0.2.7"]);
            return (real, slipped);
        }
        let truncated = reply.message.metadata.truncation;
        assert_eq!(reply.answers().is_empty(), truncated, "{reply:?}");
        *(if truncated { &mut slipped } else { &mut real }) += 1;
    }
}
