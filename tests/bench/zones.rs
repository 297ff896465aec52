//! A zone file of a million records: how long until it is answered, beside NSD, and how long a changed line of it takes.

use crate::{
    load::{mib, peak_mib},
    probe::{Probe, first_answer},
    servers::zone::{APEX, Zone},
    spread::Spread,
};
use dnsplane_tests::{
    Node, Plan,
    rival::{Make, Rival, Zone as ZoneText},
};
use serde_json::json;
use std::{
    fs,
    time::{Duration, Instant},
};

const RECORDS: u32 = 1_000_000;
const CHANGES: u32 = 20;
const LIMIT: Duration = Duration::from_secs(300);
const FILE: &str = "zones/load.example.db";

pub(crate) fn run() {
    let zone = Zone { names: RECORDS };
    let source = json!({"type": "bind_dir", "location": "zones", "watch": true});
    let mut node =
        Plan::new("zones").with(&json!({"file_locations": {"records_source": source}})).folder("zones").prepare();
    zone.write_zone(&node.path(FILE));
    let text = fs::read_to_string(node.path(FILE)).expect("it was just written");
    println!("zones: one zone file, {RECORDS} A records, {} MiB", text.len() >> 20);

    start_and_wait(&mut node, zone, "start to first answer, both daemons, from the zone file");
    changes(&mut node, zone, &text);
    node.control().terminate(LIMIT).expect("SIGTERM ends it");
    node.data().terminate(LIMIT).expect("SIGTERM ends it");
    start_and_wait(&mut node, zone, "the same again, from what was read before");

    if Make::Nsd.program().exists() {
        let start = Instant::now();
        let nsd = Rival::start(Make::Nsd, &[ZoneText { origin: APEX.to_owned(), text }]);
        let last = zone.last();
        first_answer(nsd.address(), &last.name, &last.value, LIMIT);
        println!("  NSD, start to first answer, its zone file written first: {:.2} s\n", start.elapsed().as_secs_f64());
    } else {
        println!("  NSD is not installed\n");
    }
}

fn start_and_wait(node: &mut Node, zone: Zone, what: &str) {
    let last = zone.last();
    let start = Instant::now();
    node.start_control();
    node.start_data();
    first_answer(node.dns(), &last.name, &last.value, LIMIT);
    println!("  {what}: {:.2} s", start.elapsed().as_secs_f64());
    node.wait_ready();
    let (control, most) = (mib(node.control()), peak_mib(node.control()));
    println!("  resident memory: control plane {control} MiB, at most {most} MiB; data plane {} MiB", mib(node.data()));
}

/// One line of the file is another, again and again.
fn changes(node: &mut Node, zone: Zone, text: &str) {
    let last = zone.last();
    let probe = Probe::new(node.dns());
    let before = generation(node);
    let mut visible = Spread::default();
    for number in 1..=CHANGES {
        let value = format!("192.0.2.{number}");
        let at = text.rfind(&last.value).expect("the last record is in the file");
        let changed = [&text[..at], &value, &text[at + last.value.len()..]].concat();
        fs::write(node.path("edited"), changed).expect("the disk takes it");
        fs::rename(node.path("edited"), node.path(FILE)).expect("a file can be renamed");
        let start = Instant::now();
        probe.until(&last.name, &value, LIMIT);
        visible.push(start.elapsed());
    }
    println!("  one changed line, from the rename until it is answered: {visible}");
    println!("  changes in the store for {CHANGES} changed lines: {}", generation(node) - before);
    fs::write(node.path(FILE), text).expect("the disk takes it");
    probe.until(&last.name, &last.value, LIMIT);
}

fn generation(node: &Node) -> u64 {
    node.server_status()["generation"]["number"].as_u64().expect("a number")
}
