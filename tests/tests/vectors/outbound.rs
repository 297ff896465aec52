//! Dialogues that our node opens: pushes, pulls and probes to a peer that plays the captured answers.
//!
//! Our node may say more than the captured one where existing nodes cannot tell: extra keys in `auth`, a `ping` after
//! `records_full` as a receipt (R10), and the same push again on another connection when it was not accepted (R10).

use crate::{Instead, compare, exception, inbound::plan};
use dnsplane_tests::{
    Node, PATIENCE, Plan, Record, eventually,
    peer::{Dialogue, Heard, Listener, Script, Wire},
    vector::{self, Vector},
};
use serde_json::{Value, json};
use std::time::Duration;

/// Keys of `auth` that existing nodes do not send, and ignore.
const EXTENSION: &[&str] = &["features", "node_id", "instance"];

/// One node, one local change after another.
const CHANGES: &[&str] = &[
    "push-after-post",
    "push-after-duplicate-post",
    "push-after-put",
    "push-after-post-txt",
    "push-after-post-upper",
    "push-after-delete",
];

/// Peers that do not say `auth_ok`.
const REFUSED: &[&str] = &["push-auth-fail", "push-auth-error", "push-auth-junk", "push-auth-other-frame-first"];

/// Peers that say more than they have to.
const TALKATIVE: &[&str] = &["push-auth-ok-extra-keys", "push-reply-after-records"];

/// The node asks.
const PULLS: &[&str] =
    &["client-pull", "client-pull-answered-by-error", "client-pull-answered-by-null", "client-pull-auth-fail"];

/// All that this file replays.
pub(crate) fn replayed() -> Vec<&'static str> {
    [CHANGES, REFUSED, TALKATIVE, PULLS, &["push-after-delete-of-last-record", "probe-between"]].concat()
}

