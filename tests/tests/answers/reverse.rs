//! From addresses to names: PTR records that somebody wrote, whichever way, and those made of A and AAAA records.

use dnsplane_tests::{Cluster, Node, Plan, Record, node::TERMINATION_LIMIT};
use hickory_proto::op::ResponseCode;
use serde_json::json;

const SIX: &str = "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
const AUTO: &str = "DNSRecordSettings.auto_build_ptr_from_a";

fn ptr(owner: &str, target: &str) -> Record {
    Record::new(owner, "PTR", target, 300)
}

/// Names in `dnsrecords.json`, as text.
fn mirrored(node: &Node) -> String {
    std::fs::read_to_string(node.path("dnsrecords.json")).unwrap_or_default()
}

#[test]
fn a_ptr_record_owned_by_an_address_is_answered_at_its_reverse_name_and_keeps_its_text() {
    let mut cluster = Cluster::start(2);
    let (a, b) = cluster.pair();
    for record in [
        ptr("192.0.2.50", "printer.example"),
        ptr("50.2.0.192.in-addr.arpa", "scanner.example"),
        ptr("2001:db8::7", "six.example"),
    ] {
        a.add(&record);
    }
    for node in [&mut *a, &mut *b] {
        node.eventually_answers(SIX, "PTR", &["six.example."]);
        let both = ["printer.example.", "scanner.example."];
        node.eventually_answers("50.2.0.192.in-addr.arpa", "PTR", &both);
        let names: Vec<_> = node.records().into_iter().map(|record| record.name).collect();
        assert_eq!(names, ["192.0.2.50", "2001:db8::7", "50.2.0.192.in-addr.arpa"], "as they were written");
        node.eventually("the records file has the text, too", |node| {
            let text = mirrored(node);
            if text.contains("\"192.0.2.50\"") && text.contains("\"2001:db8::7\"") { Ok(()) } else { Err(text) }
        });
    }
    // What is deleted in one way of writing it leaves what was written in the other.
    b.delete("192.0.2.50");
    a.eventually_answers("50.2.0.192.in-addr.arpa", "PTR", &["scanner.example."]);
    b.delete("50.2.0.192.in-addr.arpa");
    a.eventually_answers("50.2.0.192.in-addr.arpa", "PTR", &[]);
    a.add(&ptr("192.0.2.50", "again.example"));
    b.eventually_answers("50.2.0.192.in-addr.arpa", "PTR", &["again.example."]);
}

#[test]
fn a_records_file_of_an_existing_node_brings_its_ptr_records() {
    let records = [ptr("192.0.2.50", "a.example"), ptr("50.2.0.192.in-addr.arpa", "b.example")];
    let node = Plan::new("files").records(&records).start();
    let reply = node.ask("50.2.0.192.in-addr.arpa", "PTR");
    assert_eq!(reply.values(), ["a.example.", "b.example."]);
    assert!(reply.message.metadata.authoritative);
    // The address itself is no name of anything.
    assert_eq!(node.ask("192.0.2.50", "PTR").code(), ResponseCode::Refused);
}

#[test]
fn automatic_ptr_records_follow_the_setting_and_the_addresses() {
    let records = [
        Record::a("one.example", "11.0.0.1"),
        Record::a("two.example", "11.0.0.1"),
        Record::new("two.example", "AAAA", "2001:db8::7", 60),
        Record::a("*.example", "11.0.0.1"),
    ];
    let mut node = Plan::new("automatic").records(&records).start();
    let name = "1.0.0.11.in-addr.arpa";
    assert_eq!(node.ask(name, "PTR").code(), ResponseCode::Refused, "off by default");

    node.ctl(&["server", "set", AUTO, "true"]).success();
    node.eventually_answers(name, "PTR", &["one.example.", "two.example."]);
    node.eventually_answers(SIX, "PTR", &["two.example."]);
    let other = node.ask(name, "TXT");
    assert_eq!((other.code(), other.message.metadata.authoritative), (ResponseCode::NoError, true));

    node.add(&Record::a("three.example", "11.0.0.1"));
    node.eventually_answers(name, "PTR", &["one.example.", "three.example.", "two.example."]);
    node.delete("one.example");
    node.eventually_answers(name, "PTR", &["three.example.", "two.example."]);
    // What somebody writes counts instead.
    node.add(&ptr("11.0.0.1", "written.example"));
    node.eventually_answers(name, "PTR", &["written.example."]);
    node.delete("11.0.0.1");
    node.eventually_answers(name, "PTR", &["three.example.", "two.example."]);

    node.ctl(&["server", "set", AUTO, "false"]).success();
    node.eventually("they are gone with the setting", |node| {
        let reply = node.ask(name, "PTR");
        if reply.code() == ResponseCode::Refused { Ok(()) } else { Err(reply.summary()) }
    });
}

#[test]
fn automatic_ptr_records_are_there_from_the_first_moment_without_a_control_plane() {
    let keys = json!({"DNSRecordSettings": {"auto_build_ptr_from_a": true}});
    let mut node = Plan::new("alone").with(&keys).records(&[Record::a("one.example", "11.0.0.1")]).start();
    let name = "1.0.0.11.in-addr.arpa";
    node.eventually_answers(name, "PTR", &["one.example."]);
    node.control().kill();
    // SIGTERM writes what the copy on disk lacks.
    node.data().terminate(TERMINATION_LIMIT).expect("SIGTERM ends it");
    node.start_data();
    node.eventually_answers(name, "PTR", &["one.example."]);
}
