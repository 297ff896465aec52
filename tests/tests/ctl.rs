//! `dnsplanectl` against real nodes: one line, JSON, exit codes, and a script on standard input.

use dnsplane_tests::{Cluster, Node, Plan, Record};
use serde_json::{Value, json};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("not JSON ({error}): {text}"))
}

#[test]
fn records_are_added_listed_updated_and_removed_in_one_line_each() {
    let mut node = Node::start("ctl");
    node.ctl(&["record", "add", "www.example", "A", "192.0.2.7", "300"]).success();
    node.eventually_answers("www.example", "A", &["192.0.2.7"]);
    let listed = node.ctl(&["record", "list"]).success();
    for word in ["www.example", "A", "300", "192.0.2.7"] {
        assert!(listed.contains(word), "{word} is missing: {listed}");
    }
    node.ctl(&["record", "update", "www.example", "A", "192.0.2.7", "60"]).success();
    assert_eq!(node.records(), [Record::a("www.example", "192.0.2.7")]);
    node.ctl(&["record", "add", "example", "TXT", "v=spf1 mx -all"]).success();
    // Acknowledged is on disk; answered is a moment later.
    node.eventually_answers("example", "TXT", &["v=spf1 mx -all"]);
    node.ctl(&["record", "remove", "www.example"]).success();
    node.ctl(&["record", "remove", "example", "TXT"]).success();
    node.eventually_answers("www.example", "A", &[]);
    assert_eq!(node.records(), []);
}

#[test]
fn json_is_the_same_as_rest_gives() {
    let node = Node::start("ctl");
    assert_eq!(json(&node.ctl(&["--json", "record", "list"]).success()), json!([]));
    let added = json(&node.ctl(&["--json", "record", "add", "www.example", "A", "192.0.2.7"]).success());
    assert_eq!(added["changed"], true, "{added}");
    // Known already: no error, but nothing has changed.
    let again = json(&node.ctl(&["--json", "record", "add", "www.example", "A", "192.0.2.7"]).success());
    assert_eq!((&again["changed"], &again["number"]), (&json!(false), &added["number"]), "{again}");
    let listed = json(&node.ctl(&["--json", "record", "list"]).success());
    assert_eq!(Record::list(&listed), node.records());
    assert_eq!(listed[0]["id"], node.record_objects()[0]["id"]);

    let status = json(&node.ctl(&["--json", "cluster", "status"]).success());
    let cluster = status.get("cluster").unwrap_or(&status);
    assert_eq!(cluster["node_id"], "ctl", "{status}");
    assert_eq!(cluster["local_seq"], node.cluster_status()["local_seq"]);
    let status = node.server_status();
    assert_eq!((&status["records"], &status["ready"]), (&json!(1), &json!(true)), "{status}");
    let plane = node.data_plane_status().expect("one data plane");
    assert_eq!(plane["records"], status["generation"], "{status}");
}

#[test]
fn join_and_pull_say_what_the_other_node_needs_to_know() {
    let mut cluster = Cluster::start(2);
    let (a, b) = cluster.pair();
    let join = json(&a.ctl(&["--json", "cluster", "join"]).success());
    assert_eq!((&join["enabled"], &join["node_id"]), (&json!(true), &json!("a")));
    assert_eq!(join["token_sha256"].as_str().map(str::len), Some(64), "{join}");
    assert!(!join.to_string().contains(dnsplane_tests::node::TOKEN), "a token is never shown: {join}");

    b.add(&Record::a("b.example", "192.0.2.2"));
    let pulled = json(&a.ctl(&["--json", "cluster", "pull"]).success());
    assert_eq!((&pulled["outcomes"][0]["peer"], &pulled["outcomes"][0]["ok"]), (&json!(b.peer()), &json!(true)));
    assert_eq!(a.records(), [Record::a("b.example", "192.0.2.2")]);
}

