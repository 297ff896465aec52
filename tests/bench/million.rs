//! A million records on one node: loading, memory, and what a single change costs then.

use crate::{
    load::{add, mib, record, write_records},
    probe::{Probe, first_answer},
    spread::Spread,
};
use dnsplane_tests::{Node, Plan, Record, http::Connection, node::TERMINATION_LIMIT};
use std::time::{Duration, Instant};

const RECORDS: u32 = 1_000_000;
const CHANGES: u32 = 50;
const LIMIT: Duration = Duration::from_secs(300);

pub(crate) fn run() {
    let mut node = Plan::new("million").prepare();
    write_records(&node, RECORDS);
    let last = record(RECORDS - 1);
    println!("million: one node, {RECORDS} A records in dnsrecords.json");

    let start = Instant::now();
    node.start_control();
    node.start_data();
    first_answer(node.dns(), &last.name, &last.value, LIMIT);
    println!("  start to first answer, both daemons, from dnsrecords.json: {:.2} s", start.elapsed().as_secs_f64());
    node.wait_ready();
    print_memory(&mut node);

    let before = bytes_sent(&node);
    let mut api = Connection::open(node.api()).expect("the API listens");
    let probe = Probe::new(node.dns());
    let [mut acknowledged, mut visible] = [(); 2].map(|()| Spread::default());
    for number in 0..CHANGES {
        let record = Record::a(&format!("change-{number}.million.example"), "192.0.2.1");
        let start = Instant::now();
        acknowledged.push(add(&mut api, &record));
        probe.until(&record.name, &record.value, LIMIT);
        visible.push(start.elapsed());
    }
    println!("  a single change, acknowledged: {acknowledged}");
    println!("  a single change, answered:     {visible}");
    println!("  bytes over the feed for a single change: {}", (bytes_sent(&node) - before) / u64::from(CHANGES));
    print_memory(&mut node);

    node.control().terminate(LIMIT).expect("SIGTERM ends it");
    node.data().terminate(TERMINATION_LIMIT).expect("SIGTERM ends it");
    let start = Instant::now();
    node.start_data();
    first_answer(node.dns(), &last.name, &last.value, LIMIT);
    println!(
        "  start to first answer, data plane alone, from its last-good copy: {:.3} s",
        start.elapsed().as_secs_f64()
    );
    let start = Instant::now();
    node.start_control();
    node.wait_ready();
    println!("  control plane again, from its own store, to ready: {:.2} s", start.elapsed().as_secs_f64());
    println!("  bytes over the feed since then: {}\n", bytes_sent(&node));
}

/// Octets that the control plane has sent to the data plane, by its own count.
fn bytes_sent(node: &Node) -> u64 {
    let plane = node.data_plane_status().expect("one data plane");
    plane["bytes_sent"].as_u64().unwrap_or_else(|| panic!("no bytes_sent: {plane}"))
}

fn print_memory(node: &mut Node) {
    let (control, data) = (mib(node.control()), mib(node.data()));
    println!("  resident memory: control plane {control} MiB, data plane {data} MiB");
}
