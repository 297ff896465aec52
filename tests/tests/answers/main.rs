//! What a query gets, asked of a real node, and compared with what an independent server says about the same zone.

mod compared;
mod limits;
mod oracle;
mod reverse;
mod special;
mod transport;

use dnsplane_tests::{Node, Plan, Record, dns::Question};
use hickory_proto::op::ResponseCode;

const SOA: &str = "lab.test. 60 SOA ns1.lab.test. hostmaster.lab.test. 2026050401 3600 600 86400 60";

/// A zone, and names that are in none. The SOA's TTL is above its MINIMUM: negative answers take the smaller.
fn records() -> Vec<Record> {
    let mut records: Vec<Record> = [
        ("lab.test", "SOA", "ns1.lab.test. hostmaster.lab.test. 2026050401 3600 600 86400 60", 3600),
        ("lab.test", "NS", "ns1.lab.test.", 3600),
        ("ns1.lab.test", "A", "192.0.2.53", 3600),
        ("www.lab.test", "A", "192.0.2.7", 300),
        ("www.lab.test", "A", "192.0.2.8", 300),
        ("www.lab.test", "AAAA", "2001:db8::7", 300),
        ("lab.test", "MX", "10 www.lab.test", 3600),
        ("_sip._tcp.lab.test", "SRV", "10 5 5060 www.lab.test", 600),
        ("alias.lab.test", "CNAME", "second.lab.test", 120),
        ("second.lab.test", "CNAME", "www.lab.test", 240),
        ("dangling.lab.test", "CNAME", "nothing.lab.test", 120),
        ("below.empty.lab.test", "A", "192.0.2.9", 60),
        ("host.loose", "A", "192.0.2.20", 30),
        ("alias.loose", "CNAME", "host.loose", 30),
        ("zero.loose", "A", "192.0.2.21", 0),
    ]
    .map(|(name, kind, value, ttl)| Record::new(name, kind, value, ttl))
    .into();
    records.extend((1..=60).map(|last| Record::new("many.lab.test", "A", &format!("192.0.2.{last}"), 60)));
    records.extend((1..=200).map(|last| Record::new("huge.lab.test", "A", &format!("198.51.100.{last}"), 60)));
    records
}

fn node() -> Node {
    Plan::new("answers").records(&records()).start()
}

/// Asks for a name; checks code and AA, returns answers and authorities.
#[track_caller]
fn asked(node: &Node, name: &str, kind: &str, code: ResponseCode) -> (Vec<String>, Vec<String>) {
    let reply = node.ask(name, kind);
    assert_eq!(reply.code(), code, "{name} {kind}: {}", reply.summary());
    let authoritative = code != ResponseCode::Refused;
    assert_eq!(reply.message.metadata.authoritative, authoritative, "{name} {kind}: AA");
    (reply.answers(), reply.authorities())
}

#[test]
fn names_of_a_zone_are_answered_as_rfc1034_says() {
    let node = node();
    let yes = ResponseCode::NoError;
    let (answers, _) = asked(&node, "www.lab.test", "A", yes);
    assert_eq!(answers, ["www.lab.test. 300 A 192.0.2.7", "www.lab.test. 300 A 192.0.2.8"]);
    let (answers, _) = asked(&node, "_sip._tcp.lab.test", "SRV", yes);
    assert_eq!(answers, ["_sip._tcp.lab.test. 600 SRV 10 5 5060 www.lab.test."]);

    // RFC 1034 §4.3.2: a CNAME is followed as far as it leads, whatever the type asked for.
    let (answers, _) = asked(&node, "alias.lab.test", "AAAA", yes);
    let chain = ["alias.lab.test. 120 CNAME second.lab.test.", "second.lab.test. 240 CNAME www.lab.test."];
    assert_eq!(answers, [&chain[..], &["www.lab.test. 300 AAAA 2001:db8::7"]].concat());
    let (answers, _) = asked(&node, "alias.lab.test", "CNAME", yes);
    assert_eq!(answers, chain[..1]);
    // RFC 2308 §2.1: the code is that of the end of the chain.
    let (answers, authority) = asked(&node, "dangling.lab.test", "A", ResponseCode::NXDomain);
    assert_eq!(answers, ["dangling.lab.test. 120 CNAME nothing.lab.test."]);
    assert_eq!(authority, [SOA]);
}

#[test]
fn rfc2308_s3_negative_answers_carry_the_soa_at_the_smaller_ttl() {
    let node = node();
    for (name, kind, code) in [
        ("nothing.lab.test", "A", ResponseCode::NXDomain),
        ("a.b.c.lab.test", "TXT", ResponseCode::NXDomain),
        ("www.lab.test", "TXT", ResponseCode::NoError),
        ("lab.test", "A", ResponseCode::NoError),
        // RFC 8020 §2: a name with something below it exists.
        ("empty.lab.test", "A", ResponseCode::NoError),
    ] {
        let (answers, authority) = asked(&node, name, kind, code);
        assert!(answers.is_empty(), "{name} {kind}: {answers:?}");
        assert_eq!(authority, [SOA], "{name} {kind}");
    }
}

#[test]
fn names_without_a_zone_are_answered_and_what_is_not_ours_is_refused() {
    let node = node();
    let (answers, _) = asked(&node, "host.loose", "A", ResponseCode::NoError);
    assert_eq!(answers, ["host.loose. 30 A 192.0.2.20"]);
    let (answers, _) = asked(&node, "alias.loose", "A", ResponseCode::NoError);
    assert_eq!(answers, ["alias.loose. 30 CNAME host.loose.", "host.loose. 30 A 192.0.2.20"]);
    let (answers, _) = asked(&node, "zero.loose", "A", ResponseCode::NoError);
    assert_eq!(answers, ["zero.loose. 0 A 192.0.2.21"]);
    // Another type of a name that exists: NODATA, and there is no SOA to give.
    let nothing = (vec![], vec![]);
    assert_eq!(asked(&node, "host.loose", "AAAA", ResponseCode::NoError), nothing);
    // Below it, beside it, and elsewhere: there is no upstream to ask.
    for name in ["www.host.loose", "other.loose", "example.com", "."] {
        assert_eq!(asked(&node, name, "A", ResponseCode::Refused), nothing, "{name}");
    }
}

#[test]
fn rfc4343_case_does_not_matter_and_comes_back_as_it_was_sent() {
    let node = node();
    let reply = node.ask("wWw.LAB.tesT", "A");
    assert_eq!(reply.values(), ["192.0.2.7", "192.0.2.8"]);
    assert_eq!(reply.message.queries[0].name.to_ascii(), "wWw.LAB.tesT.");
    assert_eq!(reply.message.answers[0].name.to_ascii(), "wWw.LAB.tesT.");
}

#[test]
fn rd_is_copied_and_ra_is_not_claimed_without_upstreams() {
    let node = node();
    let question = Question::new("www.lab.test", "A");
    for (question, desired) in [(question.clone(), true), (question.iterative(), false)] {
        let reply = question.udp(node.dns()).expect("an answer");
        assert_eq!(reply.message.metadata.recursion_desired, desired);
        assert!(!reply.message.metadata.recursion_available);
    }
}
