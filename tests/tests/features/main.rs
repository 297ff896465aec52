//! What nodes of our kind add to the protocol, against peers made by hand that know none, some or all of it: what is sent
//! is what was agreed, and what is received is applied whole or not at all.

mod incoming;
mod outgoing;
mod relay;
mod twin;

use dnsplane_tests::{Node, PATIENCE, Record, eventually};
use serde_json::{Value, json};

/// Everything that can be agreed.
pub(crate) const ALL: [&str; 5] = ["keep", "ack", "delta", "chunk", "relay"];

/// `records_full` from a sender.
pub(crate) fn full(node_id: &str, seq: u64, records: &[Record]) -> String {
    let list: Vec<_> = records.iter().map(Record::to_json).collect();
    let timestamp = seq / 1000;
    json!({"type": "records_full", "node_id": node_id, "seq": seq, "timestamp_unix": timestamp, "records": list})
        .to_string()
}

/// `records_delta` from a sender: from these records to those, with hashes as the harness computes them.
pub(crate) fn delta(node_id: &str, seq: u64, before: &[Record], after: &[Record]) -> Value {
    let upserts: Vec<_> = after.iter().filter(|record| !before.contains(record)).map(Record::to_json).collect();
    let same =
        |one: &Record, other: &Record| (&one.name, &one.kind, &one.value) == (&other.name, &other.kind, &other.value);
    let gone = before.iter().filter(|record| !after.iter().any(|kept| same(record, kept)));
    let deletes: Vec<_> =
        gone.map(|record| json!({"name": record.name, "type": record.kind, "value": record.value})).collect();
    json!({
        "type": "records_delta", "node_id": node_id, "seq": seq, "timestamp_unix": seq / 1000,
        "base_hash": dnsplane_tests::content::hash(before), "hash": dnsplane_tests::content::hash(after),
        "upserts": upserts, "deletes": deletes,
    })
}

/// Waits until a node holds exactly these records.
#[track_caller]
pub(crate) fn eventually_holds(node: &Node, records: &[Record]) {
    let mut wanted = records.to_vec();
    wanted.sort();
    eventually(&format!("{} holds {wanted:?}", node.name()), PATIENCE, || {
        let held = node.records();
        if held == wanted { Ok(()) } else { Err(format!("{held:?}\n{}", node.logs())) }
    });
}

/// So many records of one sort.
pub(crate) fn many(prefix: &str, count: usize) -> Vec<Record> {
    (0..count).map(|number| Record::a(&format!("{prefix}{number:05}.example"), "192.0.2.1")).collect()
}

/// A sequence that is now, as nodes of our kind number their writes.
pub(crate) fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("the clock is after 1970").as_millis() as u64
}
