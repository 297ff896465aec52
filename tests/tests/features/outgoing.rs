//! What our node sends.

use crate::{ALL, eventually_holds, many, twin::Twin};
use dnsplane_tests::{Node, PATIENCE, Plan, Record, eventually};
use serde_json::{Value, json};

/// Frames that any peer is sent, and those that need a feature.
fn needs(kind: &str) -> Option<&'static str> {
    match kind {
        "auth" | "ping" | "pull" | "records_full" => None,
        "records_ack" => Some("ack"),
        "records_delta" => Some("delta"),
        "records_begin" | "records_part" | "records_end" => Some("chunk"),
        other => panic!("a frame of an unknown type: {other}"),
    }
}

/// Keys that a frame may have: those of existing nodes, and those of features that were agreed.
fn keys(kind: &str, agreed: &[&str]) -> &'static [&'static str] {
    match kind {
        "auth" => &["token", "features", "node_id", "instance"],
        "records_full" => &["node_id", "seq", "timestamp_unix", "records"],
        "ping" if agreed.contains(&"keep") => &["hash", "time_unix_ms"],
        "pull" if agreed.contains(&"delta") => &["hash"],
        "ping" | "pull" => &[],
        "records_delta" => &["node_id", "seq", "timestamp_unix", "base_hash", "hash", "upserts", "deletes", "informed"],
        "records_begin" => &["node_id", "seq", "timestamp_unix", "count", "hash"],
        "records_part" => &["records"],
        _ => &[],
    }
}

/// Waits until a peer made by hand holds what the node holds.
#[track_caller]
fn eventually_equal(what: &str, node: &Node, twin: &Twin) {
    eventually(&format!("{what}: the peer holds what the node holds"), PATIENCE, || {
        let (theirs, ours) = (twin.state().records.clone(), node.records());
        if theirs == ours { Ok(()) } else { Err(format!("{theirs:?}, not {ours:?}\n{}", node.logs())) }
    });
}

#[test]
fn a_peer_is_sent_what_it_agreed_to_and_nothing_else() {
    let alone = ALL.map(|feature| vec![feature]);
    let all_but = ALL.map(|left_out| ALL.into_iter().filter(|feature| *feature != left_out).collect());
    let subsets = [vec![], ALL.to_vec()].into_iter().chain(alone).chain(all_but);
    for agreed in subsets {
        let twin = Twin::start("twin", &agreed);
        let address = twin.listener().address();
        let node = Plan::new("ours").peers(&[address]).records(&many("r", 300)).start_control();
        for number in 0..3 {
            node.add(&Record::a(&format!("new{number}.example"), "192.0.2.9"));
            eventually_equal(&format!("{agreed:?}"), &node, &twin);
        }
        node.delete("r00007.example");
        eventually_equal(&format!("{agreed:?}"), &node, &twin);
        for frame in twin.listener().frames() {
            let kind = frame["type"].as_str().unwrap_or_default();
            let fine = needs(kind).is_none_or(|feature| agreed.contains(&feature));
            assert!(fine, "{agreed:?} was agreed, and it was sent {}", shortened(&frame));
            let known = keys(kind, &agreed);
            let object = frame.as_object().expect("a frame is an object");
            let odd = object.keys().find(|key| *key != "type" && !known.contains(&key.as_str()));
            assert_eq!(odd, None, "{agreed:?}: {}", shortened(&frame));
        }
        let state = twin.state();
        assert_eq!(state.faults, Vec::<String>::new(), "{agreed:?}");
        let connections = twin.listener().dialogues().len();
        println!("{agreed:?}: {} snapshots, {} deltas, {connections} connections", state.snapshots, state.deltas);
        if agreed.len() == ALL.len() {
            assert!(state.deltas >= 3, "{} changes were sent as deltas: {state:?}", state.deltas);
            assert!(state.snapshots <= 1, "{} times everything was sent", state.snapshots);
        }
    }
}

/// The beginning of a frame: some have a thousand records.
fn shortened(frame: &Value) -> String {
    frame.to_string().chars().take(300).collect()
}

