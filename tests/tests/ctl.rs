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
    assert_eq!(node.ask("example", "TXT").values(), ["v=spf1 mx -all"]);
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
