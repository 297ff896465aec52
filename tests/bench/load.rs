//! Records in numbers: what a store is filled with before anything is measured.

use dnsplane_tests::{Daemon, Node, Record, http::Connection};
use std::{
    fs::File,
    io::{BufWriter, Write},
    time::{Duration, Instant},
};

/// One of them.
pub(crate) fn record(number: u32) -> Record {
    let [_, b, c, d] = number.to_be_bytes();
    Record::a(&format!("host-{number}.load.example"), &format!("10.{b}.{c}.{d}"))
}

/// Writes this many into a node's records file.
pub(crate) fn write_records(node: &Node, count: u32) {
    write_all(node, (0..count).map(record));
}

/// Writes these into a node's records file, piece by piece: as one value they would take more memory than the node.
pub(crate) fn write_all(node: &Node, records: impl Iterator<Item = Record>) {
    let mut file = BufWriter::new(File::create(node.path("dnsrecords.json")).expect("a file"));
    let mut write = |text: &str| file.write_all(text.as_bytes()).expect("the disk takes it");
    write("{\"records\":[");
    for (number, record) in records.enumerate() {
        write(if number == 0 { "" } else { "," });
        write(&record.to_json().to_string());
    }
    write("]}\n");
    file.flush().expect("the disk takes it");
}

/// Adds a record over REST; how long it took until it was acknowledged.
pub(crate) fn add(api: &mut Connection, record: &Record) -> Duration {
    let start = Instant::now();
    let reply = api.request("POST", "/dns/records", Some(&record.to_json())).expect("a reply");
    assert_eq!(reply.status, 201, "{reply:?}");
    start.elapsed()
}

/// Memory that a process holds, in MiB.
pub(crate) fn mib(daemon: &mut Daemon) -> u64 {
    daemon.resident_kib() / 1024
}

/// The most that it ever held.
pub(crate) fn peak_mib(daemon: &mut Daemon) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.id())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap_or(0) / 1024
}
