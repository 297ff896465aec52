//! Names with a meaning of their own, and what a server says about itself.

use dnsplane_tests::{
    Node, Plan, Record,
    dns::{Question, Reply, encode, exchange},
};
use hickory_proto::{
    op::ResponseCode,
    rr::{
        DNSClass, RecordType,
        rdata::opt::{EdnsCode, EdnsOption, NSIDPayload},
    },
};
use serde_json::json;

#[test]
fn special_names_are_answered_with_local_records_and_without() {
    for local in [true, false] {
        let node = Plan::new("special")
            .with(&json!({"local_records_enabled": local}))
            .records(&[Record::a("own.test", "192.0.2.1")])
            .start();
        for (name, kind, code, answers) in [
            ("localhost", "A", ResponseCode::NoError, &["localhost. 604800 A 127.0.0.1"][..]),
            ("x.localhost", "AAAA", ResponseCode::NoError, &["x.localhost. 604800 AAAA ::1"]),
            (
                "1.0.0.127.in-addr.arpa",
                "PTR",
                ResponseCode::NoError,
                &["1.0.0.127.in-addr.arpa. 604800 PTR localhost."],
            ),
            ("www.invalid", "A", ResponseCode::NXDomain, &[]),
            ("hidden.onion", "A", ResponseCode::NXDomain, &[]),
            ("other.test", "A", ResponseCode::NXDomain, &[]),
            ("1.2.3.10.in-addr.arpa", "PTR", ResponseCode::NXDomain, &[]),
            ("10.in-addr.arpa", "PTR", ResponseCode::NoError, &[]),
        ] {
            let reply = node.ask(name, kind);
            assert_eq!(
                (reply.code(), reply.answers()),
                (code, answers.iter().map(ToString::to_string).collect()),
                "{name}"
            );
            assert!(reply.message.metadata.authoritative, "{name}");
            let soa = reply.authorities().iter().filter(|line| line.contains(" 10800 SOA ")).count();
            assert_eq!(soa, usize::from(answers.is_empty()), "RFC 2308 §5: {name} can be remembered as missing");
        }
        let own = node.ask("own.test", "A");
        assert_eq!(own.code(), if local { ResponseCode::NoError } else { ResponseCode::NXDomain });
        assert_eq!(node.ask("www.example", "A").code(), ResponseCode::Refused);
    }
}

/// Asks over UDP, in class CH.
fn chaos(node: &Node, name: &str) -> Reply {
    let mut message = Question::new(name, "TXT").message();
    message.queries[0].query_class = DNSClass::CH;
    exchange(node.dns(), &encode(&message)).unwrap_or_else(|error| panic!("{name}: {error}\n{}", node.logs()))
}

/// What the reply to an NSID option says, if anything (RFC 5001 §2.3).
fn nsid(node: &Node) -> Option<Vec<u8>> {
    let mut message = Question::new("localhost", "A").edns(1232).message();
    let payload = NSIDPayload::new(vec![]).expect("an empty payload");
    message.edns.as_mut().expect("asked for").options_mut().insert(EdnsOption::NSID(payload));
    let reply = exchange(node.dns(), &encode(&message)).expect("an answer");
    match reply.message.edns.as_ref()?.option(EdnsCode::NSID)? {
        EdnsOption::NSID(payload) => Some(payload.as_ref().to_vec()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn rfc4892_and_rfc5001_a_server_says_who_it_is_when_its_operator_wants_it_to() {
    let mut node = Node::start("identity");
    let names = ["id.server", "hostname.bind", "version.bind", "version.server"];
    for name in names {
        assert_eq!(chaos(&node, name).code(), ResponseCode::Refused, "{name}");
    }
    assert_eq!(nsid(&node), None);
    node.ctl(&["server", "set", "dns_identity", "ns1.lab"]).success();
    node.eventually("it says so", |node| {
        let reply = chaos(node, "id.server");
        if reply.values() == ["ns1.lab"] { Ok(()) } else { Err(reply.summary()) }
    });
    for name in names {
        let reply = chaos(&node, name);
        let [answer] = &reply.message.answers[..] else { panic!("{name}: {}", reply.summary()) };
        assert_eq!((answer.dns_class, answer.record_type(), answer.ttl), (DNSClass::CH, RecordType::TXT, 0), "{name}");
        assert_eq!(reply.values(), ["ns1.lab"], "{name}");
    }
    assert_eq!(chaos(&node, "other.bind").code(), ResponseCode::Refused);
    assert_eq!(nsid(&node), Some(b"ns1.lab".to_vec()));
    let refused = node.ctl(&["server", "set", "dns_identity", &"x".repeat(256)]);
    assert!(refused.said().contains("256 octets"), "{}", refused.said());
    node.ctl(&["server", "set", "dns_identity", ""]).success();
    node.eventually("it keeps silent again", |node| {
        let reply = chaos(node, "id.server");
        if reply.code() == ResponseCode::Refused { Ok(()) } else { Err(reply.summary()) }
    });
    assert_eq!(nsid(&node), None);
}

#[test]
fn special_answers_have_a_counter() {
    let mut node = Node::start("counted");
    // Waiting for the node to be ready asks for such a name as well.
    let before = node.data_plane_status().expect("it follows")["counters"]["answered_special"].as_u64().unwrap_or(0);
    for _ in 0..20 {
        node.ask("localhost", "A");
    }
    node.eventually("twenty more", |node| {
        let status = node.data_plane_status()?;
        let now = status["counters"]["answered_special"].as_u64().unwrap_or(0);
        if now >= before + 20 { Ok(()) } else { Err(status["counters"].to_string()) }
    });
}
