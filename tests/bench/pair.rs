//! Two nodes of ours: how a fresh one gets everything, and from a write on A to the answer on B.

use crate::{
    load::{add, mib, peak_mib, record, write_records},
    probe::{Probe, first_answer},
    spread::Spread,
};
use dnsplane_tests::{Cluster, Node, Record, http::Connection};
use serde_json::json;
use std::time::{Duration, Instant};

const WRITES: u32 = 100;
const LIMIT: Duration = Duration::from_secs(120);

/// With this many records on both nodes.
pub(crate) fn run(records: u32) {
    let mut cluster = Cluster::prepare(2, &json!({}));
    let (a, b) = cluster.pair();
    println!("pair: two nodes of ours, {records} A records");
    write_records(a, records);
    start(a);
    a.wait_ready();
    // Without a write A has no authority over anybody.
    a.add(&Record::a("first.example", "192.0.2.1"));
    join(a, b, records);
    writes(a, b);
    let [peak_a, peak_b] = [a.control(), b.control()].map(peak_mib);
    println!("  resident memory, control planes: A {} MiB, B {} MiB", mib(a.control()), mib(b.control()));
    println!("  the most they ever held: A {peak_a} MiB, B {peak_b} MiB");
    println!("  resident memory, data planes: A {} MiB, B {} MiB\n", mib(a.data()), mib(b.data()));
}

fn start(node: &mut Node) {
    node.start_control();
    node.start_data();
}

/// A fresh node comes up and gets everything.
fn join(a: &mut Node, b: &mut Node, records: u32) {
    let last = record(records - 1);
    let begin = Instant::now();
    start(b);
    b.wait_healthy();
    let hash = a.cluster_status()["content_hash"].clone();
    let up = Instant::now();
    b.eventually("B holds what A holds", |b| {
        let status = b.cluster_status();
        if status["content_hash"] == hash { Ok(()) } else { Err("not yet".to_owned()) }
    });
    let held = up.elapsed();
    first_answer(b.dns(), &last.name, &last.value, LIMIT);
    println!(
        "  a fresh node, from its start: holds everything after {:.2} s, answers it after {:.2} s",
        (begin.elapsed() - up.elapsed() + held).as_secs_f64(),
        begin.elapsed().as_secs_f64()
    );
}

/// Writes on A, one after another, each until both data planes answer it.
fn writes(a: &mut Node, b: &mut Node) {
    let mut api = Connection::open(a.api()).expect("the API listens");
    let (here, there) = (Probe::new(a.dns()), Probe::new(b.dns()));
    let [mut acknowledged, mut visible_here, mut visible_there] = [(); 3].map(|()| Spread::default());
    let sent = |a: &Node, b: &Node| a.peer_status(b.peer())["bytes_sent"].as_u64().expect("a number");
    let before = sent(a, b);
    for number in 0..WRITES {
        let record = Record::a(&format!("write-{number}.example"), "192.0.2.2");
        let start = Instant::now();
        acknowledged.push(add(&mut api, &record));
        there.until(&record.name, &record.value, LIMIT);
        visible_there.push(start.elapsed());
        here.until(&record.name, &record.value, LIMIT);
        visible_here.push(start.elapsed());
    }
    println!("  {WRITES} writes on A, one after another:");
    println!("  acknowledged         {acknowledged}");
    println!("  answered by B        {visible_there}");
    println!("  answered by A, too   {visible_here}");
    println!("  octets from A to B for each: {}", (sent(a, b) - before) / u64::from(WRITES));
}
