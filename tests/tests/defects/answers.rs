//! What a reply says, and that there is one.

use super::{behind, counts, nsd};
use dnsplane_tests::{
    Plan, Record,
    dns::{Question, encode, exchange},
};
use hickory_proto::op::{OpCode, ResponseCode};
use serde_json::json;
use std::net::UdpSocket;

#[test]
fn an_answer_has_the_case_of_its_question() {
    let upstream = nsd("");
    let node = behind(upstream.address()).records(&[Record::a("Own.Example", "192.0.2.1")]).start();
    for name in ["oWN.eXAMPLE", "Mail.Up.EXAMPLE", "mAIL.uP.example"] {
        let reply = node.ask(name, "A");
        assert_eq!(reply.code(), ResponseCode::NoError, "{name}");
        for record in &reply.message.answers {
            assert_eq!(record.name.to_ascii(), format!("{name}."));
        }
    }
}

#[test]
fn an_alias_of_ours_is_followed_to_where_others_know_more() {
    let upstream = nsd("");
    let records = [
        Record::new("www.own.example", "CNAME", "second.own.example", 60),
        Record::new("second.own.example", "CNAME", "alias.up.example", 60),
        Record::new("gone.own.example", "CNAME", "none.up.example", 60),
    ];
    let node = behind(upstream.address()).records(&records).start();
    // Fetched, then remembered.
    for _ in 0..2 {
        let reply = node.ask("www.own.example", "A");
        let kinds: Vec<_> = reply.message.answers.iter().map(|record| record.record_type().to_string()).collect();
        assert_eq!(kinds, ["CNAME", "CNAME", "CNAME", "A"], "{reply:?}");
        assert_eq!(reply.message.answers[3].data.to_string(), "192.0.2.53");
        let gone = node.ask("gone.own.example", "A");
        assert_eq!((gone.code(), gone.answers().len()), (ResponseCode::NXDomain, 1), "RFC 6604 §3");
    }
    let there = node.ask("www.own.example", "CNAME");
    assert_eq!(there.values(), ["second.own.example."], "who asks for the alias gets the alias");
    let iterative = Question::new("www.own.example", "A").iterative().udp(node.dns()).expect("a reply");
    assert_eq!(iterative.answers().len(), 2, "without RD nobody else is asked");
}

#[test]
fn recursion_is_available_where_there_is_somebody_to_ask() {
    let upstream = nsd("");
    let with = behind(upstream.address()).records(&[Record::a("own.example", "192.0.2.1")]).start();
    for name in ["own.example", "mail.up.example", "none.up.example"] {
        let reply = with.ask(name, "A");
        assert!(reply.message.metadata.recursion_available, "{name}");
        assert!(reply.message.metadata.recursion_desired, "{name}");
        assert_eq!(reply.message.metadata.authoritative, name == "own.example", "{name}");
    }
    let without = Plan::new("alone").records(&[Record::a("own.example", "192.0.2.1")]).start();
    assert!(!without.ask("own.example", "A").message.metadata.recursion_available);
}

#[test]
fn in_a_zone_of_ours_what_is_missing_is_missing_and_nobody_is_asked() {
    let upstream = nsd("");
    let records = [
        Record::new("up.example", "SOA", "ns.own.example. root.own.example. 1 3600 600 86400 60", 300),
        Record::a("www.up.example", "192.0.2.1"),
    ];
    let mut node = behind(upstream.address()).records(&records).start();
    // The upstream has records for both.
    assert_eq!(node.ask("mail.up.example", "A").code(), ResponseCode::NXDomain);
    let nodata = node.ask("up.example", "MX");
    assert_eq!((nodata.code(), nodata.answers().len(), nodata.authorities().len()), (ResponseCode::NoError, 0, 1));
    counts(&mut node, "forwarded", 0);
}

#[test]
fn rfc2308_what_an_upstream_says_is_missing_is_missing() {
    let upstream = nsd("");
    let mut node = behind(upstream.address()).start();
    for round in 0..2 {
        for (name, kind, code) in
            [("none.up.example", "A", ResponseCode::NXDomain), ("mail.up.example", "SRV", ResponseCode::NoError)]
        {
            let reply = node.ask(name, kind);
            assert_eq!((reply.code(), reply.answers().len()), (code, 0), "{name} {kind}");
            let soa = reply.authorities();
            assert!(soa.len() == 1 && soa[0].starts_with("up.example. "), "{soa:?}");
            let ttl = reply.message.authorities[0].ttl;
            assert!(ttl <= 60 && ttl > 30, "round {round}: min(TTL, MINIMUM), counting down: {ttl}");
        }
    }
    counts(&mut node, "forwarded", 2);
}

