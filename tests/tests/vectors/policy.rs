//! Snapshots under the policies `primary_writer` and `global_lww`, in the order of capture.

use crate::{
    apply::store_is_as_captured,
    inbound::{plan, replay},
};
use dnsplane_tests::{
    Node, Record,
    vector::{self, file},
};
use serde_json::Value;
use std::fs;

const PRIMARY_WRITER: &[&str] = &["policy-primary-writer-denied", "policy-primary-writer-allowed"];

const GLOBAL_LWW: &[&str] = &[
    "policy-global-lww-first",
    "policy-global-lww-older",
    "policy-global-lww-tie-lower-id",
    "policy-global-lww-tie-higher-id",
    "policy-global-lww-newer",
    "policy-global-lww-no-timestamp",
];

/// All that this file replays.
pub(crate) fn replayed() -> Vec<&'static str> {
    [PRIMARY_WRITER, GLOBAL_LWW].concat()
}

/// Waits until the state file says what the captured one says; the sequence of its own is the node's own affair.
#[track_caller]
fn state_is_as_captured(node: &mut Node, captured: &str) {
    let theirs: Value = serde_json::from_str(&file(captured)).expect("a JSON file");
    let path = node.path("cluster_state.json");
    node.eventually(&format!("the state file says what {captured} says"), |_| {
        let text = fs::read_to_string(&path).map_err(|error| error.to_string())?;
        let ours: Value = serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))?;
        let keys = theirs.as_object().expect("an object").keys().filter(|key| *key != "local_seq");
        let different: Vec<_> = keys.filter(|key| ours[*key] != theirs[*key]).collect();
        if different.is_empty() { Ok(()) } else { Err(format!("{different:?} differ: {text}")) }
    });
}

#[test]
fn only_writers_of_the_list_are_applied_as_captured() {
    let first = vector::named(PRIMARY_WRITER[0]);
    let mut node = plan(&first).records(&[Record::a("keep.lab.test", "192.0.2.1")]).start_control();
    // Written to, so that it answers pulls (R1).
    node.add(&Record::a("gone.lab.test", "192.0.2.1"));
    node.delete("gone.lab.test");
    for name in PRIMARY_WRITER {
        let vector = vector::named(name);
        replay(&node, &vector);
        store_is_as_captured(&node, &vector);
    }
    state_is_as_captured(&mut node, "policy-primary-writer/cluster_state.json");
}

#[test]
fn the_greater_time_and_then_the_greater_id_win_as_captured() {
    // Not written to: a write of today would be newer than all of these (R4).
    let first = vector::named(GLOBAL_LWW[0]);
    let mut node = plan(&first).records(&[Record::a("keep.lab.test", "192.0.2.1")]).start_control();
    for name in GLOBAL_LWW {
        let vector = vector::named(name);
        replay(&node, &vector);
        store_is_as_captured(&node, &vector);
    }
    state_is_as_captured(&mut node, "policy-global-lww/cluster_state.json");
}