/// A peer that answers as the captured one did.
fn peer_of(vector: &Vector) -> Listener {
    let texts = |frames: &[vector::Frame]| -> Vec<String> {
        let server = frames.iter().filter(|frame| !frame.from_client);
        server.map(|frame| frame.text.clone().expect("the captured peer says text")).collect()
    };
    // What follows the first frame up to the node's next one, and what follows that.
    let rest = &vector.frames[1..];
    let (first, later) = rest.split_at(rest.iter().position(|frame| frame.from_client).unwrap_or(rest.len()));
    let later = texts(later).first().cloned();
    let mut script = Script { on_auth: texts(first), ..Script::default() };
    if vector.client().any(|frame| frame.text.as_deref() == Some(r#"{"type":"pull"}"#)) {
        script.on_pull = later.expect("the captured peer answers");
    } else {
        script.after_push = later;
    }
    Listener::start(script)
}

/// The captured node, knowing `peer`.
fn plan_with(vector: &Vector, peer: &Listener) -> Plan {
    let mut keys = vector.config.clone();
    keys["cluster_peers"] = json!([peer.address()]);
    Plan::new(keys["cluster_node_id"].as_str().expect("a node id")).with(&keys)
}

/// Fails unless this is the captured `auth` with at most the keys of our extension more.
#[track_caller]
pub(crate) fn auth_is_as_captured(name: &str, dialogue: &Dialogue, vector: &Vector) {
    let parsed: Value = serde_json::from_str(&dialogue.frames[0]).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut auth = parsed.as_object().cloned().unwrap_or_default();
    auth.retain(|key, _| !EXTENSION.contains(&key.as_str()));
    assert_eq!(Value::Object(auth), vector.frames[0].json(), "{name}");
}

/// Waits for a dialogue of this kind that has ended.
#[track_caller]
pub(crate) fn ended_dialogue(name: &str, peer: &Listener, kind: &str) -> Dialogue {
    eventually(&format!("{name}: a {kind:?} dialogue that the node ends"), PATIENCE, || {
        let dialogues = peer.dialogues_of(kind);
        dialogues.into_iter().find(|dialogue| dialogue.closed).ok_or_else(|| format!("{:?}", peer.dialogues()))
    })
}

/// Waits for a push with a sequence above `after` whose records are the captured ones.
#[track_caller]
fn push_as_captured(node: &Node, peer: &Listener, vector: &Vector, after: u64) -> u64 {
    let theirs = vector.client().last().expect("a push").json();
    let wanted = Record::list(&theirs["records"]);
    let push = eventually(&format!("{} is heard", vector.name), PATIENCE, || {
        let pushes = peer.pushes();
        let found = pushes.iter().rev().find(|push| Record::list(&push["records"]) == wanted);
        found.cloned().ok_or_else(|| format!("{pushes:?}\n{}", node.logs()))
    });
    compare::snapshots(&vector.name, &push, &theirs);
    let seq = push["seq"].as_u64().expect("seq is an integer");
    assert!(seq > after, "{}: seq {seq} after {after}", vector.name);
    seq
}

#[test]
fn each_change_is_pushed_as_captured() {
    let first = vector::named(CHANGES[0]);
    let peer = peer_of(&first);
    let node = plan_with(&first, &peer).file("dnsrecords.json", &vector::file("mixed/dnsrecords.loaded.json"));
    let node = node.start_control();
    let post = |body: Value| assert_eq!(node.request("POST", "/dns/records", Some(&body)).status, 201, "{body}");
    let new = json!({"name": "new.lab.test", "type": "A", "value": "192.0.2.60", "ttl": 120});
    let mut last = 0;
    for name in CHANGES {
        let vector = vector::named(name);
        match *name {
            "push-after-post" | "push-after-duplicate-post" => post(new.clone()),
            "push-after-put" => {
                node.update(&json!({"name": "new.lab.test", "type": "A", "value": "192.0.2.60", "ttl": 30}))
            }
            "push-after-post-txt" => post(json!({"name": "txt.lab.test", "type": "TXT", "value": "\"<k>&é\""})),
            "push-after-post-upper" => {
                post(json!({"name": "UPPER.Lab.Test.", "type": "mx", "value": "5 Mail.Lab.Test."}))
            }
            "push-after-delete" => node.delete("new.lab.test"),
            other => panic!("no deed for {other}"),
        }
        if exception(name) == Some(Instead::NoPush) {
            // That nothing comes shows with the next push: it is the only one after the one before.
            continue;
        }
        last = push_as_captured(&node, &peer, &vector, last);
    }
    let mut sequences: Vec<_> = peer.pushes().iter().map(|push| push["seq"].as_u64()).collect();
    sequences.dedup();
    assert_eq!(sequences.len(), CHANGES.len() - 1, "one sequence for each change of content: {sequences:?}");
    auth_is_as_captured("push-after-post", &ended_dialogue("push-after-post", &peer, "records_full"), &first);
}

#[test]
fn the_last_deletion_is_pushed_as_null() {
    let vector = vector::named("push-after-delete-of-last-record");
    let peer = peer_of(&vector);
    let node = plan_with(&vector, &peer).records(&[Record::a("last.lab.test", "192.0.2.1")]).start_control();
    node.delete("last.lab.test");
    push_as_captured(&node, &peer, &vector, 0);
}

#[test]
fn a_peer_that_refuses_is_told_nothing_more() {
    for name in REFUSED {
        let vector = vector::named(name);
        let peer = peer_of(&vector);
        let node = plan_with(&vector, &peer).records(&[Record::a("a.lab.test", "192.0.2.1")]).start_control();
        node.add(&Record::a("b.lab.test", "192.0.2.2"));
        auth_is_as_captured(name, &ended_dialogue(name, &peer, ""), &vector);
        let address = peer.address();
        eventually(&format!("{name}: the status says that the push failed, and why"), PATIENCE, || {
            let status = node.peer_status(address);
            let said = status["last_outbound_error"].as_str().is_some_and(|text| text.contains("auth"));
            let silent = status.get("last_outbound_ok").is_none_or(Value::is_null);
            if said && silent { Ok(()) } else { Err(status.to_string()) }
        });
        for dialogue in peer.dialogues() {
            assert!(dialogue.frames.len() <= 1, "{name}: said more than auth: {dialogue:?}");
        }
    }
}

#[test]
fn a_peer_that_says_more_than_it_has_to_does_no_harm() {
    for name in TALKATIVE {
        let vector = vector::named(name);
        let peer = peer_of(&vector);
        let node = plan_with(&vector, &peer).records(&[Record::a("a.lab.test", "192.0.2.1")]).start_control();
        node.add(&Record::a("b.lab.test", "192.0.2.2"));
        push_as_captured(&node, &peer, &vector, 0);
        let dialogue = ended_dialogue(name, &peer, "records_full");
        auth_is_as_captured(name, &dialogue, &vector);
        // A receipt and nothing else may follow; the features that the peer offered are not ours.
        assert!((2..dialogue.frames.len()).all(|at| dialogue.kind(at) == "ping"), "{name}: {dialogue:?}");
        eventually(&format!("{name}: the status says that the push arrived"), PATIENCE, || {
            let status = node.peer_status(peer.address());
            if status["last_outbound_ok"].is_string() { Ok(()) } else { Err(status.to_string()) }
        });
    }
}

#[test]
fn pulls_are_made_and_taken_as_captured() {
    for name in PULLS {
        let vector = vector::named(name);
        let peer = peer_of(&vector);
        let node = plan_with(&vector, &peer).records(&[Record::a("own.lab.test", "192.0.2.1")]).start_control();
        let refused = *name == "client-pull-auth-fail";
        let kind = if refused { "" } else { "pull" };
        let dialogue = ended_dialogue(name, &peer, kind);
        auth_is_as_captured(name, &dialogue, &vector);
        assert_eq!(dialogue.frames.len(), if refused { 1 } else { 2 }, "{name}: {dialogue:?}");
        if !refused {
            let pull: Value = serde_json::from_str(&dialogue.frames[1]).expect("pull is JSON");
            assert_eq!(pull, json!({"type": "pull"}), "{name}");
        }
        let names: Vec<String> = serde_json::from_value(vector.document["names_in_store_afterwards"].clone())
            .expect("the vector says what is left");
        eventually(&format!("{name}: the store holds {names:?}"), PATIENCE, || {
            let held: Vec<_> = node.records().into_iter().map(|record| record.name).collect();
            if held == names { Ok(()) } else { Err(format!("{held:?}")) }
        });
        // The interval is one second: it asks again, and a second answer changes nothing.
        eventually(&format!("{name}: it asks again"), PATIENCE, || {
            let times = peer.dialogues_of(kind).iter().filter(|dialogue| dialogue.closed).count();
            if times > 2 { Ok(()) } else { Err(format!("{times} times")) }
        });
        let held: Vec<_> = node.records().into_iter().map(|record| record.name).collect();
        assert_eq!(held, names, "{name}: after asking again");
    }
}

#[test]
fn a_probe_goes_as_captured_on_both_sides() {
    let vector = vector::named("probe-between");
    let peer = peer_of(&vector);
    let node = plan_with(&vector, &peer).start_control();
    let dialogue = ended_dialogue("probe-between", &peer, "ping");
    auth_is_as_captured("probe-between", &dialogue, &vector);
    eventually("the status shows the probe", PATIENCE, || {
        let status = node.peer_status(peer.address());
        let shown = status["reachable"] == true && status["last_probe_ok"].is_string();
        if shown { Ok(()) } else { Err(status.to_string()) }
    });

    let answering = plan(&vector).start_control();
    let mut wire = Wire::connect(answering.peer()).expect("the node listens");
    for frame in &vector.frames {
        if frame.from_client {
            wire.send(&frame.wire);
        } else {
            assert_eq!(wire.hear_json(PATIENCE), frame.json());
        }
    }
    assert_eq!(wire.hear(Duration::from_millis(50)), Heard::Nothing);
}