#[test]
fn a_status_for_people_tells_who_is_in_step_and_what_is_wrong() {
    let mut cluster = Cluster::start(2);
    let (a, b) = cluster.pair();
    a.add(&Record::a("a.example", "192.0.2.1"));
    a.eventually("a's status shows b in step", |a| {
        let shown = a.ctl(&["cluster", "status"]).success();
        let row = shown.lines().find(|line| line.starts_with(&b.peer().to_string())).unwrap_or_default();
        let words: Vec<_> = row.split_whitespace().collect();
        let is_in_step =
            words.starts_with(&[&b.peer().to_string(), "b", "dnsplane", "yes,"]) && row.contains("in step");
        if is_in_step { Ok(()) } else { Err(shown) }
    });
    b.control().kill();
    a.add(&Record::a("a2.example", "192.0.2.2"));
    a.eventually("a's status says that b is gone", |a| {
        let shown = a.ctl(&["cluster", "status"]).success();
        let (sentence, row) = (format!("{}: ", b.peer()), format!("{} ", b.peer()));
        let told =
            shown.lines().any(|line| line.starts_with(&sentence) && line.contains("push") && line.contains("failed"));
        let behind = shown.lines().any(|line| line.starts_with(&row) && line.contains("behind"));
        if told && behind { Ok(()) } else { Err(shown) }
    });
}

