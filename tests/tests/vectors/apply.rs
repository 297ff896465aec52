//! Snapshots that others send: one store, one snapshot after another, in the order of capture.

use crate::{
    Instead, compare, exception,
    inbound::{expected, plan, replay},
};
use dnsplane_tests::{
    Node, PATIENCE, Record, eventually,
    peer::{Heard, Wire},
    vector::{self, Vector},
};
use serde_json::json;
use std::time::Duration;

/// On one store, each from the state that the one before left.
const IN_ORDER: &[&str] = &[
    "apply-seq-5",
    "apply-seq-equal",
    "apply-seq-lower",
    "apply-node-id-empty",
    "apply-node-id-missing",
    "apply-node-id-spaces",
    "apply-seq-zero-new-sender",
    "apply-seq-one-after-zero",
    "apply-seq-missing",
    "apply-extra-keys",
    "apply-bad-seq-float",
    "apply-bad-seq-string",
    "apply-bad-seq-negative",
    "apply-bad-seq-exponent",
    "apply-bad-seq-too-large",
    "apply-bad-timestamp-string",
    "apply-bad-ttl-float",
    "apply-bad-ttl-string",
    "apply-bad-ttl-negative",
    "apply-bad-ttl-too-large",
    "apply-bad-time-empty",
    "apply-bad-time-no-zone",
    "apply-bad-time-space",
    "apply-bad-time-number",
    "apply-bad-records-object",
    "apply-bad-records-mixed-bad",
    "apply-bad-node-id-number",
    "apply-seq-7-after-bad",
    "apply-case-insensitive-keys",
    "apply-duplicates",
    "apply-invalid-utf8",
    "apply-lone-surrogate",
    "apply-max-seq",
    "apply-many-dots",
    "apply-records-null",
    "apply-refill",
    "apply-records-empty",
    "apply-refill-2",
    "apply-records-missing",
    "apply-two-then-ping-then-pull",
];

/// All that this file replays.
pub(crate) fn replayed() -> Vec<&'static str> {
    [IN_ORDER, &["replica-still-applies-and-answers", "push-between"]].concat()
}

/// Fails unless the store holds what the captured pull showed, or what the vector's exception says.
#[track_caller]
pub(crate) fn store_is_as_captured(node: &Node, vector: &Vector) {
    let held = node.records();
    match exception(&vector.name) {
        Some(Instead::Store(store)) => assert_eq!(held, expected(store), "{}", vector.name),
        _ => assert_eq!(held, Record::list(&vector.records_from(false)), "{}", vector.name),
    }
}

#[test]
fn snapshots_are_applied_or_ignored_as_captured() {
    let node = plan(&vector::named(IN_ORDER[0])).start_control();
    // One write of its own: a node that never accepted one does not answer pulls (R1), and these show the store by it.
    node.add(&Record::a("keep.lab.test", "192.0.2.1"));
    for name in IN_ORDER {
        let vector = vector::named(name);
        replay(&node, &vector);
        store_is_as_captured(&node, &vector);
    }
}

#[test]
fn a_replica_applies_and_refuses_local_writes() {
    let vector = vector::named("replica-still-applies-and-answers");
    let node = plan(&vector).records(&[Record::a("keep.lab.test", "192.0.2.1")]).start_control();
    replay(&node, &vector);
    store_is_as_captured(&node, &vector);
    let refused = node.request("POST", "/dns/records", Some(&Record::a("own.lab.test", "192.0.2.9").to_json()));
    assert_eq!(refused.status, 403, "{refused:?}");
    assert!(refused.json()["error"].is_string(), "{refused:?}");
}

#[test]
fn a_push_between_nodes_is_applied_in_silence() {
    let vector = vector::named("push-between");
    // The settings are the sender's; the receiver is another node.
    let node = plan(&vector).with(&json!({"cluster_node_id": "node-target"})).start_control();
    let mut wire = Wire::connect(node.peer()).expect("the node listens");
    for frame in &vector.frames {
        if frame.from_client {
            wire.send(&frame.wire);
        } else {
            assert_eq!(wire.hear_json(PATIENCE), frame.json());
        }
    }
    assert_eq!(wire.hear(Duration::from_millis(200)), Heard::Nothing, "a push got a reply");
    drop(wire);
    eventually("the pushed records are there", PATIENCE, || {
        let held = node.records();
        if held == Record::list(&vector.records_from(true)) { Ok(()) } else { Err(format!("{held:?}")) }
    });
    // Not only what was understood: ids, times and the rest as well, for the file and for other nodes.
    compare::records("push-between", &node.record_objects(), &vector.records_from(true));
}
