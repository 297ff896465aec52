//! A configuration that is read again while the node runs (SIGHUP).

use dnsplane_tests::{
    Node, Plan, Record, http,
    node::{TERMINATION_LIMIT, TOKEN},
};
use nix::sys::signal::Signal;
use serde_json::json;

/// Waits until the control plane has said this.
fn eventually_says(node: &mut Node, words: &str) {
    node.eventually(&format!("the control plane says {words:?}"), |node| {
        let said = node.control().said();
        if said.contains(words) { Ok(()) } else { Err(said) }
    });
}

#[test]
fn peers_that_are_added_while_a_node_runs_get_its_records() {
    let mut a = Node::start("a");
    let mut b = Node::start("b");
    a.add(&Record::a("www.example", "192.0.2.7"));
    a.configure(&json!({"cluster_peers": [b.peer().to_string()]}));
    a.control().signal(Signal::SIGHUP);
    b.eventually_answers("www.example", "A", &["192.0.2.7"]);
}

#[test]
fn a_node_told_to_reject_local_writes_does_so_at_once() {
    let mut node = Node::start("a");
    node.add(&Record::a("www.example", "192.0.2.7"));
    node.configure(&json!({"cluster_reject_local_writes": true}));
    node.control().signal(Signal::SIGHUP);
    let record = Record::a("other.example", "192.0.2.8").to_json();
    let reply = node.eventually("a write is refused", |node| {
        let reply = node.request("POST", "/dns/records", Some(&record));
        if reply.status == 403 { Ok(reply) } else { Err(format!("{reply:?}")) }
    });
    assert!(format!("{reply:?}").contains("cluster_reject_local_writes"), "{reply:?}");
    let refused = node.ctl(&["record", "remove", "www.example"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
}

#[test]
fn data_planes_answer_on_another_port_once_the_file_says_so() {
    let mut node = Node::start("a");
    node.add(&Record::a("www.example", "192.0.2.7"));
    let before = node.dns();
    let spare = Plan::new("spare").prepare();
    node.configure(&json!({"port": spare.dns().port().to_string()}));
    node.control().signal(Signal::SIGHUP);
    node.eventually("the new port answers", |_| {
        let reply = dnsplane_tests::dns::Question::new("www.example", "A").udp(spare.dns());
        reply.map(|_| ()).map_err(|error| error.to_string())
    });
    node.eventually("the old port is given up", |_| {
        match dnsplane_tests::dns::Question::new("www.example", "A").udp(before) {
            Ok(reply) => Err(format!("{reply:?}")),
            Err(_) => Ok(()),
        }
    });
}

#[test]
fn a_broken_file_changes_nothing_and_is_told() {
    let mut node = Node::start("a");
    node.write("dnsplane.json", "{\"port\": 53}");
    node.control().signal(Signal::SIGHUP);
    eventually_says(&mut node, "going on with the configuration that is in force");
    node.add(&Record::a("www.example", "192.0.2.7"));
    node.eventually_answers("www.example", "A", &["192.0.2.7"]);
    assert!(!node.control().said().contains(TOKEN));
    assert_eq!(http::request(node.api(), "GET", "/health", None).expect("a reply").status, 200);
}

#[test]
fn signals_are_minded_as_soon_as_the_node_answers() {
    let mut node = Plan::new("quick").prepare();
    for _ in 0..20 {
        node.start_control();
        node.wait_healthy();
        node.control().signal(Signal::SIGHUP);
        let ended = node.control().terminate(TERMINATION_LIMIT);
        assert_eq!(ended.and_then(|status| status.code()), Some(0), "{ended:?}\n{}", node.logs());
    }
}
