//! Dialogues that others open: authentication, ping, junk, and `pull`.

use crate::{Instead, compare, exception};
use dnsplane_tests::{
    Node, Plan, Record,
    peer::{Heard, Wire},
    vector::{self, Then, Vector},
};
use serde_json::{Value, json};
use std::{
    thread,
    time::{Duration, Instant},
};

/// Longest wait for a reply or for the end of a connection.
const LIMIT: Duration = Duration::from_secs(15);

/// Without records, and never written to.
const AUTH: &[&str] = &[
    "auth-ok",
    "auth-fail-wrong-token",
    "auth-fail-trailing-space",
    "auth-fail-empty-token",
    "noauth-ping",
    "noauth-pull",
    "noauth-records-full",
    "noauth-not-json",
    "noauth-empty-frame",
    "noauth-token-not-a-string",
    "noauth-type-case",
    "noauth-json-array",
    "noauth-oversize",
    "auth-ok-key-case-and-extra-keys",
    "auth-ok-duplicate-key",
    "auth-ok-whitespace-and-escapes",
    "auth-ping-byte-by-byte",
    "auth-ping-pull-in-one-segment",
];

/// On a node with one record.
const PING: &[&str] = &[
    "ping-pong",
    "ping-extra-keys",
    "ping-bad-message-type",
    "ping-upper-case",
    "ping-trailing-garbage",
    "ping-byte-order-mark",
    "ping-three-times",
    "unknown-type",
    "missing-type",
    "not-json",
    "json-null",
    "json-array",
    "zero-length-frame",
    "second-auth",
    "second-auth-wrong",
    "server-frames-sent-to-server",
    "oversize",
    "oversize-max-prefix",
    "pull-extra-keys",
    "pull-bad-message-type",
];

/// On nodes of their own, or with something done before.
const SINGLE: &[&str] = &[
    "auth-fail-node-has-no-token",
    "auth-ok-own-token-trimmed",
    "timeout-after-auth",
    "timeout-before-auth",
    "pull-first-run",
    "pull-empty-store",
    "pull-empty-store-null",
    "pull-mixed-store",
    "pull-mixed-store-after-write",
    "pull-between",
];

/// All that this file replays.
pub(crate) fn replayed() -> Vec<&'static str> {
    [AUTH, PING, SINGLE].concat()
}