#[test]
fn every_delta_has_the_hashes_of_what_it_starts_from_and_what_it_leads_to() {
    let twin = Twin::start("twin", &["keep", "ack", "delta"]);
    let node = Plan::new("ours").peers(&[twin.listener().address()]).start_control();
    node.add(&Record::new("first.example", "TXT", "\"one\"", 60));
    eventually_equal("the first write", &node, &twin);
    for number in 0..10 {
        node.add(&Record::new(&format!("n{number}.example"), "CNAME", "first.example", 30 + number));
    }
    node.update(&json!({"name": "n3.example", "type": "CNAME", "value": "first.example", "ttl": 7}));
    node.delete("n4.example");
    eventually_equal("additions, an update and a deletion", &node, &twin);
    let state = twin.state();
    assert_eq!(state.faults, Vec::<String>::new());
    assert!(state.deltas > 0, "{state:?}");
    for frame in twin.listener().frames() {
        if frame["type"] == "records_delta" {
            let whole = ["seq", "timestamp_unix"].iter().all(|key| frame[*key].is_u64()) && frame["node_id"] == "ours";
            assert!(whole, "{frame}");
        }
    }
}

#[test]
fn a_peer_that_cannot_use_a_delta_gets_everything() {
    let twin = Twin::start("twin", &["keep", "ack", "delta"]);
    let node = Plan::new("ours").peers(&[twin.listener().address()]).start_control();
    node.add(&Record::a("one.example", "192.0.2.1"));
    eventually_equal("the first write", &node, &twin);
    // It says so again and again; in the end everything is sent, and before long.
    twin.state().refuse = 100;
    let before = twin.state().snapshots;
    node.add(&Record::a("two.example", "192.0.2.2"));
    eventually_equal("a refused delta", &node, &twin);
    let after = twin.state().snapshots;
    let tried = 100 - std::mem::take(&mut twin.state().refuse);
    assert_eq!(after - before, 1, "after need_full a snapshot follows");
    assert!((1..5).contains(&tried), "{tried} deltas were tried before");
    // It lost its records: what the node believes about it is wrong now, and the base hash says so.
    twin.state().records.clear();
    node.add(&Record::a("three.example", "192.0.2.3"));
    eventually_equal("another base", &node, &twin);
    eventually_holds(
        &node,
        &["one", "two", "three"].map(|name| {
            let last = ["one", "two", "three"].iter().position(|known| *known == name).unwrap_or_default() + 1;
            Record::a(&format!("{name}.example"), &format!("192.0.2.{last}"))
        }),
    );
    assert_eq!(twin.state().faults, Vec::<String>::new());
}

#[test]
fn a_large_store_goes_in_parts_where_that_was_agreed() {
    for features in [&["keep", "ack", "chunk"][..], &["keep", "ack"]] {
        let twin = Twin::start("twin", features);
        let node = Plan::new("ours").peers(&[twin.listener().address()]).records(&many("r", 20_000)).start_control();
        node.add(&Record::a("one.example", "192.0.2.1"));
        eventually(&format!("{features:?}: the peer has it all"), PATIENCE, || match twin.state().records.len() {
            20_001 => Ok(()),
            count => Err(format!("{count} records\n{}", node.logs())),
        });
        let parts = twin.listener().frames().iter().filter(|frame| frame["type"] == "records_part").count();
        println!("20,001 records to a peer with {features:?}: {parts} parts");
        assert_eq!(parts > 1, features.contains(&"chunk"));
        assert_eq!(twin.state().faults, Vec::<String>::new());
    }
}

#[test]
fn a_peer_that_holds_something_else_is_seen_to() {
    let twin = Twin::start("twin", &["keep", "ack"]);
    let address = twin.listener().address();
    let mut node = Plan::new("ours").peers(&[address]).start_control();
    for (name, equal) in [("one.example", true), ("two.example", false)] {
        if !equal {
            twin.state().drops = true;
        }
        node.add(&Record::a(name, "192.0.2.1"));
        node.eventually(&format!("the status says that the peer holds the same: {equal}"), |node| {
            let status = node.peer_status(address);
            let acknowledged = status["acknowledged_seq"] == node.cluster_status()["local_seq"];
            if acknowledged && status["hash_equal"] == equal { Ok(()) } else { Err(status.to_string()) }
        });
    }
}
