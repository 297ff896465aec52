//! `dnsrecords.json` can be read and edited by hand, while the node runs and while it does not.

use dnsplane_tests::{Cluster, Node, Plan, Record, node::TERMINATION_LIMIT};
use serde_json::{Value, json};
use std::fs;

/// Puts another file in the place of the mirror, as editors do.
fn edit(node: &Node, records: &[Record]) {
    let list: Vec<_> = records.iter().map(Record::to_json).collect();
    node.write("dnsrecords.json.edited", &format!("{:#}\n", json!({"records": list})));
    fs::rename(node.path("dnsrecords.json.edited"), node.path("dnsrecords.json")).expect("a file can be renamed");
}

/// Waits until the mirror holds these records.
#[track_caller]
fn eventually_mirrors(node: &mut Node, records: &[Record]) {
    let mut expected = records.to_vec();
    expected.sort();
    node.eventually("the mirror holds what the store holds", |node| {
        let text = fs::read_to_string(node.path("dnsrecords.json")).map_err(|error| error.to_string())?;
        let document: Value = serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))?;
        let held = Record::list(&document["records"]);
        if held == expected { Ok(()) } else { Err(format!("{held:?}")) }
    });
}

#[test]
fn an_edit_by_hand_is_answered_by_every_node() {
    let mut cluster = Cluster::start(2);
    let (a, b) = cluster.pair();
    let [kept, gone, new] = ["kept", "gone", "new"].map(|name| Record::a(&format!("{name}.example"), "192.0.2.1"));
    a.add(&kept);
    a.add(&gone);
    b.eventually_answers("gone.example", "A", &["192.0.2.1"]);
    eventually_mirrors(a, &[kept.clone(), gone]);
    edit(a, &[kept.clone(), new.clone()]);
    for node in [&mut *a, &mut *b] {
        node.eventually_answers("new.example", "A", &["192.0.2.1"]);
        node.eventually_answers("gone.example", "A", &[]);
        node.eventually_answers("kept.example", "A", &["192.0.2.1"]);
    }
    eventually_mirrors(b, &[kept, new]);
}

#[test]
fn an_edit_made_while_the_node_was_down_is_noticed() {
    let mut node = Node::start("down");
    let [first, second] = [Record::a("first.example", "192.0.2.1"), Record::a("second.example", "192.0.2.2")];
    node.add(&first);
    eventually_mirrors(&mut node, std::slice::from_ref(&first));
    assert!(node.control().terminate(TERMINATION_LIMIT).is_some(), "{}", node.logs());
    edit(&node, std::slice::from_ref(&second));
    node.start_control();
    node.wait_ready();
    node.eventually_answers("second.example", "A", &["192.0.2.2"]);
    assert_eq!(node.records(), [second]);
}

#[test]
fn a_mirror_that_fell_behind_does_not_undo_writes() {
    let mut node = Plan::new("behind").start_control();
    for round in 0..10 {
        // Killed before the mirror can have followed; what was acknowledged is in the log alone.
        let record = Record::a(&format!("write-{round}.example"), "192.0.2.1");
        node.add(&record);
        node.control().kill();
        node.start_control();
        node.wait_healthy();
        assert!(node.records().contains(&record), "round {round}: {:?}", node.records());
    }
    assert_eq!(node.records().len(), 10);
    let records = node.records();
    eventually_mirrors(&mut node, &records);
}

#[test]
fn a_mirror_that_does_not_parse_is_told_and_changes_nothing() {
    let mut node = Node::start("broken");
    let record = Record::a("kept.example", "192.0.2.1");
    node.add(&record);
    eventually_mirrors(&mut node, std::slice::from_ref(&record));
    node.write("dnsrecords.json", "{\"records\": [");
    node.eventually("the log names the file", |node| {
        let said = node.control().said();
        if said.contains("dnsrecords.json") { Ok(()) } else { Err(said) }
    });
    let reload = node.request("POST", "/dns/records/reload", None);
    assert_eq!(reload.status, 500, "{reload:?}");
    assert_eq!(node.records(), std::slice::from_ref(&record));
    node.eventually_answers("kept.example", "A", &["192.0.2.1"]);

    // Mended, and taken in at once when asked to.
    let mended = Record::a("mended.example", "192.0.2.2");
    edit(&node, &[record.clone(), mended.clone()]);
    let reload = node.request("POST", "/dns/records/reload", None);
    assert_eq!((reload.status, &reload.json()["records"]), (200, &json!(2)), "{reload:?}");
    assert_eq!(node.records(), [record, mended]);
}
