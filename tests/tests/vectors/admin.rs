//! Remote administration: dialogues in which settings of our node are changed, and those in which it changes a peer's.

use crate::{
    Instead, compare, exception,
    inbound::{plan, replay},
    outbound::{auth_is_as_captured, ended_dialogue},
};
use dnsplane_tests::{
    Node, PATIENCE, Plan, Record,
    peer::{Listener, Script, Wire},
    vector::{self, Vector},
};
use serde_json::{Map, Value, json};
use std::fs;

/// On one node, in the order of capture.
const INBOUND: &[&str] = &[
    "admin-fail-wrong-token",
    "admin-fail-missing-token",
    "admin-fail-trailing-space",
    "admin-bad-type",
    "admin-bad-interval",
    "admin-ok-nothing",
    "admin-ok-role-readonly",
    "admin-ok-all-fields",
    "admin-ok-null-fields",
    "admin-ok-unsupported-keys",
    "admin-ok-clear",
    "admin-ok-rotate-token",
    "admin-after-rotate-old-token",
    "admin-after-rotate-new-token",
];

/// Sent by our node, on an operator's command.
const SENT: &[(&str, &[&str])] = &[
    ("admin-sent-role-readonly", &["peer", "set-role", "ADDR", "readonly"]),
    ("admin-sent-role-full", &["peer", "set-role", "ADDR", "full"]),
    ("admin-sent-push-config", &["push", "config", "ADDR"]),
    ("admin-sent-wrong-token", &["peer", "set-role", "ADDR", "readonly"]),
];

/// All that this file replays.
pub(crate) fn replayed() -> Vec<&'static str> {
    let sent = SENT.iter().map(|(name, _)| *name);
    INBOUND.iter().copied().chain(sent).chain(["admin-fail-disabled", "admin-sent-push-records"]).collect()
}

/// The `cluster_*` keys of a node's file that say anything but the default.
fn cluster_keys(node: &Node) -> Map<String, Value> {
    let text = fs::read_to_string(node.path("dnsplane.json")).expect("the node has a file");
    let file: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let mut keys = file.as_object().cloned().unwrap_or_default();
    let nothing = [json!(false), json!(0), json!([]), json!("")];
    keys.retain(|key, value| key.starts_with("cluster_") && !nothing.contains(value));
    keys
}

#[test]
fn settings_are_changed_and_saved_as_captured() {
    let node = plan(&vector::named(INBOUND[0])).start_control();
    let before = fs::read_to_string(node.path("dnsplane.json")).expect("the node has a file");
    for name in INBOUND {
        let vector = vector::named(name);
        replay(&node, &vector);
        if let Some(mut wanted) = vector.document["cluster_keys_in_file_afterwards"].as_object().cloned() {
            wanted.insert("cluster_listen_addr".to_owned(), json!(node.peer().to_string()));
            assert_eq!(cluster_keys(&node), wanted, "{name}");
        }
    }
    // Existing nodes lose every key that they do not know; ours keeps all others as they are.
    let after = fs::read_to_string(node.path("dnsplane.json")).expect("the node has a file");
    for line in before.lines().filter(|line| !line.contains("cluster_")) {
        assert!(after.lines().any(|kept| kept == line), "{line} is gone:\n{after}");
    }
}

#[test]
fn a_node_without_an_admin_token_is_administered_by_nobody() {
    let vector = vector::named("admin-fail-disabled");
    let node = plan(&vector).start_control();
    let before = cluster_keys(&node);
    replay(&node, &vector);
    assert_eq!(cluster_keys(&node), before);
}

/// The captured sender, knowing this peer and another one.
fn sender(vector: &Vector, peer: &Listener, other: &str) -> Plan {
    let mut keys = vector.config.clone();
    keys["cluster_peers"] = json!([peer.address(), other]);
    if exception(&vector.name) == Some(Instead::OnlyWhenAllowed) {
        keys["cluster_admin"] = json!(true);
    }
    Plan::new(keys["cluster_node_id"].as_str().expect("a node id")).with(&keys)
}

