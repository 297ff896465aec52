//! EDNS, truncation, TCP, and what is not a question.

use crate::{node, records};
use dnsplane_tests::{
    Plan,
    dns::{Question, encode, exchange, read_tcp, receive, with_length},
};
use hickory_proto::op::{Edns, MessageType, OpCode, ResponseCode};
use hickory_resolver::{
    Resolver,
    config::{NameServerConfig, ResolverConfig},
    net::runtime::TokioRuntimeProvider,
};
use serde_json::json;
use std::{
    io::Write,
    net::{SocketAddr, TcpStream, UdpSocket},
    time::Duration,
};

#[test]
fn rfc6891_s6_only_who_sent_opt_gets_opt() {
    let node = node();
    let question = Question::new("www.lab.test", "A");
    let plain = question.udp(node.dns()).expect("an answer");
    assert!(plain.message.edns.is_none());
    let extended = question.clone().edns(4096).udp(node.dns()).expect("an answer");
    assert_eq!(extended.message.edns.as_ref().map(Edns::max_payload), Some(1232));
    assert_eq!(extended.answers(), plain.answers());

    // RFC 6891 §6.1.3
    let mut message = question.edns(1232).message();
    message.edns.as_mut().expect("EDNS was asked for").set_version(1);
    let reply = exchange(node.dns(), &encode(&message)).expect("an answer");
    // 16 is BADVERS here; the parser calls it by its name in TSIG (RFC 6895 §2.3).
    assert_eq!(u16::from(reply.code()), 16);
    assert_eq!(reply.message.edns.as_ref().map(Edns::version), Some(0));
    assert!(reply.message.answers.is_empty());
}

#[test]
fn what_does_not_fit_is_truncated_and_comes_whole_over_tcp() {
    let node = node();
    for (name, payload, fits) in
        [("many", None, false), ("many", Some(1232), true), ("huge", Some(1232), false), ("huge", Some(65_535), false)]
    {
        let name = format!("{name}.lab.test");
        let mut question = Question::new(&name, "A");
        if let Some(payload) = payload {
            question = question.edns(payload);
        }
        let reply = question.udp(node.dns()).expect("an answer");
        assert_eq!(reply.message.metadata.truncation, !fits, "{name} with {payload:?}");
        assert!(reply.bytes.len() <= usize::from(payload.unwrap_or(512).min(1232)), "{name}: {}", reply.bytes.len());
        let whole = question.tcp(node.dns()).expect("an answer");
        assert!(!whole.message.metadata.truncation, "{name} over TCP");
        assert_eq!(whole.message.answers.len(), if name.starts_with("many") { 60 } else { 200 }, "{name} over TCP");
        if fits {
            assert_eq!(reply.answers(), whole.answers(), "{name}");
        } else {
            // RFC 2181 §9: no part of a set is left behind.
            assert!(reply.message.answers.is_empty(), "{name}: {:?}", reply.answers());
        }
    }
}

#[test]
fn on_a_wildcard_address_replies_leave_from_the_address_that_was_asked() {
    let node = Plan::new("wildcard").with(&json!({ "dns_bind": "0.0.0.0" })).records(&records()).start();
    let question = encode(&Question::new("ns1.lab.test", "A").message());
    for last in [1, 2, 77] {
        let server = SocketAddr::from(([127, 0, 0, last], node.dns().port()));
        // Connected, it hears that address alone. The routes would have replies leave from 127.0.0.1.
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        socket.connect(server).expect("a local address");
        socket.send(&question).expect("a datagram can be sent");
        let heard = receive(&socket, &question[..2]).unwrap_or_else(|error| panic!("{server}: {error}"));
        assert_eq!(heard.values(), ["192.0.2.53"], "{server}");
    }
}

#[test]
fn rfc7766_s6_several_questions_on_one_connection_are_all_answered() {
    let node = node();
    let mut stream = TcpStream::connect(node.dns()).expect("the node listens on TCP");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout can be set");
    let names = ["www.lab.test", "ns1.lab.test", "nothing.lab.test", "host.loose"];
    let questions: Vec<_> = names.iter().map(|name| Question::new(name, "A").message()).collect();
    let bytes: Vec<u8> = questions.iter().flat_map(|question| with_length(&encode(question))).collect();
    // In pieces that end in the middle of a length and of a message.
    for piece in bytes.chunks(7) {
        stream.write_all(piece).expect("the connection stays open");
    }
    let mut waiting: Vec<u16> = questions.iter().map(|question| question.metadata.id).collect();
    while !waiting.is_empty() {
        let reply = read_tcp(&mut stream).expect("an answer");
        let id = reply.message.metadata.id;
        assert!(waiting.contains(&id), "a reply to {id} again, or to nothing");
        waiting.retain(|other| *other != id);
        let asked = questions.iter().find(|question| question.metadata.id == id).expect("one of ours");
        assert_eq!(reply.message.queries, asked.queries);
    }
}

#[test]
fn what_is_not_a_question_gets_what_the_rfcs_say() {
    let node = node();
    let message = Question::new("www.lab.test", "A").message();

    for code in [OpCode::Notify, OpCode::Status, OpCode::Update] {
        let mut other = message.clone();
        other.metadata.op_code = code;
        let reply = exchange(node.dns(), &encode(&other)).expect("an answer");
        assert_eq!((reply.code(), reply.message.metadata.op_code), (ResponseCode::NotImp, code));
    }
    // Two questions, and none (RFC 9619 §4 for the former).
    for count in [0, 2] {
        let mut other = message.clone();
        other.queries = vec![message.queries[0].clone(); count];
        let reply = exchange(node.dns(), &encode(&other)).expect("an answer");
        assert_eq!(reply.code(), ResponseCode::FormErr, "{count} questions");
    }

    // A reply, a header cut short, noise: no reply at all, so the next thing heard answers the question that follows.
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    socket.connect(node.dns()).expect("a local address");
    let mut reply = message.clone();
    reply.metadata.message_type = MessageType::Response;
    for junk in [encode(&reply), encode(&message)[..11].to_vec(), vec![], vec![0xff; 3]] {
        socket.send(&junk).expect("a datagram can be sent");
    }
    let question = Question::new("ns1.lab.test", "A").message();
    socket.send(&encode(&question)).expect("a datagram can be sent");
    let heard = receive(&socket, &[]).expect("an answer");
    assert_eq!((heard.message.metadata.id, heard.values()), (question.metadata.id, vec!["192.0.2.53".to_owned()]));
}

#[test]
fn a_stub_resolver_is_content_with_us() {
    let node = node();
    let mut server = NameServerConfig::udp_and_tcp(node.dns().ip());
    server.connections.iter_mut().for_each(|connection| connection.port = node.dns().port());
    let config = ResolverConfig::from_name_servers(vec![server]);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let resolver = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
        let resolver = resolver.build().expect("a resolver");
        let found = resolver.ipv4_lookup("alias.lab.test.").await.expect("the chain resolves");
        let mut values: Vec<_> = found.answers().iter().map(|record| record.data.to_string()).collect();
        values.sort();
        assert_eq!(values, ["192.0.2.7", "192.0.2.8", "second.lab.test.", "www.lab.test."]);
        let many = resolver.ipv4_lookup("huge.lab.test.").await.expect("truncation is followed by TCP");
        assert_eq!(many.answers().len(), 200);
        let error = resolver.ipv4_lookup("nothing.lab.test.").await.expect_err("there is no such name");
        assert!(error.is_nx_domain(), "{error}");
    });
}
