//! What is remembered, and for how long.

use super::{behind, counts, nsd};
use dnsplane_tests::{Record, dns::Question};
use hickory_proto::op::ResponseCode;
use serde_json::json;

/// Each type of which existing nodes remember only a part, or nothing.
const SETS: [(&str, &str); 8] = [
    ("up.example", "MX"),
    ("up.example", "NS"),
    ("up.example", "TXT"),
    ("up.example", "CAA"),
    ("up.example", "SOA"),
    ("_sip._tcp.up.example", "SRV"),
    ("mail.up.example", "A"),
    ("alias.up.example", "A"),
];

#[test]
fn what_is_remembered_is_whole_and_its_ttl_counts_down_from_its_own() {
    let upstream = nsd("");
    let mut node = behind(upstream.address()).start();
    for (name, kind) in SETS {
        let real = Question::new(name, kind).udp(upstream.address()).expect("the upstream answers");
        for _ in 0..3 {
            let reply = node.ask(name, kind);
            assert_eq!(reply.values(), real.values(), "{name} {kind}");
            for record in &reply.message.answers {
                assert!(record.ttl <= 300 && record.ttl > 270, "{name} {kind}: {}", record.ttl);
            }
        }
    }
    counts(&mut node, "forwarded", SETS.len() as u64);
    counts(&mut node, "answered_cache", 2 * SETS.len() as u64);
}

#[test]
fn no_least_ttl_is_none() {
    let upstream = nsd("brief.up.example. 1 IN A 192.0.2.9\n");
    let node = behind(upstream.address()).with(&json!({"min_cache_ttl_seconds": 0})).start();
    assert_eq!(node.ask("brief.up.example", "A").message.answers[0].ttl, 1);
    let raised = behind(upstream.address()).with(&json!({"min_cache_ttl_seconds": 600})).start();
    raised.ask("brief.up.example", "A");
    let ttl = raised.ask("brief.up.example", "A").message.answers[0].ttl;
    assert!(ttl <= 600 && ttl > 570, "kept as long as the operator says: {ttl}");
}

#[test]
fn records_of_ours_are_never_remembered() {
    let upstream = nsd("");
    let mut node = behind(upstream.address()).start();
    node.add(&Record::a("ns.up.example", "192.0.2.1"));
    node.eventually_answers("ns.up.example", "A", &["192.0.2.1"]);
    node.delete("ns.up.example");
    // What the upstream says, from one moment to the next.
    node.eventually_answers("ns.up.example", "A", &["192.0.2.53"]);
    // And ours count at once over what was remembered of it.
    node.add(&Record::a("ns.up.example", "192.0.2.2"));
    node.eventually_answers("ns.up.example", "A", &["192.0.2.2"]);
}

#[test]
fn nothing_is_handed_out_that_nobody_ever_said() {
    let upstream = nsd("");
    let node = behind(upstream.address()).start();
    // Existing nodes begin with a made-up row of this name in their cache.
    let reply = node.ask("example.com", "A");
    assert_eq!((reply.code(), reply.answers().len()), (ResponseCode::ServFail, 0));
}

#[test]
fn without_a_cache_each_question_is_asked_again() {
    let upstream = nsd("");
    let mut node = behind(upstream.address()).with(&json!({"cache_records": false})).start();
    for _ in 0..3 {
        assert_eq!(node.ask("ns.up.example", "A").values(), ["192.0.2.53"]);
    }
    counts(&mut node, "forwarded", 3);
    counts(&mut node, "answered_upstream", 3);
}
