//! What clients of a validating node are told (RFC 4035 §3.2, §4; RFC 6840 §5): beside a tree of signed zones, root included,
//! on this machine alone.

use dnsplane_tests::{
    Node, Plan, Signed,
    dns::{Question, Reply, encode, exchange},
};
use hickory_proto::op::ResponseCode;
use serde_json::{Value, json};

/// A node that trusts the root of this tree.
fn validating(signed: &Signed, keys: &Value) -> Node {
    let resolver = signed.resolver();
    let plan = Plan::new("dnssec").with(&json!({
        "fallback_server_ip": resolver.ip().to_string(),
        "fallback_server_port": resolver.port().to_string(),
        "cache_records": true,
        "dnssec_validate": true,
        "dnssec_trust_anchor_file": "root.key",
        "timeout": 4,
    }));
    plan.with(keys).file("root.key", &signed.anchor(".", "DS")).start()
}

/// Asks with EDNS, and with these flags.
fn ask(node: &Node, name: &str, flags: Flags) -> Reply {
    let mut message = Question::new(name, "A").edns(1232).message();
    message.edns.as_mut().expect("asked for").set_dnssec_ok(flags.dnssec_ok);
    message.metadata.authentic_data = flags.authentic_data;
    message.metadata.checking_disabled = flags.checking_disabled;
    exchange(node.dns(), &encode(&message)).unwrap_or_else(|error| panic!("{name}: {error}\n{}", node.logs()))
}

#[derive(Clone, Copy, Default)]
struct Flags {
    dnssec_ok: bool,
    authentic_data: bool,
    checking_disabled: bool,
}

const PLAIN: Flags = Flags { dnssec_ok: false, authentic_data: false, checking_disabled: false };
const DO: Flags = Flags { dnssec_ok: true, ..PLAIN };
const AD: Flags = Flags { authentic_data: true, ..PLAIN };
const CD: Flags = Flags { checking_disabled: true, ..PLAIN };

/// The code of the extended error, if there is one (RFC 8914 §2).
fn extended(reply: &Reply) -> Option<u16> {
    let opt = reply.bytes.windows(4).rposition(|octets| octets[..2] == [0, 15])?;
    let octets = &reply.bytes[opt..];
    Some(u16::from_be_bytes([*octets.get(4)?, *octets.get(5)?]))
}

#[test]
fn what_is_signed_is_told_to_be_and_what_is_forged_is_not_told_at_all() {
    let signed = Signed::start();
    let node = validating(&signed, &json!({}));
    // Fetched, then remembered.
    for round in 0..2 {
        for (flags, told) in [(PLAIN, false), (DO, true), (AD, true)] {
            let reply = ask(&node, "www.secure.tree", flags);
            assert_eq!(reply.code(), ResponseCode::NoError, "round {round}\n{}", node.logs());
            assert_eq!(reply.message.metadata.authentic_data, told, "RFC 6840 §5.7, §5.8");
            let signatures = reply.answers().iter().filter(|line| line.contains(" RRSIG ")).count();
            assert_eq!(signatures > 0, flags.dnssec_ok, "RFC 4035 §3.2.1");
        }
        for name in ["www.unsigned.tree", "www.plain"] {
            let reply = ask(&node, name, DO);
            let ad = reply.message.metadata.authentic_data;
            assert_eq!((reply.code(), reply.values().len(), ad), (ResponseCode::NoError, 1, false), "{name}");
        }
        for (name, code) in
            [("www.altered.tree", 6), ("www.past.tree", 7), ("www.future.tree", 8), ("www.stripped.tree", 9)]
        {
            let reply = ask(&node, name, DO);
            assert_eq!((reply.code(), reply.answers().len()), (ResponseCode::ServFail, 0), "{name}");
            assert_eq!(extended(&reply), Some(code), "RFC 8914 §4: {name}: {reply:?}");
            let unchecked = ask(&node, name, CD);
            assert_eq!((unchecked.code(), unchecked.values().len()), (ResponseCode::NoError, 1), "RFC 4035 §3.2.2");
            assert!(!unchecked.message.metadata.authentic_data);
        }
        for name in ["missing.secure.tree", "missing.hashed.tree"] {
            let reply = ask(&node, name, DO);
            let ad = reply.message.metadata.authentic_data;
            assert_eq!((reply.code(), ad), (ResponseCode::NXDomain, true), "{name}");
            assert!(reply.authorities().iter().any(|line| line.contains(" NSEC")), "{name}: {reply:?}");
        }
    }
}

#[test]
fn without_validation_the_same_zones_are_passed_on_as_they_are() {
    let signed = Signed::start();
    let mut node = validating(&signed, &json!({"dnssec_validate": false}));
    let reply = ask(&node, "www.altered.tree", PLAIN);
    assert_eq!((reply.code(), reply.values().len()), (ResponseCode::NoError, 1));
    assert!(
        !ask(&node, "www.secure.tree", DO).message.metadata.authentic_data,
        "what nobody checked is not told to be"
    );
    // Switched on while it runs, it does not go on telling what it took for granted.
    node.ctl(&["server", "set", "dnssec_validate", "true"]).success();
    node.eventually("what was remembered unchecked is gone", |node| {
        match ask(node, "www.altered.tree", PLAIN).code() {
            ResponseCode::ServFail => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
}
