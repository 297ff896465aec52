//! The files that existing nodes leave behind are read: records, settings, cluster state.

use dnsplane_tests::{
    Plan, Record, node,
    peer::Wire,
    program::check_config,
    vector::{self, file},
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs, path::Path, time::Duration};

const RECORDS: &[&str] = &[
    "applied-empty/dnsrecords.json",
    "emptied/dnsrecords.json",
    "first-run/dnsrecords.json",
    "mixed/dnsrecords.json",
    "mixed/dnsrecords.loaded.json",
    "mixed/dnsrecords.pretty.json",
    "pushed/dnsrecords.json",
    "ring/dnsrecords.json",
    "synced/dnsrecords.json",
];

const SETTINGS: &[&str] = &[
    "admin/dnsplane.after.json",
    "admin/dnsplane.before.json",
    "all-keys/dnsplane.saved-by-node.json",
    "all-keys/dnsplane.written-by-hand.json",
    "first-run/dnsplane.json",
    "ring/dnsplane.json",
];

const STATES: &[&str] = &[
    "applied-empty/cluster_state.json",
    "first-run/cluster_state.json",
    "policy-global-lww/cluster_state.json",
    "policy-primary-writer/cluster_state.json",
    "pushed/cluster_state.json",
    "ring/cluster_state.json",
    "synced/cluster_state.json",
    "synced/cluster_state.sender.json",
];

const STATUSES: &[&str] = &["ring/status-cluster.json", "synced/status-cluster.sender.json"];

/// Files of parts that are not built yet.
const NOT_BUILT: &[(&str, &str)] =
    &[("first-run/dnsservers.json", "upstream servers"), ("servers/dnsservers.json", "upstream servers")];

#[test]
fn every_file_is_read_or_listed() {
    let listed = [RECORDS, SETTINGS, STATES, STATUSES].concat();
    let listed: BTreeSet<String> =
        listed.iter().copied().chain(NOT_BUILT.iter().map(|(path, _)| *path)).map(str::to_owned).collect();
    assert_eq!(files_below(&vector::folder().join("files"), ""), listed);
}

fn files_below(folder: &Path, prefix: &str) -> BTreeSet<String> {
    let mut files = BTreeSet::new();
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let entry = entry.expect("an entry");
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            files.extend(files_below(&entry.path(), &format!("{name}/")));
        } else {
            files.insert(name);
        }
    }
    files
}

#[test]
fn records_files_are_read_and_written_back_without_loss() {
    for path in RECORDS {
        let text = file(path);
        let document: Value = serde_json::from_str(&text).expect("a JSON file");
        let theirs = Record::list(&document["records"]);
        let mut node = Plan::new("reader").file("dnsrecords.json", &text).start_control();
        assert_eq!(node.records(), theirs, "{path}");
        // A change makes the node write the file; everything that was there is there still.
        node.add(&Record::a("added.reader.test", "192.0.2.99"));
        let mirror = node.path("dnsrecords.json");
        let wanted = theirs.len() + 1;
        let written = node.eventually(&format!("{path} is written back"), |_| {
            let text = fs::read_to_string(&mirror).map_err(|error| error.to_string())?;
            let written: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}"));
            let count = written["records"].as_array().map_or(0, Vec::len);
            if count == wanted { Ok(written) } else { Err(format!("{count} records")) }
        });
        let mut kept = written["records"].as_array().cloned().expect("records are a list");
        kept.retain(|object| object["name"] != "added.reader.test");
        let kept = Value::from(kept);
        assert_eq!(Record::list(&kept), theirs, "{path}");
        let macs = |list: &Value| -> BTreeSet<String> {
            let objects = list.as_array().into_iter().flatten();
            objects.filter_map(|object| Some(format!("{} {}", object["name"], object.get("mac")?))).collect()
        };
        assert_eq!(macs(&kept), macs(&document["records"]), "{path}");
    }
}

#[test]
fn settings_of_existing_nodes_are_accepted() {
    for path in SETTINGS {
        let (ended, files) = check_config(&file(path));
        assert_eq!(ended.code, Some(0), "{path}: {}", ended.said());
        assert_eq!(files, ["dnsplane.json"], "{path}: --check left something behind");
    }
    let (ended, _) = check_config(&file("all-keys/dnsplane.written-by-hand.json"));
    assert!(ended.said().contains("x_not_a_known_key"), "an unknown key is warned about: {}", ended.said());
}