/// Plays a dialogue to a node and compares what comes back, up to and including what follows the last frame.
#[track_caller]
pub(crate) fn replay(node: &Node, vector: &Vector) {
    let name = &vector.name;
    let mut wire = Wire::connect(node.peer()).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut frames = vector.frames.iter().peekable();
    while let Some(frame) = frames.next() {
        if !frame.from_client {
            let heard = wire.hear(LIMIT);
            let Heard::Frame(text) = heard else { panic!("{name}: {heard:?} in place of {:?}", frame.text) };
            compare_reply(name, &text, &frame.json());
        } else if name == "auth-ping-byte-by-byte" {
            frame.wire.chunks(1).for_each(|byte| wire.send(byte));
        } else {
            // Frames that were sent without waiting for a reply go out in one segment.
            let mut bytes = frame.wire.clone();
            while let Some(next) = frames.next_if(|next| next.from_client) {
                bytes.extend_from_slice(&next.wire);
            }
            wire.send(&bytes);
        }
    }
    let expected = match vector.then {
        Then::Closed => Heard::Closed,
        // The pong has to be the very next thing: frames are handled in order, so nothing else was an answer.
        Then::Open | Then::Silent => {
            wire.say(r#"{"type":"ping"}"#);
            Heard::Frame(r#"{"type":"pong"}"#.to_owned())
        }
    };
    assert_eq!(wire.hear(LIMIT), expected, "{name}: after the last frame");
}

/// Compares one reply with the captured one, or with what the vector's exception asks for.
#[track_caller]
fn compare_reply(name: &str, ours: &str, theirs: &Value) {
    let ours: Value = serde_json::from_str(ours).unwrap_or_else(|error| panic!("{name}: {error}: {ours}"));
    match (theirs["type"].as_str(), exception(name)) {
        (Some("records_full"), Some(Instead::PullRefused)) => {
            assert_eq!(ours["type"], "error", "{name}: {ours}");
            assert!(ours["message"].as_str().is_some_and(|text| text.len() > 10), "{name}: no reason given: {ours}");
        }
        (Some("records_full"), Some(Instead::Store(store))) => {
            compare::own_numbers(name, &ours);
            assert_eq!(Record::list(&ours["records"]), expected(store), "{name}");
        }
        (Some("records_full"), _) => compare::snapshots(name, &ours, theirs),
        _ => assert_eq!(&ours, theirs, "{name}"),
    }
}

/// The records that an exception names.
pub(crate) fn expected(store: &[crate::Expected]) -> Vec<Record> {
    let mut records: Vec<_> =
        store.iter().map(|(name, kind, value, ttl)| Record::new(name, kind, value, *ttl)).collect();
    records.sort();
    records
}

/// A node with the settings of a captured one.
pub(crate) fn plan(vector: &Vector) -> Plan {
    // Who answers is who the captured frames say it is; in dialogues between nodes the settings are the other's.
    let own_id = vector.frames.iter().filter(|frame| !frame.from_client && frame.text.is_some());
    let own_id = own_id.map(|frame| frame.json()["node_id"].clone()).find(Value::is_string);
    let id = own_id.unwrap_or_else(|| vector.config["cluster_node_id"].clone());
    let mut keys = vector.config.clone();
    keys["cluster_node_id"] = id.clone();
    keys["cluster_peers"] = json!([]);
    Plan::new(id.as_str().expect("a node id is text")).with(&keys)
}

#[test]
fn authentication_goes_as_captured() {
    let node = plan(&vector::named(AUTH[0])).start_control();
    AUTH.iter().for_each(|name| replay(&node, &vector::named(name)));
    assert_eq!(node.records(), [], "noauth-records-full was applied");
}

#[test]
fn ping_and_junk_go_as_captured() {
    let node = plan(&vector::named(PING[0])).records(&[Record::a("keep.lab.test", "192.0.2.1")]).start_control();
    // A pull is only answered by a node that has accepted a write (R1).
    node.add(&Record::a("gone.lab.test", "192.0.2.1"));
    node.delete("gone.lab.test");
    PING.iter().for_each(|name| replay(&node, &vector::named(name)));
}

#[test]
fn a_node_without_a_token_lets_nobody_in() {
    let vector = vector::named("auth-fail-node-has-no-token");
    replay(&plan(&vector).start_control(), &vector);
}

#[test]
fn spaces_around_ones_own_token_do_not_count() {
    let vector = vector::named("auth-ok-own-token-trimmed");
    replay(&plan(&vector).start_control(), &vector);
}

#[test]
fn a_first_run_has_nothing_to_offer() {
    let vector = vector::named("pull-first-run");
    let node = plan(&vector).start_control();
    replay(&node, &vector);
    assert_eq!(node.records(), [], "a sample record was created");
}

#[test]
fn an_emptied_store_is_sent_as_null() {
    for (name, file) in [("pull-empty-store", r#"{"records":[]}"#), ("pull-empty-store-null", r#"{"records":null}"#)] {
        let vector = vector::named(name);
        let node = plan(&vector).file("dnsrecords.json", file).start_control();
        // Empty because somebody said so (R9), not because nothing was ever written (R1).
        node.add(&Record::a("gone.lab.test", "192.0.2.1"));
        node.delete("gone.lab.test");
        replay(&node, &vector);
    }
}

#[test]
fn a_store_of_many_types_is_sent_as_captured() {
    let vector = vector::named("pull-mixed-store");
    let node = plan(&vector).file("dnsrecords.json", &vector::file("mixed/dnsrecords.loaded.json")).start_control();
    node.add(&Record::a("gone.lab.test", "192.0.2.1"));
    node.delete("gone.lab.test");
    replay(&node, &vector);
    node.add(&Record::new("extra.lab.test", "A", "192.0.2.77", 60));
    replay(&node, &vector::named("pull-mixed-store-after-write"));
}

#[test]
fn a_pull_between_nodes_is_answered_as_captured() {
    let vector = vector::named("pull-between");
    let node = plan(&vector).file("dnsrecords.json", &vector::file("mixed/dnsrecords.json")).start_control();
    node.delete("extra.lab.test");
    let wire = &mut Wire::authenticated(node.peer(), "shared-secret");
    wire.say(r#"{"type":"pull"}"#);
    compare::snapshots("pull-between", &wire.hear_json(LIMIT), &vector.frames[3].json());
}

/// Two minutes, because that is what is claimed.
#[test]
fn connections_that_say_nothing_are_closed_in_time() {
    let [after, before] = ["timeout-after-auth", "timeout-before-auth"].map(vector::named);
    let node = plan(&after).start_control();
    thread::scope(|scope| {
        for vector in [&after, &before] {
            scope.spawn(|| {
                let limit = vector.document["seconds_until_closed"].as_u64().expect("a number of seconds");
                let limit = Duration::from_secs(limit);
                let mut wire = Wire::connect(node.peer()).expect("the node listens");
                let mut since = Instant::now();
                for frame in &vector.frames {
                    if frame.from_client {
                        wire.send(&frame.wire);
                    } else {
                        compare_reply(&vector.name, &frame_text(wire.hear(LIMIT)), &frame.json());
                        since = Instant::now();
                    }
                }
                assert_eq!(wire.hear(limit + LIMIT), Heard::Closed, "{}", vector.name);
                let took = since.elapsed();
                assert!(took + Duration::from_secs(5) > limit, "{}: closed after {took:?}", vector.name);
            });
        }
    });
}

#[track_caller]
fn frame_text(heard: Heard) -> String {
    match heard {
        Heard::Frame(text) => text,
        other => panic!("no frame: {other:?}"),
    }
}