#[test]
fn rfc8914_without_an_answer_from_anybody_there_is_servfail_and_always_a_reply() {
    let silent = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let node = behind(silent.local_addr().expect("an address")).with(&json!({"timeout": 1})).start();
    let asking: Vec<_> = (0..40)
        .map(|number| {
            let server = node.dns();
            std::thread::spawn(move || Question::new(&format!("n{number}.example"), "A").edns(1232).udp(server))
        })
        .collect();
    for asked in asking {
        let reply = asked.join().expect("no panic").expect("a reply, within the time that clients wait");
        assert_eq!(reply.code(), ResponseCode::ServFail);
    }
}

#[test]
fn what_an_upstream_cannot_say_is_servfail_and_no_upstream_at_all_is_refused() {
    let upstream = nsd("");
    let node = behind(upstream.address()).start();
    // NSD refuses what is not in its zones.
    assert_eq!(node.ask("www.other.example", "A").code(), ResponseCode::ServFail);
    let alone = Plan::new("alone").start();
    assert_eq!(alone.ask("www.other.example", "A").code(), ResponseCode::Refused);
}

#[test]
fn rfc6891_a_question_with_edns_gets_an_answer_with_edns() {
    let upstream = nsd("");
    let node = behind(upstream.address()).start();
    for _ in 0..2 {
        let reply = Question::new("mail.up.example", "A").edns(4096).udp(node.dns()).expect("a reply");
        assert_eq!(reply.message.edns.as_ref().map(|edns| edns.max_payload()), Some(1232));
        assert!(node.ask("mail.up.example", "A").message.edns.is_none(), "RFC 6891 §7: not unless it was asked for");
    }
}

#[test]
fn rfc2181_s9_what_does_not_fit_is_cut_off_and_is_whole_over_tcp() {
    let strings: String = (0..12).map(|number| format!(" \"{}{number:02}\"", "x".repeat(240))).collect();
    let upstream = nsd(&format!("long.up.example. 300 IN TXT{strings}\n"));
    let node = behind(upstream.address()).start();
    for _ in 0..2 {
        let plain = node.ask("long.up.example", "TXT");
        assert!(plain.message.metadata.truncation && plain.bytes.len() <= 512, "{} octets", plain.bytes.len());
        let larger = Question::new("long.up.example", "TXT").edns(1232).udp(node.dns()).expect("a reply");
        assert!(larger.message.metadata.truncation && larger.bytes.len() <= 1232);
        // The upstream's own answer over UDP was cut off, too, and was fetched over TCP.
        let whole = Question::new("long.up.example", "TXT").tcp(node.dns()).expect("a reply");
        assert!(!whole.message.metadata.truncation && whole.bytes.len() > 2900, "{} octets", whole.bytes.len());
    }
}

#[test]
fn other_opcodes_are_not_taken_for_queries() {
    let upstream = nsd("");
    let mut node = behind(upstream.address()).start();
    for opcode in [OpCode::Notify, OpCode::Update, OpCode::Status] {
        let mut message = Question::new("mail.up.example", "A").message();
        message.metadata.op_code = opcode;
        let reply = exchange(node.dns(), &encode(&message)).expect("a reply");
        assert_eq!((reply.code(), reply.answers().len()), (ResponseCode::NotImp, 0), "{opcode:?}");
    }
    counts(&mut node, "forwarded", 0);
}

#[test]
fn rfc8482_any_of_a_name_of_ours_is_answered_by_us() {
    let upstream = nsd("");
    let mut node = behind(upstream.address()).records(&[Record::a("mail.up.example", "192.0.2.1")]).start();
    assert_eq!(node.ask("mail.up.example", "ANY").values(), ["192.0.2.1"]);
    counts(&mut node, "forwarded", 0);
}

#[test]
fn rfc6761_localhost_and_what_is_below_it_are_ours_for_every_type() {
    let upstream = nsd("");
    let mut node = behind(upstream.address()).start();
    for (name, kind, values) in
        [("localhost", "A", &["127.0.0.1"][..]), ("x.localhost", "AAAA", &["::1"]), ("localhost", "MX", &[])]
    {
        assert_eq!(node.ask(name, kind).values(), values, "{name} {kind}");
    }
    counts(&mut node, "forwarded", 0);
}