#[test]
fn settings_are_set_saved_dropped_and_never_shown_when_secret() {
    let node = Plan::new("ctl").start_control();
    let setting = |key: &str| json(&node.ctl(&["--json", "server", "config"]).success())["settings"][key].clone();
    let file = || std::fs::read_to_string(node.path("dnsplane.json")).expect("the file is there");
    let before = file();
    node.ctl(&["server", "set", "cluster_sync_interval_seconds", "7"]).success();
    node.ctl(&["server", "set", "cluster_admin_token", "a secret that nobody may see"]).success();
    assert_eq!(setting("cluster_sync_interval_seconds"), 7);
    assert_eq!(file(), before, "what is set is not saved");
    let shown = node.ctl(&["server", "config"]).success();
    let row = shown.lines().find(|line| line.starts_with("cluster_sync_interval_seconds")).unwrap_or_default();
    assert!(row.contains("= 7") && row.contains("not saved"), "{shown}");
    assert!(!shown.contains("nobody may see"), "{shown}");

    node.ctl(&["server", "load"]).success();
    assert_eq!(setting("cluster_sync_interval_seconds"), 0, "what was not saved is gone");
    node.ctl(&["server", "set", "cluster_sync_interval_seconds", "9"]).success();
    node.ctl(&["server", "save"]).success();
    assert!(file().contains("\"cluster_sync_interval_seconds\": 9"), "{}", file());
    assert!(!node.ctl(&["server", "config"]).success().contains("not saved"));

    let refused = node.ctl(&["server", "set", "cluster_sync_interval_secnds", "9"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.said().contains("cluster_sync_interval_seconds"), "the nearest key is named: {}", refused.said());
    assert_eq!(node.ctl(&["server", "set", "cluster_sync_interval_seconds", "often"]).code, Some(1));
}

#[test]
fn a_peer_is_added_told_what_to_know_and_removed() {
    let admin = json!({"cluster_admin": true, "cluster_admin_token": "may change settings"});
    let mut a = Plan::new("a").with(&admin).start_control();
    let mut b = Plan::new("b").with(&admin).start_control();
    let address = b.peer().to_string();
    a.add(&Record::a("a.example", "192.0.2.1"));
    a.ctl(&["cluster", "peer", "add", &address, "readonly"]).success();
    b.eventually("b is a replica", |b| {
        let status = b.cluster_status();
        if status["replica_only"] == true { Ok(()) } else { Err(status.to_string()) }
    });
    let told = json(&a.ctl(&["--json", "cluster", "peer", "set-role", &address, "full"]).success());
    assert_eq!(told["ok"], true, "{told}");
    assert_eq!(b.cluster_status()["replica_only"], false);
    a.ctl(&["cluster", "push", "config", &address]).success();
    b.eventually("b knows a", |b| {
        let peers = b.cluster_status()["peers"].to_string();
        if peers.contains(&a.peer().to_string()) { Ok(()) } else { Err(peers) }
    });
    a.ctl(&["cluster", "push", "records", &address]).success();
    assert_eq!(b.records(), [Record::a("a.example", "192.0.2.1")]);

    b.control().kill();
    let partly = a.ctl(&["cluster", "push", "records", &address]);
    assert_eq!(partly.code, Some(4), "{}", partly.said());
    assert!(!partly.stdout.trim().is_empty());
    a.ctl(&["cluster", "peer", "remove", &address]).success();
    a.eventually("a has no peer", |a| {
        let peers = a.cluster_status()["peers"].clone();
        if peers.is_null() { Ok(()) } else { Err(peers.to_string()) }
    });
}

#[test]
fn what_a_peer_overwrote_is_listed_and_comes_back() {
    let mut cluster = Cluster::start_with(2, &json!({"cluster_sync_policy": "global_lww"}));
    let (a, b) = cluster.pair();
    assert_eq!(json(&a.ctl(&["--json", "cluster", "conflicts"]).success()), json!([]));
    b.ctl(&["server", "set", "cluster_enabled", "false"]).success();
    a.add(&Record::a("a.example", "192.0.2.1"));
    b.add(&Record::a("b.example", "192.0.2.2"));
    b.ctl(&["server", "set", "cluster_enabled", "true"]).success();
    a.eventually("b's write has won on a", |a| {
        let records = a.records();
        if records == [Record::a("b.example", "192.0.2.2")] { Ok(()) } else { Err(format!("{records:?}")) }
    });
    let conflicts = json(&a.ctl(&["--json", "cluster", "conflicts"]).success());
    let conflict = conflicts.as_array().into_iter().flatten().find(|it| it["kind"] == "overwritten");
    let conflict = conflict.unwrap_or_else(|| panic!("no overwrite in {conflicts}"));
    assert_eq!((&conflict["winner"]["node_id"], &conflict["lost"][0]["name"]), (&json!("b"), &json!("a.example")));
    let shown = a.ctl(&["cluster", "conflicts"]).success();
    assert!(shown.contains("a.example A 192.0.2.1"), "{shown}");

    a.ctl(&["cluster", "restore", &conflict["id"].to_string()]).success();
    let both = [Record::a("a.example", "192.0.2.1"), Record::a("b.example", "192.0.2.2")];
    for node in [a, b] {
        node.eventually("both writes are there", |node| {
            let records = node.records();
            if records == both { Ok(()) } else { Err(format!("{records:?}")) }
        });
    }
}

#[test]
fn exit_codes_tell_failures_apart() {
    let mut node = Plan::new("ctl").peers(&["127.0.0.1:9".parse().expect("an address")]).start_control();
    let code = |arguments: &[&str]| {
        let ended = node.ctl(arguments);
        let silent = ended.code == Some(0) || !ended.said().trim().is_empty();
        assert!(silent, "{arguments:?} fails without a word");
        ended.code
    };
    assert_eq!(code(&["record", "list"]), Some(0));
    assert_eq!(code(&["record", "add", "www.example", "A", "not an address"]), Some(1));
    assert_eq!(code(&["record", "remove", "nothing.example"]), Some(1));
    assert_eq!(code(&["record", "ad"]), Some(2));
    assert_eq!(code(&["cluster", "pull"]), Some(4));
    node.control().kill();
    assert_eq!(node.ctl(&["record", "list"]).code, Some(3));
}

#[test]
fn a_script_on_standard_input_is_run_line_by_line() {
    let node = Node::start("ctl");
    let script = "record add one.example A 192.0.2.1 60\n\
                  record\n\
                  add two.example A 192.0.2.2 60\n\
                  add three.example A nonsense\n\
                  ..\n\
                  cluster status\n";
    let ended = node.ctl_with_input(&[], script);
    assert_eq!(ended.code, Some(1), "the gravest result counts: {}", ended.said());
    assert!(ended.said().contains("nonsense"), "{}", ended.said());
    assert!(ended.stdout.contains("ctl"), "the line after the failed one is run: {}", ended.stdout);
    assert_eq!(node.records(), [Record::a("one.example", "192.0.2.1"), Record::a("two.example", "192.0.2.2")]);
}