#[test]
fn cluster_state_is_taken_over_and_kept() {
    for path in STATES {
        let state: Value = serde_json::from_str(&file(path)).expect("a JSON file");
        // The id is the state's own: none is set. With something to lose, a known sequence is a repeat.
        let kept = Record::a("kept.lab.test", "192.0.2.1");
        let plan = Plan::new("state").with(&json!({"cluster_node_id": null})).records(std::slice::from_ref(&kept));
        let mut node = plan.file("cluster_state.json", &file(path)).start_control();
        let status = node.cluster_status();
        assert_eq!(status["node_id"], state["node_id"], "{path}");
        assert_eq!(status["local_seq"], state["local_seq"], "{path}");

        // Snapshots that these peers have sent before are repeats.
        let mut wire = Wire::authenticated(node.peer(), node::TOKEN);
        for (peer, seq) in state["peer_seq"].as_object().into_iter().flatten() {
            let record = Record::a("repeat.lab.test", "192.0.2.1").to_json();
            wire.say(&json!({"type": "records_full", "node_id": peer, "seq": seq, "records": [record]}).to_string());
        }
        wire.say(r#"{"type":"ping"}"#);
        assert_eq!(wire.hear_json(Duration::from_secs(10)), json!({"type": "pong"}));
        assert_eq!(node.records(), [kept], "{path}: a repeat was applied");

        // A local write moves the sequence on and keeps what is known of others.
        node.add(&Record::a("own.lab.test", "192.0.2.2"));
        let file = node.path("cluster_state.json");
        node.eventually(&format!("{path} is written back"), |_| {
            let text = fs::read_to_string(&file).map_err(|error| error.to_string())?;
            let written: Value = serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))?;
            let moved = written["local_seq"].as_u64() > state["local_seq"].as_u64();
            let known = written.get("peer_seq").unwrap_or(&Value::Null);
            let kept = state["peer_seq"].as_object().into_iter().flatten().all(|(peer, seq)| known[peer] == *seq);
            let same = written["node_id"] == state["node_id"];
            if moved && kept && same { Ok(()) } else { Err(text) }
        });
    }
}

/// A snapshot of one A record.
fn snapshot(node_id: &str, seq: u64, timestamp: u64, name: &str) -> String {
    let records = [Record::a(name, "192.0.2.7").to_json()];
    let (kind, timestamp) = ("records_full", (timestamp > 0).then_some(timestamp));
    json!({"type": kind, "node_id": node_id, "seq": seq, "timestamp_unix": timestamp, "records": records}).to_string()
}

#[test]
fn the_last_winner_is_taken_over_and_still_wins() {
    let state: Value = serde_json::from_str(&file("policy-global-lww/cluster_state.json")).expect("a JSON file");
    let (winner_at, winner) = (&state["last_global_lww_unix"], &state["last_global_lww_node_id"]);
    let at = winner_at.as_u64().expect("the winner's time is an integer");
    let kept = Record::a("kept.lab.test", "192.0.2.1");
    let plan = Plan::new("state").with(&json!({"cluster_node_id": null, "cluster_sync_policy": "global_lww"}));
    let plan = plan.file("cluster_state.json", &file("policy-global-lww/cluster_state.json"));
    let mut node = plan.records(std::slice::from_ref(&kept)).start_control();
    let status = node.cluster_status();
    assert_eq!((&status["last_global_lww_unix"], &status["last_global_lww_node_id"]), (winner_at, winner));

    // Equal time and an id that is not greater, an older time, no time: all of senders never heard of.
    let mut wire = Wire::authenticated(node.peer(), node::TOKEN);
    let older = [(at, "A"), (at - 1, "zz"), (0, "new")];
    older.iter().for_each(|(time, sender)| wire.say(&snapshot(sender, 9, *time, "older.lab.test")));
    wire.say(r#"{"type":"ping"}"#);
    assert_eq!(wire.hear_json(Duration::from_secs(10)), json!({"type": "pong"}));
    assert_eq!(node.records(), [kept]);
    wire.say(&snapshot("zz", 10, at, "newer.lab.test"));
    node.eventually("an equal time and a greater id win", |node| {
        let held = node.records();
        if held == [Record::a("newer.lab.test", "192.0.2.7")] { Ok(()) } else { Err(format!("{held:?}")) }
    });
    let path = node.path("cluster_state.json");
    node.eventually("the new winner is written, under the same keys", |_| {
        let text = fs::read_to_string(&path).map_err(|error| error.to_string())?;
        let written: Value = serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))?;
        let same = (&written["last_global_lww_unix"], &written["last_global_lww_node_id"]) == (winner_at, &json!("zz"));
        if same { Ok(()) } else { Err(text) }
    });
}

#[test]
fn the_status_has_the_keys_that_scripts_know() {
    let peers = ["127.0.0.1:1", "127.0.0.1:2"].map(|address| address.parse().expect("an address"));
    let mut node = Plan::new("status").peers(&peers).start_control();
    let ours = node.eventually("the cluster has started", |node| {
        let status = node.cluster_status();
        if status["peers"].is_array() { Ok(status) } else { Err(status.to_string()) }
    });
    for path in STATUSES {
        let theirs: Value = serde_json::from_str(&file(path)).expect("a JSON file");
        for (key, value) in theirs.as_object().expect("an object") {
            let same_type = std::mem::discriminant(&ours[key]) == std::mem::discriminant(value);
            assert!(same_type, "{path}: `{key}` is {value} there and {} here", ours[key]);
        }
        for peer in ours["peers"].as_array().expect("peers are a list") {
            assert!(peer["address"].is_string() && peer["reachable"].is_boolean(), "{peer}");
        }
    }
    assert_eq!(ours["static_peer_count"], 2);
    assert_eq!(ours["effective_peer_count"], 2);
}
