//! Records from the web and from Git repositories: what changes there is one change here, and whatever breaks there is a
//! reason in status while the last good set is answered.

mod git;
mod url;

use dnsplane_tests::{Node, Plan, Record};
use serde_json::{Value, json};
use std::time::Duration;

/// A node to be whose records come from here; it looks every second.
fn plan(name: &str, source: Value) -> Plan {
    let mut source = source;
    source["refresh_interval_seconds"] = json!(1);
    Plan::new(name).with(&json!({"file_locations": {"records_source": source}}))
}

/// Several records, of which the first has this address.
fn records(first: &str) -> Vec<Record> {
    let mut records: Vec<_> = (1..50).map(|number| Record::a(&format!("h{number}.dns.test"), "192.0.2.1")).collect();
    records.push(Record::a("www.dns.test", first));
    records
}

/// Waits until status says this of the source.
#[track_caller]
fn eventually_says(node: &mut Node, words: &str) -> Value {
    node.eventually(&format!("status says {words:?}"), |node| {
        let source = node.records_source();
        let said = source["problem"].as_str().unwrap_or_default();
        if said.contains(words) { Ok(source) } else { Err(source.to_string()) }
    })
}

/// Has the node look now: that fails for this reason, and changes nothing.
#[track_caller]
fn look_fails(node: &Node, words: &str) {
    let before = node.generation();
    let reply = node.request("POST", "/dns/records/reload", None);
    assert!(reply.status >= 400 && reply.body.contains(words), "{words:?}: {reply:?}");
    let source = node.records_source();
    let problem = source["problem"].as_str().unwrap_or_default();
    assert!(problem.contains(words) && problem.contains("ago is served"), "{words:?}: {source}");
    let refused = node.ctl(&["record", "load"]);
    assert!(refused.code == Some(1) && refused.stderr.contains(words), "{words:?}: {refused:?}");
    assert_eq!(node.generation(), before, "{words:?}");
}

/// Has the node look now: that works.
#[track_caller]
fn look(node: &Node) {
    let ended = node.ctl(&["record", "load"]);
    assert_eq!(ended.code, Some(0), "{ended:?}\n{}", node.logs());
    assert_eq!(node.records_source()["problem"], "", "{}", node.logs());
}

/// Both daemons are killed, all that the data plane remembers is gone, and both start again.
fn start_again(node: &mut Node) {
    node.control().kill();
    node.data().kill();
    std::fs::remove_dir_all(node.path("dns-state")).expect("the data plane had a state");
    node.start_control();
    node.start_data();
    node.wait_healthy();
}

/// Longer than any look may take.
const LOOK_LIMIT: Duration = Duration::from_secs(90);
