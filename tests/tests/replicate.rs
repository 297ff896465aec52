//! What is written on one node is answered by the others, and nothing else is.

use dnsplane_tests::{Cluster, Node, Plan, Record};
use serde_json::{Value, json};
use std::net::SocketAddr;

#[test]
fn a_record_added_on_either_node_is_answered_by_the_other() {
    let mut cluster = Cluster::start(2);
    let (a, b) = cluster.pair();
    a.add(&Record::a("rest.example", "192.0.2.7"));
    b.eventually_answers("rest.example", "A", &["192.0.2.7"]);
    // The other door, the other direction; what came first stays.
    b.ctl(&["record", "add", "ctl.example", "A", "192.0.2.8"]).success();
    a.eventually_answers("ctl.example", "A", &["192.0.2.8"]);
    a.eventually_answers("rest.example", "A", &["192.0.2.7"]);
    assert_eq!(a.records(), b.records());
}

#[test]
fn updates_and_deletions_reach_the_other_node() {
    let mut cluster = Cluster::start(2);
    let (a, b) = cluster.pair();
    a.add(&Record::a("www.example", "192.0.2.7"));
    a.add(&Record::a("stays.example", "192.0.2.8"));
    b.eventually_answers("stays.example", "A", &["192.0.2.8"]);
    let objects = b.record_objects();
    let object = objects.as_array().expect("records").iter().find(|object| object["name"] == "www.example");
    let id = object.expect("the record is there")["id"].clone();
    assert!(id.is_string(), "a record that was added through a door has an id on every node");

    a.update(&json!({"id": id, "name": "www.example", "type": "A", "value": "192.0.2.9", "ttl": 30}));
    b.eventually_answers("www.example", "A", &["192.0.2.9"]);
    b.delete("www.example");
    // No upstream knows it either: REFUSED, which has no values.
    a.eventually_answers("www.example", "A", &[]);
    a.eventually_answers("stays.example", "A", &["192.0.2.8"]);
    assert_eq!(a.records(), [Record::a("stays.example", "192.0.2.8")]);
}

#[test]
fn three_nodes_agree_and_can_say_so() {
    let mut cluster = Cluster::start(3);
    for (writer, name) in ["a.example", "b.example", "c.example"].into_iter().enumerate() {
        cluster.nodes[writer].add(&Record::a(name, "192.0.2.1"));
        for node in &mut cluster.nodes {
            node.eventually_answers(name, "A", &["192.0.2.1"]);
        }
    }
    let hash = cluster.nodes[0].cluster_status()["content_hash"].clone();
    assert!(hash.as_str().is_some_and(|text| text.len() == 64), "{hash}");
    for node in &cluster.nodes[1..] {
        assert_eq!(node.cluster_status()["content_hash"], hash);
    }
}

#[test]
fn nodes_with_different_tokens_exchange_nothing_and_both_say_why() {
    let mut cluster = Cluster::prepare(2, &json!({"cluster_sync_interval_seconds": 1}));
    let (a, b) = cluster.pair();
    b.configure(&json!({"cluster_auth_token": "another token"}));
    for node in [&mut *a, &mut *b] {
        node.start_control();
        node.start_data();
    }
    a.wait_ready();
    b.wait_ready();
    a.add(&Record::a("a.example", "192.0.2.1"));
    b.add(&Record::a("b.example", "192.0.2.2"));
    let addresses = (a.peer(), b.peer());
    for (node, other) in [(&mut *a, addresses.1), (&mut *b, addresses.0)] {
        node.eventually("the status says that the token was refused, for pushes, pulls and probes", |node| {
            let status = node.peer_status(other);
            let refused = |key: &str| status[key].as_str().is_some_and(|text| text.contains("auth"));
            let all = ["last_outbound_error", "last_pull_error", "last_probe_error"].into_iter().all(refused);
            if all && status["reachable"] == false { Ok(()) } else { Err(status.to_string()) }
        });
        node.eventually("the status says who was refused", |node| {
            let inbound = node.cluster_status()["inbound"].clone();
            let counted = inbound["auth_failures"].as_u64().unwrap_or_default() > 2;
            let from = inbound["last_auth_failure"]["from"].as_str().is_some_and(|text| text.contains("127.0.0.1"));
            if counted && from { Ok(()) } else { Err(inbound.to_string()) }
        });
    }
    assert_eq!(a.records(), [Record::a("a.example", "192.0.2.1")]);
    assert_eq!(b.records(), [Record::a("b.example", "192.0.2.2")]);
}

/// Starts both daemons and waits until the control plane answers.
fn start(node: &mut Node) {
    node.start_control();
    node.start_data();
    node.wait_ready();
}

/// Waits until the periodic pull has got some word from this peer, whatever it was.
#[track_caller]
fn wait_for_periodic_pull(node: &mut Node, peer: SocketAddr) {
    node.eventually("the other node has answered a pull", |node| {
        let status = node.peer_status(peer);
        let refusal = status["last_pull_error"].as_str().unwrap_or("Connection refused");
        let answered = status["last_pull_ok"].is_string() || !refusal.contains("onnection refused");
        if answered { Ok(()) } else { Err(status.to_string()) }
    });
}

/// Pulls from all peers now; whether each was taken.
#[track_caller]
fn pull_now(node: &Node) -> Vec<bool> {
    let ended = node.ctl(&["--json", "cluster", "pull"]);
    let reply: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {}", ended.said()));
    let outcomes = reply["outcomes"].as_array().unwrap_or_else(|| panic!("no outcomes: {reply}"));
    outcomes.iter().map(|outcome| outcome["ok"] == true).collect()
}