#[test]
fn settings_of_a_peer_are_changed_as_captured() {
    for (name, command) in SENT {
        let vector = vector::named(name);
        let answer = vector.server().last().and_then(|frame| frame.text.clone()).expect("the peer answers");
        let succeeds = answer.contains("admin_config_ok");
        let peer = Listener::start(Script { on_admin: answer, ..Script::default() });
        // Nobody listens there, and finding that out takes no time.
        let other = "127.0.0.1:1";
        let node = sender(&vector, &peer, other).start_control();
        let address = peer.address().to_string();
        let words: Vec<&str> =
            command.iter().map(|word| if *word == "ADDR" { address.as_str() } else { word }).collect();
        let ended = node.ctl(&[&["cluster"], words.as_slice()].concat());
        assert_eq!(ended.code, Some(if succeeds { 0 } else { 4 }), "{name}: {}", ended.said());
        assert!(succeeds || ended.said().contains("invalid admin token"), "{name}: {}", ended.said());

        let dialogue = ended_dialogue(name, &peer, "admin_config_apply");
        auth_is_as_captured(name, &dialogue, &vector);
        assert_eq!(dialogue.frames.len(), 2, "{name}: {dialogue:?}");
        let mut wanted = vector.client().nth(1).expect("the captured sender says more").json();
        if exception(name) == Some(Instead::PeersThatMakeSenseThere) {
            wanted["cluster_peers"] = json!([node.peer().to_string(), other]);
        }
        let said: Value = serde_json::from_str(&dialogue.frames[1]).expect("our frames are JSON");
        assert_eq!(said, wanted, "{name}");
    }
}

#[test]
fn a_node_that_may_not_administer_says_nothing_to_its_peer() {
    let vector = vector::named("admin-sent-wrong-token");
    let peer = Listener::start(Script::default());
    let node = sender(&vector, &peer, "127.0.0.1:1").with(&json!({"cluster_admin": false})).start_control();
    let ended = node.ctl(&["cluster", "peer", "set-role", &peer.address().to_string(), "readonly"]);
    assert_eq!(ended.code, Some(4), "{}", ended.said());
    assert!(ended.said().contains("set cluster_admin to true here"), "{}", ended.said());
    assert!(peer.dialogues_of("admin_config_apply").is_empty());
}

#[test]
fn a_peer_that_existing_nodes_administer_answers_as_captured() {
    let target = Plan::new("node-target").with(&json!({
        "cluster_auth_token": "shared-secret", "cluster_admin_token": "admin-secret",
    }));
    let node = target.start_control();
    for (name, _) in SENT {
        let vector = vector::named(name);
        let mut wire = Wire::connect(node.peer()).expect("the node listens");
        for frame in &vector.frames {
            if frame.from_client {
                wire.send(&frame.wire);
            } else {
                assert_eq!(wire.hear_json(PATIENCE), frame.json(), "{name}");
            }
        }
    }
    let mut keys = cluster_keys(&node);
    assert_eq!(keys.remove("cluster_peers"), Some(json!(["127.0.0.1:7960", "192.0.2.200:7946"])));
    assert_eq!(keys.get("cluster_replica_only"), None, "it was made full again: {keys:?}");
}

#[test]
fn records_are_pushed_to_one_peer_as_captured() {
    let vector = vector::named("admin-sent-push-records");
    let peer = Listener::start(Script::default());
    let plan =
        sender(&vector, &peer, "127.0.0.1:1").file("dnsrecords.json", &vector::file("mixed/dnsrecords.loaded.json"));
    let node = plan.start_control();
    // Records that nobody ever wrote are not pushed (R1).
    node.add(&Record::a("gone.lab.test", "192.0.2.1"));
    node.delete("gone.lab.test");
    let address = peer.address().to_string();
    let before = dnsplane_tests::eventually("the change is pushed by itself", PATIENCE, || {
        let status = node.peer_status(peer.address());
        let pushed = status["acknowledged_seq"] == node.cluster_status()["local_seq"];
        if pushed { Ok(peer.pushes().len()) } else { Err(status.to_string()) }
    });
    let said = node.ctl(&["cluster", "push", "records", &address]).success();
    assert!(said.contains(&address), "{said}");
    let pushes = peer.pushes();
    assert_eq!(pushes.len(), before + 1, "once more, although it has them");
    let theirs = vector.client().last().expect("a push").json();
    compare::snapshots("admin-sent-push-records", pushes.last().expect("a push"), &theirs);
    let dialogue = ended_dialogue("admin-sent-push-records", &peer, "records_full");
    auth_is_as_captured("admin-sent-push-records", &dialogue, &vector);
}