#[test]
fn a_fresh_empty_node_never_empties_the_other_whoever_starts_first() {
    let record = Record::a("kept.example", "192.0.2.1");
    for fresh_first in [true, false] {
        let mut cluster = Cluster::prepare(2, &json!({"cluster_sync_interval_seconds": 1}));
        let (full, fresh) = cluster.pair();
        if fresh_first {
            start(fresh);
            start(full);
        } else {
            start(full);
            full.add(&record);
            start(fresh);
        }
        // Each asks the other before and after the write.
        wait_for_periodic_pull(full, fresh.peer());
        wait_for_periodic_pull(fresh, full.peer());
        full.add(&record);
        fresh.eventually_answers("kept.example", "A", &["192.0.2.1"]);
        assert_eq!(pull_now(full), [true], "a node that has only applied offers what it got, under its writer's name");
        assert_eq!(pull_now(fresh), [true]);
        assert_eq!(full.records(), std::slice::from_ref(&record), "fresh node first: {fresh_first}");
        let status = fresh.cluster_status();
        assert_eq!((&status["written"], &status["local_seq"]), (&json!(false), &json!(0)), "{status}");
    }
}

#[test]
fn a_fresh_node_does_not_empty_one_whose_records_came_from_a_file() {
    let mut cluster = Cluster::prepare(2, &json!({"cluster_sync_interval_seconds": 1}));
    let (full, fresh) = cluster.pair();
    let record = Record::a("filed.example", "192.0.2.1");
    full.write("dnsrecords.json", &json!({"records": [record.to_json()]}).to_string());
    start(full);
    start(fresh);
    wait_for_periodic_pull(full, fresh.peer());
    assert_eq!(pull_now(full), [false]);
    full.eventually_answers("filed.example", "A", &["192.0.2.1"]);
    assert_eq!(full.records(), [record]);
}

#[test]
fn a_node_that_lost_its_folder_gets_everything_back() {
    let mut cluster = Cluster::start_with(2, &json!({"cluster_sync_interval_seconds": 1}));
    let (a, b) = cluster.pair();
    a.add(&Record::a("kept.example", "192.0.2.1"));
    b.eventually_answers("kept.example", "A", &["192.0.2.1"]);
    b.add(&Record::a("theirs.example", "192.0.2.2"));
    a.eventually_answers("theirs.example", "A", &["192.0.2.2"]);
    b.control().kill();
    b.data().kill();
    for entry in std::fs::read_dir(b.dir()).expect("the folder can be read") {
        let path = entry.expect("an entry").path();
        match path.file_name().and_then(|name| name.to_str()) {
            Some("dnsplane.json") => {}
            _ if path.is_dir() => std::fs::remove_dir_all(&path).expect("our own folder"),
            _ => std::fs::remove_file(&path).expect("our own file"),
        }
    }
    start(b);
    b.eventually_answers("kept.example", "A", &["192.0.2.1"]);
    b.eventually_answers("theirs.example", "A", &["192.0.2.2"]);
    pull_now(a);
    assert_eq!(a.records().len(), 2);
    // What it writes now counts: its new sequence is above the lost one (R2).
    b.add(&Record::a("new.example", "192.0.2.3"));
    a.eventually_answers("new.example", "A", &["192.0.2.3"]);
    assert_eq!(a.records().len(), 3);
}

#[test]
fn a_peer_that_was_down_gets_what_it_missed() {
    let mut a = Plan::new("a").prepare();
    // Knows nobody and never asks: only what A sends again can bring the records.
    let mut b = Node::start("b");
    a.configure(&json!({"cluster_peers": [b.peer()]}));
    start(&mut a);
    b.control().kill();
    for number in 1..=5 {
        a.add(&Record::a(&format!("missed-{number}.example"), "192.0.2.1"));
    }
    let address = b.peer();
    a.eventually("the status says that the peer cannot be reached", |a| {
        let status = a.peer_status(address);
        let said = status["last_outbound_error"].as_str().is_some_and(|text| text.contains("refused"));
        if said { Ok(()) } else { Err(status.to_string()) }
    });
    b.start_control();
    b.wait_healthy();
    for number in 1..=5 {
        b.eventually_answers(&format!("missed-{number}.example"), "A", &["192.0.2.1"]);
    }
    a.eventually("the status says that all is well again", |a| {
        let status = a.peer_status(address);
        let fine = status["last_outbound_ok"].is_string()
            && status.get("last_outbound_error").is_none_or(|error| error.is_null() || error == "");
        if fine { Ok(()) } else { Err(status.to_string()) }
    });
}

#[test]
fn a_node_that_is_its_own_peer_is_not_harmed() {
    let mut cluster = Cluster::prepare(2, &json!({"cluster_sync_interval_seconds": 1}));
    let (a, b) = cluster.pair();
    a.configure(&json!({"cluster_peers": [a.peer(), b.peer()]}));
    start(a);
    start(b);
    a.add(&Record::a("one.example", "192.0.2.1"));
    b.eventually_answers("one.example", "A", &["192.0.2.1"]);
    a.delete("one.example");
    b.eventually_answers("one.example", "A", &[]);
    pull_now(a);
    assert_eq!(a.records(), []);
    let written: Value =
        serde_json::from_str(&std::fs::read_to_string(a.path("cluster_state.json")).expect("a state file"))
            .expect("the state file is JSON");
    assert!(written["peer_seq"].get("a").is_none(), "it counts itself as a peer: {written}");
}
